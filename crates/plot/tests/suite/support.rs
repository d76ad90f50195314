//! Folders of made-up records.

use serde::Serialize;
use sngan_experiment::method::Method;
use sngan_experiment::records::{
    FORMAT_VERSION, LogRecord, Metric, PlanRecord, Protocol, Provenance, Record, Reference,
    ScoreRecord, Segment, SpectrumRecord, Status, StatusRecord,
};
use sngan_experiment::{RunDir, RunSpec, settings};
use sngan_plot::Run;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;

// Records are written without syncing, unlike real ones: some tests make hundreds of runs.

fn write_json<T: Serialize>(path: &Path, value: &T) {
    std::fs::write(path, serde_json::to_vec(value).unwrap()).unwrap();
}

/// A file of JSON lines.
pub(crate) fn write_lines<T: Serialize>(path: &Path, rows: &[T]) {
    let lines: String = rows.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
    std::fs::write(path, lines).unwrap();
}

/// A sweep's folder that grows run by run.
pub(crate) struct Folder {
    dir: TempDir,
    plan: PlanRecord,
}

pub(crate) fn protocol(metric: Metric) -> Protocol {
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

/// An inception score and a FID after so many updates.
pub(crate) fn score(gen_updates: u64, is: f64, fid: f64) -> [ScoreRecord; 2] {
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

/// A line of a log, every σ(W̄) being the same.
pub(crate) fn log(gen_update: u64, sigma: f64) -> LogRecord {
    let sigma: BTreeMap<String, Option<f64>> =
        (0..7).map(|i| (format!("conv{i}"), Some(sigma + 0.001 * f64::from(i)))).collect();
    LogRecord {
        effective_rank: sigma
            .keys()
            .map(|layer| (layer.clone(), Some(1.0 + gen_update as f64 / 10.0)))
            .collect(),
        stable_rank: sigma
            .keys()
            .map(|layer| (layer.clone(), Some(1.0 + gen_update as f64)))
            .collect(),
        sigma_forward: sigma.clone(),
        sigma_fig9: sigma,
        ..LogRecord::empty(gen_update)
    }
}

/// A layer's spectrum of 8 values that fall by `ratio`.
pub(crate) fn spectrum(layer: usize, weights: &str, ratio: f64) -> SpectrumRecord {
    let squared = (0..8).map(|i| 4.0 * ratio.powi(i)).collect();
    SpectrumRecord {
        version: FORMAT_VERSION,
        gen_updates: 10,
        layer: format!("conv{layer}"),
        weights: weights.into(),
        squared,
    }
}

/// A spec of ten updates in one of the settings.
pub(crate) fn spec(method: Method, setting: &str, seed: u64) -> RunSpec {
    let s = settings().unwrap()[setting];
    RunSpec {
        setting: setting.into(),
        lr: s.lr,
        beta1: s.beta1,
        beta2: s.beta2,
        n_dis: s.n_dis,
        gen_updates: 10,
        side: 8,
        seed,
        ..RunSpec::paper(method)
    }
}

impl Folder {
    pub(crate) fn new(name: &str, scale: &str) -> Folder {
        let plan = PlanRecord {
            version: PlanRecord::VERSION,
            name: name.into(),
            title: format!("made-up {name}"),
            scale: scale.into(),
            paper: sngan_experiment::built_in(name).and_then(|file| file.unwrap().paper),
            runs: Vec::new(),
        };
        Folder { dir: tempfile::tempdir().unwrap(), plan }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn title(&mut self, title: &str) {
        self.plan.title = title.into();
        self.write_plan();
    }

    fn write_plan(&self) {
        write_json(&self.path().join("plan.json"), &self.plan);
    }

    /// A completed run with these scores.
    pub(crate) fn run(&mut self, spec: &RunSpec, scores: &[ScoreRecord]) -> RunDir {
        let provenance = Provenance {
            version: Provenance::VERSION,
            dataset: String::new(),
            dataset_sha256: String::new(),
            log_every: 1,
            segments: vec![Segment {
                from: 0,
                sngan: String::new(),
                commit: None,
                dirty: None,
                device: "cpu".into(),
                threads: 1,
                cpu: "a CPU".into(),
                accelerator: None,
                instruction_set: String::new(),
            }],
            imported: Vec::new(),
        };
        let dir = RunDir::new(self.path().join("runs").join(spec.dir_name()));
        std::fs::create_dir_all(dir.path()).unwrap();
        std::fs::write(dir.spec_path(), toml::to_string(spec).unwrap()).unwrap();
        write_json(&dir.provenance_path(), &provenance);
        let (status, gen_updates) = (Status::Completed, spec.gen_updates);
        write_json(
            &dir.status_path(),
            &StatusRecord {
                version: FORMAT_VERSION,
                status,
                gen_updates,
                reason: None,
                run_id: None,
                records: Default::default(),
            },
        );
        write_lines(&dir.scores_path(), scores);
        self.plan.runs.push(spec.dir_name());
        self.write_plan();
        dir
    }

    /// The untrained generator's scores.
    pub(crate) fn untrained(&self, is: f64, fid: f64) {
        write_lines(&self.path().join("untrained.jsonl"), &score(0, is, fid));
    }

    /// The real data's own scores.
    pub(crate) fn ceiling(&self, scores: &[ScoreRecord]) {
        write_lines(&self.path().join("ceiling.jsonl"), scores);
    }
}

/// The folder that a run was read from.
pub(crate) fn folder_of(run: &Run) -> RunDir {
    RunDir::new(&run.records.place)
}

/// Makes a run's images those of this name and checksum; an empty name is that of records from before it was kept.
pub(crate) fn trained_on(dir: &RunDir, name: &str, sha256: &str) {
    let provenance = Provenance {
        dataset: name.into(),
        dataset_sha256: sha256.into(),
        ..dir.provenance().unwrap()
    };
    write_json(&dir.provenance_path(), &provenance);
}

/// A run that lost its loss: no score, and a status that says so.
pub(crate) fn diverge(dir: &RunDir) {
    let record = StatusRecord {
        version: FORMAT_VERSION,
        status: Status::Diverged,
        gen_updates: 7,
        reason: Some("loss".into()),
        run_id: None,
        records: Default::default(),
    };
    write_json(&dir.status_path(), &record);
    std::fs::remove_file(dir.scores_path()).unwrap();
}

/// A grid of 64 samples after the last of ten updates.
pub(crate) fn draw_samples(dir: &RunDir) {
    std::fs::create_dir_all(dir.path().join("samples")).unwrap();
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, 90]))
        .save(dir.sample_path(10))
        .unwrap();
}
