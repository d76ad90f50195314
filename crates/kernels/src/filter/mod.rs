//! Convolutions for inference. Weights are packed once, inputs and outputs may be some of a wider
//! map's channels, and bias and ReLU are part of the last step. Kernels may have any height and
//! width. A network of 1x1, 1x7, 7x1, 3x3 and 5x5 filters runs on two algorithms, which
//! [`Filter::new`] chooses by shape.
//!
//! Each output is a sum in an order given by the shape alone, so its bits do not depend on the
//! number of images in a call or on the number of threads.

mod direct;
mod map;
mod panels;
pub mod pool;
mod tiling;
mod winograd;

pub use map::{Map, MapMut, Plane};

use crate::{Error, Isa};
use panels::Panels;
use tiling::{Column, F25, F43, F47, Row, Square};
use winograd::Winograd;

/// The sizes of a filter: `y[h, w] = Σ weight[o, c, i, j] · x[h·stride + i − pad_h, w·stride + j − pad_w, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterShape {
    /// Channels of x.
    pub in_channels: usize,
    /// Channels of y: a multiple of 16.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: (usize, usize),
    /// Stride in both directions.
    pub stride: usize,
    /// Zeros added above and below, and left and right.
    pub padding: (usize, usize),
}

impl FilterShape {
    /// Products per output value, except at the borders.
    pub fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// The output plane for an input plane.
    ///
    /// # Panics
    /// When the kernel does not fit.
    pub fn output(&self, input: Plane) -> Plane {
        let side = |size: usize, kernel: usize, padding: usize| {
            assert!(size + 2 * padding >= kernel, "{self:?} over {input:?}");
            (size + 2 * padding - kernel) / self.stride + 1
        };
        let (height, width) = (
            side(input.height, self.kernel.0, self.padding.0),
            side(input.width, self.kernel.1, self.padding.1),
        );
        Plane { height, width, images: input.images }
    }
}

/// What a filter does to a sum before storing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Nothing.
    Plain,
    /// `max(sum + bias, 0)`.
    BiasRelu,
}

/// How a filter is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One product per run of pixels over all taps; any shape.
    Direct,
    /// Winograd's minimal filtering with 4 outputs per tile for kernels 3 and 7, 2 for kernel 5:
    /// stride 1, channels a multiple of 16.
    Winograd,
}

impl Method {
    /// The method that [`Filter::new`] chooses.
    pub fn of(shape: &FilterShape) -> Method {
        if Winograd::kind(shape).is_some() { Method::Winograd } else { Method::Direct }
    }
}

/// A convolution with its packed weights.
#[derive(Debug)]
pub struct Filter {
    shape: FilterShape,
    isa: Isa,
    panels: Panels,
    method: Method,
    /// Weights in the layout of the method.
    packed: Vec<f32>,
    bias: Vec<f32>,
}

impl Filter {
    /// A filter of `weights`, `[out, in, kernel height, kernel width]`, and `bias`, `[out]`, on this machine's widest instruction set.
    ///
    /// # Errors
    /// [`Error::Filter`] when a length does not fit or the shape is invalid.
    pub fn new(shape: FilterShape, weights: &[f32], bias: &[f32]) -> Result<Filter, Error> {
        Filter::with(Method::of(&shape), Isa::best(), shape, weights, bias)
    }

    /// [`Filter::new`] with a given method and instruction set, for tests and measurements.
    ///
    /// # Errors
    /// As [`Filter::new`], and when the method cannot compute the shape.
    pub fn with(
        method: Method,
        isa: Isa,
        shape: FilterShape,
        weights: &[f32],
        bias: &[f32],
    ) -> Result<Filter, Error> {
        let FilterShape { in_channels, out_channels, kernel, stride, .. } = shape;
        let sizes = [in_channels, out_channels, kernel.0, kernel.1, stride];
        let whole = sizes.iter().all(|n| *n > 0) && out_channels.is_multiple_of(panels::VECTOR);
        let fits = weights.len() == out_channels * in_channels * shape.taps()
            && bias.len() == out_channels;
        if !whole || !fits || (method == Method::Winograd && Winograd::kind(&shape).is_none()) {
            return Err(Error::Filter {
                shape: format!("{shape:?}"),
                weights: weights.len(),
                bias: bias.len(),
            });
        }
        let panels = Panels::of(out_channels);
        let packed = match method {
            Method::Direct => direct::pack(&shape, &panels, weights),
            Method::Winograd => winograd::pack(&shape, &panels, weights),
        };
        Ok(Filter { shape, isa, panels, method, packed, bias: bias.to_vec() })
    }

    /// The sizes.
    pub fn shape(&self) -> &FilterShape {
        &self.shape
    }

    /// The bias, `[out]`.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Computes y from x.
    ///
    /// # Panics
    /// When the maps' sizes do not fit the filter's.
    pub fn apply(&self, x: Map<'_>, finish: Finish, mut y: MapMut<'_>) {
        assert_eq!(
            (x.channels, y.channels()),
            (self.shape.in_channels, self.shape.out_channels),
            "channels of {:?}",
            self.shape
        );
        assert_eq!(y.plane(), self.shape.output(x.plane), "plane of {:?}", self.shape);
        let bias = if finish == Finish::BiasRelu { Some(self.bias.as_slice()) } else { None };
        match (self.method, Winograd::kind(&self.shape)) {
            (Method::Winograd, Some(Winograd::Square3)) => {
                winograd::apply::<Square<F43>>(self, x, bias, &mut y)
            }
            (Method::Winograd, Some(Winograd::Square5)) => {
                winograd::apply::<Square<F25>>(self, x, bias, &mut y)
            }
            (Method::Winograd, Some(Winograd::Row3)) => {
                winograd::apply::<Row<F43>>(self, x, bias, &mut y)
            }
            (Method::Winograd, Some(Winograd::Column3)) => {
                winograd::apply::<Column<F43>>(self, x, bias, &mut y)
            }
            (Method::Winograd, Some(Winograd::Row7)) => {
                winograd::apply::<Row<F47>>(self, x, bias, &mut y)
            }
            (Method::Winograd, Some(Winograd::Column7)) => {
                winograd::apply::<Column<F47>>(self, x, bias, &mut y)
            }
            _ => direct::apply(self, x, bias, &mut y),
        }
    }
}
