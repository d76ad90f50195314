//! Tables, figures, claims and reports from made-up records.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod artefacts;
mod claims;
mod dead_critics;
mod evenness;
mod figures;
mod levels;
mod records;
mod report;
mod sizes; // of runs in tables
mod snapshots;
mod statistics; // against SciPy
mod support;
mod tensorboard;
mod training;
