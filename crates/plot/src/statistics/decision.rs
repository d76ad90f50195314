//! From an estimate and a claim about it to yes, no or open.

use super::{Estimate, Interval, LEVEL};
use std::fmt;

/// ln 1.10: rows whose mean ln FID differs by less count as equal if a claim needs equality.
pub const MARGIN_FID: f64 = 0.095_310_179_804_324_87;

/// ln 1.02: rows whose mean ln IS differs by less count as equal if a claim needs equality.
pub const MARGIN_IS: f64 = 0.019_802_627_296_179_713;

/// The answer to a claim or to a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// There are too few runs to tell: other seeds might give either answer.
    Open,
}

/// A claim about the true value of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Claimed {
    /// It is below this: yes if the interval's upper end is, no if its lower end is above.
    Below(f64),
    /// It is above this: yes if the interval's lower end is, no if its upper end is below.
    Above(f64),
    /// It is between the first and the second: yes if both ends of the interval are, no if the
    /// interval lies wholly outside. Its p for no is the smaller of the two sides', so if the
    /// bounds are close together a wrong no has up to twice the probability [`LEVEL`].
    Within(f64, f64),
}

/// One-sided p-values of a claim. They add up to 1 or more, so at most one of them decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PValues {
    /// Of "it holds": how likely the observation, or a more extreme one, is if the claim just
    /// fails.
    pub yes: f64,
    /// Of "it does not hold".
    pub no: f64,
}

impl Claimed {
    /// "A beats B" of Δ = y_A − y_B, lower y being better: Δ < 0. No means that B beats A.
    pub const BEATS: Claimed = Claimed::Below(0.0);

    /// "A holds against B", "B does not beat A", "A is not worse" of Δ = y_A − y_B: Δ is below a
    /// margin ([`MARGIN_FID`], [`MARGIN_IS`]), which is above 0. Without a margin, too few seeds
    /// would count as agreement.
    pub fn unbeaten(margin: f64) -> Claimed {
        Claimed::Below(margin)
    }

    /// The p-values of this claim.
    pub fn p(self, estimate: &Estimate) -> PValues {
        let (below, above) = (|x| estimate.p_below(x), |x| estimate.p_above(x));
        match self {
            Claimed::Below(x) => PValues { yes: below(x), no: above(x) },
            Claimed::Above(x) => PValues { yes: above(x), no: below(x) },
            Claimed::Within(from, to) => {
                PValues { yes: above(from).max(below(to)), no: below(from).min(above(to)) }
            }
        }
    }

    /// The answer of the 95 % interval, not adjusted for other claims; the p-values of
    /// [`Claimed::p`] give the same.
    pub fn decision(self, interval: Interval) -> Decision {
        let (holds, fails) = match self {
            Claimed::Below(x) => (interval.below(x), interval.above(x)),
            Claimed::Above(x) => (interval.above(x), interval.below(x)),
            Claimed::Within(from, to) => (
                interval.above(from) && interval.below(to),
                interval.below(from) || interval.above(to),
            ),
        };
        Decision::new(holds, fails)
    }
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claimed::Below(x) => write!(f, "below {x}"),
            Claimed::Above(x) => write!(f, "above {x}"),
            Claimed::Within(from, to) => write!(f, "{from} to {to}"),
        }
    }
}

impl PValues {
    /// Yes or no if one of them is below [`LEVEL`].
    pub fn decision(self) -> Decision {
        Decision::new(self.yes < LEVEL, self.no < LEVEL)
    }

    /// The largest p for yes and the largest p for no of several. They may be of a claim's parts,
    /// which must all say yes for yes and all say no for no. They may also be of one part decided
    /// in several ways, whose answer holds if it is the same in all ([`LogScale::doubled`]). A p
    /// that is NaN counts as 1. `None` without any.
    ///
    /// [`LogScale::doubled`]: super::LogScale::doubled
    pub fn largest(of: impl IntoIterator<Item = PValues>) -> Option<PValues> {
        let known = |p: f64| if p.is_nan() { 1.0 } else { p };
        of.into_iter()
            .map(|p| PValues { yes: known(p.yes), no: known(p.no) })
            .reduce(|a, b| PValues { yes: a.yes.max(b.yes), no: a.no.max(b.no) })
    }
}

impl Decision {
    fn new(holds: bool, fails: bool) -> Decision {
        match (holds, fails) {
            (true, false) => Decision::Yes,
            (false, true) => Decision::No,
            _ => Decision::Open,
        }
    }
}

impl fmt::Display for Decision {
    /// `yes`, `no` or `open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decision::Yes => "yes",
            Decision::No => "no",
            Decision::Open => "open",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Claimed::{Above, Below, Within};
    use super::Decision::{No, Open, Yes};
    use super::*;

    #[test]
    fn margins_are_ten_and_two_per_cent() {
        assert!((MARGIN_FID.exp() - 1.10).abs() < 1e-15 && (MARGIN_IS.exp() - 1.02).abs() < 1e-15);
    }

    /// Value and standard error against what is claimed, at four degrees of freedom, where the
    /// interval reaches 2.776 standard errors.
    #[test]
    fn interval_and_p_values_decide_alike() {
        let cases = [
            (Claimed::BEATS, -0.3, 0.1, Yes),
            (Claimed::BEATS, -0.3, 0.11, Open),
            (Claimed::BEATS, 0.3, 0.1, No),
            (Claimed::unbeaten(MARGIN_FID), 0.0, 0.03, Yes),
            (Claimed::unbeaten(MARGIN_FID), 0.0, 0.04, Open),
            (Claimed::unbeaten(MARGIN_FID), 0.2, 0.03, No),
            (Below(1.0), 0.8, 0.07, Yes),
            (Above(0.5), 0.8, 0.1, Yes),
            (Above(0.5), 0.8, 0.2, Open),
            (Above(0.5), 0.2, 0.1, No),
            (Within(1.1, 1.2), 1.15, 0.01, Yes),
            (Within(1.1, 1.2), 1.15, 0.02, Open),
            (Within(1.1, 1.2), 1.0, 0.02, No),
            (Within(1.1, 1.2), 1.3, 0.02, No),
            (Within(1.1, 1.2), 1.21, 0.02, Open),
        ];
        for (claimed, value, standard_error, expected) in cases {
            let e = Estimate { value, standard_error, df: 4.0 };
            assert_eq!(claimed.p(&e).decision(), expected, "{claimed} {e:?}");
            assert_eq!(claimed.decision(e.interval()), expected, "{claimed} {e:?}");
        }
    }

    #[test]
    fn all_parts_must_say_yes_or_all_no() {
        let (yes, no) = (PValues { yes: 0.01, no: 0.99 }, PValues { yes: 0.98, no: 0.02 });
        let of = |parts: &[PValues]| PValues::largest(parts.iter().copied()).map(|p| p.decision());
        assert_eq!(of(&[yes, yes]), Some(Yes));
        assert_eq!(of(&[no, no]), Some(No));
        assert_eq!(of(&[yes, no]), Some(Open));
        assert_eq!(of(&[yes, PValues { yes: f64::NAN, no: f64::NAN }]), Some(Open));
        assert_eq!(of(&[]), None);
        assert_eq!(PValues { yes: f64::NAN, no: f64::NAN }.decision(), Open);
    }

    #[test]
    fn words() {
        let words = [Below(0.0), Above(0.5), Within(1.1, 1.2)].map(|c| c.to_string());
        assert_eq!(words, ["below 0", "above 0.5", "1.1 to 1.2"]);
        assert_eq!([Yes, No, Open].map(|d| d.to_string()), ["yes", "no", "open"]);
    }
}
