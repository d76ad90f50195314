//! Reading the folders of records for tables, figures, claims and reports.

use anyhow::{Result, bail};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::run_dir;
use sngan_plot::records::is_run;
use sngan_plot::{Damaged, ScoredSweep};
use std::path::{Path, PathBuf};

/// Where `sngan bench figure10` leaves its record, beside the sweeps' folders.
pub(super) const TIMINGS_FOLDER: &str = "figure10";
/// The record's file.
pub(super) const TIMINGS: &str = "figure10.json";

/// The contents of several folders.
#[derive(Default)]
pub(super) struct Records {
    pub(super) sweeps: Vec<ScoredSweep>,
    pub(super) timings: Option<UpdateTimings>,
}

/// Whether a folder holds the records of a sweep or timings.
pub(super) fn has_any(folder: &Path) -> bool {
    folder.join("plan.json").exists() || folder.join(TIMINGS).exists()
}

/// A sweep's records, with a warning for each run that is damaged and left out.
pub(super) fn read_sweep(folder: &Path) -> Result<ScoredSweep> {
    let sweep = ScoredSweep::read(folder)?;
    warn_of_damaged(&sweep.damaged);
    Ok(sweep)
}

/// Where the drawings of several runs go.
const DRAWN: &str = "runs/drawn";

/// Where the drawings of these folders go: the place that was given, else the only folder.
pub(super) fn place(paths: &[PathBuf], given: Option<PathBuf>) -> PathBuf {
    match (given, paths) {
        (Some(given), _) => given,
        (None, [one]) => one.clone(),
        (None, _) => DRAWN.into(),
    }
}

/// The records of a sweep, or of single runs, whose drawings go to `out`.
pub(super) fn read_any(paths: &[PathBuf], out: &Path) -> Result<ScoredSweep> {
    if let Some(other) = paths.iter().find(|path| paths.len() > 1 && !is_run(path)) {
        bail!("{} is no run; name one sweep alone, or any number of run folders", other.display());
    }
    let sweep = match paths {
        [one] if !is_run(one) => ScoredSweep::read(one)?,
        runs => ScoredSweep::of_runs(runs, out)?,
    };
    warn_of_damaged(&sweep.damaged);
    Ok(ScoredSweep { path: out.to_path_buf(), ..sweep })
}

/// Says which runs are left out, and why.
pub(super) fn warn_of_damaged(damaged: &[Damaged]) {
    for run in damaged {
        eprintln!("warning: {} is left out: {}", run.name, run.reason);
    }
}

/// The committed sweep of the same experiment and scale, where the program runs in the repository
/// and `sweep` is another.
pub(super) fn committed_beside(sweep: &ScoredSweep) -> Result<Option<ScoredSweep>> {
    let folder = Path::new("results").join(format!("{}-{}", sweep.plan.name, sweep.plan.scale));
    let there = || sweep.path.canonicalize().ok();
    if !has_any(&folder) || folder.canonicalize().ok() == there() {
        return Ok(None);
    }
    Ok(Some(read_sweep(&folder)?))
}

/// Reads every folder's records; no two may be of the same experiment.
pub(super) fn read(folders: &[PathBuf]) -> Result<Records> {
    let mut records = Records::default();
    for folder in folders {
        if !has_any(folder) {
            bail!("{} holds neither a sweep's plan.json nor {TIMINGS}", folder.display());
        }
        if folder.join(TIMINGS).exists() {
            if records.timings.is_some() {
                bail!("{} holds a second {TIMINGS}; name one folder of timings", folder.display());
            }
            records.timings = Some(run_dir::read_json(&folder.join(TIMINGS))?);
        }
        if folder.join("plan.json").exists() {
            let sweep = read_sweep(folder)?;
            if let Some(other) = records.sweeps.iter().find(|s| s.plan.name == sweep.plan.name) {
                bail!(
                    "{} and {} hold the same experiment `{}`; name one of them",
                    other.path.display(),
                    folder.display(),
                    sweep.plan.name
                );
            }
            records.sweeps.push(sweep);
        }
    }
    Ok(records)
}
