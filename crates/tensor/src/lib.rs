//! The floor that networks stand on, ours and others': operations on tensors with a gradient ([`ops`]), random streams ([`rng`]), Adam
//! ([`adam`]), exact decompositions ([`decomposition`]), and files of tensors: ours ([`tensor_file`]), PyTorch's ([`torch_file`]), and
//! NumPy's ([`npz`]), which Chainer's snapshots are.
//!
//! The crate knows no network, no run and no metric: what is trained or scored stands on it and not beside it.
//!
//! ```
//! use sngan_tensor::rng::Streams;
//!
//! // A draw is a function of seed, stream and index: nothing is consumed, so nothing need be restored.
//! let streams = Streams::new(0);
//! let z = streams.normal("z", 7, 128);
//! assert_eq!(z, Streams::new(0).normal("z", 7, 128));
//! assert_ne!(z, streams.normal("z", 8, 128));
//! ```

pub mod adam;
pub mod bytes;
pub mod decomposition;
mod error;
pub mod npy;
pub mod npz;
pub mod ops;
pub mod rng;
pub mod tensor_file;
pub mod torch_file;

pub use candle_core::{DType, Device, Tensor, Var};
pub use error::{Error, Result};

/// The instruction set that the CPU kernels use on this machine; bits are the same within one (docs/run-directory.md).
pub fn instruction_set() -> &'static str {
    sngan_kernels::Isa::description()
}

/// Checks that the instruction set which the environment asks for (`SNGAN_ISA`) is there.
///
/// # Errors
/// Why it is not.
pub fn check_instruction_set() -> std::result::Result<(), String> {
    sngan_kernels::Isa::check_limit()
}
