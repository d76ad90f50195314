//! Convolution and transposed convolution, with what follows them in the same pass.

use super::activation::Activation;
use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, with_optional, with_slice};
use super::node::{self, Call, Gradients, MapGradient, Values};
use super::pointwise::{bias_activation, tangent};
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_kernels::conv::{self, Epilogue};
use sngan_kernels::{Buffer, ConvShape, sums};
use std::sync::Arc;

/// What follows a convolution.
#[derive(Clone, Copy, Debug)]
pub enum Finish<'a> {
    /// Nothing.
    Linear,
    /// The activation of the result plus a bias `[O]`.
    BiasActivation(&'a Tensor, Activation),
    /// The directional derivative of an activation whose output was this map: the result where the map is positive, and elsewhere the result
    /// times the activation's slope there.
    Tangent(&'a FeatureMap, Activation),
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
    let [batch, in_channels, in_h, in_w] = map.dims;
    let (out_channels, w_in, kernel, _) = w.dims4()?;
    if w_in != in_channels {
        return Err(Error::Weight {
            operation: "conv2d",
            weight: w.dims().to_vec(),
            input: map.dims,
        });
    }
    let shape = ConvShape { batch, in_channels, out_channels, in_h, in_w, kernel, stride, padding };
    let shape = shape.checked()?;
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
    let [batch, channels, h, width] = map.dims;
    let (w_in, in_channels, kernel, _) = w.dims4()?;
    let side = |n: usize| ((n - 1) * stride + kernel).checked_sub(2 * padding).filter(|s| *s > 0);
    let (Some(in_h), Some(in_w), true) = (side(h), side(width), w_in == channels) else {
        return Err(Error::Weight {
            operation: "conv_transpose2d",
            weight: w.dims().to_vec(),
            input: map.dims,
        });
    };
    // The underlying convolution maps the output back to the input.
    let shape = ConvShape {
        batch,
        in_channels,
        out_channels: channels,
        in_h,
        in_w,
        kernel,
        stride,
        padding,
    };
    let shape = shape.checked()?;
    by_dtype!(map.dtype, T, ours::<T>(Linear { shape, transposed: true }, map, w, finish))
}

fn finish_candle(y: &Tensor, finish: Finish<'_>) -> Result<FeatureMap> {
    Ok(FeatureMap::Candle(match finish {
        Finish::Linear => y.clone(),
        Finish::BiasActivation(bias, activation) => bias_activation(y, bias, activation)?,
        Finish::Tangent(FeatureMap::Candle(of), activation) => tangent(y, of, activation)?,
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
        Finish::BiasActivation(bias, activation) => (Some((bias, activation)), None),
        Finish::Tangent(FeatureMap::Ours(of), activation) => (None, activation.mask(&of.data)),
        Finish::Tangent(FeatureMap::Candle(_), _) => return Err(Error::MixedArms),
    };
    let input = T::values(&x.data)?;
    with_slice(w, |w| {
        with_optional(bias.map(|b| b.0), |b| {
            let epilogue = match (&of, bias) {
                (Some((of, slope)), _) => {
                    Epilogue::Mask { of: T::values(of)?, slope: number(*slope) }
                }
                (None, Some((_, activation))) => {
                    Epilogue::BiasActivation { bias: b, slope: number(activation.slope()) }
                }
                (None, None) => Epilogue::None,
            };
            linear.forward(input, w, epilogue, &mut y);
            Ok(())
        })
    })?;
    let data = Arc::new(T::data(y));
    let mask = of.or_else(|| bias.and_then(|(_, activation)| activation.mask(&data)));
    let values = Values { dims, data, mask };
    match bias {
        Some((bias, _)) => {
            node::map::<T, _, 1, 2>("convolution", [x], [w, bias], values, move |call| {
                let (dx, dw) = gradients(linear, &call)?;
                let db = call.asks_tensor[1].then(|| bias_gradient(call.tensors[1], call.dy));
                Ok(Gradients { maps: [dx], tensors: [dw, db] })
            })
        }
        None => node::map::<T, _, 1, 1>("convolution", [x], [w], values, move |call| {
            let (dx, dw) = gradients(linear, &call)?;
            Ok(Gradients { maps: [dx], tensors: [dw] })
        }),
    }
}

/// Gradients of a map and a weight.
type OfLayer<T> = (Option<MapGradient<T>>, Option<Vec<T>>);

/// Those of [`ours`] in the map and the weight. What nobody asked for (frozen D in G's update, images in D's update) is not computed.
fn gradients<T: Element, const N: usize>(
    linear: Linear,
    call: &Call<'_, T, 1, N>,
) -> candle_core::Result<OfLayer<T>> {
    let (x, w, dy) = (&call.maps[0], call.tensors[0], call.dy);
    let mut dx = None;
    if call.asks_map[0] {
        let mut values = Buffer::<T>::arbitrary(x.size().len());
        with_slice(w, |w| {
            let epilogue = match &x.mask {
                Some((of, slope)) => Epilogue::Mask { of: T::values(of)?, slope: number(*slope) },
                None => Epilogue::None,
            };
            linear.grad_input(dy, w, epilogue, &mut values);
            Ok(())
        })?;
        dx = Some(MapGradient::BeforeActivation(values));
    }
    let mut dw = None;
    if call.asks_tensor[0] {
        let mut values = vec![number::<T>(0.0); w.elem_count()];
        linear.grad_weight(T::values(&x.data)?, dy, &mut values);
        dw = Some(values);
    }
    Ok((dx, dw))
}

/// A bias's gradient.
pub(super) fn bias_gradient<T: Element>(bias: &Tensor, dy: &[T]) -> Vec<T> {
    let mut db = vec![number::<T>(0.0); bias.elem_count()];
    sums::columns(dy, &mut db);
    db
}
