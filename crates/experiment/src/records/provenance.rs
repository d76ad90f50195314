//! What made a run: program, machine, images, other programs' files.

use super::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
