//! The two types of number that kernels know.

use gemm::Parallelism;
use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// f32, or f64 for oracles.
pub trait Real:
    Copy
    + Send
    + Sync
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// 0.
    const ZERO: Self;

    /// Rounds to this type.
    fn from_f64(x: f64) -> Self;

    /// Widens without loss.
    fn to_f64(self) -> f64;

    /// Two buffers of this thread with at least the given sizes, of arbitrary content, reused from call to call.
    fn with_scratch<R>(sizes: [usize; 2], f: impl FnOnce(&mut [Self], &mut [Self]) -> R) -> R;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            const ZERO: $t = 0.0;

            fn from_f64(x: f64) -> $t {
                x as $t
            }

            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn with_scratch<R>(sizes: [usize; 2], f: impl FnOnce(&mut [$t], &mut [$t]) -> R) -> R {
                thread_local! {
                    static SCRATCH: RefCell<[Vec<$t>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
                }
                SCRATCH.with_borrow_mut(|[a, b]| {
                    for (buffer, size) in [(&mut *a, sizes[0]), (&mut *b, sizes[1])] {
                        if buffer.len() < size {
                            buffer.resize(size, 0.0);
                        }
                    }
                    f(&mut a[..sizes[0]], &mut b[..sizes[1]])
                })
            }
        }
    };
}

real!(f32);
real!(f64);

/// A matrix in a slice: element (i, j) at `i·row + j·column`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `c = a·b`, or `c += a·b` when `add`; `c` is `[m, n]` with rows `c_row` apart. Single-threaded.
pub(crate) fn product<T: Real>((m, n, k): (usize, usize, usize), a: View<'_, T>, b: View<'_, T>, c: &mut [T], c_row: usize, add: bool) {
    let last = |rows: usize, columns: usize, row: usize, column: usize| (rows - 1) * row + (columns - 1) * column;
    assert!(m > 0 && n > 0 && k > 0 && c_row >= n, "matrix product of {m}x{k} and {k}x{n}");
    assert!(last(m, k, a.row, a.column) < a.data.len() && last(k, n, b.row, b.column) < b.data.len() && last(m, n, c_row, 1) < c.len());
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

/// Sum in f64 over eight lanes: vectorizes, and the order depends on the length alone.
pub(crate) fn sum<T: Real>(values: &[T]) -> f64 {
    sum_by(values, |x| x)
}

/// Sum of `f` over the elements, as [`sum`].
pub(crate) fn sum_by<T: Real>(values: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x.to_f64());
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|x| f(x.to_f64())).sum::<f64>()
}
