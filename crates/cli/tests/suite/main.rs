//! The binary as its users meet it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod additions; // what docs/architecture.md says that a new thing touches
mod commands; // messages and exit codes
mod data; // packing, and training from a pack
mod exchange; // networks from other programs and to them
mod fid; // the distance of two sets of images
mod figures; // tables, figures, claims, reports
mod gallery;
mod grids; // lists of values in files and on the command line
mod instruction_sets; // bits on one, and between them
mod interruption; // kills, signals, resumption
mod own_images; // a folder of pictures in place of a data set
mod score; // images of any origin, statistics, and runs by named protocols
mod single_runs; // any run folders in place of a sweep
mod snapshots; // of screens
mod support; // a folder with a tiny experiment
mod sweep; // from an experiment file to figures
mod terminal; // widths, colour, last lines
