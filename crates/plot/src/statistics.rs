//! Means over seeds, bootstrap intervals and slopes. What stands for a population here is the runs of one row that differ in their seed
//! alone; images, splits and layers within a run are not independent and never count as more of them.

use crate::random::Stream;
use sngan_experiment::records::spectral_entropy;

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

/// A mean over seeds with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of seeds.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (ddof 1) over √n; `None` for one seed, of which no spread is known.
    pub standard_error: Option<f64>,
}

/// The two ends of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A least-squares line's slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Change of y per unit of x.
    pub slope: f64,
    /// Its interval from Student's t with n − 2 degrees of freedom.
    pub interval: Interval,
}

/// Mean and standard error; `None` without values.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = mean(values);
    let standard_error = (n > 1).then(|| {
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (squares / (n - 1) as f64 / n as f64).sqrt()
    });
    Some(Summary { n, mean, standard_error })
}

/// The mean; NaN without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
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

/// The least-squares slope of points (x, y); `None` for fewer than three, or where all have one x.
pub fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    let n = points.len();
    if n < 3 {
        return None;
    }
    let (x_mean, y_mean) = (
        points.iter().map(|p| p.0).sum::<f64>() / n as f64,
        points.iter().map(|p| p.1).sum::<f64>() / n as f64,
    );
    let sxx: f64 = points.iter().map(|p| (p.0 - x_mean).powi(2)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum::<f64>() / sxx;
    let residual: f64 =
        points.iter().map(|p| (p.1 - y_mean - slope * (p.0 - x_mean)).powi(2)).sum();
    let reach = student_t(n - 2) * (residual / (n - 2) as f64 / sxx).sqrt();
    Some(Slope { slope, interval: Interval { low: slope - reach, high: slope + reach } })
}

/// The 97.5 % quantile of Student's t.
fn student_t(degrees: usize) -> f64 {
    const SMALL: [f64; 10] = [
        12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157,
        2.228139,
    ];
    if let Some(t) = degrees.checked_sub(1).and_then(|i| SMALL.get(i)) {
        return *t;
    }
    // Cornish and Fisher's expansion about the normal quantile; its error is below 2e-4 from here on.
    let (z, v) = (1.959_963_984_540_054_f64, degrees as f64);
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
    ];
    z + terms[0] / v + terms[1] / v.powi(2) + terms[2] / v.powi(3)
}

/// exp(entropy of σ²/Σσ²): how many components carry a spectrum, between 1 and their number. `None` for an empty or vanishing one.
pub fn effective_rank(squared: &[f64]) -> Option<f64> {
    spectral_entropy(squared).map(f64::exp)
}

impl Summary {
    /// `7.42 ± 0.08 (n = 3)`, or `7.42 (n = 1)`: a single run must not look like several.
    pub fn text(&self, digits: usize) -> String {
        match self.standard_error {
            Some(error) => format!("{:.digits$} ± {error:.digits$} (n = {})", self.mean, self.n),
            None => format!("{:.digits$} (n = {})", self.mean, self.n),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// tests/fixtures/statistics.py printed these numbers with SciPy.
    const Y: [f64; 6] = [6.9, 7.1, 7.3, 7.0, 7.6, 7.4];
    const X: [f64; 6] = [0.0, 0.7, 1.6, 2.3, 3.0, 3.4];
    /// Slope and the ends of its interval.
    const SLOPE: [f64; 3] = [0.1519083969465649, -0.028075795306424983, 0.3318925891995548];
    const T_QUANTILES: [(usize, f64); 7] = [
        (1, 12.706205),
        (4, 2.776445),
        (10, 2.228139),
        (11, 2.200985),
        (13, 2.160369),
        (30, 2.042272),
        (200, 1.971896),
    ];

    #[test]
    fn one_seed_has_no_spread_and_several_have_scipys() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[2.5]), Some(Summary { n: 1, mean: 2.5, standard_error: None }));
        let s = summary(&Y).unwrap();
        assert!(
            (s.mean - 7.216666666666667).abs() < 1e-12
                && (s.standard_error.unwrap() - 0.10775486583496405).abs() < 1e-12,
            "{s:?}"
        );
        assert_eq!(s.text(2), "7.22 ± 0.11 (n = 6)");
        assert_eq!(summary(&[2.5]).unwrap().text(1), "2.5 (n = 1)");
    }

    #[test]
    fn slopes_and_their_intervals_are_scipys() {
        let points: Vec<(f64, f64)> = X.into_iter().zip(Y).collect();
        let s = slope(&points).unwrap();
        for (ours, scipys) in [s.slope, s.interval.low, s.interval.high].into_iter().zip(SLOPE) {
            assert!((ours - scipys).abs() < 1e-5, "{s:?}");
        }
        assert_eq!(slope(&points[..2]), None);
        assert_eq!(slope(&[(1.0, 2.0), (1.0, 3.0), (1.0, 4.0)]), None);
        for (degrees, scipys) in T_QUANTILES {
            assert!(
                (student_t(degrees) - scipys).abs() < 2e-4,
                "{degrees}: {}",
                student_t(degrees)
            );
        }
    }

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

    #[test]
    fn effective_rank_counts_equal_components() {
        assert!((effective_rank(&[2.0; 7]).unwrap() - 7.0).abs() < 1e-12);
        assert!((effective_rank(&[1.0, 0.0, 0.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(effective_rank(&[0.0, 0.0]), None);
    }
}
