//! Scoring a run: its newest checkpoint, or its generator while it trains.

use crate::samples::DrawnSamples;
use crate::{Error, Result};
use sngan_core::generate::Sampler;
use sngan_core::trainer::{Backend, Progress, Trainer};
use sngan_core::{Warning, checkpoint, spectrum};
use sngan_eval::{Evaluator, Samples};
use sngan_experiment::records::ScoreRecord;
use sngan_experiment::{ProtocolName, RunDir, RunSpec, run_dir};
use sngan_tensor::Device;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a run cannot be looked at.
fn no_checkpoint(dir: &RunDir) -> String {
    format!(
        "{} has no good checkpoint; train it first, anew where its checkpoints were removed",
        dir.path().display()
    )
}

/// Scores of the newest checkpoint by all of the evaluator's protocols; what is recorded already is not taken again, what is new is appended
/// to `scores.jsonl`. Of a run whose checkpoints were removed, to save space, the recorded ones. `warn` is told of corrupt checkpoints.
///
/// Samples come from the stream `sample` of the run's seed, with G in evaluation mode on `backend`.
///
/// # Errors
/// Scores that are not recorded and no good checkpoint; images that cannot be scored.
pub fn score_run(
    dir: &RunDir,
    spec: &RunSpec,
    backend: &dyn Backend,
    evaluator: &Evaluator,
    progress: &sngan_eval::BlockProgress<'_>,
    warn: &mut dyn FnMut(Warning),
) -> Result<Vec<ScoreRecord>> {
    // Scores that are not there are taken again, if there is something to take them of.
    dir.check_existing()?;
    let checkpoint = checkpoint::latest(dir, spec, &Device::Cpu, warn)?;
    let gen_updates = checkpoint.as_ref().map_or(spec.gen_updates, |c| c.gen_updates);
    let mut samples = DrawnSamples::new(spec, || match &checkpoint {
        Some(checkpoint) => Sampler::by(backend, spec, checkpoint),
        None => Err(sngan_core::Error::Invalid(no_checkpoint(dir))),
    });
    let scores = score_missing(dir, evaluator, &mut samples, gen_updates, progress)?;
    dir.seal()?;
    Ok(scores)
}

/// Scores a run while it trains, after every `every` generator updates; for the trainer's observer. The bits of the training stay the same,
/// and so do the scores if the run is cut off and resumed: what is recorded for an update is not recorded again. Where `stop` is set, a
/// scoring ends before its next batch.
///
/// # Errors
/// [`sngan_core::Error::Observer`]: images that cannot be scored; [`sngan_core::Error::Stopped`].
pub fn score_during(
    dir: &RunDir,
    spec: &RunSpec,
    evaluator: &Evaluator,
    every: u64,
    at: &Progress,
    trainer: &mut Trainer<'_>,
    stop: &AtomicBool,
) -> sngan_core::Result<()> {
    if every == 0 || !at.gen_update.is_multiple_of(every) {
        return Ok(());
    }
    let mut samples = DrawnSamples::new(spec, || trainer.sampler());
    match score_missing(dir, evaluator, &mut samples, at.gen_update, &until(stop)) {
        Ok(_) => Ok(()),
        Err(e) if e.is_interruption() => Err(sngan_core::Error::Stopped),
        Err(e) => Err(sngan_core::Error::Observer(Box::new(e))),
    }
}

/// The progress of a scoring that ends when `stop` is set.
pub(crate) fn until(stop: &AtomicBool) -> impl Fn(usize, usize) -> ControlFlow<()> + Sync {
    |_, _| match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

fn score_missing(
    dir: &RunDir,
    evaluator: &Evaluator,
    samples: &mut dyn Samples,
    gen_updates: u64,
    progress: &sngan_eval::BlockProgress<'_>,
) -> Result<Vec<ScoreRecord>> {
    let recorded = dir.scores()?;
    let bytes = samples.bytes();
    let known = |name: &ProtocolName| {
        let protocol = evaluator.protocol(*name, bytes);
        recorded.iter().find(|s| s.gen_updates == gen_updates && s.protocol == protocol).cloned()
    };
    let missing: Vec<ProtocolName> =
        evaluator.names().iter().copied().filter(|name| known(name).is_none()).collect();
    let new = if missing.is_empty() {
        Vec::new()
    } else {
        evaluator.score(&missing, samples, gen_updates, progress)?
    };
    if !new.is_empty() {
        let same = |a: &ScoreRecord, b: &ScoreRecord| {
            (a.gen_updates, &a.protocol) == (b.gen_updates, &b.protocol)
        };
        run_dir::append_missing(&dir.scores_path(), &new, same)?;
    }
    let mut new = new.into_iter();
    Ok(evaluator.names().iter().filter_map(|name| known(name).or_else(|| new.next())).collect())
}

/// Writes `spectrum.jsonl`, where it is not there: the squared singular values of every layer of D at the newest checkpoint; `warn` is
/// told of corrupt ones.
///
/// # Errors
/// No good checkpoint; weights that are not finite.
pub fn spectra_of_run(dir: &RunDir, spec: &RunSpec, warn: &mut dyn FnMut(Warning)) -> Result<()> {
    dir.check_existing()?;
    let checkpoint = checkpoint::latest(dir, spec, &Device::Cpu, warn)?;
    let gen_updates = checkpoint.as_ref().map_or(spec.gen_updates, |c| c.gen_updates);
    if dir.spectra()?.first().is_some_and(|s| s.gen_updates == gen_updates) {
        return Ok(dir.seal()?);
    }
    let checkpoint = checkpoint.ok_or_else(|| Error::Invalid(no_checkpoint(dir)))?;
    Ok(dir.write_spectra(&spectrum::of_checkpoint(spec, &checkpoint)?)?)
}
