//! The sum at the end of a residual block.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number};
use super::node::{no_input, served};
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
    let (none, a, b) = (no_input()?, a.clone(), b.clone());
    let (first, second) = (a.handle.clone(), b.handle.clone());
    Map::record::<T>(
        "add",
        a.dims,
        Arc::new(T::data(y)),
        None,
        [&first, &second, &none],
        move |inputs, dy| {
            for (map, handle) in [(&a, inputs[0]), (&b, inputs[1])] {
                if handle.track_op() {
                    map.receive(Buffer::of(dy))?;
                }
            }
            Ok([served(inputs[0])?, served(inputs[1])?, None])
        },
    )
}
