//! `sngan figure`, `sngan table` and `sngan figures`.

use super::records::{self, Records};
use crate::{Ended, experiments};
use anyhow::{Result, bail};
use clap::Args;
use sngan_plot::{Artefact, Rendered, Request, Source};
use std::path::{Path, PathBuf};

/// Which table or figure, and what it is made from.
#[derive(Debug, Args)]
pub(crate) struct Draw {
    /// Its id, such as fig11 or table7; an unknown one is answered with all
    #[arg(value_name = "ID")]
    id: String,
    /// Folders of records [default: EXPERIMENT-SCALE in --records of each experiment that it shows; for fig10 figure10]
    #[arg(long, value_name = "OUT", num_args = 1.., conflicts_with = "records")]
    from: Vec<PathBuf>,
    /// Where the default folders are: runs, or results for the committed ones
    #[arg(long, value_name = "DIR", default_value = "runs")]
    records: PathBuf,
    /// The scale of the default folders
    #[arg(long, default_value = "quick")]
    scale: String,
    /// Folder that the files go to
    #[arg(long, value_name = "DIR", default_value = "runs/drawn")]
    out: PathBuf,
    /// Put the paper's published numbers beside ours, where there are any
    #[arg(long)]
    compare: bool,
}

/// What is to be drawn, and its records; `kind` is what the command is called.
fn read(arguments: &Draw, kind: &str, folder: Option<&Path>) -> Result<(&'static Artefact, Records)> {
    let artefact = sngan_plot::find(&arguments.id)?;
    if artefact.id.starts_with("table") != (kind == "table") {
        bail!("{} is drawn by `sngan {}`", artefact.id, if kind == "table" { "figure" } else { "table" });
    }
    let records = records::read(&folders(artefact, arguments))?;
    let enough = match artefact.source {
        Source::Sweeps(_) => !records.sweeps.is_empty(),
        Source::Timings => records.timings.is_some(),
        Source::Code => true,
    };
    if !enough {
        // A scale that no experiment has would be named by commands that cannot run.
        if let (true, Source::Sweeps([name, ..])) = (arguments.from.is_empty(), artefact.source) {
            experiments::find(name, folder)?.plan_with(&arguments.scale, None)?;
        }
        let place = if arguments.from.is_empty() {
            format!("at scale {} in {}", arguments.scale, arguments.records.display())
        } else {
            "in the folders named".into()
        };
        bail!("no records of {} {place}; to make them:\n  {}", artefact.id, artefact.commands(&arguments.scale).join("\n  "));
    }
    if let (Some(other), Source::Sweeps(names)) = (records.sweeps.iter().find(|s| !artefact.accepts(&s.plan.name)), artefact.source) {
        bail!("{} holds the experiment `{}`; {} is made from {}", other.path.display(), other.plan.name, artefact.id, names.join(", "));
    }
    Ok((artefact, records))
}

/// What would be written, if the records are there.
pub(super) fn intention(arguments: &Draw, kind: &str, folder: Option<&Path>) -> Result<String> {
    let (artefact, _) = read(arguments, kind, folder)?;
    Ok(format!("write {} into {}", artefact.id, arguments.out.display()))
}

/// Draws one figure or writes one table; `kind` is what the command is called.
pub(crate) fn draw(arguments: &Draw, kind: &str, folder: Option<&Path>) -> Result<Ended> {
    let (artefact, records) = read(arguments, kind, folder)?;
    let request =
        Request { sweeps: &records.sweeps, timings: records.timings.as_ref(), folder: &arguments.out, compare: arguments.compare };
    match (artefact.render)(&request)? {
        Rendered::Written(paths) => paths.iter().for_each(|p| println!("{}", p.display())),
        Rendered::Skipped(reason) => {
            bail!("{} cannot be drawn: {reason}; to make its records:\n  {}", artefact.id, artefact.commands(&arguments.scale).join("\n  "))
        }
    }
    Ok(Ended::Well)
}

/// The folders that were named, or those where the artefact's own commands leave their records.
fn folders(artefact: &Artefact, arguments: &Draw) -> Vec<PathBuf> {
    if !arguments.from.is_empty() {
        return arguments.from.clone();
    }
    let defaults: Vec<PathBuf> = match artefact.source {
        Source::Sweeps(names) => names.iter().map(|n| arguments.records.join(format!("{n}-{}", arguments.scale))).collect(),
        Source::Timings => vec![arguments.records.join(records::TIMINGS_FOLDER)],
        Source::Code => Vec::new(),
    };
    defaults.into_iter().filter(|folder| records::has_any(folder)).collect()
}

/// Writes all of a sweep's tables and figures.
pub(crate) fn all(out: &Path, compare: bool) -> Result<Ended> {
    for (id, rendered) in sngan_plot::render_all(out, compare)? {
        match rendered {
            Rendered::Written(paths) => paths.iter().for_each(|p| println!("{id}: {}", p.display())),
            Rendered::Skipped(reason) => println!("{id}: skipped, {reason}"),
        }
    }
    Ok(Ended::Well)
}
