//! Pointwise functions: Candle's arm of the activations, and tanh.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number};
use super::node::{no_input, served};
use super::pattern;
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_kernels::{Buffer, activation};
use std::sync::Arc;

/// 1 where y > 0, else `slope`: the derivative of the activation, by the sign of its output; detached.
fn derivative(y: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(y.detach().gt(0.0)?.to_dtype(y.dtype())?.affine(1.0 - slope, slope)?)
}

/// `x > 0 ? x : slope·x` by Candle's operations. The derivative at 0 is `slope` (as PyTorch's; Candle's own ReLU has 1).
pub(super) fn activate(x: &Tensor, slope: f64) -> Result<Tensor> {
    // Multiplying by the derivative is the function itself, for it is homogeneous.
    if slope == 1.0 {
        return Ok(x.clone());
    }
    Ok(x.mul(&derivative(&pattern::sides(x)?, slope)?)?)
}

/// [`activate`] of `x` `[N, C, …]` plus `bias` `[C]`.
pub(super) fn bias_activation(x: &Tensor, bias: &Tensor, slope: f64) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    dims[1] = bias.elem_count();
    activate(&x.broadcast_add(&bias.reshape(dims)?)?, slope)
}

/// `t` where the primal output `of` is positive, `slope·t` elsewhere; `of` is constant.
pub(super) fn tangent(t: &Tensor, of: &Tensor, slope: f64) -> Result<Tensor> {
    if slope == 1.0 { Ok(t.clone()) } else { Ok(t.mul(&derivative(of, slope)?)?) }
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
    let (data, none, x) = (Arc::new(T::data(y)), no_input()?, x.clone());
    let (y, handle) = (data.clone(), x.handle.clone());
    Map::record::<T>("tanh", x.dims, data, None, [&handle, &none, &none], move |inputs, dy| {
        if inputs[0].track_op() {
            let mut dx = Buffer::<T>::arbitrary(dy.len());
            activation::tanh_backward(T::values(&y)?, dy, &mut dx);
            x.receive(dx)?;
        }
        Ok([served(inputs[0])?, None, None])
    })
}

/// `x > 0 ? x : slope·x` of every value; `slope` 1 is the identity, 0 ReLU.
///
/// # Errors
/// Those of the tensor library.
pub fn activation(x: &FeatureMap, slope: f64) -> Result<FeatureMap> {
    match x {
        FeatureMap::Candle(x) => Ok(FeatureMap::Candle(activate(x, slope)?)),
        FeatureMap::Ours(map) => by_dtype!(map.dtype, T, activate_ours::<T>(map, slope)),
    }
}

fn activate_ours<T: Element>(x: &Map, slope: f64) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(x.size().len());
    let values = T::values(&x.data)?;
    activation::mask(values, values, number::<T>(slope), &mut y);
    let (data, none, x) = (Arc::new(T::data(y)), no_input()?, x.clone());
    let (mask, handle) = (Some((data.clone(), slope)), x.handle.clone());
    Map::record::<T>(
        "activation",
        x.dims,
        data,
        mask,
        [&handle, &none, &none],
        move |inputs, dy| {
            if inputs[0].track_op() {
                x.receive(Buffer::of(dy))?;
            }
            Ok([served(inputs[0])?, None, None])
        },
    )
}

/// `t` where `of`, the output of an activation, is positive, and `slope·t` elsewhere: the activation's directional derivative, with `of`
/// held constant.
///
/// # Errors
/// When the maps are of different arms or dimensions.
pub fn mask(t: &FeatureMap, of: &FeatureMap, slope: f64) -> Result<FeatureMap> {
    match (t, of) {
        (FeatureMap::Candle(t), FeatureMap::Candle(of)) => {
            Ok(FeatureMap::Candle(tangent(t, of, slope)?))
        }
        (FeatureMap::Ours(t), FeatureMap::Ours(of)) if t.dims == of.dims && t.dtype == of.dtype => {
            by_dtype!(t.dtype, T, mask_ours::<T>(t, of, slope))
        }
        _ => Err(Error::Maps { operation: "mask", first: t.dims()?, second: of.dims()? }),
    }
}

fn mask_ours<T: Element>(t: &Map, of: &Map, slope: f64) -> Result<FeatureMap> {
    let mut y = Buffer::<T>::arbitrary(t.size().len());
    activation::mask(T::values(&of.data)?, T::values(&t.data)?, number::<T>(slope), &mut y);
    let (none, t, of) = (no_input()?, t.clone(), of.data.clone());
    let handle = t.handle.clone();
    Map::record::<T>(
        "mask",
        t.dims,
        Arc::new(T::data(y)),
        None,
        [&handle, &none, &none],
        move |inputs, dy| {
            if inputs[0].track_op() {
                let mut dt = Buffer::<T>::arbitrary(dy.len());
                activation::mask(T::values(&of)?, dy, number::<T>(slope), &mut dt);
                t.receive(dt)?;
            }
            Ok([served(inputs[0])?, None, None])
        },
    )
}
