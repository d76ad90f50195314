//! `sngan train`.

mod asked;

use self::asked::Asked;
use super::device::{Chosen, for_training};
use super::own::Own;
use super::plan::time;
use super::sweep::describe;
use super::{Change, Job, tensorboard};
use crate::args::Train;
use crate::progress::{Meter, Position};
use crate::say::say;
use crate::table::wrap;
use crate::{Ended, signals};
use anyhow::{Result, bail};
use sngan_core::trainer::{Event, Outcome, TrainOptions, train};
use sngan_data::{Places, Split};
use sngan_eval::{Backbone, BackboneOptions, Evaluator};
use sngan_experiment::records::ScoreRecord;
use sngan_experiment::{RunDir, RunSpec, ScorePlan};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

pub(crate) fn job(arguments: Train, folder: Option<&Path>) -> Result<Job> {
    let asked = Asked::of(&arguments, folder)?;
    let (spec, out) = (&asked.spec, &asked.out);
    spec.check_trainable()?;
    refuse_unasked_resumption(out, arguments.resume)?;
    let does = super::sweep::intention(&RunDir::new(out), spec, true)?;
    let change =
        Change::said(format!("{}: {does}, to {} updates", out.display(), spec.gen_updates));
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
        "{}: {} images of {}, {} updates, {threads} threads",
        out.display(),
        images.len(),
        crate::for_terminal(images.name()),
        spec.gen_updates
    );
    say_of_no_scores(spec, score, places);
    let evaluator = evaluator(spec, score, places, &device, &stop)?;
    let dir = RunDir::new(out);
    let (progress, started) = (Meter::new("updates"), Instant::now());
    let mut newest = newest_score(&dir)?;
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
                newest = newest_score(&dir)?;
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
    Ok(say_end(&dir, spec, &outcome, started, &newest))
}

/// How the run ended, and what to do next.
fn say_end(
    dir: &RunDir,
    spec: &RunSpec,
    outcome: &Outcome,
    started: Instant,
    newest: &str,
) -> Ended {
    let (out, took) = (dir.path().display(), time(started.elapsed().as_secs_f64()));
    match outcome {
        Outcome::Completed => {
            let samples = dir.sample_path(spec.gen_updates);
            say!(
                "completed {} updates in {took}{newest}; samples in {}",
                spec.gen_updates,
                samples.display()
            );
            say!("Next: `sngan score {out}`, `sngan generate {out}`, or `sngan report {out}`");
            Ended::Well
        }
        Outcome::Diverged { gen_update, reason } => {
            let state = dir.path().join("diverged.safetensors");
            say!("diverged at update {gen_update}: {reason}; the state is in {}", state.display());
            say!("Next: `sngan figures {out}` draws its log");
            Ended::Diverged
        }
        Outcome::Interrupted { gen_updates } => {
            say!("interrupted after {gen_updates} updates and {took}; a checkpoint is written");
            say!("Next: `sngan train {out} --resume` continues");
            Ended::Interrupted
        }
    }
}

/// The newest scores of a run, as they stand behind its losses; nothing if there are none.
fn newest_score(dir: &RunDir) -> sngan_core::Result<String> {
    let mut scores = dir.scores()?;
    let newest = scores.iter().map(|s| s.gen_updates).max();
    scores.retain(|s: &ScoreRecord| Some(s.gen_updates) == newest);
    let at = newest.unwrap_or(0);
    let said = || format!(", {} at {at}", describe(&scores));
    Ok(if scores.is_empty() { String::new() } else { said() })
}

/// Says before the training that nothing will score it.
fn say_of_no_scores(spec: &RunSpec, score: &ScorePlan, places: &Places) {
    let options =
        BackboneOptions { data_dir: places.data_dir.clone(), ..BackboneOptions::default() };
    let choice = Backbone::choice(Backbone::INCEPTION_OR_SCORER, spec.dataset, &options);
    if choice.is_none() && score.backbone != ScorePlan::NO_BACKBONE {
        let place = places.data_dir().unwrap_or(Path::new("data"));
        let note = format!(
            "note: `sngan score` will find no network for this run: Inception is not in {}, and there is no scorer of `{}`. `sngan data fetch inception` \
             gets it; --backbone scorer-cifar10 would compare such runs with each other alone",
            place.display(),
            spec.dataset.name()
        );
        eprintln!("{}", wrap(&note));
    }
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
        eprintln!(
            "warning: no scores: backbone `{}` gives none for {}",
            score.backbone,
            spec.dataset.name()
        );
    }
    Ok(evaluator)
}

/// A folder that holds a run is continued only on request.
fn refuse_unasked_resumption(out: &Path, resume: bool) -> Result<()> {
    if let Some(status) = RunDir::new(out).status()?
        && !resume
    {
        bail!(
            "{} holds a run with {} updates; add --resume to continue it, or choose another --out",
            out.display(),
            status.gen_updates
        );
    }
    Ok(())
}
