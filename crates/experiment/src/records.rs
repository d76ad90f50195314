//! The records a run leaves behind. Each is one line of JSON; numbers are finite or `null`.

pub use crate::protocol::Metric;

use crate::file::{Paper, built_in, todays_scale};
use crate::{Extent, Slash, plain};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Version of the run directory's layout, and of every record that has not changed since the first.
pub const FORMAT_VERSION: u32 = 1;

/// A kind of record, with the version in which it is written. Each record holds `version`; a reader
/// upgrades older ones and refuses newer ones.
pub trait Record: Serialize + DeserializeOwned {
    /// The version written today.
    const VERSION: u32 = FORMAT_VERSION;

    /// Upgrades a record of an older version to one or several of today's; `None` for a version
    /// that never existed.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        let _ = (version, old);
        None
    }

    /// Reads one record of any version up to today's.
    ///
    /// # Errors
    /// A newer or unknown version, a missing key or a wrong type, as text for a message that names the file.
    fn read(value: Value) -> Result<Vec<Self>, String> {
        let version = value["version"].as_u64().unwrap_or(0);
        if version > u64::from(Self::VERSION) {
            return Err(format!(
                "format version {version} is newer than this build's {}; use the sngan that wrote it",
                Self::VERSION
            ));
        }
        let parse = |v: Value| serde_json::from_value(v).map_err(|e| e.to_string());
        if version == u64::from(Self::VERSION) {
            return Ok(vec![parse(value)?]);
        }
        match Self::upgrade(version, &value) {
            Some(values) => values.into_iter().map(parse).collect(),
            None => Err(format!("format version {version}, this build reads {}", Self::VERSION)),
        }
    }
}

impl Record for ImagesRecord {}
impl Record for StatusRecord {}
impl Record for LogRecord {}
impl Record for TimingRecord {}
impl Record for SpectrumRecord {}

impl Record for PlanRecord {
    const VERSION: u32 = 2;

    /// Version 1 did not record what a sweep reproduces of the paper; the experiment's name decided
    /// it.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        if version != 1 {
            return None;
        }
        let paper = old["name"].as_str().and_then(built_in).and_then(|file| file.ok()?.paper);
        let mut record = old.clone();
        record["version"] = json!(Self::VERSION);
        if let Some(paper) = paper {
            record["paper"] = json!(paper);
        }
        Some(vec![record])
    }
}

impl Record for ScoreRecord {
    const VERSION: u32 = 2;

    /// Version 1 held the inception score and FID in one record, under one protocol.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        if version != 1 {
            return None;
        }
        let protocol = |name: String, n_splits: &Value, reference: Value| {
            let p = &old["protocol"];
            json!({
                "name": name, "backbone": p["backbone"], "backbone_sha256": p["backbone_sha256"], "n_samples": p["n_samples"],
                "n_splits": n_splits, "reference": reference, "resize": p["resize"], "bytes": p["bytes"], "stamps": [],
            })
        };
        let p = &old["protocol"];
        let (samples, references) =
            (count(p["n_samples"].as_u64()?), count(p["n_reference"].as_u64()?));
        let reference = json!({ "name": p["reference"], "n": p["n_reference"], "sha256": p["reference_sha256"] });
        let record = |metric: Metric, value: &Value, std: &Value, protocol: Value| {
            let version = Self::VERSION;
            json!({
                "version": version, "gen_updates": old["gen_updates"], "metric": metric, "value": value, "std": std, "protocol": protocol,
            })
        };
        let is =
            protocol(format!("is_{samples}_split{}", p["n_splits"]), &p["n_splits"], Value::Null);
        let fid = protocol(format!("fid_{samples}_ref{references}"), &json!(1), reference);
        Some(vec![
            record(Metric::Is, &old["is_mean"], &old["is_std"], is),
            record(Metric::Fid, &old["fid"], &Value::Null, fid),
        ])
    }
}

/// A number of images as protocols write it: `5k` for 5,000, `200` for 200.
pub fn count(n: u64) -> String {
    if n > 0 && n.is_multiple_of(1000) { format!("{}k", n / 1000) } else { n.to_string() }
}

/// How a run ended, or that it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Under way, or killed without a chance to record it.
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
    /// The identity of the run ([`RunSpec::id`](crate::RunSpec::id)); absent in older folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// How far each file of records went when this was written, by its name; empty in older
    /// folders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, Extent>,
}

/// `images.json`, of a run on an image folder: where its pictures are on this machine, and what they
/// were, so that later commands find them. It is not collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagesRecord {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// The folder, absolute.
    pub folder: PathBuf,
    /// Name of the training images, as in the provenance.
    pub name: String,
    /// Number of training images.
    pub n: usize,
    /// Names of their classes; a label is an index here.
    pub classes: Vec<String>,
    /// SHA-256 of the training images at the run's side, as in the provenance.
    pub sha256: String,
}

/// The source that a program was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Source {
    /// The commit; unknown if it was built outside a git repository.
    pub commit: Option<&'static str>,
    /// Whether files of the source differed from the commit's.
    pub dirty: Option<bool>,
}

/// `provenance.json`: what produced the run but does not belong to its spec. It holds no paths or
/// host names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// [`Provenance::VERSION`](Record::VERSION).
    pub version: u32,
    /// Name of the training images, such as `cifar10-jpeg-copy:train`; empty in older records.
    #[serde(default)]
    pub dataset: String,
    /// SHA-256 of the training images' bytes.
    pub dataset_sha256: String,
    /// Log cadence in generator updates.
    pub log_every: u64,
    /// What trained which part of the run, in order.
    pub segments: Vec<Segment>,
    /// Where networks of another program are from; nothing is known of their training.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<ImportedFile>,
}

/// A file of another program that networks were taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFile {
    /// Its name, without its place on the machine.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What it is, such as `chainer` or `pytorch`.
    pub format: String,
    /// The networks taken from it: `generator`, `discriminator`.
    pub networks: Vec<String>,
}

/// Generator updates from `from` on, up to the next segment, and what made them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Segment {
    /// Generator updates done when it began.
    pub from: u64,
    /// `sngan`'s version.
    pub sngan: String,
    /// The commit it was built from; `null` if unknown.
    pub commit: Option<String>,
    /// Whether the source differed from the commit; `null` if unknown.
    pub dirty: Option<bool>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// What computes there, if it is not the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<Accelerator>,
    /// Threads the run was given.
    pub threads: usize,
    /// CPU model.
    pub cpu: String,
    /// Instruction set the kernels chose; bits are guaranteed within one.
    pub instruction_set: String,
}

/// A GPU and what computes on it; bits are the same where all of it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Accelerator {
    /// Its model.
    pub model: String,
    /// The driver's version of CUDA.
    pub driver: String,
    /// cuDNN's version.
    pub cudnn: String,
    /// cuBLAS' version.
    pub cublas: String,
    /// SHA-256 of our kernels as the driver gets them.
    pub kernels: String,
    /// How products are computed: `f32` or `tf32`.
    pub math: String,
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Accelerator { model, driver, cudnn, cublas, kernels, math } = self;
        let kernels = kernels.get(..8).unwrap_or(kernels);
        write!(f, "{model}, {driver}, cuDNN {cudnn}, cuBLAS {cublas}, kernels {kernels}, {math}")
    }
}

impl Segment {
    /// In what `now` differs from it, such as `device: cpu → cuda:0`; where it begins does not count, nor how many threads, which no bit
    /// depends on.
    pub fn changes(&self, now: &Segment) -> String {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
        let tree = |dirty: Option<bool>| match dirty {
            Some(true) => "changed",
            Some(false) => "as committed",
            None => "unknown",
        };
        let of = |s: &Segment| {
            [
                ("sngan", s.sngan.clone()),
                ("commit", known(&s.commit)),
                ("source", tree(s.dirty).into()),
                ("device", s.device.clone()),
                (
                    "accelerator",
                    s.accelerator.as_ref().map_or("none".into(), Accelerator::to_string),
                ),
                ("cpu", s.cpu.clone()),
                ("instruction set", s.instruction_set.clone()),
            ]
        };
        let pairs = of(self).into_iter().zip(of(now));
        let differing = pairs.filter(|(a, b)| a != b);
        let said = differing.map(|((key, a), (_, b))| format!("{key}: {a} → {b}"));
        said.collect::<Vec<_>>().join("; ")
    }
}

impl Provenance {
    /// Records that `segment` makes the updates from its `from` on. Segments that began there or
    /// later are dropped; the same maker continues its segment.
    pub fn begin(&mut self, segment: Segment) {
        self.segments.retain(|s| s.from < segment.from);
        let same = |last: &Segment| Segment { from: segment.from, ..last.clone() } == segment;
        if !self.segments.last().is_some_and(same) {
            self.segments.push(segment);
        }
    }
}

impl Record for Provenance {
    const VERSION: u32 = 2;

    /// Version 1 recorded only the process that last started or resumed the run.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        if version != 1 {
            return None;
        }
        let mut segment = json!({ "from": 0, "commit": null, "dirty": null });
        for key in ["sngan", "device", "threads", "cpu", "instruction_set"] {
            segment[key] = old[key].clone();
        }
        Some(vec![json!({
            "version": Self::VERSION,
            "dataset": old.get("dataset").cloned().unwrap_or_else(|| json!("")),
            "dataset_sha256": old["dataset_sha256"],
            "log_every": old["log_every"],
            "segments": [segment],
        })])
    }
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
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// Generator updates done.
    pub gen_update: u64,
    /// Seconds spent training since this process started the run.
    pub seconds: f64,
}

/// The real images a score compares with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// Data set and part, such as `fashion-mnist:held-out`.
    pub name: String,
    /// Number of images.
    pub n: usize,
    /// SHA-256 of their bytes, or of the statistics file they were read from.
    pub sha256: String,
}

/// The protocol under which a score was taken. Scores of different protocols never share an axis or a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Protocol {
    /// Its name, such as `is_5k_x10` or `fid_2k_ref2k`.
    pub name: String,
    /// Feature extractor, such as `scorer-fashion` or `inception`.
    pub backbone: String,
    /// SHA-256 of its weights.
    pub backbone_sha256: String,
    /// Generated (or, for the ceiling, real) images scored.
    pub n_samples: usize,
    /// Splits of the inception score, subsets of KID; 1 for others.
    pub n_splits: usize,
    /// The real side; none for the inception score.
    pub reference: Option<Reference>,
    /// How images were brought to the backbone's side, such as `none` or `triangle 32→16`.
    pub resize: String,
    /// How floats became bytes: `truncate`, or `given` if images were bytes.
    pub bytes: String,
    /// Other things that make the score different, such as `few-samples` or `logit-bias`; mostly
    /// empty.
    #[serde(default)]
    pub stamps: Vec<String>,
}

/// A line of `scores.jsonl`, or of the real data's own `ceiling.jsonl`: one metric of one checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// [`ScoreRecord::VERSION`](Record::VERSION).
    pub version: u32,
    /// Generator updates of the checkpoint (0 for real data).
    pub gen_updates: u64,
    /// What was measured.
    pub metric: Metric,
    /// Its value; for the inception score the mean over splits. `null` when it is not finite.
    pub value: Option<f64>,
    /// Standard deviation over splits or subsets (ddof 0), if there are any.
    pub std: Option<f64>,
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

/// Entropy of squared singular values as shares of their sum, nats. `None` for an empty or vanishing spectrum.
pub fn spectral_entropy(squared: &[f64]) -> Option<f64> {
    let total: f64 = squared.iter().sum();
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    Some(squared.iter().map(|s| s / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum())
}

/// Stable rank ‖W‖_F²/σ₁² of squared singular values in any order: the area under the curve of them
/// in Figure 3. `None` for an empty or vanishing spectrum.
pub fn stable_rank(squared: &[f64]) -> Option<f64> {
    let largest = squared.iter().copied().fold(0.0, f64::max);
    let total: f64 = squared.iter().sum();
    (largest > 0.0 && total.is_finite()).then(|| total / largest)
}

/// A sweep's `plan.json`: what the folder is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`PlanRecord::VERSION`](Record::VERSION).
    pub version: u32,
    /// The experiment's name.
    #[serde(deserialize_with = "plain_name")]
    pub name: String,
    /// Its title.
    #[serde(deserialize_with = "plain_line")]
    pub title: String,
    /// The scale, by today's name.
    #[serde(deserialize_with = "scale_name")]
    pub scale: String,
    /// What it reproduces of the paper; `None` in your own experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<Paper>,
    /// Folder names of all runs, in the experiment's order, each once.
    #[serde(deserialize_with = "each_once")]
    pub runs: Vec<String>,
}

fn scale_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    plain_name(deserializer).map(|name| todays_scale(&name).to_string())
}

/// A name that becomes a part of paths.
fn plain_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    plain("name", &name, Slash::Refused).map_err(D::Error::custom)?;
    Ok(name)
}

/// A line for readers.
fn plain_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let line = String::deserialize(deserializer)?;
    plain("title", &line, Slash::Allowed).map_err(D::Error::custom)?;
    Ok(line)
}

/// Refuses a run that is listed twice, because it would be counted as two.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let runs = Vec::<String>::deserialize(deserializer)?;
    runs.iter().try_for_each(|run| plain("runs", run, Slash::Refused)).map_err(D::Error::custom)?;
    let mut seen = BTreeSet::new();
    match runs.iter().find(|run| !seen.insert(run.as_str())) {
        Some(run) => Err(D::Error::custom(format!("runs: `{run}` is listed twice; list it once"))),
        None => Ok(runs),
    }
}

/// `null` instead of a number that JSON cannot hold.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_of_version_1_becomes_two() {
        let old = r#"{"version":1,"gen_updates":1000,"is_mean":1.9,"is_std":0.03,"fid":21.4,"protocol":{"backbone":"scorer-fashion",
            "backbone_sha256":"b","n_samples":2000,"n_splits":5,"n_reference":1234,"reference":"fashion-mnist:held-out",
            "reference_sha256":"r","resize":"none","bytes":"truncate"}}"#;
        let records = ScoreRecord::read(serde_json::from_str(old).unwrap()).unwrap();
        let names: Vec<&str> = records.iter().map(|r| r.protocol.name.as_str()).collect();
        assert_eq!(names, ["is_2k_split5", "fid_2k_ref1234"]);
        assert_eq!(
            (records[0].value, records[0].std, records[1].value),
            (Some(1.9), Some(0.03), Some(21.4))
        );
        assert_eq!(records[1].protocol.reference.as_ref().unwrap().n, 1234);
        assert_eq!(
            (records[0].metric, records[0].protocol.n_splits, records[1].protocol.n_splits),
            (Metric::Is, 5, 1)
        );
    }

    #[test]
    fn provenance_of_version_1_is_one_segment() {
        let old = json!({
            "version": 1, "sngan": "0.1.0", "device": "cpu", "threads": 2, "cpu": "x", "instruction_set": "avx2",
            "log_every": 100, "dataset_sha256": "d",
        });
        let p = Provenance::read(old).unwrap().remove(0);
        assert_eq!((p.segments.len(), p.segments[0].threads, p.segments[0].from), (1, 2, 0));
        assert_eq!((p.dataset.as_str(), p.dataset_sha256.as_str()), ("", "d"));
        assert_eq!((p.segments[0].commit.as_ref(), p.segments[0].dirty), (None, None));
    }

    #[test]
    fn a_segment_begins_where_the_maker_changes() {
        let segment = |from, threads| Segment {
            from,
            sngan: "0".into(),
            commit: Some("c".into()),
            dirty: Some(false),
            device: "cpu".into(),
            threads,
            cpu: "x".into(),
            accelerator: None,
            instruction_set: "x".into(),
        };
        let mut p = Provenance {
            version: 2,
            dataset: "d".into(),
            dataset_sha256: "0".into(),
            log_every: 1,
            segments: Vec::new(),
            imported: Vec::new(),
        };
        let mut begin = |from, threads| {
            p.begin(segment(from, threads));
            p.segments.iter().map(|s| (s.from, s.threads)).collect::<Vec<_>>()
        };
        assert_eq!(segment(0, 1).changes(&segment(20, 2)), "");
        let elsewhere = Segment { device: "cuda:0".into(), ..segment(20, 2) };
        assert_eq!(segment(0, 1).changes(&elsewhere), "device: cpu → cuda:0");
        assert_eq!(begin(0, 1), [(0, 1)]);
        assert_eq!(begin(10, 1), [(0, 1)]);
        assert_eq!(begin(20, 2), [(0, 1), (20, 2)]);
        assert_eq!(begin(15, 3), [(0, 1), (15, 3)]);
        assert_eq!(begin(15, 1), [(0, 1)]);
    }

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

    #[test]
    fn newer_and_unknown_versions_are_refused() {
        let message = |v: u32| ScoreRecord::read(json!({ "version": v })).unwrap_err();
        assert!(message(3).contains("newer"));
        assert!(message(0).contains("version 0"));
        assert!(message(2).contains("missing field"));
    }
}
