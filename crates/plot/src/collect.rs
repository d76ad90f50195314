//! A sweep's records as tables, figures and claims want them.

use crate::dead_critic::{Critic, DeadCritic, critic};
use crate::records::{RunRecords, SweepRecords};
use crate::{Error, Result, claims};
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, PlanRecord, Protocol, ScoreRecord, Status};
use sngan_experiment::{CUSTOM, Dataset, RunSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The setting whose runs Figure 9 shows, and Figure 3 where there are no scores.
pub(crate) const SHOWN_SETTING: &str = "C";

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// All that it left behind.
    pub records: Arc<RunRecords>,
    /// Its spec; several settings named `custom` are told apart in it.
    pub spec: RunSpec,
    /// Its scores at the spec's horizon, one a metric.
    pub scores: Vec<ScoreRecord>,
    /// Its scores up to the horizon under the protocols that the sweep has most of, by updates: learning curves.
    pub curve: Vec<ScoreRecord>,
    /// How its critic fared, `None` before it is completed and where nothing was logged.
    pub critic: Option<Critic>,
    /// SHA-256 of its training images, and their name, `None` in records of before it was kept.
    images: (String, Option<String>),
}

impl Run {
    /// Its score in `metric` at the spec's horizon.
    pub fn score(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.scores.iter().find(|s| s.metric == metric)
    }

    /// Its last score in `metric`, that at the spec's horizon.
    pub fn last(&self, metric: Metric) -> Option<f64> {
        self.score(metric)?.value
    }

    /// Its score record in `metric` after `updates` updates, under the protocol of the sweep's.
    pub(crate) fn after(&self, metric: Metric, updates: u64) -> Option<&ScoreRecord> {
        if updates == self.spec.gen_updates {
            return self.score(metric);
        }
        self.curve.iter().find(|s| (s.metric, s.gen_updates) == (metric, updates))
    }

    /// Its best score in `metric` up to the horizon, of those taken under the last one's protocol.
    pub fn best(&self, metric: Metric) -> Option<f64> {
        let last = self.score(metric)?;
        let scored = self
            .curve
            .iter()
            .filter(|s| s.metric == metric && s.protocol == last.protocol)
            .filter_map(|s| s.value);
        let better = |a: f64, b: f64| if metric.higher_is_better() == (a > b) { a } else { b };
        scored.chain(last.value).reduce(better)
    }

    /// Whether it was scored in `metric` before its last update too, under the last one's protocol; else its best score is its last.
    pub fn scored_during_training(&self, metric: Metric) -> bool {
        let Some(last) = self.score(metric) else { return false };
        self.curve.iter().any(|s| {
            s.metric == metric && s.protocol == last.protocol && s.gen_updates < last.gen_updates
        })
    }

    /// Points (updates, score) of its learning curve in `metric`.
    pub fn learning_curve(&self, metric: Metric) -> Vec<(f64, f64)> {
        let points = self.curve.iter().filter(|s| s.metric == metric);
        points.filter_map(|s| Some((s.gen_updates as f64, s.value?))).collect()
    }

    /// The set its training images are: `cifar10`, or what the reader found in its place, such as `cifar10-jpeg-copy`.
    pub fn data(&self) -> &str {
        let set = self.images.1.as_deref().and_then(|name| name.split(':').next());
        set.filter(|set| set.starts_with(self.spec.dataset.name()))
            .unwrap_or(self.spec.dataset.name())
    }

    /// Whether its training images are the paper's own `dataset`, not a copy or a stand-in.
    fn is_on(&self, dataset: Dataset) -> bool {
        self.spec.dataset == dataset && self.data() == dataset.name()
    }

    /// What the paper calls its data, with how they differ from the paper's files.
    fn data_name(&self) -> String {
        match self.data().strip_prefix(self.spec.dataset.name()) {
            Some("-jpeg-copy") => format!("{} (JPEG copy)", paper_name(self.spec.dataset)),
            _ => paper_name(self.spec.dataset).into(),
        }
    }

    /// Whether its critic is known to be dead.
    pub fn has_dead_critic(&self) -> bool {
        self.critic.is_some_and(|c| c.dead)
    }

    /// Whether it diverged.
    pub fn diverged(&self) -> bool {
        self.status() == Some(Status::Diverged)
    }

    /// Generator updates done, `None` before it began.
    pub fn gen_updates(&self) -> Option<u64> {
        self.records.status.as_ref().map(|s| s.gen_updates)
    }

    /// How it ended, `None` before it began.
    pub fn status(&self) -> Option<Status> {
        self.records.status.as_ref().map(|s| s.status)
    }
}

/// A sweep's records.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The sweep's folder.
    pub path: PathBuf,
    /// What the folder is for.
    pub plan: PlanRecord,
    /// The real data's own scores.
    pub ceiling: Vec<ScoreRecord>,
    /// Scores of the untrained generator; empty in sweeps from before they were taken.
    pub untrained: Vec<ScoreRecord>,
    /// Runs in the plan's order; those that have not begun are left out.
    pub runs: Vec<Run>,
}

impl Collected {
    /// Row names in the order of the paper's methods, those of one method as they first appear in the plan: a sweep that was made in parts
    /// looks like one that was made at once.
    pub fn labels(&self) -> Vec<&str> {
        let mut rows: Vec<(&str, Method)> = Vec::new();
        for spec in self.runs.iter().map(|r| &r.spec) {
            if rows.iter().all(|(l, _)| *l != spec.label) {
                rows.push((&spec.label, spec.family()));
            }
        }
        rows.sort_by_key(|(_, method)| Method::ALL.iter().position(|m| m == method));
        rows.into_iter().map(|(label, _)| label).collect()
    }

    /// The method of a row.
    pub(crate) fn method(&self, label: &str) -> Option<Method> {
        self.runs.iter().find(|r| r.spec.label == label).map(|r| r.spec.family())
    }

    /// Settings in alphabetical order.
    pub fn settings(&self) -> Vec<&str> {
        let mut settings: Vec<&str> = self.runs.iter().map(|r| r.spec.setting.as_str()).collect();
        settings.sort_unstable();
        settings.dedup();
        settings
    }

    /// `setting D`, or all settings of the runs.
    pub(crate) fn describe_settings(&self) -> String {
        match self.settings().as_slice() {
            [one] => format!("setting {one}"),
            several => format!("settings {}", several.join(", ")),
        }
    }

    /// All seeds of a row in a setting.
    pub fn cell<'a>(&'a self, label: &'a str, setting: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |r| r.spec.label == label && r.spec.setting == setting)
    }

    /// The run that stands for `method` in figures of single runs: the best inception score, else setting C's lowest seed.
    pub fn representative(&self, method: Method) -> Option<&Run> {
        let runs = || self.runs.iter().filter(|r| r.spec.family() == method);
        let scored = runs().filter_map(|r| Some((r.score(Metric::Is)?.value?, r)));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, r)| r);
        best.or_else(|| {
            runs().filter(|r| r.spec.setting == SHOWN_SETTING).min_by_key(|r| r.spec.seed)
        })
    }

    /// The protocol that all scores in `metric` share.
    pub fn protocol(&self, metric: Metric) -> Option<&Protocol> {
        self.runs.iter().find_map(|r| r.score(metric)).map(|s| &s.protocol)
    }

    /// The real data's own score in `metric`.
    pub fn real(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.ceiling.iter().find(|s| s.metric == metric)
    }

    /// A name of a figure's files: that of the STL-10 half of a pair is told apart.
    pub fn stem(&self, id: &str) -> String {
        if self.plan.name.ends_with("-stl10") { format!("{id}_stl10") } else { id.to_string() }
    }

    /// The data set whose paper numbers stand beside these runs.
    pub fn paper_dataset(&self) -> Dataset {
        let conditional = self.plan.name.starts_with("imagenet");
        if conditional {
            Dataset::ImageNet
        } else if self.plan.name.ends_with("-stl10") || self.plan.name == "last-layer" {
            Dataset::Stl10
        } else {
            Dataset::Cifar10
        }
    }

    /// Whether the scores in `metric` can stand on one axis with the paper's: its backbone and its data.
    pub fn comparable(&self, metric: Metric) -> bool {
        let paper = self.paper_dataset();
        self.protocol(metric).is_some_and(|p| p.backbone == crate::paper::BACKBONE)
            && self.is_on(paper)
    }

    /// Whether all training images are the paper's own `dataset`.
    pub(crate) fn is_on(&self, dataset: Dataset) -> bool {
        self.runs.iter().all(|r| r.is_on(dataset))
    }

    /// `CIFAR-10`, or what stands in its place: `Fashion-MNIST in place of CIFAR-10`.
    pub(crate) fn data_name(&self) -> String {
        let papers = paper_name(self.paper_dataset());
        let ours = distinct(self.runs.iter().map(Run::data_name));
        if self.is_on(self.paper_dataset()) { ours } else { format!("{ours} in place of {papers}") }
    }

    /// Whether a run was, as [`Run::scored_during_training`] says.
    pub fn scored_during_training(&self, metric: Metric) -> bool {
        self.runs.iter().any(|r| r.scored_during_training(metric))
    }

    /// What was run, for a line above what is read from it: `scale narrow, CIFAR-10, side 32, width/4,
    /// batch 64, 10000 updates, scored by inception`.
    pub fn conditions(&self) -> String {
        let protocols = [Metric::Is, Metric::Fid].into_iter().filter_map(|m| self.protocol(m));
        let backbones = distinct(protocols.map(|p| p.backbone.as_str()));
        let scored = if backbones.is_empty() {
            "not scored".into()
        } else {
            format!("scored by {backbones}")
        };
        let widths = self.runs.iter().map(|r| match r.spec.width_divisor {
            1 => "full width".to_string(),
            k => format!("width/{k}"),
        });
        format!(
            "scale {}, {}, side {}, {}, batch {}, {} updates, {scored}",
            self.plan.scale,
            self.data_name(),
            self.values(|s| s.side),
            distinct(widths),
            self.values(|s| s.batch),
            self.values(|s| s.gen_updates),
        )
    }

    /// The score in `metric` of the untrained generator, under the protocol of the sweep's scores.
    pub fn untrained(&self, metric: Metric) -> Option<f64> {
        let score = self.runs.iter().find_map(|r| r.score(metric))?;
        untrained_score(&self.untrained, score)
    }

    /// Image side and generator updates of the paper's runs.
    fn paper_sizes(&self) -> (usize, &'static str) {
        match (self.paper_dataset(), self.plan.name.as_str()) {
            (_, "n-dis") => (32, "10,000"),
            (_, "table2-stl10") => (48, "200,000"),
            (Dataset::Stl10, _) => (48, "100,000"),
            (Dataset::ImageNet, _) => (128, "450,000"),
            _ => (32, "100,000"),
        }
    }

    /// A caption's line about the runs: their data and sizes, and whether they only stand in for the paper's.
    pub fn describe_runs(&self) -> String {
        let dataset = self.paper_dataset();
        let (side, updates) = self.paper_sizes();
        let papers = |r: &Run| {
            r.is_on(dataset)
                && (r.spec.side, r.spec.width_divisor) == (side, 1)
                && self.plan.scale == "paper"
        };
        let what = if self.runs.iter().all(papers) {
            "The paper's sizes".to_string()
        } else {
            format!(
                "Stand-in for the paper's {}, full width, {updates} updates",
                paper_name(dataset)
            )
        };
        format!(
            "{what}: {} at side {}, width/{}, batch {}, {} updates ({}, {}).",
            distinct(self.runs.iter().map(|r| r.data().to_string())),
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
        let reference = p
            .reference
            .as_ref()
            .map_or_else(String::new, |r| format!(", {} references ({})", r.n, r.name));
        let splits =
            if p.n_splits > 1 { format!(" in {} splits", p.n_splits) } else { String::new() };
        let stamps =
            if p.stamps.is_empty() { String::new() } else { format!(" ({})", p.stamps.join(", ")) };
        Some(format!(
            "Protocol {} through {}: {} samples{splits}{reference}{stamps}.",
            p.name, p.backbone, p.n_samples
        ))
    }

    /// A caption's line about learning curves, where there are any.
    pub fn describe_curves(&self, metric: Metric) -> Option<String> {
        let p = self.curve_protocol(metric)?;
        Some(format!(
            "Curves: protocol {} through {}, {} samples.",
            p.name, p.backbone, p.n_samples
        ))
    }

    /// The protocol that all learning curves in `metric` share.
    pub fn curve_protocol(&self, metric: Metric) -> Option<&Protocol> {
        self.runs.iter().flat_map(|r| &r.curve).find(|s| s.metric == metric).map(|s| &s.protocol)
    }

    /// A caption's line about the seeds, and what bands and whiskers of curves are.
    pub fn describe_seeds(&self) -> String {
        let of_row = |r: &Run| {
            self.runs
                .iter()
                .filter(|o| (&o.spec.label, &o.spec.setting) == (&r.spec.label, &r.spec.setting))
                .count()
        };
        let (least, most) =
            self.runs.iter().map(of_row).fold((usize::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
        match (least, most) {
            (_, 0 | 1) => "One run each (n = 1): no spread is known.".into(),
            (a, b) if a == b => {
                format!("Mean over {a} seeds; bands and whiskers: its standard error.")
            }
            (a, b) => {
                format!("Mean over {a} to {b} seeds; bands and whiskers: its standard error.")
            }
        }
    }

    /// The distinct values of a key.
    fn values<T: Ord + std::fmt::Display>(&self, key: impl Fn(&RunSpec) -> T) -> String {
        distinct(self.runs.iter().map(|r| key(&r.spec)))
    }
}

/// The untrained generator's score to hold this one against: the newest in its metric under its
/// protocol.
pub(crate) fn untrained_score(untrained: &[ScoreRecord], score: &ScoreRecord) -> Option<f64> {
    let fits = |s: &&ScoreRecord| (s.metric, &s.protocol) == (score.metric, &score.protocol);
    untrained.iter().rev().find(fits)?.value
}

/// The heading of a column of these sweeps' best scores, with why it has none where runs were scored once.
pub(crate) fn best_heading(sweeps: &[Collected], metric: Metric) -> &'static str {
    match sweeps.iter().filter(|c| c.scored_during_training(metric)).count() {
        0 => "best (needs eval_every)",
        n if n == sweeps.len() => "best",
        _ => "best (where eval_every scored during training)",
    }
}

/// Different values in order: `32 or 48`.
fn distinct<T: Ord + std::fmt::Display>(values: impl Iterator<Item = T>) -> String {
    values.collect::<BTreeSet<T>>().iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

/// Reads the folder `out` of a sweep or of a collection.
///
/// # Errors
/// No plan, a malformed record, scores of different protocols, or runs that are no repetitions of each other in one cell.
pub fn collect(out: &Path) -> Result<Collected> {
    let SweepRecords { path, plan, real: ceiling, untrained, runs } = SweepRecords::read(out)?;
    let mut expected: BTreeMap<Metric, Protocol> =
        ceiling.iter().map(|c| (c.metric, c.protocol.clone())).collect();
    let dead_critic = claims::definitions()?.dead_critic;
    let mut runs = runs
        .into_iter()
        .map(|records| read(records, &mut expected, &untrained, &dead_critic))
        .collect::<Result<Vec<_>>>()?;
    tell_customs_apart(&mut runs);
    refuse_mixed_cells(&runs)?;
    keep_commonest_protocol(&mut runs);
    name_equal_images(&mut runs);
    Ok(Collected { path, plan, ceiling, untrained, runs })
}

/// Adds to the name `custom` of several settings the values that tell them apart: `custom lr=0.0004`.
fn tell_customs_apart(runs: &mut [Run]) {
    let values = |s: &RunSpec| {
        [("lr", s.lr), ("beta1", s.beta1), ("beta2", s.beta2), ("n_dis", f64::from(s.n_dis))]
    };
    let customs: Vec<_> =
        runs.iter().filter(|r| r.spec.setting == CUSTOM).map(|r| values(&r.spec)).collect();
    let varies = |i: usize| customs.iter().any(|c| c[i].1 != customs[0][i].1);
    let varying: Vec<usize> = (0..4).filter(|i| varies(*i)).collect();
    for run in runs.iter_mut().filter(|r| r.spec.setting == CUSTOM) {
        let values = values(&run.spec);
        for (i, key) in varying.iter().enumerate() {
            let (name, value) = values[*key];
            run.spec.setting += &format!("{}{name}={value}", if i == 0 { " " } else { ", " });
        }
    }
}

/// Refuses runs of one label and setting that differ in more than their seed, or in nothing: they would be pooled as repetitions.
fn refuse_mixed_cells(runs: &[Run]) -> Result<()> {
    let mut cells: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        let cell = cells.entry((&run.spec.label, &run.spec.setting)).or_default();
        for other in cell.iter() {
            let why = if run.spec.seed == other.spec.seed {
                "with the same seed".to_string()
            } else {
                let differing = other.spec.values_that_differ(&run.spec);
                if differing.is_empty() {
                    continue;
                }
                format!("but differ in {}", differing.join("; "))
            };
            return Err(Error::MixedRuns {
                run: run.records.place.clone(),
                other: other.records.place.clone(),
                label: run.spec.label.clone(),
                setting: run.spec.setting.clone(),
                why,
            });
        }
        cell.push(run);
    }
    Ok(())
}

/// Gives runs that kept no name of their images that of a run with the same ones.
fn name_equal_images(runs: &mut [Run]) {
    let named: BTreeMap<String, String> =
        runs.iter().filter_map(|r| Some((r.images.0.clone(), r.images.1.clone()?))).collect();
    for run in runs.iter_mut().filter(|r| r.images.1.is_none()) {
        run.images.1 = named.get(&run.images.0).cloned();
    }
}

/// The name a data set has in the paper.
pub(crate) fn paper_name(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Stl10 => "STL-10",
        Dataset::ImageNet => "ImageNet",
        Dataset::Cifar10 => "CIFAR-10",
        Dataset::FashionMnist => "Fashion-MNIST",
        Dataset::Folder => "image folder",
    }
}

/// Leaves each metric's learning curves the protocol that the sweep has most scores of: a curve under two protocols would have a step.
fn keep_commonest_protocol(runs: &mut [Run]) {
    let mut counts: BTreeMap<(Metric, Protocol), usize> = BTreeMap::new();
    for score in runs.iter().flat_map(|r| &r.curve) {
        *counts.entry((score.metric, score.protocol.clone())).or_default() += 1;
    }
    let mut commonest: BTreeMap<Metric, (usize, Protocol)> = BTreeMap::new();
    for ((metric, protocol), count) in counts {
        let entry = commonest.entry(metric).or_insert((0, protocol.clone()));
        if count > entry.0 {
            *entry = (count, protocol);
        }
    }
    for run in runs {
        run.curve.retain(|s| commonest.get(&s.metric).is_some_and(|(_, p)| *p == s.protocol));
    }
}

/// The scores up to the horizon in order of updates, the newest of those that were taken twice.
fn curve(spec: &RunSpec, scores: &[ScoreRecord]) -> Vec<ScoreRecord> {
    let mut points: BTreeMap<(Metric, u64, &Protocol), &ScoreRecord> = BTreeMap::new();
    for score in scores.iter().filter(|s| s.gen_updates <= spec.gen_updates) {
        points.insert((score.metric, score.gen_updates, &score.protocol), score);
    }
    points.into_values().cloned().collect()
}

/// Chooses a run's scores; the first score seen in a metric fixes the protocol of all.
fn read(
    records: Arc<RunRecords>,
    expected: &mut BTreeMap<Metric, Protocol>,
    untrained: &[ScoreRecord],
    dead_critic: &DeadCritic,
) -> Result<Run> {
    let spec = records.spec.clone();
    let at_horizon: Vec<&ScoreRecord> =
        records.scores.iter().filter(|s| s.gen_updates == spec.gen_updates).collect();
    let metrics: BTreeSet<Metric> = at_horizon.iter().map(|s| s.metric).collect();
    let mut scores: Vec<ScoreRecord> = Vec::new();
    for metric in metrics {
        let mut newest_first = at_horizon.iter().rev().filter(|s| s.metric == metric);
        let Some(newest) = newest_first.clone().next() else { continue };
        let wanted = expected.entry(metric).or_insert_with(|| newest.protocol.clone());
        match newest_first.find(|s| s.protocol == *wanted) {
            Some(score) => scores.push((*score).clone()),
            None => {
                return Err(Error::MixedProtocols {
                    run: records.place.clone(),
                    differences: differences(wanted, &newest.protocol),
                });
            }
        }
    }
    let curve = curve(&spec, &records.scores);
    let provenance = records.provenance.as_ref();
    let images = provenance.map_or_else(Default::default, |p| {
        (p.dataset_sha256.clone(), Some(p.dataset.clone()).filter(|name| !name.is_empty()))
    });
    let fid = scores.iter().find(|s| s.metric == Metric::Fid);
    let critic = critic(dead_critic, &records, fid, untrained);
    Ok(Run { records, spec, scores, curve, critic, images })
}

/// `key: a's → b's` for every key in which two protocols differ.
pub(crate) fn differences(a: &Protocol, b: &Protocol) -> String {
    let reference = |p: &Protocol| {
        p.reference
            .as_ref()
            .map_or_else(|| "none".into(), |r| format!("{} {} {}", r.n, r.name, r.sha256))
    };
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
    let differing: Vec<_> = pairs
        .into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(key, a, b)| format!("{key}: {a} → {b}"))
        .collect();
    differing.join("; ")
}
