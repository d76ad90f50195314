//! Features of whole images, such as a label's embedding, beside the channels of their feature map.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_slice};
use super::node::{self, Gradients, MapGradient, Values};
use crate::{Error, Result};
use candle_core::Tensor;
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
    let values = Values { dims: [n, c + e, h, w], data: Arc::new(T::data(y)), mask: None };
    node::map::<T, _, 1, 1>("append", [x], [features], values, move |call| {
        let mut dx = Buffer::<T>::arbitrary(size.len());
        let mut de = vec![number::<T>(0.0); call.tensors[0].elem_count()];
        kernel::backward(size, call.dy, &mut dx, &mut de);
        Ok(Gradients { maps: [Some(MapGradient::Values(dx))], tensors: [Some(de)] })
    })
}
