//! Products of row-major matrices; the second letter says which operand is transposed.

use crate::Real;
use crate::gemm_product::{View, product};
use rayon::prelude::*;

/// Rows of the result per task: fixed, so that bits do not depend on the number of threads.
const ROWS: usize = 64;

/// C `[m, n]` = A `[m, k]` · B `[k, n]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn nn<T: Real>(m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    blocked([m, n, k], (a, k, 1), (b, n, 1), c);
}

/// C `[m, n]` = A `[m, k]` · Bᵀ for B `[n, k]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn nt<T: Real>(m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    blocked([m, n, k], (a, k, 1), (b, 1, k), c);
}

/// C `[m, n]` = Aᵀ · B for A `[k, m]`, B `[k, n]`.
///
/// # Panics
/// When a slice's length does not fit.
pub fn tn<T: Real>(m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    blocked([m, n, k], (a, 1, m), (b, n, 1), c);
}

fn blocked<T: Real>(
    [m, n, k]: [usize; 3],
    (a, a_row, a_column): (&[T], usize, usize),
    (b, b_row, b_column): (&[T], usize, usize),
    c: &mut [T],
) {
    assert_eq!(
        (a.len(), b.len(), c.len()),
        (m * k, k * n, m * n),
        "matrix product of {m}x{k} and {k}x{n}"
    );
    let b = View { data: b, row: b_row, column: b_column };
    c.par_chunks_mut(ROWS * n).enumerate().for_each(|(i, c)| {
        let a = View { data: &a[i * ROWS * a_row..], row: a_row, column: a_column };
        product((c.len() / n, n, k), a, b, c, n, false);
    });
}
