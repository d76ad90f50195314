//! `export`, `import`: networks to and from other programs.

use super::source::{after, run_of};
use super::status::to_score;
use super::{Change, Job, warn};
use crate::Ended;
use crate::args::{Export, Format, Import};
use crate::say::{counted, quoted, say};
use crate::table::wrap;
use anyhow::{Result, bail};
use sngan_core::import::{self, Request};
use sngan_core::interchange::{self, weights};
use std::path::Path;

/// Refuses, before anything is computed, a name that no export can have: one in a run's own checkpoints would take a checkpoint's place.
fn refuse_name(out: &Path, format: Format) -> Result<()> {
    let name = out.display();
    if out.is_dir() {
        bail!("--out {name} is a folder; name a file");
    }
    if run_of(out).is_some() {
        bail!("--out {name} is among the checkpoints of a run; name a file elsewhere");
    }
    // By this ending `verify` knows what a file should be.
    let ending = out.extension().is_some_and(|ending| ending == "safetensors");
    if format == Format::Weights && !ending {
        bail!("--out {name}: weights go to a FILE.safetensors");
    }
    Ok(())
}

pub(crate) fn export(arguments: Export) -> Result<Job> {
    let Export { source, format, out } = arguments;
    refuse_name(&out, format)?;
    let what = match format {
        Format::Pytorch => "networks and state",
        Format::Onnx | Format::Weights => "the generator",
    };
    let job = Job::that_changes([Change::file(&out, what)], move || {
        let exchange = match format {
            Format::Pytorch => interchange::export(&source, &out, &mut warn)?,
            Format::Onnx => interchange::export_onnx(&source, &out, &mut warn)?,
            Format::Weights => weights::export(&source, &out, &mut warn)?,
        };
        let after = after(&exchange.spec, exchange.checkpoint.gen_updates);
        say!("{}: {} {after}", out.display(), exchange.spec.label);
        if format == Format::Weights {
            say!("Next: `sngan generate --weights {}`", quoted(&out));
        }
        Ok(Ended::Well)
    });
    Ok(job.on(0))
}

pub(crate) fn import(arguments: Import) -> Job {
    let change = Change::file(&arguments.out, "a run");
    Job::that_changes([change], move || {
        let of_others = arguments.map.is_some()
            || arguments.discriminator.is_some()
            || import::is_of_another(&arguments.file)?;
        if of_others { of_another(arguments) } else { of_export(&arguments) }
    })
    .on(0)
}

/// What `export` wrote.
fn of_export(arguments: &Import) -> Result<Ended> {
    let Import { file, out, state_dict, updates, label, .. } = arguments;
    let given = [state_dict.is_some(), updates.is_some(), label.is_some()].contains(&true);
    if given {
        bail!(
            "{}: --state-dict, --updates and --label are for files of other programs, which need --map too",
            file.display()
        );
    }
    let exchange = interchange::import(file, out)?;
    let next = if exchange.spec.imported.is_none() {
        format!("; `sngan train {0}/spec.toml --out {0} --resume` continues it", out.display())
    } else {
        String::new()
    };
    let after = after(&exchange.spec, exchange.checkpoint.gen_updates);
    say!("{}: {} {after}{next}", out.display(), exchange.spec.label);
    Ok(Ended::Well)
}

/// Networks that another program trained.
fn of_another(arguments: Import) -> Result<Ended> {
    let Import { file, out, discriminator, map, state_dict, updates, label } = arguments;
    let request = Request { file, discriminator, map, state_dict, gen_updates: updates, label };
    let found = import::import(&request, &out)?;
    let spec = &found.exchange.spec;
    let updates = after(spec, spec.gen_updates);
    let networks = if spec.has_discriminator() { "G and D" } else { "G alone" };
    let classes = match spec.n_classes {
        0 => String::new(),
        n => format!(" with {}", counted(n, "class")),
    };
    let width = match spec.width_divisor {
        1 => String::new(),
        divisor => format!(", widths divided by {divisor}"),
    };
    say!(
        "{}",
        wrap(&format!(
            "{}: {} {updates}, {networks}: {} at {side}x{side}{classes}{width}",
            out.display(),
            spec.label,
            spec.architecture.name(),
            side = spec.side
        ))
    );
    for remark in &found.remarks {
        eprintln!("warning: {remark}");
    }
    let analysed = if spec.has_discriminator() { ", scored and analysed" } else { " and scored" };
    let known = format!(
        "Of its training nothing else is known: it can be sampled{analysed}, but not trained further."
    );
    say!("{}", wrap(&known));
    say!("{}", wrap(&next(&out)));
    Ok(Ended::Well)
}

fn next(out: &Path) -> String {
    format!(
        "Next: `sngan generate {}`, `{}` with images to compare with",
        quoted(out),
        to_score(&[out])
    )
}
