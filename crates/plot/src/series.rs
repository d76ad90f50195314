//! What charts draw: named lines of points, one for several seeds or one per seed.

use crate::statistics::{summary, variance};
use sngan_experiment::method::Method;
use std::collections::BTreeMap;

/// A point with the ends of its band, which are `y` if there is no band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How a series' line is drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// A line, with marks if there are few points.
    #[default]
    Full,
    /// A dashed line without marks.
    Dashed,
    /// A thin pale line without marks: one of several whose mean is a full line.
    Thin,
}

/// A named line. Series of one name have one color in every panel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    /// How the line is drawn.
    pub(crate) stroke: Stroke,
    /// A number shown above the panel, beside the series' color.
    pub(crate) figure: Option<String>,
    /// Where runs diverged and so have no value: crosses at the foot of the panel.
    pub(crate) diverged: Vec<f64>,
    /// The method whose runs these are: it has one color in all figures, if no other series of the
    /// figure is of the same method.
    pub(crate) method: Option<Method>,
}

impl Point {
    /// A point without a band.
    pub(crate) fn new(x: f64, y: f64) -> Point {
        Point { x, y, low: y, high: y }
    }

    /// The mean of several seeds' values with its standard error; for one seed, without a band.
    /// `None` without values.
    pub(crate) fn over_seeds(x: f64, values: &[f64]) -> Option<Point> {
        let s = summary(values)?;
        Some(Point::reaching(x, s.mean, s.standard_error.unwrap_or(0.0)))
    }

    fn reaching(x: f64, y: f64, reach: f64) -> Point {
        Point { x, y, low: y - reach, high: y + reach }
    }
}

impl Point {
    /// The mean of several seeds' values with their standard deviation; for one seed, without a
    /// band. `None` without values.
    pub(crate) fn with_deviation(x: f64, values: &[f64]) -> Option<Point> {
        let s = summary(values)?;
        Some(Point::reaching(x, s.mean, variance(values).map_or(0.0, f64::sqrt)))
    }
}

impl Series {
    /// A series without bands.
    pub(crate) fn line(
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Series {
        Series {
            name: name.into(),
            points: points.into_iter().map(|(x, y)| Point::new(x, y)).collect(),
            ..Series::default()
        }
    }

    /// The mean over seeds at each x, with its standard error as a band.
    pub(crate) fn over_seeds(
        name: impl Into<String>,
        values: impl IntoIterator<Item = (u64, f64)>,
    ) -> Series {
        let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (x, y) in values {
            at.entry(x).or_default().push(y);
        }
        let points = at.iter().filter_map(|(x, v)| Point::over_seeds(*x as f64, v)).collect();
        Series { name: name.into(), points, ..Series::default() }
    }

    /// One thin series per seed, and their mean at each x at which all seeds with any value have
    /// one, so that a seed that ends early does not bend the mean. A single seed has one full line.
    pub(crate) fn seeds_and_mean(name: &str, seeds: &[Vec<(u64, f64)>]) -> Vec<Series> {
        let seeds: Vec<_> = seeds.iter().filter(|s| !s.is_empty()).collect();
        let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (x, y) in seeds.iter().copied().flatten() {
            at.entry(*x).or_default().push(*y);
        }
        let all = at.iter().filter(|(_, values)| values.len() == seeds.len());
        let mean = Series::line(
            name,
            all.map(|(x, values)| (*x as f64, values.iter().sum::<f64>() / values.len() as f64)),
        );
        let thin = |seed: &Vec<(u64, f64)>| Series {
            stroke: Stroke::Thin,
            ..Series::line(name, seed.iter().map(|(x, y)| (*x as f64, *y)))
        };
        let several = if seeds.len() > 1 { seeds.as_slice() } else { &[] };
        several.iter().map(|s| thin(s)).chain([mean]).collect()
    }

    /// The same, as a method's.
    pub(crate) fn of(self, method: Option<Method>) -> Series {
        Series { method, ..self }
    }

    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.diverged.is_empty()
    }

    pub(crate) fn has_band(&self) -> bool {
        self.points.iter().any(|p| p.high > p.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_over_one_seed_has_no_band() {
        assert_eq!(Point::over_seeds(1.0, &[]), None);
        assert_eq!(Point::over_seeds(1.0, &[4.0]), Some(Point::new(1.0, 4.0)));
        assert_eq!(
            Point::over_seeds(1.0, &[4.0, 6.0]),
            Some(Point { x: 1.0, y: 5.0, low: 4.0, high: 6.0 })
        );
        let spread = Point::with_deviation(1.0, &[4.0, 6.0]).unwrap();
        assert!((spread.high - 5.0 - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(Point::with_deviation(1.0, &[4.0]), Some(Point::new(1.0, 4.0)));
    }

    #[test]
    fn a_mean_stands_where_all_seeds_have_a_value() {
        let seeds = [vec![(1, 2.0), (2, 4.0)], vec![(1, 4.0)], vec![]];
        let series = Series::seeds_and_mean("a", &seeds);
        let strokes: Vec<_> = series.iter().map(|s| (s.stroke, s.points.len())).collect();
        assert_eq!(strokes, [(Stroke::Thin, 2), (Stroke::Thin, 1), (Stroke::Full, 1)]);
        assert_eq!(series[2].points, [Point::new(1.0, 3.0)]);
        assert_eq!(
            Series::seeds_and_mean("a", &seeds[..1]),
            [Series::line("a", [(1.0, 2.0), (2.0, 4.0)])]
        );
    }
}
