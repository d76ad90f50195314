//! `sngan claims` and `sngan report`.

use super::{Change, Job, records};
use crate::Ended;
use crate::say::say;
use crate::table::{of_markdown, width};
use anyhow::Result;
use sngan_experiment::regular;
use sngan_plot::claims;
use sngan_plot::report::{self, Beside};
use std::path::{Path, PathBuf};

/// Prints the answer of the records to each of the paper's claims, or of those in `file`.
pub(crate) fn claims(
    folders: &[PathBuf],
    only: &[u32],
    markdown: bool,
    file: Option<&Path>,
) -> Result<Ended> {
    let file = match file {
        None => claims::claims()?,
        Some(path) => claims::others(path, &String::from_utf8(regular::read(path)?)?)?,
    };
    let records = records::read(folders)?;
    let answers = claims::answer(&file, &records.sweeps, records.timings.as_ref())?;
    let text = answers.only(only)?.markdown();
    let text = if markdown { text } else { of_markdown(&text, width()) };
    crate::say::write(format_args!("{text}"));
    Ok(Ended::Well)
}

/// Writes the report of a sweep or of any runs.
pub(crate) fn report(paths: Vec<PathBuf>, into: Option<PathBuf>, also: Vec<PathBuf>) -> Job {
    let out = records::place(&paths, into);
    let page = Change::file(&out.join("report.html"), "the report");
    Job::that_changes(super::figure::drawn(&out).into_iter().chain([page]), move || {
        let records = records::read(&also)?;
        let sweep = records::read_any(&paths, &out)?;
        let committed = records::committed_beside(&sweep)?;
        let beside = Beside {
            also: &records.sweeps,
            timings: records.timings.as_ref(),
            committed: committed.as_ref(),
        };
        let page = report::write(&sweep, &beside)?;
        say!("{}", page.display());
        say!("Next: open it in a browser; it needs no other file");
        Ok(Ended::Well)
    })
}
