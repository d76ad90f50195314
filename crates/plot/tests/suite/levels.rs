//! Level, spread and best setting of each row.

use crate::artefacts::{drawn, text};
use crate::support::{Folder, diverge, score, spec};
use sngan_experiment::method::Method;
use sngan_experiment::{Dataset, RunSpec};
use sngan_plot::{Materials, Rendered, ScoredSweep, find};
use std::path::Path;

/// Rows of six runs each; SN's FIDs were also put through SciPy.
fn sweep() -> Folder {
    let mut folder = Folder::new("levels", "quick");
    folder.untrained(1.0, 400.0);
    let fids = [("A", [10.0, 20.0, 40.0]), ("B", [30.0, 33.0, 36.0])];
    for (setting, fids) in fids {
        for (seed, fid) in fids.into_iter().enumerate() {
            folder.run(&spec(Method::Sn, setting, seed as u64), &score(10, 5.0, fid));
            let run = spec(Method::WeightNorm, setting, seed as u64);
            let dir = folder.run(&run, &score(10, 4.0, 2.0 * fid));
            if (setting, seed) == ("B", 2) {
                diverge(&dir);
            }
        }
    }
    folder
}

fn table(folder: &Folder, out: &Path) -> String {
    text(&drawn("levels", &[ScoredSweep::read(folder.path()).unwrap()], None, out))
}

/// By scipy.stats.t and the definitions of experiments/claims.toml: level, spread, and the best setting by the other seeds.
#[test]
fn a_rows_numbers_are_scipys() {
    let (folder, out) = (sweep(), tempfile::tempdir().unwrap());
    let table = table(&folder, out.path());
    let sn = "| SN | **25.65 [11.06, 59.49] (n = 3)** | **0.21** | **B: 32.91** | **A: 20.00 [3.57, 111.90] (n = 3)** | 0 of 6 |";
    assert!(table.contains(sn), "{table}");
    // The diverged run counts as the untrained generator: (60·66·400)^(1/3) = 116.57.
    assert!(table.contains("| WN |") && table.contains("B: 116.57") && table.contains("1 of 6"));
    assert!(table.contains("fid[made-up] over the settings A, B (lower is better)"), "{table}");
    assert!(table.contains("is[made-up] over the settings A, B (higher is better)"), "{table}");
    let csv = std::fs::read_to_string(out.path().join("levels.csv")).unwrap();
    let mut read = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = read.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * 2, "{csv}");
    let sn = rows.iter().find(|r| (&r[1], &r[2]) == ("fid", "SN")).unwrap();
    let number = |column: usize| sn[column].parse::<f64>().unwrap();
    let scipys = [
        (4, 25.654956368934133),
        (5, 11.063269447559193),
        (6, 59.49206872450554),
        (7, 0.20626435800920226),
        (11, 20.0),
        (12, 3.574621235894748),
        (13, 111.89996746602932),
    ];
    for (column, expected) in scipys {
        assert!((number(column) / expected - 1.0).abs() < 1e-8, "{column}: {csv}");
    }
}

#[test]
fn one_seed_has_no_interval_and_a_row_without_a_setting_is_named() {
    let mut folder = Folder::new("levels", "quick");
    folder.untrained(1.0, 400.0);
    for (setting, fid) in [("A", 10.0), ("B", 40.0)] {
        folder.run(&spec(Method::Sn, setting, 0), &score(10, 5.0, fid));
    }
    folder.run(&spec(Method::WeightNorm, "A", 0), &score(10, 5.0, 30.0));
    let out = tempfile::tempdir().unwrap();
    let table = table(&folder, out.path());
    assert!(table.contains("| SN | 20.00 (n = 1) | – | B: 40.00 | – | 0 of 2 |"), "{table}");
    assert!(table.contains("Left out: no run of WN in setting B."), "{table}");
}

#[test]
fn a_sweep_of_one_setting_has_no_levels_and_one_without_scores_says_why() {
    let out = tempfile::tempdir().unwrap();
    let drawn = |folder: &Folder| {
        let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
        let materials =
            Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
        (find("levels").unwrap().render)(&materials).unwrap()
    };
    let mut folder = Folder::new("levels", "quick");
    folder.run(&spec(Method::Sn, "A", 0), &score(10, 5.0, 10.0));
    assert_eq!(drawn(&folder), Rendered::Written(Vec::new()));
    folder.run(&spec(Method::Sn, "B", 0), &score(10, 5.0, 10.0));
    let Rendered::Skipped(why) = drawn(&folder) else { panic!("drawn") };
    assert!(why.contains("no scores of the untrained generator"), "{why}");
}

/// A command is named only where it does what is said of it.
#[test]
fn what_would_score_the_untrained_generator_is_said_as_it_is() {
    let why = |name: &str, change: fn(&mut RunSpec)| {
        let mut folder = Folder::new(name, "quick");
        for setting in ["A", "B"] {
            let mut spec = spec(Method::Sn, setting, 0);
            change(&mut spec);
            folder.run(&spec, &score(10, 5.0, 10.0));
        }
        let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
        let out = tempfile::tempdir().unwrap();
        let materials =
            Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
        match (find("levels").unwrap().render)(&materials).unwrap() {
            Rendered::Skipped(why) => why,
            Rendered::Written(paths) => panic!("{paths:?}"),
        }
    };
    let built_in = why("table1", |_| ());
    assert!(
        built_in.contains("`sngan sweep table1 --scale quick` in the same folder"),
        "{built_in}"
    );
    let pictures = |spec: &mut RunSpec| spec.dataset = Dataset::Folder;
    for own in [why("pets", pictures), why("table1", pictures), why("mine", |_| ())] {
        assert!(own.contains("no scores of the untrained generator"), "{own}");
        assert!(own.contains("`sngan sweep` takes them where it scores the runs itself"), "{own}");
        assert!(!own.contains("in the same folder"), "{own}");
    }
}
