//! Pointwise functions: bias with (leaky) ReLU, and tanh.

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::{Isa, Real};
use rayon::prelude::*;

/// Elements per task of pointwise work, enough that the work outweighs its scheduling.
const CHUNK: usize = 1 << 15;

/// `y = a > 0 ? a : slope·a` with `a = x + bias[column]` for rows with as many columns as `bias`.
/// `slope` 1 is the identity, 0 ReLU.
///
/// # Panics
/// When a slice's length does not fit.
pub fn bias_forward<T: Real>(x: &[T], bias: &[T], slope: T, y: &mut [T]) {
    let columns = bias.len();
    assert!(x.len() == y.len() && x.len().is_multiple_of(columns), "bias of {columns} columns");
    let size = (CHUNK / columns).max(1) * columns;
    y.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
            for ((y, x), b) in y.iter_mut().zip(x).zip(bias) {
                let a = *x + *b;
                *y = if a > T::ZERO { a } else { slope * a };
            }
        }
    });
}

struct Mask<'a, T> {
    of: &'a [T],
    x: &'a [T],
    slope: T,
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Mask<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        for i in (0..self.y.len()).step_by(S::LANES) {
            let n = S::LANES.min(self.y.len() - i);
            // SAFETY: the slices have equal lengths.
            unsafe {
                let load = |s: &[T]| S::load_first(s.as_ptr().add(i), n);
                let x = load(self.x);
                let v = S::where_positive(load(self.of), x, S::mul(x, S::splat(self.slope)));
                let target = self.y.as_mut_ptr().add(i);
                S::store_first(target, v, n);
            }
        }
    }
}

/// `y = x` where `of > 0`, else `slope·x`: with `of = x` this is the activation; with `of` an
/// activation's output, its derivative times `x`. At 0 the derivative is `slope`.
///
/// # Panics
/// When the lengths differ.
pub fn mask<T: Real>(of: &[T], x: &[T], slope: T, y: &mut [T]) {
    assert!(of.len() == x.len() && x.len() == y.len());
    y.par_chunks_mut(CHUNK).zip(of.par_chunks(CHUNK).zip(x.par_chunks(CHUNK))).for_each(
        |(y, (of, x))| {
            T::run(Isa::best(), Mask { of, x, slope, y });
        },
    );
}

struct Tanh<'a, T> {
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Tanh<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        // A loop that the compiler vectorizes with the instruction set of S.
        self.y.iter_mut().zip(self.x).for_each(|(y, x)| *y = x.tanh());
    }
}

/// `y = tanh(x)`.
///
/// # Panics
/// When the lengths differ.
pub fn tanh<T: Real>(x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len());
    y.par_chunks_mut(CHUNK / 4)
        .zip(x.par_chunks(CHUNK / 4))
        .for_each(|(y, x)| T::run(Isa::best(), Tanh { x, y }));
}

/// `dx = (1 − y²)·dy` for `y = tanh(x)`.
///
/// # Panics
/// When the lengths differ.
pub fn tanh_backward<T: Real>(y: &[T], dy: &[T], dx: &mut [T]) {
    assert!(y.len() == dy.len() && y.len() == dx.len());
    let one = T::from_f64(1.0);
    dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (y, dy))| *dx = (one - *y * *y) * *dy);
}
