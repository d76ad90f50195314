//! `sngan sweep` and `sngan status`.

use super::{device, threads};
use crate::args::Sweep;
use crate::progress::Progress;
use crate::{Ended, experiments, signals};
use anyhow::Result;
use sngan_experiment::records::{ScoreRecord, Status};
use sngan_sweep::{Event, SweepOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) fn run(arguments: &Sweep, folder: Option<&Path>) -> Result<Ended> {
    let plan = experiments::find(&arguments.experiment, folder)?.plan(&arguments.scale)?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("runs/{}-{}", plan.name, plan.scale)));
    let options = SweepOptions { threads: threads(arguments.machine.threads), retry_failed: arguments.retry_failed };
    println!("{} at scale {}: {} runs into {}, {} threads", plan.name, plan.scale, plan.specs.len(), out.display(), options.threads);

    let total: u64 = plan.specs.iter().map(|s| s.gen_updates).sum();
    let progress = Progress::new(Some(total), "updates");
    let (done, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let events = |event: &Event| match event {
        Event::Started { .. } => {}
        Event::Progress { run, .. } => {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress.set(done, || run.clone());
        }
        Event::Ended { run, status, reason, score } => {
            let n = ended.fetch_add(1, Ordering::Relaxed) + 1;
            let what = reason.as_ref().map_or_else(String::new, |r| format!(": {r}"));
            let score = score.as_ref().map_or_else(String::new, |s| format!("  {}", describe(s)));
            progress.println(&format!("[{n}/{}] {run} {}{what}{score}", plan.specs.len(), name(*status)));
        }
    };
    let stop = signals::stop_flag()?;
    let result = sngan_sweep::run(&plan, &out, Some(&arguments.machine.data_dir), &device(&arguments.machine)?, &options, &stop, &events);
    progress.finish();
    let s = result?;
    println!("{} completed, {} diverged, {} failed, {} interrupted or not begun", s.completed, s.diverged, s.failed, s.interrupted);
    Ok(match (s.interrupted, s.failed) {
        (0, 0) => Ended::Well,
        (0, _) => Ended::WithFailures,
        _ => Ended::Interrupted,
    })
}

/// Prints one line per planned run.
pub(crate) fn status(out: &Path) -> Result<Ended> {
    let (plan, runs) = sngan_sweep::status(out)?;
    println!("{} at scale {}: {} runs", plan.name, plan.scale, runs.len());
    for run in &runs {
        let (status, updates, reason) = match &run.status {
            None => ("not begun", 0, None),
            Some(s) => (name(s.status), s.gen_updates, s.reason.as_deref()),
        };
        let score = run.score.as_ref().map_or_else(String::new, describe);
        println!("{:<40} {status:<12} {updates:>8} updates  {score}{}", run.name, reason.unwrap_or_default());
    }
    Ok(Ended::Well)
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Completed => "completed",
        Status::Diverged => "diverged",
        Status::Interrupted => "interrupted",
        Status::Failed => "failed",
    }
}

/// Both scores under their full names.
pub(crate) fn describe(score: &ScoreRecord) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_string(), |x| format!("{x:.3}"));
    let backbone = &score.protocol.backbone;
    format!("is[{backbone}] {} ± {}  fid[{backbone}] {}", number(score.is_mean), number(score.is_std), number(score.fid))
}
