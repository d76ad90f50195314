//! The records of a part's experiment, by row, setting and seed.

use super::Statistic;
use super::needs::Needs;
use crate::collect::{PAPER_BATCH, Run};
use crate::statistics::{bootstrap, mean};
use crate::{Collected, Error};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::records::{LogRecord, Metric, Status};

/// What claims call the timings of `sngan bench figure10`.
pub(super) const TIMINGS: &str = "figure10";

/// Why there is no answer.
pub(super) enum Stop {
    /// The records are not enough.
    Missing(String),
    /// The records cannot be read.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Stop {
        Stop::Failed(e)
    }
}

impl From<sngan_experiment::Error> for Stop {
    fn from(e: sngan_experiment::Error) -> Stop {
        Stop::Failed(e.into())
    }
}

pub(super) type Found<T> = Result<T, Stop>;

/// What a part of a claim may look at.
pub(super) struct Evidence<'a> {
    /// Names the random stream of its intervals.
    pub(super) name: &'a str,
    pub(super) sweep: Option<&'a Collected>,
    pub(super) timings: Option<&'a UpdateTimings>,
}

/// Which of a run's scores.
#[derive(Clone, Copy)]
pub(super) enum Which {
    Last,
    Best,
}

impl<'a> Evidence<'a> {
    pub(super) fn sweep(&self) -> Found<&'a Collected> {
        self.sweep.ok_or_else(|| Stop::Missing("no records of the experiment were given".into()))
    }

    /// What an answer read from scores in `metric` holds for, `None` for the paper's own runs.
    pub(super) fn conditions(
        &self,
        experiment: &str,
        metric: Option<Metric>,
        min_updates: u64,
    ) -> Option<String> {
        if experiment == TIMINGS {
            // Times are a machine's: no other one's hold for the paper's.
            return self.timings.map(|t| {
                let sizes = (t.width_divisor, t.batch);
                let sizes = if sizes == (1, PAPER_BATCH) {
                    String::new()
                } else {
                    format!(", width/{}, batch {}", sizes.0, sizes.1)
                };
                format!(
                    "on {} with {} thread{}{sizes}",
                    t.cpu,
                    t.threads,
                    if t.threads == 1 { "" } else { "s" }
                )
            });
        }
        self.sweep?.conditions(metric, min_updates)
    }

    /// What best scores are called: where runs were scored once, they are the last ones.
    pub(super) fn best_score(&self, metric: Metric) -> Found<&'static str> {
        Ok(if self.sweep()?.scored_during_training(metric) {
            "best score"
        } else {
            "last score, the only one"
        })
    }

    /// The runs of a row, which is a label or a method's name; a label that fits goes first, for several rows may share a method.
    pub(super) fn row(&self, name: &str) -> Found<Vec<&'a Run>> {
        let runs = &self.sweep()?.runs;
        let labelled: Vec<&Run> = runs.iter().filter(|r| r.spec.label == name).collect();
        let found = if labelled.is_empty() {
            runs.iter().filter(|r| r.spec.method.name() == name).collect()
        } else {
            labelled
        };
        if found.is_empty() { Err(Stop::Missing(format!("no run of {name}"))) } else { Ok(found) }
    }

    /// A row's settings in order.
    pub(super) fn settings(runs: &[&'a Run]) -> Vec<&'a str> {
        let mut settings: Vec<&str> = runs.iter().map(|r| r.spec.setting.as_str()).collect();
        settings.sort_unstable();
        settings.dedup();
        settings
    }

    /// One score a seed in a setting. A run that diverged has no samples to score and counts as the worst.
    pub(super) fn scores(
        runs: &[&Run],
        setting: &str,
        metric: Metric,
        which: Which,
    ) -> Found<Vec<f64>> {
        let worst = if metric.higher_is_better() { 0.0 } else { f64::INFINITY };
        let of = |r: &&Run| {
            let value = match which {
                Which::Last => r.last(metric),
                Which::Best => r.best(metric),
            };
            value.or_else(|| r.diverged().then_some(worst)).ok_or_else(|| {
                Stop::Missing(format!(
                    "{} in setting {setting}, seed {}, has no {} yet",
                    r.spec.label,
                    r.spec.seed,
                    metric.name()
                ))
            })
        };
        let found: Vec<f64> =
            runs.iter().filter(|r| r.spec.setting == setting).map(of).collect::<Found<_>>()?;
        if found.is_empty() {
            let row = runs.first().map_or("", |r| r.spec.label.as_str());
            return Err(Stop::Missing(format!("no run of {row} in setting {setting}")));
        }
        Ok(found)
    }

    /// The scores of the setting with the best mean.
    pub(super) fn best_setting(&self, row: &str, metric: Metric, which: Which) -> Found<Vec<f64>> {
        let runs = self.row(row)?;
        let all = Self::settings(&runs)
            .into_iter()
            .map(|s| Self::scores(&runs, s, metric, which))
            .collect::<Found<Vec<_>>>()?;
        let better = |a: f64, b: f64| if metric.higher_is_better() { a > b } else { a < b };
        let best = all.into_iter().reduce(|a, b| if better(mean(&b), mean(&a)) { b } else { a });
        match best {
            Some(values) if values.iter().all(|v| v.is_finite()) => Ok(values),
            _ => Err(Stop::Missing(format!("{row} diverged in every setting"))),
        }
    }

    /// The logs of a row's completed runs in a setting, one a seed.
    pub(super) fn logs(&self, row: &str, setting: Option<&str>) -> Found<Vec<Vec<LogRecord>>> {
        let fits = |r: &&&Run| setting.is_none_or(|s| r.spec.setting == s) && completed(r);
        let runs = self.row(row)?;
        let logs = runs.iter().filter(fits).map(|r| Ok(r.dir.log()?)).collect::<Found<Vec<_>>>()?;
        if logs.iter().all(Vec::is_empty) {
            return Err(Stop::Missing(format!("no completed run of {row} has a log")));
        }
        Ok(logs)
    }

    /// A statistic of groups of values, one value a seed, with its bootstrap interval.
    pub(super) fn statistic(
        &self,
        name: &str,
        needs: Needs,
        groups: &[Vec<f64>],
        of: impl Fn(&[Vec<f64>]) -> f64,
    ) -> Statistic {
        Statistic {
            name: name.into(),
            value: of(groups),
            interval: bootstrap(&format!("{}: {name}", self.name), groups, of),
            needs,
        }
    }
}

/// Whether a run reached its horizon.
pub(super) fn completed(run: &Run) -> bool {
    run.status.as_ref().is_some_and(|s| s.status == Status::Completed)
}
