//! Winograd's minimal filtering from its points (Cook and Toom): OUTPUT values of a filter with
//! TAPS taps from OUTPUT + TAPS − 1 products. `y = Aᵀ[(G·w) ⊙ (Bᵀ·d)]` with the matrices of
//! Lagrange interpolation at 0, ±a for each a of PAIRS, and infinity.
//!
//! Rounding grows with the spread of the points. With PAIRS as below, sums over 192 channels of
//! N(0, 1) after ReLU have a relative root mean square error of 1.2e-6 (F43), 1e-6 (F25) and 3e-6
//! (F47); a plain sum in f32 has about 1e-6.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "vector arithmetic alone, under the one condition that `Simd` states"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "tiles are indexed by line and column, which change places"
)]

use crate::simd::Simd;

/// Points of the longest tiling.
const LONGEST: usize = 10;
/// Points of the largest tile.
pub(super) const MOST: usize = 36;

type Matrix = [[f64; LONGEST]; LONGEST];

/// A tiling in one dimension.
pub(super) trait Tiling: Copy + Send + Sync + 'static {
    const OUTPUT: usize;
    const TAPS: usize;
    /// Magnitudes of the points between 0 and infinity.
    const PAIRS: &'static [f64];
    /// Values of a tile on either side of the product.
    const POINTS: usize = Self::OUTPUT + Self::TAPS - 1;
    /// Bᵀ.
    const INPUT: Matrix = input_matrix(Self::PAIRS);

    /// G.
    const WEIGHT: Matrix = weight_matrix(Self::PAIRS, Self::TAPS);

    /// Bᵀ·d. Two rows at ±a have the same even coefficients and opposite odd ones.
    #[inline(always)]
    unsafe fn input<S: Simd<T = f32>>(d: [S::V; LONGEST]) -> [S::V; LONGEST] {
        unsafe {
            let mut points = [S::zero(); LONGEST];
            points[0] = every_second::<S>(&Self::INPUT[0], 0, Self::POINTS, &d);
            for pair in 0..Self::PAIRS.len() {
                let row = &Self::INPUT[1 + 2 * pair];
                let (even, odd) = (
                    every_second::<S>(row, 0, Self::POINTS, &d),
                    every_second::<S>(row, 1, Self::POINTS, &d),
                );
                points[1 + 2 * pair] = S::add(even, odd);
                points[2 + 2 * pair] = S::sub(even, odd);
            }
            points[Self::POINTS - 1] =
                every_second::<S>(&Self::INPUT[Self::POINTS - 1], 1, Self::POINTS, &d);
            points
        }
    }

    /// Aᵀ·m.
    #[inline(always)]
    unsafe fn output<S: Simd<T = f32>>(m: [S::V; LONGEST]) -> [S::V; LONGEST] {
        unsafe {
            let mut y = [S::zero(); LONGEST];
            y[0] = m[0];
            y[Self::OUTPUT - 1] = m[Self::POINTS - 1];
            for pair in 0..Self::PAIRS.len() {
                let (plus, minus) = (m[1 + 2 * pair], m[2 + 2 * pair]);
                let (sum, difference) = (S::add(plus, minus), S::sub(plus, minus));
                let mut power = 1.0;
                for i in 0..Self::OUTPUT {
                    y[i] = S::fma(
                        S::splat(power as f32),
                        if i % 2 == 0 { sum } else { difference },
                        y[i],
                    );
                    power *= Self::PAIRS[pair];
                }
            }
            y
        }
    }

    /// G·w, in f64.
    fn weight(w: &[f64]) -> [f64; LONGEST] {
        let mut u = [0.0; LONGEST];
        for (u, row) in u.iter_mut().zip(&Self::WEIGHT).take(Self::POINTS) {
            *u = row.iter().zip(w).map(|(g, w)| g * w).sum();
        }
        u
    }
}

/// The i-th finite point: 0, a, −a, b, −b, …
const fn node(pairs: &[f64], i: usize) -> f64 {
    if i == 0 {
        return 0.0;
    }
    let a = pairs[(i - 1) / 2];
    if i % 2 == 1 { a } else { -a }
}

/// Bᵀ: row i has the coefficients of Π (x − other points), the last row those of Π (x − all finite points).
const fn input_matrix(pairs: &[f64]) -> Matrix {
    let finite = 2 * pairs.len() + 1;
    let mut matrix = [[0.0; LONGEST]; LONGEST];
    let mut i = 0;
    while i <= finite {
        matrix[i][0] = 1.0;
        let (mut degree, mut j) = (0, 0);
        while j < finite {
            if j != i {
                degree += 1;
                let mut k = degree;
                while k > 0 {
                    matrix[i][k] = matrix[i][k - 1] - node(pairs, j) * matrix[i][k];
                    k -= 1;
                }
                matrix[i][0] *= -node(pairs, j);
            }
            j += 1;
        }
        i += 1;
    }
    matrix
}

/// G: row i has the powers of its point over Π (point − other points), the last row has only the
/// last power.
const fn weight_matrix(pairs: &[f64], taps: usize) -> Matrix {
    let finite = 2 * pairs.len() + 1;
    let mut matrix = [[0.0; LONGEST]; LONGEST];
    let mut i = 0;
    while i < finite {
        let (mut value, mut j) = (1.0, 0);
        while j < finite {
            if j != i {
                value /= node(pairs, i) - node(pairs, j);
            }
            j += 1;
        }
        let mut power = 0;
        while power < taps {
            matrix[i][power] = value;
            value *= node(pairs, i);
            power += 1;
        }
        i += 1;
    }
    matrix[finite][taps - 1] = 1.0;
    matrix
}

/// Σ row[k]·d[k] over k = first, first + 2, … below `end`.
#[inline(always)]
unsafe fn every_second<S: Simd<T = f32>>(
    row: &[f64; LONGEST],
    first: usize,
    end: usize,
    d: &[S::V; LONGEST],
) -> S::V {
    unsafe {
        let mut sum = S::zero();
        let mut empty = true;
        let mut k = first;
        while k < end {
            if row[k] != 0.0 {
                let factor = S::splat(row[k] as f32);
                sum = if empty { S::mul(factor, d[k]) } else { S::fma(factor, d[k], sum) };
                empty = false;
            }
            k += 2;
        }
        sum
    }
}

/// F(4, 3).
#[derive(Clone, Copy)]
pub(super) struct F43;

impl Tiling for F43 {
    const OUTPUT: usize = 4;
    const TAPS: usize = 3;
    const PAIRS: &'static [f64] = &[0.625, 1.25];
}

/// F(2, 5), at the points of F(4, 3).
#[derive(Clone, Copy)]
pub(super) struct F25;

impl Tiling for F25 {
    const OUTPUT: usize = 2;
    const TAPS: usize = 5;
    const PAIRS: &'static [f64] = F43::PAIRS;
}

/// F(4, 7).
#[derive(Clone, Copy)]
pub(super) struct F47;

impl Tiling for F47 {
    const OUTPUT: usize = 4;
    const TAPS: usize = 7;
    const PAIRS: &'static [f64] = &[0.5, 1.0, 1.25, 2.0];
}

/// A tile of a plane.
pub(super) trait Tile: Copy + Send + Sync + 'static {
    /// Source pixels of a tile, (height, width).
    const SOURCE: (usize, usize);
    /// Target pixels of a tile.
    const TARGET: (usize, usize);
    /// Number of points; equal to that of source pixels.
    const POINTS: usize = Self::SOURCE.0 * Self::SOURCE.1;

    /// Source pixels to points, in place.
    unsafe fn input<S: Simd<T = f32>>(tile: &mut [S::V; MOST]);
    /// Points to target pixels, line by line.
    unsafe fn output<S: Simd<T = f32>>(points: &[S::V; MOST]) -> [S::V; 16];
    /// Taps `[height, width]` to points.
    fn weight(taps: &[f64]) -> [f64; MOST];
}

/// A tiling in both directions.
#[derive(Clone, Copy)]
pub(super) struct Square<T>(std::marker::PhantomData<T>);

impl<T: Tiling> Tile for Square<T> {
    const SOURCE: (usize, usize) = (T::POINTS, T::POINTS);
    const TARGET: (usize, usize) = (T::OUTPUT, T::OUTPUT);

    #[inline(always)]
    unsafe fn input<S: Simd<T = f32>>(tile: &mut [S::V; MOST]) {
        unsafe {
            for i in 0..T::POINTS {
                let mut line = [S::zero(); LONGEST];
                for j in 0..T::POINTS {
                    line[j] = tile[i * T::POINTS + j];
                }
                let line = T::input::<S>(line);
                for j in 0..T::POINTS {
                    tile[i * T::POINTS + j] = line[j];
                }
            }
            for j in 0..T::POINTS {
                let mut line = [S::zero(); LONGEST];
                for i in 0..T::POINTS {
                    line[i] = tile[i * T::POINTS + j];
                }
                let line = T::input::<S>(line);
                for i in 0..T::POINTS {
                    tile[i * T::POINTS + j] = line[i];
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd<T = f32>>(points: &[S::V; MOST]) -> [S::V; 16] {
        unsafe {
            let mut lines = [[S::zero(); LONGEST]; 4];
            for i in 0..T::POINTS {
                let mut line = [S::zero(); LONGEST];
                for j in 0..T::POINTS {
                    line[j] = points[i * T::POINTS + j];
                }
                let line = T::output::<S>(line);
                for j in 0..T::OUTPUT {
                    lines[j][i] = line[j];
                }
            }
            let mut target = [S::zero(); 16];
            for j in 0..T::OUTPUT {
                let line = T::output::<S>(lines[j]);
                for i in 0..T::OUTPUT {
                    target[i * T::OUTPUT + j] = line[i];
                }
            }
            target
        }
    }

    fn weight(taps: &[f64]) -> [f64; MOST] {
        let mut lines = [[0.0; 7]; LONGEST];
        for i in 0..T::TAPS {
            let line = T::weight(&taps[i * T::TAPS..(i + 1) * T::TAPS]);
            for j in 0..T::POINTS {
                lines[j][i] = line[j];
            }
        }
        let mut points = [0.0; MOST];
        for j in 0..T::POINTS {
            let line = T::weight(&lines[j][..T::TAPS]);
            for i in 0..T::POINTS {
                points[i * T::POINTS + j] = line[i];
            }
        }
        points
    }
}

/// A tiling from left to right, for kernels of height 1.
#[derive(Clone, Copy)]
pub(super) struct Row<T>(std::marker::PhantomData<T>);

/// A tiling from top to bottom, for kernels of width 1.
#[derive(Clone, Copy)]
pub(super) struct Column<T>(std::marker::PhantomData<T>);

/// A tile in one direction is its tiling, in either orientation.
macro_rules! one_direction {
    ($tile:ident, $sizes:expr) => {
        impl<T: Tiling> Tile for $tile<T> {
            const SOURCE: (usize, usize) = $sizes(T::POINTS);
            const TARGET: (usize, usize) = $sizes(T::OUTPUT);

            #[inline(always)]
            unsafe fn input<S: Simd<T = f32>>(tile: &mut [S::V; MOST]) {
                unsafe {
                    let mut line = [S::zero(); LONGEST];
                    line[..T::POINTS].copy_from_slice(&tile[..T::POINTS]);
                    let line = T::input::<S>(line);
                    tile[..T::POINTS].copy_from_slice(&line[..T::POINTS]);
                }
            }

            #[inline(always)]
            unsafe fn output<S: Simd<T = f32>>(points: &[S::V; MOST]) -> [S::V; 16] {
                unsafe {
                    let mut line = [S::zero(); LONGEST];
                    line[..T::POINTS].copy_from_slice(&points[..T::POINTS]);
                    let line = T::output::<S>(line);
                    let mut target = [S::zero(); 16];
                    target[..T::OUTPUT].copy_from_slice(&line[..T::OUTPUT]);
                    target
                }
            }

            fn weight(taps: &[f64]) -> [f64; MOST] {
                let mut points = [0.0; MOST];
                points[..LONGEST].copy_from_slice(&T::weight(taps));
                points
            }
        }
    };
}

/// (height, width) of `n` pixels side by side.
const fn wide(n: usize) -> (usize, usize) {
    (1, n)
}

/// (height, width) of `n` pixels one above the other.
const fn tall(n: usize) -> (usize, usize) {
    (n, 1)
}

one_direction!(Row, wide);
one_direction!(Column, tall);
