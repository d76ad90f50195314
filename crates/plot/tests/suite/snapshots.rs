//! Whole tables as people read them, from made-up records. `INSTA_UPDATE=always just test` writes them anew; look at the difference.

use crate::support::{Folder, diverge, score, spec};
use sngan_experiment::RunSpec;
use sngan_experiment::method::{Loss, Method};
use sngan_plot::claims::{answer, claims};
use sngan_plot::{Materials, ScoredSweep, find, report};
use std::path::Path;

/// Three methods in two settings with three seeds, one run of which diverged, and a row at a width that was not made up for.
fn sweep() -> Folder {
    let mut sweep = Folder::new("table1", "quick");
    let rows =
        [(Method::WganGp, 4.0, 30.0), (Method::WeightNorm, 5.0, 20.0), (Method::Sn, 7.0, 10.0)];
    for (method, is, fid) in rows {
        for setting in ["A", "D"] {
            for seed in 0..3 {
                let step = seed as f64 / 4.0;
                let mut spec = spec(method, setting, seed);
                if method == Method::WganGp {
                    spec.width_divisor = 8;
                }
                let dir = sweep.run(&spec, &score(10, is + step, fid - step));
                if (method, setting, seed) == (Method::WeightNorm, "D", 1) {
                    diverge(&dir);
                }
            }
        }
    }
    sweep.ceiling(&score(0, 9.5, 0.5));
    sweep.untrained(1.0, 400.0);
    sweep
}

fn table(id: &str, sweeps: &[ScoredSweep]) -> String {
    let out = tempfile::tempdir().unwrap();
    let request = Materials { sweeps, timings: None, folder: out.path(), compare: true };
    (find(id).unwrap().render)(&request).unwrap();
    std::fs::read_to_string(out.path().join(format!("{id}.md"))).unwrap()
}

#[test]
fn table_1_as_it_is_read() {
    insta::assert_snapshot!(table("table1", &[ScoredSweep::read(sweep().path()).unwrap()]));
}

#[test]
fn table_2_as_it_is_read() {
    let mut hinge = Folder::new("table2", "quick");
    for seed in 0..2 {
        let spec =
            RunSpec { label: "SN, hinge".into(), loss: Loss::Hinge, ..spec(Method::Sn, "C", seed) };
        hinge.run(&spec, &score(10, 7.5, 9.0));
    }
    let read = |path: &Path| ScoredSweep::read(path).unwrap();
    insta::assert_snapshot!(table("table2", &[read(sweep().path()), read(hinge.path())]));
}

#[test]
fn claims_as_they_are_read() {
    let sweeps = [ScoredSweep::read(sweep().path()).unwrap()];
    let answers = answer(&claims().unwrap(), &sweeps, None).unwrap();
    insta::assert_snapshot!(answers.only(&[1, 2]).unwrap().markdown());
}

#[test]
fn a_reports_tables_as_they_are_read() {
    let sweep = sweep();
    let page = std::fs::read_to_string(
        report::write(&ScoredSweep::read(sweep.path()).unwrap(), &report::Beside::default())
            .unwrap(),
    )
    .unwrap();
    let (from, to) =
        (page.find("<section id=\"runs\"").unwrap(), page.find("<section id=\"spec\"").unwrap());
    insta::assert_snapshot!(page[from..to].replace("</tr>", "</tr>\n"));
}
