//! Every table and figure of the paper: that it is there, is described, and is drawn from records of its experiment.

use crate::support::{
    Folder, diverge, draw_samples, folder_of, log, protocol, score, spec, write_lines,
};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::benchmark::{UpdateTiming, UpdateTimings};
use sngan_experiment::method::{Method, Normalization};
use sngan_experiment::records::{LogRecord, Metric, ScoreRecord};
use sngan_plot::{Materials, Rendered, ScoredSweep, Source, Whose, figures, find};
use sngan_plot::{render_all, report, tables};
use std::path::{Path, PathBuf};

#[test]
fn no_table_or_figure_of_the_paper_is_missing() {
    let ids =
        |list: &[sngan_plot::Artefact]| list.iter().map(|a| a.id.to_string()).collect::<Vec<_>>();
    let papers = (1..=8).map(|i| format!("table{i}"));
    assert_eq!(ids(tables()), papers.chain(["levels".into()]).collect::<Vec<_>>());
    let papers = (1..=15).map(|i| format!("fig{i}"));
    let own = ["ranks", "stable-rank", "scores", "training"].map(String::from);
    assert_eq!(ids(figures()), papers.chain(own).collect::<Vec<_>>());
    let map = include_str!("../../../../docs/paper-map.md");
    for row in map.lines().filter(|l| l.starts_with('|')) {
        assert!(
            row.trim_matches('|').split('|').all(|cell| !cell.trim().is_empty()),
            "an empty cell: {row}"
        );
    }
    for artefact in tables().iter().chain(figures()) {
        let row = map.lines().find(|l| l.contains(&format!("(`{}`)", artefact.id)));
        let row = row.unwrap_or_else(|| {
            panic!("docs/paper-map.md lacks {}: {}", artefact.id, artefact.title)
        });
        for command in artefact.commands("quick") {
            let named = command.split_whitespace().nth(2).unwrap();
            assert!(
                row.contains(named),
                "docs/paper-map.md does not say that {} is made by `{command}`",
                artefact.id
            );
        }
    }
    assert!(find("fig16").unwrap_err().to_string().contains("known: table1, table2"));
}

/// The recipes draw what the justfile's lists name.
#[test]
fn the_justfile_lists_every_table_and_figure() {
    let justfile = include_str!("../../../../justfile");
    let list = |name: &str| {
        let line = justfile.lines().find_map(|l| l.strip_prefix(&format!("{name} := ")));
        let list = line.unwrap_or_else(|| panic!("no list {name}")).trim_matches('"');
        list.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    let of = |artefacts: &[sngan_plot::Artefact], keep: fn(Source) -> bool| {
        let kept = artefacts.iter().filter(|a| keep(a.source));
        kept.map(|a| a.id.to_string()).collect::<Vec<_>>()
    };
    let timed = |source| source == Source::Timings;
    // What any sweep can have comes with that sweep's own drawings.
    fn ours(source: Source) -> bool {
        source != Source::Timings && source != Source::Sweeps(Whose::Everybodys)
    }
    let scored = |source| ours(source) && source != Source::Code;
    assert_eq!(list("scored_tables"), of(tables(), scored));
    assert_eq!(list("code_tables"), of(tables(), |source| source == Source::Code));
    assert_eq!(list("figures"), of(figures(), ours));
    assert_eq!(list("timed_figures"), of(figures(), timed));
}

#[test]
fn every_experiment_that_is_named_has_a_file() {
    for artefact in tables().iter().chain(figures()) {
        let names = artefact.experiments();
        let own = [Whose::Papers, Whose::Anybodys].map(Source::Sweeps);
        assert_eq!(names.is_empty(), !own.contains(&artefact.source), "{}", artefact.id);
        for name in names {
            let file = sngan_experiment::built_in(name).unwrap().unwrap();
            for scale in ["smoke", "quick", "narrow", "wide", "paper"] {
                file.plan(scale).unwrap();
            }
        }
    }
}

pub(crate) fn drawn(
    id: &str,
    sweeps: &[ScoredSweep],
    timings: Option<&UpdateTimings>,
    folder: &Path,
) -> Vec<PathBuf> {
    match (find(id).unwrap().render)(&Materials { sweeps, timings, folder, compare: true }).unwrap()
    {
        Rendered::Written(paths) => paths,
        Rendered::Skipped(reason) => panic!("{id}: {reason}"),
    }
}

pub(crate) fn text(paths: &[PathBuf]) -> String {
    std::fs::read_to_string(&paths[0]).unwrap()
}

#[test]
fn what_the_code_alone_decides_needs_no_records() {
    let out = tempfile::tempdir().unwrap();
    for artefact in tables().iter().chain(figures()).filter(|a| a.source == Source::Code) {
        assert!(!drawn(artefact.id, &[], None, out.path()).is_empty());
    }
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    assert!(
        read("table3.md").contains("D, CIFAR-10, side 32: 2935873 parameters"),
        "{}",
        read("table3.md")
    );
    assert!(read("table4.md").contains("| ResBlock down 128 | 128×16×16 |"));
    assert!(
        read("table6.md")
            .contains("append embedding of 1000 classes, 128 (no bias) | 384×16×16 | 128000 |"),
        "{}",
        read("table6.md")
    );
}

/// A sweep of both methods over a key, three seeds each.
fn over(
    name: &str,
    methods: [Method; 2],
    vary: impl Fn(&mut RunSpec, f64),
    values: &[f64],
) -> Folder {
    let mut folder = Folder::new(name, "quick");
    for method in methods {
        for value in values {
            for seed in 0..3 {
                let mut spec = spec(method, "D", seed);
                spec.side = 16;
                vary(&mut spec, *value);
                spec.label = format!("{} {value}", method.label());
                folder.run(&spec, &score(10, 3.0 + value / 10.0 + seed as f64 / 100.0, 20.0));
            }
        }
    }
    folder
}

#[test]
fn curves_against_a_key_have_a_point_for_each_value_with_its_seeds() {
    let out = tempfile::tempdir().unwrap();
    let n_dis = over(
        "n-dis",
        [Method::Sn, Method::WeightNorm],
        |s, v| s.n_dis = v as u32,
        &[1.0, 2.0, 5.0, 10.0, 20.0],
    );
    let svg = text(&drawn("fig11", &[ScoredSweep::read(n_dis.path()).unwrap()], None, out.path()));
    // Circles: SN's points and its mark in the legend. Polygons: WN's triangles, and a band each.
    assert!(svg.contains("Mean over 3 seeds") && svg.contains("the standard deviation, where"));
    assert_eq!((svg.matches("<circle").count(), svg.matches("<polygon").count()), (6, 6 + 2));
    // Runs that diverged are in no point, and a cross stands where they are: all of one, one of another.
    // Text is drawn as paths; words are dark or grey, crosses have their series' colour.
    let colors = ["#0072b2", "#009e73"];
    let crosses = |svg: &str| {
        let fills = svg
            .split("<path")
            .skip(1)
            .filter_map(|path| path.split("/>").next()?.rsplit("fill=").next());
        fills.filter(|fill| colors.iter().any(|c| fill.contains(c))).count()
    };
    assert_eq!(crosses(&svg), 0);
    let lost = |method, n_dis, seed| RunSpec {
        n_dis,
        seed,
        side: 16,
        label: "lost".into(),
        ..spec(method, "D", 0)
    };
    let mut with_lost =
        over("n-dis", [Method::Sn, Method::WeightNorm], |s, v| s.n_dis = v as u32, &[1.0, 2.0]);
    for spec in [
        lost(Method::WeightNorm, 2, 9),
        lost(Method::WeightNorm, 20, 0),
        lost(Method::WeightNorm, 20, 1),
    ] {
        diverge(&with_lost.run(&spec, &score(10, 3.0, 20.0)));
    }
    let svg =
        text(&drawn("fig11", &[ScoredSweep::read(with_lost.path()).unwrap()], None, out.path()));
    assert_eq!((svg.matches("<circle").count(), crosses(&svg)), (3, 2));
    assert!(svg.contains("3 runs diverged and are in no mean"), "{}", &svg[..900]);
    // Two settings at one n_dis are two curves, and no point is the mean of both; the first has circles.
    let mut pooled = n_dis;
    pooled.run(&RunSpec { n_dis: 1, side: 16, ..spec(Method::Sn, "A", 0) }, &score(10, 9.0, 20.0));
    let svg = text(&drawn("fig11", &[ScoredSweep::read(pooled.path()).unwrap()], None, out.path()));
    assert!(
        svg.contains("settings A, D") && svg.matches("<circle").count() == 2,
        "{}",
        &svg[..900]
    );
    let last = over(
        "last-layer",
        [Method::Orthonormal, Method::Sn],
        |s, v| s.last_conv_factor = v,
        &[0.5, 1.0, 8.0],
    );
    let svg = text(&drawn("fig4", &[ScoredSweep::read(last.path()).unwrap()], None, out.path()));
    assert!(
        svg.contains("STL-10") && svg.matches("<circle").count() == 4,
        "the caption names the paper's data"
    );
}

#[test]
fn an_artefact_takes_its_own_experiments_and_unknown_ones() {
    let accepts = |id: &str, name: &str| {
        let mut folder = Folder::new(name, "quick");
        folder.title("a title");
        find(id).unwrap().accepts(&ScoredSweep::read(folder.path()).unwrap().plan)
    };
    assert!(
        accepts("fig11", "n-dis")
            && accepts("fig11", "my-own")
            && accepts("fig2", "my-own")
            && accepts("table2", "table1")
            && accepts("fig8", "table1")
    );
    assert!(
        !accepts("fig11", "table1")
            && !accepts("table7", "my-own")
            && !accepts("fig4", "n-dis")
            && !accepts("table7", "table8")
            && !accepts("table8", "table7")
    );
}

#[test]
fn effective_ranks_have_a_panel_for_each_layer_and_a_curve_for_each_row() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("table1", "quick");
    for (method, seed) in [(Method::Sn, 0), (Method::Sn, 1), (Method::WeightNorm, 0)] {
        let dir = folder.run(&spec(method, "C", seed), &score(10, 3.0, 20.0));
        write_lines(&dir.log_path(), &[log(1, 1.0), log(10, 1.0)]);
    }
    let svg = text(&drawn("ranks", &[ScoredSweep::read(folder.path()).unwrap()], None, out.path()));
    assert_eq!(
        svg.matches("<circle").count(),
        7 * 2 + 1,
        "two points of SN in each of seven panels, and its mark in the legend"
    );
    assert!(
        svg.contains("convolutions, setting C") && svg.contains("exp of the entropy"),
        "{}",
        &svg[..900]
    );
}

#[test]
fn learning_curves_and_samples_of_imagenet_are_drawn_from_its_sweeps() {
    let out = tempfile::tempdir().unwrap();
    let sweep = |name: &str, conditioning| {
        let mut folder = Folder::new(name, "quick");
        for method in [Method::Sn, Method::Orthonormal] {
            let n_classes = if conditioning == Conditioning::None { 0 } else { 10 };
            let spec = RunSpec {
                architecture: Architecture::ResnetImagenet,
                side: 32,
                conditioning,
                n_classes,
                ..spec(method, "A", 0)
            };
            let dir = folder.run(&spec, &[score(5, 2.0, 30.0), score(10, 3.0, 20.0)].concat());
            draw_samples(&dir);
        }
        folder
    };
    let (plain, concat) =
        (sweep("imagenet", Conditioning::None), sweep("imagenet-concat", Conditioning::Concat));
    let projection = sweep("imagenet-projection", Conditioning::Projection);
    let read = |folder: &Folder| ScoredSweep::read(folder.path()).unwrap();
    let svg = text(&drawn("fig5", &[read(&concat)], None, out.path()));
    assert!(
        svg.contains("not comparable: SN-GAN concat has 21.1 ± 0.35 after 450,000 updates (intra-class MS-SSIM 0.101)")
            && svg.matches("<circle").count() == 3,
        "{}",
        &svg[..900]
    );
    let svg = text(&drawn("fig13", &[read(&plain), read(&projection)], None, out.path()));
    assert_eq!(svg.matches("<circle").count(), 2 * 2 + 1);
    assert!(
        svg.contains("(a) Stand-in") && svg.contains("(b) Stand-in") && !svg.contains("(b) Curves"),
        "a line of both panels names neither: {}",
        &svg[..1500]
    );
    assert!(text(&drawn("fig7", &[read(&concat)], None, out.path())).contains("<image"));
}

#[test]
fn reparametrized_runs_fill_tables_7_and_8_and_figure_15() {
    let out = tempfile::tempdir().unwrap();
    let mut folder = Folder::new("table7", "quick");
    let normalizations = [
        Normalization::None,
        Normalization::Frobenius,
        Normalization::Weight,
        Normalization::Spectral,
    ];
    for (i, normalization) in normalizations.into_iter().enumerate() {
        for seed in 0..2 {
            let gamma = normalization != Normalization::None;
            let spec = RunSpec {
                normalization,
                gamma,
                label: format!("row {i}"),
                ..spec(Method::WganGp, "A", seed)
            };
            let is = 5.0 + i as f64 + seed as f64;
            let dir = folder.run(&spec, &[score(5, 4.0, 50.0), score(10, is, 40.0)].concat());
            let line = |u: u64| LogRecord {
                critic_train: Some(1.0),
                critic_held_out: Some(2.0),
                ..log(u, 1.0)
            };
            write_lines(&dir.log_path(), &[line(1), line(10)]);
        }
    }
    let sweep = [ScoredSweep::read(folder.path()).unwrap()];
    let table = text(&drawn("table7", &sweep, None, out.path()));
    assert!(
        table.contains("| cnn | WGAN-GP w/ SN | 8.50 ± 0.50 (n = 2) | 8.50 ± 0.50 (n = 2) | 7.20 ± 0.08 | 40.00 ± 0.00 (n = 2) | 32.0 |"),
        "{table}"
    );
    assert!(
        table.contains("| cnn | WGAN-GP w/ Frobenius norm | 6.50 ± 0.50 (n = 2) |")
            && table.contains("training collapsed early"),
        "{table}"
    );
    assert!(table.contains("WGAN-GP w/ Frobenius norm (cnn) did not collapse, unlike the paper's: 0 of 2 runs diverged"), "{table}");
    assert!(
        table.contains("**full width, batch 64, 10 updates**")
            && table.contains(
                "**Rows of the paper's table that were not run here, or that it quotes**"
            )
            && table.contains("| resnet | WGAN-GP | 7.80 ± 0.11 | 24.5 | baseline |")
            && table.contains("literature"),
        "{table}"
    );
    let frobenius =
        || sweep[0].runs.iter().filter(|r| r.spec.normalization == Normalization::Frobenius);
    frobenius().for_each(|run| diverge(&folder_of(run)));
    let table =
        text(&drawn("table7", &[ScoredSweep::read(folder.path()).unwrap()], None, out.path()));
    assert!(
        table.contains("w/ Frobenius norm (cnn) collapsed, as in the paper: 2 of 2 runs diverged"),
        "{table}"
    );
    let svg = text(&drawn("fig15", &sweep, None, out.path()));
    assert!(svg.contains("7.28") && svg.matches("<polyline").count() > 12);
    assert!(
        svg.contains("over 256 training images"),
        "records that do not say it: {}",
        &svg[..900]
    );
    // Each row has the colour of the method its values belong to: WGAN-GP's, WN's and SN's, as in every figure.
    let lines =
        |color: &str| svg.matches(&format!("stroke=\"{color}\" stroke-width=\"4\"")).count();
    assert!(["#d55e00", "#009e73", "#0072b2"].iter().all(|c| lines(c) > 0), "colours of methods");
    assert!(["#e69f00", "#56b4e9", "#cc79a7"].iter().all(|c| lines(c) == 0), "no other colours");

    let mut labelled = Folder::new("table8", "quick");
    let architecture = Architecture::ResnetGulrajani;
    let wide = RunSpec {
        architecture,
        conditioning: Conditioning::AcGan,
        n_classes: 10,
        ..spec(Method::WganGp, "A", 0)
    };
    let wide = RunSpec {
        dis_width_factor: 1.5,
        normalization: Normalization::Spectral,
        gamma: true,
        ..wide
    };
    labelled.run(&wide, &score(10, 8.0, 18.0));
    let table =
        text(&drawn("table8", &[ScoredSweep::read(labelled.path()).unwrap()], None, out.path()));
    assert!(
        table.contains(
            "| resnet | AC-WGAN-GP w/ SN (1.5x feature maps in D) | 8.00 (n = 1) | – | 8.60"
        ),
        "scored once: {table}"
    );
    assert!(table.contains("ours, best (needs eval_every)"), "{table}");
}

#[test]
fn table_2_takes_rows_from_several_sweeps_and_refuses_mixed_protocols() {
    let out = tempfile::tempdir().unwrap();
    let mut grid = Folder::new("table1", "quick");
    for (setting, is) in [("C", 6.0), ("D", 7.0)] {
        grid.run(&spec(Method::Sn, setting, 0), &score(10, is, 30.0));
    }
    let mut hinge = Folder::new("table2", "quick");
    let hinged = RunSpec {
        loss: sngan_experiment::method::Loss::Hinge,
        label: "SN, hinge".into(),
        ..spec(Method::Sn, "C", 0)
    };
    let dir = hinge.run(&hinged, &score(10, 7.5, 25.0));
    hinge.run(&spec(Method::Sn, "C", 0), &score(10, 6.0, 30.0));
    let read =
        || [ScoredSweep::read(grid.path()).unwrap(), ScoredSweep::read(hinge.path()).unwrap()];
    let table = text(&drawn("table2", &read(), None, out.path()));
    assert!(
        table.contains("| cnn | SN | standard | 1x | 7.00 (n = 1), D | 7.42 ± 0.08 |"),
        "{table}"
    );
    assert!(table.contains("| cnn | SN | hinge | 1x | 7.50 (n = 1), C | 7.58 ± 0.12 |"), "{table}");
    assert!(table.contains("| literature | DCGAN |  |  | 6.64 ± 0.14 | 7.84 ± 0.07 |"), "{table}");
    let mut other = score(10, 7.5, 25.0);
    let second = hinge.path().join("runs").join(spec(Method::Sn, "C", 0).dir_name());
    std::fs::remove_file(second.join("scores.jsonl")).unwrap();
    other.iter_mut().for_each(|s| s.protocol.n_samples = 7);
    write_lines(&dir.scores_path(), &other);
    let sweeps = read();
    let request = Materials { sweeps: &sweeps, timings: None, folder: out.path(), compare: false };
    let message = (find("table2").unwrap().render)(&request).unwrap_err().to_string();
    assert!(message.contains("n_samples: 100 → 7"), "{message}");
}

#[test]
fn timings_become_bars_and_ratios() {
    let out = tempfile::tempdir().unwrap();
    let entry = |method, side, d: f64| UpdateTiming {
        method,
        side,
        discriminator: vec![d, d],
        generator: vec![0.1, 0.1],
    };
    let methods = [
        (Method::WganGp, 0.4),
        (Method::WeightNorm, 0.1),
        (Method::Sn, 0.12),
        (Method::Vanilla, 0.1),
    ];
    let entries = [32, 48]
        .into_iter()
        .flat_map(|side| methods.map(|(m, d)| entry(m, side, d * side as f64 / 32.0)))
        .collect();
    let timings = UpdateTimings {
        version: 1,
        sngan: String::new(),
        cpu: "a CPU".into(),
        instruction_set: "avx2".into(),
        threads: 2,
        batch: 64,
        width_divisor: 1,
        n_dis: 5,
        entries,
    };
    let svg = text(&drawn("fig10", &[], Some(&timings), out.path()));
    assert!(svg.contains("2 threads of a CPU (avx2)"), "{}", &svg[..600]);
    let nothing = Materials { sweeps: &[], timings: None, folder: out.path(), compare: false };
    assert!(
        matches!((find("fig10").unwrap().render)(&nothing).unwrap(), Rendered::Skipped(why) if why.contains("sngan bench figure10"))
    );
}

#[test]
fn an_experiment_of_ones_own_has_nothing_of_the_paper_and_all_of_its_metrics() {
    let mut sweep = Folder::new("my-own", "tiny");
    for (method, kid) in [(Method::Sn, 0.01), (Method::WeightNorm, -0.002)] {
        let mut scores = score(10, 3.0, 20.0).to_vec();
        let (metric, protocol) = (Metric::Kid, protocol(Metric::Kid));
        scores.push(ScoreRecord { metric, value: Some(kid), protocol, ..scores[1].clone() });
        let mut spec = spec(method, "C", 0);
        spec.dataset = sngan_experiment::Dataset::Cifar10;
        draw_samples(&sweep.run(&spec, &scores));
    }
    let rendered = ScoredSweep::read(sweep.path()).and_then(|s| render_all(&s, true)).unwrap();
    let written: Vec<String> = rendered
        .iter()
        .filter_map(|(_, r)| if let Rendered::Written(paths) = r { Some(paths) } else { None })
        .flatten()
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(written.contains(&"scores-kid.svg".into()), "{written:?}");
    report::write(&ScoredSweep::read(sweep.path()).unwrap(), &report::Beside::default()).unwrap();
    let read = |path: &str| std::fs::read_to_string(sweep.path().join(path)).unwrap();
    let table = read("tables/table1.md");
    assert!(table.contains("kid[made-up]") && table.contains("-0.00"), "{table}");
    assert!(read("tables/table1.csv").lines().next().unwrap().ends_with("kid,kid_std,kid_best"));
    for (name, text) in [("figures/fig2.svg", ""), ("tables/table1.md", ""), ("report.html", "")]
        .map(|(name, _)| (name, read(name)))
    {
        for of_the_paper in ["tand-in", "Figure 2", "Table 1", "paper's best", "he paper's:"] {
            assert!(!text.contains(of_the_paper), "{name} says `{of_the_paper}`");
        }
    }
    // The same runs for the paper's experiment.
    let mut papers = Folder::new("table1", "tiny");
    papers.run(&spec(Method::Sn, "C", 0), &score(10, 3.0, 20.0));
    ScoredSweep::read(papers.path()).and_then(|s| render_all(&s, true)).unwrap();
    let table = std::fs::read_to_string(papers.path().join("tables/table1.md")).unwrap();
    assert!(table.contains("# Table 1 — ") && table.contains("paper's best"), "{table}");
}
