//! Scoring a finished run from its checkpoint.

use crate::{Error, Result};
use sngan_core::{Device, checkpoint, generate, spectrum};
use sngan_eval::Evaluator;
use sngan_experiment::records::{Protocol, ScoreRecord};
use sngan_experiment::{RunDir, RunSpec, run_dir};

fn newest(dir: &RunDir, device: &Device) -> Result<checkpoint::Checkpoint> {
    let none = || Error::Invalid(format!("{} has no good checkpoint; train it first", dir.path().display()));
    checkpoint::latest(dir, device)?.ok_or_else(none)
}

/// Scores `samples` images of the newest checkpoint, unless those scores are recorded already; appends to `scores.jsonl`.
///
/// Samples come from the stream `sample` of the run's seed, with G in evaluation mode.
///
/// # Errors
/// No good checkpoint; images that cannot be scored.
pub fn score_run(dir: &RunDir, spec: &RunSpec, evaluator: &Evaluator, samples: usize, device: &Device) -> Result<Vec<ScoreRecord>> {
    let checkpoint = newest(dir, device)?;
    let recorded = dir.scores()?;
    let known = |protocol: &Protocol| recorded.iter().find(|s| s.gen_updates == checkpoint.gen_updates && s.protocol == *protocol).cloned();
    if let Some(scores) = evaluator.protocols(samples).iter().map(known).collect::<Option<Vec<_>>>() {
        return Ok(scores);
    }
    let bytes = generate::images(spec, &checkpoint, device, samples, spec.seed)?;
    let scores = evaluator.score(&bytes, spec.side, checkpoint.gen_updates)?;
    for score in scores.iter().filter(|s| known(&s.protocol).is_none()) {
        run_dir::append_line(&dir.scores_path(), score)?;
    }
    Ok(scores)
}

/// Writes `spectrum.jsonl`: the squared singular values of every layer of D at the newest checkpoint.
///
/// # Errors
/// No good checkpoint; weights that are not finite.
pub fn spectra_of_run(dir: &RunDir, spec: &RunSpec) -> Result<()> {
    let checkpoint = newest(dir, &Device::Cpu)?;
    if dir.spectra()?.first().is_some_and(|s| s.gen_updates == checkpoint.gen_updates) {
        return Ok(());
    }
    Ok(run_dir::write_lines(&dir.spectrum_path(), &spectrum::of_checkpoint(spec, &checkpoint)?)?)
}
