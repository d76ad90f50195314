//! Networks, normalizations, regularizers, losses and training of "Spectral Normalization for Generative Adversarial Networks"
//! (Miyato et al., ICLR 2018), on Candle.
//!
//! [`trainer::train`] runs a [`sngan_experiment::RunSpec`] in a run directory. Below it, [`model`] holds the paper's networks,
//! [`norm`] and [`regularizer`] the methods it compares; operations, random streams, Adam and files of tensors are [`sngan_tensor`]'s.
//! [`nn`] has the same spectral normalization as layers for networks of one's own, made with candle-nn. The crate knows no metric.
//!
//! ```
//! use candle_core::{DType, Device, ModuleT, Tensor};
//! use candle_nn::{VarBuilder, VarMap};
//! use sngan_core::{Fresh, nn::SnLinear};
//! use sngan_tensor::{decomposition::sigma_max, rng::Streams};
//!
//! // A layer of 8 inputs and 4 outputs, its weights drawn from seeded streams and kept for an optimizer.
//! let vars = VarMap::new();
//! let fresh = Box::new(Fresh::kept_in(&vars, Streams::new(0)));
//! let mut layer = SnLinear::new(8, 4, VarBuilder::from_backend(fresh, DType::F32, Device::Cpu))?;
//! for _ in 0..50 {
//!     layer.advance()?;
//! }
//! let sigma = sigma_max(&layer.normalized(false)?)?;
//! assert!((sigma - 1.0).abs() < 1e-3);
//! let x = Tensor::zeros((2, 8), DType::F32, &Device::Cpu)?;
//! assert_eq!(layer.forward_t(&x, true)?.dims(), [2, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
pub mod checkpoint;
mod ema;
mod error;
mod fresh;
pub mod generate;
pub mod import;
pub mod interchange;
pub mod loss;
pub mod model;
pub mod nn;
pub mod norm;
pub mod onnx;
pub mod regularizer;
pub mod replay;
pub mod spectrum;
pub mod trainer;
mod warning;

pub use error::{Error, Result, status_after};
pub use fresh::Fresh;
pub use warning::Warning;
