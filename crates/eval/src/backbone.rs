//! The network behind a score, whichever it is.

use crate::graph::Elsewhere;
use crate::{Error, Graph, Inception, Inference, Preparation, Result, SCORERS, Scorer, ScorerSpec};
use sngan_data::fetch;
use sngan_experiment::{Dataset, ScorePlan};
use std::path::{Path, PathBuf};

/// Which of Inception's logits the inception score uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Logits {
    /// Without the dense layer's bias, like the authors of the score and torch-fidelity.
    #[default]
    Unbiased,
    /// With it; scores are stamped `logit-bias`.
    Biased,
}

impl Logits {
    /// Makes these logits of unbiased ones.
    fn apply(self, inception: &Inception, logits: &mut [f32]) {
        match self {
            Logits::Unbiased => {}
            Logits::Biased => {
                let bias = inception.logit_bias();
                logits
                    .chunks_exact_mut(bias.len())
                    .for_each(|row| row.iter_mut().zip(bias).for_each(|(x, b)| *x += b));
            }
        }
    }
}

/// How a backbone is chosen and fed.
#[derive(Debug, Clone, Default)]
pub struct BackboneOptions {
    /// Weights file; else the embedded one of a scorer, or Inception's in the data folder.
    pub weights: Option<PathBuf>,
    /// Folder of data sets, where `sngan data fetch inception` puts Inception's weights.
    pub data_dir: Option<PathBuf>,
    /// How images become Inception's input.
    pub preparation: Preparation,
    /// Inception's logits.
    pub logits: Logits,
}

/// A network that gives features and class logits.
#[derive(Debug)]
pub enum Backbone {
    /// A small classifier; scores from it are comparable only with each other.
    Scorer(Scorer),
    /// Inception-v3 of 2015-12-05, which defines the scores.
    Inception(Box<Inception>, Logits),
    /// One of them, run by another device than the CPU.
    Elsewhere(Box<Backbone>, Elsewhere),
    /// No network, for metrics on pixels.
    Absent,
}

/// The outputs of a backbone for N images.
#[derive(Debug, Clone, PartialEq)]
pub struct BackboneFeatures {
    /// `[N, pool]`: the features used for distances.
    pub pool: Vec<f32>,
    /// `[N, classes]`: the logits used for the inception score.
    pub logits: Vec<f32>,
}

impl Backbone {
    /// Inception's name on the command line and in experiment files.
    pub const INCEPTION: &str = "inception";
    /// Name of the available one: Inception if its weights are in the data folder, else the data
    /// set's scorer, else none.
    pub const INCEPTION_OR_SCORER: &str = ScorePlan::AVAILABLE_BACKBONE;

    /// The backbone `name` for images of `dataset`; `None` for `none`, and if `inception-or-scorer`
    /// finds neither.
    ///
    /// # Errors
    /// An unknown name; weights that are missing or belong to another network.
    pub fn named(
        name: &str,
        dataset: Dataset,
        options: &BackboneOptions,
    ) -> Result<Option<Backbone>> {
        match name {
            ScorePlan::NO_BACKBONE => Ok(None),
            Backbone::INCEPTION => Backbone::inception(options).map(Some),
            Backbone::INCEPTION_OR_SCORER if options.has_inception() => {
                Backbone::inception(options).map(Some)
            }
            Backbone::INCEPTION_OR_SCORER => match ScorerSpec::of_dataset(dataset.name()) {
                Ok(spec) => Ok(Some(Backbone::Scorer(Scorer::embedded(spec.name)?))),
                Err(_) => Ok(None),
            },
            name => {
                let spec = ScorerSpec::named(name)?;
                let scorer = match &options.weights {
                    Some(path) => Scorer::load(spec, path)?,
                    None => Scorer::embedded(name)?,
                };
                Ok(Some(Backbone::Scorer(scorer)))
            }
        }
    }

    /// The name of the network that [`Backbone::named`] would take for images of `dataset`, without
    /// loading it; `None` where it would take none.
    pub fn choice<'a>(
        name: &'a str,
        dataset: Dataset,
        options: &BackboneOptions,
    ) -> Option<&'a str> {
        match name {
            ScorePlan::NO_BACKBONE => None,
            Backbone::INCEPTION_OR_SCORER if options.has_inception() => Some(Inception::NAME),
            Backbone::INCEPTION_OR_SCORER => {
                ScorerSpec::of_dataset(dataset.name()).ok().map(|spec| spec.name)
            }
            name => Some(name),
        }
    }

    /// The data set that the scorer `name` learned, if it is one.
    pub fn learned(name: &str) -> Option<Dataset> {
        ScorerSpec::named(name).ok().map(|spec| spec.dataset)
    }

    fn inception(options: &BackboneOptions) -> Result<Backbone> {
        let path = options
            .inception_weights()
            .filter(|p| p.is_file())
            .ok_or_else(|| options.no_inception())?;
        let inception = Inception::load(&path, options.preparation)?;
        // Where only the published file belongs, another would give scores that look like those of everyone else.
        if options.weights.is_none() {
            fetch::verify_download(&path)?;
        }
        Ok(Backbone::Inception(Box::new(inception), options.logits))
    }

    /// The network for another device; `None` without one.
    ///
    /// # Errors
    /// Inception's weights file, which is read again, if it has changed.
    pub fn graph(&self) -> Result<Option<Graph>> {
        match self {
            Backbone::Scorer(scorer) => scorer.graph().map(Some),
            Backbone::Inception(inception, _) => inception.graph().map(Some),
            Backbone::Elsewhere(backbone, _) => backbone.graph(),
            Backbone::Absent => Ok(None),
        }
    }

    /// The same backbone, run by `inference`, which takes `batch` images at a time and was made of its graph. Names, protocols and the way of
    /// images to the network stay the same.
    pub fn elsewhere(self, batch: usize, inference: Box<dyn Inference>) -> Backbone {
        Backbone::Elsewhere(Box::new(self), Elsewhere::new(batch, inference))
    }

    /// The names that [`Backbone::named`] knows.
    pub fn names() -> Vec<&'static str> {
        let fixed = [Backbone::INCEPTION, Backbone::INCEPTION_OR_SCORER, ScorePlan::NO_BACKBONE];
        SCORERS.iter().map(|s| s.name).chain(fixed).collect()
    }

    /// The name under which protocols record it.
    pub fn name(&self) -> &'static str {
        match self {
            Backbone::Scorer(scorer) => scorer.spec().name,
            Backbone::Inception(..) => Inception::NAME,
            Backbone::Elsewhere(backbone, _) => backbone.name(),
            Backbone::Absent => ScorePlan::NO_BACKBONE,
        }
    }

    /// SHA-256 of its weights file, in hex; empty if there is none.
    pub fn sha256(&self) -> &str {
        match self {
            Backbone::Scorer(scorer) => scorer.sha256(),
            Backbone::Inception(inception, _) => inception.sha256(),
            Backbone::Elsewhere(backbone, _) => backbone.sha256(),
            Backbone::Absent => "",
        }
    }

    /// Number of features used for distances.
    pub fn pool_dim(&self) -> usize {
        match self {
            Backbone::Scorer(scorer) => scorer.spec().features(),
            Backbone::Inception(..) => crate::inception::POOL,
            Backbone::Elsewhere(backbone, _) => backbone.pool_dim(),
            Backbone::Absent => 0,
        }
    }

    /// Number of classes used for the inception score.
    pub fn classes(&self) -> usize {
        match self {
            Backbone::Scorer(scorer) => scorer.spec().classes,
            Backbone::Inception(..) => crate::inception::LOGITS,
            Backbone::Elsewhere(backbone, _) => backbone.classes(),
            Backbone::Absent => 0,
        }
    }

    /// How images of `side` are brought to the network's input size, as recorded in protocols.
    pub fn resize(&self, side: usize) -> String {
        match self {
            Backbone::Scorer(scorer) => scorer.resize(side),
            Backbone::Inception(inception, _) => inception.preparation().name().into(),
            Backbone::Elsewhere(backbone, _) => backbone.resize(side),
            Backbone::Absent => "none".into(),
        }
    }

    /// What distinguishes scores on logits.
    pub(crate) fn logit_stamp(&self) -> Option<&'static str> {
        match self {
            Backbone::Inception(_, Logits::Biased) => Some("logit-bias"),
            Backbone::Elsewhere(backbone, _) => backbone.logit_stamp(),
            Backbone::Scorer(_) | Backbone::Inception(_, Logits::Unbiased) | Backbone::Absent => {
                None
            }
        }
    }

    /// `bytes`, `[N, 3, side, side]`, at the network's own side, and that side; `None` if it takes
    /// images of `side` as they are. [`Backbone::features`] of either are the same.
    pub(crate) fn at_own_side(&self, bytes: &[u8], side: usize) -> Option<(Vec<u8>, usize)> {
        match self {
            Backbone::Scorer(scorer) if side != scorer.spec().side => {
                let own = scorer.spec().side;
                Some((sngan_data::resize(bytes, side, own), own))
            }
            Backbone::Elsewhere(backbone, _) => backbone.at_own_side(bytes, side),
            Backbone::Scorer(_) | Backbone::Inception(..) | Backbone::Absent => None,
        }
    }

    /// Whether an image's features may depend, in the last digit, on its place in its block. Then a
    /// block's images must be there together.
    pub(crate) fn minds_places(&self) -> bool {
        match self {
            Backbone::Scorer(_) => true,
            Backbone::Elsewhere(backbone, _) => backbone.minds_places(),
            Backbone::Inception(..) | Backbone::Absent => false,
        }
    }

    /// Features and logits of `bytes`, `[N, 3, side, side]`.
    ///
    /// # Errors
    /// When the length is not a multiple of an image, a kernel fails, or there is no network.
    pub fn features(&self, bytes: &[u8], side: usize) -> Result<BackboneFeatures> {
        self.features_while(bytes, side, &|_| Ok(()))
    }

    /// The same, asking `at` before each batch, with the number of images done, whether to go on.
    pub(crate) fn features_while(
        &self,
        bytes: &[u8],
        side: usize,
        at: &dyn Fn(usize) -> Result<()>,
    ) -> Result<BackboneFeatures> {
        match self {
            Backbone::Scorer(scorer) => {
                let features = scorer.features(bytes, side)?;
                // They were f32 before they were widened.
                let narrow = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect();
                Ok(BackboneFeatures {
                    pool: narrow(features.pool),
                    logits: narrow(features.logits),
                })
            }
            Backbone::Inception(inception, which) => {
                let features = inception.features_while(bytes, side, at)?;
                let (pool, mut logits) = (features.pool, features.logits);
                which.apply(inception, &mut logits);
                Ok(BackboneFeatures { pool, logits })
            }
            Backbone::Elsewhere(backbone, device) => match backbone.as_ref() {
                Backbone::Scorer(scorer) => {
                    device.features(bytes, 3 * side * side, |b| scorer.inputs(b, side), at)
                }
                Backbone::Inception(inception, which) => {
                    let inputs = |b: &[u8]| inception.channels_first(b, side);
                    let mut found = device.features(bytes, 3 * side * side, inputs, at)?;
                    which.apply(inception, &mut found.logits);
                    Ok(found)
                }
                Backbone::Elsewhere(..) | Backbone::Absent => {
                    backbone.features_while(bytes, side, at)
                }
            },
            Backbone::Absent => Err(Error::input("backbone", "is none, which gives no features")),
        }
    }
}

impl BackboneOptions {
    /// Where Inception's weights are looked up.
    fn inception_weights(&self) -> Option<PathBuf> {
        self.weights
            .clone()
            .or_else(|| self.data_dir.as_deref().map(|dir: &Path| fetch::inception_weights(dir)))
    }

    fn has_inception(&self) -> bool {
        self.inception_weights().is_some_and(|p| p.is_file())
    }

    /// What to do if there is no file of Inception's weights.
    fn no_inception(&self) -> Error {
        let path = self.inception_weights();
        let place =
            path.as_ref().map_or_else(|| "no data folder".into(), |p| p.display().to_string());
        let reason = if path.is_some_and(|p| p.is_dir()) {
            "it is a folder"
        } else {
            "there is no such file"
        };
        Error::inception(
            &place,
            format!(
                "{reason}; `sngan data fetch inception` gets them, or name another file of weights"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_in_the_place_of_the_published_weights_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = fetch::inception_weights(folder.path());
        assert_eq!(fetch::is_download(&path), Some("inception"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"other weights").unwrap();
        let message = fetch::verify_download(&path).unwrap_err().to_string();
        assert!(
            message.contains("expected sha256 6726825d") && message.contains("fetch"),
            "{message}"
        );
        let options =
            BackboneOptions { data_dir: Some(folder.path().into()), ..BackboneOptions::default() };
        assert!(Backbone::named("inception", Dataset::Cifar10, &options).is_err());
    }

    #[test]
    fn a_missing_network_is_answered_with_what_to_do() {
        let named = |name: &str, options: &BackboneOptions| {
            Backbone::named(name, Dataset::FashionMnist, options)
        };
        let options =
            BackboneOptions { data_dir: Some("nowhere".into()), ..BackboneOptions::default() };
        let message = named("inception", &options).unwrap_err().to_string();
        assert!(
            message.contains("nowhere") && message.contains("sngan data fetch inception"),
            "{message}"
        );
        let folder = BackboneOptions { weights: Some(".".into()), ..BackboneOptions::default() };
        let message = named("inception", &folder).unwrap_err().to_string();
        assert!(message.contains("it is a folder"), "{message}");
        assert!(named("none", &options).unwrap().is_none());
        assert_eq!(
            named("inception-or-scorer", &options).unwrap().unwrap().name(),
            "scorer-fashion"
        );
        let message = named("resnet", &options).unwrap_err().to_string();
        assert!(Backbone::names().iter().all(|name| message.contains(name)), "{message}");
    }
}
