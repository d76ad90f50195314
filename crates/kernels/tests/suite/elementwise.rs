use crate::support::{F32_ROUNDING, F64_ROUNDING, FINITE_DIFFERENCE, distance, dot, draw, same_bits_on_any_threads, widen};
use proptest::prelude::*;
use sngan_kernels::{Real, batch_norm, bias_act};

proptest! {
    #[test]
    fn bias_and_activation_equal_the_definition(images in 1usize..4, channels in 1usize..5, inner in 1usize..30, slope in 0.0..1.0f64) {
        let n = images * channels * inner;
        let (x, bias, dy) = (draw::<f64>(1, n), draw::<f64>(2, channels), draw::<f64>(3, n));
        let pre: Vec<f64> = (0..n).map(|i| x[i] + bias[i / inner % channels]).collect();
        let (mut y, mut dx, mut db) = (vec![9.0; n], vec![9.0; n], vec![9.0; channels]);
        bias_act::forward(&x, Some(&bias), slope, channels, inner, &mut y);
        bias_act::backward(&y, &dy, slope, &mut dx);
        bias_act::grad_bias(&dx, channels, inner, &mut db);
        let expected: Vec<f64> = pre.iter().map(|a| if *a > 0.0 { *a } else { slope * a }).collect();
        prop_assert_eq!(&y, &expected);
        // With slope 0 the output is 0 where the pre-activation was negative: the same branch.
        let expected: Vec<f64> = pre.iter().zip(&dy).map(|(a, d)| if *a > 0.0 { *d } else { slope * d }).collect();
        prop_assert_eq!(&dx, &expected);
        let sums: Vec<f64> = (0..channels).map(|c| (0..n).filter(|i| i / inner % channels == c).map(|i| dx[i]).sum()).collect();
        prop_assert!(distance(&db, &sums) < F64_ROUNDING);
        bias_act::forward(&x, None, slope, channels, inner, &mut y);
        let expected: Vec<f64> = x.iter().map(|x| if *x > 0.0 { *x } else { slope * x }).collect();
        prop_assert_eq!(y, expected);
    }
}

#[test]
fn the_derivative_at_zero_is_the_slope() {
    let mut dx = [9.0f32; 2];
    bias_act::backward(&[0.0, 1.0], &[1.0, 1.0], 0.1, &mut dx);
    assert_eq!(dx, [0.1, 1.0]);
}

const EPS: f64 = 2e-5;

/// Sizes of a batch normalization.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    images: usize,
    channels: usize,
    inner: usize,
}

impl Sizes {
    fn len(self) -> usize {
        self.images * self.channels * self.inner
    }

    fn forward<T: Real>(self, x: &[T], gamma: Option<&[T]>, beta: &[T]) -> [Vec<T>; 3] {
        let [mut y, mut mean, mut var] = [self.len(), self.channels, self.channels].map(|n| vec![T::ZERO; n]);
        batch_norm::forward(x, gamma, beta, T::from_f64(EPS), self.channels, self.inner, &mut y, &mut mean, &mut var);
        [y, mean, var]
    }

    fn backward<T: Real>(self, x: &[T], dy: &[T], gamma: Option<&[T]>, mean: &[T], var: &[T]) -> [Vec<T>; 3] {
        let [mut dx, mut dgamma, mut dbeta] = [self.len(), self.channels, self.channels].map(|n| vec![T::ZERO; n]);
        let eps = T::from_f64(EPS);
        batch_norm::backward(x, dy, gamma, mean, var, eps, self.channels, self.inner, &mut dx, &mut dgamma, &mut dbeta);
        [dx, dgamma, dbeta]
    }
}

proptest! {
    #[test]
    fn batch_norm_equals_the_definition(images in 2usize..5, channels in 1usize..4, inner in 1usize..20) {
        let s = Sizes { images, channels, inner };
        let (x, gamma, beta) = (draw::<f64>(1, s.len()), draw::<f64>(2, channels), draw::<f64>(3, channels));
        let [y, mean, var] = s.forward(&x, Some(&gamma), &beta);
        for c in 0..channels {
            let of: Vec<usize> = (0..s.len()).filter(|i| i / inner % channels == c).collect();
            let count = of.len() as f64;
            let m = of.iter().map(|i| x[*i]).sum::<f64>() / count;
            let v = of.iter().map(|i| (x[*i] - m).powi(2)).sum::<f64>() / count;
            prop_assert!((mean[c] - m).abs() < F64_ROUNDING && (var[c] - v).abs() < F64_ROUNDING);
            for i in of {
                let expected = (x[i] - m) / (v + EPS).sqrt() * gamma[c] + beta[c];
                prop_assert!((y[i] - expected).abs() < 1e3 * F64_ROUNDING, "{} {expected}", y[i]);
            }
        }
    }
}

#[test]
fn batch_norm_gradients_match_finite_differences() {
    const STEP: f64 = 1e-5;
    let s = Sizes { images: 3, channels: 2, inner: 4 };
    let [x, gamma, beta, dy] = [(1, s.len()), (2, 2), (3, 2), (4, s.len())].map(|(seed, n)| draw::<f64>(seed, n));
    for with_gamma in [true, false] {
        let f = |p: &[Vec<f64>; 3]| dot(&s.forward(&p[0], with_gamma.then_some(&p[1][..]), &p[2])[0], &dy);
        let base = [x.clone(), gamma.clone(), beta.clone()];
        let g = with_gamma.then_some(&gamma[..]);
        let [_, mean, var] = s.forward(&x, g, &beta);
        let grads = s.backward(&x, &dy, g, &mean, &var);
        for (part, grad) in grads.iter().enumerate().filter(|(part, _)| with_gamma || *part != 1) {
            for i in 0..grad.len() {
                let at = |h: f64| {
                    let mut moved = base.clone();
                    moved[part][i] += h;
                    f(&moved)
                };
                let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                assert!((numeric - grad[i]).abs() < FINITE_DIFFERENCE, "part {part}[{i}]: {numeric} {}", grad[i]);
            }
        }
    }
}

#[test]
fn a_constant_channel_far_from_zero_loses_nothing_to_cancellation() {
    let s = Sizes { images: 4, channels: 1, inner: 1000 };
    let x: Vec<f32> = draw::<f32>(1, s.len()).into_iter().map(|v| 1000.0 + 0.01 * v).collect();
    let [y, _, var] = s.forward(&x, None, &[0.0]);
    let wide = widen(&x);
    let m = wide.iter().sum::<f64>() / 4000.0;
    let v = wide.iter().map(|a| (a - m).powi(2)).sum::<f64>() / 4000.0;
    assert!((f64::from(var[0]) - v).abs() < F32_ROUNDING * v);
    assert!(widen(&y).iter().sum::<f64>().abs() / 4000.0 < 1e-2);
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let s = Sizes { images: 20, channels: 8, inner: 700 };
    let [x, beta, dy] = [(1, s.len()), (2, 8), (3, s.len())].map(|(seed, n)| draw::<f32>(seed, n));
    same_bits_on_any_threads(|| {
        let [y, mean, var] = s.forward(&x, None, &beta);
        let grads = s.backward(&x, &dy, None, &mean, &var).concat();
        let (mut z, mut db) = (vec![0.0; s.len()], vec![0.0; 8]);
        bias_act::forward(&x, Some(&beta), 0.1, 8, 700, &mut z);
        bias_act::grad_bias(&z, 8, 700, &mut db);
        [y, mean, var, grads, z, db].concat()
    });
}
