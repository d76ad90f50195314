//! The sweep itself.

use crate::evaluator::evaluator;
use crate::event::{Event, Summary};
use crate::plan::write_plan;
use crate::score::{score_during, score_run, spectra_of_run, until};
use crate::workers::{pool, runs_of, workers};
use crate::{Error, ImageSets, Result, Shard};
use sngan_core::trainer::{self, Backend, Outcome, TrainOptions, train_locked};
use sngan_data::{ImageSource, Places};
use sngan_eval::{Backbone, Evaluator};
use sngan_experiment::records::{ScoreRecord, Source, Status};
use sngan_experiment::{FolderLock, Plan, RunDir, RunSpec};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How a sweep is carried out; none of it changes any bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepOptions {
    /// Threads in all. Runs go side by side with one each; only when there are fewer runs than threads does a run get more.
    pub threads: usize,
    /// Whether runs that failed before are tried again.
    pub retry_failed: bool,
    /// Bytes of memory that runs side by side may need by [`RunSpec::memory`]; fewer go at a time, with more threads each, where they would
    /// need more.
    pub memory: u64,
    /// Which part of the plan is carried out.
    pub shard: Shard,
    /// What the program was built from, for the provenance.
    pub source: Source,
    /// Whether runs that the folder's plan already names stay in it, beside those of this plan: for more seeds of the same experiment.
    pub extend: bool,
}

/// What a sweep runs on.
pub struct Devices<'a> {
    /// What trains, in turn, and draws the samples that are scored.
    pub backends: &'a [&'a dyn Backend],
    /// Brings the network that scores to what runs it; one serves all runs.
    pub backbone: &'a (dyn Fn(Backbone) -> sngan_eval::Result<Backbone> + Sync),
}

/// Carries out `plan` in the folder `out`. Completed and diverged runs are kept, killed ones resume; when `stop` is set every running one
/// writes a checkpoint and the sweep returns. Several sweeps may work in one folder: each run is locked by the one that is at it, and left
/// to it by the others.
///
/// # Errors
/// Missing data, a folder of another plan. An error within a run is that run's status, and the others go on.
pub fn run(
    plan: &Plan,
    out: &Path,
    places: &Places,
    devices: &Devices<'_>,
    options: &SweepOptions,
    stop: &AtomicBool,
    events: &(dyn Fn(&Event) + Sync),
) -> Result<Summary> {
    // First of all: a sweep without its data leaves nothing behind.
    let images = ImageSets::load(&plan.specs, places)?;
    let images = if plan.watch_held_out { images.with_held_out(places)? } else { images };
    for (set, remark) in images.remarks() {
        events(&Event::Pictures { set, remark });
    }
    // Whoever comes first clears away what a killed sweep left.
    drop(FolderLock::take(out));
    let _lock = FolderLock::share(out)?;
    let dropped = write_plan(plan, out, options.extend)?;
    if !dropped.is_empty() {
        events(&Event::Dropped { runs: dropped });
    }
    // Nothing else runs yet.
    let evaluator = pool(options.threads)?
        .install(|| evaluator(plan, &images, out, places, devices.backbone, &until(stop)))?;
    events(&Event::Scoring {
        backbone: evaluator.as_ref().map(|e| e.backbone().name().to_string()),
    });
    let order = runs_of(plan, options.shard);
    let backends = devices.backends;
    let workers = workers(&order, backends, options)?;
    let threads = (options.threads / workers).max(1);
    let sweep = Sweep { plan, out, backends, options, stop, events, images, evaluator, threads };
    let next = AtomicUsize::new(0);
    let summary = Mutex::new(Summary::default());
    let pools: Vec<_> = (0..workers).map(|_| pool(threads)).collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        for (worker, pool) in pools.iter().enumerate() {
            let (sweep, order, next, summary) = (&sweep, &order, &next, &summary);
            scope.spawn(move || {
                while let Some(spec) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let status = pool.install(|| sweep.one(spec, worker));
                    summary.lock().unwrap_or_else(PoisonError::into_inner).count(status);
                }
            });
        }
    });
    Ok(summary.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The folder of a run of the sweep in `out`: the one that is there, though an earlier version may have named it otherwise.
///
/// # Errors
/// When the sweep's folder cannot be listed.
pub fn dir_of_run(out: &Path, spec: &RunSpec) -> Result<RunDir> {
    Ok(RunDir::new(spec.folder_in(&out.join("runs"))?))
}

/// Whether a sweep, in this process or another, is at work in `out`.
pub fn is_busy(out: &Path) -> bool {
    FolderLock::is_taken(out)
}

struct Sweep<'a> {
    plan: &'a Plan,
    out: &'a Path,
    backends: &'a [&'a dyn Backend],
    options: &'a SweepOptions,
    stop: &'a AtomicBool,
    events: &'a (dyn Fn(&Event) + Sync),
    images: ImageSets,
    evaluator: Option<Evaluator>,
    /// Threads of each run.
    threads: usize,
}

impl Sweep<'_> {
    /// Trains and scores one run; whatever goes wrong becomes its status. [`Status::Running`]: another sweep is at it.
    fn one(&self, spec: &RunSpec, worker: usize) -> Status {
        let dir = match dir_of_run(self.out, spec) {
            Ok(dir) => dir,
            Err(e) => {
                let (run, reason) = (spec.dir_name(), Some(e.to_string()));
                let scores = Vec::new();
                (self.events)(&Event::Ended { run, status: Status::Failed, reason, scores });
                return Status::Failed;
            }
        };
        let run = dir.name();
        if self.stop.load(Ordering::Relaxed) {
            return Status::Interrupted;
        }
        let lock = match FolderLock::take(dir.path()) {
            Ok(lock) => Ok(lock),
            Err(sngan_experiment::Error::Busy { .. }) => {
                (self.events)(&Event::Ended {
                    run,
                    status: Status::Running,
                    reason: None,
                    scores: Vec::new(),
                });
                return Status::Running;
            }
            Err(e) => Err(Error::from(e)),
        };
        let failed_before = dir.status().ok().flatten().filter(|s| s.status == Status::Failed);
        let (status, reason, scores) = match failed_before {
            Some(s) if !self.options.retry_failed => (Status::Failed, s.reason, Vec::new()),
            _ => {
                (self.events)(&Event::Started { run: run.clone() });
                // A panic in one run must not take the other runs' hours with it.
                let result = lock.and_then(|lock| {
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        self.train_and_score(&lock, &dir, spec, worker)
                    }));
                    result.unwrap_or_else(|_| {
                        Err(Error::Invalid(
                            "the run panicked; the message is on standard error".into(),
                        ))
                    })
                });
                match result {
                    Ok((Outcome::Completed, scores)) => (Status::Completed, None, scores),
                    Ok((Outcome::Diverged { gen_update, reason }, _)) => (
                        Status::Diverged,
                        Some(format!("at generator update {gen_update}: {reason}")),
                        Vec::new(),
                    ),
                    Ok((Outcome::Interrupted { .. }, _)) => (Status::Interrupted, None, Vec::new()),
                    // What is trained is kept; the same sweep scores it.
                    Err(e) if e.is_interruption() => (Status::Interrupted, None, Vec::new()),
                    Err(e) => (Status::Failed, Some(self.record_failure(&dir, &e)), Vec::new()),
                }
            }
        };
        (self.events)(&Event::Ended { run, status, reason, scores });
        status
    }

    /// Writes the status where the folder is this run's; training has done so for its own errors. A disk that fails only interrupts a run: the
    /// same sweep takes it up again.
    fn record_failure(&self, dir: &RunDir, error: &Error) -> String {
        let anothers = matches!(
            error,
            Error::Core(sngan_core::Error::Experiment(
                sngan_experiment::Error::SpecChanged { .. }
                    | sngan_experiment::Error::OtherImages { .. }
            ))
        );
        if !anothers && dir.spec_path().exists() {
            let before = dir.status().ok().flatten();
            // What is trained stays trained, though it could not be scored.
            let completed = before.as_ref().is_some_and(|s| s.status == Status::Completed);
            let status = sngan_core::status_after(error);
            if !completed
                && let Err(e) = dir.write_status(
                    status,
                    before.map_or(0, |s| s.gen_updates),
                    Some(error.to_string()),
                )
            {
                return format!("{error} (and the status could not be written: {e})");
            }
        }
        error.to_string()
    }

    fn train_and_score(
        &self,
        lock: &FolderLock,
        dir: &RunDir,
        spec: &RunSpec,
        worker: usize,
    ) -> Result<(Outcome, Vec<ScoreRecord>)> {
        let mut warn = |warning| (self.events)(&Event::Warning { run: dir.name(), warning });
        let backend = self.backends[worker % self.backends.len()];
        let outcome = train_locked(
            lock,
            spec,
            self.images_of(spec)?,
            backend,
            &TrainOptions {
                threads: self.threads,
                log_every: self.plan.score.log_every,
                checkpoint_every: self.plan.score.checkpoint_every,
                sample_every: 0,
                eval_every: self.plan.score.eval_every,
                source: self.options.source,
                held_out: self.images.held_out_of(spec),
            },
            self.stop,
            &mut |event| {
                let (p, trainer) = match event {
                    trainer::Event::Warning(warning) => {
                        warn(warning);
                        return Ok(());
                    }
                    trainer::Event::Update(p, trainer) => (p, trainer),
                };
                if let Some(evaluator) = &self.evaluator {
                    let every = self.plan.score.eval_every;
                    score_during(dir, spec, evaluator, every, &p, trainer, self.stop)?;
                }
                (self.events)(&Event::Progress {
                    run: dir.name(),
                    gen_update: p.gen_update,
                    total: p.total,
                    loss_d: p.loss_d,
                    loss_g: p.loss_g,
                });
                Ok(())
            },
        )?;
        if outcome != Outcome::Completed {
            return Ok((outcome, Vec::new()));
        }
        let scores = match &self.evaluator {
            Some(evaluator) => {
                score_run(dir, spec, backend, evaluator, &until(self.stop), &mut warn)?
            }
            None => Vec::new(),
        };
        spectra_of_run(dir, spec, &mut warn)?;
        Ok((outcome, scores))
    }

    fn images_of(&self, spec: &RunSpec) -> Result<&dyn ImageSource> {
        self.images
            .of(spec)
            .ok_or_else(|| Error::Invalid(format!("no images were loaded for {}", spec.dir_name())))
    }
}
