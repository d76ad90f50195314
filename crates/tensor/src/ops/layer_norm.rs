//! Layer normalization over (C, H, W), and the activation that follows it.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_slice};
use super::node::{no_input, served};
use super::pointwise::activate;
use crate::Result;
use candle_core::{Device, Tensor};
use sngan_kernels::Buffer;
use sngan_kernels::layer_norm::{Sizes, backward, forward};
use std::sync::Arc;

/// `act((x − mean) / √(var + eps) + β)` for `x` `[N, C, H, W]`, statistics over (C, H, W) per image, `beta` `[C]` per channel, no γ; `act`
/// is the identity for `slope` 1, ReLU for 0.
///
/// # Errors
/// When the shapes do not fit.
pub fn layer_norm(x: &FeatureMap, beta: &Tensor, eps: f64, slope: f64) -> Result<FeatureMap> {
    match x {
        FeatureMap::Candle(x) => composed(x, beta, eps, slope),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map, beta, eps, slope)),
    }
}

fn composed(x: &Tensor, beta: &Tensor, eps: f64, slope: f64) -> Result<FeatureMap> {
    let (n, c, h, w) = x.dims4()?;
    let flat = x.reshape((n, c * h * w))?;
    let count = (c * h * w) as f64;
    let centred = flat.broadcast_sub(&(flat.sum_keepdim(1)? / count)?)?;
    let var = (centred.sqr()?.sum_keepdim(1)? / count)?;
    let y = centred.broadcast_div(&(var + eps)?.sqrt()?)?;
    let y = y.reshape((n, c, h, w))?.broadcast_add(&beta.reshape((1, c, 1, 1))?)?;
    Ok(FeatureMap::Candle(activate(&y, slope)?))
}

fn ours<T: Element>(x: &Map, beta: &Tensor, eps: f64, slope: f64) -> Result<FeatureMap> {
    let sizes = Sizes { images: x.dims[0], channels: x.dims[1] };
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    with_slice(beta, |beta| {
        forward(sizes, T::values(&x.data)?, beta, eps, number(slope), &mut y);
        Ok(())
    })?;
    let data = Arc::new(T::data(y));
    let mask = (slope != 1.0).then(|| (data.clone(), slope));
    let (none, x, handle) = (no_input()?, x.clone(), x.handle.clone());
    Map::record::<T>(
        "layer-norm",
        x.dims,
        data,
        mask,
        [&handle, beta, &none],
        move |[handle, beta, _], dy| {
            let mut dx = Buffer::<T>::arbitrary(dy.len());
            let mut dbeta = vec![number::<T>(0.0); beta.elem_count()];
            backward(sizes, T::values(&x.data)?, dy, eps, &mut dx, &mut dbeta);
            if handle.track_op() {
                x.receive(dx)?;
            }
            let dbeta = if beta.track_op() {
                Some(Tensor::from_vec(dbeta, beta.shape(), &Device::Cpu)?)
            } else {
                None
            };
            Ok([served(handle)?, dbeta, None])
        },
    )
}
