//! Products of a matrix `[rows, columns]` with vectors, for the power iteration; bits do not depend
//! on the number of threads.

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::{Isa, Real};
use rayon::prelude::*;

/// Elements of the matrix per task.
const CHUNK: usize = 1 << 15;

struct Dots<'a, T> {
    rows: &'a [T],
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Dots<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        for (row, y) in self.rows.chunks_exact(self.x.len()).zip(self.y) {
            // SAFETY: row and x have equal lengths.
            unsafe {
                // Four sums, because a dot product with one is limited by the latency of its
                // additions.
                let mut sums = [S::zero(); 4];
                for i in (0..row.len()).step_by(4 * S::LANES) {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let at = i + j * S::LANES;
                        let n = S::LANES.min(row.len().saturating_sub(at));
                        let load = |s: &[T]| S::load_first(s.as_ptr().wrapping_add(at), n);
                        *sum = S::fma(load(row), load(self.x), *sum);
                    }
                }
                *y = S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])));
            }
        }
    }
}

/// `y = M·x`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn multiply<T: Real>(m: &[T], x: &[T], y: &mut [T]) {
    assert_eq!(
        m.len(),
        x.len() * y.len(),
        "a matrix of {} elements times {} gives {}",
        m.len(),
        x.len(),
        y.len()
    );
    let rows = (CHUNK / x.len()).max(1);
    y.par_chunks_mut(rows)
        .zip(m.par_chunks(rows * x.len()))
        .for_each(|(y, rows)| T::run(Isa::best(), Dots { rows, x, y }));
}

struct Combination<'a, T> {
    /// Weights of the rows.
    x: &'a [T],
    /// The matrix from the first of this task's columns on.
    m: &'a [T],
    columns: usize,
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Combination<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        self.y.fill(T::ZERO);
        for (row, x) in self.x.iter().enumerate() {
            let row = &self.m[row * self.columns..];
            for i in (0..self.y.len()).step_by(S::LANES) {
                let n = S::LANES.min(self.y.len() - i);
                // SAFETY: `y` ends where this task's columns end, and the row is at least as long.
                unsafe {
                    let load = |s: *const T| S::load_first(s.add(i), n);
                    let v = S::fma(S::splat(*x), load(row.as_ptr()), load(self.y.as_ptr()));
                    let target = self.y.as_mut_ptr().add(i);
                    S::store_first(target, v, n);
                }
            }
        }
    }
}

/// `y = Mᵀ·x`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn multiply_transposed<T: Real>(m: &[T], x: &[T], y: &mut [T]) {
    assert_eq!(
        m.len(),
        x.len() * y.len(),
        "a matrix of {} elements times {} gives {}",
        m.len(),
        x.len(),
        y.len()
    );
    let columns = y.len();
    let width = (CHUNK / x.len()).clamp(64, 1 << 10);
    y.par_chunks_mut(width)
        .enumerate()
        .for_each(|(i, y)| T::run(Isa::best(), Combination { x, m: &m[i * width..], columns, y }));
}

/// `y = a·x + b·z`.
///
/// # Panics
/// When the lengths differ.
pub fn combine<T: Real>(a: T, x: &[T], b: T, z: &[T], y: &mut [T]) {
    assert!(x.len() == y.len() && z.len() == y.len());
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK).zip(z.par_chunks(CHUNK))).for_each(
        |(y, (x, z))| {
            y.iter_mut().zip(x.iter().zip(z)).for_each(|(y, (x, z))| *y = a * *x + b * *z);
        },
    );
}

/// `Σ x·y`, in f64 beyond a block.
///
/// # Panics
/// When the lengths differ.
pub fn dot<T: Real>(x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len());
    let parts: Vec<f64> = x
        .par_chunks(CHUNK)
        .zip(y.par_chunks(CHUNK))
        .map(|(x, y)| crate::plane::dot(x, y))
        .collect();
    parts.into_iter().sum()
}

/// `y[i, j] = a·x[i, j] + b·u[i]·v[j]`: a multiple of a matrix plus one of rank one.
///
/// # Panics
/// When a slice's length does not fit.
pub fn add_rank_one<T: Real>(a: T, x: &[T], b: T, u: &[T], v: &[T], y: &mut [T]) {
    assert!(x.len() == y.len() && x.len() == u.len() * v.len());
    let rows = (CHUNK / v.len()).max(1);
    y.par_chunks_mut(rows * v.len())
        .zip(x.par_chunks(rows * v.len()))
        .zip(u.par_chunks(rows))
        .for_each(|((y, x), u)| {
            for ((y, x), u) in y.chunks_exact_mut(v.len()).zip(x.chunks_exact(v.len())).zip(u) {
                let b = b * *u;
                y.iter_mut().zip(x.iter().zip(v)).for_each(|(y, (x, v))| *y = a * *x + b * *v);
            }
        });
}
