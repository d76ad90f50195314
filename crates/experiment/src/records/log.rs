//! What training logs, and when.

use super::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `log.jsonl`: means over the D rounds of generator update `gen_update` (1-based).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub version: u32,
    /// Generator updates done when the line was written.
    pub gen_update: u64,
    /// D's adversarial loss, last round.
    pub loss_d: Option<f64>,
    /// Penalty or regularizer term of D's loss, including its coefficient, last round (0 without
    /// one): Eq. (29)–(31), or (14). Old logs of orthonormal regularization differ by a constant
    /// (docs/records.md).
    pub loss_reg: Option<f64>,
    /// G's loss.
    pub loss_g: Option<f64>,
    /// Mean D(x), last round.
    pub d_real: Option<f64>,
    /// Mean D(G(z)), last round.
    pub d_fake: Option<f64>,
    /// ℓ2 norm of D's gradient, last round.
    pub grad_norm_d: Option<f64>,
    /// ℓ2 norm of G's gradient.
    pub grad_norm_g: Option<f64>,
    /// Exact σ(W̄) as D's last forward used it, by layer.
    pub sigma_forward: BTreeMap<String, Option<f64>>,
    /// Exact σ(W̄) after one unsaved power iteration (Figure 9), by layer.
    pub sigma_fig9: BTreeMap<String, Option<f64>>,
    /// Effective rank of W̄ as D's last forward used it, by layer; empty in older records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effective_rank: BTreeMap<String, Option<f64>>,
    /// Stable rank ‖W̄‖_F²/σ₁² of W̄ as D's last forward used it, by layer; empty in older records.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stable_rank: BTreeMap<String, Option<f64>>,
    /// Mean ‖∇D(x̂)‖₂ at the gradient penalty's points, last round; absent without a penalty and in
    /// older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grad_norm_x_hat: Option<f64>,
    /// The classifier's cross-entropy on real images, last round (AC-GAN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_class_d: Option<f64>,
    /// The classifier's cross-entropy on generated images (AC-GAN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_class_g: Option<f64>,
    /// D's loss on fixed training images, if held-out ones were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_train: Option<f64>,
    /// D's loss on fixed held-out images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_held_out: Option<f64>,
    /// Images of each kind in these two losses; absent without them and in older records
    /// ([`LogRecord::images_of_critic`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_images: Option<u64>,
}

/// Images of each kind in the losses of records without that number.
const CRITIC_IMAGES: u64 = 256;

impl LogRecord {
    /// An empty record of an update.
    pub fn empty(gen_update: u64) -> LogRecord {
        LogRecord {
            version: Self::VERSION,
            gen_update,
            loss_d: None,
            loss_reg: None,
            loss_g: None,
            d_real: None,
            d_fake: None,
            grad_norm_d: None,
            grad_norm_g: None,
            sigma_forward: BTreeMap::new(),
            sigma_fig9: BTreeMap::new(),
            effective_rank: BTreeMap::new(),
            stable_rank: BTreeMap::new(),
            grad_norm_x_hat: None,
            loss_class_d: None,
            loss_class_g: None,
            critic_train: None,
            critic_held_out: None,
            critic_images: None,
        }
    }

    /// Images of each kind in `critic_train` and `critic_held_out`, if there is one of these. For
    /// records without the number, it is the largest possible: a smaller set gave fewer.
    pub fn images_of_critic(&self) -> Option<u64> {
        self.critic_train.or(self.critic_held_out)?;
        Some(self.critic_images.unwrap_or(CRITIC_IMAGES))
    }
}

/// A line of `timing.jsonl`, the only record of wall-clock times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimingRecord {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub version: u32,
    /// Generator updates done.
    pub gen_update: u64,
    /// Seconds spent training since this process started the run.
    pub seconds: f64,
}

impl Record for LogRecord {}
impl Record for TimingRecord {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_log_from_before_the_number_of_images_was_kept_has_256() {
        let line = |more: Value| {
            let mut line =
                json!({ "version": 1, "gen_update": 1, "sigma_forward": {}, "sigma_fig9": {} });
            for key in
                ["loss_d", "loss_reg", "loss_g", "d_real", "d_fake", "grad_norm_d", "grad_norm_g"]
            {
                line[key] = Value::Null;
            }
            for (key, value) in more.as_object().unwrap() {
                line[key] = value.clone();
            }
            LogRecord::read(line).unwrap().remove(0).images_of_critic()
        };
        assert_eq!(line(json!({})), None);
        assert_eq!(line(json!({ "critic_train": 0.5, "critic_held_out": 0.6 })), Some(256));
        assert_eq!(line(json!({ "critic_train": 0.5, "critic_images": 2000 })), Some(2000));
    }
}
