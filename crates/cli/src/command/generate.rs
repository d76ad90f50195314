//! `sngan generate`.

use super::device::{for_images, on_the_cpu};
use super::source::{after, run_and_checkpoint, run_of};
use super::{Change, Job};
use super::{no_scores, own};
use crate::Ended;
use crate::args::{Generate, Interpolate};
use crate::say::{counted, quoted, say};
use crate::table::wrap;
use anyhow::{Context, Result, bail};
use sngan_core::checkpoint::Checkpoint;
use sngan_core::generate::{self, Interpolation, Path, SampleRequest, Sampler};
use sngan_core::interchange::Exchange;
use sngan_core::interchange::weights::{self, Weights};
use sngan_experiment::{Dataset, RunSpec, atomic};
use sngan_tensor::Device;

/// The source of images, after checking that they can be made and written.
struct Prepared {
    spec: RunSpec,
    checkpoint: Checkpoint,
    images: usize,
    task: Task,
}

enum Task {
    Samples(SampleRequest),
    Interpolation(Interpolation),
}

pub(crate) fn job(arguments: Generate) -> Result<Job> {
    let prepared = prepare(&arguments)?;
    let change = Change::file(&arguments.out, &counted(prepared.images, "image"));
    let threads = arguments.machine.threads;
    Ok(Job::that_changes([change], move || run(&arguments, prepared)).on(threads))
}

fn run(arguments: &Generate, prepared: Prepared) -> Result<Ended> {
    let Prepared { spec, checkpoint, images, task } = prepared;
    atomic::try_place(&arguments.out)?;
    let bytes = match task {
        Task::Samples(request) => {
            let device = for_images(&arguments.machine)?;
            Sampler::by(device.backend(), &spec, &checkpoint)?.draw(request)?
        }
        Task::Interpolation(request) => {
            generate::interpolate(&spec, &checkpoint, &Device::Cpu, &request)?
        }
    };
    generate::write(&arguments.out, &bytes, spec.side, arguments.columns, arguments.zoom)?;
    let (out, after) = (arguments.out.display(), after(&spec, checkpoint.gen_updates));
    say!("{out}: {} {after}", counted(images, "image"));
    // A grid is for looking at.
    if arguments.out.extension().is_none_or(|extension| extension != "png") {
        let network = scorer(&spec);
        let out = quoted(&arguments.out);
        say!("{}", wrap(&format!("Next: `sngan score --images {out}{network}` scores them")));
    }
    Ok(Ended::Well)
}

/// The networks to draw from, and the names of their classes, where these are known.
fn networks(arguments: &Generate) -> Result<(RunSpec, Checkpoint, Vec<String>)> {
    if let Some(file) = &arguments.weights {
        if run_of(file).is_some_and(|run| run.spec_path().exists()) {
            bail!(
                "{} is of a run: `sngan generate {}` draws from it, without --weights",
                file.display(),
                quoted(file)
            );
        }
        let Weights { exchange: Exchange { spec, checkpoint, .. }, classes } = weights::read(file)?;
        return Ok((spec, checkpoint, classes));
    }
    let source =
        arguments.checkpoint.as_ref().or(arguments.source.as_ref()).context("no run was named")?;
    let (spec, checkpoint) = run_and_checkpoint(source)?.with_context(|| {
        let mut said = format!("{} is no run folder and no checkpoint of one", source.display());
        if source.extension().is_some_and(|extension| extension == "safetensors") {
            said += "; a generator's weights are read with --weights";
        }
        said
    })?;
    Ok((spec, checkpoint, own::classes(run_of(source).as_ref())?))
}

/// The option by which `score` finds the network for images of a run's kind: of files, it does not know what they show.
fn scorer(spec: &RunSpec) -> &'static str {
    if spec.knows("dataset") && spec.dataset == Dataset::FashionMnist {
        return " --backbone scorer-fashion";
    }
    no_scores::option(Dataset::Folder).unwrap_or_default()
}

fn prepare(arguments: &Generate) -> Result<Prepared> {
    if arguments.interpolate.is_some() {
        on_the_cpu(&arguments.machine)?;
    }
    let (spec, checkpoint, classes) = networks(arguments)?;
    let Generate { n, seed, columns, zoom, .. } = *arguments;
    let number = |class: &Option<String>| {
        class.as_deref().map(|class| own::class(&classes, class)).transpose()
    };
    let (class, to_class) = (number(&arguments.class)?, number(&arguments.to_class)?);
    let images = if arguments.interpolate.is_some() { n.saturating_mul(columns) } else { n };
    generate::check(&arguments.out, images, spec.side, columns, zoom)?;
    let interpolation =
        |path| Task::Interpolation(Interpolation { rows: n, steps: columns, seed, path });
    let task = match (arguments.interpolate, to_class) {
        (None, None) => Task::Samples(SampleRequest { first: 0, n, seed, class }),
        (Some(Interpolate::Latent), None) => interpolation(Path::Latent { class }),
        (Some(Interpolate::Class), Some(to)) => interpolation(Path::Class {
            from: class.context("--interpolate class needs --class")?,
            to,
        }),
        (Some(Interpolate::Class), None) => {
            bail!("--interpolate class needs --class and --to-class")
        }
        (_, Some(_)) => bail!("--to-class needs --interpolate class"),
    };
    generate::check_classes(&spec, class.into_iter().chain(to_class))?;
    Ok(Prepared { spec, checkpoint, images, task })
}
