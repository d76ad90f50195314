//! Scores of generated images: inception score, FID, KID, precision and recall, and FID and MS-SSIM
//! within classes.
//!
//! The crate has two main concepts. A *metric* is a function of plain numbers ([`inception_score`]
//! of logits, [`fid`] of moments, [`kid`] and [`precision_recall`] of features, [`ms_ssim`] of
//! pixels) and does not depend on a network. An [`Evaluator`] binds the metrics to a [`Backbone`],
//! references and protocols by name. It sends images through the network once, block by block, and
//! records every score with its whole protocol, so that scores under different protocols never
//! share a column. Backbones are Inception-v3, the network of published scores, and [`SCORERS`],
//! small classifiers whose scores are comparable only with each other.
//!
//! ```
//! use sngan_eval::{Moments, fid::frechet_distance};
//!
//! // Features of three images, two numbers each; the second set is the first moved by 3.
//! let a = Moments::of(&[0.0, 0.0, 1.0, 0.0, 0.0, 1.0], 2)?;
//! let b = Moments::of(&[3.0, 0.0, 4.0, 0.0, 3.0, 1.0], 2)?;
//! assert!((frechet_distance(&a, &b)? - 9.0).abs() < 1e-9);
//! # Ok::<(), sngan_eval::Error>(())
//! ```
//!
//! `examples/fid_of_folders.rs` computes the FID of two folders of images.

mod backbone;
mod block;
pub mod cache;
mod classes;
mod collect;
mod error;
mod evaluator;
pub mod graph;
pub mod inception;
pub mod input;
mod metric;
pub mod moments;
mod pictures;
mod real;
mod rows;
mod samples;
pub mod scorer;
mod spill;
mod statistics;

pub use backbone::{Backbone, BackboneFeatures, BackboneOptions, Logits};
pub use cache::FeatureCache;
pub use collect::{BlockProgress, unwatched};
pub use error::{Error, Result};
pub use evaluator::{Evaluator, EvaluatorOptions};
pub use graph::{Graph, Inference};
pub use inception::{Inception, InceptionFeatures, Preparation, Taps};
pub use metric::{fid, inception_score, kid, ms_ssim, precision_recall};
pub use moments::{Few, Moments};
pub use pictures::PictureFolder;
pub use real::{
    Real, StatisticsProvenance, make_statistics, moments_of, read_statistics, verify_statistics,
};
pub use rows::Rows;
pub use samples::{BLOCK, Samples, SourceSamples};
pub use scorer::{Features, Recipe, SCORERS, Scorer, ScorerSpec};
pub use statistics::{Statistics, write_statistics};
