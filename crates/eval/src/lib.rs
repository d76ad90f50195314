//! Scores of generated images: the inception score and the Fréchet inception distance, through a named backbone.
//!
//! Two ideas carry the crate. A *metric* is a function of plain numbers ([`inception_score`] of logits, [`fid`] of features) that knows no
//! network. An [`Evaluator`] binds the metrics to a backbone, a reference and sample counts, and stamps every score with that protocol, so
//! that scores taken differently never meet in one column. The backbones here are [`SCORERS`], small classifiers; scores through them are *not*
//! comparable with those through Inception-v3.

mod error;
mod evaluator;
pub mod fid;
pub mod inception;
pub mod inception_score;
mod scorer;

pub use error::{Error, Result};
pub use evaluator::Evaluator;
pub use inception::{Inception, InceptionFeatures, Preparation, Taps};
pub use scorer::{Features, Recipe, SCORERS, Scorer, ScorerSpec, Training, train_scorer};
