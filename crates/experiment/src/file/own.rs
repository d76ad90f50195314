//! An experiment on one's own images, without a file.

use super::{ExperimentFile, Given, Keys, MethodRow, ScorePlan, scale, settings};
use crate::method::Method;
use crate::{Error, Result, Slash, plain};
use std::path::Path;
use toml::Value;

impl ExperimentFile {
    /// Every method of the paper in every setting on the pictures of a folder called `name`, at the shared scales;
    /// else as [`ExperimentFile::on_images`].
    ///
    /// # Errors
    /// A name that cannot be one of an experiment.
    pub fn of_images(
        name: &str,
        keys: &[(&str, Value)],
        score: &ScorePlan,
    ) -> Result<ExperimentFile> {
        plain("name", name, Slash::Refused)?;
        let path = Path::new(name);
        let row =
            |method: Method| MethodRow { label: method.label().into(), method, run: Keys::new() };
        let file = ExperimentFile {
            path: path.into(),
            name: name.into(),
            title: format!("{name}, an image folder"),
            methods: Method::PAPERS.into_iter().map(row).collect(),
            settings: settings()?.into_keys().collect(),
            seeds: vec![0],
            run: Keys::new(),
            paper: None,
            scales: scale::all_shared().map_err(|reason| Error::parse(path, reason))?,
        };
        Ok(file.on_images(keys, score))
    }

    /// The same experiment on the pictures of a folder: `keys` are what follows from them, and go
    /// before the file's. Scored as `score` says, at the end and at the file's cadences; a network
    /// that the file itself names stays, so that a scorer of other images is refused and not passed
    /// over. It is your own and not the paper's.
    pub fn on_images(mut self, keys: &[(&str, Value)], score: &ScorePlan) -> ExperimentFile {
        for row in &mut self.methods {
            for (key, value) in keys {
                let given = Given { value: value.clone(), place: "the image folder".into() };
                row.run.insert((*key).to_string(), given);
            }
        }
        for scale in self.scales.values_mut() {
            let ScorePlan { mut backbone, protocols, .. } = score.clone();
            // Inception is taken where it is there; asked for alone, its absence would stop runs that can do without.
            if scale.names_backbone && scale.score.backbone != "inception" {
                backbone.clone_from(&scale.score.backbone);
            }
            scale.score = ScorePlan { backbone, protocols, eval_every: 0, ..scale.score.clone() };
        }
        self.paper = None;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Changes, Dataset};

    #[test]
    fn own_images_decide_their_keys_and_the_scale_the_sizes() {
        let keys = [("dataset", Value::from("folder")), ("side", Value::from(24))];
        let score = ScorePlan { protocols: Vec::new(), ..ScorePlan::default() };
        let file = ExperimentFile::of_images("pets", &keys, &score).unwrap();
        let changes = Changes {
            methods: vec!["SN".into()],
            settings: vec!["C".into()],
            ..Changes::default()
        };
        let plan = file.plan_with("quick", &changes).unwrap();
        let spec = &plan.specs[0];
        assert_eq!((plan.specs.len(), spec.dataset, spec.side), (1, Dataset::Folder, 24));
        assert_eq!((spec.width_divisor, spec.gen_updates), (8, 1000));
        assert_eq!((plan.score.log_every, plan.score.protocols.len()), (20, 0));
        assert_eq!(plan.score.backbone, ScorePlan::AVAILABLE_BACKBONE);
        let mut named = file.clone();
        for scale in named.scales.values_mut() {
            (scale.score.backbone, scale.names_backbone) = ("scorer-cifar10".into(), true);
        }
        let kept = named.on_images(&keys, &score).plan_with("quick", &changes).unwrap();
        assert_eq!(kept.score.backbone, "scorer-cifar10", "what was asked for is not replaced");
        assert!(ExperimentFile::of_images("a/b", &keys, &score).is_err());
    }
}
