//! Percentile bootstrap intervals over seeds.

use super::Interval;
use crate::random::Stream;

/// The share of intervals that cover the true value, if what they assume holds.
const LEVEL: f64 = 0.95;
/// Resamples of a bootstrap interval: its ends then move by less than a fiftieth of its width between seeds.
const RESAMPLES: u64 = 10_000;

/// How often a percentile bootstrap's 95 % interval over few seeds covers the true value, for independent normal values: over three seeds it
/// ends at the least and the greatest of them. A test simulates these.
pub const COVERAGE: [Coverage; 2] = [
    Coverage { n: 3, mean: 0.75, difference: 0.81 },
    Coverage { n: 5, mean: 0.84, difference: 0.88 },
];

/// Shares of intervals over `n` seeds that cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Seeds of each group.
    pub n: usize,
    /// Of one group's mean.
    pub mean: f64,
    /// Of the difference of two groups' means.
    pub difference: f64,
}

/// Percentile bootstrap interval of a statistic of several independent groups: each is resampled by itself, with replacement.
///
/// `name` names the random stream: the same name and groups give the same interval. `None` where a group has fewer than two values, of
/// which no spread is known, or the statistic is not finite in more than one resample of twenty. It is too short for few values: see
/// [`COVERAGE`].
pub fn bootstrap(
    name: &str,
    groups: &[Vec<f64>],
    statistic: impl Fn(&[Vec<f64>]) -> f64,
) -> Option<Interval> {
    if groups.is_empty() || groups.iter().any(|g| g.len() < 2) {
        return None;
    }
    let mut stream = Stream::new(name);
    let mut resampled = groups.to_vec();
    let mut values = Vec::with_capacity(RESAMPLES as usize);
    for _ in 0..RESAMPLES {
        for (to, from) in resampled.iter_mut().zip(groups) {
            to.iter_mut().for_each(|v| *v = from[stream.below(from.len())]);
        }
        let value = statistic(&resampled);
        if value.is_finite() {
            values.push(value);
        }
    }
    if (values.len() as f64) < LEVEL * RESAMPLES as f64 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Some(Interval { low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
}

/// Linear interpolation between order statistics (Hyndman and Fan's type 7) of sorted, not empty values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (at - at.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::super::{mean, summary};
    use super::*;

    /// The bootstrap's interval of a mean is near the normal one for many values, and repeats.
    #[test]
    fn bootstrap_intervals_cover_what_they_should_and_repeat() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 20)).collect();
        let interval =
            |name: &str| bootstrap(name, std::slice::from_ref(&values), |g| mean(&g[0])).unwrap();
        let s = summary(&values).unwrap();
        let reach = 1.96 * s.standard_error.unwrap();
        let i = interval("a");
        assert!(
            (i.low - (s.mean - reach)).abs() < 0.05 && (i.high - (s.mean + reach)).abs() < 0.05,
            "{i:?}, {reach}"
        );
        assert_eq!(i, interval("a"));
        assert_ne!(i, interval("b"));
        assert_eq!(bootstrap("a", &[values.clone(), vec![1.0]], |g| mean(&g[0])), None);
        assert_eq!(bootstrap("a", std::slice::from_ref(&values), |_| f64::NAN), None);
        assert!(
            i.above(i.low - 1.0) && i.below(i.high + 1.0) && !i.above(s.mean) && !i.below(s.mean)
        );
    }

    /// The share of simulated intervals over `n` normal values a group that cover the true 0.
    fn simulated(n: usize, groups: usize) -> f64 {
        const TIMES: usize = 600;
        let mut stream = Stream::new(&format!("coverage of {groups} groups of {n}"));
        let mut normal = || {
            (-2.0 * stream.uniform().ln()).sqrt() * (std::f64::consts::TAU * stream.uniform()).cos()
        };
        let covers = |i: &usize| {
            let values: Vec<Vec<f64>> =
                (0..groups).map(|_| (0..n).map(|_| normal()).collect()).collect();
            let difference = |g: &[Vec<f64>]| mean(&g[0]) - g.get(1).map_or(0.0, |g| mean(g));
            bootstrap(&i.to_string(), &values, difference)
                .is_some_and(|i| i.low <= 0.0 && i.high >= 0.0)
        };
        (0..TIMES).filter(covers).count() as f64 / TIMES as f64
    }

    #[test]
    fn intervals_over_few_seeds_cover_as_little_as_stated() {
        for stated in COVERAGE {
            let found = (simulated(stated.n, 1), simulated(stated.n, 2));
            // Three standard errors of the simulation are 0.05.
            assert!(
                (found.0 - stated.mean).abs() < 0.05 && (found.1 - stated.difference).abs() < 0.05,
                "{} seeds: {found:?}",
                stated.n
            );
        }
    }
}
