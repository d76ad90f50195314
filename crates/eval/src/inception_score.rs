//! The inception score, `exp(E_x KL(p(y|x) ‖ p(y)))` (Salimans et al., 2016), of a classifier's logits.

use crate::{Error, Result};
use sngan_core::rng::Streams;

/// The order in which samples fall into splits is part of the protocol, so its seed is fixed.
const SHUFFLE_SEED: u64 = 0;

/// Mean and standard deviation (ddof 0) over the splits; each split's score lies in `[1, classes]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InceptionScore {
    /// Mean over splits.
    pub mean: f64,
    /// Standard deviation over splits.
    pub std: f64,
}

/// Scores `logits`, `[N, classes]`: a seeded shuffle, then `splits` contiguous parts whose sizes differ by at most one.
///
/// The shuffle matters for real data, whose files may be sorted by class; for generated samples it changes nothing in distribution.
///
/// # Errors
/// When there are fewer samples than splits, the length is no multiple of `classes`, or a logit is not finite.
pub fn inception_score(logits: &[f64], classes: usize, splits: usize) -> Result<InceptionScore> {
    let n = sample_count(logits, classes)?;
    if splits == 0 || n < splits {
        return Err(Error::input(
            "inception score",
            format!("{n} samples cannot be cut into {splits} splits; `splits` must be in 1..=samples"),
        ));
    }
    let order = Streams::new(SHUFFLE_SEED).permutation("inception-score", 0, n);
    let log_p: Vec<Vec<f64>> = order.iter().map(|&i| log_softmax(&logits[i as usize * classes..][..classes])).collect();
    let scores: Vec<f64> = (0..splits).map(|s| split_score(&log_p[s * n / splits..(s + 1) * n / splits], classes)).collect();
    let mean = scores.iter().sum::<f64>() / splits as f64;
    let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / splits as f64;
    Ok(InceptionScore { mean, std: variance.sqrt() })
}

/// N of `[N, classes]`, checked.
fn sample_count(logits: &[f64], classes: usize) -> Result<usize> {
    if classes == 0 || !logits.len().is_multiple_of(classes) {
        return Err(Error::input("logits", format!("{} values are not rows of {classes} classes", logits.len())));
    }
    match logits.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(Error::input("logits", format!("sample {} has a logit that is not finite", i / classes))),
        None => Ok(logits.len() / classes),
    }
}

/// `ln p(y|x)` of one sample.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln() + max;
    logits.iter().map(|x| x - log_sum).collect()
}

/// `exp` of the mean KL divergence from the split's own marginal.
fn split_score(log_p: &[Vec<f64>], classes: usize) -> f64 {
    let n = log_p.len() as f64;
    let mut marginal = vec![0.0; classes];
    for row in log_p {
        for (m, l) in marginal.iter_mut().zip(row) {
            *m += l.exp() / n;
        }
    }
    let kl = |row: &Vec<f64>| row.iter().zip(&marginal).map(|(l, m)| relative_entropy_term(*l, *m)).sum::<f64>();
    (log_p.iter().map(kl).sum::<f64>() / n).exp()
}

/// `p (ln p − ln m)`, continued by 0 where p underflows.
fn relative_entropy_term(log_p: f64, marginal: f64) -> f64 {
    let p = log_p.exp();
    if p > 0.0 { p * (log_p - marginal.ln()) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sums of a few dozen f64 terms of size 1.
    const ROUNDING: f64 = 1e-12;

    fn one_hot(n: usize, classes: usize, logit: f64) -> Vec<f64> {
        (0..n * classes).map(|i| if i % classes == (i / classes) % classes { logit } else { 0.0 }).collect()
    }

    #[test]
    fn certain_and_balanced_scores_the_number_of_classes() {
        let score = inception_score(&one_hot(40, 4, 1e4), 4, 1).unwrap();
        assert!((score.mean - 4.0).abs() < ROUNDING, "{score:?}");
        assert_eq!(score.std, 0.0);
    }

    #[test]
    fn equal_predictions_score_one_in_every_split() {
        let score = inception_score(&[0.3, -1.0, 2.0].repeat(10), 3, 4).unwrap();
        assert!((score.mean - 1.0).abs() < ROUNDING && score.std < ROUNDING, "{score:?}");
    }

    #[test]
    fn two_classes_by_hand() {
        // p = (3/4, 1/4) and (1/4, 3/4), marginal (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2).
        let logits = [3f64.ln(), 0.0, 0.0, 3f64.ln()];
        let expected = (0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln()).exp();
        assert!((inception_score(&logits, 2, 1).unwrap().mean - expected).abs() < ROUNDING);
    }

    #[test]
    fn spread_over_splits_has_ddof_0() {
        // One sample a split scores 1; two different certain samples score 2. Three samples, two splits: {1, 2} or {1, 1}, by the shuffle.
        let score = inception_score(&[1e4, 0.0, 0.0, 1e4, 0.0, 1e4], 2, 2).unwrap();
        let possible = [(1.0, 0.0), (1.5, 0.5)];
        assert!(possible.iter().any(|(m, s)| (score.mean - m).abs() < ROUNDING && (score.std - s).abs() < ROUNDING), "{score:?}");
    }

    #[test]
    fn refuses_what_it_cannot_score() {
        assert!(inception_score(&[0.0; 6], 4, 1).unwrap_err().to_string().contains("4 classes"));
        assert!(inception_score(&[0.0; 6], 3, 3).unwrap_err().to_string().contains("2 samples"));
        assert!(inception_score(&[0.0, f64::NAN], 2, 1).unwrap_err().to_string().contains("sample 0"));
    }

    proptest! {
        #[test]
        fn lies_between_one_and_the_number_of_classes(logits in proptest::collection::vec(-50.0..50.0f64, 60), splits in 1usize..6) {
            let score = inception_score(&logits, 5, splits).unwrap();
            prop_assert!(score.mean >= 1.0 - ROUNDING && score.mean <= 5.0 + ROUNDING);
        }
    }
}
