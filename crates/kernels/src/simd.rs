//! Vectors of numbers for kernels, with one implementation per instruction set.

#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "each block is one operation, under the one condition that `Simd` states"
)]

use crate::Real;
use crate::product::{Product, rows_of};

/// A vector type and its arithmetic. Kernels are generic over it and are compiled once for each instruction set.
///
/// Every function is unsafe for one reason: it may only run if the instruction set is present.
/// [`crate::Isa`] detects that before it calls any kernel. Pointers need no alignment.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// The element.
    type T: Real;
    /// The vector.
    type V: Copy;
    /// Elements per vector.
    const LANES: usize;

    unsafe fn splat(x: Self::T) -> Self::V;
    unsafe fn load(p: *const Self::T) -> Self::V;
    unsafe fn store(p: *mut Self::T, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// a·b + c.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Per lane: `a` where `x > 0`, else `b`.
    unsafe fn where_positive(x: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// Runs a product; not inlined, so that each instruction set has it once.
    unsafe fn product(p: &Product<'_, Self::T>);
    /// [`Simd::product`] with A transposed.
    unsafe fn product_transposed(p: &Product<'_, Self::T>);

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        unsafe { Self::splat(Self::T::ZERO) }
    }

    /// Loads the first `n ≤ LANES` elements; the rest are 0.
    #[inline(always)]
    unsafe fn load_first(p: *const Self::T, n: usize) -> Self::V {
        unsafe { if n == Self::LANES { Self::load(p) } else { Self::load_partial(p, n) } }
    }

    /// Stores the first `n ≤ LANES` elements.
    #[inline(always)]
    unsafe fn store_first(p: *mut Self::T, v: Self::V, n: usize) {
        unsafe { if n == Self::LANES { Self::store(p, v) } else { Self::store_partial(p, v, n) } }
    }

    /// [`Simd::load_first`] for `n < LANES`.
    #[inline(always)]
    unsafe fn load_partial(p: *const Self::T, n: usize) -> Self::V {
        let mut lanes = [Self::T::ZERO; 16];
        unsafe {
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            Self::load(lanes.as_ptr())
        }
    }

    /// [`Simd::store_first`] for `n < LANES`.
    #[inline(always)]
    unsafe fn store_partial(p: *mut Self::T, v: Self::V, n: usize) {
        let mut lanes = [Self::T::ZERO; 16];
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }

    /// The sum of the lanes, in their order.
    #[inline(always)]
    unsafe fn sum(v: Self::V) -> Self::T {
        let mut lanes = [Self::T::ZERO; 16];
        unsafe { Self::store(lanes.as_mut_ptr(), v) };
        lanes[..Self::LANES].iter().fold(Self::T::ZERO, |a, b| a + *b)
    }
}

/// Eight lanes without intrinsics, for any machine, f32 and f64.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T>(std::marker::PhantomData<T>);

#[inline(always)]
fn lanes<T: Copy>(f: impl Fn(usize) -> T) -> [T; 8] {
    [f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)]
}

impl<T: Real> Simd for Portable<T> {
    type T = T;
    type V = [T; 8];
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(x: T) -> [T; 8] {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> [T; 8] {
        unsafe { p.cast::<[T; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut T, v: [T; 8]) {
        unsafe { p.cast::<[T; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn add(a: [T; 8], b: [T; 8]) -> [T; 8] {
        lanes(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: [T; 8], b: [T; 8]) -> [T; 8] {
        lanes(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: [T; 8], b: [T; 8]) -> [T; 8] {
        lanes(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn div(a: [T; 8], b: [T; 8]) -> [T; 8] {
        lanes(|i| a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn sqrt(a: [T; 8]) -> [T; 8] {
        lanes(|i| a[i].sqrt())
    }
    #[inline(always)]
    unsafe fn fma(a: [T; 8], b: [T; 8], c: [T; 8]) -> [T; 8] {
        // A fused multiply-add would be a library call on machines without the instruction.
        lanes(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn where_positive(x: [T; 8], a: [T; 8], b: [T; 8]) -> [T; 8] {
        lanes(|i| if x[i] > T::ZERO { a[i] } else { b[i] })
    }
    #[inline(never)]
    unsafe fn product(p: &Product<'_, T>) {
        unsafe { rows_of::<Self, 2, 1, false>(p) }
    }
    #[inline(never)]
    unsafe fn product_transposed(p: &Product<'_, T>) {
        unsafe { rows_of::<Self, 2, 1, true>(p) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Product, Simd};
    use crate::product::{rows_of, widest};
    use std::arch::x86_64::*;

    /// Eight f32 lanes of AVX2 with FMA.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    impl Simd for Avx2 {
        type T = f32;
        type V = __m256;
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m256) {
            unsafe { _mm256_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn div(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_div_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sqrt(a: __m256) -> __m256 {
            unsafe { _mm256_sqrt_ps(a) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn where_positive(x: __m256, a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_blendv_ps(b, a, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())) }
        }
        #[inline(always)]
        unsafe fn product(p: &Product<'_, f32>) {
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            unsafe fn run(p: &Product<'_, f32>) {
                unsafe { rows_of::<Avx2, 6, 2, false>(p) }
            }
            unsafe { run(p) }
        }
        #[inline(always)]
        unsafe fn product_transposed(p: &Product<'_, f32>) {
            #[target_feature(enable = "avx2,fma")]
            #[inline(never)]
            unsafe fn run(p: &Product<'_, f32>) {
                unsafe { rows_of::<Avx2, 6, 2, true>(p) }
            }
            unsafe { run(p) }
        }
    }

    /// Sixteen f32 lanes of AVX-512.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    impl Simd for Avx512 {
        type T = f32;
        type V = __m512;
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m512) {
            unsafe { _mm512_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn div(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_div_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sqrt(a: __m512) -> __m512 {
            unsafe { _mm512_sqrt_ps(a) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn where_positive(x: __m512, a: __m512, b: __m512) -> __m512 {
            unsafe {
                _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), b, a)
            }
        }
        #[inline(always)]
        unsafe fn load_partial(p: *const f32, n: usize) -> __m512 {
            unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, p) }
        }
        #[inline(always)]
        unsafe fn store_partial(p: *mut f32, v: __m512, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as __mmask16, v) }
        }
        #[inline(always)]
        unsafe fn product(p: &Product<'_, f32>) {
            #[target_feature(enable = "avx512f")]
            #[inline(never)]
            unsafe fn run(p: &Product<'_, f32>) {
                unsafe { widest::<Avx512, false>(p) }
            }
            unsafe { run(p) }
        }
        #[inline(always)]
        unsafe fn product_transposed(p: &Product<'_, f32>) {
            #[target_feature(enable = "avx512f")]
            #[inline(never)]
            unsafe fn run(p: &Product<'_, f32>) {
                unsafe { widest::<Avx512, true>(p) }
            }
            unsafe { run(p) }
        }
    }
}
