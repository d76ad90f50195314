//! What several tests share.

use sngan_kernels::{ConvShape, Real};

/// Two f64 sums of at most some thousand terms in different order.
pub(crate) const F64_ROUNDING: f64 = 1e-12;
/// The same in f32: √n·ε for a thousand terms is 2e-6; worst cases stay below ten times that.
pub(crate) const F32_ROUNDING: f64 = 2e-5;
/// A convolution in f32: sums of some thousand terms, which Winograd's transforms add and subtract before they are multiplied.
pub(crate) const CONVOLUTION: f64 = 1e-5;
/// Central differences with step 1e-5 on functions of size 1 to 100: truncation 1e-10, rounding 1e-10.
pub(crate) const FINITE_DIFFERENCE: f64 = 1e-7;

/// `n` numbers in [−1, 1), a pure function of `seed`.
pub(crate) fn draw<T: Real>(seed: u64, n: usize) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    std::iter::repeat_with(next).take(n).collect()
}

pub(crate) fn widen<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

/// max|a − b| relative to the largest |b| (at least 1).
pub(crate) fn distance<T: Real>(a: &[T], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f64, |m, (x, y)| m.max((x.to_f64() - y).abs())) / largest
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Asserts that `f` gives the same bits on 1, 2 and 4 threads.
pub(crate) fn same_bits_on_any_threads(f: impl Fn() -> Vec<f32> + Sync) {
    let on = |threads: usize| -> Vec<u32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| f().into_iter().map(f32::to_bits).collect())
    };
    let one = on(1);
    assert!(one == on(2) && one == on(4));
}

/// A convolution of square images with padding 1: batch, channels of x and of y, side, kernel, stride.
pub(crate) fn padded_by_one(
    (batch, in_channels, out_channels, side, kernel, stride): (
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
    ),
) -> ConvShape {
    let shape = ConvShape {
        batch,
        in_channels,
        out_channels,
        in_h: side,
        in_w: side,
        kernel,
        stride,
        padding: 1,
    };
    shape.checked().unwrap()
}
