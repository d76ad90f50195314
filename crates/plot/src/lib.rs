//! Tables and figures from the records of a sweep, and nothing else: the same records give the same bytes.
//!
//! [`collect()`] reads the folder, [`tables()`] and [`figures()`] list what can be made of it, [`render_all`] makes it. A figure is one file
//! in `figure/` and one line in its list; it draws on a canvas that is SVG (text as outlines) and PNG at once.

mod canvas;
mod collect;
mod error;
mod export;
mod figure;
mod frame;
mod ink;
mod paper;
mod table;

pub use collect::{Collected, Run, collect};
pub use error::{Error, Result};
pub use export::export;

use std::path::{Path, PathBuf};

/// What became of one table or figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendered {
    /// The files written.
    Written(Vec<PathBuf>),
    /// Why the records are not enough for it.
    Skipped(String),
}

/// A table or figure of the paper.
#[derive(Debug, Clone, Copy)]
pub struct Artefact {
    /// Short name, also of its files: `fig1`, `table1`.
    pub id: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Writes it into a folder.
    pub render: fn(&Collected, &Path) -> Result<Rendered>,
}

/// Every figure.
pub fn figures() -> &'static [Artefact] {
    figure::LIST
}

/// Every table.
pub fn tables() -> &'static [Artefact] {
    table::LIST
}

/// Writes every table to `out/tables` and every figure to `out/figures`; returns each one's id and what became of it.
///
/// # Errors
/// Missing or malformed records, scores of different protocols, files that cannot be written.
pub fn render_all(out: &Path) -> Result<Vec<(&'static str, Rendered)>> {
    let collected = collect(out)?;
    let mut all = Vec::new();
    for (list, folder) in [(tables(), "tables"), (figures(), "figures")] {
        for artefact in list {
            all.push((artefact.id, (artefact.render)(&collected, &out.join(folder))?));
        }
    }
    Ok(all)
}
