//! Winograd's minimal filtering in one dimension; two dimensions are its product with itself.
//!
//! A tile of INPUT source values gives OUTPUT target values. Both are transformed to points, where
//! the convolution is a pointwise product:
//! `target = output(Σ over phases of input(source) ⊙ weight(taps))`. Arrays have room for the
//! longest; unused elements are zero.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "vector arithmetic alone, under the one condition that `Simd` states"
)]

use crate::simd::Simd;

/// Vectors of one line of a tile.
pub(super) type Six<S> = [<S as Simd>::V; 6];

/// Applies a one-dimensional transform to a square of vectors along both directions. `load` gives
/// the value at (line, column) of `from` by `from`, `store` takes that of `to` by `to`, column
/// after column. It is a macro because closures would not inherit their caller's target features.
macro_rules! both_ways {
    ($from:expr, $to:expr, $transform:expr, load($i:ident, $j:ident): $load:expr, store($k:ident, $l:ident, $value:ident): $store:expr $(,)?) => {{
        let mut columns = [[S::zero(); 6]; 6];
        for $i in 0..$from {
            let mut line: $crate::conv::tiling::Six<S> = [S::zero(); 6];
            for ($j, v) in line.iter_mut().enumerate().take($from) {
                *v = $load;
            }
            let line = $transform(line);
            for j in 0..$to {
                columns[j][$i] = line[j];
            }
        }
        for ($l, column) in columns.into_iter().enumerate().take($to) {
            let column = $transform(column);
            for ($k, $value) in column.into_iter().enumerate().take($to) {
                $store;
            }
        }
    }};
}
pub(super) use both_ways;

/// One of the three tilings.
pub(super) trait Tiling: Copy + Send + Sync + 'static {
    /// Source values of a tile, and the distance between tiles.
    const INPUT: usize;
    const STEP: usize;
    /// Target values of a tile.
    const OUTPUT: usize;
    /// Points of the source.
    const SOURCE_POINTS: usize;
    /// Points of the target; each is a sum over PHASES of the source's.
    const POINTS: usize;
    const PHASES: usize;
    /// Taps of the kernel.
    const TAPS: usize;
    /// Points of the weights.
    const WEIGHT_POINTS: usize = Self::POINTS * Self::PHASES;

    /// Source point that belongs to a weight point.
    fn source_of(weight_point: usize) -> usize {
        weight_point
    }
    unsafe fn input<S: Simd>(d: Six<S>) -> Six<S>;
    unsafe fn output<S: Simd>(m: Six<S>) -> Six<S>;
    unsafe fn weight<S: Simd>(w: Six<S>) -> Six<S>;
}

/// A tiling of a forward pass, with the adjoints for its weight gradient.
pub(super) trait Forward: Tiling {
    /// The adjoint of `output`: target values to points.
    unsafe fn output_adjoint<S: Simd>(y: Six<S>) -> Six<S>;
    /// The adjoint of `weight`: points to taps.
    unsafe fn weight_adjoint<S: Simd>(u: Six<S>) -> Six<S>;
}

/// F(2, 3): kernel 3, stride 1, padding 1. Its adjoint is itself with the taps reversed.
#[derive(Clone, Copy)]
pub(super) struct Unit;

impl Tiling for Unit {
    const INPUT: usize = 4;
    const STEP: usize = 2;
    const OUTPUT: usize = 2;
    const SOURCE_POINTS: usize = 4;
    const POINTS: usize = 4;
    const PHASES: usize = 1;
    const TAPS: usize = 3;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: Six<S>) -> Six<S> {
        unsafe {
            [
                S::sub(d[0], d[2]),
                S::add(d[1], d[2]),
                S::sub(d[2], d[1]),
                S::sub(d[1], d[3]),
                S::zero(),
                S::zero(),
            ]
        }
    }
    #[inline(always)]
    unsafe fn output<S: Simd>(m: Six<S>) -> Six<S> {
        unsafe {
            let (s, d) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            [S::add(m[0], s), S::sub(d, m[3]), S::zero(), S::zero(), S::zero(), S::zero()]
        }
    }
    #[inline(always)]
    unsafe fn weight<S: Simd>(w: Six<S>) -> Six<S> {
        unsafe {
            let half = S::splat(crate::Real::from_f64(0.5));
            let (s, h) = (S::mul(S::add(w[0], w[2]), half), S::mul(w[1], half));
            [w[0], S::add(s, h), S::sub(s, h), w[2], S::zero(), S::zero()]
        }
    }
}

impl Forward for Unit {
    #[inline(always)]
    unsafe fn output_adjoint<S: Simd>(y: Six<S>) -> Six<S> {
        unsafe {
            [
                y[0],
                S::add(y[0], y[1]),
                S::sub(y[0], y[1]),
                S::sub(S::zero(), y[1]),
                S::zero(),
                S::zero(),
            ]
        }
    }
    #[inline(always)]
    unsafe fn weight_adjoint<S: Simd>(u: Six<S>) -> Six<S> {
        unsafe {
            let half = S::splat(crate::Real::from_f64(0.5));
            let (s, d) = (S::mul(S::add(u[1], u[2]), half), S::mul(S::sub(u[1], u[2]), half));
            [S::add(u[0], s), d, S::add(s, u[3]), S::zero(), S::zero(), S::zero()]
        }
    }
}

/// Kernel 4, stride 2, padding 1: even and odd source values are two phases of F(2, 2), whose points add up.
#[derive(Clone, Copy)]
pub(super) struct Down;

impl Tiling for Down {
    const INPUT: usize = 6;
    const STEP: usize = 4;
    const OUTPUT: usize = 2;
    const SOURCE_POINTS: usize = 6;
    const POINTS: usize = 3;
    const PHASES: usize = 2;
    const TAPS: usize = 4;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: Six<S>) -> Six<S> {
        unsafe {
            [
                S::sub(d[0], d[2]),
                d[2],
                S::sub(d[2], d[4]),
                S::sub(d[1], d[3]),
                d[3],
                S::sub(d[3], d[5]),
            ]
        }
    }
    #[inline(always)]
    unsafe fn output<S: Simd>(m: Six<S>) -> Six<S> {
        unsafe {
            [S::add(m[0], m[1]), S::sub(m[1], m[2]), S::zero(), S::zero(), S::zero(), S::zero()]
        }
    }
    #[inline(always)]
    unsafe fn weight<S: Simd>(w: Six<S>) -> Six<S> {
        unsafe { [w[0], S::add(w[0], w[2]), w[2], w[1], S::add(w[1], w[3]), w[3]] }
    }
}

impl Forward for Down {
    #[inline(always)]
    unsafe fn output_adjoint<S: Simd>(y: Six<S>) -> Six<S> {
        unsafe {
            [y[0], S::add(y[0], y[1]), S::sub(S::zero(), y[1]), S::zero(), S::zero(), S::zero()]
        }
    }
    #[inline(always)]
    unsafe fn weight_adjoint<S: Simd>(u: Six<S>) -> Six<S> {
        unsafe {
            [
                S::add(u[0], u[1]),
                S::add(u[3], u[4]),
                S::add(u[1], u[2]),
                S::add(u[4], u[5]),
                S::zero(),
                S::zero(),
            ]
        }
    }
}

/// The adjoint of [`Down`]: even and odd target values are two F(2, 2) over the same source that
/// share a point.
#[derive(Clone, Copy)]
pub(super) struct Up;

impl Tiling for Up {
    const INPUT: usize = 4;
    const STEP: usize = 2;
    const OUTPUT: usize = 4;
    const SOURCE_POINTS: usize = 5;
    const POINTS: usize = 6;
    const PHASES: usize = 1;
    const TAPS: usize = 4;

    #[inline(always)]
    fn source_of(weight_point: usize) -> usize {
        [0, 1, 2, 2, 3, 4][weight_point]
    }
    #[inline(always)]
    unsafe fn input<S: Simd>(d: Six<S>) -> Six<S> {
        unsafe {
            [S::sub(d[0], d[1]), d[1], S::sub(d[1], d[2]), d[2], S::sub(d[2], d[3]), S::zero()]
        }
    }
    #[inline(always)]
    unsafe fn output<S: Simd>(m: Six<S>) -> Six<S> {
        unsafe {
            [
                S::add(m[0], m[1]),
                S::add(m[3], m[4]),
                S::sub(m[1], m[2]),
                S::sub(m[4], m[5]),
                S::zero(),
                S::zero(),
            ]
        }
    }
    #[inline(always)]
    unsafe fn weight<S: Simd>(w: Six<S>) -> Six<S> {
        unsafe { [w[3], S::add(w[3], w[1]), w[1], w[2], S::add(w[2], w[0]), w[0]] }
    }
}
