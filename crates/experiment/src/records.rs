//! The records a run leaves behind. Each is one line of JSON; numbers are finite or `null`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of every record and of the run directory's layout; a reader refuses a newer one.
pub const FORMAT_VERSION: u32 = 1;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Under way, or killed without a chance to say so.
    Running,
    /// Reached its horizon.
    Completed,
    /// A loss or a weight stopped being finite: a result.
    Diverged,
    /// Stopped by a signal after writing a checkpoint.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// The status.
    pub status: Status,
    /// Generator updates done.
    pub gen_updates: u64,
    /// What diverged or failed.
    pub reason: Option<String>,
}

/// `provenance.json`: what produced the run but does not belong to its spec. Paths and host names do not stand here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// `sngan`'s version.
    pub sngan: String,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads the run was given.
    pub threads: usize,
    /// CPU model.
    pub cpu: String,
    /// Instruction set the kernels chose; bits are promised within one.
    pub instruction_set: String,
    /// Log cadence in generator updates.
    pub log_every: u64,
    /// SHA-256 of the training images' bytes.
    pub dataset_sha256: String,
}

/// A line of `log.jsonl`: means over the D rounds of generator update `gen_update` (1-based).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Generator updates done when the line was written.
    pub gen_update: u64,
    /// D's adversarial loss, last round.
    pub loss_d: Option<f64>,
    /// Penalty or regularizer term, last round (0 without one).
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
    /// The classifier's cross-entropy on real images, last round (AC-GAN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_class_d: Option<f64>,
    /// The classifier's cross-entropy on generated images (AC-GAN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_class_g: Option<f64>,
    /// D's loss on a fixed batch of training images, where held-out ones were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_train: Option<f64>,
    /// D's loss on a fixed batch of held-out images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critic_held_out: Option<f64>,
}

/// A line of `timing.jsonl`, the only place of wall-clock times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimingRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Generator updates done.
    pub gen_update: u64,
    /// Seconds spent training since this process started the run.
    pub seconds: f64,
}

/// The protocol under which a score was taken. Scores of different protocols never share an axis or a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Protocol {
    /// Feature extractor, such as `scorer-fashion`.
    pub backbone: String,
    /// SHA-256 of its weights.
    pub backbone_sha256: String,
    /// Generated (or, for the ceiling, real) images scored.
    pub n_samples: usize,
    /// Splits of the inception score.
    pub n_splits: usize,
    /// Reference images of FID.
    pub n_reference: usize,
    /// Name of the reference, such as `fashion-mnist:held-out`.
    pub reference: String,
    /// SHA-256 of its bytes.
    pub reference_sha256: String,
    /// How images were brought to the backbone's side, such as `none` or `triangle 32→16`.
    pub resize: String,
    /// How floats became bytes: `truncate` or `round`.
    pub bytes: String,
}

/// A line of `scores.jsonl`, or the real data's own `ceiling.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Generator updates of the checkpoint (0 for real data).
    pub gen_updates: u64,
    /// Inception score: mean over splits; `null` after divergence.
    pub is_mean: Option<f64>,
    /// Its standard deviation over splits (ddof 0).
    pub is_std: Option<f64>,
    /// Fréchet inception distance.
    pub fid: Option<f64>,
    /// The protocol.
    pub protocol: Protocol,
}

/// A line of `spectrum.jsonl`: squared singular values of one layer of D, largest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpectrumRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Generator updates of the checkpoint.
    pub gen_updates: u64,
    /// Layer, such as `conv0`.
    pub layer: String,
    /// `raw` or `normalized` weights.
    pub weights: String,
    /// σ², in decreasing order, unscaled.
    pub squared: Vec<f64>,
}

/// A sweep's `plan.json`: what the folder is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// The experiment's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The scale.
    pub scale: String,
    /// Folder names of all runs, in the experiment's order.
    pub runs: Vec<String>,
}

/// `null` instead of a number that JSON cannot hold.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
