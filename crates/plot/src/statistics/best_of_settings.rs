//! A row at its best setting, without counting the luck of the choice as merit.

use super::mean;

/// What a row reaches at settings chosen by other seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct BestOfSettings {
    /// θ_j, one per seed: y of seed j in the setting that is best by the other seeds' mean.
    pub theta: Vec<f64>,
    /// That setting of each seed.
    pub settings: Vec<usize>,
}

/// The values θ of a row, from y by setting and seed: `y[s][j]` is of seed j in setting s, lower
/// being better.
///
/// The setting with the smallest mean has it partly by luck, and its own values repeat that luck. A
/// value of a seed that was not used in the choice does not, so each θ_j is unbiased for the row at
/// a setting chosen by one seed fewer. The θ of two rows make two [`Cell`]s to be compared with
/// [`welch`]. The θ share the seeds they were chosen by, which makes the interval too short if
/// settings are about equal ([`COVERED`]). Among settings with equal means the first is taken.
/// `None` without settings, for fewer than two seeds, for settings with unequal numbers of seeds,
/// and for values that are not finite.
///
/// [`Cell`]: super::Cell
/// [`welch`]: super::welch
/// [`COVERED`]: super::COVERED
pub fn best_of_settings(y: &[Vec<f64>]) -> Option<BestOfSettings> {
    let seeds = y.first()?.len();
    let usable = |s: &Vec<f64>| s.len() == seeds && s.iter().all(|y| y.is_finite());
    if seeds < 2 || !y.iter().all(usable) {
        return None;
    }
    let settings = (0..seeds).map(|j| best_without(y, j)).collect::<Option<Vec<_>>>()?;
    let theta = settings.iter().enumerate().map(|(j, s)| y[*s][j]).collect();
    Some(BestOfSettings { theta, settings })
}

/// The setting with the smallest mean over the seeds except `left_out`.
fn best_without(y: &[Vec<f64>], left_out: usize) -> Option<usize> {
    let others = |values: &[f64]| mean(&[&values[..left_out], &values[left_out + 1..]].concat());
    let means = y.iter().map(|values| others(values)).enumerate();
    means.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(setting, _)| setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_no_say_in_its_own_setting() {
        // Only seed 0 makes the first setting look best; for seed 0 the second is taken.
        let y = [vec![-9.0, 2.0, 2.0], vec![1.0, 1.0, 1.0]];
        let best = best_of_settings(&y).unwrap();
        assert_eq!(best.settings, [1, 0, 0]);
        assert_eq!(best.theta, [1.0, 2.0, 2.0]);
    }

    #[test]
    fn a_clearly_best_setting_is_taken_throughout_and_of_equal_ones_the_first() {
        let clear = best_of_settings(&[vec![3.0, 3.1], vec![1.0, 1.2], vec![2.0, 2.1]]).unwrap();
        assert_eq!((clear.settings, clear.theta), (vec![1, 1], vec![1.0, 1.2]));
        assert_eq!(best_of_settings(&[vec![1.0, 1.0], vec![1.0, 1.0]]).unwrap().settings, [0, 0]);
    }

    #[test]
    fn seeds_must_be_the_same_in_all_settings() {
        assert_eq!(best_of_settings(&[]), None);
        assert_eq!(best_of_settings(&[vec![1.0], vec![2.0]]), None);
        assert_eq!(best_of_settings(&[vec![1.0, 2.0], vec![2.0]]), None);
        assert_eq!(best_of_settings(&[vec![1.0, 2.0], vec![2.0, f64::NAN]]), None);
    }
}
