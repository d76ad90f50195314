//! The run directory: the files of one run and how they are read and written. docs/run-directory.md describes it.

mod lines;
mod status;

pub use lines::{append_line, append_missing, read_json, read_lines, write_lines};

use crate::records::{
    ImagesRecord, LogRecord, Provenance, Record, ScoreRecord, Segment, SpectrumRecord, TimingRecord,
};
use crate::spec::RunSpec;
use crate::{Error, Result, atomic};
use lines::{json, read_limited};
use std::path::{Path, PathBuf};

const LOG: &str = "log.jsonl";
const SCORES: &str = "scores.jsonl";
const SPECTRUM: &str = "spectrum.jsonl";
/// The files whose beginnings the status puts down.
pub const RECORDS: [&str; 3] = [LOG, SCORES, SPECTRUM];

/// One run's folder.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A run folder at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> RunDir {
        RunDir { path: path.into() }
    }

    /// Creates the folder for `spec` with `spec.toml` and `provenance.json`, or opens an existing
    /// one, which keeps its segments.
    ///
    /// # Errors
    /// [`Error::SpecChanged`] when the folder holds another spec (raising only `gen_updates` extends the run), [`Error::OtherImages`]
    /// when its run was trained on other images.
    pub fn create(
        path: impl Into<PathBuf>,
        spec: &RunSpec,
        provenance: &Provenance,
    ) -> Result<RunDir> {
        let dir = RunDir::new(path);
        let mut provenance = provenance.clone();
        if dir.spec_path().exists() {
            let differences = dir.spec()?.differences(spec);
            if !differences.is_empty() {
                return Err(Error::SpecChanged {
                    path: dir.path,
                    differences: differences.join("; "),
                });
            }
        }
        if dir.provenance_path().exists() {
            let found = dir.provenance()?;
            if found.dataset_sha256 != provenance.dataset_sha256 {
                return Err(Error::OtherImages {
                    path: dir.path,
                    found: images(&found),
                    asked: images(&provenance),
                });
            }
            provenance.segments = found.segments;
        }
        let text = toml::to_string(spec).map_err(|e| Error::parse(&dir.spec_path(), e))?;
        atomic::write(&dir.spec_path(), text.as_bytes())?;
        atomic::write_json(&dir.provenance_path(), &provenance)?;
        Ok(dir)
    }

    /// Records what makes the updates from now on ([`Provenance::begin`]). Returns what is not as it
    /// was for the updates before, if anything.
    ///
    /// # Errors
    /// Any I/O error, or a malformed provenance.
    pub fn begin_segment(&self, segment: Segment) -> Result<Option<String>> {
        let mut provenance = self.provenance()?;
        let before = provenance.segments.clone();
        provenance.begin(segment);
        if provenance.segments == before {
            return Ok(None);
        }
        atomic::write_json(&self.provenance_path(), &provenance)?;
        Ok(match &provenance.segments[..] {
            [.., before, now] => Some(before.changes(now)).filter(|said| !said.is_empty()),
            [_] | [] => None,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The folder's own name, which identifies the run in plans and events.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
    }
    /// `spec.toml`.
    pub fn spec_path(&self) -> PathBuf {
        self.path.join("spec.toml")
    }
    /// `provenance.json`.
    pub fn provenance_path(&self) -> PathBuf {
        self.path.join("provenance.json")
    }
    /// `log.jsonl`.
    pub fn log_path(&self) -> PathBuf {
        self.path.join(LOG)
    }
    /// `timing.jsonl`.
    pub fn timing_path(&self) -> PathBuf {
        self.path.join("timing.jsonl")
    }
    /// `scores.jsonl`.
    pub fn scores_path(&self) -> PathBuf {
        self.path.join(SCORES)
    }
    /// `spectrum.jsonl`.
    pub fn spectrum_path(&self) -> PathBuf {
        self.path.join(SPECTRUM)
    }
    /// `status.json`.
    pub fn status_path(&self) -> PathBuf {
        self.path.join("status.json")
    }
    /// `checkpoints/`.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }
    /// `samples/NNNNNN.png`, the grid after `gen_updates` updates.
    pub fn sample_path(&self, gen_updates: u64) -> PathBuf {
        self.path.join("samples").join(format!("{gen_updates:06}.png"))
    }

    /// Reads and validates `spec.toml`.
    ///
    /// # Errors
    /// When it is missing, has unknown keys or values out of range.
    pub fn spec(&self) -> Result<RunSpec> {
        let path = self.spec_path();
        if !path.exists() {
            return Err(Error::NoRun { path: self.path.clone() });
        }
        let text = read_limited(&path)?;
        let text = String::from_utf8(text).map_err(|e| Error::parse(&path, e))?;
        let spec: RunSpec = toml::from_str(&text).map_err(|e| Error::parse(&path, e))?;
        spec.validate()?;
        Ok(spec)
    }

    /// `provenance.json`.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn provenance(&self) -> Result<Provenance> {
        read_json(&self.provenance_path())
    }

    /// Where the pictures of a run on an image folder are; `None` for other data, and in older folders.
    ///
    /// # Errors
    /// A malformed file.
    pub fn images(&self) -> Result<Option<ImagesRecord>> {
        let path = self.images_path();
        path.exists().then(|| read_json(&path)).transpose()
    }

    /// Records where the run's pictures are.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write_images(&self, images: &ImagesRecord) -> Result<()> {
        atomic::write_json(&self.images_path(), images)
    }

    fn images_path(&self) -> PathBuf {
        self.path.join("images.json")
    }

    /// Training log.
    ///
    /// # Errors
    /// When a line but the last is malformed.
    pub fn log(&self) -> Result<Vec<LogRecord>> {
        read_lines(&self.log_path())
    }
    /// Timings.
    ///
    /// # Errors
    /// As [`RunDir::log`].
    pub fn timing(&self) -> Result<Vec<TimingRecord>> {
        read_lines(&self.timing_path())
    }
    /// Scores.
    ///
    /// # Errors
    /// As [`RunDir::log`].
    pub fn scores(&self) -> Result<Vec<ScoreRecord>> {
        read_lines(&self.scores_path())
    }
    /// Spectra.
    ///
    /// # Errors
    /// As [`RunDir::log`].
    pub fn spectra(&self) -> Result<Vec<SpectrumRecord>> {
        read_lines(&self.spectrum_path())
    }
}

/// A run's training images in words.
fn images(provenance: &Provenance) -> String {
    format!("{} with SHA-256 {}", provenance.dataset, provenance.dataset_sha256)
}

/// The real data's own scores in a sweep's folder: `ceiling.jsonl`, or the file that the first
/// version wrote; empty if there are none.
///
/// # Errors
/// When a record is malformed.
pub fn ceiling(out: &Path) -> Result<Vec<ScoreRecord>> {
    let (lines, single) = (out.join("ceiling.jsonl"), out.join("ceiling.json"));
    if lines.exists() || !single.exists() {
        return read_lines(&lines);
    }
    let text = read_limited(&single)?;
    let value = json(&text).map_err(|e| Error::parse(&single, e))?;
    ScoreRecord::read(value).map_err(|e| Error::parse(&single, e))
}

/// The file of a sweep's folder with the scores of a generator before its first update.
pub const UNTRAINED: &str = "untrained.jsonl";

/// The file that makes a folder a collection: a sweep's records in Parquet files, without run folders (docs/records.md).
pub const COLLECTION: &str = "collection.json";

/// The scores of a generator before its first update in a sweep's folder, by the protocols of its
/// runs; empty if there are none.
///
/// # Errors
/// When a record is malformed.
pub fn untrained(out: &Path) -> Result<Vec<ScoreRecord>> {
    read_lines(&out.join(UNTRAINED))
}

/// Run folders directly below `out`, sorted by name.
///
/// # Errors
/// When `out` cannot be listed.
pub fn run_dirs(out: &Path) -> Result<Vec<RunDir>> {
    let mut dirs = Vec::new();
    for entry in std::fs::read_dir(out).map_err(Error::io("list", out))? {
        let dir = RunDir::new(entry.map_err(Error::io("list", out))?.path());
        if dir.spec_path().exists() {
            dirs.push(dir);
        }
    }
    dirs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(dirs)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::method::Method;

    pub(super) fn provenance() -> Provenance {
        Provenance {
            version: Provenance::VERSION,
            dataset: "x".into(),
            dataset_sha256: "0".into(),
            log_every: 1,
            segments: Vec::new(),
            imported: Vec::new(),
        }
    }

    #[test]
    fn a_changed_spec_is_refused_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        assert_eq!(dir.spec().unwrap(), spec);
        let mut other = spec.clone();
        other.lr = 1.0;
        let message = RunDir::create(dir.path(), &other, &provenance()).unwrap_err().to_string();
        assert!(message.contains("lr: 0.0002 → 1.0"), "{message}");
        other = spec.clone();
        other.gen_updates += 5;
        RunDir::create(dir.path(), &other, &provenance()).unwrap();
        let elsewhere = Provenance { dataset_sha256: "1".into(), ..provenance() };
        let message = RunDir::create(dir.path(), &other, &elsewhere).unwrap_err().to_string();
        assert!(message.contains("SHA-256 0;") && message.contains("SHA-256 1."), "{message}");
    }
}
