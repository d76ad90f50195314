//! The scores of a sweep as it goes on: the newest, and each protocol's best run.

use super::describe;
use sngan_experiment::records::{Metric, Protocol, ScoreRecord};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A run and its value.
type Leader = (String, f64);

/// Kept from whichever thread a run ends in.
#[derive(Default)]
pub(super) struct Best(Mutex<State>);

#[derive(Default)]
struct State {
    leaders: BTreeMap<(Metric, Protocol), Leader>,
    newest: String,
}

impl Best {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a run's scores.
    pub(super) fn add(&self, run: &str, scores: &[ScoreRecord]) {
        let mut state = self.state();
        if !scores.is_empty() {
            state.newest = format!(", last scored {}", describe(scores));
        }
        for score in scores {
            let Some(value) = score.value else { continue };
            let key = (score.metric, score.protocol.clone());
            let leader = state.leaders.entry(key).or_insert_with(|| (run.into(), value));
            let better =
                if score.metric.higher_is_better() { value > leader.1 } else { value < leader.1 };
            if better {
                *leader = (run.into(), value);
            }
        }
    }

    /// What stands behind the losses in the line of progress.
    pub(super) fn newest(&self) -> String {
        self.state().newest.clone()
    }

    /// A line for each protocol.
    pub(super) fn lines(&self) -> Vec<String> {
        let state = self.state();
        let leaders = state.leaders.iter();
        let said = leaders.map(|((metric, protocol), (run, value))| {
            format!("best {}[{}]: {value:.3}, {run}", metric.name(), protocol.backbone)
        });
        said.collect()
    }
}
