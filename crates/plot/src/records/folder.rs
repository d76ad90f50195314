//! Records in the folders of runs, as training leaves them (docs/run-directory.md).

use super::{Damaged, RunRecords, Samples, SweepRecords};
use crate::{Error, Result};
use sngan_experiment::records::{PlanRecord, Record, ScoreRecord};
use sngan_experiment::{Error as ExperimentError, RunDir, run_dir};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn read(out: &Path) -> Result<SweepRecords> {
    if out.is_file() {
        return Err(Error::NoFolder { path: out.into() });
    }
    // A collection without its `collection.json` must not be taken for a sweep without runs.
    if out.join("runs.parquet").exists() && !out.join("runs").exists() {
        return Err(Error::collection(
            &out.join(run_dir::COLLECTION),
            "it is not there, beside the collection's tables",
        ));
    }
    if !out.join("plan.json").exists() && !out.join("runs").exists() {
        return Err(Error::NoSweep { path: out.into() });
    }
    let plan = plan(out)?;
    let dirs = plan.runs.iter().map(|name| RunDir::new(out.join("runs").join(name)));
    let mut runs = Vec::new();
    let mut damaged = Vec::new();
    // One damaged run must not hide the others.
    for dir in dirs.filter(|dir| dir.spec_path().exists()) {
        match run(&dir) {
            Ok(run) => runs.push(Arc::new(run)),
            Err(e) => damaged.push(Damaged { name: dir.name(), reason: e.to_string() }),
        }
    }
    Ok(SweepRecords {
        path: out.to_path_buf(),
        real: run_dir::ceiling(out)?,
        untrained: untrained(out)?,
        runs,
        damaged,
        plan,
    })
}

/// What runs that no plan names are gathered under; in the place of a scale it says that there is none.
pub(crate) const NO_PLAN: &str = "runs";

/// The runs of these folders, as a sweep in `out`.
pub(super) fn read_runs(folders: &[PathBuf], out: &Path) -> Result<SweepRecords> {
    let (mut runs, mut damaged) = (Vec::new(), Vec::new());
    for (folder, name) in folders.iter().zip(names(folders)) {
        let dir = RunDir::new(folder);
        if !dir.spec_path().exists() {
            return Err(Error::NoRun { path: folder.clone() });
        }
        match run(&dir) {
            Ok(run) => runs.push(Arc::new(RunRecords { name, ..run })),
            Err(e) => damaged.push(Damaged { name, reason: e.to_string() }),
        }
    }
    let (name, title) = match &runs[..] {
        [run] => (run.name.clone(), run.name.clone()),
        several => (NO_PLAN.into(), format!("{} single runs", several.len())),
    };
    let plan = PlanRecord {
        version: PlanRecord::VERSION,
        title,
        name,
        scale: NO_PLAN.into(),
        paper: None,
        runs: runs.iter().map(|run| run.name.clone()).collect(),
    };
    let (real, untrained) = (Vec::new(), Vec::new());
    Ok(SweepRecords { path: out.to_path_buf(), real, untrained, runs, damaged, plan })
}

/// The folders' names; those of one name with that of the folder above, which of a sweep's run is the sweep's.
fn names(folders: &[PathBuf]) -> Vec<String> {
    let real = |folder: &PathBuf| folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let real: Vec<PathBuf> = folders.iter().map(real).collect();
    let own = |path: &Path| {
        path.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
    };
    let alone = |path: &PathBuf| real.iter().filter(|other| own(other) == own(path)).count() == 1;
    let with_parent = |path: &PathBuf| {
        let mut above = path.ancestors().skip(1);
        match above.find(|folder| folder.file_name().is_none_or(|name| name != "runs")) {
            Some(parent) => format!("{}-{}", own(parent), own(path)),
            None => own(path),
        }
    };
    real.iter().map(|path| if alone(path) { own(path) } else { with_parent(path) }).collect()
}

/// What a sweep's folder is for.
///
/// # Errors
/// [`Error::Plan`] if its file is missing or malformed.
#[expect(clippy::wildcard_enum_match_arm, reason = "other errors say everything themselves")]
pub(crate) fn plan(out: &Path) -> Result<PlanRecord> {
    let path = out.join("plan.json");
    run_dir::read_json(&path).map_err(|e| match e {
        ExperimentError::Io { source, .. } => Error::Plan { path, reason: source.to_string() },
        ExperimentError::Parse { reason, .. } => Error::Plan { path, reason },
        other => other.into(),
    })
}

/// The untrained generator's scores in a sweep's folder; empty in older sweeps.
pub(crate) fn untrained(out: &Path) -> Result<Vec<ScoreRecord>> {
    Ok(run_dir::untrained(out)?)
}

pub(super) fn run(dir: &RunDir) -> Result<RunRecords> {
    let spec = dir.spec()?;
    dir.check()?;
    let kept = dir.provenance_path().exists();
    // An earlier grid must not appear beside finished runs.
    let samples = dir.sample_path(spec.gen_updates);
    Ok(RunRecords {
        name: dir.name(),
        place: dir.path().to_path_buf(),
        provenance: kept.then(|| dir.provenance()).transpose()?,
        status: dir.status()?,
        log: dir.log()?,
        timing: dir.timing()?,
        scores: dir.scores()?,
        spectra: dir.spectra()?,
        samples: samples.exists().then_some(Samples::File(samples)),
        spec,
    })
}
