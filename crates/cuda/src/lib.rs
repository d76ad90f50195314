//! An update of a GAN as a static program.
//!
//! [`program::Program::of`] records, from a spec's layer tables, every operation of a generator update and of a round of the discriminator,
//! backward passes included, as a list of [`op::Op`]s on one flat memory. Nothing in it depends on values, so it can be run again and again,
//! allocates nothing, and can be captured as a graph of a GPU. [`host::Host`] runs it on the CPU, in f32 or f64: slowly, and plainly
//! enough to be read; it is what the kernels of a GPU are compared with.

#[cfg(feature = "cuda")]
pub mod device;
mod engine;
mod error;
pub mod host;
mod inference;
pub mod kernels;
pub mod launch;
pub mod machine;
pub mod op;
pub mod program;

pub use engine::Interpreter;
#[cfg(feature = "cuda")]
pub use engine::{Cuda, on_gpu};
pub use error::{Error, Result};
pub use inference::Inferring;
