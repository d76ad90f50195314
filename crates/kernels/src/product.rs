//! The product at the bottom of every convolution: small row-major matrices, several pairs added up (batch-reduce).

use crate::simd::Simd;

/// `C (+)= Σ A·B` over `blocks`: C is `[rows, width]`, each A `[rows, depth]` (or `[depth, rows]`, transposed), each B `[depth, width]`.
pub(crate) struct Product<'a, T> {
    pub(crate) rows: usize,
    /// A multiple of the instruction set's lanes.
    pub(crate) width: usize,
    pub(crate) depth: usize,
    /// First elements of A and B.
    pub(crate) blocks: &'a [(*const T, *const T)],
    /// Elements from one row of A to the next, of B, of C.
    pub(crate) a_row: usize,
    pub(crate) b_row: usize,
    pub(crate) c_row: usize,
    pub(crate) c: *mut T,
    /// Whether C is added to instead of overwritten.
    pub(crate) add: bool,
}

/// MR rows and NV vectors of C, held in registers over all blocks.
///
/// Safety: the pointers of `p` reach over its sizes, and the instruction set of S is present.
#[inline(always)]
unsafe fn tile<S: Simd, const MR: usize, const NV: usize, const TRANSPOSED: bool>(
    p: &Product<'_, S::T>,
    row: usize,
    column: usize,
) {
    // SAFETY: guaranteed by the caller; row and column leave room for the tile.
    unsafe {
        let c = p.c.add(row * p.c_row + column);
        let mut sums = [[S::zero(); NV]; MR];
        if p.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(c.add(i * p.c_row + j * S::LANES));
                }
            }
        }
        for &(a, b) in p.blocks {
            let mut a = a.add(if TRANSPOSED { row } else { row * p.a_row });
            let mut b = b.add(column);
            for _ in 0..p.depth {
                let mut bs = [S::zero(); NV];
                for (j, v) in bs.iter_mut().enumerate() {
                    *v = S::load(b.add(j * S::LANES));
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = S::splat(*a.add(if TRANSPOSED { i } else { i * p.a_row }));
                    for (sum, v) in sums.iter_mut().zip(bs) {
                        *sum = S::fma(x, v, *sum);
                    }
                }
                a = a.add(if TRANSPOSED { p.a_row } else { 1 });
                b = b.add(p.b_row);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                S::store(c.add(i * p.c_row + j * S::LANES), *sum);
            }
        }
    }
}

/// All rows of NV vectors of C from `column` on: MR at a time, then powers of two.
#[inline(always)]
unsafe fn strip<S: Simd, const MR: usize, const NV: usize, const TRANSPOSED: bool>(
    p: &Product<'_, S::T>,
    column: usize,
) {
    let mut row = 0;
    // SAFETY: as for `tile`; each starts where it fits.
    unsafe {
        while row + MR <= p.rows {
            tile::<S, MR, NV, TRANSPOSED>(p, row, column);
            row += MR;
        }
        if MR > 8 && row + 8 <= p.rows {
            tile::<S, 8, NV, TRANSPOSED>(p, row, column);
            row += 8;
        }
        if MR > 4 && row + 4 <= p.rows {
            tile::<S, 4, NV, TRANSPOSED>(p, row, column);
            row += 4;
        }
        if row + 2 <= p.rows {
            tile::<S, 2, NV, TRANSPOSED>(p, row, column);
            row += 2;
        }
        if row < p.rows {
            tile::<S, 1, NV, TRANSPOSED>(p, row, column);
        }
    }
}

/// The whole product with tiles of MR rows and NV vectors, and single vectors at the end if the
/// width needs them.
#[inline(always)]
pub(crate) unsafe fn rows_of<S: Simd, const MR: usize, const NV: usize, const TRANSPOSED: bool>(
    p: &Product<'_, S::T>,
) {
    let mut column = 0;
    // SAFETY: as for `tile`; each starts where it fits.
    unsafe {
        while column + NV * S::LANES <= p.width {
            strip::<S, MR, NV, TRANSPOSED>(p, column);
            column += NV * S::LANES;
        }
        while column < p.width {
            strip::<S, MR, 1, TRANSPOSED>(p, column);
            column += S::LANES;
        }
    }
}

/// The whole product on a machine with 32 vector registers: 24 sums, in the widest tiles that fit.
#[inline(always)]
pub(crate) unsafe fn widest<S: Simd, const TRANSPOSED: bool>(p: &Product<'_, S::T>) {
    let mut column = 0;
    // SAFETY: as for `tile`; each starts where it fits.
    unsafe {
        while column + 4 * S::LANES <= p.width {
            strip::<S, 6, 4, TRANSPOSED>(p, column);
            column += 4 * S::LANES;
        }
        if column + 3 * S::LANES <= p.width {
            strip::<S, 8, 3, TRANSPOSED>(p, column);
            column += 3 * S::LANES;
        }
        if column + 2 * S::LANES <= p.width {
            strip::<S, 12, 2, TRANSPOSED>(p, column);
            column += 2 * S::LANES;
        }
        if column < p.width {
            strip::<S, 12, 1, TRANSPOSED>(p, column);
        }
    }
}
