//! Adversarial losses as functions of D's outputs: value and derivative, in f64.
//!
//! A loss is a small function of a batch of logits, so its derivative is written out (stable for any logit) and handed to
//! autograd as the constant `c` of `Σ cᵢ·D(xᵢ)`, whose gradient in the parameters is the loss's.

use sngan_experiment::method::Loss;

/// A loss over a batch, and its derivative with respect to each output of D.
#[derive(Debug, Clone, PartialEq)]
pub struct LossGrad {
    /// The mean over the batch.
    pub value: f64,
    /// ∂value/∂D(xᵢ).
    pub grad: Vec<f64>,
}

/// log(1 + eˣ).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

fn mean_of(outputs: &[f64], f: impl Fn(f64) -> (f64, f64)) -> LossGrad {
    let n = outputs.len() as f64;
    let pairs: Vec<_> = outputs.iter().map(|d| f(*d)).collect();
    LossGrad {
        value: pairs.iter().map(|p| p.0).sum::<f64>() / n,
        grad: pairs.iter().map(|p| p.1 / n).collect(),
    }
}

/// D's loss: what it minimizes over D(x) and D(G(z)), as many of each.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscriminatorLoss {
    /// The mean over the batch.
    pub value: f64,
    /// ∂value/∂D(xᵢ).
    pub real: Vec<f64>,
    /// ∂value/∂D(G(zᵢ)).
    pub fake: Vec<f64>,
}

/// `aᵢ − bᵢ`.
fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// D's loss. That of pairs is E softplus(−(D(xᵢ) − D(G(zᵢ)))), the i-th real with the i-th generated image
/// (Huang et al. 2024).
pub fn discriminator(loss: Loss, d_real: &[f64], d_fake: &[f64]) -> DiscriminatorLoss {
    if loss.of_pairs() {
        let LossGrad { value, grad } = discriminator_real(loss, &differences(d_real, d_fake));
        let fake = grad.iter().map(|g| -g).collect();
        return DiscriminatorLoss { value, real: grad, fake };
    }
    let (real, fake) = (discriminator_real(loss, d_real), discriminator_fake(loss, d_fake));
    DiscriminatorLoss { value: real.value + fake.value, real: real.grad, fake: fake.grad }
}

/// G's loss over D(G(z)); of pairs, E softplus(−(D(G(zᵢ)) − D(xᵢ))), where D(x) does not depend on G.
pub fn generator_beside(loss: Loss, d_fake: &[f64], d_real: Option<&[f64]>) -> LossGrad {
    match d_real {
        Some(d_real) if loss.of_pairs() => generator(loss, &differences(d_fake, d_real)),
        Some(_) | None => generator(loss, d_fake),
    }
}

/// D's loss on real images: what D minimizes over D(x). Eq. (15), (16). Of pairs, over D(x) − D(G(z)).
pub fn discriminator_real(loss: Loss, d_real: &[f64]) -> LossGrad {
    mean_of(d_real, |d| match loss {
        Loss::Standard | Loss::RelativisticPairing => (softplus(-d), -sigmoid(-d)),
        Loss::Hinge => ((1.0 - d).max(0.0), if d < 1.0 { -1.0 } else { 0.0 }),
        Loss::Wasserstein => (-d, -1.0),
    })
}

/// D's loss on generated images: what D minimizes over D(G(z)). Of pairs, nothing: [`discriminator_real`] has all of it.
pub fn discriminator_fake(loss: Loss, d_fake: &[f64]) -> LossGrad {
    mean_of(d_fake, |d| match loss {
        Loss::Standard => (softplus(d), sigmoid(d)),
        Loss::Hinge => ((1.0 + d).max(0.0), if d > -1.0 { 1.0 } else { 0.0 }),
        Loss::Wasserstein => (d, 1.0),
        Loss::RelativisticPairing => (0.0, 0.0),
    })
}

/// G's loss: non-saturating for the standard loss, −E D(G(z)) otherwise (Eq. 17). Of pairs, over D(G(z)) − D(x).
pub fn generator(loss: Loss, d_fake: &[f64]) -> LossGrad {
    mean_of(d_fake, |d| match loss {
        Loss::Standard | Loss::RelativisticPairing => (softplus(-d), -sigmoid(-d)),
        Loss::Hinge | Loss::Wasserstein => (-d, -1.0),
    })
}

/// A classifier's mean cross-entropy over `logits` `[N, classes]`, row by row, for the classes `labels` `[N]`; the derivative has the logits'
/// order.
pub fn cross_entropy(logits: &[f64], labels: &[u32]) -> LossGrad {
    let n = labels.len() as f64;
    let classes = logits.len() / labels.len().max(1);
    let (mut value, mut grad) = (0.0, Vec::with_capacity(logits.len()));
    for (row, label) in logits.chunks_exact(classes.max(1)).zip(labels) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        for (class, x) in row.iter().enumerate() {
            let (own, p) = (class == *label as usize, (x - largest).exp() / sum);
            value -= if own { x - largest - sum.ln() } else { 0.0 };
            grad.push((p - if own { 1.0 } else { 0.0 }) / n);
        }
    }
    LossGrad { value: value / n, grad }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences at step 1e-6 of smooth f64 functions of size ~1 are good to about 1e-9.
    const FINITE_DIFFERENCE: f64 = 1e-8;

    #[test]
    fn derivatives_match_finite_differences() {
        let x = [-3.0, -0.4, 0.2, 2.5];
        for f in [discriminator_real, discriminator_fake, generator] {
            for loss in Loss::ALL {
                let grad = f(loss, &x).grad;
                for i in 0..x.len() {
                    let at = |h: f64| {
                        let mut y = x;
                        y[i] += h;
                        f(loss, &y).value
                    };
                    let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                    assert!(
                        (numeric - grad[i]).abs() < FINITE_DIFFERENCE,
                        "{loss:?} {i}: {numeric} {}",
                        grad[i]
                    );
                }
            }
        }
    }

    #[test]
    fn derivatives_in_both_kinds_of_outputs_match_finite_differences() {
        let (real, fake) = ([-3.0, -0.4, 0.2, 2.5], [0.3, -1.5, 0.7, 2.1]);
        let moved = |x: [f64; 4], i: usize, h: f64| {
            let mut x = x;
            x[i] += h;
            x
        };
        for loss in Loss::ALL {
            let d = discriminator(loss, &real, &fake);
            let g = generator_beside(loss, &fake, Some(&real)).grad;
            for (i, of_generator) in g.iter().enumerate() {
                let of_d = |h: f64, k: f64| {
                    discriminator(loss, &moved(real, i, h), &moved(fake, i, k)).value
                };
                let of_g = |h: f64| generator_beside(loss, &moved(fake, i, h), Some(&real)).value;
                for (found, numeric) in [
                    (d.real[i], (of_d(1e-6, 0.0) - of_d(-1e-6, 0.0)) / 2e-6),
                    (d.fake[i], (of_d(0.0, 1e-6) - of_d(0.0, -1e-6)) / 2e-6),
                    (*of_generator, (of_g(1e-6) - of_g(-1e-6)) / 2e-6),
                ] {
                    let error = (numeric - found).abs();
                    assert!(error < FINITE_DIFFERENCE, "{loss:?} {i}: {numeric} {found}");
                }
            }
        }
    }

    #[test]
    fn cross_entropy_matches_finite_differences_and_a_known_value() {
        let (x, labels) = ([0.3, -1.0, 2.0, 0.0, 0.0, 0.0], [2, 1]);
        let loss = cross_entropy(&x, &labels);
        let expected = ((0.3f64.exp() + (-1f64).exp() + 2f64.exp()).ln() - 2.0 + 3f64.ln()) / 2.0;
        assert!((loss.value - expected).abs() < 1e-15);
        for i in 0..x.len() {
            let at = |h: f64| {
                let mut y = x;
                y[i] += h;
                cross_entropy(&y, &labels).value
            };
            let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!(
                (numeric - loss.grad[i]).abs() < FINITE_DIFFERENCE,
                "{i}: {numeric} {}",
                loss.grad[i]
            );
        }
        assert!(cross_entropy(&[1e6, -1e6], &[1]).value.is_finite());
    }

    #[test]
    fn extreme_outputs_stay_finite() {
        for d in [-1e6, 1e6] {
            let l = discriminator_fake(Loss::Standard, &[d]);
            assert!(l.value.is_finite() && l.grad[0].is_finite());
        }
        assert!((discriminator_real(Loss::Standard, &[0.0]).value - 2f64.ln()).abs() < 1e-15);
    }
}
