//! Features of whole images, such as a label's embedding, beside the channels of their feature map.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_slice};
use super::node::{no_input, served};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sngan_kernels::{Buffer, append as kernel};
use std::sync::Arc;

/// `x` `[N, C, H, W]` with `features` `[N, E]`, repeated over the plane, after its channels → `[N, C + E, H, W]`.
///
/// # Errors
/// When the numbers of images differ.
pub fn append(x: &FeatureMap, features: &Tensor) -> Result<FeatureMap> {
    let ([n, _, h, w], (rows, e)) = (x.dims()?, features.dims2()?);
    if rows != n {
        return Err(Error::Append { features: rows, images: n });
    }
    match x {
        FeatureMap::Candle(x) => {
            let tiled = features.reshape((n, e, 1, 1))?.broadcast_as((n, e, h, w))?;
            Ok(FeatureMap::Candle(Tensor::cat(&[x, &tiled.contiguous()?], 1)?))
        }
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map, features, e)),
    }
}

fn ours<T: Element>(x: &Map, features: &Tensor, e: usize) -> Result<FeatureMap> {
    let (size, [n, c, h, w]) = (x.size(), x.dims);
    let mut y = Buffer::<T>::arbitrary(size.pixels * n * (c + e));
    with_slice(features, |features| {
        kernel::forward(size, T::values(&x.data)?, features, &mut y);
        Ok(())
    })?;
    let (none, x, handle) = (no_input()?, x.clone(), x.handle.clone());
    Map::record::<T>(
        "append",
        [n, c + e, h, w],
        Arc::new(T::data(y)),
        None,
        [&handle, features, &none],
        move |[handle, features, _], dy| {
            let mut dx = Buffer::<T>::arbitrary(size.len());
            let mut de = vec![number::<T>(0.0); features.elem_count()];
            kernel::backward(size, dy, &mut dx, &mut de);
            if handle.track_op() {
                x.receive(dx)?;
            }
            let de = if features.track_op() {
                Some(Tensor::from_vec(de, features.shape(), &Device::Cpu)?)
            } else {
                None
            };
            Ok([served(handle)?, de, None])
        },
    )
}
