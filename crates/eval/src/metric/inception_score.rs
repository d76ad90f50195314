//! The inception score, `exp(E_x KL(p(y|x) ‖ p(y)))` (Salimans et al., 2016; Appendix B.1), of a classifier's logits.

use crate::{Error, Result};
use sngan_experiment::protocol::Sets;
use sngan_tensor::rng::Streams;

/// The order in which samples fall into splits is part of the protocol, so its seed is fixed.
const SHUFFLE_SEED: u64 = 0;

/// Mean and standard deviation (ddof 0) over splits or sets; each one's score lies in `[1, classes]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InceptionScore {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
}

/// Scores `logits`, `[N, classes]`: independent sets of `N / sets` images each, or all N in splits.
///
/// # Errors
/// As [`ScoreSum`]'s.
pub fn inception_score(logits: &[f32], classes: usize, sets: Sets) -> Result<InceptionScore> {
    let n = logits.len() / classes.max(1);
    let samples = match sets {
        Sets::Splits(_) => n,
        Sets::Independent(sets) => n / sets.max(1),
    };
    let mut sum = ScoreSum::new(samples, sets, classes)?;
    sum.add(logits)?;
    sum.finish()
}

/// The sums of an inception score over a stream of logits.
#[derive(Debug, Clone)]
pub struct ScoreSum {
    classes: usize,
    sets: Vec<SetSum>,
    /// The set of each sample.
    set_of: Vec<u32>,
    n: usize,
}

/// Sums over the samples of one set.
#[derive(Debug, Clone)]
struct SetSum {
    n: usize,
    /// Σ p(y|x).
    marginal: Vec<f64>,
    /// Σ Σ p(y|x) ln p(y|x).
    negative_entropy: f64,
}

impl ScoreSum {
    /// Sums for `samples` images per set. Splits are contiguous parts of a seeded shuffle; their
    /// sizes differ by at most one. The shuffle matters for real data, whose files may be sorted by
    /// class; for generated samples it does not change the distribution.
    ///
    /// # Errors
    /// When there are fewer samples than splits, or none.
    pub fn new(samples: usize, sets: Sets, classes: usize) -> Result<ScoreSum> {
        let (count, set_of) = match sets {
            Sets::Splits(splits) => (splits, splits_of(samples, splits)),
            Sets::Independent(sets) => {
                (sets, (0..samples * sets).map(|i| (i / samples) as u32).collect())
            }
        };
        if classes == 0 || count == 0 || samples == 0 || set_of.len() < count {
            let reason =
                format!("{samples} samples of {classes} classes cannot be scored in {count} parts");
            return Err(Error::input("inception score", reason));
        }
        let empty = SetSum { n: 0, marginal: vec![0.0; classes], negative_entropy: 0.0 };
        Ok(ScoreSum { classes, sets: vec![empty; count], set_of, n: 0 })
    }

    /// Adds `logits`, `[n, classes]`; those beyond the number of samples are left out.
    ///
    /// # Errors
    /// When the length is not a multiple of the classes, or a logit is not finite.
    pub fn add(&mut self, logits: &[f32]) -> Result<()> {
        let classes = self.classes;
        if !logits.len().is_multiple_of(classes) {
            return Err(Error::input(
                "logits",
                format!("{} values are not rows of {classes} classes", logits.len()),
            ));
        }
        if let Some(i) = logits.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(
                "logits",
                format!("sample {} has a logit that is not finite", self.n + i / classes),
            ));
        }
        for (row, set) in logits.chunks_exact(classes).zip(&self.set_of[self.n..]) {
            self.sets[*set as usize].add(row);
            self.n += 1;
        }
        Ok(())
    }

    /// The score of all samples added.
    ///
    /// # Errors
    /// When samples are missing.
    pub fn finish(&self) -> Result<InceptionScore> {
        if self.n < self.set_of.len() {
            return Err(Error::input(
                "inception score",
                format!("{} of {} samples were given", self.n, self.set_of.len()),
            ));
        }
        let scores: Vec<f64> = self.sets.iter().map(SetSum::score).collect();
        let count = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count;
        Ok(InceptionScore { mean, std: variance.sqrt() })
    }
}

/// The split of each sample: splits are contiguous in the shuffled order.
fn splits_of(samples: usize, splits: usize) -> Vec<u32> {
    let mut split_of = vec![0; samples];
    let order = Streams::new(SHUFFLE_SEED).permutation("inception-score", 0, samples);
    for split in 0..splits {
        order[split * samples / splits..(split + 1) * samples / splits]
            .iter()
            .for_each(|i| split_of[*i as usize] = split as u32);
    }
    split_of
}

impl SetSum {
    fn add(&mut self, logits: &[f32]) {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let log_sum = logits.iter().map(|x| f64::from(x - max).exp()).sum::<f64>().ln();
        for (m, x) in self.marginal.iter_mut().zip(logits) {
            let log_p = f64::from(*x) - f64::from(max) - log_sum;
            let p = log_p.exp();
            *m += p;
            // Continued with 0 where p underflows.
            self.negative_entropy += if p > 0.0 { p * log_p } else { 0.0 };
        }
        self.n += 1;
    }

    /// `exp` of the mean KL divergence from the set's own marginal: the marginal's entropy minus
    /// the mean of the samples'.
    fn score(&self) -> f64 {
        let n = self.n as f64;
        let log = |m: &f64| if *m > 0.0 { m / n * (m / n).ln() } else { 0.0 };
        // Never negative except by rounding.
        (self.negative_entropy / n - self.marginal.iter().map(log).sum::<f64>()).max(0.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sums of a few dozen f64 terms of size 1.
    const ROUNDING: f64 = 1e-12;
    /// ln 3 in f32.
    const SINGLE: f64 = 1e-7;

    fn one_hot(n: usize, classes: usize, logit: f32) -> Vec<f32> {
        (0..n * classes)
            .map(|i| if i % classes == (i / classes) % classes { logit } else { 0.0 })
            .collect()
    }

    #[test]
    fn certain_and_balanced_scores_the_number_of_classes() {
        let score = inception_score(&one_hot(40, 4, 1e4), 4, Sets::Splits(1)).unwrap();
        assert!((score.mean - 4.0).abs() < ROUNDING, "{score:?}");
        assert_eq!(score.std, 0.0);
    }

    #[test]
    fn equal_predictions_score_one_in_every_split() {
        let score = inception_score(&[0.3, -1.0, 2.0].repeat(10), 3, Sets::Splits(4)).unwrap();
        assert!((score.mean - 1.0).abs() < ROUNDING && score.std < ROUNDING, "{score:?}");
    }

    #[test]
    fn two_classes_by_hand() {
        // p = (3/4, 1/4) and (1/4, 3/4), marginal (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2).
        let logits = [3f32.ln(), 0.0, 0.0, 3f32.ln()];
        let expected = (0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln()).exp();
        assert!(
            (inception_score(&logits, 2, Sets::Splits(1)).unwrap().mean - expected).abs() < SINGLE
        );
    }

    #[test]
    fn spread_over_splits_has_ddof_0() {
        // One sample per split scores 1; two different certain samples score 2. Three samples, two
        // splits: {1, 2} or {1, 1}, by the shuffle.
        let score = inception_score(&[1e4, 0.0, 0.0, 1e4, 0.0, 1e4], 2, Sets::Splits(2)).unwrap();
        let possible = [(1.0, 0.0), (1.5, 0.5)];
        assert!(possible.iter().any(|(m, s)| (score.mean - m).abs() < ROUNDING && (score.std - s).abs() < ROUNDING), "{score:?}");
    }

    #[test]
    fn independent_sets_are_scored_one_by_one_in_order() {
        // Certain of one class, then balanced over two.
        let logits = [[1e4, 0.0], [1e4, 0.0], [1e4, 0.0], [0.0, 1e4]].concat();
        let score = inception_score(&logits, 2, Sets::Independent(2)).unwrap();
        assert!(
            (score.mean - 1.5).abs() < ROUNDING && (score.std - 0.5).abs() < ROUNDING,
            "{score:?}"
        );
    }

    #[test]
    fn splits_differ_in_size_by_at_most_one_and_portions_change_nothing() {
        let mut sizes = [0; 3];
        splits_of(100, 3).into_iter().for_each(|s| sizes[s as usize] += 1);
        assert_eq!(sizes, [33, 33, 34]);
        let logits = Streams::new(5).normal("logits", 0, 100 * 7);
        let mut sum = ScoreSum::new(100, Sets::Splits(3), 7).unwrap();
        logits.chunks(13 * 7).for_each(|part| sum.add(part).unwrap());
        assert_eq!(sum.finish().unwrap(), inception_score(&logits, 7, Sets::Splits(3)).unwrap());
    }

    #[test]
    fn refuses_what_it_cannot_score() {
        assert!(
            inception_score(&[0.0; 6], 4, Sets::Splits(1))
                .unwrap_err()
                .to_string()
                .contains("4 classes")
        );
        assert!(
            inception_score(&[0.0; 6], 3, Sets::Splits(3))
                .unwrap_err()
                .to_string()
                .contains("2 samples")
        );
        assert!(
            inception_score(&[0.0, f32::NAN], 2, Sets::Splits(1))
                .unwrap_err()
                .to_string()
                .contains("sample 0")
        );
        let sum = ScoreSum::new(3, Sets::Splits(1), 2).unwrap();
        assert!(sum.finish().unwrap_err().to_string().contains("0 of 3"));
    }

    proptest! {
        #[test]
        fn lies_between_one_and_the_number_of_classes(logits in proptest::collection::vec(-50.0..50.0f32, 60), splits in 1usize..6) {
            let score = inception_score(&logits, 5, Sets::Splits(splits)).unwrap();
            prop_assert!(score.mean >= 1.0 - ROUNDING && score.mean <= 5.0 + ROUNDING);
        }
    }
}
