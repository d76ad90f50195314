//! A run from its directory's first file to its last: resume, log, checkpoint, end in a status.

use super::log::Divergence;
use super::pending::{Pending, Wait};
use super::{Backend, Trainer};
use crate::checkpoint::{self, Checkpoint};
use crate::{Error, Result, Warning, generate, status_after};
use candle_core::Device;
use sngan_data::{ImageSource, Images};
use sngan_experiment::records::{ImagesRecord, Provenance, Record, Segment, Source, Status};
use sngan_experiment::{FolderLock, RunDir, RunSpec, atomic, machine};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Images in a sample grid, and its columns.
const GRID: (usize, usize) = (64, 8);

/// What decides how a run is watched, not what it computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOptions {
    /// Threads of the current rayon pool, for the provenance.
    pub threads: usize,
    /// Generator updates between log lines.
    pub log_every: u64,
    /// Generator updates between checkpoints; the last update always has one.
    pub checkpoint_every: u64,
    /// Generator updates between sample grids; 0 for the last one only.
    pub sample_every: u64,
    /// Generator updates between those at which the observer looks at the networks; 0 for none. At these the log is written first, and a run
    /// that has diverged ends, where otherwise a GPU goes on while its measurements are made.
    pub eval_every: u64,
    /// What the program was built from, for the provenance.
    pub source: Source,
    /// Images that D is not trained on; with them, D's loss on both kinds is logged.
    pub held_out: Option<Arc<Images>>,
}

/// How a run ended. Divergence is a result, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The horizon was reached.
    Completed,
    /// A loss or a weight stopped being finite.
    Diverged {
        /// At which generator update (1-based).
        gen_update: u64,
        /// What it was.
        reason: String,
    },
    /// `stop` was set; a checkpoint was written.
    Interrupted {
        /// Generator updates done.
        gen_updates: u64,
    },
}

/// How far a run is after a generator update.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Generator updates done.
    pub gen_update: u64,
    /// The horizon.
    pub total: u64,
    /// D's loss.
    pub loss_d: f64,
    /// G's loss.
    pub loss_g: f64,
}

/// What a training tells its observer.
pub enum Event<'e, 't> {
    /// Something is not as it should be, and the run goes on.
    Warning(Warning),
    /// A generator update is done, and the checkpoint that may follow it is not yet written: what the observer makes of the trainer's samples
    /// is neither lost nor, if it looks at what it has written before, doubled when the run is cut off and resumed.
    Update(Progress, &'e mut Trainer<'t>),
}

/// Told of a training as it goes on. Its errors end the run; [`Error::Stopped`] as an interruption does, to be resumed from the newest
/// checkpoint.
pub type Observer<'a> = dyn FnMut(Event<'_, '_>) -> Result<()> + 'a;

/// Trains `spec` in the folder `dir`, or continues what is there from the newest good checkpoint; bits do not depend on interruptions
/// or on the number of threads of the current rayon pool. A finished run is left as it is.
///
/// # Errors
/// Images of another size or with other classes, before anything is written; a folder in use, a changed spec, I/O errors. Where the folder is
/// of this spec, the status is then `failed`, or `interrupted` after an I/O error: when its cause is gone, the run goes on.
pub fn train(
    dir: &Path,
    spec: &RunSpec,
    images: &dyn ImageSource,
    backend: &dyn Backend,
    options: &TrainOptions,
    stop: &AtomicBool,
    observer: &mut Observer<'_>,
) -> Result<Outcome> {
    train_locked(&FolderLock::take(dir)?, spec, images, backend, options, stop, observer)
}

/// [`train`] in a folder that the caller has locked, and keeps locked for what comes after.
///
/// # Errors
/// As [`train`], but for a folder in use.
pub fn train_locked(
    lock: &FolderLock,
    spec: &RunSpec,
    images: &dyn ImageSource,
    backend: &dyn Backend,
    options: &TrainOptions,
    stop: &AtomicBool,
    observer: &mut Observer<'_>,
) -> Result<Outcome> {
    // What cannot begin leaves no run that a corrected try would have to continue.
    spec.check_trainable()?;
    super::fits(spec, images)?;
    if let Some(held_out) = &options.held_out {
        super::critic::fits(spec, images, held_out)?;
    }
    let dir = RunDir::create(lock.folder(), spec, &provenance(options, images))?;
    if let Some(images) = images_record(images) {
        dir.write_images(&images)?;
    }
    let result = Session { lock, dir: &dir, spec, options, started: Instant::now() }
        .run(images, backend, stop, observer);
    // An update that its observer could not be done with is made again from the checkpoint before.
    if let Err(Error::Stopped) = result {
        lock.check()?;
        let gen_updates = dir.status()?.map_or(0, |s| s.gen_updates);
        dir.write_status(Status::Interrupted, gen_updates, None)?;
        return Ok(Outcome::Interrupted { gen_updates });
    }
    // Where the folder is another's by now, nothing more is written into it.
    if let Err(e) = &result
        && lock.check().is_ok()
    {
        let done = dir.status().ok().flatten().map_or(0, |s| s.gen_updates);
        dir.write_status(status_after(e), done, Some(e.to_string()))?;
    }
    result
}

fn provenance(options: &TrainOptions, images: &dyn ImageSource) -> Provenance {
    Provenance {
        version: Provenance::VERSION,
        dataset: images.name().into(),
        dataset_sha256: images.sha256(),
        log_every: options.log_every,
        segments: Vec::new(),
        imported: Vec::new(),
    }
}

/// Where the pictures of an image folder are.
fn images_record(images: &dyn ImageSource) -> Option<ImagesRecord> {
    let folder = images.reading().folder.clone()?;
    Some(ImagesRecord {
        version: ImagesRecord::VERSION,
        folder,
        name: images.name().into(),
        n: images.len(),
        classes: images.classes().to_vec(),
        sha256: images.sha256(),
    })
}

/// What makes the updates from `from` on.
fn segment(from: u64, backend: &dyn Backend, options: &TrainOptions) -> Segment {
    Segment {
        from,
        sngan: env!("CARGO_PKG_VERSION").into(),
        commit: options.source.commit.map(str::to_string),
        dirty: options.source.dirty,
        device: backend.name(),
        accelerator: backend.accelerator(),
        threads: options.threads,
        cpu: machine::cpu_model(),
        instruction_set: sngan_tensor::instruction_set().into(),
    }
}

/// A training in its folder.
pub(super) struct Session<'a> {
    pub(super) lock: &'a FolderLock,
    pub(super) dir: &'a RunDir,
    spec: &'a RunSpec,
    options: &'a TrainOptions,
    started: Instant,
}

impl Session<'_> {
    fn run(
        &self,
        images: &dyn ImageSource,
        backend: &dyn Backend,
        stop: &AtomicBool,
        observer: &mut Observer<'_>,
    ) -> Result<Outcome> {
        if let Some(outcome) = self.finished()? {
            return Ok(outcome);
        }
        let mut trainer = self.trainer(images, backend, observer)?;
        if let Some(held_out) = &self.options.held_out {
            trainer.watch(images, held_out)?;
        }
        self.dir.resume_at(trainer.gen_updates())?;
        let segment = segment(trainer.gen_updates(), backend, self.options);
        if let Some(changes) = self.dir.begin_segment(segment)? {
            observer(Event::Warning(Warning::Segment { run: self.dir.name(), changes }))?;
        }

        let pool = OnceLock::new();
        std::thread::scope(|scope| {
            let mut pending = Pending::new(scope, &pool, self.options.threads);
            self.updates(&mut trainer, &mut pending, stop, observer)
        })
    }

    /// All updates that are left, and the files that come between and after them.
    fn updates<'env>(
        &self,
        trainer: &mut Trainer<'env>,
        pending: &mut Pending<'_, 'env>,
        stop: &AtomicBool,
        observer: &mut Observer<'_>,
    ) -> Result<Outcome> {
        let TrainOptions { log_every, checkpoint_every, sample_every, eval_every, .. } =
            *self.options;
        let at = |every: u64, update: u64| every > 0 && update.is_multiple_of(every);
        while trainer.gen_updates() < self.spec.gen_updates {
            if stop.load(Ordering::Relaxed) {
                if let Some(found) = self.write(pending, Wait::Until(u64::MAX))? {
                    return self.diverged(trainer, found);
                }
                self.checkpoint(trainer)?;
                self.dir.write_status(Status::Interrupted, trainer.gen_updates(), None)?;
                return Ok(Outcome::Interrupted { gen_updates: trainer.gen_updates() });
            }
            let next = trainer.gen_updates() + 1;
            let last = next == self.spec.gen_updates;
            let logged = last || next == 1 || at(log_every.max(1), next);
            let kept = last || at(checkpoint_every.max(1), next);
            let (update, measuring) = trainer.begin_update(logged)?;
            let seconds = self.started.elapsed().as_secs_f64();
            let measured = logged && measuring.is_none();
            match measuring {
                Some(measuring) => pending.begin(next, seconds, measuring)?,
                None if logged => self.log(next, seconds, &update)?,
                None => {}
            }
            if let Some(found) = self.divergence(trainer, &update, measured || kept)? {
                // What is still being measured may have been found at an earlier update.
                let earlier = self.write(pending, Wait::Until(found.gen_update))?;
                return self.diverged(trainer, earlier.unwrap_or(found));
            }
            let looked_at = kept || at(sample_every, next) || at(eval_every, next);
            let wait = if looked_at { Wait::Until(next) } else { Wait::No };
            if let Some(found) = self.write(pending, wait)? {
                return self.diverged(trainer, found);
            }
            let progress = Progress {
                gen_update: next,
                total: self.spec.gen_updates,
                loss_d: update.loss_d,
                loss_g: update.loss_g,
            };
            observer(Event::Update(progress, trainer))?;
            if at(sample_every, next) && !last {
                self.samples(trainer)?;
            }
            if kept && !last {
                self.checkpoint(trainer)?;
            }
        }
        self.samples(trainer)?;
        self.checkpoint(trainer)?;
        self.dir.write_status(Status::Completed, trainer.gen_updates(), None)?;
        Ok(Outcome::Completed)
    }

    /// The run at its newest good checkpoint, or at its start where there is none.
    fn trainer<'a>(
        &self,
        images: &'a dyn ImageSource,
        backend: &dyn Backend,
        observer: &mut Observer<'_>,
    ) -> Result<Trainer<'a>> {
        let mut warnings = Vec::new();
        let mut warn = |warning| warnings.push(warning);
        let resume = |newest: Checkpoint, warn: &mut dyn FnMut(Warning)| {
            // A log that was cut or altered is made again from where it was whole.
            self.check_log(&newest)?;
            Trainer::resume(self.spec, images, backend, &newest, warn)
        };
        let trainer =
            match checkpoint::latest_that(self.dir, self.spec, &Device::Cpu, &mut warn, resume) {
                Ok(Some(trainer)) => Ok(trainer),
                Ok(None) => {
                    if checkpoint::any(self.dir)? {
                        warn(Warning::Anew { run: self.dir.name() });
                    }
                    Trainer::new(self.spec, images, backend)
                }
                Err(e) => Err(e),
            };
        // What was wrong is told also where it is why the run cannot go on.
        warnings.into_iter().try_for_each(|warning| observer(Event::Warning(warning)))?;
        trainer
    }

    /// Checks that the log is as it was when a checkpoint was written.
    fn check_log(&self, checkpoint: &Checkpoint) -> Result<()> {
        let Some(log) = &checkpoint.metadata.log else { return Ok(()) };
        Ok(log.check(&self.dir.log_path())?)
    }

    /// The outcome of a run that needs no more work. What is wrong with its checkpoints is told when it is resumed.
    fn finished(&self) -> Result<Option<Outcome>> {
        let Some(s) = self.dir.status()? else { return Ok(None) };
        let horizon = self.spec.gen_updates;
        Ok(match s.status {
            // If the last checkpoint has gone bad, or the log before it, the run is not done: scores and samples would come from the one before
            // it, and the log can be made again. A run without
            // any has had them removed, to save space.
            Status::Completed if s.gen_updates >= horizon => {
                let kept = checkpoint::any(self.dir)?;
                let good = !kept
                    || checkpoint::latest_that(
                        self.dir,
                        self.spec,
                        &Device::Cpu,
                        &mut |_| (),
                        |c, _| {
                            self.check_log(&c)?;
                            Ok(c.gen_updates >= horizon)
                        },
                    )? == Some(true);
                good.then_some(Outcome::Completed)
            }
            Status::Diverged => Some(Outcome::Diverged {
                gen_update: s.gen_updates,
                reason: s.reason.unwrap_or_default(),
            }),
            Status::Running | Status::Completed | Status::Interrupted | Status::Failed => None,
        })
    }

    fn diverged(&self, trainer: &Trainer<'_>, found: Divergence) -> Result<Outcome> {
        let Divergence { gen_update, reason } = found;
        atomic::write(
            &self.dir.path().join("diverged.safetensors"),
            &checkpoint::encode(&trainer.state()?)?,
        )?;
        self.dir.write_status(Status::Diverged, gen_update, Some(reason.clone()))?;
        Ok(Outcome::Diverged { gen_update, reason })
    }

    fn samples(&self, trainer: &mut Trainer<'_>) -> Result<()> {
        let bytes = trainer.samples(GRID.0)?;
        generate::write_grid(
            &self.dir.sample_path(trainer.gen_updates()),
            &bytes,
            self.spec.side,
            GRID.1,
            1,
        )
    }

    fn checkpoint(&self, trainer: &Trainer<'_>) -> Result<()> {
        self.lock.check()?;
        // The log must not be shorter than the checkpoint that it is cut back to.
        let log = self.dir.log_path();
        if log.exists() {
            let sync =
                |e: std::io::Error| Error::Write { path: log.clone(), reason: e.to_string() };
            std::fs::File::open(&log).map_err(sync)?.sync_all().map_err(sync)?;
        }
        checkpoint::save(self.dir, trainer.metadata(), &trainer.state()?)?;
        self.dir.write_status(Status::Running, trainer.gen_updates(), None)?;
        Ok(())
    }
}
