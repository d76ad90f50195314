//! How much a row varies over settings. Descriptive: it decides no claim.

use super::{Cell, mean, variance};

/// How a row's means differ over settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// S² = max(0, Var_s(ȳ_s) − mean_s(s²/n)): the variance over settings of the true means. It is
    /// that of the observed means minus the contribution of seeds, in the square of y's unit.
    pub squared: f64,
    /// Standard deviation over settings of the observed means (ddof 1), in y's unit.
    pub sd_of_means: f64,
    /// The setting with the largest, so the worst, mean; the first of several.
    pub worst_setting: usize,
    /// Its mean.
    pub worst_mean: f64,
}

/// The spread of a row's cells, one per setting; `None` for fewer than two settings.
pub fn spread(cells: &[Cell]) -> Option<Spread> {
    let means: Vec<f64> = cells.iter().map(Cell::mean).collect();
    let of_means = variance(&means)?;
    let of_seeds = mean(&cells.iter().map(Cell::variance_of_mean).collect::<Vec<_>>());
    // Reversed, because `max_by` takes the last of equal ones.
    let (worst_setting, worst_mean) =
        means.into_iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Spread {
        squared: (of_means - of_seeds).max(0.0),
        sd_of_means: of_means.sqrt(),
        worst_setting,
        worst_mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_of(values: &[&[f64]]) -> Option<Spread> {
        spread(&values.iter().map(|v| Cell::of(v, 0.0).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn what_seeds_put_into_the_spread_is_taken_off() {
        // Means 1, 3, 5 have variance 4; the seeds' variance of a mean is 1 in each.
        let s = spread_of(&[&[0.0, 2.0], &[2.0, 4.0], &[4.0, 6.0]]).unwrap();
        let expected = Spread { squared: 3.0, sd_of_means: 2.0, worst_setting: 2, worst_mean: 5.0 };
        assert_eq!(s, expected);
    }

    #[test]
    fn noisy_seeds_leave_no_spread_and_the_first_of_equal_settings_is_worst() {
        let s = spread_of(&[&[-9.0, 9.0], &[0.0, 0.0]]).unwrap();
        assert_eq!((s.squared, s.worst_setting, s.worst_mean), (0.0, 0, 0.0));
        assert_eq!(spread_of(&[&[1.0, 2.0]]), None);
        assert_eq!(spread_of(&[]), None);
    }
}
