//! Table 1's grid: what is drawn, from which records, and what is refused.

use crate::support::{
    Folder, diverge, draw_samples, folder_of, log, score, spec, spectrum, write_lines,
};
use sngan_experiment::method::Method;
use sngan_experiment::records::{LogRecord, Metric, Protocol, Reference, ScoreRecord};
use sngan_experiment::{RunDir, RunSpec, settings};
use sngan_plot::{Error, Materials, Rendered, Run, ScoredSweep, find, render_all};
use std::path::Path;

/// Settings A–F.
fn of_table_1() -> Vec<String> {
    settings().unwrap().into_keys().filter(|name| name.len() == 1).collect()
}

/// A sweep's folder with every method of Figure 1 in every setting, one seed.
struct Sweep(Folder);

impl Sweep {
    fn new() -> Sweep {
        let mut sweep = Folder::new("table1", "tiny");
        for (i, method) in Method::ALL.into_iter().take(8).enumerate() {
            for (j, name) in of_table_1().iter().enumerate() {
                let (is, fid) = (1.0 + i as f64 + 0.1 * j as f64, 200.0 / (1.0 + i as f64));
                // Of an earlier horizon: a point of the learning curve, and never the last score.
                let scores = [score(5, 0.5, 999.0), score(10, is, fid)].concat();
                let dir = sweep.run(&spec(method, name, 0), &scores);
                let line = |u| LogRecord { loss_d: Some(1.0), loss_g: Some(0.7), ..log(u, 1.0) };
                write_lines(&dir.log_path(), &[line(1), line(5), line(10)]);
                let spectra: Vec<_> = (0..7)
                    .flat_map(|l| [spectrum(l, "raw", 0.5), spectrum(l, "normalized", 0.9)])
                    .collect();
                write_lines(&dir.spectrum_path(), &spectra);
                draw_samples(&dir);
            }
        }
        sweep.ceiling(&score(0, 9.5, 0.5));
        Sweep(sweep)
    }

    fn out(&self) -> &Path {
        self.0.path()
    }

    fn dir(&self, method: Method, setting: &str) -> RunDir {
        let all = ScoredSweep::read(self.out()).unwrap();
        let fits = |r: &&Run| r.spec.method == method && r.spec.setting == setting;
        folder_of(all.runs.iter().find(fits).unwrap())
    }

    fn table1(&self) -> String {
        std::fs::read_to_string(self.out().join("tables/table1.md")).unwrap()
    }
}

fn bytes_of(rendered: &[(&str, Rendered)]) -> Vec<Vec<u8>> {
    let written = rendered.iter().flat_map(|(id, r)| match r {
        Rendered::Written(paths) => paths.clone(),
        Rendered::Skipped(reason) => panic!("{id}: {reason}"),
    });
    written.map(|p| std::fs::read(p).unwrap()).collect()
}

#[test]
fn everything_is_drawn_with_outlined_text_and_the_same_bytes_each_time() {
    let sweep = Sweep::new();
    // Without it no levels are known.
    sweep.0.untrained(1.0, 400.0);
    let first = ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, true)).unwrap();
    assert_eq!(
        first.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [
            "table1",
            "table2",
            "levels",
            "fig1",
            "fig2",
            "fig3",
            "fig6",
            "fig9",
            "fig12",
            "ranks",
            "stable-rank",
            "training"
        ]
    );
    let bytes = bytes_of(&first);
    assert!(
        bytes
            == bytes_of(
                &ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, true)).unwrap()
            )
    );
    let svgs: Vec<_> = bytes.iter().filter(|b| b.starts_with(b"<svg")).collect();
    assert_eq!(svgs.len(), 9 + of_table_1().len());
    for svg in &svgs {
        let text = std::str::from_utf8(svg).unwrap();
        assert!(
            !text.contains("<text")
                && text.contains("<path d=\"M")
                && text.contains("<title>")
                && !text.contains("NaN")
        );
    }
    assert_eq!(bytes.iter().filter(|b| b.starts_with(b"\x89PNG")).count(), svgs.len());
}

#[test]
fn table_1_holds_the_records_numbers_and_keeps_the_papers_apart() {
    let sweep = Sweep::new();
    diverge(&sweep.dir(Method::Sn, "D"));
    ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, false)).unwrap();
    let table = sweep.table1();
    let row = "| SN | 8.00 (n = 1) | 8.10 (n = 1) | 8.20 (n = 1) | diverged at 7 | 8.40 (n = 1) | 8.50 (n = 1) |";
    // What is best in its column is bold.
    let table = table.replace("**", "");
    assert!(table.contains(row), "{table}");
    assert!(
        table.contains("| Weight clip. | 200.00 (n = 1) |")
            && table.contains("| real data | 9.50 |"),
        "{table}"
    );
    assert!(
        table.contains("| F | 0.001 | 0.9 | 0.999 | 5 |")
            && table.contains("| SN | 7.42 ± 0.08 | 29.3 |"),
        "{table}"
    );
    let (ours, papers) = table.split_once("not comparable").unwrap();
    assert!(!ours.contains("7.42") && !papers.contains("8.00"));
    let csv = std::fs::read_to_string(sweep.out().join("tables/table1.csv")).unwrap();
    assert_eq!(csv.lines().count(), 49);
    assert!(
        csv.contains("SN,C,0,0.0002,0.5,0.999,1,10,completed,made-up,100,2,50,8.2,0.25,25,8.2,25"),
        "{csv}"
    );
}

#[test]
fn several_seeds_have_a_standard_error_and_the_best_score_a_table_of_its_own() {
    let mut folder = Folder::new("made-up", "tiny");
    for (seed, last) in [4.0, 5.0, 6.0].into_iter().enumerate() {
        folder.run(
            &spec(Method::Sn, "C", seed as u64),
            &[score(5, last + 1.0, 9.0), score(10, last, 9.0)].concat(),
        );
    }
    ScoredSweep::read(folder.path()).and_then(|s| render_all(&s, false)).unwrap();
    let table = std::fs::read_to_string(folder.path().join("tables/table1.md")).unwrap();
    assert!(
        table.contains("after the last update (higher is better)**\n\n| method | C |\n|---|---|\n| SN | 5.00 ± 0.58 (n = 3) |"),
        "{table}"
    );
    assert!(
        table.contains("best of all checkpoints (higher is better)**\n\n| method | C |\n|---|---|\n| SN | 6.00 ± 0.58 (n = 3) |"),
        "{table}"
    );
    let svg = std::fs::read_to_string(folder.path().join("figures/fig1.svg")).unwrap();
    assert!(
        svg.contains("mean over 3 seeds") && !svg.contains("n = 1"),
        "the caption says what the bars are"
    );
    assert!(svg.contains("mean of the best during training"));
    folder.run(&spec(Method::WeightClipping, "C", 0), &score(10, 3.0, 9.0));
    let collected = ScoredSweep::read(folder.path()).unwrap();
    assert_eq!(
        collected.labels(),
        ["Weight clip.", "SN"],
        "in the paper's order, whichever ran first"
    );
    let run = &collected.runs[0];
    assert_eq!(
        run.learning_curve(sngan_experiment::records::Metric::Is),
        [(5.0, 5.0), (10.0, 4.0)]
    );
}

#[test]
fn scores_of_different_protocols_are_refused_naming_run_and_key() {
    let sweep = Sweep::new();
    let dir = sweep.dir(Method::WganGp, "B");
    let [mut other, fid] = score(10, 1.0, 1.0);
    other.protocol.n_splits = 10;
    write_lines(&dir.scores_path(), &[other, fid]);
    let error = ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, false)).unwrap_err();
    assert!(matches!(error, Error::MixedProtocols { .. }));
    let message = error.to_string();
    assert!(message.contains("wgan-gp-b") && message.contains("n_splits: 2 → 10"), "{message}");
}

#[test]
fn records_that_are_not_there_skip_what_needs_them() {
    let sweep = Sweep::new();
    for run in ScoredSweep::read(sweep.out()).unwrap().runs {
        for path in [
            folder_of(&run).scores_path(),
            folder_of(&run).spectrum_path(),
            folder_of(&run).log_path(),
        ] {
            std::fs::remove_file(path).unwrap();
        }
        std::fs::remove_dir_all(folder_of(&run).path().join("samples")).unwrap();
    }
    for (id, rendered) in
        ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, false)).unwrap()
    {
        assert_eq!(
            matches!(rendered, Rendered::Skipped(_)),
            !id.starts_with("table"),
            "{id}: {rendered:?}"
        );
    }
    assert!(sweep.table1().contains("completed"));
    let plan = sweep.out().join("plan.json");
    let whole = std::fs::read_to_string(&plan).unwrap();
    let said = |sweep: &Sweep| {
        ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, false)).unwrap_err().to_string()
    };
    std::fs::write(&plan, &whole[..whole.len() / 2]).unwrap();
    assert!(
        said(&sweep).contains("plan.json: EOF")
            && said(&sweep).contains("`sngan sweep` into this folder"),
        "{}",
        said(&sweep)
    );
    std::fs::remove_file(&plan).unwrap();
    assert!(
        said(&sweep).contains("plan.json: No such file")
            && said(&sweep).contains("`sngan sweep` into this folder"),
        "{}",
        said(&sweep)
    );
}

#[test]
fn a_sweep_under_way_shows_what_is_not_there_yet() {
    let sweep = Sweep::new();
    std::fs::remove_dir_all(sweep.dir(Method::Sn, "B").path()).unwrap();
    // An earlier grid must not pass for the last one.
    let c = sweep.dir(Method::Sn, "C");
    std::fs::rename(c.sample_path(10), c.sample_path(5)).unwrap();
    ScoredSweep::read(sweep.out()).and_then(|s| render_all(&s, false)).unwrap();
    assert!(
        sweep
            .table1()
            .replace("**", "")
            .contains("| SN | 8.00 (n = 1) | not begun | 8.20 (n = 1) |"),
        "{}",
        sweep.table1()
    );
    let embedded = |s: &str| s.matches("<image").count();
    let svg = std::fs::read_to_string(sweep.out().join("figures/fig6.svg")).unwrap();
    assert_eq!(embedded(&svg), 18 - 2);
}

#[test]
fn figures_3_and_6_of_ones_own_sweep_show_every_row() {
    let (out, mut folder) = (tempfile::tempdir().unwrap(), Folder::new("mine", "quick"));
    let rows = [Method::Vanilla; 8].into_iter().chain([Method::Sn, Method::BatchNorm]);
    for (i, method) in rows.enumerate() {
        let label = format!("row {i}");
        let run = folder.run(&RunSpec { label, ..spec(method, "C", 0) }, &score(10, 3.0, 20.0));
        write_lines(&run.spectrum_path(), &[spectrum(0, "normalized", 0.9)]);
        draw_samples(&run);
    }
    let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
    let materials =
        Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
    let drawn = |id: &str| match (find(id).unwrap().render)(&materials).unwrap() {
        Rendered::Written(paths) => paths,
        Rendered::Skipped(why) => panic!("{id}: {why}"),
    };
    let svg = |path: &Path| std::fs::read_to_string(path).unwrap();

    let spectra = drawn("fig3");
    let names: Vec<_> = spectra.iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["fig3-1.svg", "fig3-1.png", "fig3-2.svg", "fig3-2.png"]);
    for part in [&spectra[0], &spectra[2]] {
        assert!(svg(part).contains("row 8 (setting C, seed 0) is in each"), "SN leads");
    }
    let samples = |id| svg(&drawn(id)[0]).matches("<image").count();
    assert_eq!([samples("fig6"), samples("fig12")], [9, 1], "batch normalization is Figure 12's");
}

/// A grid over α, whose settings are named after it: two seeds of SN in each, with logs and spectra.
fn grid_over_lr(settings: &[&str], is: Option<f64>) -> Folder {
    let mut folder = Folder::new("mine", "quick");
    for (i, setting) in settings.iter().enumerate() {
        for seed in [1, 0] {
            let lr = 1e-4 * (i + 1) as f64;
            let spec = RunSpec { setting: (*setting).into(), lr, ..spec(Method::Sn, "C", seed) };
            let scores = is.map_or_else(Vec::new, |is| score(10, is + seed as f64, 20.0).to_vec());
            let run = folder.run(&spec, &scores);
            write_lines(&run.spectrum_path(), &[spectrum(0, "normalized", 0.9)]);
            write_lines(&run.log_path(), &[log(1, 1.0), log(5, 1.0), log(10, 1.0)]);
        }
    }
    folder
}

/// The first file of a figure, with its caption in its title.
fn caption(folder: &Folder, id: &str) -> String {
    let sweeps = [ScoredSweep::read(folder.path()).unwrap()];
    let out = tempfile::tempdir().unwrap();
    let request = Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
    match (find(id).unwrap().render)(&request).unwrap() {
        Rendered::Written(paths) => std::fs::read_to_string(&paths[0]).unwrap(),
        Rendered::Skipped(why) => panic!("{id}: {why}"),
    }
}

#[test]
fn figure_3_says_by_which_rule_its_runs_were_chosen() {
    let shown = |folder: &Folder| {
        let c = ScoredSweep::read(folder.path()).unwrap();
        let run = c.representative(Method::Sn).unwrap();
        (run.spec.setting.clone(), run.spec.seed)
    };
    let grid = ["lr=4e-4", "lr=1e-4"];
    let unscored = grid_over_lr(&grid, None);
    assert_eq!(shown(&unscored), ("lr=1e-4".into(), 0));
    let said = caption(&unscored, "fig3");
    assert!(
        said.contains("There are no inception scores: of each row the lowest seed in setting C, or in the first setting in alphabetical order"),
        "{}",
        &said[..900]
    );
    let scored = grid_over_lr(&grid, Some(3.0));
    assert_eq!(shown(&scored).1, 1, "the best score");
    let said = caption(&scored, "fig3");
    assert!(said.contains("the run with the best inception score"), "{}", &said[..900]);
    assert!(!said.contains("alphabetical"), "{}", &said[..900]);
}

#[test]
fn figures_of_one_setting_show_the_first_where_none_is_c_and_say_so() {
    let (two, one) = (["lr=4e-4", "lr=1e-4"], ["lr=4e-4"]);
    let [two, one] = [&two[..], &one[..]].map(|settings| grid_over_lr(settings, None));
    for id in ["fig9", "ranks", "stable-rank"] {
        let said = caption(&two, id);
        assert!(
            said.contains(", setting lr=1e-4")
                && said.contains("No setting is called C; lr=1e-4 is the first in alphabetical"),
            "{id}: {}",
            &said[..900]
        );
        let said = caption(&one, id);
        assert!(said.contains(", setting lr=4e-4") && !said.contains("alphabetical"), "{id}");
    }
}

/// FIDs of a run, oldest first, each under the protocol of this name.
fn fids(of: &[(&str, f64)]) -> Vec<ScoreRecord> {
    let record = |(name, fid): &(&str, f64)| {
        let [_, record] = score(10, 1.0, *fid);
        let reference = record.protocol.reference.clone();
        let reference = reference.map(|r| Reference { name: (*name).into(), ..r });
        let protocol = Protocol { name: (*name).into(), reference, ..record.protocol.clone() };
        ScoreRecord { protocol, ..record }
    };
    of.iter().map(record).collect()
}

#[test]
fn scores_are_read_under_the_protocol_that_most_runs_share() {
    let (own, others) = ("fid_2k_ref1k", "fid_2k_images800");
    let read = |runs: [&[(&str, f64)]; 3]| {
        let mut folder = Folder::new("mine", "quick");
        for (seed, scores) in runs.into_iter().enumerate() {
            folder.run(&spec(Method::Sn, "C", seed as u64), &fids(scores));
        }
        ScoredSweep::read(folder.path()).map(|sweep| {
            let last = |run: &Run| run.last(Metric::Fid).unwrap();
            sweep.runs.iter().map(last).collect::<Vec<_>>()
        })
    };
    // A later score against other images changes nothing, be it of all runs or of some.
    let both: &[(&str, f64)] = &[(own, 1.0), (others, 9.0)];
    assert_eq!(read([both, both, both]).unwrap(), [1.0; 3]);
    assert_eq!(read([both, both, &[(own, 2.0)]]).unwrap(), [1.0, 1.0, 2.0]);
    assert_eq!(read([&[(others, 9.0)], &[(others, 8.0)], both]).unwrap(), [9.0, 8.0, 9.0]);
    // Where a run has no score that most have, it is the one that is named.
    let message = read([&[(others, 9.0)], &[(own, 1.0)], &[(own, 2.0)]]).unwrap_err().to_string();
    assert!(message.contains("-s0-") && message.contains("fid_2k_ref1k → fid_2k_images800"));
}
