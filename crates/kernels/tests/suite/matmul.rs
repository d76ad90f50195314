use crate::support::{F32_ROUNDING, F64_ROUNDING, distance, draw, same_bits_on_any_threads, widen};
use proptest::prelude::*;
use sngan_kernels::{Real, matmul};

/// Errors of the three products against three loops in f64.
fn errors<T: Real>(m: usize, n: usize, k: usize) -> [f64; 3] {
    let (a, b) = (draw::<T>(1, m * k), draw::<T>(2, k * n));
    let transposed = |x: &[T], rows: usize, columns: usize| -> Vec<T> {
        (0..rows * columns).map(|i| x[(i % rows) * columns + i / rows]).collect()
    };
    let (a64, b64) = (widen(&a), widen(&b));
    let expected: Vec<f64> =
        (0..m * n).map(|i| (0..k).map(|j| a64[i / n * k + j] * b64[j * n + i % n]).sum()).collect();
    let run = |f: &dyn Fn(&mut [T])| {
        let mut c = draw::<T>(3, m * n);
        f(&mut c);
        distance(&c, &expected)
    };
    [
        run(&|c| matmul::nn(m, n, k, &a, &b, c)),
        run(&|c| matmul::nt(m, n, k, &a, &transposed(&b, k, n), c)),
        run(&|c| matmul::tn(m, n, k, &transposed(&a, m, k), &b, c)),
    ]
}

proptest! {
    #[test]
    fn equals_three_loops(m in 1usize..150, n in 1usize..20, k in 1usize..40) {
        for (f64_error, f32_error) in errors::<f64>(m, n, k).into_iter().zip(errors::<f32>(m, n, k)) {
            prop_assert!(f64_error < F64_ROUNDING && f32_error < F32_ROUNDING, "{m} {n} {k}: {f64_error} {f32_error}");
        }
    }
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let (m, n, k) = (300, 70, 90);
    let (a, b) = (draw::<f32>(1, m * k), draw::<f32>(2, k * n));
    same_bits_on_any_threads(|| {
        let mut c = vec![0.0; m * n];
        matmul::nn(m, n, k, &a, &b, &mut c);
        c
    });
}
