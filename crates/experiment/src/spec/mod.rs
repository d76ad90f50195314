//! A run's complete specification. Nothing is left to a default: the file holds every value.

mod identity;
mod imported;
mod names;
mod validate;
mod varied;
mod width;

pub use imported::Imported;
pub use names::{CUSTOM, Names};
pub(crate) use varied::{DEFAULT_SETTING, Varied};
pub use width::{ClipCorrection, LayerCorrection, WidthCorrection};

use crate::Dataset;
use crate::arch::{ArchSpec, Architecture, Conditioning, LayerSpec, Sizes};
use crate::method::{ActsOn, Loss, Method, Normalization, PenaltyPoints, Regularizer};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// When SN's power iteration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerIteration {
    /// Once per D update, before its first forward (Algorithm 1).
    PerUpdate,
    /// At each training forward of D (the authors' code).
    PerForward,
}

/// The place of Adam's ε.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdamEpsilon {
    /// `m̂/(√v̂ + ε)` (Kingma & Ba, Algorithm 1).
    Corrected,
    /// Chainer's: ε is not bias-corrected.
    Chainer,
}

/// Which weights weight clipping clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipScope {
    /// Convolution weights of D.
    Convolutions,
    /// All parameters of D.
    All,
}

/// How byte images become D's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pixels {
    /// `x/128 − 1 + U[0, 1/128)`, in [−1, 1).
    Dequantized,
    /// `2x/255 − 1`, without noise.
    Plain,
}

/// How α changes over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrDecay {
    /// It is constant.
    Constant,
    /// From `lr_decay_start` on it falls linearly, to 0 at `gen_updates` (which the last update does not reach).
    Linear,
}

/// The distribution of z's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latent {
    /// N(0, 1).
    Normal,
    /// U[−1, 1) (the authors' code for the standard CNN).
    Uniform,
}

/// Keys that were added later, each with the value that older versions implied, as JSON. A spec
/// without the key is read with that value, and a key with that value does not enter the identity,
/// so runs of any age keep their names.
const ADDED: [(&str, &str); 17] = [
    ("conditioning", "\"none\""),
    ("n_classes", "0"),
    ("ac_dis_weight", "1.0"),
    ("ac_gen_weight", "0.1"),
    ("dis_width_factor", "1.0"),
    ("last_conv_factor", "1.0"),
    ("latent", "\"normal\""),
    ("lr_decay", "\"constant\""),
    ("lr_decay_start", "0"),
    ("gen_ema", "0.0"),
    ("dis_micro_batch", "0"),
    ("gen_micro_batch", "0"),
    ("width_correction", "\"none\""),
    ("clip_correction", "\"none\""),
    ("weight_scale", "1.0"),
    ("stable_rank_share", "0.5"),
    ("spectrum_every", "5"),
];

/// Everything that decides a run's bits. Device, threads and logging cadence are in the provenance
/// instead.
///
/// Reading one is strict, except for keys that were added later: a file without such a key gets the
/// value that older versions implied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct RunSpec {
    /// Name of the row in tables and figures, such as `SN`.
    pub label: String,
    /// The paper's method.
    pub method: Method,
    /// D's normalization.
    pub normalization: Normalization,
    /// Whether the normalized weight is multiplied by a trained γ (Eq. 32).
    pub gamma: bool,
    /// D's regularizer.
    pub regularizer: Regularizer,
    /// Adversarial loss.
    pub loss: Loss,
    /// Name of the optimizer setting (A–F, or `custom`).
    pub setting: String,
    /// Adam's α.
    pub lr: f64,
    /// Adam's β1.
    pub beta1: f64,
    /// Adam's β2.
    pub beta2: f64,
    /// Adam's ε.
    pub adam_eps: f64,
    /// The place of ε.
    pub adam_epsilon: AdamEpsilon,
    /// D updates per G update.
    pub n_dis: u32,
    /// Generator updates: the horizon. Raising it extends the run.
    pub gen_updates: u64,
    /// Images per D update, real and as many fake.
    pub batch: usize,
    /// Images per G update.
    pub gen_batch: usize,
    /// Penalty coefficient λ (γ of R1 and R2).
    pub penalty_lambda: f64,
    /// Weight clipping's bound.
    pub clip: f64,
    /// What weight clipping clips.
    pub clip_scope: ClipScope,
    /// Orthonormal regularization's coefficient.
    pub orthonormal_coefficient: f64,
    /// When the power iteration runs.
    pub power_iteration: PowerIteration,
    /// Networks.
    pub architecture: Architecture,
    /// Image side, pixels.
    pub side: usize,
    /// Every width of the table is divided by this.
    pub width_divisor: usize,
    /// Training images.
    pub dataset: Dataset,
    /// Byte images to inputs.
    pub pixels: Pixels,
    /// Seed of every random stream.
    pub seed: u64,
    /// How labels enter the networks.
    pub conditioning: Conditioning,
    /// Classes of the training images; 0 without conditioning.
    pub n_classes: usize,
    /// Weight of the classification loss in D's loss (AC-GAN).
    pub ac_dis_weight: f64,
    /// Weight of the classification loss in G's loss (AC-GAN).
    pub ac_gen_weight: f64,
    /// Every width of D is multiplied by this.
    pub dis_width_factor: f64,
    /// Input and output channels of the standard CNN's seventh convolution are multiplied by this.
    pub last_conv_factor: f64,
    /// The distribution of z.
    pub latent: Latent,
    /// How α changes over the run.
    pub lr_decay: LrDecay,
    /// Generator update from which α decays.
    pub lr_decay_start: u64,
    /// Decay of the exponential moving average of G that samples are drawn from; 0 for G itself.
    pub gen_ema: f64,
    /// Images per forward pass of a D update; its gradients are added up. 0 for the whole batch at once.
    pub dis_micro_batch: usize,
    /// The same of a G update.
    pub gen_micro_batch: usize,
    /// Corrects for the fan-in of D that `width_divisor` reduced; `none` if that changes nothing.
    pub width_correction: WidthCorrection,
    /// How the correction changes weight clipping's bound; `none` without clipping or correction.
    pub clip_correction: ClipCorrection,
    /// Every normalized weight of D is multiplied by this constant.
    pub weight_scale: f64,
    /// Stable rank normalization's bound, as a share of a matrix's smaller side.
    pub stable_rank_share: f64,
    /// Generator updates from one in whose rounds singular values are replaced to the next.
    pub spectrum_every: u64,
    /// The names used in the identity, if the values have others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_names: Option<Names>,
    /// Of networks that another program trained: where they are from, and what is not known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

impl RunSpec {
    /// A spec with the paper's values for `method` at setting C on the embedded data at full width; callers change what they need.
    pub fn paper(method: Method) -> RunSpec {
        let (normalization, regularizer, loss) = method.parts();
        RunSpec {
            label: method.label().into(),
            method,
            normalization,
            gamma: false,
            regularizer,
            loss,
            setting: "C".into(),
            lr: 2e-4,
            beta1: 0.5,
            beta2: 0.999,
            adam_eps: 1e-8,
            adam_epsilon: AdamEpsilon::Corrected,
            n_dis: 1,
            gen_updates: 100_000,
            batch: 64,
            gen_batch: 64,
            penalty_lambda: 10.0,
            clip: 0.01,
            clip_scope: ClipScope::Convolutions,
            orthonormal_coefficient: 1.0,
            power_iteration: PowerIteration::PerUpdate,
            architecture: Architecture::StandardCnn,
            side: 32,
            width_divisor: 1,
            dataset: Dataset::FashionMnist,
            pixels: Pixels::Dequantized,
            seed: 0,
            conditioning: Conditioning::None,
            n_classes: 0,
            ac_dis_weight: 1.0,
            ac_gen_weight: 0.1,
            dis_width_factor: 1.0,
            last_conv_factor: 1.0,
            latent: Latent::Normal,
            lr_decay: LrDecay::Constant,
            lr_decay_start: 0,
            gen_ema: 0.0,
            dis_micro_batch: 0,
            gen_micro_batch: 0,
            width_correction: WidthCorrection::None,
            clip_correction: ClipCorrection::None,
            weight_scale: 1.0,
            stable_rank_share: 0.5,
            spectrum_every: 5,
            id_names: None,
            imported: None,
        }
    }

    /// The networks' layer table.
    ///
    /// # Errors
    /// When the sizes do not fit the architecture.
    pub fn layers(&self) -> Result<ArchSpec> {
        self.architecture.layers(&self.sizes())
    }

    /// What the layer table depends on.
    pub fn sizes(&self) -> Sizes {
        let RunSpec {
            side,
            width_divisor,
            dis_width_factor,
            last_conv_factor,
            conditioning,
            n_classes,
            ..
        } = *self;
        Sizes { side, width_divisor, dis_width_factor, last_conv_factor, conditioning, n_classes }
    }

    /// α of the generator update with number `update` (counted from 0) and of its rounds of D, as Chainer's `LinearShift`.
    pub fn lr_at(&self, update: u64) -> f64 {
        let (start, end) = (self.lr_decay_start, self.gen_updates);
        match self.lr_decay {
            LrDecay::Constant => self.lr,
            LrDecay::Linear if update < start => self.lr,
            LrDecay::Linear => {
                let length = end.saturating_sub(start).max(1) as f64;
                self.lr * end.saturating_sub(update) as f64 / length
            }
        }
    }

    /// Multiply-adds of the whole run, estimated from the layer table: a backward pass counts as
    /// two forward passes, D's in G's update as one, a penalty of D's gradient as five more forward
    /// passes at each of its points, D's normalized output as two for each image. For planning; not a
    /// measured time.
    ///
    /// # Errors
    /// As [`RunSpec::layers`].
    pub fn multiply_adds(&self) -> Result<f64> {
        let layers = self.layers()?;
        let sum = |part: Vec<&LayerSpec>| {
            part.into_iter().map(LayerSpec::multiply_adds).sum::<u64>() as f64
        };
        let (g, d) = (sum(layers.generator_layers()), sum(layers.discriminator_layers()));
        let points = self.regularizer.points().map_or(0, PenaltyPoints::per_real_image);
        let output = match self.normalization.acts_on() {
            ActsOn::Output => 4.0,
            ActsOn::Nothing | ActsOn::Weights | ActsOn::Maps => 0.0,
        };
        let d_update = self.batch as f64 * (g + (6.0 + 5.0 * points as f64 + output) * d);
        let pairs = if self.loss.of_pairs() { 1.0 } else { 0.0 };
        let g_update = self.gen_batch as f64 * (3.0 * g + (2.0 + pairs) * d);
        Ok(self.gen_updates as f64 * (g_update + f64::from(self.n_dis) * d_update))
    }

    /// Bytes of memory that a run needs besides its images, estimated from the layer table, a
    /// little high: weights with their moments and gradients, the feature maps of the larger update
    /// with their gradients, and what every process holds. For planning.
    ///
    /// # Errors
    /// As [`RunSpec::layers`].
    pub fn memory(&self) -> Result<u64> {
        const PROCESS: f64 = 64.0 * 1024.0 * 1024.0;
        let layers = self.layers()?;
        let parameters = (layers.generator_parameters() + layers.discriminator_parameters()) as f64;
        let maps = |part: Vec<&LayerSpec>| {
            part.into_iter().map(|l| l.output.iter().product::<usize>()).sum::<usize>() as f64
        };
        let (g, d) = (maps(layers.generator_layers()), maps(layers.discriminator_layers()));
        let pieces =
            |batch: usize, piece: usize| if piece == 0 { batch } else { piece.min(batch) } as f64;
        let (batch, gen_batch) = (
            pieces(self.batch, self.dis_micro_batch),
            pieces(self.gen_batch, self.gen_micro_batch),
        );
        // Residual blocks keep the maps before and after each activation, upsampling and sum; the
        // penalty has its own passes.
        let steps = if layers.has_blocks() { 3.0 } else { 1.0 };
        let points = self.regularizer.points().map_or(0, PenaltyPoints::per_real_image);
        let output = match self.normalization.acts_on() {
            ActsOn::Output => 2.0,
            ActsOn::Nothing | ActsOn::Weights | ActsOn::Maps => 0.0,
        };
        let passes = 2.0 + 2.0 * points as f64 + output;
        let dis_update = passes * batch * 2.0 * steps * d + batch * 2.0 * g;
        let gen_update = gen_batch * (2.0 * steps * d + 4.0 * steps * g);
        Ok((PROCESS + 4.0 * (8.0 * parameters + dis_update.max(gen_update))) as u64)
    }

    /// Sets one field from text, as `--set key=value` does; strings need no quotes.
    ///
    /// # Errors
    /// When the key does not exist or the value has the wrong type.
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        let mut value = serde_json::to_value(&*self).unwrap_or_default();
        let map = value.as_object_mut().ok_or_else(|| Error::invalid("spec", "is not a table"))?;
        // The names used by earlier versions cannot be set.
        let id_names = map.remove("id_names");
        if !map.contains_key(key) {
            let known = map.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::Unknown { what: "key", name: key.into(), known });
        }
        let parsed = serde_json::from_str(text).ok().filter(|v: &serde_json::Value| !v.is_null());
        let parsed = match (&map[key], parsed) {
            (serde_json::Value::String(_), _) | (_, None) => {
                serde_json::Value::String(text.to_string())
            }
            (_, Some(v)) => v,
        };
        let wrong = |e: serde_json::Error| Error::Parse {
            path: format!("{key}={text}").into(),
            reason: e.to_string(),
        };
        let mut next = if key == "method" {
            // A method sets its parts; each part can still be changed later.
            let method: Method = serde_json::from_value(parsed).map_err(wrong)?;
            if method == Method::Custom {
                let reason = "is `custom`, which stands for no values; change normalization, regularizer or loss";
                return Err(Error::invalid("method", reason));
            }
            let (normalization, regularizer, loss) = method.parts();
            RunSpec { method, normalization, regularizer, loss, ..self.clone() }
        } else {
            map.insert(key.to_string(), parsed);
            map.extend(id_names.map(|names| ("id_names".to_string(), names)));
            serde_json::from_value(value).map_err(wrong)?
        };
        if next != *self || matches!(key, "label" | "setting") {
            next.rename_after(key, text, self)?;
        }
        *self = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        let text = include_str!("../../../../experiments/README.md");
        let value = serde_json::to_value(RunSpec::paper(Method::Sn)).unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(text.contains(&format!("`{key}`")), "experiments/README.md lacks `{key}`");
        }
        for method in Method::ALL {
            assert!(
                text.contains(&format!("`{}`", method.name())),
                "experiments/README.md lacks {method:?}"
            );
        }
        let (normalizations, regularizers) =
            (Normalization::ALL.map(Normalization::name), Regularizer::ALL.map(Regularizer::name));
        let losses = Loss::ALL.map(Loss::name);
        let datasets = Dataset::ALL.map(Dataset::name);
        for value in normalizations.into_iter().chain(regularizers).chain(losses).chain(datasets) {
            assert!(text.contains(&format!("`{value}`")), "experiments/README.md lacks `{value}`");
        }
        for architecture in Architecture::ALL {
            assert!(
                text.contains(&format!("`{}`", architecture.name())),
                "experiments/README.md lacks {architecture:?}"
            );
            assert_eq!(serde_json::to_value(architecture).unwrap(), architecture.name());
        }
    }

    #[test]
    fn set_refuses_unknown_keys_and_wrong_types() {
        let mut spec = RunSpec::paper(Method::Sn);
        assert!(spec.set("learning_rate", "1").unwrap_err().to_string().contains("known:"));
        assert!(spec.set("batch", "many").is_err());
        spec.set("lr", "0.5").unwrap();
        assert_eq!((spec.lr, spec.setting.as_str()), (0.5, "custom"));
        spec.set("method", "wgan-gp").unwrap();
        assert_eq!(spec.loss, Loss::Wasserstein);
    }

    #[test]
    fn cost_counts_the_papers_networks() {
        let spec = RunSpec { gen_updates: 1, batch: 1, gen_batch: 1, ..RunSpec::paper(Method::Sn) };
        // 108.7 and 103.5 million multiply-adds for D and G at side 32.
        let expected = (103.5 + 6.0 * 108.7) + (3.0 * 103.5 + 2.0 * 108.7);
        assert!((spec.multiply_adds().unwrap() / 1e6 - expected).abs() < 2.0);
    }

    #[test]
    fn a_linear_decay_ends_at_zero_after_the_last_update() {
        let spec = RunSpec {
            lr: 0.5,
            lr_decay: LrDecay::Linear,
            lr_decay_start: 4,
            gen_updates: 8,
            ..RunSpec::paper(Method::Sn)
        };
        assert_eq!([0, 3, 4, 6, 7, 8].map(|t| spec.lr_at(t)), [0.5, 0.5, 0.5, 0.25, 0.125, 0.0]);
        assert_eq!(RunSpec { lr_decay: LrDecay::Constant, ..spec }.lr_at(7), 0.5);
    }

    #[test]
    fn memory_is_not_underestimated() {
        // Peak memory of single updates, measured: the standard CNN, Table 4's ResNet, Gulrajani's with the penalty; full width, batch 64.
        let of = |method, architecture| RunSpec { architecture, ..RunSpec::paper(method) };
        let measured = [
            (of(Method::Sn, Architecture::StandardCnn), 466.0),
            (of(Method::WganGp, Architecture::StandardCnn), 450.0),
            (of(Method::Sn, Architecture::ResnetCifar10), 1406.0),
            (of(Method::WganGp, Architecture::ResnetGulrajani), 1248.0),
            (RunSpec { width_divisor: 4, ..of(Method::Sn, Architecture::StandardCnn) }, 125.0),
        ];
        for (spec, megabytes) in measured {
            let estimate = spec.memory().unwrap() as f64 / (1024.0 * 1024.0);
            let name = (spec.label.clone(), spec.architecture.name());
            assert!(
                (0.95 * megabytes..3.0 * megabytes).contains(&estimate),
                "{name:?}: {estimate:.0} MB for {megabytes}"
            );
        }
        let whole = of(Method::Sn, Architecture::ResnetImagenet);
        let pieces =
            RunSpec { side: 128, dis_micro_batch: 16, gen_micro_batch: 16, ..whole.clone() };
        assert!(pieces.memory().unwrap() < RunSpec { side: 128, ..whole }.memory().unwrap() / 2);
    }
}
