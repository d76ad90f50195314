//! `sngan train`.

mod asked;

use self::asked::Asked;
use super::device::{Chosen, for_training};
use super::own::Own;
use super::plan::time;
use super::sweep::describe;
use super::{Change, Job, no_scores, own, tensorboard};
use crate::args::Train;
use crate::progress::{Meter, Position};
use crate::say::{counted, quoted, say};
use crate::table::wrap;
use crate::{Ended, signals};
use anyhow::{Result, bail};
use sngan_core::trainer::{Event, Outcome, TrainOptions, train};
use sngan_data::{Places, Split};
use sngan_eval::Evaluator;
use sngan_experiment::records::ScoreRecord;
use sngan_experiment::{RunDir, RunSpec, ScorePlan};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub(crate) fn job(arguments: Train, folder: Option<&Path>) -> Result<Job> {
    let asked = Asked::of(&arguments, folder)?;
    let (spec, out) = (&asked.spec, &asked.out);
    spec.check_trainable()?;
    own::refuse_out(out, asked.places.images.as_deref())?;
    refuse_unasked_resumption(out, arguments.resume)?;
    let does = super::sweep::intention(&RunDir::new(out), spec, true)?;
    let to = counted(spec.gen_updates, "update");
    let change = Change::said(format!("{}: {does}, to {to}", out.display()));
    let threads = arguments.machine.threads;
    Ok(Job::that_changes([change], move || run(&arguments, &asked)).on(threads))
}

fn run(arguments: &Train, asked: &Asked) -> Result<Ended> {
    let Asked { spec, score, watch_held_out, out, places, own } = asked;
    let device = for_training(&arguments.machine)?;
    let threads = rayon::current_num_threads();
    own.iter().for_each(|own| say!("{}", wrap(&Own::describe(own, spec))));
    let images = places.open(spec.dataset, Split::Train, spec.side)?;
    super::warn_of_pictures(images.as_ref());
    let held_out = match watch_held_out {
        true => Some(Arc::new(places.load(spec.dataset, Split::HeldOut, spec.side)?)),
        false => None,
    };
    let options = TrainOptions {
        threads,
        log_every: score.log_every,
        checkpoint_every: score.checkpoint_every,
        sample_every: arguments.sample_every,
        eval_every: score.eval_every,
        source: crate::SOURCE,
        held_out,
    };
    let stop = signals::stop_flag()?;
    say!(
        "{}: {} of {}, {}, {}",
        out.display(),
        counted(images.len(), "image"),
        crate::for_terminal(images.name()),
        counted(spec.gen_updates, "update"),
        counted(threads, "thread")
    );
    let without = no_scores::reason(&ScorePlan::default(), spec.dataset, places);
    if let Some(without) = without.as_ref().filter(|_| score.backbone != ScorePlan::NO_BACKBONE) {
        let note = format!("note: `sngan score` will find no network for this run: {without}");
        eprintln!("{}", wrap(&note));
    }
    let evaluator = evaluator(spec, score, places, &device, &stop)?;
    let dir = RunDir::new(out);
    let (progress, started) = (Meter::new("updates"), Instant::now());
    let mut newest = newest_score(&dir, spec.gen_updates)?;
    let mut observer = |event: Event<'_, '_>| {
        let (p, trainer) = match event {
            Event::Warning(warning) => {
                progress.warn(&warning.to_string());
                return Ok(());
            }
            Event::Update(p, trainer) => (p, trainer),
        };
        if let Some(evaluator) = &evaluator {
            let every = score.eval_every;
            sngan_sweep::score_during(&dir, spec, evaluator, every, &p, trainer, &stop)?;
            if p.gen_update.is_multiple_of(every) {
                newest = newest_score(&dir, spec.gen_updates)?;
            }
        }
        progress.set(Position::even(p.gen_update, Some(p.total)), || {
            format!("loss D {:.3} G {:.3}{newest}", p.loss_d, p.loss_g)
        });
        Ok(())
    };
    let mut work =
        || train(out, spec, images.as_ref(), device.backend(), &options, &stop, &mut observer);
    let outcome = if arguments.tensorboard {
        say!("{}", wrap(&format!("`tensorboard --logdir {}` shows the run", out.display())));
        tensorboard::beside(std::slice::from_ref(out), work)
    } else {
        work()
    };
    progress.finish();
    let outcome = outcome?;
    Ok(say_end(&dir, spec, &outcome, (started, &newest), without.is_none()))
}

/// How the run ended, and what to do next.
fn say_end(
    dir: &RunDir,
    spec: &RunSpec,
    outcome: &Outcome,
    (started, newest): (Instant, &str),
    scored: bool,
) -> Ended {
    let (folder, took) = (quoted(dir.path()), time(started.elapsed().as_secs_f64()));
    match outcome {
        Outcome::Completed => {
            let samples = dir.sample_path(spec.gen_updates);
            say!(
                "completed {} in {took}{newest}; samples in {}",
                counted(spec.gen_updates, "update"),
                samples.display()
            );
            let score = if scored { format!("`sngan score {folder}`, ") } else { String::new() };
            say!("Next: {score}`sngan generate {folder}`, or `sngan report {folder}`");
            Ended::Well
        }
        Outcome::Diverged { gen_update, reason } => {
            let state = dir.path().join("diverged.safetensors");
            say!("diverged at update {gen_update}: {reason}; the state is in {}", state.display());
            say!("Next: `sngan draw {folder}` draws its log");
            Ended::Diverged
        }
        Outcome::Interrupted { gen_updates } => {
            let done = counted(*gen_updates, "update");
            say!("interrupted after {done} and {took}; a checkpoint is written");
            say!("Next: `sngan train {folder} --resume` continues");
            Ended::Interrupted
        }
    }
}

/// The newest scores of a run that goes to `horizon`, one a metric, as they stand behind its losses; nothing if there are none.
fn newest_score(dir: &RunDir, horizon: u64) -> sngan_core::Result<String> {
    let mut scores = dir.scores()?;
    // A run may have gone further before it was taken back.
    let newest = scores.iter().map(|s| s.gen_updates).filter(|at| *at <= horizon).max();
    scores.retain(|s: &ScoreRecord| Some(s.gen_updates) == newest);
    let mut seen = BTreeSet::new();
    scores.reverse();
    scores.retain(|s| seen.insert(s.metric));
    scores.reverse();
    let at = newest.unwrap_or(0);
    let said = || format!(", {} at {at}", describe(&scores));
    Ok(if scores.is_empty() { String::new() } else { said() })
}

/// What scores the run during its training, if anything.
fn evaluator(
    spec: &RunSpec,
    score: &ScorePlan,
    places: &Places,
    device: &Chosen,
    stop: &AtomicBool,
) -> Result<Option<Evaluator>> {
    if score.eval_every == 0 {
        return Ok(None);
    }
    let progress = |_: usize, _: usize| signals::go_on(stop);
    let on = |backbone| device.backbone(backbone);
    let (dataset, side) = (spec.dataset, spec.side);
    let evaluator = sngan_sweep::evaluator_for(score, dataset, side, places, &on, &progress)?;
    if evaluator.is_none() {
        eprintln!("warning: no scores during the training");
    }
    Ok(evaluator)
}

/// A folder that holds a run is continued only on request, and a sweep's is no run's.
fn refuse_unasked_resumption(out: &Path, resume: bool) -> Result<()> {
    if out.join("plan.json").is_file() {
        bail!("{} holds a sweep; choose another --out for a single run", out.display());
    }
    if let Some(status) = RunDir::new(out).status()?
        && !resume
    {
        bail!(
            "{} holds a run with {}; add --resume to continue it, or choose another --out",
            out.display(),
            counted(status.gen_updates, "update")
        );
    }
    Ok(())
}
