//! Reading a sweep's folder.

use crate::{Error, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, PlanRecord, Protocol, ScoreRecord, Status, StatusRecord};
use sngan_experiment::{Dataset, RunDir, RunSpec, run_dir};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The setting whose runs Figure 9 shows, and Figure 3 where there are no scores.
pub(crate) const SHOWN_SETTING: &str = "C";

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its folder.
    pub dir: RunDir,
    /// Its spec.
    pub spec: RunSpec,
    /// Its status, `None` before it began.
    pub status: Option<StatusRecord>,
    /// Its scores at the spec's horizon, one a metric.
    pub scores: Vec<ScoreRecord>,
}

impl Run {
    /// Its score in `metric` at the spec's horizon.
    pub fn score(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.scores.iter().find(|s| s.metric == metric)
    }

    /// Whether it diverged.
    pub fn diverged(&self) -> bool {
        self.status.as_ref().is_some_and(|s| s.status == Status::Diverged)
    }
}

/// A sweep's records.
#[derive(Debug, Clone)]
pub struct Collected {
    /// What the folder is for.
    pub plan: PlanRecord,
    /// The real data's own scores.
    pub ceiling: Vec<ScoreRecord>,
    /// Runs in the plan's order; those that have not begun are left out.
    pub runs: Vec<Run>,
}

impl Collected {
    /// Row names in the order in which they first appear in the plan.
    pub fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = Vec::new();
        for run in &self.runs {
            if !labels.contains(&run.spec.label.as_str()) {
                labels.push(&run.spec.label);
            }
        }
        labels
    }

    /// Settings in alphabetical order.
    pub fn settings(&self) -> Vec<&str> {
        let mut settings: Vec<&str> = self.runs.iter().map(|r| r.spec.setting.as_str()).collect();
        settings.sort_unstable();
        settings.dedup();
        settings
    }

    /// All seeds of a row in a setting.
    pub fn cell<'a>(&'a self, label: &'a str, setting: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |r| r.spec.label == label && r.spec.setting == setting)
    }

    /// The run that stands for `method` in figures of single runs: the best inception score, else setting C's lowest seed.
    pub fn representative(&self, method: Method) -> Option<&Run> {
        let runs = || self.runs.iter().filter(|r| r.spec.method == method);
        let scored = runs().filter_map(|r| Some((r.score(Metric::Is)?.value?, r)));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, r)| r);
        best.or_else(|| runs().filter(|r| r.spec.setting == SHOWN_SETTING).min_by_key(|r| r.spec.seed))
    }

    /// The protocol that all scores in `metric` share.
    pub fn protocol(&self, metric: Metric) -> Option<&Protocol> {
        self.runs.iter().find_map(|r| r.score(metric)).map(|s| &s.protocol)
    }

    /// The real data's own score in `metric`.
    pub fn real(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.ceiling.iter().find(|s| s.metric == metric)
    }

    /// Whether every run trains on the paper's CIFAR-10.
    pub fn on_cifar10(&self) -> bool {
        self.runs.iter().all(|r| r.spec.dataset == Dataset::Cifar10)
    }

    /// A caption's line about the runs: their data and sizes, and whether they only stand in for the paper's.
    pub fn describe_runs(&self) -> String {
        let papers = |s: &RunSpec| (s.side, s.width_divisor, s.batch) == (32, 1, 64) && s.gen_updates >= 100_000;
        let what = if self.on_cifar10() && self.runs.iter().all(|r| papers(&r.spec)) {
            "The paper's sizes"
        } else {
            "Stand-in for the paper's CIFAR-10, full width, 100,000 updates"
        };
        format!(
            "{what}: {} at side {}, width/{}, batch {}, {} updates ({}, {}).",
            self.values(|s| s.dataset.name().to_string()),
            self.values(|s| s.side),
            self.values(|s| s.width_divisor),
            self.values(|s| s.batch),
            self.values(|s| s.gen_updates),
            self.plan.name,
            self.plan.scale,
        )
    }

    /// A caption's line about the scores, where there are any.
    pub fn describe_scores(&self, metric: Metric) -> Option<String> {
        let p = self.protocol(metric)?;
        let reference = p.reference.as_ref().map_or_else(String::new, |r| format!(", {} references ({})", r.n, r.name));
        let splits = if p.n_splits > 1 { format!(" in {} splits", p.n_splits) } else { String::new() };
        Some(format!("Protocol {} through {}: {} samples{splits}{reference}.", p.name, p.backbone, p.n_samples))
    }

    /// The distinct values of a key.
    fn values<T: Ord + std::fmt::Display>(&self, key: impl Fn(&RunSpec) -> T) -> String {
        let distinct: BTreeSet<T> = self.runs.iter().map(|r| key(&r.spec)).collect();
        distinct.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Reads the folder `out` of a sweep.
///
/// # Errors
/// No plan, a malformed record, or scores of different protocols.
pub fn collect(out: &Path) -> Result<Collected> {
    let plan: PlanRecord = run_dir::read_json(&out.join("plan.json"))?;
    let ceiling = run_dir::ceiling(out)?;
    let mut expected: BTreeMap<Metric, Protocol> = ceiling.iter().map(|c| (c.metric, c.protocol.clone())).collect();
    let mut runs = Vec::new();
    for name in &plan.runs {
        let dir = RunDir::new(out.join("runs").join(name));
        if dir.spec_path().exists() {
            runs.push(read(dir, &mut expected)?);
        }
    }
    Ok(Collected { plan, ceiling, runs })
}

/// Reads a run; the first score seen in a metric fixes the protocol of all.
fn read(dir: RunDir, expected: &mut BTreeMap<Metric, Protocol>) -> Result<Run> {
    let spec = dir.spec()?;
    let at_horizon: Vec<ScoreRecord> = dir.scores()?.into_iter().filter(|s| s.gen_updates == spec.gen_updates).collect();
    let metrics: BTreeSet<Metric> = at_horizon.iter().map(|s| s.metric).collect();
    let mut scores = Vec::new();
    for metric in metrics {
        let mut newest_first = at_horizon.iter().rev().filter(|s| s.metric == metric);
        let Some(newest) = newest_first.clone().next() else { continue };
        let wanted = expected.entry(metric).or_insert_with(|| newest.protocol.clone());
        match newest_first.find(|s| s.protocol == *wanted) {
            Some(score) => scores.push(score.clone()),
            None => return Err(Error::MixedProtocols { run: dir.path().into(), differences: differences(wanted, &newest.protocol) }),
        }
    }
    Ok(Run { status: dir.status()?, dir, spec, scores })
}

fn differences(a: &Protocol, b: &Protocol) -> String {
    let reference = |p: &Protocol| p.reference.as_ref().map_or_else(|| "none".into(), |r| format!("{} {} {}", r.n, r.name, r.sha256));
    let pairs = [
        ("name", a.name.clone(), b.name.clone()),
        ("backbone", a.backbone.clone(), b.backbone.clone()),
        ("backbone_sha256", a.backbone_sha256.clone(), b.backbone_sha256.clone()),
        ("n_samples", a.n_samples.to_string(), b.n_samples.to_string()),
        ("n_splits", a.n_splits.to_string(), b.n_splits.to_string()),
        ("reference", reference(a), reference(b)),
        ("resize", a.resize.clone(), b.resize.clone()),
        ("bytes", a.bytes.clone(), b.bytes.clone()),
        ("stamps", a.stamps.join(" "), b.stamps.join(" ")),
    ];
    let differing: Vec<_> = pairs.into_iter().filter(|(_, a, b)| a != b).map(|(key, a, b)| format!("{key}: {a} → {b}")).collect();
    differing.join("; ")
}
