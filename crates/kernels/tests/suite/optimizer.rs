use crate::support::{draw, same_bits_on_any_threads};
use sngan_kernels::adam::{AdamStep, step};

const LR: f64 = 1e-3;
const BETA1: f64 = 0.5;
const BETA2: f64 = 0.9;
const EPS: f64 = 1e-8;
/// Fifty f32 steps of relative size 1e-3, each rounded a few times.
const FIFTY_STEPS: f64 = 1e-6;
const N: usize = 40;

/// Algorithm 1 of Kingma and Ba, in f64, on the same gradients.
fn reference(chainer: bool) -> Vec<f64> {
    let mut w: Vec<f64> = draw::<f32>(1, N).into_iter().map(f64::from).collect();
    let (mut m, mut v) = (vec![0.0; N], vec![0.0; N]);
    for t in 1..=50 {
        for (i, g) in draw::<f32>(100 + t, N).into_iter().map(f64::from).enumerate() {
            m[i] = BETA1 * m[i] + (1.0 - BETA1) * g;
            v[i] = BETA2 * v[i] + (1.0 - BETA2) * g * g;
            let (c1, c2) = (1.0 - BETA1.powi(t as i32), 1.0 - BETA2.powi(t as i32));
            w[i] -= if chainer {
                LR * c2.sqrt() / c1 * m[i] / (v[i].sqrt() + EPS)
            } else {
                LR * (m[i] / c1) / ((v[i] / c2).sqrt() + EPS)
            };
        }
    }
    w
}

fn ours(chainer: bool) -> Vec<f32> {
    let (mut w, mut m, mut v) = (draw::<f32>(1, N), vec![0.0; N], vec![0.0; N]);
    for t in 1..=50 {
        step(
            &mut w,
            &mut m,
            &mut v,
            &draw::<f32>(100 + t, N),
            &AdamStep::new(LR, BETA1, BETA2, EPS, t, chainer),
        );
    }
    w
}

#[test]
fn equals_the_algorithm_in_f64() {
    for chainer in [false, true] {
        for (a, b) in ours(chainer).into_iter().zip(reference(chainer)) {
            assert!((f64::from(a) - b).abs() < FIFTY_STEPS, "{a} {b}");
        }
    }
}

#[test]
fn the_place_of_epsilon_matters_where_gradients_are_tiny() {
    let run = |chainer| {
        let (mut w, mut m, mut v) = (vec![0.0f32], vec![0.0], vec![0.0]);
        step(&mut w, &mut m, &mut v, &[1e-8], &AdamStep::new(LR, BETA1, BETA2, EPS, 1, chainer));
        f64::from(w[0])
    };
    // m̂ = 1e-8 and √v̂ = 1e-8 against ε = 1e-8: half a step; uncorrected, √v is √0.1 of that.
    assert!((run(false) + LR / 2.0).abs() < 1e-3 * LR);
    assert!((run(true) + LR * 0.1f64.sqrt() / (0.1f64.sqrt() + 1.0)).abs() < 1e-3 * LR);
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let n = 100_000;
    same_bits_on_any_threads(|| {
        let (mut w, mut m, mut v) = (draw::<f32>(1, n), vec![0.0; n], vec![0.0; n]);
        step(
            &mut w,
            &mut m,
            &mut v,
            &draw::<f32>(2, n),
            &AdamStep::new(LR, BETA1, BETA2, EPS, 3, false),
        );
        [w, m, v].concat()
    });
}
