//! Figures over the updates that the paper does not have.

use crate::artefacts::{drawn, text};
use crate::support::{Folder, log, score, spec, write_lines};
use sngan_experiment::method::Method;
use sngan_experiment::records::LogRecord;
use sngan_plot::{Materials, Rendered, ScoredSweep, find};

#[test]
fn stable_ranks_are_drawn_where_logs_hold_them_and_the_caption_names_the_others() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("table1", "quick");
    let older = |u| LogRecord { stable_rank: Default::default(), ..log(u, 1.0) };
    for seed in 0..2 {
        let dir = folder.run(&spec(Method::Sn, "C", seed), &score(10, 3.0, 20.0));
        let lines = if seed == 0 { [log(1, 1.0), log(10, 1.0)] } else { [older(1), older(10)] };
        write_lines(&dir.log_path(), &lines);
    }
    let read = || [ScoredSweep::read(folder.path()).unwrap()];
    let svg = text(&drawn("stable-rank", &read(), None, out.path()));
    assert_eq!(
        svg.matches("<circle").count(),
        7 * 2 + 1,
        "two points in each of seven panels, and the mark in the legend"
    );
    assert!(svg.contains("do not hold the stable rank: SN (1 of 2 runs)"), "{}", &svg[..1200]);
    let first = folder.path().join("runs").join(spec(Method::Sn, "C", 0).dir_name());
    write_lines(&first.join("log.jsonl"), &[older(1)]);
    let sweeps = read();
    let request = Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: true };
    let skipped = (find("stable-rank").unwrap().render)(&request).unwrap();
    assert!(
        matches!(skipped, Rendered::Skipped(why) if why.contains("logged a layer's stable rank"))
    );
}

#[test]
fn training_curves_are_one_figure_a_setting_with_a_row_of_panels_a_method() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("table1", "quick");
    let line = |method, u: u64| LogRecord {
        loss_d: Some(1.0 + u as f64),
        loss_g: Some(2.0),
        loss_reg: Some(if method == Method::WganGp { 9.5 } else { 0.0 }),
        d_real: Some(0.5),
        d_fake: Some(-0.5),
        grad_norm_d: Some(1e-3),
        grad_norm_g: Some(2e-3),
        ..log(u, 1.0)
    };
    for (method, setting, seed) in
        [(Method::Sn, "C", 0), (Method::Sn, "C", 1), (Method::WganGp, "C", 0), (Method::Sn, "D", 0)]
    {
        let dir = folder.run(&spec(method, setting, seed), &score(10, 3.0, 20.0));
        write_lines(&dir.log_path(), &[line(method, 1), line(method, 10)]);
    }
    let paths = drawn("training", &[ScoredSweep::read(folder.path()).unwrap()], None, out.path());
    let names: Vec<_> = paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["training_c.svg", "training_c.png", "training_d.svg", "training_d.png"]);
    let svg = text(&paths);
    // Two points each of: D's and G's loss, the difference, both gradient norms, and for one row the penalty.
    // Circles are D's: its loss and gradient norm in two rows, and its mark in the legend.
    assert_eq!(svg.matches("<circle").count(), 2 * 2 * 2 + 1);
    assert!(svg.contains("setting C") && svg.contains("the mean over up to 2 seeds"));
    assert!(svg.contains("do not hold it: WGAN-GP (1 of 1 runs)"), "{}", &svg[..1500]);
    assert!(!text(&paths[2..]).contains("do not hold it"), "SN has no penalty");
}
