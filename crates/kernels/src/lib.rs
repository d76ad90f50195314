//! CPU kernels on slices: convolutions, matrix products, bias and activation, batch normalization, Adam. No tensors, no GANs.
//!
//! Tensors are dense and row-major, images `[N, C, H, W]`. Every kernel overwrites its outputs and gives the same bits on any number
//! of threads: work is split by shape alone, and partial sums are added in a fixed order. Kernels run on rayon's current pool.

pub mod adam;
pub mod batch_norm;
pub mod bias_act;
pub mod conv;
mod error;
mod im2col;
pub mod matmul;
mod real;
mod shape;

pub use error::Error;
pub use real::Real;
pub use shape::ConvShape;

/// The widest instruction set that the matrix products use on this machine; bits are the same within one.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512f";
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return "avx2+fma";
        }
    }
    std::env::consts::ARCH
}
