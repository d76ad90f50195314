//! `sngan claims` and `sngan report`.

use super::{Change, Job, records};
use crate::Ended;
use crate::say::say;
use anyhow::Result;
use sngan_plot::claims;
use sngan_plot::report::{self, Beside};
use std::path::PathBuf;

/// Prints the answer of the records to each of the paper's claims.
pub(crate) fn claims(folders: &[PathBuf], only: &[u32]) -> Result<Ended> {
    let records = records::read(folders)?;
    let answers = claims::answer(&claims::claims()?, &records.sweeps, records.timings.as_ref())?;
    crate::say::write(format_args!("{}", answers.only(only)?.markdown()));
    Ok(Ended::Well)
}

/// Writes a sweep's report.
pub(crate) fn report(out: PathBuf, also: Vec<PathBuf>) -> Job {
    let page = Change::file(&out.join("report.html"), "the report");
    Job::that_changes(super::figure::drawn(&out).into_iter().chain([page]), move || {
        let records = records::read(&also)?;
        let sweep = records::read_sweep(&out)?;
        let committed = records::committed_beside(&sweep)?;
        let beside = Beside {
            also: &records.sweeps,
            timings: records.timings.as_ref(),
            committed: committed.as_ref(),
        };
        let page = report::write(&sweep, &beside)?;
        say!("{}", page.display());
        Ok(Ended::Well)
    })
}
