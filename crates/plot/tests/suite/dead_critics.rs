//! Dead critics in records, tables and reports.

use crate::support::{Folder, log, score, spec, write_lines};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::LogRecord;
use sngan_plot::{Materials, Rendered, ScoredSweep, dead_critics, find, report};

/// Three runs of WGAN-GP, of which the last has no gradient, and three of SN; all score alike.
fn folder(untrained: bool) -> Folder {
    let mut folder = Folder::new("table1", "quick");
    for method in [Method::WganGp, Method::Sn] {
        for seed in 0..3 {
            let base = RunSpec { gen_updates: 1000, ..spec(method, "C", seed) };
            let dir = folder.run(&base, &score(1000, 2.0, 60.0 + seed as f64));
            let norm = if seed == 2 { 0.01 } else { 0.9 };
            let line = |i: u64| LogRecord {
                d_real: Some(0.5),
                d_fake: Some(0.1),
                grad_norm_x_hat: (method == Method::WganGp).then_some(norm),
                ..log(100 * i, 1.0)
            };
            write_lines(&dir.log_path(), &(1..=10).map(line).collect::<Vec<_>>());
        }
    }
    if untrained {
        folder.untrained(1.0, 100.0);
    }
    folder
}

fn dead(c: &ScoredSweep) -> Vec<(String, u64)> {
    let dead = c.runs.iter().filter(|r| r.has_dead_critic());
    dead.map(|r| (r.spec.label.clone(), r.spec.seed)).collect()
}

#[test]
fn a_dead_critic_is_named_where_the_untrained_generators_score_is_known() {
    let known = folder(true);
    let c = ScoredSweep::read(known.path()).unwrap();
    assert_eq!(dead(&c), [("WGAN-GP".to_string(), 2)]);
    let names: Vec<String> = dead_critics(known.path()).unwrap().into_iter().collect();
    assert_eq!(names, [c.runs[2].spec.dir_name()]);
    let critic = c.runs[2].critic.unwrap();
    assert_eq!((critic.updates, critic.share()), (7, 1.0));

    let unknown = folder(false);
    assert!(dead(&ScoredSweep::read(unknown.path()).unwrap()).is_empty());
    assert!(dead_critics(unknown.path()).unwrap().is_empty());
}

#[test]
fn tables_and_the_report_count_dead_critics() {
    let folder = folder(true);
    let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
    let out = tempfile::tempdir().unwrap();
    let request = Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
    let Rendered::Written(paths) = (find("table1").unwrap().render)(&request).unwrap() else {
        panic!("table1 was not written")
    };
    let table = std::fs::read_to_string(&paths[0]).unwrap();
    assert!(table.contains("61.00 ± 0.58 (n = 3, 1 dead)"), "{table}");
    assert!(table.contains("61.00 ± 0.58 (n = 3)** |"), "SN's critics live: {table}");
    let page = std::fs::read_to_string(
        report::write(&ScoredSweep::read(folder.path()).unwrap(), &report::Beside::default())
            .unwrap(),
    )
    .unwrap();
    assert!(page.contains("Dead critics: 1 of 6 completed runs."));
    assert!(page.contains("<td>dead critic</td>"), "in the table of runs");
}
