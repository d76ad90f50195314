//! Differences of two rows in one setting.

use super::{Cell, Estimate};

/// The difference of two means over seeds, A minus B, with B. L. Welch's correction for different
/// variances ("The generalization of 'Student's' problem when several different population
/// variances are involved", Biometrika 34, 1947): with v = s²/n of each, SE² = v_A + v_B and df =
/// (v_A + v_B)²/(v_A²/(n_A − 1) + v_B²/(n_B − 1)). `None` if both variances vanish.
pub fn welch(a: &Cell, b: &Cell) -> Option<Estimate> {
    Estimate::of_sum(a.mean() - b.mean(), &[a.variance_part(), b.variance_part()])
}

/// The mean of A minus B over seeds that both have: Student's t on the differences, with n − 1
/// degrees of freedom. For rows whose runs of one seed start from the same networks. Otherwise
/// nothing is shared, and pairing only loses degrees of freedom.
///
/// `a[j]` and `b[j]` are of the same seed. `floor` is the floor v₀ of one value's variance, as in
/// [`Cell::of`]; a difference carries it twice. `None` for unequal lengths, fewer than two seeds,
/// values that are not finite, and a variance that vanishes.
pub fn paired(a: &[f64], b: &[f64], floor: f64) -> Option<Estimate> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let cell = (a.len() == b.len()).then(|| Cell::of(&differences, 2.0 * floor))??;
    cell.estimate()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_changes_its_sign_with_the_order() {
        let (a, b) =
            (Cell::of(&[1.0, 2.0, 4.0], 0.0).unwrap(), Cell::of(&[5.0, 5.5], 0.0).unwrap());
        let (ab, ba) = (welch(&a, &b).unwrap(), welch(&b, &a).unwrap());
        assert_eq!((ab.value, ab.standard_error, ab.df), (-ba.value, ba.standard_error, ba.df));
        assert!((ab.p_below(0.0) - ba.p_above(0.0)).abs() < 1e-15);
    }

    #[test]
    fn rows_that_fail_throughout_differ_by_the_floor_alone() {
        let failed = |floor| Cell::of(&[4.0; 3], floor).unwrap();
        assert_eq!(welch(&failed(0.0), &failed(0.0)), None);
        let e = welch(&failed(0.06), &failed(0.06)).unwrap();
        assert_eq!((e.value, e.df), (0.0, 4.0));
        assert!((e.standard_error - 0.2).abs() < 1e-12);
    }

    #[test]
    fn pairs_take_out_what_seeds_share() {
        let (a, b) = ([1.0, 5.0, 9.0], [0.5, 4.6, 8.4]);
        let e = paired(&a, &b, 0.0).unwrap();
        assert!((e.value - 0.5).abs() < 1e-12 && e.standard_error < 0.1 && e.df == 2.0, "{e:?}");
        // The differences' variance, 0.01, is below twice the floor.
        let floored = paired(&a, &b, 0.06).unwrap();
        assert!((floored.standard_error - 0.2).abs() < 1e-12, "{floored:?}");
        assert_eq!(paired(&a, &b[..2], 0.0), None);
        assert_eq!(paired(&a[..1], &b[..1], 0.1), None);
        assert_eq!(paired(&[1.0, 2.0], &[0.0, 1.0], 0.0), None);
    }
}
