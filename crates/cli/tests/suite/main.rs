//! The binary as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod additions; // what docs/architecture.md says that a new thing touches
mod commands; // messages and exit codes
mod data; // packing, and training from a pack
mod figures; // tables, figures, claims, reports
mod instruction_sets; // bits on one, and between them
mod interruption; // kills, signals, resumption
mod score; // images of any origin, statistics, and runs by named protocols
mod snapshots; // of screens
mod support; // a folder with a tiny experiment
mod sweep; // from an experiment file to figures
