//! Statistics over runs, which decide claims from numbers alone.
//!
//! The population here is the runs of one row that differ only in their seed. Images, splits and
//! layers within a run are not independent and never count as further runs.
//!
//! The way from scores to an answer: [`LogScale`] makes a [`LogScore`] y of each run, lower being
//! better; [`Cell`] is the mean and variance of y over the seeds of a row in one setting;
//! [`welch`], [`level`], [`paired`] and [`Cell::estimate`] make an [`Estimate`] of it, which has an
//! interval and p-values; [`Claimed`] compares it with what a claim needs; [`holm`] adjusts for the
//! number of claims; and the result is a [`Decision`]. [`COVERED`] says how often the intervals
//! cover.

mod best_of_settings;
mod cell;
mod coverage;
mod decision;
mod difference;
mod effective_rank;
mod estimate;
mod failures;
mod holm;
mod improvement;
mod level;
mod log_score;
mod slope;
mod spread;
mod summary;

pub use best_of_settings::{BestOfSettings, best_of_settings};
pub use cell::Cell;
pub use coverage::{COVERED, Covered, Data, Procedure};
pub use decision::{Claimed, Decision, MARGIN_FID, MARGIN_IS, PValues};
pub use difference::{paired, welch};
pub use effective_rank::effective_rank;
pub use estimate::{Estimate, Interval, LEVEL, prediction};
pub use failures::{Failures, Fisher, fisher};
pub use holm::{holm, holm_claims};
pub use improvement::probability_of_improvement;
pub use level::{level, level_of};
pub use log_score::{LogScale, LogScore};
pub use slope::slope;
pub use spread::{Spread, spread};
pub use summary::{Summary, mean, summary, variance};
