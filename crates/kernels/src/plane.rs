//! Operations between feature maps `[H·W, N, C]` and vectors of features: layout changes, the last
//! dense layer, sums over the plane.

use crate::Real;
use rayon::prelude::*;

/// Sizes of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSize {
    /// H·W.
    pub pixels: usize,
    /// N.
    pub images: usize,
    /// C.
    pub channels: usize,
}

impl MapSize {
    /// Elements.
    pub fn len(self) -> usize {
        self.pixels * self.images * self.channels
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements of a pixel over all images.
    fn pixel(self) -> usize {
        self.images * self.channels
    }

    fn image(self) -> usize {
        self.pixels * self.channels
    }
}

/// `[N, C, H·W]` → `[H·W, N, C]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn from_images<T: Real>(s: MapSize, images: &[T], map: &mut [T]) {
    assert!(images.len() == s.len() && map.len() == s.len(), "feature map {s:?}");
    map.par_chunks_mut(s.pixel()).enumerate().for_each(|(p, pixel)| {
        for (row, image) in pixel.chunks_exact_mut(s.channels).zip(images.chunks_exact(s.image())) {
            for (c, value) in row.iter_mut().enumerate() {
                *value = image[c * s.pixels + p];
            }
        }
    });
}

/// `[H·W, N, C]` → `[N, C, H·W]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn to_images<T: Real>(s: MapSize, map: &[T], images: &mut [T]) {
    assert!(images.len() == s.len() && map.len() == s.len(), "feature map {s:?}");
    images.par_chunks_mut(s.image()).enumerate().for_each(|(n, image)| {
        for (p, pixel) in map.chunks_exact(s.pixel()).enumerate() {
            for (c, value) in pixel[n * s.channels..][..s.channels].iter().enumerate() {
                image[c * s.pixels + p] = *value;
            }
        }
    });
}

/// One image's vector `[C, H·W]` → `[H·W, C]`.
fn by_pixel<T: Real>(s: MapSize, w: &[T]) -> Vec<T> {
    (0..s.image()).map(|i| w[i % s.channels * s.pixels + i / s.channels]).collect()
}

/// `y[n] = Σ w[c, p]·x[p, n, c]`: the dense layer with one output, `w` `[C, H·W]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn head<T: Real>(s: MapSize, x: &[T], w: &[T], y: &mut [T]) {
    assert!(x.len() == s.len() && w.len() == s.image() && y.len() == s.images, "head over {s:?}");
    let w = by_pixel(s, w);
    y.par_iter_mut().enumerate().for_each(|(n, y)| {
        let mut sum = 0.0;
        for (pixel, w) in x.chunks_exact(s.pixel()).zip(w.chunks_exact(s.channels)) {
            sum += dot(&pixel[n * s.channels..][..s.channels], w);
        }
        *y = T::from_f64(sum);
    });
}

/// A dot product: eight lanes within blocks of 512, and f64 across blocks.
pub(crate) fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    let block = |(a, b): (&[T], &[T])| block_dot(a, b);
    a.chunks(512).zip(b.chunks(512)).map(block).sum()
}

fn block_dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    let mut lanes = [T::ZERO; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += *a * *b;
        }
    }
    lanes.iter().map(|x| x.to_f64()).sum::<f64>()
        + a_rest.iter().zip(b_rest).map(|(a, b)| a.to_f64() * b.to_f64()).sum::<f64>()
}

/// [`head`]'s gradient with respect to x: `dx[p, n, c] = dy[n]·w[c, p]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn head_grad_input<T: Real>(s: MapSize, dy: &[T], w: &[T], dx: &mut [T]) {
    assert!(dx.len() == s.len() && w.len() == s.image() && dy.len() == s.images, "head over {s:?}");
    let w = by_pixel(s, w);
    dx.par_chunks_mut(s.pixel()).zip(w.par_chunks(s.channels)).for_each(|(pixel, w)| {
        for (row, dy) in pixel.chunks_exact_mut(s.channels).zip(dy) {
            row.iter_mut().zip(w).for_each(|(dx, w)| *dx = *dy * *w);
        }
    });
}

/// [`head`]'s gradient with respect to w: `dw[c, p] = Σ dy[n]·x[p, n, c]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn head_grad_weight<T: Real>(s: MapSize, x: &[T], dy: &[T], dw: &mut [T]) {
    assert!(x.len() == s.len() && dw.len() == s.image() && dy.len() == s.images, "head over {s:?}");
    let mut sums = vec![T::ZERO; s.image()];
    sums.par_chunks_mut(s.channels).zip(x.par_chunks(s.pixel())).for_each(|(sums, pixel)| {
        for (row, dy) in pixel.chunks_exact(s.channels).zip(dy) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += *dy * *x);
        }
    });
    for (i, sum) in sums.into_iter().enumerate() {
        dw[i % s.channels * s.pixels + i / s.channels] = sum;
    }
}

/// `y[n, c]`: the sum over the plane divided by `divisor`: 1, or the number of pixels for the mean.
///
/// # Panics
/// When a slice's length does not fit.
pub fn sum<T: Real>(s: MapSize, divisor: f64, x: &[T], y: &mut [T]) {
    assert!(x.len() == s.len() && y.len() == s.pixel(), "sum over {s:?}");
    y.par_chunks_mut(s.channels).enumerate().for_each(|(n, y)| {
        for (c, y) in y.iter_mut().enumerate() {
            let sum: f64 =
                x[n * s.channels + c..].iter().step_by(s.pixel()).map(|x| x.to_f64()).sum();
            *y = T::from_f64(sum / divisor);
        }
    });
}

/// [`sum`]'s gradient.
///
/// # Panics
/// When a slice's length does not fit.
pub fn sum_backward<T: Real>(s: MapSize, divisor: f64, dy: &[T], dx: &mut [T]) {
    assert!(dx.len() == s.len() && dy.len() == s.pixel(), "sum over {s:?}");
    let share = T::from_f64(1.0 / divisor);
    dx.par_chunks_mut(s.pixel())
        .for_each(|pixel| pixel.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = *dy * share));
}

/// Nearest-neighbor upsampling by 2 of lines of `width` pixels of `pixel` elements: `[H, W, …]` →
/// `[2H, 2W, …]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn upsample<T: Real>(width: usize, pixel: usize, x: &[T], y: &mut [T]) {
    assert!(
        y.len() == 4 * x.len() && x.len().is_multiple_of(width * pixel),
        "upsampling of lines of {width} pixels"
    );
    y.par_chunks_mut(4 * width * pixel).zip(x.par_chunks(width * pixel)).for_each(|(lines, x)| {
        let (first, second) = lines.split_at_mut(2 * width * pixel);
        for (two, x) in first.chunks_exact_mut(2 * pixel).zip(x.chunks_exact(pixel)) {
            two.chunks_exact_mut(pixel).for_each(|y| y.copy_from_slice(x));
        }
        second.copy_from_slice(first);
    });
}

/// [`upsample`]'s gradient: the sum over each 2x2 pixels; `width` is still x's.
///
/// # Panics
/// When a slice's length does not fit.
pub fn upsample_backward<T: Real>(width: usize, pixel: usize, dy: &[T], dx: &mut [T]) {
    assert!(
        dy.len() == 4 * dx.len() && dx.len().is_multiple_of(width * pixel),
        "upsampling of lines of {width} pixels"
    );
    dx.par_chunks_mut(width * pixel).zip(dy.par_chunks(4 * width * pixel)).for_each(
        |(dx, lines)| {
            let (first, second) = lines.split_at(2 * width * pixel);
            let pairs = first.chunks_exact(2 * pixel).zip(second.chunks_exact(2 * pixel));
            for (dx, (a, b)) in dx.chunks_exact_mut(pixel).zip(pairs) {
                for (i, dx) in dx.iter_mut().enumerate() {
                    *dx = a[i] + a[pixel + i] + (b[i] + b[pixel + i]);
                }
            }
        },
    );
}
