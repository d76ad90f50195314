//! Runs whose critic is dead: D no longer tells real from generated images, or its gradient has
//! vanished, and G has learned nothing. No number diverges in such a run, and its score alone does
//! not show why it is bad.

use crate::Result;
use crate::claims::definitions;
use crate::records::{self, RunRecords, SweepRecords};
use crate::scored::untrained_score;
use serde::Deserialize;
use sngan_experiment::RunSpec;
use sngan_experiment::records::{LogRecord, Metric, ScoreRecord, Status};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// When a critic is dead. experiments/claims.toml has the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadCritic {
    /// Updates up to this one are ignored.
    pub after: u64,
    /// With a gradient penalty: mean ‖∇D(x̂)‖₂ below this.
    pub grad_norm: f64,
    /// The same in records without that norm: a penalty above this share of λ, up to λ.
    pub penalty: f64,
    /// Without a penalty: |D(x) − D(G(z))| below this.
    pub difference: f64,
    /// Minimum share of such logged updates.
    pub share: f64,
    /// The last FID is above this share of the untrained generator's.
    pub fid: f64,
}

/// The state of a run's critic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Critic {
    /// Logged updates that were checked, at least one.
    pub updates: usize,
    /// Those in which it was silent.
    pub silent: usize,
    /// Whether it is dead. `None` if the FID of the run or of the untrained generator is missing
    /// but needed, because an equilibrium looks the same in the log.
    pub dead: Option<bool>,
}

impl Critic {
    /// The share of logged updates in which it was silent.
    pub fn share(&self) -> f64 {
        self.silent as f64 / self.updates as f64
    }
}

impl DeadCritic {
    /// Judges a run by its log, its last FID and that of the untrained generator; `None` if the log
    /// has nothing to judge it by.
    pub fn judge(
        &self,
        spec: &RunSpec,
        log: &[LogRecord],
        fid: Option<f64>,
        untrained: Option<f64>,
    ) -> Option<Critic> {
        let late = log.iter().filter(|r| r.gen_update > self.after);
        let silent: Vec<bool> = late.filter_map(|r| self.silent(spec, r)).collect();
        let updates = Some(silent.len()).filter(|n| *n > 0)?;
        let mut critic = Critic {
            updates,
            silent: silent.into_iter().filter(|s| *s).count(),
            dead: Some(false),
        };
        if critic.share() >= self.share {
            critic.dead = fid.zip(untrained).map(|(fid, f0)| fid > self.fid * f0);
        }
        Some(critic)
    }

    /// Whether D was silent in a logged update, if its record tells.
    fn silent(&self, spec: &RunSpec, r: &LogRecord) -> Option<bool> {
        if spec.regularizer.wants_gradient() {
            let lambda = spec.penalty_lambda;
            let by_penalty = |p: f64| p > self.penalty * lambda && p <= lambda;
            return match r.grad_norm_x_hat {
                Some(norm) => Some(norm < self.grad_norm),
                None => r.loss_reg.map(by_penalty),
            };
        }
        Some((r.d_real? - r.d_fake?).abs() < self.difference)
    }
}

/// The state of a completed run's critic; `None` for other runs, and if nothing was logged.
pub(crate) fn critic(
    definition: &DeadCritic,
    run: &RunRecords,
    fid: Option<&ScoreRecord>,
    untrained: &[ScoreRecord],
) -> Option<Critic> {
    if run.status.as_ref().is_none_or(|s| s.status != Status::Completed) {
        return None;
    }
    let f0 = fid.and_then(|score| untrained_score(untrained, score));
    definition.judge(&run.spec, &run.log, fid.and_then(|s| s.value), f0)
}

/// The same for a single run: its last FID is the newest one for which the untrained generator also
/// has one.
pub(crate) fn of_run(
    definition: &DeadCritic,
    run: &RunRecords,
    untrained: &[ScoreRecord],
) -> Option<Critic> {
    let fid = run.scores.iter().rev().find(|s| {
        (s.metric, s.gen_updates) == (Metric::Fid, run.spec.gen_updates)
            && untrained_score(untrained, s).is_some()
    });
    critic(definition, run, fid, untrained)
}

/// The folder names of a sweep's completed runs whose critic is dead; none if the sweep has no
/// scores of the untrained generator.
///
/// # Errors
/// A folder that does not belong to a sweep, or a malformed record.
pub fn dead_critics(out: &Path) -> Result<BTreeSet<String>> {
    let definition = definitions()?.dead_critic;
    if records::plan(out).is_ok() && records::untrained(out)?.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sweep = SweepRecords::read(out)?;
    let is_dead = |run: &&Arc<RunRecords>| {
        of_run(&definition, run, &sweep.untrained).is_some_and(|c| c.dead == Some(true))
    };
    Ok(sweep.runs.iter().filter(is_dead).map(|run| run.name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    /// A line of a log with these numbers and nothing else.
    fn line(gen_update: u64, keys: &[(&str, f64)]) -> LogRecord {
        let mut value = serde_json::json!({ "version": 1, "gen_update": gen_update,
            "sigma_forward": {}, "sigma_fig9": {} });
        for (key, number) in keys {
            value[key] = (*number).into();
        }
        serde_json::from_value(value).unwrap()
    }

    fn judged(method: Method, lines: &[LogRecord], fid: f64) -> Option<Critic> {
        let definition = definitions().unwrap().dead_critic;
        definition.judge(&RunSpec::paper(method), lines, Some(fid), Some(100.0))
    }

    fn lines(of: impl Fn(u64) -> Vec<(&'static str, f64)>) -> Vec<LogRecord> {
        (1..=10).map(|i| line(100 * i, &of(i))).collect()
    }

    #[test]
    fn half_of_the_later_updates_and_a_bad_score_make_a_dead_critic() {
        // Updates 400 to 1000 count; of the seven, four or three are silent.
        for (from, dead) in [(7, true), (8, false)] {
            let log = lines(|i| vec![("grad_norm_x_hat", if i >= from { 0.05 } else { 0.9 })]);
            let c = judged(Method::WganGp, &log, 60.0).unwrap();
            assert_eq!((c.updates, c.silent, c.dead), (7, 11 - from as usize, Some(dead)));
        }
        let log = lines(|_| vec![("grad_norm_x_hat", 0.05)]);
        assert_eq!(judged(Method::WganGp, &log, 49.0).unwrap().dead, Some(false), "G has learned");
        let definition = definitions().unwrap().dead_critic;
        let spec = RunSpec::paper(Method::WganGp);
        assert_eq!(definition.judge(&spec, &log, Some(60.0), None).unwrap().dead, None);
        assert_eq!(definition.judge(&spec, &log, None, Some(100.0)).unwrap().dead, None);
    }

    #[test]
    fn older_records_tell_by_the_penalty_and_others_by_the_difference() {
        let penalty = |p: f64| judged(Method::WganGp, &lines(|_| vec![("loss_reg", p)]), 60.0);
        let dead = |p: f64| penalty(p).unwrap().dead.unwrap();
        assert_eq!([7.9, 8.0, 8.1, 10.0, 10.1].map(dead), [false, false, true, true, false]);
        let apart = |d: f64| {
            let log = lines(|_| vec![("d_real", 0.3 + d), ("d_fake", 0.3), ("loss_reg", 9.0)]);
            judged(Method::WeightClipping, &log, 60.0).unwrap().dead.unwrap()
        };
        assert_eq!([0.005, -0.005, 0.02].map(apart), [true, true, false]);
    }

    #[test]
    fn a_log_that_says_nothing_judges_nothing() {
        assert_eq!(judged(Method::Sn, &[], 60.0), None);
        assert_eq!(judged(Method::Sn, &lines(|_| vec![("loss_reg", 9.0)]), 60.0), None);
        assert_eq!(judged(Method::Sn, &lines(|_| vec![])[..3], 60.0), None);
    }
}
