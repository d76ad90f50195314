//! Networks, normalizations, regularizers, losses and training of "Spectral Normalization for Generative Adversarial Networks"
//! (Miyato et al., ICLR 2018), on Candle.
//!
//! [`trainer::train`] runs a [`sngan_experiment::RunSpec`] in a run directory. Below it, [`model`] holds the paper's networks,
//! [`norm`] and [`regularizer`] the methods it compares, [`ops`] the seam between Candle and this workspace's CPU kernels.
//! The crate knows no metric.

pub mod adam;
mod batch;
pub mod checkpoint;
mod decomposition;
mod device;
mod ema;
mod error;
pub mod generate;
pub mod interchange;
pub mod loss;
pub mod model;
pub mod norm;
pub mod ops;
pub mod regularizer;
pub mod replay;
pub mod rng;
pub mod spectrum;
mod tensor_file;
pub mod torch_file;
pub mod trainer;

pub use candle_core::{DType, Device, Tensor, Var};
pub use device::parse_device;
pub use error::{Error, Result, status_after};

/// The instruction set that the CPU kernels use on this machine; bits are the same within one.
pub fn instruction_set() -> &'static str {
    sngan_kernels::Isa::best().name()
}
