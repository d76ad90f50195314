//! Batch normalization, with the statistics of the batch or given ones, and the activation that follows it. γ and β are the channels', or,
//! for conditional batch normalization, each image's: the rows of its class.

use super::activation::Activation;
use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_optional, with_slice};
use super::node::{self, Call, Gradients, MapGradient, Values};
use super::pointwise::activate;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sngan_kernels::batch_norm::{self as kernel, NormalizedBy};
use sngan_kernels::{Buffer, conditional_norm};
use std::sync::Arc;

/// `activation((x − mean) / √(var + eps) · γ + β)` for `x` `[N, C, H, W]`, statistics over (N, H, W), `gamma` (1 when absent) and `beta` `[C]`, or
/// both `[N, C]`. Returns y, and, detached, the batch's mean and *biased* variance `[C]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn batch_norm(
    x: &FeatureMap,
    gamma: Option<&Tensor>,
    beta: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<(FeatureMap, Tensor, Tensor)> {
    check(x, gamma, beta)?;
    match x {
        FeatureMap::Candle(x) => composed(x, gamma, beta, eps, activation),
        FeatureMap::Ours(map) => {
            by_dtype!(map.dtype, T, ours::<T>(map, gamma, beta, eps, activation))
        }
    }
}

/// Refuses γ and β that are neither `[C]` nor both `[N, C]`.
fn check(x: &FeatureMap, gamma: Option<&Tensor>, beta: &Tensor) -> Result<()> {
    let [n, c, ..] = x.dims()?;
    let gamma = gamma.map(Tensor::dims);
    let (by_channel, by_image): (&[usize], &[usize]) = (&[c], &[n, c]);
    if (beta.dims() == by_channel && gamma.is_none_or(|g| g == by_channel))
        || (beta.dims() == by_image && gamma == Some(by_image))
    {
        return Ok(());
    }
    Err(Error::BatchNorm {
        images: n,
        channels: c,
        gamma: gamma.map(<[usize]>::to_vec),
        beta: beta.dims().to_vec(),
    })
}

/// γ or β `[C]` or `[N, C]` against `[N, C, H, W]`.
fn over_the_plane(t: &Tensor) -> candle_core::Result<Tensor> {
    let c = t.dims()[t.rank() - 1];
    t.reshape((t.elem_count() / c, c, 1, 1))
}

fn composed(
    x: &Tensor,
    gamma: Option<&Tensor>,
    beta: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<(FeatureMap, Tensor, Tensor)> {
    let (n, _, h, w) = x.dims4()?;
    let count = (n * h * w) as f64;
    let per_channel = |t: &Tensor| t.sum_keepdim((0, 2, 3))? / count;
    let mean = per_channel(x)?;
    let centred = x.broadcast_sub(&mean)?;
    let var = per_channel(&centred.sqr()?)?;
    let mut y = centred.broadcast_div(&(&var + eps)?.sqrt()?)?;
    if let Some(gamma) = gamma {
        y = y.broadcast_mul(&over_the_plane(gamma)?)?;
    }
    let y = activate(&y.broadcast_add(&over_the_plane(beta)?)?, activation)?;
    Ok((FeatureMap::Candle(y), mean.flatten_all()?.detach(), var.flatten_all()?.detach()))
}

fn ours<T: Element>(
    x: &Map,
    gamma: Option<&Tensor>,
    beta: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<(FeatureMap, Tensor, Tensor)> {
    let channels = x.dims[1];
    let (mut mean, mut var) = (vec![number::<T>(0.0); channels], vec![number::<T>(0.0); channels]);
    kernel::statistics(T::values(&x.data)?, &mut mean, &mut var);
    let tensors = (
        Tensor::from_slice(&mean, channels, &Device::Cpu)?,
        Tensor::from_slice(&var, channels, &Device::Cpu)?,
    );
    let y =
        normalize(x, gamma, beta, Known { mean, var, of: NormalizedBy::OfBatch, eps }, activation)?;
    Ok((y, tensors.0, tensors.1))
}

/// Statistics and what they depend on.
struct Known<T> {
    mean: Vec<T>,
    var: Vec<T>,
    of: NormalizedBy,
    eps: f64,
}

fn normalize<T: Element>(
    x: &Map,
    gamma: Option<&Tensor>,
    beta: &Tensor,
    known: Known<T>,
    activation: Activation,
) -> Result<FeatureMap> {
    let by_image = beta.rank() == 2;
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    with_optional(gamma, |gamma| {
        with_slice(beta, |beta| {
            let values = T::values(&x.data)?;
            let statistics = (&known.mean[..], &known.var[..]);
            match gamma {
                Some(gamma) if by_image => {
                    conditional_norm::normalize(
                        x.size(),
                        values,
                        gamma,
                        beta,
                        statistics,
                        known.eps,
                        number(activation.slope()),
                        &mut y,
                    );
                }
                _ => kernel::normalize(
                    values,
                    gamma,
                    beta,
                    statistics.0,
                    statistics.1,
                    known.eps,
                    number(activation.slope()),
                    &mut y,
                ),
            }
            Ok(())
        })
    })?;
    let data = Arc::new(T::data(y));
    let values = Values { dims: x.dims, mask: activation.mask(&data), data };
    match gamma {
        Some(gamma) => {
            node::map::<T, _, 1, 2>("batch-norm", [x], [gamma, beta], values, move |call| {
                let (dx, dgamma, dbeta) = gradients(&call, Some(call.tensors[0]), &known)?;
                Ok(Gradients { maps: [Some(dx)], tensors: [Some(dgamma), Some(dbeta)] })
            })
        }
        None => node::map::<T, _, 1, 1>("batch-norm", [x], [beta], values, move |call| {
            let (dx, _, dbeta) = gradients(&call, None, &known)?;
            Ok(Gradients { maps: [Some(dx)], tensors: [Some(dbeta)] })
        }),
    }
}

/// Those of the map, of γ and of β, which is the last of the tensors.
fn gradients<T: Element, const N: usize>(
    call: &Call<'_, T, 1, N>,
    gamma: Option<&Tensor>,
    known: &Known<T>,
) -> candle_core::Result<(MapGradient<T>, Vec<T>, Vec<T>)> {
    let (x, beta, dy) = (&call.maps[0], call.tensors[N - 1], call.dy);
    let mut dx = Buffer::<T>::arbitrary(dy.len());
    let (mut dgamma, mut dbeta) =
        (vec![number::<T>(0.0); beta.elem_count()], vec![number::<T>(0.0); beta.elem_count()]);
    let statistics = (&known.mean[..], &known.var[..], known.of);
    with_optional(gamma, |gamma| {
        let values = T::values(&x.data)?;
        match gamma {
            Some(gamma) if beta.rank() == 2 => {
                let size = x.size();
                conditional_norm::backward(
                    size,
                    values,
                    dy,
                    gamma,
                    statistics,
                    known.eps,
                    &mut dx,
                    &mut dgamma,
                    &mut dbeta,
                );
            }
            _ => kernel::backward(
                values,
                dy,
                gamma,
                statistics,
                known.eps,
                &mut dx,
                &mut dgamma,
                &mut dbeta,
            ),
        }
        Ok(())
    })?;
    Ok((MapGradient::Values(dx), dgamma, dbeta))
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
    activation: Activation,
) -> Result<FeatureMap> {
    check(x, Some(gamma), beta)?;
    let (mean, var) = (mean.detach(), var.detach());
    match x {
        FeatureMap::Candle(x) => {
            let scale = gamma.broadcast_div(&(var + eps)?.sqrt()?)?;
            let y = x
                .broadcast_sub(&over_the_plane(&mean)?)?
                .broadcast_mul(&over_the_plane(&scale)?)?;
            Ok(FeatureMap::Candle(activate(&y.broadcast_add(&over_the_plane(beta)?)?, activation)?))
        }
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, {
            let host = |t: &Tensor| with_slice::<T, _>(t, |s| Ok(s.to_vec()));
            let known =
                Known { mean: host(&mean)?, var: host(&var)?, of: NormalizedBy::Given, eps };
            normalize::<T>(map, Some(gamma), beta, known, activation)
        }),
    }
}
