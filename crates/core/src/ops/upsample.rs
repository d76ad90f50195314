//! Nearest-neighbour upsampling by 2, as the generators' residual blocks use it on both of their branches.
//!
//! Candle's own `upsample_nearest2d` is not used: its backward pass overwrites the gradient that its input already has, so a block whose
//! shortcut and residual read the same tensor would get a wrong gradient, depending on the order of the graph.

use super::Arm;
use super::cpu::{Element, by_type, slice, zeros};
use crate::Result;
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};

/// The two linear maps, each the other's derivative.
#[derive(Clone, Copy, Debug)]
enum Upsample {
    /// Each pixel becomes 2x2.
    Repeat,
    /// The adjoint: each 2x2 becomes its sum.
    Sum,
}

impl CustomOp1 for Upsample {
    fn name(&self) -> &'static str {
        match self {
            Upsample::Repeat => "upsample",
            Upsample::Sum => "upsample-grad",
        }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        by_type!(x, T, {
            let x = slice::<T>(x, layout)?;
            let (y, shape) = match self {
                Upsample::Repeat => (repeat(x, w), (n, c, 2 * h, 2 * w)),
                Upsample::Sum => (sum(x, w), (n, c, h / 2, w / 2)),
            };
            Ok((<T as candle_core::WithDType>::to_cpu_storage_owned(y), shape.into()))
        })
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let adjoint = match self {
            Upsample::Repeat => Upsample::Sum,
            Upsample::Sum => Upsample::Repeat,
        };
        g.contiguous()?.apply_op1(adjoint).map(Some)
    }
}

/// Every line of `w` pixels twice, every pixel of it twice.
fn repeat<T: Element>(x: &[T], w: usize) -> Vec<T> {
    let mut y = zeros::<T>(4 * x.len());
    for (y, x) in y.chunks_exact_mut(4 * w).zip(x.chunks_exact(w)) {
        let (first, second) = y.split_at_mut(2 * w);
        first.chunks_exact_mut(2).zip(x).for_each(|(to, from)| to.fill(*from));
        second.copy_from_slice(first);
    }
    y
}

/// Sums of 2x2 pixels, for lines of `w` (even) pixels.
fn sum<T: Element>(y: &[T], w: usize) -> Vec<T> {
    let mut x = zeros::<T>(y.len() / 4);
    for (x, y) in x.chunks_exact_mut(w / 2).zip(y.chunks_exact(2 * w)) {
        let (first, second) = y.split_at(w);
        let pairs = first.chunks_exact(2).zip(second.chunks_exact(2));
        x.iter_mut().zip(pairs).for_each(|(to, (a, b))| *to = (a[0] + a[1]) + (b[0] + b[1]));
    }
    x
}

/// Nearest-neighbour upsampling of `x` `[N, C, H, W]` → `[N, C, 2H, 2W]`. Gradients add up where `x` is used elsewhere too.
///
/// # Errors
/// When `x` has not four dimensions.
pub fn upsample(arm: Arm, x: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    match arm {
        Arm::Ours => Ok(x.contiguous()?.apply_op1(Upsample::Repeat)?),
        // A broadcast's backward is a sum, which Candle adds to what is there.
        Arm::Candle => Ok(x.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, 2, w, 2))?.reshape((n, c, 2 * h, 2 * w))?),
    }
}
