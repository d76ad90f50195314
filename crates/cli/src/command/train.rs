//! `sngan train`.

use super::device;
use crate::args::Train;
use crate::progress::{Meter, Position};
use crate::{Ended, experiments, signals};
use anyhow::{Context, Result, bail};
use sngan_core::trainer::{Event, Outcome, TrainOptions, train};
use sngan_data::{Split, open};
use sngan_eval::{Backbone, Evaluator};
use sngan_experiment::{RunDir, RunSpec, ScorePlan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Cadences of a run that is given only by its spec.
const LOG_EVERY: u64 = 10;
const CHECKPOINT_EVERY: u64 = 500;

pub(crate) fn run(arguments: &Train, folder: Option<&Path>) -> Result<Ended> {
    let (spec, score) = spec(arguments, folder)?;
    let device = device(&arguments.machine)?;
    let threads = rayon::current_num_threads();
    let out = out(arguments, &spec);
    refuse_unasked_resumption(&out, arguments.resume)?;
    let images = open(spec.dataset, Split::Train, spec.side, Some(&arguments.data.data_dir))?;
    super::warn_of_pictures(images.as_ref());
    let options = TrainOptions {
        threads,
        log_every: score.as_ref().map_or(LOG_EVERY, |s| s.log_every),
        checkpoint_every: score.as_ref().map_or(CHECKPOINT_EVERY, |s| s.checkpoint_every),
        sample_every: arguments.sample_every,
        source: crate::SOURCE,
        held_out: None,
    };
    let stop = signals::stop_flag()?;
    println!(
        "{}: {} images of {}, {} updates, {threads} threads",
        out.display(),
        images.len(),
        images.name(),
        spec.gen_updates
    );
    let progress = Meter::new("updates");
    let every = arguments.eval_every.or(score.as_ref().map(|s| s.eval_every)).unwrap_or(0);
    let evaluator =
        if every > 0 { evaluator(&spec, score, &arguments.data.data_dir)? } else { None };
    let outcome = train(&out, &spec, images.as_ref(), &device, &options, &stop, &mut |event| {
        let (p, trainer) = match event {
            Event::Warning(warning) => {
                progress.warn(&warning.to_string());
                return Ok(());
            }
            Event::Update(p, trainer) => (p, trainer),
        };
        if let Some(evaluator) = &evaluator {
            let dir = RunDir::new(&out);
            sngan_sweep::score_during(&dir, &spec, evaluator, every, &p, trainer)?;
        }
        progress.set(Position::even(p.gen_update, Some(p.total)), || {
            format!("loss D {:.3} G {:.3}", p.loss_d, p.loss_g)
        });
        Ok(())
    });
    progress.finish();
    Ok(match outcome? {
        Outcome::Completed => {
            println!(
                "completed; samples in {}",
                RunDir::new(&out).sample_path(spec.gen_updates).display()
            );
            Ended::Well
        }
        Outcome::Diverged { gen_update, reason } => {
            println!(
                "diverged at update {gen_update}: {reason}; the state is in {}",
                out.join("diverged.safetensors").display()
            );
            Ended::Diverged
        }
        Outcome::Interrupted { gen_updates } => {
            println!(
                "interrupted after {gen_updates} updates; a checkpoint is written, --resume continues"
            );
            Ended::Interrupted
        }
    })
}

/// How a run is scored during training: as its experiment says, else under two short protocols with
/// its data set's scorer.
fn evaluator(
    spec: &RunSpec,
    score: Option<ScorePlan>,
    data_dir: &Path,
) -> Result<Option<Evaluator>> {
    let plan = match score {
        Some(plan) => plan,
        None => ScorePlan {
            backbone: Backbone::INCEPTION_OR_SCORER.into(),
            protocols: ["is_2k_split5", "fid_2k_ref2k"]
                .into_iter()
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            eval_every: 0,
            log_every: LOG_EVERY,
            checkpoint_every: CHECKPOINT_EVERY,
        },
    };
    let evaluator = sngan_sweep::evaluator_for(&plan, spec.dataset, spec.side, Some(data_dir))?;
    if evaluator.is_none() {
        eprintln!(
            "warning: no scores: backbone `{}` gives none for {}",
            plan.backbone,
            spec.dataset.name()
        );
    }
    Ok(evaluator)
}

/// What a training would do.
pub(crate) fn intention(arguments: &Train, folder: Option<&Path>) -> Result<String> {
    let (spec, _) = spec(arguments, folder)?;
    let out = out(arguments, &spec);
    refuse_unasked_resumption(&out, arguments.resume)?;
    let dir = RunDir::new(&out);
    Ok(format!(
        "{}: {}, to {} updates",
        out.display(),
        super::sweep::intention(&dir, &spec, true)?,
        spec.gen_updates
    ))
}

fn out(arguments: &Train, spec: &RunSpec) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| Path::new("runs").join(spec.dir_name()))
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

/// The spec that the arguments name, and the experiment's cadences.
fn spec(arguments: &Train, folder: Option<&Path>) -> Result<(RunSpec, Option<ScorePlan>)> {
    let (mut spec, score) = if Path::new(&arguments.experiment)
        .file_name()
        .is_some_and(|n| n == "spec.toml")
    {
        let run = PathBuf::from(&arguments.experiment);
        (RunDir::new(run.parent().unwrap_or(Path::new("."))).spec()?, None)
    } else {
        let plan =
            experiments::find(&arguments.experiment, folder)?.drafts(&arguments.scale, None)?;
        let fits = |s: &RunSpec| {
            arguments.method.as_ref().is_none_or(|m| s.is_of_row(m))
                && arguments.setting.as_ref().is_none_or(|x| s.is_in_setting(x))
                && arguments.seed.is_none_or(|x| s.seed == x)
        };
        let labels: BTreeSet<String> = plan.specs.iter().map(|s| s.label.clone()).collect();
        let mut found: Vec<RunSpec> = plan.specs.into_iter().filter(fits).collect();
        let scope = format!("of `{}` at scale `{}`", arguments.experiment, arguments.scale);
        match found.len() {
            1 => {}
            0 => {
                bail!(
                    "no run {scope} fits; methods: {}; `sngan plan` lists every run",
                    labels.into_iter().collect::<Vec<_>>().join(", ")
                )
            }
            n => bail!(
                "{n} runs {scope} fit; narrow it with --method, --setting and --seed, or use `sngan sweep`"
            ),
        }
        (found.remove(0), Some(plan.score))
    };
    for change in &arguments.set {
        let (key, value) = change
            .split_once('=')
            .with_context(|| format!("--set {change}: expected KEY=VALUE"))?;
        spec.set(key, value)?;
    }
    spec.settle()?;
    spec.validate()?;
    Ok((spec, score))
}
