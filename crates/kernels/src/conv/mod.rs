//! Convolution (cross-correlation) of feature maps `[H, W, N, C]` with weights `[out, in, k, k]`: forward, input gradient, weight gradient.
//!
//! The three maps are each other's adjoints. A transposed convolution is [`grad_input`] of the
//! convolution whose adjoint it is. Its input gradient is [`forward`], and its weight gradient is
//! [`grad_weight`] with x and dy exchanged.
//!
//! With channels innermost and the batch next, a pixel's values are a matrix of images by channels,
//! and every convolution is a sum of products of such matrices. [`Choice`] says which algorithm
//! computes them.

mod direct;
mod epilogue;
mod maps;
mod stacked;
mod table;
mod tiling;
mod winograd;
mod winograd_weight;

pub use epilogue::Epilogue;
pub use table::{Algorithm, Choice, Pass};

use crate::{ConvShape, Real};
use maps::Direction;
use table::Kind;
use tiling::{Down, Unit, Up};

fn check<T>(s: &ConvShape, x: &[T], w: &[T], y: &[T]) {
    assert_eq!(x.len(), s.batch * s.in_size(), "x of {s:?}");
    assert_eq!(w.len(), s.weights(), "w of {s:?}");
    assert_eq!(y.len(), s.batch * s.out_size(), "y of {s:?}");
}

/// `y[h, w, n, o] = Σ weight[o, c, ky, kx] · x[h·stride + ky − padding, …, n, c]`, through the epilogue.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn forward<T: Real>(s: &ConvShape, x: &[T], w: &[T], epilogue: Epilogue<'_, T>, y: &mut [T]) {
    forward_by(Choice::of(s, Pass::Forward), s, x, w, epilogue, y);
}

/// [`forward`] with a given choice, for tests and measurements.
///
/// # Panics
/// As [`forward`], and when the choice does not fit the shape or the machine.
pub fn forward_by<T: Real>(
    choice: Choice,
    s: &ConvShape,
    x: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    y: &mut [T],
) {
    check(s, x, w, y);
    let step = epilogue.step(s.out_channels, y.len());
    match choice.kind(s, Pass::Forward) {
        Kind::Direct => direct::map(choice.isa, s, Direction::Forward, x, w, step, y),
        Kind::Stacked => stacked::map(choice.isa, s, Direction::Forward, x, w, step, y),
        Kind::Unit => winograd::map::<T, Unit>(choice.isa, s, Direction::Forward, x, w, step, y),
        Kind::Resampling => {
            winograd::map::<T, Down>(choice.isa, s, Direction::Forward, x, w, step, y)
        }
    }
}

/// The gradient of [`forward`] (without epilogue) with respect to x, through its own epilogue.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn grad_input<T: Real>(
    s: &ConvShape,
    dy: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    dx: &mut [T],
) {
    grad_input_by(Choice::of(s, Pass::GradInput), s, dy, w, epilogue, dx);
}

/// [`grad_input`] with a given choice.
///
/// # Panics
/// As [`forward_by`].
pub fn grad_input_by<T: Real>(
    choice: Choice,
    s: &ConvShape,
    dy: &[T],
    w: &[T],
    epilogue: Epilogue<'_, T>,
    dx: &mut [T],
) {
    check(s, dx, w, dy);
    let step = epilogue.step(s.in_channels, dx.len());
    match choice.kind(s, Pass::GradInput) {
        Kind::Direct => direct::map(choice.isa, s, Direction::Adjoint, dy, w, step, dx),
        Kind::Stacked => stacked::map(choice.isa, s, Direction::Adjoint, dy, w, step, dx),
        Kind::Unit => winograd::map::<T, Unit>(choice.isa, s, Direction::Adjoint, dy, w, step, dx),
        Kind::Resampling => {
            winograd::map::<T, Up>(choice.isa, s, Direction::Adjoint, dy, w, step, dx)
        }
    }
}

/// The gradient of [`forward`] (without epilogue) with respect to the weights, `[out, in, k, k]`.
///
/// # Panics
/// When a slice's length does not fit the shape.
pub fn grad_weight<T: Real>(s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    grad_weight_by(Choice::of(s, Pass::GradWeight), s, x, dy, dw);
}

/// [`grad_weight`] with a given choice.
///
/// # Panics
/// As [`forward_by`].
pub fn grad_weight_by<T: Real>(choice: Choice, s: &ConvShape, x: &[T], dy: &[T], dw: &mut [T]) {
    check(s, x, dw, dy);
    match choice.kind(s, Pass::GradWeight) {
        Kind::Direct => direct::grad_weight(choice.isa, s, x, dy, dw),
        Kind::Stacked => stacked::grad_weight(choice.isa, s, x, dy, dw),
        Kind::Unit => {
            winograd_weight::grad_weight::<T, Unit>(choice.isa, s, table::cut(s), x, dy, dw)
        }
        Kind::Resampling => {
            winograd_weight::grad_weight::<T, Down>(choice.isa, s, table::cut(s), x, dy, dw)
        }
    }
}
