//! Nearest-neighbour upsampling by 2, as the generators' residual blocks use it on both of their branches.
//!
//! Candle's own `upsample_nearest2d` is not used: its backward pass overwrites the gradient that its input already has, so a block whose
//! shortcut and residual read the same tensor would get a wrong gradient, depending on the order of the graph.

use super::feature_map::{Element, FeatureMap, Map, by_dtype};
use super::node::{self, Values};
use crate::Result;
use sngan_kernels::{Buffer, plane};
use std::sync::Arc;

/// `x` `[N, C, H, W]` → `[N, C, 2H, 2W]`. Gradients add up where `x` is used elsewhere too.
///
/// # Errors
/// Those of the tensor library.
pub fn upsample(x: &FeatureMap) -> Result<FeatureMap> {
    match x {
        // A broadcast's backward is a sum, which Candle adds to what is there.
        FeatureMap::Candle(t) => {
            let (n, c, h, w) = t.dims4()?;
            let repeated = t.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, 2, w, 2))?;
            Ok(FeatureMap::Candle(repeated.reshape((n, c, 2 * h, 2 * w))?))
        }
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map)),
    }
}

fn ours<T: Element>(x: &Map) -> Result<FeatureMap> {
    let [n, c, h, w] = x.dims;
    let mut y = Buffer::<T>::arbitrary(4 * x.size().len());
    plane::upsample(w, n * c, T::values(&x.data)?, &mut y);
    let values = Values { dims: [n, c, 2 * h, 2 * w], data: Arc::new(T::data(y)), mask: None };
    node::unary::<T>("upsample", x, values, move |_, dy| {
        let mut dx = Buffer::<T>::arbitrary(dy.len() / 4);
        plane::upsample_backward(w, n * c, dy, &mut dx);
        Ok(dx)
    })
}
