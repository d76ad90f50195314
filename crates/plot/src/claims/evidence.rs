//! The records of a part's experiment, by row, setting and seed.

use super::definitions::{Definitions, Score};
use crate::scored::Run;
use crate::statistics::{Failures, LogScale, LogScore};
use crate::{Error, ScoredSweep, artefact};
use sngan_experiment::RunSpec;
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::method::{Method, Normalization};
use sngan_experiment::records::{LogRecord, Status};
use std::collections::BTreeMap;

/// The name of the timings of `sngan bench figure10` in claims.
pub(super) const TIMINGS: &str = "figure10";

/// Why there is no answer.
pub(super) enum Stop {
    /// The records are not enough.
    Missing(String),
    /// The records cannot be read.
    Failed(Box<Error>),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Stop {
        Stop::Failed(Box::new(e))
    }
}

impl From<sngan_experiment::Error> for Stop {
    fn from(e: sngan_experiment::Error) -> Stop {
        Stop::Failed(Box::new(e.into()))
    }
}

pub(super) type Found<T> = Result<T, Stop>;

/// What a part of a claim may use.
pub(super) struct Evidence<'a> {
    pub(super) definitions: &'a Definitions,
    pub(super) sweep: Option<&'a ScoredSweep>,
    pub(super) timings: Option<&'a UpdateTimings>,
}

/// The runs of a row.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    /// Its name in tables.
    pub(super) label: String,
    pub(super) runs: Vec<&'a Run>,
}

/// A row's values of y in one setting, by seed.
pub(super) type BySeed = BTreeMap<u64, LogScore>;

impl<'a> Row<'a> {
    /// Its runs in a setting.
    pub(super) fn at(&self, setting: &str) -> Found<Row<'a>> {
        let runs: Vec<&Run> =
            self.runs.iter().filter(|r| r.spec.setting == setting).copied().collect();
        if runs.is_empty() {
            return Err(Stop::Missing(format!("no run of {} in setting {setting}", self.label)));
        }
        Ok(Row { label: self.label.clone(), runs })
    }

    /// Its settings in order.
    pub(super) fn settings(&self) -> Vec<&'a str> {
        let mut settings: Vec<&str> = self.runs.iter().map(|r| r.spec.setting.as_str()).collect();
        settings.sort_unstable();
        settings.dedup();
        settings
    }

    /// Whether its runs start from the same networks as the other's runs of the same seed.
    pub(super) fn begins_as(&self, other: &Row<'_>) -> bool {
        let alike = |a: &RunSpec| {
            let mut others = other.runs.iter().filter(|b| b.spec.seed == a.seed);
            others.all(|b| begin_alike(a, &b.spec))
        };
        self.runs.iter().all(|r| alike(&r.spec))
    }

    /// Checks that its scores may be compared with the other's: data, networks, batches and updates
    /// are the same.
    pub(super) fn comparable(&self, other: &Row<'_>) -> Found<()> {
        let Some(first) = self.runs.first() else { return Ok(()) };
        for run in self.runs.iter().chain(&other.runs) {
            let differing = first.spec.sizes_that_differ(&run.spec);
            if !differing.is_empty() {
                return Err(Stop::Missing(format!(
                    "runs of {} and {} differ in {}",
                    self.label,
                    run.spec.label,
                    differing.join("; ")
                )));
            }
        }
        Ok(())
    }

    /// How many of its runs failed or have a dead critic; empty if none did.
    pub(super) fn losses(&self) -> Option<String> {
        let count = |lost: fn(&Run) -> bool| self.runs.iter().filter(|r| lost(r)).count();
        let (failed, dead) = (count(Run::diverged), count(Run::has_dead_critic));
        let all = self.runs.len();
        let said = [(failed, "diverged"), (dead, "with a dead critic")];
        let said: Vec<String> = said
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{n} of {all} runs {what}"))
            .collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// Whether two runs' initial networks compute the same. γ starts at the value that its
/// normalization divides by, so a reparametrized layer starts as the plain one.
fn begin_alike(a: &RunSpec, b: &RunSpec) -> bool {
    let plain = |s: &RunSpec| s.gamma || s.normalization == Normalization::None;
    let rest = |s: &RunSpec| RunSpec {
        label: String::new(),
        method: Method::Custom,
        normalization: Normalization::None,
        gamma: false,
        id_names: None,
        ..s.clone()
    };
    plain(a) && plain(b) && rest(a) == rest(b)
}

impl<'a> Evidence<'a> {
    pub(super) fn sweep(&self) -> Found<&'a ScoredSweep> {
        self.sweep.ok_or_else(|| Stop::Missing("no records of the experiment were given".into()))
    }

    /// The runs of a row, given as a label, or as a method's name, which means the method's own
    /// label: a row that differs from the method in anything has another label.
    pub(super) fn row(&self, name: &str) -> Found<Row<'a>> {
        let runs = &self.sweep()?.runs;
        let own = Method::ALL.iter().find(|m| m.name() == name).map(|m| m.label());
        let label = own.unwrap_or(name).to_string();
        let runs: Vec<&Run> = runs.iter().filter(|r| r.spec.label == label).collect();
        if runs.is_empty() {
            Err(Stop::Missing(format!("no run of {label}")))
        } else {
            Ok(Row { label, runs })
        }
    }

    /// The runs of a method under labels of their own, such as `SN n_dis 5`, except those whose
    /// reduced width is not corrected.
    pub(super) fn all_of(&self, name: &str) -> Found<Row<'a>> {
        let runs = &self.sweep()?.runs;
        let fits =
            |r: &&Run| r.spec.method.name() == name && !r.spec.label.ends_with(", uncorrected");
        let runs: Vec<&Run> = runs.iter().filter(fits).collect();
        let method = runs.first().map(|r| r.spec.method);
        match method {
            Some(method) => Ok(Row { label: method.label().into(), runs }),
            None => Err(Stop::Missing(format!("no run of {name}"))),
        }
    }

    /// The number of updates of G at which a run's score is taken: the horizon at the primary
    /// scale, else its last update.
    pub(super) fn updates(&self, run: &Run) -> Found<u64> {
        let primary = self.sweep()?.plan.scale == self.definitions.primary_scale;
        let (horizon, planned) = (self.definitions.horizon, run.spec.gen_updates);
        match primary {
            true if planned < horizon => Err(ends_early(run, horizon)),
            true => Ok(horizon),
            false => Ok(planned),
        }
    }

    /// The scale of y; `doubled` with 2·F₀.
    pub(super) fn scale(&self, score: Score, doubled: bool) -> Found<LogScale> {
        let c = self.sweep()?;
        if c.protocol(score.metric()).is_none() {
            return Err(Stop::Missing(format!("no run has a score in {}", score.metric().name())));
        }
        let scale = c.untrained(score.metric()).and_then(|worst| match score {
            Score::Fid => LogScale::fid(worst),
            Score::Is => LogScale::inception_score(worst),
        });
        let scale = scale.ok_or_else(|| Stop::Missing(without_untrained(c)))?;
        Ok(if doubled { scale.doubled() } else { scale })
    }

    /// y of each seed of a row in a setting.
    pub(super) fn scores(
        &self,
        row: &Row<'_>,
        setting: &str,
        score: Score,
        scale: LogScale,
    ) -> Found<BySeed> {
        let of = |r: &&Run| {
            let record = r.after(score.metric(), self.updates(r)?);
            if record.is_none() && !r.diverged() {
                return Err(Stop::Missing(format!(
                    "{} in setting {setting}, seed {}, has no {} yet",
                    r.spec.label,
                    r.spec.seed,
                    score.metric().name()
                )));
            }
            Ok((r.spec.seed, scale.of(record.and_then(|s| s.value))))
        };
        row.at(setting)?.runs.iter().map(of).collect()
    }

    /// The logs of a row's completed runs in a setting, by seed; each must reach update `to`.
    pub(super) fn logs(&self, row: &Row<'a>, to: u64) -> Found<BTreeMap<u64, &'a [LogRecord]>> {
        let mut logs = BTreeMap::new();
        for run in &row.runs {
            if run.spec.gen_updates < to {
                return Err(ends_early(run, to));
            }
            if run.status() == Some(Status::Completed) {
                logs.insert(run.spec.seed, run.records.log.as_slice());
            }
        }
        if logs.values().all(|log| log.is_empty()) {
            return Err(Stop::Missing(format!("no completed run of {} has a log", row.label)));
        }
        Ok(logs)
    }
}

/// That the untrained generator's score is missing, and what would write it. An experiment of one's own cannot be
/// named in a command: a file, images or changes of keys may belong to it.
fn without_untrained(c: &ScoredSweep) -> String {
    if c.is_built_in() {
        let command = artefact::sweep(&c.plan.name, &c.plan.scale);
        return format!(
            "no scores of the untrained generator; `{command}` in the same folder writes them"
        );
    }
    "no scores of the untrained generator under the runs' protocol; `sngan sweep` takes them where it scores \
     the runs itself, `sngan score` does not"
        .into()
}

fn ends_early(run: &Run, needed: u64) -> Stop {
    Stop::Missing(format!(
        "runs of {} end after {} updates, {needed} are needed",
        run.spec.label, run.spec.gen_updates
    ))
}

/// Only the y.
pub(super) fn values(scores: &BySeed) -> Vec<f64> {
    scores.values().map(|s| s.y).collect()
}

/// How many of these failed.
pub(super) fn failures<'s>(scores: impl IntoIterator<Item = &'s BySeed>) -> Failures {
    let all: Vec<LogScore> = scores.into_iter().flat_map(|s| s.values().copied()).collect();
    Failures::of(&all)
}
