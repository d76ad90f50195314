//! `sngan claims` and `sngan report`.

use super::records;
use crate::Ended;
use anyhow::Result;
use sngan_plot::{claims, report};
use std::path::{Path, PathBuf};

/// Prints what the records say to each of the paper's claims.
pub(crate) fn claims(folders: &[PathBuf], only: &[u32]) -> Result<Ended> {
    let records = records::read(folders)?;
    let wanted: Vec<_> = claims::claims()?.into_iter().filter(|c| only.is_empty() || only.contains(&c.number)).collect();
    let answers = claims::answer(&wanted, &records.sweeps, records.timings.as_ref())?;
    print!("{}", claims::markdown(&answers));
    Ok(Ended::Well)
}

/// Writes a sweep's report.
pub(crate) fn report(out: &Path, also: &[PathBuf]) -> Result<Ended> {
    let records = records::read(also)?;
    println!("{}", report::write(out, &records.sweeps, records.timings.as_ref())?.display());
    Ok(Ended::Well)
}
