//! A mean over seeds with its standard error, as tables and figures print it.

/// A mean over seeds with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Number of seeds.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (ddof 1) over √n; `None` for one seed, whose spread is unknown.
    pub standard_error: Option<f64>,
}

/// Mean and standard error; `None` without values.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let n = values.len();
    let standard_error = variance(values).map(|v| (v / n as f64).sqrt());
    (n > 0).then(|| Summary { n, mean: mean(values), standard_error })
}

/// The mean; NaN without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The unbiased variance Σ(x − x̄)²/(n − 1); `None` for fewer than two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_has_no_spread_and_several_have() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[2.5]), Some(Summary { n: 1, mean: 2.5, standard_error: None }));
        assert_eq!((variance(&[2.5]), variance(&[1.0, 3.0])), (None, Some(2.0)));
        assert_eq!(
            summary(&[6.9, 7.1, 7.3, 7.0, 7.6, 7.4]).unwrap().text(2),
            "7.22 ± 0.11 (n = 6)"
        );
        assert_eq!(summary(&[2.5]).unwrap().text(1), "2.5 (n = 1)");
    }
}
