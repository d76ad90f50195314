//! Pointwise functions: Candle's arm of the activations, and tanh.

use super::activation::Activation;
use super::feature_map::{Element, FeatureMap, Map, by_dtype, number};
use super::node::{self, Values};
use super::pattern;
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_kernels::{Buffer, activation};
use std::sync::Arc;

/// 1 where y > 0, else `slope`: the derivative of the activation, by the sign of its output; detached.
fn derivative(y: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(y.detach().gt(0.0)?.to_dtype(y.dtype())?.affine(1.0 - slope, slope)?)
}

/// The activation by Candle's operations. (Candle's own ReLU has the derivative 1 at 0.)
pub(super) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation.kink() {
        None => Ok(x.clone()),
        // Multiplying by the derivative is the function itself, for it is homogeneous.
        Some(slope) => Ok(x.mul(&derivative(&pattern::sides(x)?, slope)?)?),
    }
}

/// [`activate`] of `x` `[N, C, …]` plus `bias` `[C]`.
pub(super) fn bias_activation(x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    dims[1] = bias.elem_count();
    activate(&x.broadcast_add(&bias.reshape(dims)?)?, activation)
}

/// `t` times the activation's derivative where its output was `of`, which is constant.
pub(super) fn tangent(t: &Tensor, of: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation.kink() {
        None => Ok(t.clone()),
        Some(slope) => Ok(t.mul(&derivative(of, slope)?)?),
    }
}

/// tanh of every value.
///
/// # Errors
/// Those of the tensor library.
pub fn tanh(x: &FeatureMap) -> Result<FeatureMap> {
    match x {
        FeatureMap::Candle(x) => Ok(FeatureMap::Candle(x.tanh()?)),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, ours::<T>(map)),
    }
}

fn ours<T: Element>(x: &Map) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    activation::tanh(T::values(&x.data)?, &mut y);
    let data = Arc::new(T::data(y));
    let (y, values) = (data.clone(), Values { dims: x.dims, data, mask: None });
    node::unary::<T>("tanh", x, values, move |_, dy| {
        let mut dx = Buffer::<T>::arbitrary(dy.len());
        activation::tanh_backward(T::values(&y)?, dy, &mut dx);
        Ok(dx)
    })
}

/// The activation of every value.
///
/// # Errors
/// Those of the tensor library.
pub fn activation(x: &FeatureMap, activation: Activation) -> Result<FeatureMap> {
    match x {
        FeatureMap::Candle(x) => Ok(FeatureMap::Candle(activate(x, activation)?)),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, activate_ours::<T>(map, activation)),
    }
}

fn activate_ours<T: Element>(x: &Map, activation: Activation) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    let values = T::values(&x.data)?;
    activation::mask(values, values, number::<T>(activation.slope()), &mut y);
    let data = Arc::new(T::data(y));
    let values = Values { dims: x.dims, mask: activation.mask(&data), data };
    // The result's gradient is that before the activation, which is that of x.
    node::unary::<T>("activation", x, values, |_, dy| Ok(Buffer::of(dy)))
}

/// `t` times the activation's derivative where its output was `of`: its directional derivative, with `of` held constant.
///
/// # Errors
/// When the maps are of different arms or dimensions.
pub fn mask(t: &FeatureMap, of: &FeatureMap, activation: Activation) -> Result<FeatureMap> {
    match (t, of) {
        (FeatureMap::Candle(t), FeatureMap::Candle(of)) => {
            Ok(FeatureMap::Candle(tangent(t, of, activation)?))
        }
        (FeatureMap::Ours(t), FeatureMap::Ours(of)) if t.dims == of.dims && t.dtype == of.dtype => {
            by_dtype!(t.dtype, T, mask_ours::<T>(t, of, activation.slope()))
        }
        _ => Err(Error::Maps { operation: "mask", first: t.dims()?, second: of.dims()? }),
    }
}

fn mask_ours<T: Element>(t: &Map, of: &Map, slope: f64) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(t.size().len());
    activation::mask(T::values(&of.data)?, T::values(&t.data)?, number::<T>(slope), &mut y);
    let of = of.data.clone();
    let values = Values { dims: t.dims, data: Arc::new(T::data(y)), mask: None };
    node::unary::<T>("mask", t, values, move |_, dy| {
        let mut dt = Buffer::<T>::arbitrary(dy.len());
        activation::mask(T::values(&of)?, dy, number::<T>(slope), &mut dt);
        Ok(dt)
    })
}
