//! The operations that networks are written over. Each has two arms, our kernels and Candle's own operations.
//!
//! Networks are written once over these functions. [`Arm::Ours`] runs the kernels of `sngan-kernels` (CPU); [`Arm::Candle`] composes
//! Candle's own operations (CUDA, and f64 as the oracle). What flows between layers is a [`FeatureMap`] of either arm; weights, images and
//! outputs are tensors. Tests force either arm, so the logic of the CUDA arm runs on the CPU too. Every operation is differentiable once by
//! Candle's autograd.

mod activation;
mod append;
mod batch_norm;
mod conv;
mod dense;
mod feature_map;
mod layer_norm;
mod node;
mod pattern;
mod pointwise;
mod pool;
mod quotient;
mod residual;
mod spectral;
mod upsample;

pub use activation::Activation;
pub use append::append;
pub use batch_norm::{batch_norm, batch_norm_with};
pub use conv::{Finish, conv_transpose2d, conv2d};
pub use dense::{dense, gram, head, product};
pub use feature_map::{FeatureMap, Map};
pub use layer_norm::layer_norm;
pub use pattern::Pattern;
pub use pointwise::{activation, mask, tanh};
pub use pool::{average_pool, mean_pool, sum_pool};
pub use quotient::{
    bound_stable_rank, divide_by_product, mean_direction, power_iteration_of_inputs,
};
pub use residual::add;
pub use spectral::{Singular, divide_by_sigma, power_iteration};
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
