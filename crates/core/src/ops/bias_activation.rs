//! Bias and (leaky) ReLU in one pass, and the activation's tangent.

use super::Arm;
use super::cpu::{by_type, number, slice, with_slice, zeros};
use crate::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Shape, Tensor, WithDType};
use sngan_kernels::bias_act;

/// `[N, C, …]` → (C, product of the rest).
fn channels_inner(shape: &Shape) -> (usize, usize) {
    let dims = shape.dims();
    (dims[1], dims[2..].iter().product())
}

struct BiasActivation {
    slope: f64,
}

impl CustomOp2 for BiasActivation {
    fn name(&self) -> &'static str {
        "bias-activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (channels, inner) = channels_inner(lx.shape());
        by_type!(x, T, {
            let (x, b) = (slice::<T>(x, lx)?, slice::<T>(b, lb)?);
            let mut y = zeros::<T>(x.len());
            bias_act::forward(x, Some(b), number::<T>(self.slope), channels, inner, &mut y);
            Ok((T::to_cpu_storage_owned(y), lx.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, b: &Tensor, y: &Tensor, g: &Tensor) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = if self.slope == 1.0 { g.contiguous()? } else { Mask { slope: self.slope }.apply(g, y)? };
        let db = if b.track_op() { Some(channel_sums(&dx)?) } else { None };
        Ok((x.track_op().then_some(dx), db))
    }
}

fn channel_sums(dx: &Tensor) -> candle_core::Result<Tensor> {
    fn of<T: super::cpu::Element>(dx: &Tensor) -> candle_core::Result<Tensor> {
        let (channels, inner) = channels_inner(dx.shape());
        let mut db = zeros::<T>(channels);
        with_slice::<T, _>(dx, |d| {
            bias_act::grad_bias(d, channels, inner, &mut db);
            Ok(())
        })?;
        Tensor::from_vec(db, channels, dx.device())
    }
    if dx.dtype() == DType::F32 { of::<f32>(dx) } else { of::<f64>(dx) }
}

struct Activation {
    slope: f64,
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (channels, inner) = channels_inner(lx.shape());
        by_type!(x, T, {
            let x = slice::<T>(x, lx)?;
            let mut y = zeros::<T>(x.len());
            bias_act::forward(x, None, number::<T>(self.slope), channels, inner, &mut y);
            Ok((T::to_cpu_storage_owned(y), lx.shape().clone()))
        })
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, g: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Mask { slope: self.slope }.apply(g, y).map(Some)
    }
}

/// (t, y) → t where y > 0, else slope·t; linear in t, constant in y.
#[derive(Clone, Copy)]
struct Mask {
    slope: f64,
}

impl Mask {
    fn apply(self, t: &Tensor, y: &Tensor) -> candle_core::Result<Tensor> {
        t.contiguous()?.apply_op2(&y.contiguous()?, self)
    }
}

impl CustomOp2 for Mask {
    fn name(&self) -> &'static str {
        "activation-mask"
    }

    fn cpu_fwd(&self, t: &CpuStorage, lt: &Layout, y: &CpuStorage, ly: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        by_type!(t, T, {
            let (t, y) = (slice::<T>(t, lt)?, slice::<T>(y, ly)?);
            let mut out = zeros::<T>(t.len());
            bias_act::backward(y, t, number::<T>(self.slope), &mut out);
            Ok((T::to_cpu_storage_owned(out), lt.shape().clone()))
        })
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, _: &Tensor, g: &Tensor) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(self.apply(g, y)?), None))
    }
}

/// 1 where y > 0, else `slope`: the derivative of the activation, by the sign of its output; detached.
fn derivative(y: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(y.detach().gt(0.0)?.to_dtype(y.dtype())?.affine(1.0 - slope, slope)?)
}

/// `a > 0 ? a : slope·a` with `a = x + bias`, for `x` `[N, C, …]` and `bias` `[C]`. `slope` 1 is the identity, 0 ReLU; the derivative
/// at 0 is `slope` (as PyTorch's; Candle's own ReLU has 1).
///
/// # Errors
/// When the shapes do not fit.
pub fn bias_activation(arm: Arm, x: &Tensor, bias: &Tensor, slope: f64) -> Result<Tensor> {
    if arm == Arm::Ours {
        return Ok(x.contiguous()?.apply_op2(&bias.contiguous()?, BiasActivation { slope })?);
    }
    let mut dims = vec![1; x.rank()];
    dims[1] = bias.elem_count();
    activation(arm, &x.broadcast_add(&bias.reshape(dims)?)?, slope)
}

/// [`bias_activation`] without a bias.
///
/// # Errors
/// Those of the tensor library.
pub fn activation(arm: Arm, x: &Tensor, slope: f64) -> Result<Tensor> {
    if slope == 1.0 {
        return Ok(x.clone());
    }
    match arm {
        Arm::Ours => Ok(x.contiguous()?.apply_op1(Activation { slope })?),
        // Multiplying by the derivative is the function itself, for it is homogeneous.
        Arm::Candle => Ok(x.mul(&derivative(x, slope)?)?),
    }
}

/// The activation's directional derivative: `t` where the primal output `y` is positive, `slope·t` elsewhere. Differentiable in `t`; `y` is constant.
///
/// # Errors
/// When the shapes differ.
pub fn activation_tangent(arm: Arm, t: &Tensor, y: &Tensor, slope: f64) -> Result<Tensor> {
    match (arm, slope == 1.0) {
        (_, true) => Ok(t.clone()),
        (Arm::Ours, _) => Ok(Mask { slope }.apply(t, &y.detach())?),
        (Arm::Candle, _) => Ok(t.mul(&derivative(y, slope)?)?),
    }
}
