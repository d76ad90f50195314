//! One run with the scores that its sweep's artefacts show.

use super::differences;
use crate::dead_critic::{Critic, DeadCritic, critic};
use crate::records::RunRecords;
use crate::{Error, Result};
use sngan_experiment::records::{Metric, Protocol, ScoreRecord, Status};
use sngan_experiment::{Dataset, RunSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    pub(super) images: (String, Option<String>),
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

/// Chooses a run's scores: those under the sweep's protocols.
pub(super) fn score_sheet(
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

/// The scores up to the horizon in order of updates; of duplicates, the newest.
fn curve(spec: &RunSpec, scores: &[ScoreRecord]) -> Vec<ScoreRecord> {
    let mut points: BTreeMap<(Metric, u64, &Protocol), &ScoreRecord> = BTreeMap::new();
    for score in scores.iter().filter(|s| s.gen_updates <= spec.gen_updates) {
        points.insert((score.metric, score.gen_updates, &score.protocol), score);
    }
    points.into_values().cloned().collect()
}
