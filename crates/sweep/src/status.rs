//! Where a sweep stands, from its folder alone.

use crate::{Error, Result};
use sngan_experiment::records::{PlanRecord, ScoreRecord, Status, StatusRecord, TimingRecord};
use sngan_experiment::{FolderLock, RunDir, run_dir};
use std::path::Path;

/// Log lines that a rate is taken over: enough to be steady, few enough to notice a change.
const RATE_LINES: usize = 20;

/// One run, planned or alone.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Folder name.
    pub name: String,
    /// `None` before it started.
    pub status: Option<StatusRecord>,
    /// Whether a process is at it now.
    pub at_work: bool,
    /// Generator updates done, by the newest log line or checkpoint.
    pub done: u64,
    /// Its horizon; 0 before it started.
    pub total: u64,
    /// Generator updates a second, over the newest log lines.
    pub rate: Option<f64>,
    /// Scores of the newest scored checkpoint.
    pub scores: Vec<ScoreRecord>,
    /// Why its records cannot be taken, if they are damaged.
    pub damage: Option<String>,
}

impl RunState {
    /// Seconds until its horizon, where it is under way.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.done) as f64;
        self.rate.filter(|_| self.at_work).map(|rate| left / rate)
    }

    /// A run of which nothing is known but that its records are damaged.
    fn damaged(dir: &RunDir, why: &Error) -> RunState {
        RunState {
            name: dir.name(),
            status: None,
            at_work: FolderLock::is_taken(dir.path()),
            done: 0,
            total: 0,
            rate: None,
            scores: Vec::new(),
            damage: Some(why.to_string()),
        }
    }

    /// Killed: it says that it runs, and no process is at it.
    pub fn killed(&self) -> bool {
        !self.at_work && self.status.as_ref().is_some_and(|s| s.status == Status::Running)
    }
}

/// The plan of `out` and the state of each of its runs.
///
/// # Errors
/// When `out` holds no plan. A run whose records are damaged has a state that says so.
pub fn status(out: &Path) -> Result<(PlanRecord, Vec<RunState>)> {
    if out.join(run_dir::COLLECTION).exists() {
        return Err(Error::Collection { path: out.into() });
    }
    let plan: PlanRecord = run_dir::read_json(&out.join("plan.json"))?;
    let state = |name: &String| status_of_run(&RunDir::new(out.join("runs").join(name)));
    let states = plan.runs.iter().map(state).collect();
    Ok((plan, states))
}

/// The state of a run's folder, wherever it is.
pub fn status_of_run(dir: &RunDir) -> RunState {
    state(dir).unwrap_or_else(|e| RunState::damaged(dir, &e))
}

fn state(dir: &RunDir) -> Result<RunState> {
    dir.check()?;
    let mut scores = dir.scores()?;
    let newest = scores.iter().map(|s| s.gen_updates).max();
    scores.retain(|s| Some(s.gen_updates) == newest);
    let status = dir.status()?;
    let at_work = FolderLock::is_taken(dir.path());
    let timing = dir.timing()?;
    let logged = timing.last().filter(|_| at_work).map_or(0, |t| t.gen_update);
    Ok(RunState {
        name: dir.name(),
        damage: None,
        done: status.as_ref().map_or(0, |s| s.gen_updates).max(logged),
        total: if dir.spec_path().exists() { dir.spec()?.gen_updates } else { 0 },
        rate: rate(&timing),
        at_work,
        status,
        scores,
    })
}

/// Updates a second over the newest lines of one process: its seconds grow, the next one's begin at 0 again.
fn rate(timing: &[TimingRecord]) -> Option<f64> {
    let last = timing.last()?;
    let first = timing
        .iter()
        .rev()
        .take(RATE_LINES)
        .take_while(|t| t.seconds <= last.seconds && t.gen_update <= last.gen_update)
        .last()?;
    let (updates, seconds) = (last.gen_update - first.gen_update, last.seconds - first.seconds);
    (updates > 0 && seconds > 0.0).then(|| updates as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_newest_process_s() {
        let line = |gen_update, seconds| TimingRecord { version: 1, gen_update, seconds };
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[line(10, 1.0)]), None);
        assert_eq!(rate(&[line(10, 1.0), line(30, 3.0)]), Some(10.0));
        // A process that was resumed at 30 and is slower.
        assert_eq!(
            rate(&[line(10, 10.0), line(30, 30.0), line(40, 2.0), line(50, 4.0)]),
            Some(5.0)
        );
    }
}
