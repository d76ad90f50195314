use crate::support::{
    F64_ROUNDING, FINITE_DIFFERENCE, distance, dot, draw, same_bits_on_any_threads, widen,
};
use proptest::prelude::*;
use sngan_kernels::batch_norm::{self, NormalizedBy};
use sngan_kernels::plane::{self, MapSize};
use sngan_kernels::{append, conditional_norm, pool};

const EPS: f64 = 2e-5;

fn size() -> impl Strategy<Value = MapSize> {
    (1usize..20, 1usize..6, 1usize..20).prop_map(|(pixels, images, channels)| MapSize {
        pixels,
        images,
        channels,
    })
}

proptest! {
    #[test]
    fn pooling_is_a_mean_of_four_and_its_backward_pass_the_adjoint(height in 1usize..5, width in 1usize..5, pixel in 1usize..20) {
        let (x, dy) = (draw::<f64>(1, 4 * height * width * pixel), draw::<f64>(2, height * width * pixel));
        let (mut y, mut dx) = (vec![9.0; dy.len()], vec![9.0; x.len()]);
        pool::average(width, pixel, &x, &mut y);
        pool::average_backward(width, pixel, &dy, &mut dx);
        let at = |row: usize, column: usize, i: usize| x[(row * 2 * width + column) * pixel + i];
        let expected: Vec<f64> = (0..y.len())
            .map(|k| (k / pixel / width * 2, k / pixel % width * 2, k % pixel))
            .map(|(r, c, i)| (at(r, c, i) + at(r, c + 1, i) + at(r + 1, c, i) + at(r + 1, c + 1, i)) / 4.0)
            .collect();
        prop_assert!(distance(&y, &expected) < F64_ROUNDING);
        prop_assert!((dot(&y, &dy) - dot(&x, &dx)).abs() < F64_ROUNDING * x.len() as f64);
    }

    #[test]
    fn sums_over_the_plane(s in size(), mean in any::<bool>()) {
        let divisor = if mean { s.pixels as f64 } else { 1.0 };
        let (x, dy) = (draw::<f64>(1, s.len()), draw::<f64>(2, s.images * s.channels));
        let (mut y, mut dx) = (vec![9.0; dy.len()], vec![9.0; x.len()]);
        plane::sum(s, divisor, &x, &mut y);
        plane::sum_backward(s, divisor, &dy, &mut dx);
        let expected: Vec<f64> = (0..dy.len()).map(|i| x.iter().skip(i).step_by(dy.len()).sum::<f64>() / divisor).collect();
        prop_assert!(distance(&y, &expected) < F64_ROUNDING);
        prop_assert!((dot(&y, &dy) - dot(&x, &dx)).abs() < F64_ROUNDING * x.len() as f64);
    }

    #[test]
    fn appended_features_follow_every_pixel(s in size(), features in 1usize..6) {
        let row = s.channels + features;
        let (x, e, dy) = (draw::<f64>(1, s.len()), draw::<f64>(2, s.images * features), draw::<f64>(3, s.pixels * s.images * row));
        let (mut y, mut dx, mut de) = (vec![9.0; dy.len()], vec![9.0; x.len()], vec![9.0; e.len()]);
        append::forward(s, &x, &e, &mut y);
        append::backward(s, &dy, &mut dx, &mut de);
        for (k, y) in y.chunks(row).enumerate() {
            prop_assert_eq!(&y[..s.channels], &x[k * s.channels..][..s.channels]);
            prop_assert_eq!(&y[s.channels..], &e[k % s.images * features..][..features]);
        }
        prop_assert!((dot(&y, &dy) - dot(&x, &dx) - dot(&e, &de)).abs() < F64_ROUNDING * dy.len() as f64);
    }

    #[test]
    fn with_the_same_gamma_and_beta_for_all_images_it_is_batch_norm(s in size(), slope in 0.0..1.0f64) {
        let (x, gamma, beta) = (draw::<f64>(1, s.len()), draw::<f64>(2, s.channels), draw::<f64>(3, s.channels));
        let (mut mean, mut var) = (vec![9.0; s.channels], vec![9.0; s.channels]);
        batch_norm::statistics(&x, &mut mean, &mut var);
        let (mut plain, mut each) = (vec![9.0; x.len()], vec![8.0; x.len()]);
        batch_norm::normalize(&x, Some(&gamma), &beta, &mean, &var, EPS, slope, &mut plain);
        let (gammas, betas) = (gamma.repeat(s.images), beta.repeat(s.images));
        conditional_norm::normalize(s, &x, &gammas, &betas, (&mean, &var), EPS, slope, &mut each);
        prop_assert!(distance(&each, &plain) < F64_ROUNDING);
    }
}

/// Σ c·y over a small map.
fn value(
    s: MapSize,
    x: &[f64],
    gamma: &[f64],
    beta: &[f64],
    given: Option<(&[f64], &[f64])>,
    c: &[f64],
) -> f64 {
    let (mut mean, mut var, mut y) =
        (vec![0.0; s.channels], vec![0.0; s.channels], vec![0.0; x.len()]);
    batch_norm::statistics(x, &mut mean, &mut var);
    let (mean, var) = given.unwrap_or((&mean, &var));
    conditional_norm::normalize(s, x, gamma, beta, (mean, var), EPS, 1.0, &mut y);
    dot(c, &y)
}

#[test]
fn conditional_gradients_match_finite_differences() {
    let s = MapSize { pixels: 3, images: 2, channels: 3 };
    let (x, c) = (draw::<f64>(1, s.len()), draw::<f64>(2, s.len()));
    let (gamma, beta) = (draw::<f64>(3, 6), draw::<f64>(4, 6));
    let (mut mean, mut var) = (vec![0.0; 3], vec![0.0; 3]);
    batch_norm::statistics(&x, &mut mean, &mut var);
    for of in [NormalizedBy::OfBatch, NormalizedBy::Given] {
        let (mut dx, mut dgamma, mut dbeta) = (vec![9.0; x.len()], vec![9.0; 6], vec![9.0; 6]);
        conditional_norm::backward(
            s,
            &x,
            &c,
            &gamma,
            (&mean, &var, of),
            EPS,
            &mut dx,
            &mut dgamma,
            &mut dbeta,
        );
        let given = (of == NormalizedBy::Given).then_some((&mean[..], &var[..]));
        let check = |name: &str, at: &[f64], grad: &[f64], f: &dyn Fn(&[f64]) -> f64| {
            for i in 0..at.len() {
                let moved = |h: f64| {
                    let mut v = at.to_vec();
                    v[i] += h;
                    f(&v)
                };
                let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(
                    (numeric - grad[i]).abs() < FINITE_DIFFERENCE,
                    "{name} {of:?} {i}: {numeric} {}",
                    grad[i]
                );
            }
        };
        check("x", &x, &dx, &|x| value(s, x, &gamma, &beta, given, &c));
        check("gamma", &gamma, &dgamma, &|gamma| value(s, &x, gamma, &beta, given, &c));
        check("beta", &beta, &dbeta, &|beta| value(s, &x, &gamma, beta, given, &c));
    }
}

/// More pixels than a task holds, in f32: the same bits on any number of threads, and f64's values.
#[test]
fn conditional_norm_of_a_large_map() {
    let s = MapSize { pixels: 300, images: 16, channels: 5 };
    let run = || {
        let (x, dy, gamma, beta) = (
            draw::<f32>(1, s.len()),
            draw::<f32>(2, s.len()),
            draw::<f32>(3, 80),
            draw::<f32>(4, 80),
        );
        let (mut mean, mut var, mut y) = (vec![0.0; 5], vec![0.0; 5], vec![0.0; x.len()]);
        batch_norm::statistics(&x, &mut mean, &mut var);
        conditional_norm::normalize(s, &x, &gamma, &beta, (&mean, &var), EPS, 0.0, &mut y);
        let (mut dx, mut dgamma, mut dbeta) = (vec![0.0; x.len()], vec![0.0; 80], vec![0.0; 80]);
        conditional_norm::backward(
            s,
            &x,
            &dy,
            &gamma,
            (&mean, &var, NormalizedBy::OfBatch),
            EPS,
            &mut dx,
            &mut dgamma,
            &mut dbeta,
        );
        [y, dx, dgamma, dbeta].concat()
    };
    same_bits_on_any_threads(run);
    let (x, dy, gamma) = (
        widen(&draw::<f32>(1, s.len())),
        widen(&draw::<f32>(2, s.len())),
        widen(&draw::<f32>(3, 80)),
    );
    let (mut mean, mut var) = (vec![0.0; 5], vec![0.0; 5]);
    batch_norm::statistics(&x, &mut mean, &mut var);
    let (mut dx, mut dgamma, mut dbeta) = (vec![0.0; x.len()], vec![0.0; 80], vec![0.0; 80]);
    conditional_norm::backward(
        s,
        &x,
        &dy,
        &gamma,
        (&mean, &var, NormalizedBy::OfBatch),
        EPS,
        &mut dx,
        &mut dgamma,
        &mut dbeta,
    );
    assert!(
        distance(&run()[s.len()..], &[dx, dgamma, dbeta].concat()) < crate::support::F32_ROUNDING
    );
}
