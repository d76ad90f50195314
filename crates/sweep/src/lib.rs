//! Sweeps: a plan's runs side by side in one process, each scored when it is done, restartable at any moment.
//!
//! The output folder holds `plan.json`, `ceiling.jsonl` (the real data's own scores) and `runs/<run>/`. Everything that is there and fits is
//! kept; what is missing is done.

mod error;
mod evaluator;
mod images;
mod run;
mod samples;
mod score;
mod shard;
mod status;

pub use error::{Error, Result};
pub use evaluator::evaluator_for;
pub use images::ImageSets;
pub use run::{Event, Summary, SweepOptions, dir_of_run, is_busy, run, runs_of};
pub use score::{score_during, score_run, spectra_of_run};
pub use shard::Shard;
pub use status::{RunState, status};
