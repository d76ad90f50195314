//! Tables and figures from made-up records.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use sngan_experiment::method::Method;
use sngan_experiment::records::{
    FORMAT_VERSION, LogRecord, Metric, PlanRecord, Protocol, Provenance, Record, Reference, ScoreRecord, SpectrumRecord, Status,
};
use sngan_experiment::{RunDir, RunSpec, atomic, run_dir, settings};
use sngan_plot::{Error, Rendered, collect, export, figures, render_all, tables};
use std::path::Path;
use tempfile::TempDir;

/// A sweep's folder with every method of Figure 1 in every setting.
struct Sweep(TempDir);

fn protocol(metric: Metric) -> Protocol {
    let compared = Reference { name: "r".into(), n: 50, sha256: "11".into() };
    Protocol {
        name: format!("{}_100", metric.name()),
        backbone: "made-up".into(),
        backbone_sha256: "00".into(),
        n_samples: 100,
        n_splits: if metric == Metric::Is { 2 } else { 1 },
        reference: (metric == Metric::Fid).then_some(compared),
        resize: "none".into(),
        bytes: "truncate".into(),
        stamps: Vec::new(),
    }
}

fn score(gen_updates: u64, is: f64, fid: f64) -> [ScoreRecord; 2] {
    let record = |metric, value, std| ScoreRecord {
        version: ScoreRecord::VERSION,
        gen_updates,
        metric,
        value: Some(value),
        std,
        protocol: protocol(metric),
    };
    [record(Metric::Is, is, Some(0.25)), record(Metric::Fid, fid, None)]
}

fn log(gen_update: u64) -> LogRecord {
    let sigma = (0..7).map(|i| (format!("conv{i}"), Some(1.0 + 0.01 * i as f64))).collect::<std::collections::BTreeMap<_, _>>();
    LogRecord {
        version: FORMAT_VERSION,
        gen_update,
        loss_d: None,
        loss_reg: None,
        loss_g: None,
        d_real: None,
        d_fake: None,
        grad_norm_d: None,
        grad_norm_g: None,
        sigma_forward: sigma.clone(),
        sigma_fig9: sigma,
        loss_class_d: None,
        loss_class_g: None,
        critic_train: None,
        critic_held_out: None,
    }
}

fn spectrum(layer: usize, weights: &str) -> SpectrumRecord {
    let squared = (1..=8).map(|i| 4.0 / f64::from(i)).collect();
    SpectrumRecord { version: FORMAT_VERSION, gen_updates: 10, layer: format!("conv{layer}"), weights: weights.into(), squared }
}

impl Sweep {
    fn new() -> Sweep {
        let sweep = Sweep(tempfile::tempdir().unwrap());
        let mut runs = Vec::new();
        for (i, method) in Method::ALL.into_iter().take(8).enumerate() {
            for (j, (name, s)) in settings().unwrap().into_iter().enumerate() {
                let spec = RunSpec {
                    setting: name,
                    lr: s.lr,
                    beta1: s.beta1,
                    beta2: s.beta2,
                    n_dis: s.n_dis,
                    gen_updates: 10,
                    side: 8,
                    ..RunSpec::paper(method)
                };
                runs.push(spec.dir_name());
                sweep.run(&spec, 1.0 + i as f64 + 0.1 * j as f64, 200.0 / (1.0 + i as f64));
            }
        }
        let plan = PlanRecord { version: FORMAT_VERSION, name: "made-up".into(), title: "a grid".into(), scale: "tiny".into(), runs };
        atomic::write_json(&sweep.out().join("plan.json"), &plan).unwrap();
        run_dir::write_lines(&sweep.out().join("ceiling.jsonl"), &score(0, 9.5, 0.5)).unwrap();
        sweep
    }

    fn out(&self) -> &Path {
        self.0.path()
    }

    fn dir(&self, method: Method, setting: &str) -> RunDir {
        let all = collect(self.out()).unwrap();
        all.runs.iter().find(|r| r.spec.method == method && r.spec.setting == setting).unwrap().dir.clone()
    }

    fn run(&self, spec: &RunSpec, is: f64, fid: f64) {
        let provenance = Provenance {
            version: FORMAT_VERSION,
            sngan: String::new(),
            device: "cpu".into(),
            threads: 1,
            cpu: String::new(),
            instruction_set: String::new(),
            log_every: 1,
            dataset: String::new(),
            dataset_sha256: String::new(),
        };
        let dir = RunDir::create(self.out().join("runs").join(spec.dir_name()), spec, &provenance).unwrap();
        dir.write_status(Status::Completed, 10, None).unwrap();
        // A score of an earlier horizon must not be shown.
        run_dir::write_lines(&dir.scores_path(), &[score(5, 99.0, 99.0), score(10, is, fid)].concat()).unwrap();
        run_dir::write_lines(&dir.log_path(), &[log(1), log(10)]).unwrap();
        let spectra: Vec<_> = (0..7).flat_map(|l| [spectrum(l, "raw"), spectrum(l, "normalized")]).collect();
        run_dir::write_lines(&dir.spectrum_path(), &spectra).unwrap();
        std::fs::create_dir_all(dir.path().join("samples")).unwrap();
        image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, 90])).save(dir.sample_path(10)).unwrap();
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
    let first = render_all(sweep.out(), false).unwrap();
    let bytes = bytes_of(&first);
    assert!(bytes == bytes_of(&render_all(sweep.out(), false).unwrap()));
    let svgs: Vec<_> = bytes.iter().filter(|b| b.starts_with(b"<svg")).collect();
    assert_eq!(svgs.len(), 6);
    for svg in svgs {
        let text = std::str::from_utf8(svg).unwrap();
        assert!(!text.contains("<text") && text.contains("<path d=\"M") && text.contains("<title>") && !text.contains("NaN"));
    }
    assert_eq!(bytes.iter().filter(|b| b.starts_with(b"\x89PNG")).count(), 6);
}

#[test]
fn table_1_holds_the_records_numbers_and_keeps_the_papers_apart() {
    let sweep = Sweep::new();
    sweep.dir(Method::Sn, "D").write_status(Status::Diverged, 7, Some("loss".into())).unwrap();
    std::fs::remove_file(sweep.dir(Method::Sn, "D").scores_path()).unwrap();
    render_all(sweep.out(), false).unwrap();
    let table = std::fs::read_to_string(sweep.out().join("tables/table1.md")).unwrap();
    assert!(table.contains("| SN | 8.00 ± 0.25 | 8.10 ± 0.25 | 8.20 ± 0.25 | diverged at 7 | 8.40 ± 0.25 | 8.50 ± 0.25 |"), "{table}");
    assert!(table.contains("| Weight clip. | 200.00 |") && table.contains("*real data* | 9.50 ± 0.25"), "{table}");
    assert!(table.contains("| F | 0.001 | 0.9 | 0.999 | 5 |") && table.contains("| SN | 7.42 ± 0.08 | 29.3 |"), "{table}");
    let (ours, papers) = table.split_once("not comparable").unwrap();
    assert!(!ours.contains("7.42") && !papers.contains("8.00"));
    let csv = std::fs::read_to_string(sweep.out().join("tables/table1.csv")).unwrap();
    assert_eq!(csv.lines().count(), 49);
    assert!(csv.contains("SN,C,0,0.0002,0.5,0.999,1,10,completed,made-up,100,2,50,8.2,0.25,25"), "{csv}");
}

#[test]
fn scores_of_different_protocols_are_refused_naming_run_and_key() {
    let sweep = Sweep::new();
    let dir = sweep.dir(Method::WganGp, "B");
    let [mut other, fid] = score(10, 1.0, 1.0);
    other.protocol.n_splits = 10;
    run_dir::write_lines(&dir.scores_path(), &[other, fid]).unwrap();
    let error = render_all(sweep.out(), false).unwrap_err();
    assert!(matches!(error, Error::MixedProtocols { .. }));
    let message = error.to_string();
    assert!(message.contains("wgan-gp-b") && message.contains("n_splits: 2 → 10"), "{message}");
}

#[test]
fn records_that_are_not_there_skip_what_needs_them() {
    let sweep = Sweep::new();
    for run in collect(sweep.out()).unwrap().runs {
        for path in [run.dir.scores_path(), run.dir.spectrum_path(), run.dir.log_path()] {
            std::fs::remove_file(path).unwrap();
        }
        std::fs::remove_dir_all(run.dir.path().join("samples")).unwrap();
    }
    for (id, rendered) in render_all(sweep.out(), false).unwrap() {
        assert_eq!(matches!(rendered, Rendered::Skipped(_)), id != "table1", "{id}: {rendered:?}");
    }
    assert!(std::fs::read_to_string(sweep.out().join("tables/table1.md")).unwrap().contains("completed"));
    std::fs::remove_file(sweep.out().join("plan.json")).unwrap();
    assert!(render_all(sweep.out(), false).unwrap_err().to_string().contains("plan.json"));
}

#[test]
fn a_sweep_under_way_shows_what_is_not_there_yet() {
    let sweep = Sweep::new();
    std::fs::remove_dir_all(sweep.dir(Method::Sn, "B").path()).unwrap();
    // An earlier grid must not pass for the last one.
    let c = sweep.dir(Method::Sn, "C");
    std::fs::rename(c.sample_path(10), c.sample_path(5)).unwrap();
    render_all(sweep.out(), false).unwrap();
    let table = std::fs::read_to_string(sweep.out().join("tables/table1.md")).unwrap();
    assert!(table.contains("| SN | 8.00 ± 0.25 | not begun | 8.20 ± 0.25 |"), "{table}");
    let embedded = |s: &str| s.matches("<image").count();
    let svg = std::fs::read_to_string(sweep.out().join("figures/fig6.svg")).unwrap();
    assert_eq!(embedded(&svg), 18 - 2);
}

#[test]
fn the_paper_map_names_every_table_and_figure() {
    let map = include_str!("../../../docs/paper-map.md");
    for artefact in tables().iter().chain(figures()) {
        assert!(map.contains(&format!("(`{}`)", artefact.id)), "docs/paper-map.md lacks {}: {}", artefact.id, artefact.title);
    }
}

#[test]
fn records_become_tables_that_other_programs_read() {
    use polars::prelude::{ParquetReader, SerReader};
    let sweep = Sweep::new();
    let folder = sweep.out().join("records");
    let files = export(&[sweep.out().to_path_buf()], &folder).unwrap();
    // The made-up runs have no timing.
    assert_eq!(files.len(), 2 * 5, "{files:?}");
    let read = |name: &str| ParquetReader::new(std::fs::File::open(folder.join(name)).unwrap()).finish().unwrap();
    let height = |name: &str| read(&format!("{name}.parquet")).height();
    assert_eq!(["runs", "log", "sigma", "scores", "spectrum"].map(height), [48, 2 * 48, 2 * 7 * 48, 4 * 48, 8 * 14 * 48]);
    let scores = read("scores.parquet");
    let values: Vec<Option<f64>> = scores.column("value").unwrap().f64().unwrap().iter().collect();
    assert!(values.contains(&Some(9.0 - 1.0 + 0.2)) && values.contains(&Some(99.0)), "{values:?}");
    assert_eq!(scores.column("reference").unwrap().null_count(), 2 * 48);
    let csv = std::fs::read_to_string(folder.join("scores.csv")).unwrap();
    assert!(csv.starts_with("sweep,run,gen_updates,metric,value,std,protocol,backbone,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 4 * 48);
    assert!(export(&[folder.join("nothing")], &folder).unwrap_err().to_string().contains("nothing"));
}
