//! CPU kernels on slices: convolutions, matrix products, bias and activation, normalizations, pooling, Adam. No tensors, no GANs.
//!
//! Feature maps are `[H, W, N, C]`, dense: channels innermost, then images. Every kernel overwrites
//! its outputs and gives the same bits on any number of threads: work is split by shape alone and
//! partial sums are added in a fixed order. Kernels run on rayon's current pool and on the widest
//! instruction set of the machine ([`Isa`]).
//!
//! ```
//! // [2, 3] times [3, 1].
//! let (a, b, mut c) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, -1.0], [0.0; 2]);
//! sngan_kernels::matmul::nn(2, 1, 3, &a, &b, &mut c);
//! assert_eq!(c, [-2.0, -2.0]);
//! ```

#![warn(clippy::undocumented_unsafe_blocks)]

pub mod activation;
pub mod adam;
pub mod append;
pub mod batch_norm;
mod buffer;
pub mod conditional_norm;
pub mod conv;
mod error;
pub mod filter;
mod gemm_product;
mod isa;
pub mod layer_norm;
pub mod matmul;
pub mod matvec;
pub mod plane;
pub mod pool;
mod product;
mod real;
mod shape;
mod shared;
mod simd;
pub mod sums;
pub mod turned;

pub use buffer::Buffer;
pub use error::Error;
pub use isa::Isa;
pub use real::Real;
pub use shape::ConvShape;
