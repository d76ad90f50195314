//! Means of 2x2 pixels, and means and sums over the whole plane.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number};
use super::node::{self, Values};
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_kernels::{Buffer, plane, pool};
use std::sync::Arc;

/// The mean of each 2x2 pixels: `x` `[N, C, 2H, 2W]` → `[N, C, H, W]`.
///
/// # Errors
/// When a side is odd.
pub fn average_pool(x: &FeatureMap) -> Result<FeatureMap> {
    let [n, c, h, w] = x.dims()?;
    if h % 2 != 0 || w % 2 != 0 {
        return Err(Error::OddSide { height: h, width: w });
    }
    match x {
        FeatureMap::Candle(t) => {
            let squares = t.reshape((n, c, h / 2, 2, w / 2, 2))?;
            Ok(FeatureMap::Candle((squares.sum((3, 5))? * 0.25)?))
        }
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, average_ours::<T>(map)),
    }
}

fn average_ours<T: Element>(x: &Map) -> Result<FeatureMap> {
    let [n, c, h, w] = x.dims;
    let (w, pixel) = (w / 2, n * c);
    let mut y = Buffer::<T>::arbitrary(x.size().len() / 4);
    pool::average(w, pixel, T::values(&x.data)?, &mut y);
    let values = Values { dims: [n, c, h / 2, w], data: Arc::new(T::data(y)), mask: None };
    node::unary::<T>("average-pool", x, values, move |_, dy| {
        let mut dx = Buffer::<T>::arbitrary(4 * dy.len());
        pool::average_backward(w, pixel, dy, &mut dx);
        Ok(dx)
    })
}

/// The mean over the plane: `[N, C, H, W]` → `[N, C]`.
///
/// # Errors
/// Those of the tensor library.
pub fn mean_pool(x: &FeatureMap) -> Result<Tensor> {
    match x {
        FeatureMap::Candle(x) => Ok(x.flatten_from(2)?.mean(2)?),
        FeatureMap::Ours(map) => {
            by_dtype!(map.dtype, T, plane_ours::<T>(map, map.size().pixels as f64))
        }
    }
}

/// The sum over the plane: `[N, C, H, W]` → `[N, C]`.
///
/// # Errors
/// Those of the tensor library.
pub fn sum_pool(x: &FeatureMap) -> Result<Tensor> {
    match x {
        FeatureMap::Candle(x) => Ok(x.flatten_from(2)?.sum(2)?),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, plane_ours::<T>(map, 1.0)),
    }
}

/// The sum over the plane divided by `divisor`.
fn plane_ours<T: Element>(x: &Map, divisor: f64) -> Result<Tensor> {
    let size = x.size();
    let mut y = vec![number::<T>(0.0); size.images * size.channels];
    plane::sum(size, divisor, T::values(&x.data)?, &mut y);
    let value = (y, (size.images, size.channels));
    node::unary_to_tensor::<T>("plane-pool", x, value, move |_, dy| {
        let mut dx = Buffer::<T>::arbitrary(size.len());
        plane::sum_backward(size, divisor, dy, &mut dx);
        Ok(dx)
    })
}
