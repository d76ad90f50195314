//! A sweep's records, from the folders of its runs or from a collection of Parquet files.

mod bounds;
mod collection;
mod columns;
mod csv;
mod folder;
mod tables;
mod unpack;

pub use collection::{MAY_LACK, collect_into, collect_without, verify};
pub use csv::write_csv;
pub(crate) use folder::{NO_PLAN, plan, untrained};
pub use unpack::unpack;

use crate::{Error, Result};
use image::RgbImage;
use sngan_experiment::records::{
    LogRecord, PlanRecord, Provenance, ScoreRecord, SpectrumRecord, StatusRecord, TimingRecord,
};
use sngan_experiment::{RunDir, RunSpec};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a folder is a run's.
pub fn is_run(folder: &Path) -> bool {
    RunDir::new(folder).spec_path().is_file()
}

/// All records of a sweep, without weights.
#[derive(Debug, Clone)]
pub struct SweepRecords {
    /// The folder that they were read from.
    pub path: PathBuf,
    /// What the sweep is for.
    pub plan: PlanRecord,
    /// Scores of real data.
    pub real: Vec<ScoreRecord>,
    /// Scores of the untrained generator; empty in older sweeps.
    pub untrained: Vec<ScoreRecord>,
    /// Runs in the plan's order; those that have not begun are left out.
    pub runs: Vec<Arc<RunRecords>>,
    /// Runs that are left out because their records are damaged.
    pub damaged: Vec<Damaged>,
}

/// A run whose records cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The run folder's name.
    pub name: String,
    /// What is wrong; names the file.
    pub reason: String,
}

/// All records of a run, without weights.
#[derive(Debug, Clone)]
pub struct RunRecords {
    /// The run folder's name.
    pub name: String,
    /// The run's folder, or its place in a collection, for messages.
    pub place: PathBuf,
    /// Its spec.
    pub spec: RunSpec,
    /// What made it; `None` if that was not recorded.
    pub provenance: Option<Provenance>,
    /// Its status, `None` before the first checkpoint.
    pub status: Option<StatusRecord>,
    /// Its training log.
    pub log: Vec<LogRecord>,
    /// Its times.
    pub timing: Vec<TimingRecord>,
    /// Its scores, oldest first.
    pub scores: Vec<ScoreRecord>,
    /// Its spectra.
    pub spectra: Vec<SpectrumRecord>,
    /// The grid of samples after its last update.
    pub samples: Option<Samples>,
}

/// A picture with a grid of samples: 64 of them in a run's folder; in a collection, those that
/// figures draw.
#[derive(Debug, Clone)]
pub enum Samples {
    /// The PNG file of a run's folder.
    File(PathBuf),
    /// A PNG in memory, and where it was read from.
    Png(Arc<[u8]>, PathBuf),
}

impl Samples {
    /// The picture.
    ///
    /// # Errors
    /// [`Error::Image`] if it cannot be decoded.
    pub fn decode(&self) -> Result<RgbImage> {
        let (path, decoded) = match self {
            Samples::File(path) => (path, image::open(path)),
            Samples::Png(bytes, path) => (path, image::load_from_memory(bytes)),
        };
        let unreadable =
            |e: image::ImageError| Error::Image { path: path.clone(), reason: e.to_string() };
        Ok(decoded.map_err(unreadable)?.to_rgb8())
    }
}

impl RunRecords {
    /// Reads the folder of a run.
    ///
    /// # Errors
    /// No run there, a malformed record, or one that is not as the run's status says.
    pub fn read(folder: &Path) -> Result<RunRecords> {
        if !is_run(folder) {
            return Err(Error::NoRun { path: folder.into() });
        }
        folder::run(&RunDir::new(folder))
    }
}

impl SweepRecords {
    /// Reads the folder of a sweep, of a collection or of a run, which then is all of a sweep.
    ///
    /// # Errors
    /// No plan, a malformed record, or a collection whose files are not those that were written together.
    pub fn read(path: &Path) -> Result<SweepRecords> {
        if collection::is_one(path) {
            return collection::read(path);
        }
        if is_run(path) {
            return folder::read_runs(&[path.to_path_buf()], path);
        }
        folder::read(path)
    }

    /// Reads the folders of single runs, as a sweep of no plan whose files go to `out`.
    ///
    /// # Errors
    /// A folder of no run.
    pub fn of_runs(folders: &[PathBuf], out: &Path) -> Result<SweepRecords> {
        folder::read_runs(folders, out)
    }

    /// The name of the folder, by which tables of several sweeps tell them apart.
    pub fn name(&self) -> String {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }
}
