use crate::support::{
    F32_ROUNDING, F64_ROUNDING, FINITE_DIFFERENCE, distance, dot, draw, same_bits_on_any_threads,
    widen,
};
use proptest::prelude::*;
use sngan_kernels::batch_norm::NormalizedBy;
use sngan_kernels::{Real, activation, batch_norm, layer_norm, matvec, sums};

const EPS: f64 = 2e-5;

proptest! {
    #[test]
    fn activations_and_column_sums_equal_their_definitions(rows in 1usize..40, columns in 1usize..40, slope in 0.0..1.0f64) {
        let n = rows * columns;
        let (x, bias, dy) = (draw::<f64>(1, n), draw::<f64>(2, columns), draw::<f64>(3, n));
        let (mut y, mut dx, mut db) = (vec![9.0; n], vec![9.0; n], vec![9.0; columns]);
        activation::bias_forward(&x, &bias, slope, &mut y);
        let act = |a: f64| if a > 0.0 { a } else { slope * a };
        let expected: Vec<f64> = x.iter().enumerate().map(|(i, x)| act(x + bias[i % columns])).collect();
        prop_assert_eq!(&y, &expected);
        activation::mask(&y, &dy, slope, &mut dx);
        let expected: Vec<f64> = y.iter().zip(&dy).map(|(y, d)| if *y > 0.0 { *d } else { slope * d }).collect();
        prop_assert_eq!(&dx, &expected);
        sums::columns(&dx, &mut db);
        let expected: Vec<f64> = (0..columns).map(|c| (0..rows).map(|r| dx[r * columns + c]).sum()).collect();
        prop_assert!(distance(&db, &expected) < F64_ROUNDING);
    }

    #[test]
    fn products_with_vectors_equal_their_definitions(rows in 1usize..40, columns in 1usize..200) {
        let m = draw::<f64>(1, rows * columns);
        let (x, z) = (draw::<f64>(2, columns), draw::<f64>(3, rows));
        let (mut y, mut t) = (vec![9.0; rows], vec![9.0; columns]);
        matvec::multiply(&m, &x, &mut y);
        matvec::multiply_transposed(&m, &z, &mut t);
        let expected: Vec<f64> = m.chunks(columns).map(|row| dot(row, &x)).collect();
        prop_assert!(distance(&y, &expected) < F64_ROUNDING);
        let expected: Vec<f64> = (0..columns).map(|c| (0..rows).map(|r| m[r * columns + c] * z[r]).sum()).collect();
        prop_assert!(distance(&t, &expected) < F64_ROUNDING);
        let mut sum = vec![9.0; m.len()];
        matvec::add_rank_one(2.0, &m, -3.0, &z, &x, &mut sum);
        let expected: Vec<f64> = m.iter().enumerate().map(|(i, m)| 2.0 * m - 3.0 * z[i / columns] * x[i % columns]).collect();
        prop_assert!(distance(&sum, &expected) < F64_ROUNDING);
        prop_assert!((matvec::dot(&m, &sum) - dot(&m, &sum)).abs() < F64_ROUNDING * m.len() as f64);
    }

    #[test]
    fn batch_norm_equals_the_definition(rows in 2usize..80, channels in 1usize..20) {
        let (x, gamma, beta) = (draw::<f64>(1, rows * channels), draw::<f64>(2, channels), draw::<f64>(3, channels));
        let [y, mean, var] = batch_norm_forward(&x, Some(&gamma), &beta);
        for c in 0..channels {
            let of: Vec<f64> = x.iter().skip(c).step_by(channels).copied().collect();
            let m = of.iter().sum::<f64>() / rows as f64;
            let v = of.iter().map(|x| (x - m).powi(2)).sum::<f64>() / rows as f64;
            prop_assert!((mean[c] - m).abs() < F64_ROUNDING && (var[c] - v).abs() < F64_ROUNDING);
            for (r, x) in of.iter().enumerate() {
                let expected = (x - m) / (v + EPS).sqrt() * gamma[c] + beta[c];
                prop_assert!((y[r * channels + c] - expected).abs() < 1e3 * F64_ROUNDING, "{expected}");
            }
        }
    }
}

fn batch_norm_forward<T: Real>(x: &[T], gamma: Option<&[T]>, beta: &[T]) -> [Vec<T>; 3] {
    let [mut y, mut mean, mut var] = [x.len(), beta.len(), beta.len()].map(|n| vec![T::ZERO; n]);
    batch_norm::statistics(x, &mut mean, &mut var);
    batch_norm::normalize(x, gamma, beta, &mean, &var, EPS, T::from_f64(1.0), &mut y);
    [y, mean, var]
}

fn batch_norm_backward<T: Real>(
    x: &[T],
    dy: &[T],
    gamma: Option<&[T]>,
    mean: &[T],
    var: &[T],
) -> [Vec<T>; 3] {
    let [mut dx, mut dgamma, mut dbeta] =
        [x.len(), mean.len(), mean.len()].map(|n| vec![T::ZERO; n]);
    batch_norm::backward(
        x,
        dy,
        gamma,
        (mean, var, NormalizedBy::OfBatch),
        EPS,
        &mut dx,
        &mut dgamma,
        &mut dbeta,
    );
    [dx, dgamma, dbeta]
}

/// Compares `grads` with central differences of `f` in each of its arguments.
fn check_gradients<const N: usize>(
    base: &[Vec<f64>; N],
    grads: &[Vec<f64>; N],
    f: impl Fn(&[Vec<f64>; N]) -> f64,
) {
    const STEP: f64 = 1e-5;
    for (part, grad) in grads.iter().enumerate() {
        for (i, grad) in grad.iter().enumerate() {
            let at = |h: f64| {
                let mut moved = base.clone();
                moved[part][i] += h;
                f(&moved)
            };
            let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert!(
                (numeric - grad).abs() < FINITE_DIFFERENCE,
                "part {part}[{i}]: {numeric} {grad}"
            );
        }
    }
}

#[test]
fn batch_norm_gradients_match_finite_differences() {
    let (rows, channels) = (12, 2);
    let [x, gamma, beta, dy] = [(1, rows * channels), (2, 2), (3, 2), (4, rows * channels)]
        .map(|(seed, n)| draw::<f64>(seed, n));
    let [_, mean, var] = batch_norm_forward(&x, Some(&gamma), &beta);
    let grads = batch_norm_backward(&x, &dy, Some(&gamma), &mean, &var);
    check_gradients(&[x.clone(), gamma, beta.clone()], &grads, |[x, gamma, beta]| {
        dot(&batch_norm_forward(x, Some(gamma), beta)[0], &dy)
    });
    let given = |[x, gamma, beta]: &[Vec<f64>; 3]| {
        let mut y = vec![9.0; x.len()];
        batch_norm::normalize(x, Some(gamma), beta, &mean, &var, EPS, 1.0, &mut y);
        y
    };
    let base = [x.clone(), draw::<f64>(2, 2), beta.clone()];
    let mut grads = base.clone();
    let [dx, dgamma, dbeta] = &mut grads;
    batch_norm::backward(
        &x,
        &dy,
        Some(&base[1]),
        (&mean, &var, NormalizedBy::Given),
        EPS,
        dx,
        dgamma,
        dbeta,
    );
    check_gradients(&base, &grads, |p| dot(&given(p), &dy));
    let [_, mean, var] = batch_norm_forward(&x, None, &beta);
    let [dx, _, dbeta] = batch_norm_backward(&x, &dy, None, &mean, &var);
    check_gradients(&[x, beta], &[dx, dbeta], |[x, beta]| {
        dot(&batch_norm_forward(x, None, beta)[0], &dy)
    });
}

#[test]
fn layer_norm_equals_the_definition_and_its_gradients_match_finite_differences() {
    let (pixels, sizes) = (5, layer_norm::Sizes { images: 3, channels: 4 });
    let n = pixels * sizes.images * sizes.channels;
    let [x, beta, dy] = [(1, n), (2, 4), (3, n)].map(|(seed, n)| draw::<f64>(seed, n));
    let forward = |x: &[f64], beta: &[f64]| {
        let mut y = vec![9.0; n];
        layer_norm::forward(sizes, x, beta, EPS, 1.0, &mut y);
        y
    };
    let y = forward(&x, &beta);
    for image in 0..sizes.images {
        let of: Vec<usize> =
            (0..n).filter(|i| i / sizes.channels % sizes.images == image).collect();
        let count = of.len() as f64;
        let m = of.iter().map(|i| x[*i]).sum::<f64>() / count;
        let v = of.iter().map(|i| (x[*i] - m).powi(2)).sum::<f64>() / count;
        for i in of {
            assert!((y[i] - ((x[i] - m) / (v + EPS).sqrt() + beta[i % 4])).abs() < F64_ROUNDING);
        }
    }
    let (mut dx, mut dbeta) = (vec![9.0; n], vec![9.0; 4]);
    layer_norm::backward(sizes, &x, &dy, EPS, &mut dx, &mut dbeta);
    check_gradients(&[x, beta], &[dx, dbeta], |[x, beta]| dot(&forward(x, beta), &dy));
}

#[test]
fn tanh_and_its_derivative() {
    let (x, dy) = (draw::<f64>(1, 50), draw::<f64>(2, 50));
    let forward = |x: &[f64]| {
        let mut y = vec![9.0; x.len()];
        activation::tanh(x, &mut y);
        y
    };
    let mut dx = vec![9.0; 50];
    activation::tanh_backward(&forward(&x), &dy, &mut dx);
    check_gradients(&[x], &[dx], |[x]| dot(&forward(x), &dy));
}

#[test]
fn tanh_in_f32_keeps_its_digits_everywhere() {
    // Every magnitude from subnormal steps around 0 to saturation, both signs.
    let x: Vec<f32> = (0..200_000)
        .map(|i| (1.0001f32.powi(i % 100_000) * 1e-4 - 1e-4) * if i < 100_000 { 1.0 } else { -1.0 })
        .collect();
    let mut y = vec![9.0; x.len()];
    activation::tanh(&x, &mut y);
    for (x, y) in x.iter().zip(&y) {
        let expected = f64::from(*x).tanh();
        assert!(
            (f64::from(*y) - expected).abs() <= 3.0 * f64::from(f32::EPSILON) * expected.abs(),
            "tanh({x}) = {expected}, not {y}"
        );
    }
    let mut extreme = [9.0; 4];
    activation::tanh(&[100.0, -100.0, f32::INFINITY, f32::NAN], &mut extreme);
    assert!(extreme[..3] == [1.0, -1.0, 1.0] && extreme[3].is_nan(), "{extreme:?}");
}

#[test]
fn the_derivative_at_zero_is_the_slope() {
    let mut dx = [9.0f32; 2];
    activation::mask(&[0.0, 1.0], &[1.0, 1.0], 0.1, &mut dx);
    assert_eq!(dx, [0.1, 1.0]);
}

#[test]
fn a_constant_channel_far_from_zero_loses_nothing_to_cancellation() {
    let x: Vec<f32> = draw::<f32>(1, 4000).into_iter().map(|v| 1000.0 + 0.01 * v).collect();
    let [y, _, var] = batch_norm_forward(&x, None, &[0.0]);
    let wide = widen(&x);
    let m = wide.iter().sum::<f64>() / 4000.0;
    let v = wide.iter().map(|a| (a - m).powi(2)).sum::<f64>() / 4000.0;
    assert!((f64::from(var[0]) - v).abs() < F32_ROUNDING * v);
    assert!(widen(&y).iter().sum::<f64>().abs() / 4000.0 < 1e-2);
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let sizes = layer_norm::Sizes { images: 20, channels: 24 };
    let n = 300 * 20 * 24;
    let [x, beta, dy] = [(1, n), (2, 24), (3, n)].map(|(seed, n)| draw::<f32>(seed, n));
    same_bits_on_any_threads(|| {
        let [y, mean, var] = batch_norm_forward(&x, None, &beta);
        let grads = batch_norm_backward(&x, &dy, None, &mean, &var).concat();
        let (mut z, mut dz, mut db, mut u, mut t) =
            (vec![0.0; n], vec![0.0; n], vec![0.0; 24], vec![0.0; n / 600], vec![0.0; 600]);
        layer_norm::forward(sizes, &x, &beta, EPS, 0.1, &mut z);
        layer_norm::backward(sizes, &x, &dy, EPS, &mut dz, &mut db);
        matvec::multiply(&x, &dy[..600], &mut u);
        matvec::multiply_transposed(&x, &u, &mut t);
        [y, mean, var, grads, z, dz, db, u, t].concat()
    });
}
