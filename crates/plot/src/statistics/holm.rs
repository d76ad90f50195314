//! Adjustment for the number of claims.

use super::PValues;

/// S. Holm's adjusted p-values ("A simple sequentially rejective multiple test procedure",
/// Scandinavian Journal of Statistics 6, 1979): sorted in increasing order, the i-th of `m` (from
/// 0) is multiplied by m − i, and is never below the one before it or above 1. Rejecting if the
/// adjusted p is below α keeps the probability of one or more false rejections among all m below α,
/// however the tests depend on each other.
///
/// `m` is the number of claims fixed beforehand. Untested claims count as if their p were 1, so
/// leaving one out gains nothing. It is at least the number given. A p that is NaN counts as 1. The
/// order is that of `p`.
pub fn holm(p: &[f64], m: usize) -> Vec<f64> {
    let m = m.max(p.len());
    let known = |i: usize| if p[i].is_nan() { 1.0 } else { p[i] };
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| known(*a).total_cmp(&known(*b)));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, i) in order.into_iter().enumerate() {
        least = least.max((m - rank) as f64 * known(i)).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

/// The p-values of claims adjusted for `m` of them. Those for yes and those for no are adjusted
/// separately: they are two families, each with its own one-sided level.
pub fn holm_claims(claims: &[PValues], m: usize) -> Vec<PValues> {
    let yes = holm(&claims.iter().map(|c| c.yes).collect::<Vec<_>>(), m);
    let no = holm(&claims.iter().map(|c| c.no).collect::<Vec<_>>(), m);
    yes.into_iter().zip(no).map(|(yes, no)| PValues { yes, no }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Decision;
    use super::*;

    #[test]
    fn steps_go_down_from_the_least_and_never_back() {
        let adjusted = holm(&[0.04, 0.001, 0.011, 0.5], 4);
        for (ours, expected) in adjusted.iter().zip([0.08, 0.004, 0.033, 0.5]) {
            assert!((ours - expected).abs() < 1e-12, "{adjusted:?}");
        }
        // 2 · 0.02 may not fall below 3 · 0.015.
        assert_eq!(holm(&[0.02, 0.015, 0.9], 3), [0.045, 0.045, 0.9]);
    }

    #[test]
    fn untested_claims_count() {
        assert_eq!(holm(&[0.001], 12), [0.012]);
        assert_eq!(holm(&[0.2, 0.001], 1), [0.2, 0.002]);
        assert_eq!(holm(&[], 12), [0.0; 0]);
        assert_eq!(holm(&[f64::NAN, 0.01], 2), [1.0, 0.02]);
        assert_eq!(holm(&[0.3, 0.4], 12), [1.0, 1.0]);
    }

    #[test]
    fn yes_and_no_are_adjusted_apart() {
        let claims = [
            PValues { yes: 0.001, no: 0.999 },
            PValues { yes: 0.02, no: 0.98 },
            PValues { yes: 0.995, no: 0.005 },
        ];
        let adjusted = holm_claims(&claims, 3);
        let decisions: Vec<Decision> = adjusted.iter().map(|p| p.decision()).collect();
        assert_eq!(decisions, [Decision::Yes, Decision::Open, Decision::No]);
    }
}
