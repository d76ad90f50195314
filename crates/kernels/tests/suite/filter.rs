//! Filters and pools for inference against their definitions.

use crate::support::{CONVOLUTION, F32_ROUNDING, distance, draw, same_bits_on_any_threads};
use proptest::prelude::*;
use sngan_kernels::Isa;
use sngan_kernels::filter::pool::{self, Windows};
use sngan_kernels::filter::{Filter, FilterShape, Finish, Map, MapMut, Method, Plane};

/// Sums of Winograd's F(4, 3), F(2, 5) and F(4, 7) over up to some hundred terms, in which points of 1/2 to 2 are raised to their powers.
const WINOGRAD: f64 = 5e-5;

/// A filter's sizes with a plane, and where its channels lie in wider maps.
#[derive(Clone, Copy, Debug)]
struct Case {
    shape: FilterShape,
    plane: Plane,
    /// Channels before and after the filter's, of x and of y.
    beside: usize,
}

impl Case {
    fn new(shape: FilterShape, plane: Plane, beside: usize) -> Option<Case> {
        let fits = plane.height + 2 * shape.padding.0 >= shape.kernel.0
            && plane.width + 2 * shape.padding.1 >= shape.kernel.1;
        fits.then_some(Case { shape, plane, beside })
    }

    fn x(&self) -> Vec<f32> {
        draw(1, self.plane.rows() * (self.shape.in_channels + 2 * self.beside))
    }

    fn weights(&self) -> Vec<f32> {
        draw(2, self.shape.in_channels * self.shape.out_channels * self.shape.taps())
    }

    fn bias(&self) -> Vec<f32> {
        draw(3, self.shape.out_channels)
    }

    /// y with everything around it, which starts as 7.
    fn apply(&self, method: Method, isa: Isa, finish: Finish) -> Vec<f32> {
        let filter = Filter::with(method, isa, self.shape, &self.weights(), &self.bias()).unwrap();
        let (x, to) = (self.x(), self.shape.output(self.plane));
        let (c, o) = (self.shape.in_channels, self.shape.out_channels);
        let mut y = vec![7.0; to.rows() * (o + 2 * self.beside)];
        let from = Map::some(self.plane, c, c + 2 * self.beside, &x[self.beside..]);
        filter.apply(from, finish, MapMut::some(to, o, o + 2 * self.beside, &mut y[self.beside..]));
        y
    }

    /// What the definition gives for [`Case::apply`].
    fn expected(&self, finish: Finish) -> Vec<f64> {
        let (x, w, bias, to) =
            (self.x(), self.weights(), self.bias(), self.shape.output(self.plane));
        let FilterShape { in_channels: c, out_channels: o, kernel, stride, padding } = self.shape;
        let (in_pitch, out_pitch, n) =
            (c + 2 * self.beside, o + 2 * self.beside, self.plane.images);
        let mut y = vec![7.0; to.rows() * out_pitch];
        for (row, channel) in
            (0..to.rows()).flat_map(|row| (0..o).map(move |channel| (row, channel)))
        {
            let (oy, ox, image) = (row / n / to.width, row / n % to.width, row % n);
            let mut sum = 0.0;
            for (i, j) in (0..kernel.0).flat_map(|i| (0..kernel.1).map(move |j| (i, j))) {
                let (iy, ix) = (
                    (oy * stride + i).wrapping_sub(padding.0),
                    (ox * stride + j).wrapping_sub(padding.1),
                );
                if iy < self.plane.height && ix < self.plane.width {
                    let from = ((iy * self.plane.width + ix) * n + image) * in_pitch + self.beside;
                    for k in 0..c {
                        let weight = w[((channel * c + k) * kernel.0 + i) * kernel.1 + j];
                        sum += f64::from(x[from + k]) * f64::from(weight);
                    }
                }
            }
            let value = if finish == Finish::BiasRelu {
                (sum + f64::from(bias[channel])).max(0.0)
            } else {
                sum
            };
            y[row * out_pitch + self.beside + channel] = value;
        }
        y
    }
}

/// Any filter with any plane.
fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (
        1usize..=20,
        prop::sample::select(vec![16usize, 32, 48, 80]),
        1usize..=5,
        1usize..=5,
        1usize..=2,
    );
    let around = (0usize..=2, 0usize..=2, 1usize..=9, 1usize..=9, 1usize..=5, 0usize..=3);
    (sizes, around).prop_filter_map(
        "the kernel fits",
        |((c, o, kh, kw, stride), (ph, pw, height, width, images, beside))| {
            let shape = FilterShape {
                in_channels: c,
                out_channels: o,
                kernel: (kh, kw),
                stride,
                padding: (ph, pw),
            };
            Case::new(shape, Plane { height, width, images }, beside)
        },
    )
}

/// Filters that Winograd computes, on planes that tiles do not fill evenly.
fn winograd_case() -> impl Strategy<Value = Case> {
    let kernel = prop::sample::select(vec![(3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)]);
    let channels = || prop::sample::select(vec![16usize, 32, 48]);
    (kernel, channels(), channels(), 0usize..=3, 1usize..=13, 1usize..=13, 1usize..=4, 0usize..=1)
        .prop_filter_map(
            "the kernel fits",
            |(kernel, c, o, padding, height, width, images, beside)| {
                let padding = (padding.min(kernel.0 / 2), padding.min(kernel.1 / 2));
                let shape =
                    FilterShape { in_channels: c, out_channels: o, kernel, stride: 1, padding };
                Case::new(shape, Plane { height, width, images }, 16 * beside)
            },
        )
}

proptest! {
    #[test]
    fn direct_filters_equal_the_definition(case in any_case()) {
        for isa in Isa::available() {
            for finish in [Finish::Plain, Finish::BiasRelu] {
                let error = distance(&case.apply(Method::Direct, *isa, finish), &case.expected(finish));
                prop_assert!(error < CONVOLUTION, "{case:?} {isa:?}: {error}");
            }
        }
    }

    #[test]
    fn winograd_filters_equal_the_definition(case in winograd_case()) {
        for isa in Isa::available() {
            for finish in [Finish::Plain, Finish::BiasRelu] {
                let error = distance(&case.apply(Method::Winograd, *isa, finish), &case.expected(finish));
                prop_assert!(error < WINOGRAD, "{case:?} {isa:?}: {error}");
            }
        }
    }

    #[test]
    fn pools_equal_their_definitions(
        height in 1usize..=9, width in 1usize..=9, images in 1usize..=3, stride in 1usize..=2, padding in 0usize..=1, beside in 0usize..=1,
    ) {
        prop_assume!(height.min(width) + 2 * padding >= 3);
        let (windows, plane, c) = (Windows { stride, padding }, Plane { height, width, images }, 32);
        let (pitch, to) = (c + 16 * beside, windows.output(plane));
        let (x, bias) = (draw::<f32>(1, plane.rows() * pitch), draw::<f32>(2, c));
        let map = Map::some(plane, c, pitch, &x);
        let (mut largest, mut means) = (vec![7.0; to.rows() * c], vec![7.0; to.rows() * c]);
        pool::maximum(windows, map, MapMut::new(to, c, &mut largest));
        pool::mean_bias_relu(windows, map, &bias, MapMut::new(to, c, &mut means));
        for (i, (largest, mean)) in largest.iter().zip(&means).enumerate() {
            let (oy, ox, image, channel) = (i / c / images / to.width, i / c / images % to.width, i / c % images, i % c);
            let inside = |at: usize, k: usize, size: usize| (at * stride + k).checked_sub(padding).filter(|p| *p < size);
            let ys = (0..3).filter_map(|k| inside(oy, k, height));
            let pixels = ys.flat_map(|y| (0..3).filter_map(move |k| Some(y * width + inside(ox, k, width)?)));
            let values: Vec<f32> = pixels.map(|p| x[(p * images + image) * pitch + channel]).collect();
            let expected = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64 + f64::from(bias[channel]);
            prop_assert_eq!(*largest, values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            prop_assert!((f64::from(*mean) - expected.max(0.0)).abs() < F32_ROUNDING);
        }
        let mut over = vec![7.0; images * c];
        pool::mean_over_plane(map, &mut over);
        for (i, mean) in over.iter().enumerate() {
            let values = (0..plane.pixels()).map(|p| f64::from(x[(p * images + i / c) * pitch + i % c]));
            prop_assert!((f64::from(*mean) - values.sum::<f64>() / plane.pixels() as f64).abs() < F32_ROUNDING);
        }
    }
}

/// Filters of Inception at small planes: deep sums, many panels, both methods.
fn deep() -> Vec<Case> {
    let filter = |c, o, kernel, stride, padding| FilterShape {
        in_channels: c,
        out_channels: o,
        kernel,
        stride,
        padding,
    };
    let shapes = [
        (filter(448, 384, (3, 3), 1, (1, 1)), 5),
        (filter(192, 192, (1, 7), 1, (0, 3)), 9),
        (filter(192, 160, (7, 1), 1, (3, 0)), 9),
        (filter(48, 64, (5, 5), 1, (2, 2)), 7),
        (filter(288, 384, (3, 3), 2, (0, 0)), 7),
        (filter(2048, 320, (1, 1), 1, (0, 0)), 3),
        (filter(3, 32, (3, 3), 2, (0, 0)), 9),
    ];
    shapes
        .into_iter()
        .map(|(shape, side)| Case {
            shape,
            plane: Plane { height: side, width: side, images: 5 },
            beside: 0,
        })
        .collect()
}

#[test]
fn deep_filters_equal_the_definition() {
    for case in deep() {
        // Values of size √terms: errors relative to the largest.
        let (method, expected) = (Method::of(&case.shape), case.expected(Finish::BiasRelu));
        let error = distance(&case.apply(method, Isa::best(), Finish::BiasRelu), &expected);
        assert!(error < WINOGRAD, "{case:?}: {error}");
    }
}

#[test]
fn same_bits_on_any_number_of_threads_and_images() {
    for case in deep() {
        let method = Method::of(&case.shape);
        same_bits_on_any_threads(|| case.apply(method, Isa::best(), Finish::BiasRelu));
        // The first image alone, from the same x.
        let (x, o, n) = (case.x(), case.shape.out_channels, case.plane.images);
        let first: Vec<f32> =
            x.chunks(case.shape.in_channels).step_by(n).flatten().copied().collect();
        let (plane, together) =
            (Plane { images: 1, ..case.plane }, case.apply(method, Isa::best(), Finish::BiasRelu));
        let to = case.shape.output(plane);
        let mut alone = vec![7.0; to.rows() * o];
        let filter =
            Filter::with(method, Isa::best(), case.shape, &case.weights(), &case.bias()).unwrap();
        filter.apply(
            Map::new(plane, case.shape.in_channels, &first),
            Finish::BiasRelu,
            MapMut::new(to, o, &mut alone),
        );
        let expected: Vec<f32> = together.chunks(o).step_by(n).flatten().copied().collect();
        assert_eq!(alone, expected, "{case:?}");
    }
}

#[test]
fn impossible_filters_are_refused() {
    let shape = FilterShape {
        in_channels: 16,
        out_channels: 16,
        kernel: (1, 1),
        stride: 1,
        padding: (0, 0),
    };
    assert!(Filter::new(shape, &[0.0; 256], &[0.0; 16]).is_ok());
    let message = Filter::new(shape, &[0.0; 255], &[0.0; 16]).unwrap_err().to_string();
    assert!(message.contains("got 255 and 16 numbers"), "{message}");
    let narrow = FilterShape { out_channels: 8, ..shape };
    assert!(Filter::new(narrow, &[0.0; 128], &[0.0; 8]).is_err());
    let strided = FilterShape { kernel: (3, 3), stride: 2, ..shape };
    assert!(
        Filter::with(Method::Winograd, Isa::best(), strided, &[0.0; 2304], &[0.0; 16]).is_err()
    );
}
