//! `sngan claims` and `sngan report`.

use super::records;
use crate::Ended;
use anyhow::Result;
use sngan_plot::{claims, report};
use std::path::{Path, PathBuf};

/// Prints the answer of the records to each of the paper's claims.
pub(crate) fn claims(folders: &[PathBuf], only: &[u32]) -> Result<Ended> {
    let records = records::read(folders)?;
    let answers = claims::answer(&claims::claims()?, &records.sweeps, records.timings.as_ref())?;
    print!("{}", answers.only(only)?.markdown());
    Ok(Ended::Well)
}

/// What a sweep's report would write.
pub(super) fn intentions(out: &Path) -> Vec<String> {
    let page = out.join("report.html");
    let verb = if page.exists() { "replace" } else { "write" };
    vec![
        format!("write into {0}/tables and {0}/figures", out.display()),
        format!("{verb} {}: the report", page.display()),
    ]
}

/// Writes a sweep's report.
pub(crate) fn report(out: &Path, also: &[PathBuf]) -> Result<Ended> {
    let records = records::read(also)?;
    println!("{}", report::write(out, &records.sweeps, records.timings.as_ref())?.display());
    Ok(Ended::Well)
}
