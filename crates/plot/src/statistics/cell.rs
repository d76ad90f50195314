//! The runs of one row in one setting.

use super::{Estimate, mean, variance};

/// The values of a row's runs in one setting, one per seed: their number, mean and variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    n: usize,
    mean: f64,
    variance: f64,
}

impl Cell {
    /// The cell of these values. `floor` is v₀, the variance that a value has if its run is scored
    /// again from other samples, in the square of the values' unit and not below 0. Seeds cannot
    /// differ by less, so s² becomes max(s², v₀). This matters if all runs end alike, mainly at the
    /// untrained generator's score, and would otherwise have no error. `None` for fewer than two
    /// values, whose variance is unknown, and for values that are not finite.
    pub fn of(values: &[f64], floor: f64) -> Option<Cell> {
        let variance = variance(values)?.max(floor);
        let usable = values.iter().all(|v| v.is_finite()) && floor >= 0.0;
        usable.then(|| Cell { n: values.len(), mean: mean(values), variance })
    }

    /// Number of seeds, at least two.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Mean over seeds.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Variance over seeds (ddof 1), not below the floor.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Variance of the mean, s²/n.
    pub fn variance_of_mean(&self) -> f64 {
        self.variance / self.n as f64
    }

    /// Degrees of freedom of the variance, n − 1.
    pub fn df(&self) -> f64 {
        (self.n - 1) as f64
    }

    /// The mean with its error, to be compared with a threshold: Student's one-sample t with n − 1
    /// degrees of freedom. `None` if the variance vanishes.
    pub fn estimate(&self) -> Option<Estimate> {
        Estimate::of_sum(self.mean, &[self.variance_part()])
    }

    /// Variance of the mean with its degrees of freedom.
    pub(super) fn variance_part(&self) -> (f64, f64) {
        (self.variance_of_mean(), self.df())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_takes_effect_below_it_alone() {
        let cell = Cell::of(&[1.0, 3.0], 0.5).unwrap();
        assert_eq!((cell.n(), cell.mean(), cell.variance(), cell.df()), (2, 2.0, 2.0, 1.0));
        assert_eq!(cell.variance_of_mean(), 1.0);
        assert_eq!(Cell::of(&[1.0, 3.0], 2.5).unwrap().variance(), 2.5);
        assert_eq!(Cell::of(&[4.0; 3], 0.01).unwrap().variance(), 0.01);
    }

    #[test]
    fn what_has_no_variance_is_no_cell_or_no_estimate() {
        assert_eq!(Cell::of(&[], 0.1), None);
        assert_eq!(Cell::of(&[1.0], 0.1), None);
        assert_eq!(Cell::of(&[1.0, f64::INFINITY], 0.1), None);
        assert_eq!(Cell::of(&[1.0, f64::NAN], 0.1), None);
        assert_eq!(Cell::of(&[1.0, 2.0], f64::NAN), None);
        assert_eq!(Cell::of(&[1.0, 2.0], -1.0), None);
        assert_eq!(Cell::of(&[4.0; 3], 0.0).unwrap().estimate(), None);
        assert_eq!(Cell::of(&[4.0; 3], 0.03).unwrap().estimate().unwrap().standard_error, 0.1);
    }
}
