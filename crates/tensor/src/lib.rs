//! The floor that networks stand on, ours and others': operations on tensors with a gradient ([`ops`]), random streams ([`rng`]), Adam
//! ([`adam`]), exact decompositions ([`decomposition`]), and files of tensors, ours ([`tensor_file`]) and PyTorch's ([`torch_file`]).
//!
//! The crate knows no network, no run and no metric: what is trained or scored stands on it and not beside it.

pub mod adam;
pub mod bytes;
pub mod decomposition;
mod device;
mod error;
pub mod ops;
pub mod rng;
pub mod tensor_file;
pub mod torch_file;

pub use candle_core::{DType, Device, Tensor, Var};
pub use device::parse_device;
pub use error::{Error, Result};

/// The instruction set that the CPU kernels use on this machine; bits are the same within one.
pub fn instruction_set() -> &'static str {
    sngan_kernels::Isa::best().name()
}
