//! Networks, normalizations, regularizers, losses and training of "Spectral Normalization for Generative Adversarial Networks"
//! (Miyato et al., ICLR 2018), on Candle.
//!
//! [`trainer::train`] runs a [`sngan_experiment::RunSpec`] in a run directory. Below it, [`model`] holds the paper's networks,
//! [`norm`] and [`regularizer`] the methods it compares; operations, random streams, Adam and files of tensors are [`sngan_tensor`]'s.
//! [`nn`] has the same spectral normalization as layers for networks of one's own, made with candle-nn. The crate knows no metric.

mod batch;
pub mod checkpoint;
mod ema;
mod error;
mod fresh;
pub mod generate;
pub mod interchange;
pub mod loss;
pub mod model;
pub mod nn;
pub mod norm;
pub mod regularizer;
pub mod replay;
pub mod spectrum;
pub mod trainer;
mod warning;

pub use error::{Error, Result, status_after};
pub use fresh::Fresh;
pub use warning::Warning;
