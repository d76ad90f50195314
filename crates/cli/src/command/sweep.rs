//! `sngan sweep`.

use super::{device, threads};
use crate::args::Sweep;
use crate::progress::{Meter, Position};
use crate::{Ended, experiments, signals};
use anyhow::{Result, bail};
use sngan_experiment::records::{ScoreRecord, Status};
use sngan_experiment::{Plan, RunDir, RunSpec, machine};
use sngan_sweep::{Event, SweepOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A sweep as given on the command line.
struct Asked {
    plan: Plan,
    out: PathBuf,
    options: SweepOptions,
}

impl Asked {
    fn of(arguments: &Sweep, folder: Option<&Path>) -> Result<Asked> {
        let seeds = arguments.seeds.as_ref().map(|s| s.0.as_slice());
        let mut plan =
            experiments::find(&arguments.experiment, folder)?.plan_with(&arguments.scale, seeds)?;
        keep(&mut plan.specs, "row", &arguments.method, RunSpec::is_of_row)?;
        keep(&mut plan.specs, "setting", &arguments.setting, RunSpec::is_in_setting)?;
        let out = arguments
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from(format!("runs/{}-{}", plan.name, plan.scale)));
        let options = SweepOptions {
            threads: threads(arguments.machine.threads),
            retry_failed: arguments.retry_failed,
            memory: arguments.memory.map_or_else(free_memory, |mb| mb.saturating_mul(1024 * 1024)),
            shard: arguments.shard,
            source: crate::SOURCE,
            extend: arguments.seeds.is_some()
                || !arguments.method.is_empty()
                || !arguments.setting.is_empty(),
        };
        Ok(Asked { plan, out, options })
    }

    fn specs(&self) -> Vec<&RunSpec> {
        sngan_sweep::runs_of(&self.plan, self.options.shard)
    }

    fn heading(&self) -> String {
        let (specs, all) = (self.specs().len(), self.plan.specs.len());
        let of_all = if specs == all { String::new() } else { format!(" of {all}") };
        let Asked { plan, out, options } = self;
        format!(
            "{} at scale {}: {specs}{of_all} runs into {}, {} threads",
            plan.name,
            plan.scale,
            out.display(),
            options.threads
        )
    }
}

/// Keeps the specs that match one of `names`, or all if none are given. Each name must match a
/// spec.
fn keep(
    specs: &mut Vec<RunSpec>,
    what: &str,
    names: &[String],
    fits: impl Fn(&RunSpec, &str) -> bool,
) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !specs.iter().any(|s| fits(s, name))) {
        bail!("no run of {what} `{name}`; `sngan plan` lists every run");
    }
    if !names.is_empty() {
        specs.retain(|s| names.iter().any(|name| fits(s, name)));
    }
    Ok(())
}

pub(crate) fn run(arguments: &Sweep, folder: Option<&Path>) -> Result<Ended> {
    let asked = Asked::of(arguments, folder)?;
    println!("{}", asked.heading());
    let Asked { plan, out, options } = asked;
    let specs = sngan_sweep::runs_of(&plan, options.shard);

    let work = Work::new(&specs, &out)?;
    let progress = Meter::new("updates");
    progress.set(work.position(), String::new);
    let ended = AtomicU64::new(0);
    let events = |event: &Event| {
        match event {
        Event::Scoring { backbone: Some(backbone) } => {
            progress.println(&format!("scores through {backbone}"))
        }
        Event::Scoring { backbone: None } => {
            progress.println("no scores: the experiment names no backbone, or none that is here")
        }
        Event::Dropped { runs } => progress.println(&format!(
            "{} runs that were planned before are not in the experiment any more, and count no longer (--seeds, --method or --setting keep them): {}",
            runs.len(),
            runs.join(", ")
        )),
        Event::Started { .. } => {}
        Event::Pictures { set, remark } => progress.warn(&format!("{set}: {remark}")),
        Event::Warning { run, warning } => progress.warn(&format!("{run}: {warning}")),
        Event::Progress { run, gen_update, .. } => {
            work.done(run, *gen_update);
            progress.set(work.position(), || run.clone());
        }
        Event::Ended { run, status, reason, scores } => {
            // A diverged or failed run also leaves nothing to do.
            if *status != Status::Interrupted {
                work.done(run, u64::MAX);
            }
            let n = ended.fetch_add(1, Ordering::Relaxed) + 1;
            let what = reason.as_ref().map_or_else(String::new, |r| format!(": {r}"));
            let score =
                if scores.is_empty() { String::new() } else { format!("  {}", describe(scores)) };
            progress.println(&format!(
                "[{n}/{}] {run} {}{what}{score}",
                specs.len(),
                status_name(*status)
            ));
        }
    }
    };
    let stop = signals::stop_flag()?;
    let result = sngan_sweep::run(
        &plan,
        &out,
        Some(&arguments.data.data_dir),
        &device(&arguments.machine)?,
        &options,
        &stop,
        &events,
    );
    progress.finish();
    let s = result?;
    let elsewhere = if s.elsewhere > 0 {
        format!(", {} left to another sweep that is at them", s.elsewhere)
    } else {
        String::new()
    };
    println!(
        "{} completed, {} diverged, {} failed, {} interrupted or not begun{elsewhere}",
        s.completed, s.diverged, s.failed, s.interrupted
    );
    if s.failed > 0 {
        println!(
            "the same command takes up again what a disk or file stopped; --retry-failed tries the other failed runs too"
        );
    }
    Ok(match (s.interrupted, s.failed) {
        (0, 0) => Ended::Well,
        (0, _) => Ended::WithFailures,
        _ => Ended::Interrupted,
    })
}

/// Three quarters of the bytes that the system reports as free; no bound if it does not report
/// them.
fn free_memory() -> u64 {
    machine::available_memory().map_or(u64::MAX, |bytes| bytes / 4 * 3)
}

/// What a sweep would do with each run.
pub(crate) fn intentions(arguments: &Sweep, folder: Option<&Path>) -> Result<Vec<String>> {
    let asked = Asked::of(arguments, folder)?;
    let mut lines = vec![asked.heading()];
    for spec in asked.specs() {
        let dir = sngan_sweep::dir_of_run(&asked.out, spec)?;
        lines.push(format!(
            "{:<40} {}",
            dir.name(),
            intention(&dir, spec, asked.options.retry_failed)?
        ));
    }
    Ok(lines)
}

/// What would be done with one run.
pub(crate) fn intention(dir: &RunDir, spec: &RunSpec, retry_failed: bool) -> Result<String> {
    Ok(match dir.status()? {
        None => "start".into(),
        Some(s) if s.status == Status::Failed && !retry_failed => {
            format!("leave as failed at {}; --retry-failed tries again", s.gen_updates)
        }
        Some(s) if s.status == Status::Diverged => format!("keep: diverged at {}", s.gen_updates),
        Some(s) if s.status == Status::Completed && s.gen_updates >= spec.gen_updates => {
            "keep: completed; score it where that is missing".into()
        }
        Some(s) => format!("continue from a checkpoint at {} or later", s.gen_updates),
    })
}

/// The progress of every run of a sweep, weighted by the cost of its updates: the most expensive
/// runs come first.
struct Work {
    runs: Mutex<BTreeMap<String, Share>>,
}

struct Share {
    done: u64,
    total: u64,
    cost_per_update: f64,
}

impl Work {
    /// Starts from the folder's records.
    fn new(specs: &[&RunSpec], out: &Path) -> Result<Work> {
        let mut runs = BTreeMap::new();
        for spec in specs {
            let dir = sngan_sweep::dir_of_run(out, spec)?;
            let status = dir.status()?;
            let done = status.map_or(0, |s| {
                if s.status == Status::Diverged { spec.gen_updates } else { s.gen_updates }
            });
            let cost_per_update = spec.multiply_adds()? / spec.gen_updates.max(1) as f64;
            runs.insert(
                dir.name(),
                Share {
                    done: done.min(spec.gen_updates),
                    total: spec.gen_updates,
                    cost_per_update,
                },
            );
        }
        Ok(Work { runs: Mutex::new(runs) })
    }

    fn done(&self, run: &str, updates: u64) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = runs.get_mut(run) {
            share.done = updates.min(share.total);
        }
    }

    fn position(&self) -> Position {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |f: fn(&Share) -> f64| runs.values().map(f).sum::<f64>();
        let share = sum(|s| s.done as f64 * s.cost_per_update)
            / sum(|s| s.total as f64 * s.cost_per_update).max(1.0);
        Position {
            done: runs.values().map(|s| s.done).sum(),
            total: Some(runs.values().map(|s| s.total).sum()),
            share,
        }
    }
}

pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Completed => "completed",
        Status::Diverged => "diverged",
        Status::Interrupted => "interrupted",
        Status::Failed => "failed",
    }
}

/// Scores under their full names.
pub(crate) fn describe(scores: &[ScoreRecord]) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_string(), |x| format!("{x:.3}"));
    let one = |s: &ScoreRecord| {
        let spread = s.std.map_or_else(String::new, |x| format!(" ± {x:.3}"));
        format!("{}[{}] {}{spread}", s.metric.name(), s.protocol.backbone, number(s.value))
    };
    scores.iter().map(one).collect::<Vec<_>>().join("  ")
}
