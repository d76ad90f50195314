//! What can be made: the paper's tables and figures, each with what it is made from.

use crate::{Collected, Error, Result, collect, figures, tables};
use sngan_experiment::benchmark::UpdateTimings;
use std::path::{Path, PathBuf};

/// What became of one table or figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// The files written.
    Written(Vec<PathBuf>),
    /// Why the records are not enough for it.
    Skipped(String),
}

/// What a table or figure is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The records of sweeps of these experiments, as many of them as are there.
    Sweeps(&'static [&'static str]),
    /// The timings of `sngan bench figure10`.
    Timings,
    /// The code alone: layer tables, or a simulation.
    Code,
}

/// A table or figure of the paper.
#[derive(Debug, Clone, Copy)]
pub struct Artefact {
    /// Short name, also of its files: `fig1`, `table1`.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// What it is made from.
    pub source: Source,
    /// Writes it as the request says.
    pub render: fn(&Request<'_>) -> Result<Rendered>,
}

/// What to make an artefact from, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The sweeps' records.
    pub sweeps: &'a [Collected],
    /// Timings of updates.
    pub timings: Option<&'a UpdateTimings>,
    /// The folder that the files go to.
    pub folder: &'a Path,
    /// Whether the paper's published numbers are put beside ours.
    pub compare: bool,
}

impl Request<'_> {
    /// Makes a part of an artefact from each sweep, and skips it for the first reason where no sweep has enough.
    pub(crate) fn each(&self, render: impl Fn(&Collected) -> Result<Rendered>) -> Result<Rendered> {
        let (mut written, mut reason) = (Vec::new(), None);
        for sweep in self.sweeps {
            match render(sweep)? {
                Rendered::Written(paths) => written.extend(paths),
                Rendered::Skipped(why) => reason = reason.or(Some(why)),
            }
        }
        Ok(match reason {
            Some(why) if written.is_empty() => Rendered::Skipped(why),
            _ if written.is_empty() => Rendered::Skipped("no sweep's records were given".into()),
            _ => Rendered::Written(written),
        })
    }
}

impl Artefact {
    /// The commands that make its records at a scale, and then the artefact.
    pub fn commands(&self, scale: &str) -> Vec<String> {
        let draw = format!(
            "sngan {} {}",
            if self.id.starts_with("table") { "table" } else { "figure" },
            self.id
        );
        match self.source {
            Source::Sweeps(names) => {
                let sweeps = names.iter().map(|name| sweep(name, scale));
                sweeps.chain([format!("{draw} --scale {scale}")]).collect()
            }
            Source::Timings => vec!["sngan bench figure10".into(), draw],
            Source::Code => vec![draw],
        }
    }

    /// Whether it can be made from a sweep of this experiment: one of its own, or one that no artefact is made from, such as one's own.
    pub fn accepts(&self, experiment: &str) -> bool {
        let Source::Sweeps(names) = self.source else { return true };
        names.contains(&experiment) || !is_known(experiment)
    }

    /// Whether it shows the sweep of this experiment. An experiment that no artefact is made from, such as one's own, is shown by those that
    /// Table 1's grid is made for.
    pub fn shows(&self, experiment: &str) -> bool {
        let Source::Sweeps(names) = self.source else { return false };
        if is_known(experiment) {
            names.contains(&experiment)
        } else {
            names.first() == Some(&"table1")
        }
    }
}

/// The command that makes an experiment's records at a scale.
pub fn sweep(name: &str, scale: &str) -> String {
    format!("sngan sweep {name} --scale {scale}")
}

/// Whether an artefact is made from sweeps of this experiment.
fn is_known(experiment: &str) -> bool {
    tables()
        .iter()
        .chain(figures())
        .any(|a| matches!(a.source, Source::Sweeps(names) if names.contains(&experiment)))
}

/// The artefact with this id.
///
/// # Errors
/// [`Error::Unknown`] with all ids.
pub fn find(id: &str) -> Result<&'static Artefact> {
    let all = || tables().iter().chain(figures());
    all().find(|a| a.id == id).ok_or_else(|| Error::Unknown {
        id: id.into(),
        known: all().map(|a| a.id).collect::<Vec<_>>().join(", "),
    })
}

/// Writes every table of a sweep's experiment to `out/tables` and every figure to `out/figures`; returns each one's id and what became of it.
///
/// # Errors
/// Missing or malformed records, scores of different protocols, files that cannot be written.
pub fn render_all(out: &Path, compare: bool) -> Result<Vec<(&'static str, Rendered)>> {
    let sweeps = [collect(out)?];
    let mut all = Vec::new();
    for (list, folder) in [(tables(), "tables"), (figures(), "figures")] {
        let folder = out.join(folder);
        for artefact in list.iter().filter(|a| a.shows(&sweeps[0].plan.name)) {
            all.push((
                artefact.id,
                (artefact.render)(&Request {
                    sweeps: &sweeps,
                    timings: None,
                    folder: &folder,
                    compare,
                })?,
            ));
        }
    }
    Ok(all)
}
