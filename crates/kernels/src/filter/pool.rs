//! Pooling over windows of 3x3 pixels, and the mean over the whole plane. The number of channels is
//! a multiple of 16.

use super::map::{Map, MapMut, Plane, Target};
use super::panels::{VECTOR, finish};
use crate::Isa;
use crate::isa::Kernel;
use crate::real::sealed::Run;
use crate::simd::Simd;
use rayon::prelude::*;

/// Side of a window.
const SIDE: usize = 3;

/// The positions of windows. Pixels outside the plane do not count in any maximum or mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Distance between windows.
    pub stride: usize,
    /// Lines and columns of the first window that are outside the plane, at most 1.
    pub padding: usize,
}

impl Windows {
    /// The output plane for an input plane.
    ///
    /// # Panics
    /// When a window does not fit.
    pub fn output(&self, input: Plane) -> Plane {
        let side = |size: usize| {
            assert!(
                size + 2 * self.padding >= SIDE && self.padding <= 1,
                "{self:?} over {input:?}"
            );
            (size + 2 * self.padding - SIDE) / self.stride + 1
        };
        Plane { height: side(input.height), width: side(input.width), images: input.images }
    }
}

/// Each window's largest value, per channel.
///
/// # Panics
/// When the maps' sizes do not fit.
pub fn maximum(windows: Windows, x: Map<'_>, y: MapMut<'_>) {
    each_line(windows, x, Of::Maximum, y);
}

/// Each window's mean, per channel, then `max(mean + bias, 0)`.
///
/// The mean of a filter's outputs is the filter of the means. So a filter without bias may be
/// applied before or after, on the side with fewer channels.
///
/// # Panics
/// When the maps' or the bias's sizes do not fit.
pub fn mean_bias_relu(windows: Windows, x: Map<'_>, bias: &[f32], y: MapMut<'_>) {
    assert_eq!(bias.len(), x.channels, "bias of {} channels", x.channels);
    each_line(windows, x, Of::Mean(bias), y);
}

/// The result of a window.
#[derive(Clone, Copy)]
enum Of<'a> {
    Maximum,
    Mean(&'a [f32]),
}

/// One line of windows.
struct Line<'a> {
    windows: Windows,
    x: Map<'a>,
    of: Of<'a>,
    to: Target,
    y: usize,
}

fn each_line(windows: Windows, x: Map<'_>, of: Of<'_>, mut y: MapMut<'_>) {
    assert!(
        x.channels == y.channels() && x.channels.is_multiple_of(VECTOR),
        "pooling of {} channels",
        x.channels
    );
    assert_eq!(y.plane(), windows.output(x.plane), "plane of {windows:?}");
    let to = y.share();
    (0..to.plane.height)
        .into_par_iter()
        .for_each(|y| f32::run(Isa::best(), Line { windows, x, of, to, y }));
}

impl Line<'_> {
    /// The pixels of window (y, column) inside the plane, and their number.
    fn pixels(&self, column: usize) -> ([usize; SIDE * SIDE], usize) {
        let (mut pixels, mut n) = ([0; SIDE * SIDE], 0);
        for (i, j) in (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (i, j))) {
            let y = (self.y * self.windows.stride + i).wrapping_sub(self.windows.padding);
            let x = (column * self.windows.stride + j).wrapping_sub(self.windows.padding);
            if y < self.x.plane.height && x < self.x.plane.width {
                pixels[n] = y * self.x.plane.width + x;
                n += 1;
            }
        }
        (pixels, n)
    }
}

impl Kernel<f32> for Line<'_> {
    #[inline(always)]
    fn run<S: Simd<T = f32>>(self) {
        let images = self.x.plane.images;
        for column in 0..self.to.plane.width {
            let (pixels, n) = self.pixels(column);
            for image in 0..images {
                for c in (0..self.x.channels).step_by(S::LANES) {
                    // SAFETY: pixels, images and channels lie within x; only this task writes this line of y.
                    unsafe {
                        let at = |pixel: usize| {
                            S::load(
                                self.x
                                    .data
                                    .as_ptr()
                                    .add((pixel * images + image) * self.x.pitch + c),
                            )
                        };
                        let mut v = at(pixels[0]);
                        for pixel in &pixels[1..n] {
                            let next = at(*pixel);
                            v = match self.of {
                                Of::Maximum => S::where_positive(S::sub(v, next), v, next),
                                Of::Mean(_) => S::add(v, next),
                            };
                        }
                        if let Of::Mean(bias) = self.of {
                            v = finish::<S>(S::mul(v, S::splat(1.0 / n as f32)), Some(bias), c);
                        }
                        S::store(
                            self.to
                                .row((self.y * self.to.plane.width + column) * images + image)
                                .add(c),
                            v,
                        );
                    }
                }
            }
        }
    }
}

/// The sums of one image's lines.
struct Sums<'a> {
    x: Map<'a>,
    image: usize,
    sums: &'a mut [f64],
}

impl Kernel<f32> for Sums<'_> {
    #[inline(always)]
    fn run<S: Simd<T = f32>>(self) {
        let Plane { height, width, images } = self.x.plane;
        for y in 0..height {
            for c in (0..self.x.channels).step_by(S::LANES) {
                let mut line = [0.0f32; VECTOR];
                // SAFETY: pixels, the image and channels lie within x; `line` holds a vector.
                unsafe {
                    let mut v = S::zero();
                    for x in 0..width {
                        v =
                            S::add(
                                v,
                                S::load(self.x.data.as_ptr().add(
                                    ((y * width + x) * images + self.image) * self.x.pitch + c,
                                )),
                            );
                    }
                    S::store(line.as_mut_ptr(), v);
                }
                self.sums[c..]
                    .iter_mut()
                    .zip(&line[..S::LANES])
                    .for_each(|(sum, v)| *sum += f64::from(*v));
            }
        }
    }
}

/// The mean over the plane, `[N, C]`: sums within a line are in f32, sums of lines in f64.
///
/// # Panics
/// When the sizes do not fit.
pub fn mean_over_plane(x: Map<'_>, means: &mut [f32]) {
    assert!(
        x.channels.is_multiple_of(VECTOR) && means.len() == x.plane.images * x.channels,
        "means of {} channels",
        x.channels
    );
    means.par_chunks_mut(x.channels).enumerate().for_each(|(image, means)| {
        let mut sums = vec![0.0; x.channels];
        f32::run(Isa::best(), Sums { x, image, sums: &mut sums });
        means
            .iter_mut()
            .zip(sums)
            .for_each(|(mean, sum)| *mean = (sum / x.plane.pixels() as f64) as f32);
    });
}
