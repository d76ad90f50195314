//! Where a sweep stands, from its folder alone.

use crate::Result;
use sngan_experiment::records::{PlanRecord, ScoreRecord, StatusRecord};
use sngan_experiment::{RunDir, run_dir};
use std::path::Path;

/// One planned run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Folder name.
    pub name: String,
    /// `None` before it started.
    pub status: Option<StatusRecord>,
    /// Scores of the newest scored checkpoint.
    pub scores: Vec<ScoreRecord>,
}

/// The plan of `out` and the state of each of its runs.
///
/// # Errors
/// When `out` holds no plan, or a record is malformed.
pub fn status(out: &Path) -> Result<(PlanRecord, Vec<RunState>)> {
    let plan: PlanRecord = run_dir::read_json(&out.join("plan.json"))?;
    let states = plan.runs.iter().map(|name| state(out, name)).collect::<Result<_>>()?;
    Ok((plan, states))
}

fn state(out: &Path, name: &str) -> Result<RunState> {
    let dir = RunDir::new(out.join("runs").join(name));
    let mut scores = dir.scores()?;
    let newest = scores.iter().map(|s| s.gen_updates).max();
    scores.retain(|s| Some(s.gen_updates) == newest);
    Ok(RunState { name: name.into(), status: dir.status()?, scores })
}
