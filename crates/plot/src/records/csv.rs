//! The tables of a collection as CSV, for programs that do not read Parquet.

use super::{SweepRecords, tables};
use crate::{Error, Result};
use polars::prelude::{CsvWriter, SerWriter};
use sngan_experiment::atomic;
use std::path::{Path, PathBuf};

/// Writes the tables of `sweep` into `folder` as CSV; returns the files. A kind of record that no
/// run has gets no file.
///
/// # Errors
/// A file that cannot be written.
pub fn write_csv(sweep: &SweepRecords, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (stem, table) in tables::of(sweep, &sweep.name())? {
        if table.is_empty() {
            continue;
        }
        let path = folder.join(format!("{stem}.csv"));
        let mut bytes = Vec::new();
        CsvWriter::new(&mut bytes)
            .finish(&mut table.frame(&path)?)
            .map_err(|e| Error::table(&path, e))?;
        atomic::write(&path, &bytes)?;
        files.push(path);
    }
    Ok(files)
}
