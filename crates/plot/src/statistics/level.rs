//! The level of a row over settings.

use super::{Cell, Estimate};

/// By how much row A's level over settings is above row B's: Δ = (1/S) Σ_s (ȳ_As − ȳ_Bs).
///
/// `a[s]` and `b[s]` are the rows' cells in the same setting. With v = s²/n of each of the 2S
/// cells, SE² = (1/S²) Σ v, and the degrees of freedom are Satterthwaite's (1946) over these cells:
/// (Σ v)²/Σ(v²/(n − 1)). The variances are not pooled, because one noisy cell among quiet ones
/// would get the degrees of freedom of all, and the interval would be too short. Settings are
/// fixed, not a sample of others: Δ says nothing about settings that were not run. `None` for
/// unequal numbers of settings, for none, and if all variances vanish.
pub fn level(a: &[Cell], b: &[Cell]) -> Option<Estimate> {
    let difference: f64 = a.iter().zip(b).map(|(a, b)| a.mean() - b.mean()).sum();
    (a.len() == b.len()).then(|| over_settings(difference, a.len(), a.iter().chain(b)))?
}

/// A row's own level over settings, (1/S) Σ_s ȳ_s, with the error and degrees of freedom of
/// [`level`] over its S cells. `None` for no setting, and if all variances vanish.
pub fn level_of(cells: &[Cell]) -> Option<Estimate> {
    over_settings(cells.iter().map(Cell::mean).sum(), cells.len(), cells)
}

/// A sum of the means of `cells`, over the number of settings.
fn over_settings<'c>(
    sum: f64,
    settings: usize,
    cells: impl IntoIterator<Item = &'c Cell>,
) -> Option<Estimate> {
    let settings = settings as f64;
    let parts = cells.into_iter().map(Cell::variance_part);
    let parts: Vec<(f64, f64)> = parts.map(|(v, df)| (v / settings.powi(2), df)).collect();
    Estimate::of_sum(sum / settings, &parts)
}

#[cfg(test)]
mod tests {
    use super::super::welch;
    use super::*;

    fn cells(values: &[&[f64]]) -> Vec<Cell> {
        values.iter().map(|v| Cell::of(v, 0.0).unwrap()).collect()
    }

    #[test]
    fn over_one_setting_it_is_welchs() {
        let (a, b) = (cells(&[&[1.0, 2.0, 4.0]]), cells(&[&[2.0, 2.5, 7.0]]));
        assert_eq!(level(&a, &b), welch(&a[0], &b[0]));
    }

    #[test]
    fn each_setting_counts_alike_whatever_its_seeds() {
        let a = cells(&[&[0.0, 2.0], &[3.0, 4.0, 5.0]]);
        let b = cells(&[&[0.0, 1.0], &[1.0, 1.5, 2.0]]);
        // (1 − 0.5)/2 + (4 − 1.5)/2; variances of the means 1, 1/3, 1/4, 1/12 over 2².
        let e = level(&a, &b).unwrap();
        assert!((e.value - 1.5).abs() < 1e-12, "{e:?}");
        let variance = (1.0 + 1.0 / 3.0 + 0.25 + 1.0 / 12.0) / 4.0;
        assert!((e.standard_error.powi(2) - variance).abs() < 1e-12, "{e:?}");
    }

    #[test]
    fn a_noisy_cell_keeps_its_own_degrees_of_freedom() {
        let quiet: &[f64] = &[0.0, 1e-6, 2e-6];
        let (a, b) = (cells(&[&[0.0, 5.0, 10.0], quiet, quiet]), cells(&[quiet; 3]));
        assert!((level(&a, &b).unwrap().df - 2.0).abs() < 1e-9);
    }

    /// scipy.stats.t.interval(0.95, df, mean, SE) with Satterthwaite's df, by hand.
    #[test]
    fn a_rows_own_level_is_the_mean_of_its_settings() {
        let e = level_of(&cells(&[&[0.0, 2.0], &[3.0, 4.0, 5.0]])).unwrap();
        // Means 1 and 4; variances of the means 1 (df 1) and 1/3 (df 2) over 2².
        let (v, w): (f64, f64) = (0.25, 1.0 / 12.0);
        let df = (v + w).powi(2) / (v * v + w * w / 2.0);
        assert!((e.value - 2.5).abs() < 1e-12 && (e.df - df).abs() < 1e-12, "{e:?}");
        assert!((e.standard_error - (v + w).sqrt()).abs() < 1e-12, "{e:?}");
        assert_eq!(level_of(&[]), None);
    }

    #[test]
    fn settings_must_match() {
        let a = cells(&[&[0.0, 2.0], &[3.0, 4.0]]);
        assert_eq!(level(&a, &a[..1]), None);
        assert_eq!(level(&[], &[]), None);
    }
}
