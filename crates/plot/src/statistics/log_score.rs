//! Scores on the scale used to compare rows.

use std::f64::consts::LN_2;

/// How a score becomes y, where lower is better. y is a logarithm, because seeds change scores in
/// proportion to their size. It is no worse than an untrained generator's, so a failed run counts
/// as one that learned nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogScale {
    /// 1 if a lower score is better, −1 if a higher one is.
    sign: f64,
    /// y of the untrained generator.
    worst: f64,
}

/// A run's score as y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogScore {
    /// y, no greater than the untrained generator's; lower is better.
    pub y: f64,
    /// Whether the run has no usable score and y is an untrained generator's.
    pub failed: bool,
}

impl LogScale {
    /// y = ln min(FID, F₀). `untrained` is F₀, the FID of the untrained generator on the same data,
    /// side and scorer; `None` if it is not positive and finite.
    pub fn fid(untrained: f64) -> Option<LogScale> {
        LogScale::new(1.0, untrained)
    }

    /// y = −ln max(IS, IS₀). `untrained` is IS₀, the inception score of the untrained generator on
    /// the same data, side and scorer; `None` if it is not positive and finite.
    pub fn inception_score(untrained: f64) -> Option<LogScale> {
        LogScale::new(-1.0, untrained)
    }

    fn new(sign: f64, untrained: f64) -> Option<LogScale> {
        let worst = sign * untrained.ln();
        worst.is_finite().then_some(LogScale { sign, worst })
    }

    /// The same with 2·F₀ in place of F₀, or IS₀/2 in place of IS₀. The value given to a failed run
    /// is a choice. An answer that is the same both ways does not depend on it, and an answer that
    /// changes is open ([`PValues::largest`]).
    ///
    /// [`PValues::largest`]: super::PValues::largest
    #[must_use]
    pub fn doubled(self) -> LogScale {
        LogScale { worst: self.worst + LN_2, ..self }
    }

    /// y of a run. `score` is `None` for a run that diverged or was not scored. Such a run failed,
    /// and so did one whose score is not finite or not positive (which should not happen).
    pub fn of(self, score: Option<f64>) -> LogScore {
        match score.filter(|s| s.is_finite() && *s > 0.0) {
            Some(score) => LogScore { y: (self.sign * score.ln()).min(self.worst), failed: false },
            None => LogScore { y: self.worst, failed: true },
        }
    }

    /// The score that has this y: e^y for an FID, e^−y for an inception score.
    pub fn score(self, y: f64) -> f64 {
        (self.sign * y).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_is_better_in_both_and_nothing_is_worse_than_untrained() {
        let (fid, is) = (LogScale::fid(200.0).unwrap(), LogScale::inception_score(1.5).unwrap());
        assert!(fid.of(Some(20.0)).y < fid.of(Some(30.0)).y);
        assert!(is.of(Some(8.0)).y < is.of(Some(7.0)).y);
        assert_eq!(fid.of(Some(900.0)), LogScore { y: 200f64.ln(), failed: false });
        assert_eq!(is.of(Some(1.01)), LogScore { y: -(1.5f64.ln()), failed: false });
        assert!((fid.score(fid.of(Some(20.0)).y) - 20.0).abs() < 1e-12);
        assert!((is.score(is.of(Some(8.0)).y) - 8.0).abs() < 1e-12);
    }

    #[test]
    fn a_run_without_a_score_failed_and_counts_as_untrained() {
        for (scale, worst) in [
            (LogScale::fid(200.0).unwrap(), 200f64.ln()),
            (LogScale::inception_score(1.5).unwrap(), -(1.5f64.ln())),
        ] {
            for score in [None, Some(f64::NAN), Some(f64::INFINITY), Some(0.0), Some(-1.0)] {
                assert_eq!(scale.of(score), LogScore { y: worst, failed: true }, "{score:?}");
                let doubled = scale.doubled().of(score);
                assert!(doubled.failed && (doubled.y - worst - LN_2).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn doubling_moves_the_worst_alone() {
        let fid = LogScale::fid(200.0).unwrap();
        assert_eq!(fid.doubled().of(Some(20.0)), fid.of(Some(20.0)));
        assert!((fid.doubled().of(Some(300.0)).y - 300f64.ln()).abs() < 1e-15);
        assert!((fid.doubled().of(Some(900.0)).y - 400f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn an_untrained_score_that_is_none_makes_no_scale() {
        for untrained in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(LogScale::fid(untrained), None);
            assert_eq!(LogScale::inception_score(untrained), None);
        }
    }
}
