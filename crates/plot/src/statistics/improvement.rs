//! How often a run of one row is better than a run of another.

/// Probability of improvement of row A over row B: the mean over settings of
/// #{y_A < y_B}/(n_A n_B), ties counting ½ (R. Agarwal and others, "Deep reinforcement learning at
/// the edge of the statistical precipice", NeurIPS 2021; within a setting it is Mann and Whitney's
/// U as a share). From 0, where A is always worse, to 1; it says how often, not by how much.
///
/// `a[s]` and `b[s]` are the rows' values in the same setting, lower being better. `None` for
/// unequal numbers of settings, for none, and for a setting without values.
pub fn probability_of_improvement(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<f64> {
    let empty = a.iter().chain(b).any(Vec::is_empty);
    if a.is_empty() || a.len() != b.len() || empty {
        return None;
    }
    Some(a.iter().zip(b).map(|(a, b)| share_of_pairs(a, b)).sum::<f64>() / a.len() as f64)
}

/// The share of pairs in which A's value is lower.
fn share_of_pairs(a: &[f64], b: &[f64]) -> f64 {
    let score = |(a, b): (f64, f64)| {
        if a < b {
            1.0
        } else if a == b {
            0.5
        } else {
            0.0
        }
    };
    let pairs = a.iter().flat_map(|a| b.iter().map(|b| (*a, *b)));
    pairs.map(score).sum::<f64>() / (a.len() * b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_within_settings_and_settings_count_alike() {
        let (a, b) = ([vec![1.0, 2.0], vec![5.0]], [vec![2.0, 3.0], vec![4.0, 5.0, 6.0]]);
        // First: three of four pairs and a tie; second: one of three and a tie.
        let expected = (3.5 / 4.0 + 1.5 / 3.0) / 2.0;
        assert!((probability_of_improvement(&a, &b).unwrap() - expected).abs() < 1e-15);
        let reverse = probability_of_improvement(&b, &a).unwrap();
        assert!((reverse - (1.0 - expected)).abs() < 1e-15);
    }

    #[test]
    fn rows_that_all_fail_are_even() {
        assert_eq!(probability_of_improvement(&[vec![4.0; 3]], &[vec![4.0; 3]]), Some(0.5));
    }

    #[test]
    fn settings_must_match_and_have_values() {
        assert_eq!(probability_of_improvement(&[], &[]), None);
        assert_eq!(probability_of_improvement(&[vec![1.0]], &[]), None);
        assert_eq!(probability_of_improvement(&[vec![1.0]], &[vec![]]), None);
    }
}
