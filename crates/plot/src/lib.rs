//! Tables, figures, answers to the paper's claims and a report, made only from the records of
//! sweeps. The same records give the same bytes.
//!
//! [`ScoredSweep::read`] reads a sweep's folder, [`tables()`] and [`figures()`] list every table and figure of the paper, and
//! [`Artefact::render`] makes one. A figure is one file in `figure/` and one line in its list; what it draws is a
//! chart of curves, grouped bars or a grid of samples, on a canvas that is SVG (text as outlines) and PNG at once.
//!
//! ```
//! use sngan_experiment::records::Metric;
//! use sngan_plot::ScoredSweep;
//!
//! # let results = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
//! # if !results.exists() { return Ok(()) }
//! // A folder of runs, or a collection of their records such as the committed ones.
//! let sweep = ScoredSweep::read(&results.join("table1-narrow"))?;
//! let fid: Vec<f64> = sweep.cell("SN", "C").filter_map(|run| run.last(Metric::Fid)).collect();
//! println!("SN at C: {fid:?}");
//! # assert_eq!(fid.len(), 3);
//! # Ok::<(), sngan_plot::Error>(())
//! ```
//!
//! `examples/read_records.rs` reads a sweep's records.

mod artefact;
mod bars;
mod canvas;
mod chart;
pub mod claims;
mod compare;
mod dead_critic;
mod describe;
mod dots;
mod error;
mod evenness;
mod figure;
mod frame;
mod ink;
mod method;
mod paper;
mod random;
pub mod records;
pub mod report;
mod sample_grid;
mod scored;
mod series;
pub mod statistics;
mod table;
mod tell_apart;
pub mod tensorboard;
mod verdict;

pub use artefact::{Artefact, Materials, Rendered, Source, Whose, find, render_all, sweep};
pub use compare::Comparison;
pub use dead_critic::{Critic, DeadCritic, dead_critics};
pub use error::{Error, Result};
pub use evenness::{Evenness, Repeated, evenness, evenness_lines, repeated};
pub use records::Damaged;
pub use scored::{Run, ScoredSweep, compares_with_others};
pub use verdict::verdict;

/// Every figure of the paper.
pub fn figures() -> &'static [Artefact] {
    figure::LIST
}

/// Every table of the paper.
pub fn tables() -> &'static [Artefact] {
    table::LIST
}
