//! `sngan generate`.

use super::device;
use super::source::run_and_checkpoint;
use crate::Ended;
use crate::args::{Generate, Interpolate};
use anyhow::{Context, Result, bail};
use sngan_core::generate::{self, Interpolation, Path, Request};

pub(crate) fn run(arguments: &Generate) -> Result<Ended> {
    let device = device(&arguments.machine)?;
    let source = arguments.checkpoint.as_ref().or(arguments.source.as_ref()).context("no run was named")?;
    let found = run_and_checkpoint(source, &device)?;
    let (spec, checkpoint) = found.with_context(|| format!("{} is no run folder and no checkpoint of one", source.display()))?;
    let Generate { n, seed, class, columns, zoom, .. } = *arguments;
    let images = if arguments.interpolate.is_some() { n.saturating_mul(columns) } else { n };
    generate::check(&arguments.out, images, spec.side, columns, zoom)?;
    let bytes = match (arguments.interpolate, arguments.to_class) {
        (None, None) => generate::images_of(&spec, &checkpoint, &device, Request { first: 0, n, seed, class })?,
        (Some(Interpolate::Latent), None) => {
            let request = Interpolation { rows: n, steps: columns, seed, path: Path::Latent { class } };
            generate::interpolate(&spec, &checkpoint, &device, &request)?
        }
        (Some(Interpolate::Class), Some(to)) => {
            let path = Path::Class { from: class.context("--interpolate class needs --class")?, to };
            generate::interpolate(&spec, &checkpoint, &device, &Interpolation { rows: n, steps: columns, seed, path })?
        }
        (Some(Interpolate::Class), None) => bail!("--interpolate class needs --class and --to-class"),
        (_, Some(_)) => bail!("--to-class needs --interpolate class"),
    };
    generate::write(&arguments.out, &bytes, spec.side, columns, zoom)?;
    println!("{}: {images} images after {} updates", arguments.out.display(), checkpoint.gen_updates);
    Ok(Ended::Well)
}
