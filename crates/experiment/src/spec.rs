//! A run's complete specification. Nothing is left to a default: every value stands in the file.

use crate::arch::{ArchSpec, Architecture, LayerSpec};
use crate::method::{Loss, Method, Normalization, Regularizer};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where the training images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// The embedded 10,000 Fashion-MNIST test images: 8,000 to train on, 2,000 as reference.
    FashionMnist,
    /// CIFAR-10's binary files in the data folder.
    Cifar10,
    /// A folder of class subfolders; its path is `data_dir` of the command.
    Folder,
}

impl Dataset {
    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dataset::FashionMnist => "fashion-mnist",
            Dataset::Cifar10 => "cifar10",
            Dataset::Folder => "folder",
        }
    }
}

/// When SN's power iteration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerIteration {
    /// Once per D update, before its first forward (Algorithm 1).
    PerUpdate,
    /// At each training forward of D (the authors' code).
    PerForward,
}

/// Where Adam's ε stands.
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

/// Everything that decides a run's bits. Device, threads and logging cadence are not here but in the provenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Where ε stands.
    pub adam_epsilon: AdamEpsilon,
    /// D updates per G update.
    pub n_dis: u32,
    /// Generator updates: the horizon. Raising it extends the run.
    pub gen_updates: u64,
    /// Images per D update, real and as many fake.
    pub batch: usize,
    /// Images per G update.
    pub gen_batch: usize,
    /// Penalty coefficient λ.
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
        }
    }

    /// Checks ranges and combinations.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key.
    pub fn validate(&self) -> Result<()> {
        let positive = |key, v: f64| {
            if v.is_finite() && v > 0.0 { Ok(()) } else { Err(Error::invalid(key, format!("is {v}; it must be a positive number"))) }
        };
        let beta = |key, v: f64| {
            if (0.0..1.0).contains(&v) { Ok(()) } else { Err(Error::invalid(key, format!("is {v}; it must be in [0, 1)"))) }
        };
        positive("lr", self.lr)?;
        positive("adam_eps", self.adam_eps)?;
        positive("clip", self.clip)?;
        positive("penalty_lambda", self.penalty_lambda)?;
        positive("orthonormal_coefficient", self.orthonormal_coefficient)?;
        beta("beta1", self.beta1)?;
        beta("beta2", self.beta2)?;
        for (key, v) in [("n_dis", self.n_dis as usize), ("batch", self.batch), ("gen_batch", self.gen_batch)] {
            if v == 0 {
                return Err(Error::invalid(key, "is 0; it must be at least 1"));
            }
        }
        if self.gamma && !matches!(self.normalization, Normalization::Spectral | Normalization::Weight | Normalization::Frobenius) {
            return Err(Error::invalid("gamma", "is true, but only spectral, weight and frobenius normalization have a γ variant"));
        }
        if self.regularizer == Regularizer::GradientPenalty && matches!(self.normalization, Normalization::Batch | Normalization::Layer) {
            return Err(Error::invalid(
                "regularizer",
                "is gradient-penalty with batch or layer normalization in D: the penalty's gradient is implemented for piecewise linear D only",
            ));
        }
        if self.label.is_empty() || self.setting.is_empty() {
            return Err(Error::invalid("label", "and `setting` must not be empty"));
        }
        self.layers().map(|_| ())
    }

    /// The networks' layer table.
    ///
    /// # Errors
    /// When side or width divisor do not fit the architecture.
    pub fn layers(&self) -> Result<ArchSpec> {
        self.architecture.layers(self.side, self.width_divisor)
    }

    /// Multiply-adds of the whole run, estimated from the layer table: a backward pass counts as two forward passes, D's in G's update as
    /// one, the gradient penalty as five forward passes more. For planning; never a measured time.
    ///
    /// # Errors
    /// As [`RunSpec::layers`].
    pub fn multiply_adds(&self) -> Result<f64> {
        let layers = self.layers()?;
        let sum = |part: &[LayerSpec]| part.iter().map(LayerSpec::multiply_adds).sum::<u64>() as f64;
        let (g, d) = (sum(&layers.generator), sum(&layers.discriminator));
        let penalty = if self.regularizer == Regularizer::GradientPenalty { 5.0 } else { 0.0 };
        let d_update = self.batch as f64 * (g + (6.0 + penalty) * d);
        let g_update = self.gen_batch as f64 * (3.0 * g + 2.0 * d);
        Ok(self.gen_updates as f64 * (g_update + f64::from(self.n_dis) * d_update))
    }

    /// The run's identity: 16 hex digits of the SHA-256 of every field but `gen_updates`.
    pub fn id(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("gen_updates");
        }
        let digest = Sha256::digest(value.to_string().as_bytes());
        digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    /// Folder name of the run: label, setting, seed and identity.
    pub fn dir_name(&self) -> String {
        let slug: String = self.label.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let slug = slug.split('-').filter(|s| !s.is_empty()).collect::<Vec<_>>().join("-");
        format!("{slug}-{}-s{}-{}", self.setting.to_lowercase(), self.seed, &self.id()[..8])
    }

    /// `key: self → other` for every differing field (`gen_updates` counts only when it shrinks).
    pub fn differences(&self, other: &RunSpec) -> Vec<String> {
        let (a, b) = (serde_json::to_value(self).unwrap_or_default(), serde_json::to_value(other).unwrap_or_default());
        let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return Vec::new() };
        a.iter()
            .filter(|(k, v)| b.get(*k) != Some(v) && !(*k == "gen_updates" && other.gen_updates >= self.gen_updates))
            .map(|(k, v)| format!("{k}: {v} → {}", b.get(k).unwrap_or(&serde_json::Value::Null)))
            .collect()
    }

    /// Sets one field from text, as `--set key=value` does; strings need no quotes.
    ///
    /// # Errors
    /// When the key does not exist or the value has the wrong type.
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        let mut value = serde_json::to_value(&*self).unwrap_or_default();
        let map = value.as_object_mut().ok_or_else(|| Error::invalid("spec", "is not a table"))?;
        if !map.contains_key(key) {
            let known = map.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::Unknown { what: "key", name: key.into(), known });
        }
        let parsed = serde_json::from_str(text).ok().filter(|v: &serde_json::Value| !v.is_null());
        let parsed = match (&map[key], parsed) {
            (serde_json::Value::String(_), _) | (_, None) => serde_json::Value::String(text.to_string()),
            (_, Some(v)) => v,
        };
        map.insert(key.to_string(), parsed);
        let mut next: RunSpec = serde_json::from_value(value)
            .map_err(|e| Error::Parse { path: format!("--set {key}={text}").into(), reason: e.to_string() })?;
        // A method stands for its parts; a later --set may still change each of them.
        if key == "method" {
            (next.normalization, next.regularizer, next.loss) = next.method.parts();
            next.label = next.method.label().into();
        }
        if matches!(key, "lr" | "beta1" | "beta2" | "n_dis") && next != *self {
            next.setting = "custom".into();
        }
        *self = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_but_gen_updates_changes_the_id() {
        let base = serde_json::to_value(RunSpec::paper(Method::Sn)).unwrap();
        let id = |v: &serde_json::Value| serde_json::from_value::<RunSpec>(v.clone()).unwrap().id();
        let changes = [
            ("label", "x"),
            ("method", "vanilla"),
            ("normalization", "weight"),
            ("regularizer", "orthonormal"),
            ("loss", "hinge"),
            ("setting", "D"),
            ("adam_epsilon", "chainer"),
            ("clip_scope", "all"),
            ("power_iteration", "per-forward"),
            ("dataset", "cifar10"),
            ("pixels", "plain"),
        ];
        for (key, value) in base.as_object().unwrap() {
            let mut changed = base.clone();
            changed[key] = match value {
                serde_json::Value::Bool(b) => (!b).into(),
                serde_json::Value::Number(n) if n.is_f64() => (n.as_f64().unwrap() * 0.5).into(),
                serde_json::Value::Number(n) => (n.as_u64().unwrap() + 1).into(),
                _ if key == "architecture" => continue, // has one value so far
                _ => changes.iter().find(|(k, _)| k == key).unwrap_or_else(|| panic!("no change for {key}")).1.into(),
            };
            assert_eq!(id(&changed) == id(&base), key == "gen_updates", "{key}");
        }
    }

    #[test]
    fn every_key_is_documented() {
        let text = include_str!("../../../experiments/README.md");
        let value = serde_json::to_value(RunSpec::paper(Method::Sn)).unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(text.contains(&format!("`{key}`")), "experiments/README.md lacks `{key}`");
        }
        for method in Method::ALL {
            assert!(text.contains(&format!("`{}`", method.name())), "experiments/README.md lacks {method:?}");
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
    fn raising_the_horizon_is_no_difference() {
        let a = RunSpec::paper(Method::Sn);
        let mut b = a.clone();
        b.gen_updates += 1;
        assert!(a.differences(&b).is_empty());
        assert_eq!(b.differences(&a).len(), 1);
    }
}
