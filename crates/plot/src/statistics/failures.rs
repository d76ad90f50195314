//! Rows compared by how many of their runs failed, the only comparison left if every run of one
//! failed.

use super::{LogScore, PValues};
use statrs::distribution::{Discrete, Hypergeometric};
use std::fmt;

/// How many of a row's runs failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Runs that failed.
    pub failed: u64,
    /// All runs.
    pub runs: u64,
}

/// p-values of R. A. Fisher's exact test ("Statistical methods for research workers", 5th edition,
/// 1934) of whether two rows fail equally often, given how many runs failed in all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fisher {
    /// Of "A fails less often".
    pub fewer: f64,
    /// Of "A fails more often".
    pub more: f64,
    /// Of "one fails more often than the other": all outcomes at most as likely as this one.
    pub two_sided: f64,
}

impl Failures {
    /// Counts the failed among these.
    pub fn of(scores: &[LogScore]) -> Failures {
        let failed = scores.iter().filter(|s| s.failed).count();
        Failures { failed: failed as u64, runs: scores.len() as u64 }
    }

    /// Whether there are runs and none succeeded.
    pub fn all(self) -> bool {
        self.runs > 0 && self.failed == self.runs
    }
}

impl fmt::Display for Failures {
    /// `2 of 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failed, self.runs)
    }
}

impl Fisher {
    /// For the claim that A fails less often than B.
    pub fn p(&self) -> PValues {
        PValues { yes: self.fewer, no: self.more }
    }
}

/// Fisher's exact test of A's failures against B's; `None` for a row without runs or with more
/// failures than runs. Three of three runs against none of three have a one-sided p of 0.05, which
/// decides nothing; four of four against none of four have 0.014.
pub fn fisher(a: Failures, b: Failures) -> Option<Fisher> {
    if a.runs == 0 || b.runs == 0 || a.failed > a.runs || b.failed > b.runs {
        return None;
    }
    let failed = a.failed + b.failed;
    let counts = Hypergeometric::new(a.runs + b.runs, failed, a.runs).ok()?;
    let least = failed.saturating_sub(b.runs);
    let outcomes: Vec<(u64, f64)> =
        (least..=failed.min(a.runs)).map(|k| (k, counts.pmf(k))).collect();
    let sum = |keep: &dyn Fn(u64, f64) -> bool| {
        outcomes.iter().filter(|(k, p)| keep(*k, *p)).map(|(_, p)| p).sum::<f64>().min(1.0)
    };
    // Outcomes as likely as this one count even if their probabilities were rounded.
    let likely = counts.pmf(a.failed) * (1.0 + 1e-7);
    Some(Fisher {
        fewer: sum(&|k, _| k <= a.failed),
        more: sum(&|k, _| k >= a.failed),
        two_sided: sum(&|_, p| p <= likely),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(failed: u64, runs: u64) -> Failures {
        Failures { failed, runs }
    }

    #[test]
    fn three_against_none_of_three_decides_nothing_and_four_of_four_does() {
        let three = fisher(of(0, 3), of(3, 3)).unwrap();
        assert!((three.fewer - 0.05).abs() < 1e-12 && (three.two_sided - 0.1).abs() < 1e-12);
        assert!((three.more - 1.0).abs() < 1e-12);
        let four = fisher(of(0, 4), of(4, 4)).unwrap();
        assert!((four.fewer - 1.0 / 70.0).abs() < 1e-12, "{four:?}");
        assert_eq!(four.p(), PValues { yes: four.fewer, no: four.more });
    }

    #[test]
    fn equal_counts_say_nothing() {
        for failed in 0..=3 {
            let p = fisher(of(failed, 3), of(failed, 3)).unwrap();
            assert!((p.two_sided - 1.0).abs() < 1e-9 && p.fewer >= 0.5 && p.more >= 0.5, "{p:?}");
        }
    }

    #[test]
    fn counts_are_of_scores_and_must_make_sense() {
        let score = |failed| LogScore { y: 1.0, failed };
        let counted = Failures::of(&[score(true), score(false), score(true)]);
        assert_eq!((counted, counted.to_string().as_str()), (of(2, 3), "2 of 3"));
        assert!(!counted.all() && of(3, 3).all() && !Failures::of(&[]).all());
        assert_eq!(fisher(of(0, 0), of(1, 3)), None);
        assert_eq!(fisher(of(1, 3), of(4, 3)), None);
    }
}
