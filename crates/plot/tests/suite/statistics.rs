//! Every statistic against what SciPy and NumPy make of the same values: tests/fixtures/statistics.py
//! wrote them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sngan_plot::statistics::{
    Cell, Estimate, Failures, LogScale, best_of_settings, fisher, holm, level, paired,
    probability_of_improvement, slope, spread, welch,
};

const CASES: &str = include_str!("../fixtures/statistics.json");

/// An estimate with all that follows from it.
#[derive(Deserialize)]
struct Expected {
    bound: f64,
    value: f64,
    standard_error: f64,
    df: f64,
    low: f64,
    high: f64,
    p_below: f64,
    p_above: f64,
    p_differs: f64,
}

/// Values of two rows by setting and seed.
#[derive(Deserialize)]
struct Estimated {
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    floor: f64,
    expected: Expected,
}

/// The cases of one kind.
fn cases<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let all: serde_json::Value = serde_json::from_str(CASES).unwrap();
    serde_json::from_value(all[kind].clone()).unwrap()
}

fn close(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours}, not {theirs}");
}

/// p-values keep nine digits of themselves, however small they are.
fn close_p(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs, "{what}: {ours:e}, not {theirs:e}");
}

fn check(kind: &str, estimate: impl Fn(&Estimated) -> Option<Estimate>) {
    for (i, case) in cases::<Estimated>(kind).iter().enumerate() {
        let (ours, theirs) = (estimate(case).unwrap(), &case.expected);
        let what = |part: &str| format!("{kind} {i}, {part}");
        close(ours.value, theirs.value, &what("value"));
        close(ours.standard_error, theirs.standard_error, &what("standard error"));
        close(ours.df, theirs.df, &what("degrees of freedom"));
        close(ours.interval().low, theirs.low, &what("lower end"));
        close(ours.interval().high, theirs.high, &what("upper end"));
        close_p(ours.p_below(theirs.bound), theirs.p_below, &what("p below"));
        close_p(ours.p_above(theirs.bound), theirs.p_above, &what("p above"));
        close_p(ours.p_differs(theirs.bound), theirs.p_differs, &what("p differs"));
    }
}

fn cells(row: &[Vec<f64>], floor: f64) -> Vec<Cell> {
    row.iter().map(|values| Cell::of(values, floor).unwrap()).collect()
}

#[test]
fn estimates_their_intervals_and_p_values_are_scipys() {
    let cell = |values: &[f64], c: &Estimated| Cell::of(values, c.floor).unwrap();
    check("mean", |c| cell(&c.a[0], c).estimate());
    check("welch", |c| welch(&cell(&c.a[0], c), &cell(&c.b[0], c)));
    check("level", |c| level(&cells(&c.a, c.floor), &cells(&c.b, c.floor)));
    check("paired", |c| paired(&c.a[0], &c.b[0], c.floor));
    check("slope", |c| {
        let points: Vec<(f64, f64)> = c.a[0].iter().copied().zip(c.b[0].iter().copied()).collect();
        slope(&points)
    });
}

#[test]
fn quantiles_of_students_t_are_scipys() {
    #[derive(Deserialize)]
    struct Case {
        df: f64,
        quantile: f64,
    }
    for Case { df, quantile } in cases("t") {
        let high = Estimate { value: 0.0, standard_error: 1.0, df }.interval().high;
        close(high, quantile, &format!("df = {df}"));
    }
}

#[test]
fn spreads_and_best_settings_are_numpys() {
    #[derive(Deserialize)]
    struct SpreadCase {
        a: Vec<Vec<f64>>,
        floor: f64,
        squared: f64,
        sd_of_means: f64,
        worst_setting: usize,
        worst_mean: f64,
    }
    for case in cases::<SpreadCase>("spread") {
        let s = spread(&cells(&case.a, case.floor)).unwrap();
        close(s.squared, case.squared, "S²");
        close(s.sd_of_means, case.sd_of_means, "SD of means");
        close(s.worst_mean, case.worst_mean, "worst mean");
        assert_eq!(s.worst_setting, case.worst_setting);
    }
    #[derive(Deserialize)]
    struct BestCase {
        a: Vec<Vec<f64>>,
        settings: Vec<usize>,
        theta: Vec<f64>,
    }
    for case in cases::<BestCase>("best") {
        let best = best_of_settings(&case.a).unwrap();
        assert_eq!((best.settings, best.theta), (case.settings, case.theta));
    }
}

#[test]
fn probabilities_of_improvement_are_mann_and_whitneys() {
    #[derive(Deserialize)]
    struct Case {
        a: Vec<Vec<f64>>,
        b: Vec<Vec<f64>>,
        expected: f64,
    }
    for case in cases::<Case>("improvement") {
        let p = probability_of_improvement(&case.a, &case.b).unwrap();
        close(p, case.expected, "probability of improvement");
    }
}

#[test]
fn exact_tests_and_adjustments_are_scipys() {
    #[derive(Deserialize)]
    struct FisherCase {
        counts: [u64; 4],
        fewer: f64,
        more: f64,
        two_sided: f64,
    }
    for case in cases::<FisherCase>("fisher") {
        let [failed_a, runs_a, failed_b, runs_b] = case.counts;
        let failures = |failed, runs| Failures { failed, runs };
        let p = fisher(failures(failed_a, runs_a), failures(failed_b, runs_b)).unwrap();
        close_p(p.fewer, case.fewer, "fewer");
        close_p(p.more, case.more, "more");
        close_p(p.two_sided, case.two_sided, "two-sided");
    }
    #[derive(Deserialize)]
    struct HolmCase {
        p: Vec<f64>,
        m: usize,
        adjusted: Vec<f64>,
    }
    for case in cases::<HolmCase>("holm") {
        for (ours, theirs) in holm(&case.p, case.m).into_iter().zip(case.adjusted) {
            close_p(ours, theirs, "adjusted");
        }
    }
}

#[test]
fn scores_become_their_logarithms() {
    #[derive(Deserialize)]
    struct Case {
        kind: String,
        untrained: f64,
        scores: Vec<Option<f64>>,
        y: Vec<f64>,
        doubled: Vec<f64>,
        failed: Vec<bool>,
    }
    for case in cases::<Case>("scores") {
        let scale = match case.kind.as_str() {
            "fid" => LogScale::fid(case.untrained),
            _ => LogScale::inception_score(case.untrained),
        };
        let scale = scale.unwrap();
        for (i, score) in case.scores.into_iter().enumerate() {
            let of = scale.of(score);
            close(of.y, case.y[i], "y");
            close(scale.doubled().of(score).y, case.doubled[i], "y of 2·F₀");
            assert_eq!(of.failed, case.failed[i], "{score:?}");
        }
    }
}
