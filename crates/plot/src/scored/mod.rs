//! A sweep's records as tables, figures and claims need them.

mod cells;
mod protocols;
mod run;

pub use protocols::compares_with_others;
pub use run::Run;

pub(crate) use cells::repetitions;
pub(crate) use protocols::{differences, untrained_score};

use crate::records::{Damaged, NO_PLAN, SweepRecords};
use crate::tell_apart::{tell_runs_apart, tell_settings_apart};
use crate::{Result, claims};
use cells::refuse_mixed_cells;
use protocols::{keep_commonest_protocol, shared_protocols};
use run::score_sheet;
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, PlanRecord, Protocol, ScoreRecord};
use sngan_experiment::{Dataset, Paper, RunSpec, built_in};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The paper's setting of Figure 9; ours shows the same in further figures of one setting, and in Figure 3 if
/// there are no scores.
pub(crate) const PAPERS_SETTING: &str = "C";

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

/// The heading of a column of these sweeps' best scores; if runs were scored only once, it says why
/// the column is empty.
pub(crate) fn best_heading(sweeps: &[ScoredSweep], metric: Metric) -> &'static str {
    match sweeps.iter().filter(|c| c.scored_during_training(metric)).count() {
        0 => "best (needs eval_every)",
        n if n == sweeps.len() => "best",
        _ => "best (where eval_every scored during training)",
    }
}

/// Gives a run without a recorded name of its images the name from a run with the same images.
fn name_equal_images(runs: &mut [Run]) {
    let named: BTreeMap<String, String> =
        runs.iter().filter_map(|r| Some((r.images.0.clone(), r.images.1.clone()?))).collect();
    for run in runs.iter_mut().filter(|r| r.images.1.is_none()) {
        run.images.1 = named.get(&run.images.0).cloned();
    }
}
