//! `sngan train`.

use super::device::backend;
use super::{Change, Job};
use crate::args::Train;
use crate::progress::{Meter, Position};
use crate::say::say;
use crate::{Ended, experiments, signals};
use anyhow::{Context, Result, bail};
use sngan_core::trainer::{Event, Outcome, TrainOptions, train};
use sngan_data::{Split, load, open};
use sngan_eval::{Backbone, Evaluator};
use sngan_experiment::{RunDir, RunSpec, ScorePlan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Cadences of a run that is given only by its spec.
const LOG_EVERY: u64 = 10;
const CHECKPOINT_EVERY: u64 = 500;

pub(crate) fn job(arguments: Train, folder: Option<&Path>) -> Result<Job> {
    let asked = asked(&arguments, folder)?;
    let spec = &asked.spec;
    let out = out(&arguments, spec);
    refuse_unasked_resumption(&out, arguments.resume)?;
    let does = super::sweep::intention(&RunDir::new(&out), spec, true)?;
    let change =
        Change::said(format!("{}: {does}, to {} updates", out.display(), spec.gen_updates));
    let threads = arguments.machine.threads;
    Ok(Job::that_changes([change], move || run(&arguments, asked, &out)).on(threads))
}

fn run(arguments: &Train, asked: Asked, out: &Path) -> Result<Ended> {
    let Asked { spec, score, watch_held_out } = &asked;
    let backend = backend(&arguments.machine)?;
    let threads = rayon::current_num_threads();
    let data_dir = Some(arguments.data.data_dir.as_path());
    let images = open(spec.dataset, Split::Train, spec.side, data_dir)?;
    super::warn_of_pictures(images.as_ref());
    let held_out = if *watch_held_out {
        Some(Arc::new(load(spec.dataset, Split::HeldOut, spec.side, data_dir)?))
    } else {
        None
    };
    let options = TrainOptions {
        threads,
        log_every: score.as_ref().map_or(LOG_EVERY, |s| s.log_every),
        checkpoint_every: score.as_ref().map_or(CHECKPOINT_EVERY, |s| s.checkpoint_every),
        sample_every: arguments.sample_every,
        source: crate::SOURCE,
        held_out,
    };
    let stop = signals::stop_flag()?;
    say!(
        "{}: {} images of {}, {} updates, {threads} threads",
        out.display(),
        images.len(),
        images.name(),
        spec.gen_updates
    );
    let progress = Meter::new("updates");
    let every = arguments.eval_every.or(score.as_ref().map(|s| s.eval_every)).unwrap_or(0);
    let evaluator = if every > 0 {
        evaluator(spec, score.clone(), &arguments.data.data_dir, &stop)?
    } else {
        None
    };
    let outcome =
        train(out, spec, images.as_ref(), backend.as_ref(), &options, &stop, &mut |event| {
            let (p, trainer) = match event {
                Event::Warning(warning) => {
                    progress.warn(&warning.to_string());
                    return Ok(());
                }
                Event::Update(p, trainer) => (p, trainer),
            };
            if let Some(evaluator) = &evaluator {
                let dir = RunDir::new(out);
                sngan_sweep::score_during(&dir, spec, evaluator, every, &p, trainer, &stop)?;
            }
            progress.set(Position::even(p.gen_update, Some(p.total)), || {
                format!("loss D {:.3} G {:.3}", p.loss_d, p.loss_g)
            });
            Ok(())
        });
    progress.finish();
    Ok(match outcome? {
        Outcome::Completed => {
            say!(
                "completed; samples in {}",
                RunDir::new(out).sample_path(spec.gen_updates).display()
            );
            Ended::Well
        }
        Outcome::Diverged { gen_update, reason } => {
            say!(
                "diverged at update {gen_update}: {reason}; the state is in {}",
                out.join("diverged.safetensors").display()
            );
            Ended::Diverged
        }
        Outcome::Interrupted { gen_updates } => {
            say!(
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
    stop: &AtomicBool,
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
    let evaluator =
        sngan_sweep::evaluator_for(&plan, spec.dataset, spec.side, Some(data_dir), &|_, _| {
            signals::go_on(stop)
        })?;
    if evaluator.is_none() {
        eprintln!(
            "warning: no scores: backbone `{}` gives none for {}",
            plan.backbone,
            spec.dataset.name()
        );
    }
    Ok(evaluator)
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

/// What is trained.
struct Asked {
    spec: RunSpec,
    /// The experiment's cadences; `None` for a spec alone.
    score: Option<ScorePlan>,
    /// Whether D's loss on held-out images is watched.
    watch_held_out: bool,
}

/// The spec that the arguments name, and what its experiment says of it.
fn asked(arguments: &Train, folder: Option<&Path>) -> Result<Asked> {
    let (mut spec, score, watch_held_out) = if Path::new(&arguments.experiment)
        .file_name()
        .is_some_and(|n| n == "spec.toml")
    {
        let run = PathBuf::from(&arguments.experiment);
        (RunDir::new(run.parent().unwrap_or(Path::new("."))).spec()?, None, false)
    } else {
        let plan =
            experiments::find(&arguments.experiment, folder)?.drafts(&arguments.scale, None)?;
        let fits = |s: &RunSpec| {
            arguments.method.as_ref().is_none_or(|m| s.is_of_row(m))
                && arguments.setting.as_ref().is_none_or(|x| s.is_in_setting(x))
                && arguments.seed.is_none_or(|x| s.seed == x)
        };
        let all = |of: fn(&RunSpec) -> String| plan.specs.iter().map(of).collect::<BTreeSet<_>>();
        let labels = all(|s| s.label.clone());
        let settings = all(|s| s.setting.clone());
        let seeds = all(|s| s.seed.to_string());
        let mut found: Vec<RunSpec> = plan.specs.into_iter().filter(fits).collect();
        let scope = format!("of `{}` at scale `{}`", arguments.experiment, arguments.scale);
        match found.len() {
            1 => {}
            0 => {
                let list =
                    |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
                bail!(
                    "no run {scope} fits; methods: {}; settings: {}; seeds: {}, another by --set seed=N; `sngan plan` lists every run",
                    list(labels),
                    list(settings),
                    list(seeds)
                )
            }
            n => bail!(
                "{n} runs {scope} fit; narrow it with --method, --setting and --seed, or use `sngan sweep`"
            ),
        }
        (found.remove(0), Some(plan.score), plan.watch_held_out)
    };
    for change in &arguments.set {
        let (key, value) = change
            .split_once('=')
            .with_context(|| format!("--set {change}: expected KEY=VALUE"))?;
        spec.set(key, value)?;
    }
    spec.settle()?;
    spec.validate()?;
    Ok(Asked { spec, score, watch_held_out })
}
