//! The sum at the end of a residual block.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number};
use super::node::{self, Gradients, MapGradient, Values};
use crate::{Error, Result};
use sngan_kernels::{Buffer, matvec};
use std::sync::Arc;

/// `a + b` for maps of the same dimensions and arm.
///
/// # Errors
/// When the dimensions differ.
pub fn add(a: &FeatureMap, b: &FeatureMap) -> Result<FeatureMap> {
    match (a, b) {
        (FeatureMap::Candle(a), FeatureMap::Candle(b)) => Ok(FeatureMap::Candle((a + b)?)),
        (FeatureMap::Ours(a), FeatureMap::Ours(b)) if a.dims == b.dims && a.dtype == b.dtype => {
            by_dtype!(a.dtype, T, ours::<T>(a, b))
        }
        _ => Err(Error::Maps { operation: "add", first: a.dims()?, second: b.dims()? }),
    }
}

fn ours<T: Element>(a: &Map, b: &Map) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(a.size().len());
    let one = number::<T>(1.0);
    matvec::combine(one, T::values(&a.data)?, one, T::values(&b.data)?, &mut y);
    let values = Values { dims: a.dims, data: Arc::new(T::data(y)), mask: None };
    node::map::<T, _, 2, 0>("add", [a, b], [], values, |call| {
        let gradient = |asked: bool| asked.then(|| MapGradient::Values(Buffer::of(call.dy)));
        Ok(Gradients { maps: call.asks_map.map(gradient), tensors: [] })
    })
}
