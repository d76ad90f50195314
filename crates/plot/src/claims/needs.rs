//! What a statistic must be for a part of a claim to hold.

use crate::statistics::Interval;
use std::fmt;

/// A bound on a statistic or on its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Needs {
    /// The statistic is at least this.
    AtLeast(f64),
    /// It is above this.
    Above(f64),
    /// It is at most this.
    AtMost(f64),
    /// It is below this.
    Below(f64),
    /// It is one of these or between them.
    Within(f64, f64),
    /// Its whole interval is above 0.
    IntervalAbove0,
    /// Its whole interval is below 0.
    IntervalBelow0,
    /// Its interval is not wholly above 0.
    IntervalNotAbove0,
    /// Its interval is not wholly below 0.
    IntervalNotBelow0,
}

impl Needs {
    /// Whether a statistic and its interval are so. What is asked of an interval does not hold where there is none.
    pub(super) fn met(self, value: f64, interval: Option<Interval>) -> bool {
        match self {
            Needs::AtLeast(x) => value >= x,
            Needs::Above(x) => value > x,
            Needs::AtMost(x) => value <= x,
            Needs::Below(x) => value < x,
            Needs::Within(from, to) => (from..=to).contains(&value),
            Needs::IntervalAbove0 => interval.is_some_and(|i| i.above(0.0)),
            Needs::IntervalBelow0 => interval.is_some_and(|i| i.below(0.0)),
            Needs::IntervalNotAbove0 => interval.is_some_and(|i| !i.above(0.0)),
            Needs::IntervalNotBelow0 => interval.is_some_and(|i| !i.below(0.0)),
        }
    }

    /// Whether the interval reaches to both sides of a bound, so that other seeds might answer otherwise.
    pub(super) fn left_open(self, interval: Option<Interval>) -> bool {
        let reaches_over =
            |bound: f64| interval.is_some_and(|i| !i.above(bound) && !i.below(bound));
        match self {
            Needs::AtLeast(x) | Needs::Above(x) | Needs::AtMost(x) | Needs::Below(x) => {
                reaches_over(x)
            }
            Needs::Within(from, to) => reaches_over(from) || reaches_over(to),
            Needs::IntervalAbove0
            | Needs::IntervalBelow0
            | Needs::IntervalNotAbove0
            | Needs::IntervalNotBelow0 => reaches_over(0.0),
        }
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needs::AtLeast(x) => write!(f, "at least {x}"),
            Needs::Above(x) => write!(f, "above {x}"),
            Needs::AtMost(x) => write!(f, "at most {x}"),
            Needs::Below(x) => write!(f, "below {x}"),
            Needs::Within(from, to) => write!(f, "{from} to {to}"),
            Needs::IntervalAbove0 => f.write_str("interval above 0"),
            Needs::IntervalBelow0 => f.write_str("interval below 0"),
            Needs::IntervalNotAbove0 => f.write_str("interval not above 0"),
            Needs::IntervalNotBelow0 => f.write_str("interval not below 0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Needs; 9] = [
        Needs::AtLeast(0.0),
        Needs::Above(0.0),
        Needs::AtMost(0.0),
        Needs::Below(0.0),
        Needs::Within(0.0, 5.0),
        Needs::IntervalAbove0,
        Needs::IntervalBelow0,
        Needs::IntervalNotAbove0,
        Needs::IntervalNotBelow0,
    ];

    fn met(value: f64, (low, high): (f64, f64)) -> [bool; 9] {
        ALL.map(|n| n.met(value, Some(Interval { low, high })))
    }

    #[test]
    fn each_bound_is_met_on_its_side() {
        assert_eq!(
            met(1.0, (0.5, 1.5)),
            [true, true, false, false, true, true, false, false, true]
        );
        assert_eq!(
            met(-1.0, (-1.5, -0.5)),
            [false, false, true, true, false, false, true, true, false]
        );
        assert_eq!(
            met(0.0, (-0.5, 0.5)),
            [true, false, true, false, true, false, false, true, true]
        );
        assert_eq!(
            ALL.map(|n| n.met(1.0, None)),
            [true, true, false, false, true, false, false, false, false]
        );
    }

    #[test]
    fn an_answer_is_open_where_the_interval_reaches_over_a_bound() {
        let open = |low, high| ALL.map(|n| n.left_open(Some(Interval { low, high })));
        assert_eq!(open(0.5, 1.5), [false; 9]);
        assert_eq!(open(-0.5, 1.5), [true; 9]);
        assert_eq!(open(4.0, 6.0), [false, false, false, false, true, false, false, false, false]);
        assert_eq!(ALL.map(|n| n.left_open(None)), [false; 9]);
    }
}
