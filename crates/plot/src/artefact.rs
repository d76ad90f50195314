//! The paper's tables and figures that can be made, each with its source.

use crate::{Error, Result, ScoredSweep, figures, tables};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::experiments_of;
use sngan_experiment::records::PlanRecord;
use std::path::{Path, PathBuf};

/// The outcome for one table or figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// The files written.
    Written(Vec<PathBuf>),
    /// The reason why the records are not enough for it.
    Skipped(String),
}

/// What a table or figure is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The records of the sweeps whose experiments name it in `[paper]`, as far as they exist; some
    /// can be made from any sweep.
    Sweeps(Whose),
    /// The timings of `sngan bench figure10`.
    Timings,
    /// Only the code: layer tables, or a simulation.
    Code,
}

/// Which sweeps something is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Sweeps of the paper's experiments.
    Papers,
    /// Also sweeps that reproduce nothing of the paper.
    Anybodys,
    /// Any sweep, whatever it reproduces.
    Everybodys,
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
    pub render: fn(&Materials<'_>) -> Result<Rendered>,
}

/// What to make an artefact from, and where to write it.
#[derive(Debug, Clone, Copy)]
pub struct Materials<'a> {
    /// The sweeps' records.
    pub sweeps: &'a [ScoredSweep],
    /// Timings of updates.
    pub timings: Option<&'a UpdateTimings>,
    /// The folder that the files go to.
    pub folder: &'a Path,
    /// Whether the paper's published numbers are put beside ours.
    pub compare: bool,
}

impl Materials<'_> {
    /// Makes a part of an artefact from each sweep; if no sweep has enough records, skips it with
    /// the first reason.
    pub(crate) fn each(
        &self,
        render: impl Fn(&ScoredSweep) -> Result<Rendered>,
    ) -> Result<Rendered> {
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
        let draw =
            format!("sngan {} {}", if self.is_table() { "table" } else { "figure" }, self.id);
        match self.source {
            Source::Sweeps(_) => {
                let sweeps = self.experiments().into_iter().map(|name| sweep(name, scale));
                sweeps.chain([format!("{draw} --scale {scale}")]).collect()
            }
            Source::Timings => vec!["sngan bench figure10".into(), draw],
            Source::Code => vec![draw],
        }
    }

    /// Whether it is a table; the rest are figures.
    pub fn is_table(&self) -> bool {
        tables().iter().any(|table| table.id == self.id)
    }

    /// The built-in experiments that it is made from.
    pub fn experiments(&self) -> Vec<&'static str> {
        if matches!(self.source, Source::Sweeps(_)) { experiments_of(self.id) } else { Vec::new() }
    }

    /// Whether it can be made from a sweep on request: from one that is for it, or from any other
    /// sweep except for the tables of the paper's rows.
    pub fn accepts(&self, plan: &PlanRecord) -> bool {
        let of_rows = self.source == Source::Sweeps(Whose::Papers) && self.is_table();
        match (self.source, &plan.paper) {
            (Source::Sweeps(_), None) => !of_rows,
            (Source::Sweeps(_), Some(_)) => self.shows(plan),
            (Source::Timings | Source::Code, _) => true,
        }
    }

    /// Whether a sweep's report includes it: if the sweep is for it; some artefacts are also for
    /// other sweeps.
    pub fn shows(&self, plan: &PlanRecord) -> bool {
        match (self.source, &plan.paper) {
            (Source::Sweeps(Whose::Everybodys), _) | (Source::Sweeps(Whose::Anybodys), None) => {
                true
            }
            (Source::Sweeps(_), Some(paper)) => paper.has(self.id),
            (Source::Sweeps(Whose::Papers) | Source::Timings | Source::Code, _) => false,
        }
    }
}

/// The command that makes an experiment's records at a scale.
pub fn sweep(name: &str, scale: &str) -> String {
    format!("sngan sweep {name} --scale {scale}")
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

/// Writes every table of a sweep's experiment to `tables` in its folder and every figure to
/// `figures`; returns each one's id and outcome.
///
/// # Errors
/// Records that cannot be drawn together, files that cannot be written.
pub fn render_all(sweep: &ScoredSweep, compare: bool) -> Result<Vec<(&'static str, Rendered)>> {
    let sweeps = std::slice::from_ref(sweep);
    let mut all = Vec::new();
    for (list, folder) in [(tables(), "tables"), (figures(), "figures")] {
        let folder = sweep.path.join(folder);
        for artefact in list.iter().filter(|a| a.shows(&sweep.plan)) {
            let materials = Materials { sweeps, timings: None, folder: &folder, compare };
            // Rows that one artefact cannot tell apart are no reason against the others.
            let rendered = match (artefact.render)(&materials) {
                Err(e @ Error::MixedRow { .. }) => Rendered::Skipped(e.to_string()),
                other => other?,
            };
            all.push((artefact.id, rendered));
        }
    }
    // An artefact that any sweep can have may have nothing to draw.
    all.retain(|(_, rendered)| *rendered != Rendered::Written(Vec::new()));
    Ok(all)
}
