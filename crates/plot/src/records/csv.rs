//! The tables of a collection as CSV, for programs that do not read Parquet.

use super::{SweepRecords, tables};
use crate::Result;
use sngan_experiment::atomic;
use std::path::{Path, PathBuf};

/// Writes the tables of `sweep` into `folder` as CSV; returns the files. A kind of record that no
/// run has gets no file. An empty cell is a value that a record does not hold; a text that a
/// spreadsheet would take for a formula stands behind an apostrophe.
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
        atomic::write(&path, table.csv().as_bytes())?;
        files.push(path);
    }
    Ok(files)
}
