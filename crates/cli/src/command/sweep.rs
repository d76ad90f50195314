//! `sngan sweep`.

mod best;

use self::best::Best;
use super::device::{Chosen, for_sweep};
use super::own::Own;
use super::plan::time;
use super::{Change, Job, no_scores, own, tensorboard, threads};
use crate::args::Sweep;
use crate::progress::{Meter, Position};
use crate::say::{agreeing, counted, quoted, say};
use crate::table::wrap;
use crate::{Ended, signals};
use anyhow::{Result, bail};
use sngan_core::trainer::Backend;
use sngan_experiment::records::{ScoreRecord, Status};
use sngan_experiment::{Changes, Plan, RunDir, RunSpec, machine};
use sngan_plot::compares_with_others;
use sngan_sweep::{Devices, Event, SweepOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A sweep as given on the command line.
struct Asked {
    plan: Plan,
    /// Its own images, if they were named.
    own: Option<Own>,
    out: PathBuf,
    options: SweepOptions,
}

impl Asked {
    fn of(arguments: &Sweep, folder: Option<&Path>) -> Result<Asked> {
        let changes = Changes {
            methods: arguments.method.clone(),
            settings: arguments.setting.clone(),
            seeds: arguments.seeds.as_ref().map(|s| s.0.clone()),
            set: arguments.set.clone(),
        };
        let (file, own) = own::experiment(arguments.experiment.as_deref(), &arguments.own, folder)?;
        let plan = file.plan_with(&arguments.scale, &changes)?;
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
            extend: changes != Changes::default() || arguments.own.folder.is_some(),
        };
        Ok(Asked { plan, own, out, options })
    }

    fn specs(&self) -> Vec<&RunSpec> {
        sngan_sweep::runs_of(&self.plan, self.options.shard)
    }

    /// What will be done with each run.
    fn changes(&self) -> Result<Vec<Change>> {
        let mut changes = vec![Change::said(self.heading())];
        for spec in self.specs() {
            let dir = sngan_sweep::dir_of_run(&self.out, spec)?;
            let does = intention(&dir, spec, self.options.retry_failed)?;
            changes.push(Change::said(format!("{:<40} {does}", dir.name())));
        }
        Ok(changes)
    }

    fn heading(&self) -> String {
        let (specs, all) = (self.specs().len(), counted(self.plan.specs.len(), "run"));
        let part = specs != self.plan.specs.len();
        let runs = if part { format!("{specs} of {all}") } else { all };
        let Asked { plan, out, options, .. } = self;
        format!(
            "{} at scale {}: {runs} into {}, {}",
            plan.name,
            plan.scale,
            out.display(),
            counted(options.threads, "thread")
        )
    }
}

pub(crate) fn job(arguments: Sweep, folder: Option<&Path>) -> Result<Job> {
    let asked = Asked::of(&arguments, folder)?;
    own::refuse_out(&asked.out, arguments.own.folder.as_deref())?;
    if RunDir::new(&asked.out).spec_path().is_file() {
        bail!("{} holds a single run; choose another --out for a sweep", asked.out.display());
    }
    Ok(Job::that_changes(asked.changes()?, move || run(&arguments, asked)))
}

fn run(arguments: &Sweep, asked: Asked) -> Result<Ended> {
    say!("{}", asked.heading());
    let Asked { plan, own, out, options } = asked;
    // Runs may differ in side and networks.
    let described = own.iter().flat_map(|own| plan.specs.iter().map(|spec| own.describe(spec)));
    described.collect::<BTreeSet<_>>().iter().for_each(|line| say!("{}", wrap(line)));
    let specs = sngan_sweep::runs_of(&plan, options.shard);

    let places = own::places(&arguments.data, &arguments.own);
    let dataset = specs.first().map(|spec| spec.dataset);
    let without = dataset.and_then(|dataset| no_scores::reason(&plan.score, dataset, &places));
    let work = Work::new(&specs, &out)?;
    let progress = Meter::new("updates");
    progress.set(work.position(), String::new);
    let (ended, best, started) = (AtomicU64::new(0), Best::default(), Instant::now());
    let events = |event: &Event| {
        match event {
        Event::Scoring { backbone: Some(backbone) } => {
            progress.println(&format!("scores through {backbone}"))
        }
        Event::Scoring { backbone: None } => {
            let why = without.as_deref().unwrap_or("the experiment asks for none");
            progress.println(&wrap(&format!("no scores: {why}")));
        }
        Event::Dropped { runs } => progress.println(&wrap(&format!(
            "{} that {} planned before {} not in the experiment any more, and {} no longer (--seeds, --method or --setting keep them): {}",
            counted(runs.len(), "run"),
            agreeing(runs.len(), "was", "were"),
            agreeing(runs.len(), "is", "are"),
            agreeing(runs.len(), "counts", "count"),
            runs.join(", ")
        ))),
        Event::Started { .. } => {}
        Event::Pictures { set, remark } => progress.warn(&format!("{set}: {remark}")),
        Event::Warning { run, warning } => progress.warn(&format!("{run}: {warning}")),
        Event::Progress { run, gen_update, loss_d, loss_g, .. } => {
            work.done(run, *gen_update);
            progress.set(work.position(), || {
                format!("{run}, loss D {loss_d:.3} G {loss_g:.3}{}", best.newest())
            });
        }
        Event::Ended { run, status, reason, scores } => {
            // A diverged or failed run also leaves nothing to do.
            if *status != Status::Interrupted {
                work.done(run, u64::MAX);
            }
            best.add(run, scores);
            let n = ended.fetch_add(1, Ordering::Relaxed) + 1;
            let what = reason.as_ref().map_or_else(String::new, |r| format!(": {r}"));
            let score =
                if scores.is_empty() { String::new() } else { format!("  {}", describe(scores)) };
            let status = status_name(*status);
            progress.println(&wrap(&format!("[{n}/{}] {run} {status}{what}{score}", specs.len())));
        }
    }
    };
    let chosen = for_sweep(&arguments.machine)?;
    let backends: Vec<&dyn Backend> = chosen.iter().map(Chosen::backend).collect();
    // The first GPU scores; on it runs wait for each other, in the order in which they end.
    let scores = chosen.iter().find(|c| c.backend().accelerator().is_some());
    let backbone = |network| match scores {
        Some(gpu) => gpu.backbone(network),
        None => Ok(network),
    };
    let devices = Devices { backends: &backends, backbone: &backbone };
    let stop = signals::stop_flag()?;
    let sweep = || -> Result<sngan_sweep::Summary> {
        Ok(sngan_sweep::run(&plan, &out, &places, &devices, &options, &stop, &events)?)
    };
    let result = if arguments.tensorboard {
        let dirs: Vec<PathBuf> = specs
            .iter()
            .map(|spec| Ok(sngan_sweep::dir_of_run(&out, spec)?.path().to_path_buf()))
            .collect::<Result<_>>()?;
        say!("{}", wrap(&format!("`tensorboard --logdir {}` shows the runs", out.display())));
        tensorboard::beside(&dirs, sweep)
    } else {
        sweep()
    };
    progress.finish();
    let s = result?;
    let elsewhere = if s.elsewhere > 0 {
        format!(", {} left to another sweep that is at them", s.elsewhere)
    } else {
        String::new()
    };
    say!(
        "{} completed, {} diverged, {} failed, {} interrupted or not begun{elsewhere}, in {}",
        s.completed,
        s.diverged,
        s.failed,
        s.interrupted,
        time(started.elapsed().as_secs_f64())
    );
    if s.failed > 0 {
        say!(
            "{}",
            wrap(
                "the same command takes up again what a disk or file stopped; --retry-failed tries the other failed runs too"
            )
        );
    }
    best.lines().iter().for_each(|line| say!("{}", wrap(line)));
    let folder = quoted(&out);
    if s.interrupted > 0 {
        say!("Next: the same command continues; `sngan status {folder}` shows each run");
    } else {
        say!("Next: `sngan draw {folder}`, `sngan report {folder}`");
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
    state: Mutex<Totals>,
}

/// Sums over all runs, kept up to date: a sweep of a hundred thousand must not add them up at every
/// update.
struct Totals {
    runs: BTreeMap<String, Share>,
    done: u64,
    total: u64,
    done_cost: f64,
    total_cost: f64,
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
        let mut state =
            Totals { runs: BTreeMap::new(), done: 0, total: 0, done_cost: 0.0, total_cost: 0.0 };
        for share in runs.values() {
            state.done += share.done;
            state.total += share.total;
            state.done_cost += share.done as f64 * share.cost_per_update;
            state.total_cost += share.total as f64 * share.cost_per_update;
        }
        state.runs = runs;
        Ok(Work { state: Mutex::new(state) })
    }

    fn done(&self, run: &str, updates: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if let Some(share) = state.runs.get_mut(run) {
            let updates = updates.min(share.total);
            state.done = state.done - share.done + updates;
            state.done_cost += (updates as f64 - share.done as f64) * share.cost_per_update;
            share.done = updates;
        }
    }

    fn position(&self) -> Position {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Position {
            done: state.done,
            total: Some(state.total),
            share: state.done_cost / state.total_cost.max(1.0),
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

/// Scores under their metrics' names; under their protocols' where a metric has several. What they compare with is named where it is not
/// the run's own.
pub(crate) fn describe(scores: &[ScoreRecord]) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "–".to_string(), |x| format!("{x:.3}"));
    let one = |s: &ScoreRecord| {
        let spread = s.std.map_or_else(String::new, |x| format!(" ± {x:.3}"));
        let key = |s: &ScoreRecord| (s.metric, s.protocol.backbone.clone());
        let several = scores.iter().filter(|other| key(other) == key(s)).count() > 1;
        let name = if several { s.protocol.name.as_str() } else { s.metric.name() };
        let others = several || compares_with_others(&s.protocol);
        let against = s.protocol.reference.as_ref().filter(|_| others);
        let against = against.map_or_else(String::new, |r| format!(" against {}", r.name));
        format!("{name}[{}]{against} {}{spread}", s.protocol.backbone, number(s.value))
    };
    scores.iter().map(one).collect::<Vec<_>>().join("  ")
}
