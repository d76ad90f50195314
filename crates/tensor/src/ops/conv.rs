//! Convolution and transposed convolution, with what follows them in the same pass.

use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_optional, with_slice};
use super::node::{Gradients, no_input, served};
use super::pointwise::{bias_activation, tangent};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sngan_kernels::conv::{self, Epilogue};
use sngan_kernels::{Buffer, ConvShape, sums};
use std::sync::Arc;

/// What follows a convolution.
#[derive(Clone, Copy, Debug)]
pub enum Finish<'a> {
    /// Nothing.
    Linear,
    /// `a > 0 ? a : slope·a` with `a = result + bias` `[O]`; `slope` 1 is the identity, 0 ReLU.
    BiasActivation(&'a Tensor, f64),
    /// The directional derivative of an activation whose output was this map: the result where it is positive, else `slope` times the result.
    Tangent(&'a FeatureMap, f64),
}

/// Cross-correlation of `x` `[N, C, H, W]` with `w` `[O, C, k, k]`, zero padding on each side → `[N, O, H', W']`.
///
/// # Errors
/// When the shapes do not fit, or the kernel is larger than the padded image.
pub fn conv2d(
    x: &FeatureMap,
    w: &Tensor,
    stride: usize,
    padding: usize,
    finish: Finish<'_>,
) -> Result<FeatureMap> {
    let map = match x {
        FeatureMap::Candle(x) => {
            return finish_candle(&x.conv2d(w, padding, stride, 1, 1)?, finish);
        }
        FeatureMap::Ours(map) => map,
    };
    let ([batch, in_channels, in_h, in_w], (out_channels, w_in, kernel, _)) =
        (map.dims, w.dims4()?);
    if w_in != in_channels {
        return Err(Error::Weight {
            operation: "conv2d",
            weight: w.dims().to_vec(),
            input: map.dims,
        });
    }
    let shape =
        ConvShape::new(batch, in_channels, out_channels, in_h, in_w, kernel, stride, padding)?;
    by_dtype!(map.dtype, T, ours::<T>(Linear { shape, transposed: false }, map, w, finish))
}

/// Transposed convolution of `x` `[N, C, H, W]` with `w` `[C, O, k, k]` → `[N, O, (H−1)·stride − 2·padding + k, …]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn conv_transpose2d(
    x: &FeatureMap,
    w: &Tensor,
    stride: usize,
    padding: usize,
    finish: Finish<'_>,
) -> Result<FeatureMap> {
    let map = match x {
        FeatureMap::Candle(x) => {
            return finish_candle(&x.conv_transpose2d(w, padding, 0, stride, 1)?, finish);
        }
        FeatureMap::Ours(map) => map,
    };
    let ([batch, channels, h, width], (w_in, out, kernel, _)) = (map.dims, w.dims4()?);
    let side = |n: usize| ((n - 1) * stride + kernel).checked_sub(2 * padding).filter(|s| *s > 0);
    let (Some(out_h), Some(out_w), true) = (side(h), side(width), w_in == channels) else {
        return Err(Error::Weight {
            operation: "conv_transpose2d",
            weight: w.dims().to_vec(),
            input: map.dims,
        });
    };
    // The underlying convolution maps the output back to the input.
    let shape = ConvShape::new(batch, out, channels, out_h, out_w, kernel, stride, padding)?;
    by_dtype!(map.dtype, T, ours::<T>(Linear { shape, transposed: true }, map, w, finish))
}

fn finish_candle(y: &Tensor, finish: Finish<'_>) -> Result<FeatureMap> {
    Ok(FeatureMap::Candle(match finish {
        Finish::Linear => y.clone(),
        Finish::BiasActivation(bias, slope) => bias_activation(y, bias, slope)?,
        Finish::Tangent(FeatureMap::Candle(of), slope) => tangent(y, of, slope)?,
        Finish::Tangent(FeatureMap::Ours(_), _) => return Err(Error::MixedArms),
    }))
}

/// The linear map of a layer: a convolution, or the adjoint of one.
#[derive(Clone, Copy, Debug)]
struct Linear {
    shape: ConvShape,
    transposed: bool,
}

impl Linear {
    /// `[N, C, H, W]` of the result.
    fn output(&self) -> [usize; 4] {
        let s = &self.shape;
        if self.transposed {
            [s.batch, s.in_channels, s.in_h, s.in_w]
        } else {
            [s.batch, s.out_channels, s.out_h(), s.out_w()]
        }
    }

    fn forward<T: Element>(&self, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
        if self.transposed {
            conv::grad_input(&self.shape, x, w, epilogue, y);
        } else {
            conv::forward(&self.shape, x, w, epilogue, y);
        }
    }

    fn grad_input<T: Element>(&self, dy: &[T], w: &[T], epilogue: Epilogue<'_, T>, dx: &mut [T]) {
        if self.transposed {
            conv::forward(&self.shape, dy, w, epilogue, dx);
        } else {
            conv::grad_input(&self.shape, dy, w, epilogue, dx);
        }
    }

    fn grad_weight<T: Element>(&self, x: &[T], dy: &[T], dw: &mut [T]) {
        let (x, dy) = if self.transposed { (dy, x) } else { (x, dy) };
        conv::grad_weight(&self.shape, x, dy, dw);
    }
}

fn ours<T: Element>(linear: Linear, x: &Map, w: &Tensor, finish: Finish<'_>) -> Result<FeatureMap> {
    let dims = linear.output();
    let mut y = Buffer::<T>::arbitrary(dims.iter().product());
    let (bias, of) = match finish {
        Finish::Linear => (None, None),
        Finish::BiasActivation(bias, slope) => (Some((bias, slope)), None),
        Finish::Tangent(FeatureMap::Ours(of), slope) => (None, Some((of.data.clone(), slope))),
        Finish::Tangent(FeatureMap::Candle(_), _) => return Err(Error::MixedArms),
    };
    let input = T::values(&x.data)?;
    with_slice(w, |w| {
        with_optional(bias.map(|b| b.0), |b| {
            let epilogue = match (&of, bias) {
                (Some((of, slope)), _) => {
                    Epilogue::Mask { of: T::values(of)?, slope: number(*slope) }
                }
                (None, Some((_, slope))) => {
                    Epilogue::BiasActivation { bias: b, slope: number(slope) }
                }
                (None, None) => Epilogue::None,
            };
            linear.forward(input, w, epilogue, &mut y);
            Ok(())
        })
    })?;
    let data = Arc::new(T::data(y));
    let mask = match (of, bias) {
        (Some(of), _) => Some(of),
        (None, Some((_, slope))) if slope != 1.0 => Some((data.clone(), slope)),
        _ => None,
    };
    let none = no_input()?;
    let (x, handle, bias) = (x.clone(), x.handle.clone(), bias.map_or(&none, |b| b.0));
    Map::record::<T>("convolution", dims, data, mask, [&handle, w, bias], move |inputs, dy| {
        gradients(linear, &x, inputs, dy)
    })
}

/// Those of [`ours`]. Gradients that nobody asked for (frozen D in G's update, images in D's update) are not computed.
fn gradients<T: Element>(
    linear: Linear,
    x: &Map,
    [handle, w, bias]: [&Tensor; 3],
    dy: &[T],
) -> candle_core::Result<Gradients> {
    if handle.track_op() {
        let mut dx = Buffer::<T>::arbitrary(x.size().len());
        with_slice(w, |w| {
            let epilogue = match &x.mask {
                Some((of, slope)) => Epilogue::Mask { of: T::values(of)?, slope: number(*slope) },
                None => Epilogue::None,
            };
            linear.grad_input(dy, w, epilogue, &mut dx);
            Ok(())
        })?;
        x.gradient.add(dx)?;
    }
    let mut dw = None;
    if w.track_op() {
        let mut values = vec![number::<T>(0.0); w.elem_count()];
        linear.grad_weight(T::values(&x.data)?, dy, &mut values);
        dw = Some(Tensor::from_vec(values, w.shape(), &Device::Cpu)?);
    }
    Ok([served(handle)?, dw, grad_bias(bias, dy)?])
}

/// A bias's gradient, where it was asked for.
pub(super) fn grad_bias<T: Element>(
    bias: &Tensor,
    dy: &[T],
) -> candle_core::Result<Option<Tensor>> {
    if !bias.track_op() {
        return Ok(None);
    }
    let mut db = vec![number::<T>(0.0); bias.elem_count()];
    sums::columns(dy, &mut db);
    Tensor::from_vec(db, bias.shape(), &Device::Cpu).map(Some)
}
