//! Batch normalization, with the statistics of the batch or given ones, and the activation that follows it.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_optional, with_slice};
use super::node::{Gradients, no_input, served};
use super::pointwise::activate;
use crate::Result;
use candle_core::{Device, Tensor};
use sngan_kernels::Buffer;
use sngan_kernels::batch_norm::{self as kernel, Statistics};
use std::sync::Arc;

/// `act((x − mean) / √(var + eps) · γ + β)` for `x` `[N, C, H, W]`, statistics over (N, H, W), `gamma` (1 when absent) and `beta` `[C]`;
/// `act` is the identity for `slope` 1, ReLU for 0. Returns y, and, detached, the batch's mean and *biased* variance `[C]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn batch_norm(x: &FeatureMap, gamma: Option<&Tensor>, beta: &Tensor, eps: f64, slope: f64) -> Result<(FeatureMap, Tensor, Tensor)> {
    match x {
        FeatureMap::Candle(x) => composed(x, gamma, beta, eps, slope),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map, gamma, beta, eps, slope)),
    }
}

fn composed(x: &Tensor, gamma: Option<&Tensor>, beta: &Tensor, eps: f64, slope: f64) -> Result<(FeatureMap, Tensor, Tensor)> {
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
    let y = activate(&y.broadcast_add(&beta.reshape((1, c, 1, 1))?)?, slope)?;
    Ok((FeatureMap::Candle(y), mean.flatten_all()?.detach(), var.flatten_all()?.detach()))
}

fn ours<T: Element>(x: &Map, gamma: Option<&Tensor>, beta: &Tensor, eps: f64, slope: f64) -> Result<(FeatureMap, Tensor, Tensor)> {
    let channels = x.dims[1];
    let (mut mean, mut var) = (vec![number::<T>(0.0); channels], vec![number::<T>(0.0); channels]);
    kernel::statistics(T::values(&x.data)?, &mut mean, &mut var);
    let tensors = (Tensor::from_slice(&mean, channels, &Device::Cpu)?, Tensor::from_slice(&var, channels, &Device::Cpu)?);
    let y = normalize(x, gamma, beta, Known { mean, var, of: Statistics::OfBatch, eps }, slope)?;
    Ok((y, tensors.0, tensors.1))
}

/// Statistics and what they depend on.
struct Known<T> {
    mean: Vec<T>,
    var: Vec<T>,
    of: Statistics,
    eps: f64,
}

fn normalize<T: Element>(x: &Map, gamma: Option<&Tensor>, beta: &Tensor, known: Known<T>, slope: f64) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    with_optional(gamma, |gamma| {
        with_slice(beta, |beta| {
            kernel::normalize(T::values(&x.data)?, gamma, beta, &known.mean, &known.var, known.eps, number(slope), &mut y);
            Ok(())
        })
    })?;
    let data = Arc::new(T::data(y));
    let mask = (slope != 1.0).then(|| (data.clone(), slope));
    let (none, with_gamma) = (no_input()?, gamma.is_some());
    let (x, handle, gamma) = (x.clone(), x.handle.clone(), gamma.unwrap_or(&none));
    Map::record::<T>("batch-norm", x.dims, data, mask, [&handle, gamma, beta], move |inputs, dy| {
        gradients(&x, with_gamma, inputs, &known, dy)
    })
}

fn gradients<T: Element>(
    x: &Map,
    with_gamma: bool,
    [handle, gamma, beta]: [&Tensor; 3],
    known: &Known<T>,
    dy: &[T],
) -> candle_core::Result<Gradients> {
    let mut dx = Buffer::<T>::arbitrary(dy.len());
    let (mut dgamma, mut dbeta) = (vec![number::<T>(0.0); known.mean.len()], vec![number::<T>(0.0); known.mean.len()]);
    let statistics = (&known.mean[..], &known.var[..], known.of);
    with_optional(with_gamma.then_some(gamma), |gamma| {
        kernel::backward(T::values(&x.data)?, dy, gamma, statistics, known.eps, &mut dx, &mut dgamma, &mut dbeta);
        Ok(())
    })?;
    if handle.track_op() {
        x.receive(dx)?;
    }
    let asked = |t: &Tensor, d: Vec<T>| if t.track_op() { Tensor::from_vec(d, t.shape(), &Device::Cpu).map(Some) } else { Ok(None) };
    Ok([served(handle)?, asked(gamma, dgamma)?, asked(beta, dbeta)?])
}

/// [`batch_norm`] with given statistics `[C]`, such as running averages, as constants.
///
/// # Errors
/// When the shapes do not fit.
pub fn batch_norm_with(
    x: &FeatureMap,
    gamma: &Tensor,
    beta: &Tensor,
    [mean, var]: [&Tensor; 2],
    eps: f64,
    slope: f64,
) -> Result<FeatureMap> {
    let (mean, var) = (mean.detach(), var.detach());
    match x {
        FeatureMap::Candle(x) => {
            let per_channel = |t: &Tensor| t.reshape((1, t.elem_count(), 1, 1));
            let scale = (gamma / (var + eps)?.sqrt()?)?;
            let y = x.broadcast_sub(&per_channel(&mean)?)?.broadcast_mul(&per_channel(&scale)?)?;
            Ok(FeatureMap::Candle(activate(&y.broadcast_add(&per_channel(beta)?)?, slope)?))
        }
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, {
            let host = |t: &Tensor| with_slice::<T, _>(t, |s| Ok(s.to_vec()));
            let known = Known { mean: host(&mean)?, var: host(&var)?, of: Statistics::Given, eps };
            normalize::<T>(map, Some(gamma), beta, known, slope)
        }),
    }
}
