//! Statistics over runs: what claims are decided by, from numbers alone.
//!
//! What stands for a population here is the runs of one row that differ in their seed alone;
//! images, splits and layers within a run are not independent and never count as more of them.

mod bootstrap;
mod decision;
mod effective_rank;
mod estimate;
mod holm;
mod slope;
mod summary;

pub use bootstrap::{COVERAGE, Coverage, bootstrap};
pub use decision::{Claimed, Decision, MARGIN_FID, MARGIN_IS, PValues};
pub use effective_rank::effective_rank;
pub use estimate::{Estimate, Interval, LEVEL};
pub use holm::{holm, holm_claims};
pub use slope::slope;
pub use summary::{Summary, mean, summary, variance};
