//! An estimated number with what its uncertainty needs: Student's t intervals and p-values.

use super::summary::{mean, variance};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The tail that a 95 % interval leaves out at each end, and the level below which a one-sided
/// p-value decides. So decisions agree with the interval.
pub const LEVEL: f64 = 0.025;

/// The two ends of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether every value of it is above `x`.
    pub fn above(&self, x: f64) -> bool {
        self.low > x
    }

    /// Whether every value of it is below `x`.
    pub fn below(&self, x: f64) -> bool {
        self.high < x
    }
}

/// A number estimated from seeds; its error divided by its standard error follows Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number, in the unit of the averaged values: differences of y are logarithms of ratios.
    pub value: f64,
    /// Its standard error, not below 0, in the same unit.
    pub standard_error: f64,
    /// Degrees of freedom of the standard error, above 0; not an integer if variances were
    /// combined.
    pub df: f64,
}

impl Estimate {
    /// A sum of independent means, from each one's variance and its degrees of freedom: the
    /// variances add, and df = (Σv)²/Σ(v²/df) (F. E. Satterthwaite, "An approximate distribution of
    /// estimates of variance components", Biometrics Bulletin 2, 1946). `None` if all variances
    /// vanish, because nothing is then known about the error.
    pub(super) fn of_sum(value: f64, parts: &[(f64, f64)]) -> Option<Estimate> {
        let variance: f64 = parts.iter().map(|(v, _)| v).sum();
        let df = variance.powi(2) / parts.iter().map(|(v, df)| v * v / df).sum::<f64>();
        (value.is_finite() && variance > 0.0 && df.is_finite()).then(|| Estimate {
            value,
            standard_error: variance.sqrt(),
            df,
        })
    }

    /// The 95 % interval: value ± t·SE, with the 97.5 % quantile of Student's t. Its ends are also
    /// the limits of the one-sided 97.5 % intervals.
    pub fn interval(&self) -> Interval {
        let reach = quantile(1.0 - LEVEL, self.df) * self.standard_error;
        Interval { low: self.value - reach, high: self.value + reach }
    }

    /// One-sided p of "the true value is below `bound`": how likely an estimate at least this far
    /// below is if the true value is `bound`. It is under 0.025 exactly if the interval's upper end
    /// is below `bound`.
    pub fn p_below(&self, bound: f64) -> f64 {
        lower_tail(self.t(bound), self.df)
    }

    /// One-sided p of "the true value is above `bound`"; 1 minus [`Estimate::p_below`].
    pub fn p_above(&self, bound: f64) -> f64 {
        lower_tail(-self.t(bound), self.df)
    }

    /// Two-sided p of "the true value is not `shift`". It is under 0.05 exactly if the interval
    /// excludes `shift`.
    pub fn p_differs(&self, shift: f64) -> f64 {
        2.0 * lower_tail(-self.t(shift).abs(), self.df)
    }

    /// How many standard errors the value is above `bound`.
    fn t(&self, bound: f64) -> f64 {
        let distance = self.value - bound;
        // Without an error, any distance is certain, and no distance tells nothing.
        if distance == 0.0 { 0.0 } else { distance / self.standard_error }
    }
}

/// The 95 % prediction interval of one more value of the kind of `values`: mean ± t·s·√(1 + 1/n),
/// with n − 1 degrees of freedom. `None` for fewer than two values.
pub fn prediction(values: &[f64]) -> Option<Interval> {
    let n = values.len() as f64;
    let reach = quantile(1.0 - LEVEL, n - 1.0) * (variance(values)? * (1.0 + 1.0 / n)).sqrt();
    let middle = mean(values);
    Some(Interval { low: middle - reach, high: middle + reach })
}

/// P(T ≤ t) of Student's t. It is exact for small lower tails, so upper tails use −t. NaN for an
/// undefined t or no degrees of freedom.
fn lower_tail(t: f64, df: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, df) {
        Ok(student) if !t.is_nan() => student.cdf(t),
        _ => f64::NAN,
    }
}

/// The t at which P(T ≤ t) of Student's t is `share`; NaN for no degrees of freedom.
fn quantile(share: f64, df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, df).map_or(f64::NAN, |student| student.inverse_cdf(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_value_is_predicted_as_by_scipy() {
        // 4 ± scipy.stats.t.ppf(0.975, 2) * 2 * sqrt(4 / 3)
        let interval = prediction(&[2.0, 4.0, 6.0]).unwrap();
        assert!((interval.high - 13.936_550_847).abs() < 1e-8, "{interval:?}");
        assert!((interval.low + 5.936_550_847).abs() < 1e-8);
        assert_eq!(prediction(&[2.0]), None);
    }

    #[test]
    fn tails_and_quantiles_of_students_t_are_exact() {
        // With one degree of freedom t is Cauchy's, with two P(T ≤ t) = ½ + t/(2√(2 + t²)).
        let cauchy = |t: f64| (-1.0 / t).atan() / std::f64::consts::PI;
        for t in [-1e6, -30.0, -2.0, -0.5] {
            assert!((lower_tail(t, 1.0) / cauchy(t) - 1.0).abs() < 1e-9, "{t}");
        }
        for t in [-4.0_f64, -0.1, 0.0, 2.5] {
            let exact = 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
            assert!((lower_tail(t, 2.0) - exact).abs() < 1e-12, "{t}");
        }
        // The latter, solved for t.
        let exact = (2.0 * 0.95_f64.powi(2) / (1.0 - 0.95_f64.powi(2))).sqrt();
        assert!((quantile(0.975, 2.0) - exact).abs() < 1e-9);
        assert!(lower_tail(0.3, 0.0).is_nan() && quantile(0.975, -1.0).is_nan());
    }

    #[test]
    fn p_values_agree_with_the_interval_at_its_very_ends() {
        for df in [1.3, 2.0, 3.7, 11.4, 60.0] {
            let e = Estimate { value: -0.3, standard_error: 0.17, df };
            let Interval { low, high } = e.interval();
            let nudge = 1e-7;
            assert!(e.p_below(high + nudge) < 0.025 && e.p_below(high - nudge) > 0.025, "{df}");
            assert!(e.p_above(low - nudge) < 0.025 && e.p_above(low + nudge) > 0.025, "{df}");
            assert!(e.p_differs(low - nudge) < 0.05 && e.p_differs(high - nudge) > 0.05, "{df}");
            assert!((e.p_below(0.1) + e.p_above(0.1) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn without_an_error_distances_are_sure() {
        let exact = Estimate { value: 1.0, standard_error: 0.0, df: 3.0 };
        assert_eq!(exact.interval(), Interval { low: 1.0, high: 1.0 });
        assert_eq!((exact.p_below(2.0), exact.p_above(2.0), exact.p_differs(2.0)), (0.0, 1.0, 0.0));
        assert_eq!((exact.p_below(1.0), exact.p_differs(1.0)), (0.5, 1.0));
        assert_eq!(Estimate::of_sum(1.0, &[(0.0, 2.0), (0.0, 2.0)]), None);
        assert_eq!(Estimate::of_sum(f64::NAN, &[(1.0, 2.0)]), None);
    }

    #[test]
    fn equal_variances_add_their_degrees_of_freedom_and_one_large_one_keeps_its_own() {
        assert_eq!(Estimate::of_sum(0.0, &[(2.0, 2.0); 3]).unwrap().df, 6.0);
        let one_large = Estimate::of_sum(0.0, &[(1.0, 4.0), (1e-9, 4.0)]).unwrap();
        assert!((one_large.df - 4.0).abs() < 1e-7);
    }

    #[test]
    fn an_interval_is_above_or_below_with_both_ends() {
        let i = Interval { low: 1.0, high: 2.0 };
        assert!(i.above(0.9) && !i.above(1.0) && i.below(2.1) && !i.below(2.0));
    }
}
