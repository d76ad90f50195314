//! Layer normalization over (C, H, W), and the activation that follows it.

use super::activation::Activation;
use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_slice};
use super::node::{self, Gradients, MapGradient, Values};
use super::pointwise::activate;
use crate::Result;
use candle_core::Tensor;
use sngan_kernels::Buffer;
use sngan_kernels::layer_norm::{Sizes, backward, forward};
use std::sync::Arc;

/// `activation((x − mean) / √(var + eps) + β)` for `x` `[N, C, H, W]`, statistics over (C, H, W) per image, `beta` `[C]` per channel, no γ.
///
/// # Errors
/// When the shapes do not fit.
pub fn layer_norm(
    x: &FeatureMap,
    beta: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<FeatureMap> {
    match x {
        FeatureMap::Candle(x) => composed(x, beta, eps, activation),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map, beta, eps, activation)),
    }
}

fn composed(x: &Tensor, beta: &Tensor, eps: f64, activation: Activation) -> Result<FeatureMap> {
    let (n, c, h, w) = x.dims4()?;
    let flat = x.reshape((n, c * h * w))?;
    let count = (c * h * w) as f64;
    let centred = flat.broadcast_sub(&(flat.sum_keepdim(1)? / count)?)?;
    let var = (centred.sqr()?.sum_keepdim(1)? / count)?;
    let y = centred.broadcast_div(&(var + eps)?.sqrt()?)?;
    let y = y.reshape((n, c, h, w))?.broadcast_add(&beta.reshape((1, c, 1, 1))?)?;
    Ok(FeatureMap::Candle(activate(&y, activation)?))
}

fn ours<T: Element>(
    x: &Map,
    beta: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<FeatureMap> {
    let sizes = Sizes { images: x.dims[0], channels: x.dims[1] };
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    with_slice(beta, |beta| {
        forward(sizes, T::values(&x.data)?, beta, eps, number(activation.slope()), &mut y);
        Ok(())
    })?;
    let data = Arc::new(T::data(y));
    let values = Values { dims: x.dims, mask: activation.mask(&data), data };
    node::map::<T, _, 1, 1>("layer-norm", [x], [beta], values, move |call| {
        let mut dx = Buffer::<T>::arbitrary(call.dy.len());
        let mut dbeta = vec![number::<T>(0.0); call.tensors[0].elem_count()];
        backward(sizes, T::values(&call.maps[0].data)?, call.dy, eps, &mut dx, &mut dbeta);
        Ok(Gradients { maps: [Some(MapGradient::Values(dx))], tensors: [Some(dbeta)] })
    })
}
