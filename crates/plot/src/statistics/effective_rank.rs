//! How many components carry a spectrum.

use sngan_experiment::records::spectral_entropy;

/// exp(entropy of σ²/Σσ²): how many components carry a spectrum, between 1 and their number. `None`
/// for an empty or vanishing one.
pub fn effective_rank(squared: &[f64]) -> Option<f64> {
    spectral_entropy(squared).map(f64::exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_rank_counts_equal_components() {
        assert!((effective_rank(&[2.0; 7]).unwrap() - 7.0).abs() < 1e-12);
        assert!((effective_rank(&[1.0, 0.0, 0.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(effective_rank(&[0.0, 0.0]), None);
    }
}
