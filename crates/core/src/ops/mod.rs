//! The seam between networks and kernels: each operation has two arms.
//!
//! Networks are written once over these functions. [`Arm::Ours`] runs the kernels of `sngan-kernels` as Candle custom
//! operations (CPU); [`Arm::Candle`] composes Candle's own operations (CUDA, and f64 as the oracle). Tests force either arm, so the
//! logic of the CUDA arm runs on the CPU too. Every operation is differentiable once by Candle's autograd.

mod batch_norm;
mod bias_activation;
mod conv;
mod cpu;
mod dense;
mod layer_norm;
mod upsample;

pub use batch_norm::batch_norm;
pub use bias_activation::{activation, activation_tangent, bias_activation};
pub use conv::{conv_transpose2d, conv2d};
pub use dense::dense;
pub(crate) use dense::gram;
pub use layer_norm::layer_norm;
pub use upsample::upsample;

use candle_core::{DType, Tensor};

/// Which implementation an operation uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arm {
    /// The workspace's kernels: CPU, f32 or f64.
    Ours,
    /// Candle's own operations: any device and type.
    Candle,
}

impl Arm {
    /// The default: ours for f32 on the CPU, else Candle's.
    pub fn of(t: &Tensor) -> Arm {
        if t.device().is_cpu() && t.dtype() == DType::F32 { Arm::Ours } else { Arm::Candle }
    }
}
