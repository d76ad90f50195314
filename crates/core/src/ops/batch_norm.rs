//! Batch normalization with the statistics of the batch.

use super::Arm;
use super::cpu::{Element, by_type, number, slice, with_slice, zeros};
use crate::Result;
use candle_core::{CpuStorage, CustomOp3, DType, Layout, Shape, Tensor, WithDType};
use sngan_kernels::batch_norm as kernel;
use std::sync::{Arc, Mutex, PoisonError};

/// Mean and biased variance of each channel, as the forward pass found them.
type Statistics = (Vec<f64>, Vec<f64>);

struct BatchNormOp {
    eps: f64,
    statistics: Arc<Mutex<Statistics>>,
}

fn sizes(shape: &Shape) -> candle_core::Result<(usize, usize)> {
    let (_, c, h, w) = shape.dims4()?;
    Ok((c, h * w))
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gamma: &CpuStorage,
        lg: &Layout,
        beta: &CpuStorage,
        lb: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (channels, inner) = sizes(lx.shape())?;
        by_type!(x, T, {
            let (x, gamma, beta) = (slice::<T>(x, lx)?, slice::<T>(gamma, lg)?, slice::<T>(beta, lb)?);
            let (mut y, mut mean, mut var) = (zeros::<T>(x.len()), zeros::<T>(channels), zeros::<T>(channels));
            kernel::forward(x, Some(gamma), beta, number::<T>(self.eps), channels, inner, &mut y, &mut mean, &mut var);
            let wide = |v: Vec<T>| v.into_iter().map(WithDType::to_f64).collect();
            *self.statistics.lock().unwrap_or_else(PoisonError::into_inner) = (wide(mean), wide(var));
            Ok((T::to_cpu_storage_owned(y), lx.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dgamma, dbeta) =
            if x.dtype() == DType::F32 { self.gradients::<f32>(x, gamma, g)? } else { self.gradients::<f64>(x, gamma, g)? };
        let asked = |t: &Tensor, d: Tensor| t.track_op().then_some(d);
        Ok((asked(x, dx), asked(gamma, dgamma), asked(beta, dbeta)))
    }
}

impl BatchNormOp {
    fn gradients<T: Element>(&self, x: &Tensor, gamma: &Tensor, g: &Tensor) -> candle_core::Result<(Tensor, Tensor, Tensor)> {
        let (channels, inner) = sizes(x.shape())?;
        let (mut dx, mut dgamma, mut dbeta) = (zeros::<T>(x.elem_count()), zeros::<T>(channels), zeros::<T>(channels));
        let narrow = |v: &[f64]| v.iter().map(|s| number::<T>(*s)).collect::<Vec<T>>();
        let (mean, var) = {
            let s = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
            (narrow(&s.0), narrow(&s.1))
        };
        let eps = number::<T>(self.eps);
        with_slice::<T, _>(x, |xs| {
            with_slice::<T, _>(gamma, |gammas| {
                with_slice::<T, _>(g, |dy| {
                    kernel::backward(xs, dy, Some(gammas), &mean, &var, eps, channels, inner, &mut dx, &mut dgamma, &mut dbeta);
                    Ok(())
                })
            })
        })?;
        let device = x.device();
        Ok((
            Tensor::from_vec(dx, x.shape(), device)?,
            Tensor::from_vec(dgamma, channels, device)?,
            Tensor::from_vec(dbeta, channels, device)?,
        ))
    }
}

/// `(x − mean) / √(var + eps) · γ + β` for `x` `[N, C, H, W]`, statistics over (N, H, W), `gamma` (1 when absent) and `beta` `[C]`.
/// Returns y, and, detached, the batch's mean and *biased* variance `[C]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn batch_norm(arm: Arm, x: &Tensor, gamma: Option<&Tensor>, beta: &Tensor, eps: f64) -> Result<(Tensor, Tensor, Tensor)> {
    let (_, c, _, _) = x.dims4()?;
    if arm == Arm::Candle {
        return composed(x, gamma, beta, eps);
    }
    let ones;
    let gamma = match gamma {
        Some(gamma) => gamma.contiguous()?,
        None => {
            ones = Tensor::ones(c, x.dtype(), x.device())?;
            ones
        }
    };
    let statistics = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let y = x.contiguous()?.apply_op3(&gamma, &beta.contiguous()?, BatchNormOp { eps, statistics: statistics.clone() })?;
    let s = statistics.lock().unwrap_or_else(PoisonError::into_inner);
    let tensor = |v: &[f64]| Tensor::from_slice(v, c, x.device())?.to_dtype(x.dtype());
    Ok((y, tensor(&s.0)?, tensor(&s.1)?))
}

fn composed(x: &Tensor, gamma: Option<&Tensor>, beta: &Tensor, eps: f64) -> Result<(Tensor, Tensor, Tensor)> {
    let (n, c, h, w) = x.dims4()?;
    let count = (n * h * w) as f64;
    let per_channel = |t: &Tensor| t.sum_keepdim((0, 2, 3))? / count;
    let mean = per_channel(x)?;
    let centred = x.broadcast_sub(&mean)?;
    let var = per_channel(&centred.sqr()?)?;
    let mut y = centred.broadcast_div(&(&var + eps)?.sqrt()?)?;
    if let Some(gamma) = gamma {
        y = y.broadcast_mul(&gamma.reshape((1, c, 1, 1))?)?;
    }
    let y = y.broadcast_add(&beta.reshape((1, c, 1, 1))?)?;
    Ok((y, mean.flatten_all()?.detach(), var.flatten_all()?.detach()))
}
