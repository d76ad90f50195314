//! What never shares a column of a table.

use crate::artefacts::{drawn, text};
use crate::support::{Folder, folder_of, log, score, spec, write_lines};
use sngan_experiment::arch::Architecture;
use sngan_experiment::method::{Loss, Method};
use sngan_experiment::{RunSpec, WidthCorrection};
use sngan_plot::{Materials, ScoredSweep, find};

/// The grid below a heading that has these words, from a table's text.
fn below(table: &str, heading: &str) -> String {
    let start = table.find(&format!("**{heading}")).unwrap_or_else(|| panic!("{heading}: {table}"));
    let grid = &table[start..];
    grid.split("\n\n").take(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_column_mixes_widths_corrections_batches_or_horizons() {
    let out = tempfile::tempdir().unwrap();
    let small = |spec: RunSpec| RunSpec { width_divisor: 8, side: 16, ..spec };
    let corrected =
        |spec: RunSpec| RunSpec { width_correction: WidthCorrection::Multiplier, ..small(spec) };
    let mut grid = Folder::new("table1", "quick");
    grid.run(&small(spec(Method::Sn, "C", 0)), &score(10, 6.0, 30.0));
    let plain = RunSpec { label: "WGAN-GP, uncorrected".into(), ..spec(Method::WganGp, "C", 0) };
    grid.run(&small(plain), &score(10, 5.0, 35.0));
    grid.run(&corrected(spec(Method::WganGp, "C", 0)), &score(10, 5.5, 33.0));
    let mut resnets = Folder::new("table2-resnet", "quick");
    let resnet = RunSpec {
        architecture: Architecture::ResnetCifar10,
        loss: Loss::Hinge,
        width_divisor: 16,
        batch: 16,
        side: 16,
        gen_updates: 5,
        setting: "ResNet".into(),
        ..spec(Method::Sn, "C", 0)
    };
    resnets.run(&resnet, &score(5, 2.0, 60.0));
    let sweeps =
        [ScoredSweep::read(grid.path()).unwrap(), ScoredSweep::read(resnets.path()).unwrap()];
    let table = text(&drawn("table2", &sweeps, None, out.path()));
    let uncorrected = below(&table, "width/8, uncorrected, batch 64, 10 updates");
    assert!(uncorrected.contains("5.00 (n = 1), C") && !uncorrected.contains("5.50"), "{table}");
    let multiplier = below(&table, "width/8, corrected by a multiplier, batch 64, 10 updates");
    assert!(multiplier.contains("5.50 (n = 1), C") && !multiplier.contains("5.00 (n"), "{table}");
    for grid in [&uncorrected, &multiplier] {
        assert!(grid.contains("| cnn | SN | standard | 1x | 6.00 (n = 1), C |"), "{grid}");
        assert!(!grid.contains("resnet") && !grid.contains("STL-10"), "{grid}");
    }
    let resnet = below(&table, "width/16, batch 16, 5 updates");
    assert!(resnet.contains("2.00 (n = 1), ResNet") && !resnet.contains("cnn"), "{table}");
    let csv = std::fs::read_to_string(out.path().join("table2.csv")).unwrap();
    assert!(csv.starts_with("sizes,group,method,loss,updates,\"is[made-up]"), "{csv}");
    assert!(
        csv.contains("\"width/16, batch 16, 5 updates\",resnet,SN,hinge,1x,2,8.22,not run,"),
        "{csv}"
    );
    // Table 1 of runs of several sizes is in as many grids.
    let table = text(&drawn("table1", &sweeps[..1], None, out.path()));
    let last = "after the last update (higher is better); width/8, ";
    assert_eq!(table.matches(last).count(), 2, "{table}");
}

#[test]
fn tables_7_and_8_keep_sizes_apart() {
    let out = tempfile::tempdir().unwrap();
    let mut cnn = Folder::new("table7", "quick");
    cnn.run(&RunSpec { side: 16, ..spec(Method::WganGp, "A", 0) }, &score(10, 5.0, 40.0));
    let mut resnet = Folder::new("table7-resnet", "quick");
    let architecture = Architecture::ResnetGulrajani;
    for (width_divisor, is) in [(1, 4.0), (2, 3.0)] {
        let label = format!("WGAN-GP {width_divisor}");
        let spec = spec(Method::WganGp, "A", 0);
        let spec = RunSpec { architecture, side: 16, batch: 16, width_divisor, label, ..spec };
        resnet.run(&spec, &score(10, is, 50.0));
    }
    let sweeps =
        [ScoredSweep::read(cnn.path()).unwrap(), ScoredSweep::read(resnet.path()).unwrap()];
    let table = text(&drawn("table7", &sweeps, None, out.path()));
    for (heading, score) in [
        ("full width, batch 64, 10 updates", "| cnn | WGAN-GP | 5.00 (n = 1) |"),
        ("full width, batch 16, 10 updates", "| resnet | WGAN-GP | 4.00 (n = 1) |"),
        ("width/2, batch 16, 10 updates", "| resnet | WGAN-GP | 3.00 (n = 1) |"),
    ] {
        let grid = below(&table, heading);
        assert!(grid.contains(score) && grid.matches("(n = 1)").count() == 2, "{table}");
    }
}

#[test]
fn rows_of_twice_the_updates_stand_below_those_of_once_in_their_setting() {
    let out = tempfile::tempdir().unwrap();
    let mut once = Folder::new("table1-stl10", "quick");
    for (setting, is) in [("B", 6.0), ("D", 7.0)] {
        once.run(&spec(Method::Sn, setting, 0), &score(10, is, 30.0));
    }
    let mut twice = Folder::new("table2-stl10", "quick");
    let longer = RunSpec { gen_updates: 20, label: "SN, 2x".into(), ..spec(Method::Sn, "B", 0) };
    twice.run(&longer, &score(20, 6.5, 28.0));
    let sweeps =
        [ScoredSweep::read(once.path()).unwrap(), ScoredSweep::read(twice.path()).unwrap()];
    let table = text(&drawn("table2", &sweeps, None, out.path()));
    let grid = below(&table, "full width, batch 64, 10 updates (2x: 20)");
    let rows: Vec<&str> = grid.lines().filter(|l| l.contains("| SN |")).collect();
    assert!(rows[0].starts_with("| cnn | SN | standard | 1x | 7.00 (n = 1), D | 8.28 ± 0.09 |"));
    assert!(
        rows[1].starts_with(
            "| cnn | SN | standard | 1x, in the setting of 2x | 6.00 (n = 1), B | – |"
        )
    );
    assert!(rows[2].starts_with("| cnn | SN | standard | 2x | 6.50 (n = 1), B | 8.69 ± 0.09 |"));
    assert_eq!(rows.len(), 3, "{table}");
}

/// What tables and figures would pool as repetitions of one row, and is none.
#[test]
fn rows_under_other_labels_are_neither_pooled_nor_counted_twice() {
    let sweep = |change: fn(&mut RunSpec)| {
        let mut folder = Folder::new("table2", "quick");
        for label in ["SN", "mine"] {
            for seed in 0..2 {
                let mut spec = RunSpec { label: label.into(), ..spec(Method::Sn, "C", seed) };
                if label == "mine" {
                    change(&mut spec);
                }
                folder.run(&spec, &score(10, 3.0 + seed as f64, 20.0));
            }
        }
        folder
    };
    let drawn = |folder: &Folder| {
        let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
        let out = tempfile::tempdir().unwrap();
        let request =
            Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: true };
        let rendered = (find("table2").unwrap().render)(&request);
        rendered.map(|_| std::fs::read_to_string(out.path().join("table2.md")).unwrap())
    };
    let twice = drawn(&sweep(|_| ())).unwrap();
    assert!(twice.contains("(n = 2), C") && !twice.contains("n = 4"), "{twice}");
    let message = drawn(&sweep(|s| s.gen_ema = 0.9)).unwrap_err().to_string();
    assert!(message.contains("gen_ema: 0.0 → 0.9"), "{message}");
}

#[test]
fn a_curve_against_a_key_has_no_runs_that_differ_in_another() {
    let mut folder = Folder::new("last-layer", "quick");
    for (label, factor, ema) in [("SN x1", 1.0, 0.0), ("SN x2", 2.0, 0.0), ("SN x2 b", 2.0, 0.9)] {
        for seed in 0..2 {
            let mut spec = RunSpec { label: label.into(), ..spec(Method::Sn, "C", seed) };
            (spec.last_conv_factor, spec.gen_ema) = (factor, ema);
            folder.run(&spec, &score(10, 3.0, 20.0));
        }
    }
    let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
    let out = tempfile::tempdir().unwrap();
    let request = Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: true };
    let message = (find("fig4").unwrap().render)(&request).unwrap_err().to_string();
    assert!(message.contains("gen_ema"), "{message}");
}

#[test]
fn a_setting_of_ones_own_with_several_values_has_a_column_for_each() {
    let mut folder = Folder::new("my-own", "quick");
    for (label, lr) in [("SN", 2e-4), ("other", 0.01)] {
        let spec =
            RunSpec { label: label.into(), setting: "mine".into(), lr, ..spec(Method::Sn, "C", 0) };
        folder.run(&spec, &score(10, 3.0, 20.0));
    }
    let c = ScoredSweep::read(folder.path()).unwrap();
    assert_eq!(c.settings(), ["mine lr=0.0002", "mine lr=0.01"]);
}

/// A run that was continued beyond the plan has no score at its new end, and is neither missing nor not begun.
#[test]
fn a_run_of_another_length_keeps_its_place_with_its_status() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("mine", "quick");
    folder.untrained(1.0, 400.0);
    for (method, setting, is) in [
        (Method::LayerNorm, "A", 3.0),
        (Method::WeightNorm, "A", 4.0),
        (Method::WeightNorm, "B", 4.5),
        (Method::Orthonormal, "B", 3.5),
        (Method::Sn, "A", 5.0),
    ] {
        folder.run(&spec(method, setting, 0), &score(10, is, 30.0));
    }
    let longer = RunSpec { gen_updates: 20, ..spec(Method::Sn, "B", 0) };
    folder.run(&longer, &score(10, 5.5, 30.0));
    let table = |id: &str| {
        let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
        text(&drawn(id, &sweeps, None, out.path())).replace("**", "")
    };
    let scores = table("table1");
    assert!(scores.contains("| SN | 5.00 (n = 1) | completed (20 updates) |"), "{scores}");
    assert!(scores.contains("| LN | 3.00 (n = 1) | – |"), "it was never planned: {scores}");
    assert!(!scores.contains("not begun"), "{scores}");
    let place = |words: &str| scores.find(words).unwrap_or_else(|| panic!("{words}: {scores}"));
    let apart = place("status of each run; full width, batch 64, 20 updates");
    assert!(place("fid[made-up], after the last update") < apart, "{scores}");
    let levels = table("levels");
    assert!(levels.contains("(lower is better); full width, batch 64, 10 updates"), "{levels}");
    let left_out = "full width, batch 64, 10 updates: no run of SN in setting B";
    assert!(levels.contains(left_out), "{levels}");

    let unbegun = ScoredSweep::read(folder.path()).unwrap().runs.remove(2);
    std::fs::remove_dir_all(folder_of(&unbegun).path()).unwrap();
    let scores = table("table1");
    assert!(scores.contains("| WN | 4.00 (n = 1) | not begun |"), "{scores}");
    // Which place a run has whose records cannot be read is not known.
    let damaged = ScoredSweep::read(folder.path()).unwrap().runs.remove(4);
    std::fs::write(folder_of(&damaged).scores_path(), "{}\n").unwrap();
    let scores = table("table1");
    assert!(scores.contains("| WN | 4.00 (n = 1) | not begun or damaged |"), "{scores}");
}

#[test]
fn a_run_with_a_log_has_begun() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("mine", "quick");
    let dir = folder.run(&spec(Method::Sn, "C", 0), &[]);
    std::fs::remove_file(dir.status_path()).unwrap();
    let table =
        || text(&drawn("table1", &[ScoredSweep::read(folder.path()).unwrap()], None, out.path()));
    assert!(table().contains("| SN | not begun |"), "{}", table());
    write_lines(&dir.log_path(), &[log(1, 1.0)]);
    assert!(table().contains("| SN | begun without a checkpoint |"), "{}", table());
}
