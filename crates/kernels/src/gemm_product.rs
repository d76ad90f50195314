//! Products of whole matrices by the `gemm` crate.

use crate::Real;
use gemm::Parallelism;

/// A matrix in a slice: element (i, j) at `i·row + j·column`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `c = a·b`, or `c += a·b` when `add`; `c` is `[m, n]` with rows `c_row` apart. Single-threaded.
pub(crate) fn product<T: Real>(
    (m, n, k): (usize, usize, usize),
    a: View<'_, T>,
    b: View<'_, T>,
    c: &mut [T],
    c_row: usize,
    add: bool,
) {
    let last = |rows: usize, columns: usize, row: usize, column: usize| {
        (rows - 1) * row + (columns - 1) * column
    };
    assert!(m > 0 && n > 0 && k > 0 && c_row >= n, "matrix product of {m}x{k} and {k}x{n}");
    assert!(
        last(m, k, a.row, a.column) < a.data.len()
            && last(k, n, b.row, b.column) < b.data.len()
            && last(m, n, c_row, 1) < c.len()
    );
    let alpha = T::from_f64(if add { 1.0 } else { 0.0 });
    // SAFETY: the asserts above bound every element that the strides reach, and `c` is borrowed mutably, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            c_row as isize,
            add,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            alpha,
            T::from_f64(1.0),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
