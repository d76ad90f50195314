//! The sweep itself.

use crate::evaluator::evaluator;
use crate::score::{score_during, score_run, spectra_of_run, until};
use crate::{Error, ImageSets, Result, Shard};
use sngan_core::Warning;
use sngan_core::trainer::{self, Backend, Outcome, TrainOptions, train_locked};
use sngan_data::{ImageSource, Places};
use sngan_eval::{Backbone, Evaluator};
use sngan_experiment::records::{PlanRecord, Record, ScoreRecord, Source, Status};
use sngan_experiment::{FolderLock, Plan, RunDir, RunSpec, atomic, one_at_a_time, run_dir};
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

/// What happened, told from the thread it happened in.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Pictures of a set were left out, or read in a way that may surprise.
    Pictures {
        /// The set's name.
        set: String,
        /// What happened to which.
        remark: String,
    },
    /// What runs will be scored through.
    Scoring {
        /// The network's name; none where nothing is scored.
        backbone: Option<String>,
    },
    /// Runs that were planned before are not part of the experiment any more: they stay in their folders and count no longer.
    Dropped {
        /// Folder names.
        runs: Vec<String>,
    },
    /// A run begins or continues.
    Started {
        /// Folder name.
        run: String,
    },
    /// Something about a run is not as it should be, and it goes on.
    Warning {
        /// Folder name.
        run: String,
        /// What.
        warning: Warning,
    },
    /// A generator update is done.
    Progress {
        /// Folder name.
        run: String,
        /// Generator updates done.
        gen_update: u64,
        /// Of so many.
        total: u64,
        /// D's loss.
        loss_d: f64,
        /// G's loss.
        loss_g: f64,
    },
    /// A run ended.
    Ended {
        /// Folder name.
        run: String,
        /// How.
        status: Status,
        /// The reason for divergence or failure.
        reason: Option<String>,
        /// Its scores, where there are any.
        scores: Vec<ScoreRecord>,
    },
}

/// How many runs ended how, those that were done before included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Reached their horizon (and were scored).
    pub completed: usize,
    /// Diverged.
    pub diverged: usize,
    /// Failed.
    pub failed: usize,
    /// Stopped, or not begun because the sweep was stopped.
    pub interrupted: usize,
    /// Left to another sweep that is at them.
    pub elsewhere: usize,
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

impl Summary {
    fn count(&mut self, status: Status) {
        match status {
            Status::Completed => self.completed += 1,
            Status::Diverged => self.diverged += 1,
            Status::Failed => self.failed += 1,
            Status::Interrupted => self.interrupted += 1,
            Status::Running => self.elsewhere += 1,
        }
    }
}

/// The folder of a run of the sweep in `out`: the one that is there, though an earlier version may have named it otherwise.
///
/// # Errors
/// When the sweep's folder cannot be listed.
pub fn dir_of_run(out: &Path, spec: &RunSpec) -> Result<RunDir> {
    Ok(RunDir::new(spec.folder_in(&out.join("runs"))?))
}

/// The plan's runs, the longest first, so that the last to end is a short one.
fn longest_first(plan: &Plan) -> Vec<&RunSpec> {
    let mut order: Vec<&RunSpec> = plan.specs.iter().collect();
    order.sort_by_key(|s| std::cmp::Reverse(s.multiply_adds().unwrap_or(0.0) as u64));
    order
}

/// The runs of one part of a plan, in the order in which they are begun.
pub fn runs_of(plan: &Plan, shard: Shard) -> Vec<&RunSpec> {
    shard.of(&longest_first(plan))
}

/// Runs side by side on one GPU: a batch of the paper's leaves it room, and one run's host work fills another's waiting.
const RUNS_PER_GPU: usize = 2;

/// How many runs go at a time: as threads and memory allow, and on GPUs a few on each.
fn workers(runs: &[&RunSpec], backends: &[&dyn Backend], options: &SweepOptions) -> Result<usize> {
    if backends.is_empty() {
        return Err(Error::Invalid("a sweep needs a device".into()));
    }
    let fit = side_by_side(runs, options)?;
    let gpus = backends.iter().filter(|b| b.accelerator().is_some()).count();
    Ok(if gpus == 0 { fit } else { fit.min(RUNS_PER_GPU * gpus) })
}

/// How many of `runs` go at a time: one a thread, as long as the most demanding ones fit into memory together.
fn side_by_side(runs: &[&RunSpec], options: &SweepOptions) -> Result<usize> {
    let mut needs =
        runs.iter().map(|spec| spec.memory()).collect::<std::result::Result<Vec<u64>, _>>()?;
    needs.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0u64;
    let fit = needs.iter().take_while(|need| {
        sum = sum.saturating_add(**need);
        sum <= options.memory
    });
    // One goes in any case: whether it really fits, the system decides.
    Ok(fit.count().min(options.threads).max(1))
}

fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Invalid(format!("failed to start threads: {e}")))
}

/// Whether a sweep, in this process or another, is at work in `out`.
pub fn is_busy(out: &Path) -> bool {
    FolderLock::is_taken(out)
}

/// Writes what the folder is for, or adds to it; sweeps that begin together take turns, so that none writes over another's runs.
/// Returns the runs that were planned before and have begun, but are planned no longer.
fn write_plan(plan: &Plan, out: &Path, extend: bool) -> Result<Vec<String>> {
    let path = out.join("plan.json");
    one_at_a_time(&path, || merge_plan(plan, out, &path, extend))
}

fn merge_plan(plan: &Plan, out: &Path, path: &Path, extend: bool) -> Result<Vec<String>> {
    if out.join(run_dir::COLLECTION).exists() {
        return Err(Error::Collection { path: out.into() });
    }
    let mut dropped = Vec::new();
    let mut record = PlanRecord {
        version: PlanRecord::VERSION,
        name: plan.name.clone(),
        title: plan.title.clone(),
        scale: plan.scale.clone(),
        paper: plan.paper.clone(),
        runs: plan
            .specs
            .iter()
            .map(|spec| Ok(dir_of_run(out, spec)?.name()))
            .collect::<Result<_>>()?,
    };
    if path.exists() {
        let found: PlanRecord = run_dir::read_json(path)?;
        if (&found.name, &found.scale) != (&record.name, &record.scale) {
            let say = |p: &PlanRecord| format!("`{}` at scale `{}`", p.name, p.scale);
            return Err(Error::OtherPlan {
                path: out.into(),
                found: say(&found),
                asked: say(&record),
            });
        }
        let others = found.runs.iter().filter(|run| !record.runs.contains(run));
        let begun = |name: &&String| RunDir::new(out.join("runs").join(name)).spec_path().exists();
        if extend {
            for name in others.filter(begun) {
                refuse_other_values(plan, &RunDir::new(out.join("runs").join(name)))?;
            }
            let added = record.runs.iter().filter(|run| !found.runs.contains(run));
            record.runs = found.runs.iter().chain(added).cloned().collect();
        } else {
            dropped = others.filter(begun).cloned().collect();
            refuse_without_pictures(plan, out, &dropped)?;
        }
        if found == record {
            return Ok(dropped);
        }
    }
    atomic::write_json(path, &record)?;
    Ok(dropped)
}

/// Refuses a plan of other data sets that would drop runs on the pictures of a folder, which only a command line names.
fn refuse_without_pictures(plan: &Plan, out: &Path, dropped: &[String]) -> Result<()> {
    let Some(first) = plan.specs.first() else { return Ok(()) };
    if plan.specs.iter().any(|spec| spec.dataset.is_own()) {
        return Ok(());
    }
    for name in dropped {
        if RunDir::new(out.join("runs").join(name)).spec()?.dataset.is_own() {
            let dataset = first.dataset.name();
            return Err(Error::WithoutPictures { path: out.into(), dataset });
        }
    }
    Ok(())
}

/// Refuses a plan with runs that would share a cell of every table with one that is there, though they differ in more than the seed.
fn refuse_other_values(plan: &Plan, there: &RunDir) -> Result<()> {
    let old = there.spec()?;
    // Settings of one name with several values are told apart by these.
    let cell = |s: &RunSpec| {
        (s.label.clone(), s.setting.clone(), [s.lr, s.beta1, s.beta2, f64::from(s.n_dis)])
    };
    for new in plan.specs.iter().filter(|new| cell(new) == cell(&old)) {
        let differing = old.values_that_differ(new);
        if !differing.is_empty() {
            return Err(Error::OtherValues {
                run: there.path().into(),
                label: old.label.clone(),
                setting: old.setting.clone(),
                differences: differing.join("; "),
            });
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    #[test]
    fn no_more_runs_go_at_a_time_than_memory_and_threads_allow() {
        let spec = RunSpec::paper(Method::Sn);
        let need = spec.memory().unwrap();
        let runs = vec![&spec; 5];
        let with = |threads, memory| {
            let options = SweepOptions {
                threads,
                retry_failed: false,
                memory,
                shard: Shard::WHOLE,
                source: Source::default(),
                extend: false,
            };
            side_by_side(&runs, &options).unwrap()
        };
        assert_eq!(
            [with(4, u64::MAX), with(8, u64::MAX), with(4, 2 * need), with(4, need / 2)],
            [4, 5, 2, 1]
        );
    }
}
