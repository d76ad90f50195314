//! A sweep's records as tables, figures and claims need them.

use crate::dead_critic::{Critic, DeadCritic, critic};
use crate::records::{Damaged, NO_PLAN, RunRecords, SweepRecords};
use crate::tell_apart::{tell_runs_apart, tell_settings_apart};
use crate::{Error, Result, claims};
use sngan_experiment::method::Method;
use sngan_experiment::protocol::ReferenceKind;
use sngan_experiment::records::{Metric, PlanRecord, Protocol, ScoreRecord, Status};
use sngan_experiment::{Dataset, Paper, ProtocolName, RunSpec, built_in};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The paper's setting of Figure 9; ours shows the same in further figures of one setting, and in Figure 3 if
/// there are no scores.
pub(crate) const PAPERS_SETTING: &str = "C";

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its records.
    pub records: Arc<RunRecords>,
    /// Its spec, in which several settings named `custom` have distinct names.
    pub spec: RunSpec,
    /// Its scores at the spec's horizon, one per metric.
    pub scores: Vec<ScoreRecord>,
    /// Its scores up to the horizon under the sweep's most frequent protocols, by updates: learning
    /// curves.
    pub curve: Vec<ScoreRecord>,
    /// Whether it has twice the updates of the other runs of its artefact, as its plan says (Table 2).
    pub(crate) twice: bool,
    /// The state of its critic; `None` before it is completed and if nothing was logged.
    pub critic: Option<Critic>,
    /// SHA-256 of its training images, and their name; `None` in older records.
    images: (String, Option<String>),
}

impl Run {
    /// Its score in `metric` at the spec's horizon.
    pub fn score(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.scores.iter().find(|s| s.metric == metric)
    }

    /// Its last score in `metric`, at the spec's horizon.
    pub fn last(&self, metric: Metric) -> Option<f64> {
        self.score(metric)?.value
    }

    /// Its score record in `metric` after `updates` updates, under the sweep's protocol.
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

    /// Whether it was also scored in `metric` before its last update, under the last one's
    /// protocol; else its best score is its last.
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

    /// The data set of its training images: `cifar10`, or the one that the reader found instead,
    /// such as `cifar10-jpeg-copy`.
    pub fn data(&self) -> &str {
        let set = self.images.1.as_deref().and_then(|name| name.split(':').next());
        set.filter(|set| set.starts_with(self.spec.dataset.name()))
            .unwrap_or(self.spec.dataset.name())
    }

    /// Whether its training images are the paper's own `dataset`, not a copy or a stand-in.
    pub(crate) fn is_on(&self, dataset: Dataset) -> bool {
        self.spec.dataset == dataset && self.data() == dataset.name()
    }

    /// The paper's name for its data, and how they differ from the paper's files.
    pub(crate) fn data_name(&self) -> String {
        match self.data().strip_prefix(self.spec.dataset.name()) {
            Some("-jpeg-copy") => format!("{} (JPEG copy)", self.spec.dataset.title()),
            _ => self.spec.dataset.title().into(),
        }
    }

    /// Whether its critic is known to be dead.
    pub fn has_dead_critic(&self) -> bool {
        self.critic.is_some_and(|c| c.dead == Some(true))
    }

    /// Whether its critic was silent for long but it is unknown whether it is dead, because the
    /// untrained generator was not scored.
    pub fn may_have_dead_critic(&self) -> bool {
        self.critic.is_some_and(|c| c.dead.is_none())
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

/// A sweep with comparable scores: for each run one per metric, all under the same protocol.
#[derive(Debug, Clone)]
pub struct ScoredSweep {
    /// The sweep's folder.
    pub path: PathBuf,
    /// What the folder is for.
    pub plan: PlanRecord,
    /// The real data's own scores.
    pub ceiling: Vec<ScoreRecord>,
    /// Scores of the untrained generator; empty in older sweeps.
    pub untrained: Vec<ScoreRecord>,
    /// Runs in the plan's order; those that have not begun are left out.
    pub runs: Vec<Run>,
    /// Runs that are left out because their records are damaged.
    pub damaged: Vec<Damaged>,
}

impl ScoredSweep {
    /// Reads the folder `out` of a sweep or of a collection.
    ///
    /// # Errors
    /// No plan, a malformed record, scores of different protocols, or runs in one cell that are not
    /// repetitions of each other.
    pub fn read(out: &Path) -> Result<ScoredSweep> {
        // A run is all of what it is compared with.
        ScoredSweep::of(SweepRecords::read(out)?, |_| ())
    }

    /// Reads the folders of single runs, as a sweep whose files go to `out`. Runs of one label and
    /// setting that differ are called after that in which they do.
    ///
    /// # Errors
    /// As [`ScoredSweep::read`].
    pub fn of_runs(folders: &[PathBuf], out: &Path) -> Result<ScoredSweep> {
        ScoredSweep::of(SweepRecords::of_runs(folders, out)?, tell_runs_apart)
    }

    fn of(records: SweepRecords, name: impl Fn(&mut [Run])) -> Result<ScoredSweep> {
        let SweepRecords { path, plan, real: ceiling, untrained, runs, damaged } = records;
        let mut expected = shared_protocols(&runs);
        // Where the real data were scored, their protocols are the sweep's.
        expected.extend(ceiling.iter().map(|c| (c.metric, c.protocol.clone())));
        let dead_critic = claims::definitions()?.dead_critic;
        let mut runs = runs
            .into_iter()
            .map(|records| score_sheet(records, &expected, &untrained, &dead_critic))
            .collect::<Result<Vec<_>>>()?;
        let twice = plan.paper.as_ref().is_some_and(|p| p.twice);
        runs.iter_mut().for_each(|run| run.twice = twice);
        name(&mut runs);
        tell_settings_apart(&mut runs);
        refuse_mixed_cells(&runs)?;
        keep_commonest_protocol(&mut runs);
        name_equal_images(&mut runs);
        Ok(ScoredSweep { path, plan, ceiling, untrained, runs, damaged })
    }

    /// Row names in the order of the paper's methods; those of one method as they first appear in
    /// the plan. A sweep that was made in parts so looks like one that was made at once.
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

    /// The method that a row is a variant of, whose color it has.
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

    /// The setting that figures of one setting show: C as in the paper, or the first in alphabetical order
    /// where no run is in C, such as in a grid over α.
    pub(crate) fn shown_setting(&self) -> &str {
        let settings = self.settings();
        let shown = settings.iter().find(|s| **s == PAPERS_SETTING).or(settings.first());
        shown.copied().unwrap_or(PAPERS_SETTING)
    }

    /// All seeds of a row in a setting.
    pub fn cell<'a>(&'a self, label: &'a str, setting: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |r| r.spec.label == label && r.spec.setting == setting)
    }

    /// The run that stands for `method` in figures of single runs: that with the best inception score. Where there
    /// are no scores, the lowest seed of the shown setting, or of the first in alphabetical order that has a run.
    pub fn representative(&self, method: Method) -> Option<&Run> {
        self.representative_of(|spec| spec.family() == method)
    }

    /// The same for the runs that `belongs` takes.
    pub(crate) fn representative_of(&self, belongs: impl Fn(&RunSpec) -> bool) -> Option<&Run> {
        let all = || self.runs.iter().filter(|r| belongs(&r.spec));
        // A run whose reduced width is not corrected stands for others only if there is no other.
        let any = all().any(|r| !r.spec.lacks_correction());
        let runs = || all().filter(move |r| !any || !r.spec.lacks_correction());
        let scored = runs().filter_map(|r| Some((r.score(Metric::Is)?.value?, r)));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, r)| r);
        let shown = self.shown_setting();
        best.or_else(|| {
            runs().min_by_key(|&r| (r.spec.setting != shown, r.spec.setting.as_str(), r.spec.seed))
        })
    }

    /// The metrics in which its runs have scores.
    pub fn metrics(&self) -> Vec<Metric> {
        Metric::ALL.into_iter().filter(|m| self.protocol(*m).is_some()).collect()
    }

    /// The protocol that all scores in `metric` share.
    pub fn protocol(&self, metric: Metric) -> Option<&Protocol> {
        self.runs.iter().find_map(|r| r.score(metric)).map(|s| &s.protocol)
    }

    /// The protocol that all learning curves in `metric` share.
    pub fn curve_protocol(&self, metric: Metric) -> Option<&Protocol> {
        self.runs.iter().flat_map(|r| &r.curve).find(|s| s.metric == metric).map(|s| &s.protocol)
    }

    /// The real data's own score in `metric`.
    pub fn real(&self, metric: Metric) -> Option<&ScoreRecord> {
        self.ceiling.iter().find(|s| s.metric == metric)
    }

    /// What its runs reproduce of the paper; `None` in your own experiment.
    pub fn paper(&self) -> Option<&Paper> {
        self.plan.paper.as_ref()
    }

    /// Whether it is the experiment of this name that reproduces a part of the paper; your own may
    /// have the same name.
    pub(crate) fn reproduces(&self, experiment: &str) -> bool {
        self.paper().is_some() && self.plan.name == experiment
    }

    /// The scale of its plan; `None` of single runs, which have no plan.
    pub(crate) fn scale(&self) -> Option<&str> {
        (self.plan.scale != NO_PLAN).then_some(self.plan.scale.as_str())
    }

    /// Whether `sngan sweep` makes its runs by its name and scale alone: those of a built-in experiment that was
    /// not put on one's own pictures.
    pub(crate) fn is_built_in(&self) -> bool {
        self.scale().is_some()
            && built_in(&self.plan.name).is_some()
            && self.runs.iter().all(|r| r.spec.dataset != Dataset::Folder)
    }

    /// The file name of an artefact, with its experiment's part.
    pub fn stem(&self, id: &str) -> String {
        match self.paper().and_then(|p| p.part.as_ref()) {
            Some(part) => format!("{id}_{part}"),
            None => id.to_string(),
        }
    }

    /// The data set whose numbers in the paper are shown beside these runs.
    pub fn paper_dataset(&self) -> Option<Dataset> {
        Some(self.paper()?.dataset)
    }

    /// Whether the scores in `metric` can share an axis with the paper's: same backbone and same
    /// data.
    pub fn comparable(&self, metric: Metric) -> bool {
        self.paper().is_some_and(|paper| {
            self.protocol(metric).is_some_and(|p| p.backbone == paper.backbone)
                && self.is_on(paper.dataset)
        })
    }

    /// Whether all training images are the paper's own `dataset`.
    pub(crate) fn is_on(&self, dataset: Dataset) -> bool {
        self.runs.iter().all(|r| r.is_on(dataset))
    }

    /// Whether any run has [`Run::scored_during_training`].
    pub fn scored_during_training(&self, metric: Metric) -> bool {
        self.runs.iter().any(|r| r.scored_during_training(metric))
    }

    /// The score in `metric` of the untrained generator, under the protocol of the sweep's scores.
    pub fn untrained(&self, metric: Metric) -> Option<f64> {
        let score = self.runs.iter().find_map(|r| r.score(metric))?;
        untrained_score(&self.untrained, score)
    }
}

/// The untrained generator's score to compare this one with: the newest in the same metric under
/// the same protocol.
pub(crate) fn untrained_score(untrained: &[ScoreRecord], score: &ScoreRecord) -> Option<f64> {
    let fits = |s: &&ScoreRecord| (s.metric, &s.protocol) == (score.metric, &score.protocol);
    untrained.iter().rev().find(fits)?.value
}

/// The heading of a column of these sweeps' best scores; if runs were scored only once, it says why
/// the column is empty.
pub(crate) fn best_heading(sweeps: &[ScoredSweep], metric: Metric) -> &'static str {
    match sweeps.iter().filter(|c| c.scored_during_training(metric)).count() {
        0 => "best (needs eval_every)",
        n if n == sweeps.len() => "best",
        _ => "best (where eval_every scored during training)",
    }
}

/// Runs to be pooled as repetitions; the same run under several names counts once. `apart` lists
/// keys that may differ.
///
/// # Errors
/// [`Error::MixedRuns`] for two that differ in anything but the seed.
pub(crate) fn repetitions<'a>(
    runs: impl IntoIterator<Item = &'a Run>,
    apart: &[&str],
) -> Result<Vec<&'a Run>> {
    let mut kept: Vec<&Run> = Vec::new();
    for run in runs {
        let Some(other) = kept.first() else {
            kept.push(run);
            continue;
        };
        let differing = other.spec.values_that_differ_but(&run.spec, apart);
        if !differing.is_empty() {
            return Err(Error::MixedRow {
                run: other.records.place.clone(),
                other: run.records.place.clone(),
                differences: differing.join("; "),
            });
        }
        let same = |k: &&Run| {
            k.spec.seed == run.spec.seed && k.spec.values_that_differ_but(&run.spec, &[]).is_empty()
        };
        if !kept.iter().any(same) {
            kept.push(run);
        }
    }
    Ok(kept)
}

/// Refuses runs of one label and setting that differ in more than their seed, or not at all,
/// because they would be pooled as repetitions.
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

/// Gives a run without a recorded name of its images the name from a run with the same images.
fn name_equal_images(runs: &mut [Run]) {
    let named: BTreeMap<String, String> =
        runs.iter().filter_map(|r| Some((r.images.0.clone(), r.images.1.clone()?))).collect();
    for run in runs.iter_mut().filter(|r| r.images.1.is_none()) {
        run.images.1 = named.get(&run.images.0).cloned();
    }
}

/// Keeps only each metric's most frequent protocol in learning curves, because a curve under two
/// protocols would have a step.
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

/// The scores up to the horizon in order of updates; of duplicates, the newest.
fn curve(spec: &RunSpec, scores: &[ScoreRecord]) -> Vec<ScoreRecord> {
    let mut points: BTreeMap<(Metric, u64, &Protocol), &ScoreRecord> = BTreeMap::new();
    for score in scores.iter().filter(|s| s.gen_updates <= spec.gen_updates) {
        points.insert((score.metric, score.gen_updates, &score.protocol), score);
    }
    points.into_values().cloned().collect()
}

/// Whether a protocol compares with images or statistics that a command line named, and not with the runs' own data.
pub fn compares_with_others(protocol: &Protocol) -> bool {
    let name = protocol.name.parse::<ProtocolName>().ok();
    let part = name.and_then(|name| name.against()).map(|against| against.part);
    matches!(part, Some(ReferenceKind::Images | ReferenceKind::Statistics))
}

/// Runs scored under a protocol, whether it compares with their own images, its samples, and the line of its newest score.
type Rank = (usize, bool, usize, usize);

/// The protocol of each metric that most runs were scored under at their horizon; of several, the one that compares with the runs' own
/// images, then the one of most samples, then that of the newest score.
fn shared_protocols(runs: &[Arc<RunRecords>]) -> BTreeMap<Metric, Protocol> {
    let mut taken: BTreeMap<(Metric, &Protocol), (BTreeSet<usize>, usize)> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        let at_horizon = run.scores.iter().filter(|s| s.gen_updates == run.spec.gen_updates);
        for (line, score) in at_horizon.enumerate() {
            let (of, newest) = taken.entry((score.metric, &score.protocol)).or_default();
            of.insert(i);
            *newest = line.max(*newest);
        }
    }
    let mut best: BTreeMap<Metric, (Rank, &Protocol)> = BTreeMap::new();
    for ((metric, protocol), (of, newest)) in taken {
        let rank = (of.len(), !compares_with_others(protocol), protocol.n_samples, newest);
        let entry = best.entry(metric).or_insert((rank, protocol));
        if rank > entry.0 {
            *entry = (rank, protocol);
        }
    }
    best.into_iter().map(|(metric, (_, protocol))| (metric, protocol.clone())).collect()
}

/// Chooses a run's scores: those under the sweep's protocols.
fn score_sheet(
    records: Arc<RunRecords>,
    expected: &BTreeMap<Metric, Protocol>,
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
        let wanted = expected.get(&metric).unwrap_or(&newest.protocol);
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
    Ok(Run { records, spec, scores, curve, twice: false, critic, images })
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
