//! The two number types of the kernels.

use crate::Isa;
use crate::isa::{Kernel, portable, run_f32};
use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// f32, or f64 for reference results.
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
    + sealed::Run
    + 'static
{
    /// 0.
    const ZERO: Self;

    /// Rounds to this type.
    fn from_f64(x: f64) -> Self;

    /// Widens losslessly.
    fn to_f64(self) -> f64;

    /// √x.
    fn sqrt(self) -> Self;

    /// tanh(x).
    fn tanh(self) -> Self;
}

pub(crate) mod sealed {
    use super::{Isa, Kernel};

    /// The crate-private part of a [`super::Real`].
    #[allow(
        private_interfaces,
        private_bounds,
        reason = "sealed: no other crate can name or call these"
    )]
    pub trait Run: Sized {
        /// Runs a kernel on an instruction set; for f64 the set is always the portable one.
        fn run<K: Kernel<Self>>(isa: Isa, kernel: K);

        /// The instruction set that is used when `isa` is requested.
        fn isa(isa: Isa) -> Isa;

        /// A buffer of this thread with `len` elements of arbitrary content on a 64-byte boundary,
        /// reused from call to call. `f` must not request it again.
        fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R;
    }
}

/// A cache line of `T`s.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line<T, const N: usize>([T; N]);

macro_rules! real {
    ($t:ty, $per_line:expr, $run:expr, $isa:expr, $tanh:expr) => {
        impl Real for $t {
            const ZERO: $t = 0.0;

            #[inline(always)]
            fn from_f64(x: f64) -> $t {
                x as $t
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn sqrt(self) -> $t {
                self.sqrt()
            }

            #[inline(always)]
            fn tanh(self) -> $t {
                $tanh(self)
            }
        }

        #[allow(private_interfaces, private_bounds, reason = "sealed")]
        impl sealed::Run for $t {
            fn run<K: Kernel<$t>>(isa: Isa, kernel: K) {
                $run(isa, kernel)
            }

            fn isa(isa: Isa) -> Isa {
                $isa(isa)
            }

            fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [$t]) -> R) -> R {
                thread_local! {
                    static SCRATCH: RefCell<Vec<Line<$t, $per_line>>> = const { RefCell::new(Vec::new()) };
                }
                SCRATCH.with_borrow_mut(|lines| {
                    let needed = len.div_ceil($per_line);
                    if lines.len() < needed {
                        lines.resize(needed, Line([0.0; $per_line]));
                    }
                    // SAFETY: a Line is exactly $per_line numbers without padding, and there are enough of them for `len`.
                    f(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<$t>(), len) })
                })
            }
        }
    };
}

real!(f32, 16, run_f32, |isa| isa, tanh_f32);
real!(f64, 8, |_, kernel| portable(kernel), |_| Isa::Portable, f64::tanh);

/// tanh without branches or calls, so that loops over it vectorize; within two units in the last place.
///
/// With t = e^(2x) − 1 it is t/(t + 2). With 2x = n·ln 2 + r, |r| ≤ ln 2 / 2, t is
/// 2ⁿ·(eʳ − 1) + (2ⁿ − 1), which loses nothing near 0.
#[inline(always)]
fn tanh_f32(x: f32) -> f32 {
    // Above 9.1, tanh rounds to 1.
    let x = x.clamp(-9.1, 9.1);
    // Adding and subtracting 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let shifted = 2.0 * x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with few digits, so that n times it is exact.
    let r = 2.0 * x - n * 0.693_145_75 - n * 1.428_606_8e-6;
    // eʳ − 1 from its series up to r⁷.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = (p * r * r) + r;
    // 2ⁿ from its exponent bits; those of `shifted` end in n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    let t = power * p + (power - 1.0);
    t / (t + 2.0)
}

/// Sum in f64 over eight lanes: vectorizes, and the order depends on the length alone.
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
