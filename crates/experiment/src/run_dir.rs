//! The run directory: the files of one run and how they are read and written. docs/run-directory.md describes it.

use crate::records::{
    FORMAT_VERSION, ImagesRecord, LogRecord, Provenance, Record, ScoreRecord, Segment,
    SpectrumRecord, Status, StatusRecord, TimingRecord,
};
use crate::spec::RunSpec;
use crate::{Error, Extent, Result, atomic, lock, one_at_a_time, regular};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
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

    /// `status.json`, or `None` before the first checkpoint.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn status(&self) -> Result<Option<StatusRecord>> {
        let path = self.status_path();
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// Replaces `status.json`.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write_status(
        &self,
        status: Status,
        gen_updates: u64,
        reason: Option<String>,
    ) -> Result<()> {
        self.alone_with_status(|| self.put_status(status, gen_updates, reason, self.extents()?))
    }

    /// Does `work` on the status while nobody else does: a scoring beside a training must not put an
    /// older one back.
    fn alone_with_status(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        one_at_a_time(&self.status_path(), work)
    }

    fn put_status(
        &self,
        status: Status,
        gen_updates: u64,
        reason: Option<String>,
        records: BTreeMap<String, Extent>,
    ) -> Result<()> {
        let run_id = self.spec().ok().map(|spec| spec.id());
        let version = FORMAT_VERSION;
        let record = StatusRecord { version, status, gen_updates, reason, run_id, records };
        atomic::write_json(&self.status_path(), &record)
    }

    /// How far each file of records goes now, by its name.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn extents(&self) -> Result<BTreeMap<String, Extent>> {
        let mut extents = BTreeMap::new();
        for name in RECORDS {
            if let Some(extent) = Extent::of(&self.path.join(name))? {
                extents.insert(name.to_string(), extent);
            }
        }
        Ok(extents)
    }

    /// Puts down in the status, if there is one, how far the records go now: after lines were added.
    ///
    /// # Errors
    /// Any I/O error, or a malformed status.
    pub fn seal(&self) -> Result<()> {
        self.alone_with_status(|| {
            let Some(found) = self.status()? else { return Ok(()) };
            let records = self.extents()?;
            if found.records == records {
                return Ok(());
            }
            self.put_status(found.status, found.gen_updates, found.reason, records)
        })
    }

    /// Replaces the spectra.
    ///
    /// # Errors
    /// Any I/O error, or a malformed status.
    pub fn write_spectra(&self, spectra: &[SpectrumRecord]) -> Result<()> {
        // These lines are not added to: until the new ones are there, nothing is said of them.
        self.alone_with_status(|| {
            let Some(mut found) = self.status()? else { return Ok(()) };
            if found.records.remove(SPECTRUM).is_none() {
                return Ok(());
            }
            self.put_status(found.status, found.gen_updates, found.reason, found.records)
        })?;
        write_lines(&self.spectrum_path(), spectra)?;
        self.seal()
    }

    /// Checks that the spec is the one that the records were made by, and that no record which was
    /// put down has been cut, reordered or altered. What older versions did not put down is not
    /// checked.
    ///
    /// # Errors
    /// [`Error::OtherRun`] or [`Error::Altered`]; a malformed spec or status.
    pub fn check(&self) -> Result<()> {
        self.faults()?.into_iter().next().map_or(Ok(()), Err)
    }

    /// The same, but for files that are not there.
    ///
    /// # Errors
    /// As [`RunDir::check`].
    pub fn check_existing(&self) -> Result<()> {
        let is_there = |e: &Error| !matches!(e, Error::Altered { path, .. } if !path.exists());
        self.faults()?.into_iter().find(is_there).map_or(Ok(()), Err)
    }

    /// Everything that [`RunDir::check`] finds.
    ///
    /// # Errors
    /// A malformed spec or status; any I/O error.
    pub fn faults(&self) -> Result<Vec<Error>> {
        let Some(status) = self.status()? else { return Ok(Vec::new()) };
        let asked = self.spec()?.id();
        let other = status.run_id.filter(|found| *found != asked);
        let mut faults: Vec<Error> = other
            .map(|found| Error::OtherRun { path: self.status_path(), found, asked })
            .into_iter()
            .collect();
        for name in RECORDS {
            let Some(extent) = status.records.get(name) else { continue };
            faults.extend(extent.check(&self.path.join(name)).err());
        }
        Ok(faults)
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

    /// Rewrites `log.jsonl` without the lines after `gen_updates`, as a resumed run must, with the
    /// status [`Status::Running`].
    ///
    /// # Errors
    /// Any I/O error, or a malformed line.
    pub fn resume_at(&self, gen_updates: u64) -> Result<()> {
        let kept = self.log_until(gen_updates)?;
        // The status first: where it says less than the log holds, nothing looks cut, whenever this
        // is interrupted.
        self.alone_with_status(|| {
            let mut records = self.extents()?;
            if let (Some(extent), Some(kept)) = (records.get_mut(LOG), &kept) {
                *extent = Extent::of_bytes(kept.as_bytes());
            }
            self.put_status(Status::Running, gen_updates, None, records)
        })?;
        match kept {
            Some(kept) => atomic::write(&self.log_path(), kept.as_bytes()),
            None => Ok(()),
        }
    }

    /// The log's lines up to `gen_updates`; `None` without a log.
    fn log_until(&self, gen_updates: u64) -> Result<Option<String>> {
        if !self.log_path().exists() {
            return Ok(None);
        }
        // Lines are kept as they are: numbers read and written again might differ in their last digit.
        let path = self.log_path();
        let keep: Vec<bool> = self.log()?.iter().map(|r| r.gen_update <= gen_updates).collect();
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let kept: String = text
            .split_inclusive('\n')
            .zip(keep)
            .filter(|(_, keep)| *keep)
            .map(|(line, _)| line)
            .collect();
        Ok(Some(kept))
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

/// Reads a file with one record.
///
/// # Errors
/// When it is missing, malformed, or of a version that this build does not read.
pub fn read_json<T: Record>(path: &Path) -> Result<T> {
    let text = read_limited(path)?;
    let value = json(&text).map_err(|e| Error::parse(path, e))?;
    let mut records = T::read(value).map_err(|e| Error::parse(path, e))?;
    match records.pop() {
        Some(record) if records.is_empty() => Ok(record),
        _ => Err(Error::parse(
            path,
            "holds several records of an older version where one is expected",
        )),
    }
}

/// Reads JSON lines; a missing file is empty, and a last line cut short by a kill is left out.
///
/// # Errors
/// When another line is malformed or of a version that this build does not read.
pub fn read_lines<T: Record>(path: &Path) -> Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut reader = BufReader::new(opened(path)?);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let in_line = |e: &dyn std::fmt::Display| Error::parse(path, format!("line {number}: {e}"));
        let mut limited = (&mut reader).take(LONGEST_RECORD + 1);
        limited.read_until(b'\n', &mut line).map_err(Error::io("read", path))?;
        if line.len() as u64 > LONGEST_RECORD {
            return Err(in_line(&format!("is longer than {LONGEST_RECORD} bytes")));
        }
        if line.last() != Some(&b'\n') {
            break;
        }
        let value = json(&line).map_err(|e| in_line(&e))?;
        rows.extend(T::read(value).map_err(|e| in_line(&e))?);
    }
    Ok(rows)
}

/// The most that one record may take, bytes: the largest that training writes, the spectrum of a
/// wide layer, has some hundred thousand. So a file from elsewhere cannot take all memory.
const LONGEST_RECORD: u64 = 16 << 20;

/// The most values that a record may hold: in memory each takes a hundred times the two bytes that it
/// may have in a file. The names of a hundred thousand planned runs are as many values.
const MOST_VALUES: usize = 1 << 20;

/// Parses a record; with [`LONGEST_RECORD`], it takes at most some 128 MiB.
fn json(text: &[u8]) -> std::result::Result<serde_json::Value, String> {
    // As many values as separators, and more only where texts hold some.
    if text.iter().filter(|b| b",:[{".contains(b)).count() > MOST_VALUES {
        return Err(format!("holds more than {MOST_VALUES} values"));
    }
    serde_json::from_slice(text).map_err(|e| e.to_string())
}

/// A file with one record.
fn read_limited(path: &Path) -> Result<Vec<u8>> {
    let file = opened(path)?;
    let mut text = Vec::new();
    file.take(LONGEST_RECORD + 1).read_to_end(&mut text).map_err(Error::io("read", path))?;
    if text.len() as u64 > LONGEST_RECORD {
        return Err(Error::parse(path, format!("is longer than {LONGEST_RECORD} bytes")));
    }
    Ok(text)
}

/// A file to read; pipes and devices, which may never begin or end, are refused.
fn opened(path: &Path) -> Result<File> {
    regular::open(path).map_err(Error::io("read", path))
}

/// Replaces a file of JSON lines.
///
/// # Errors
/// Any I/O error.
pub fn write_lines<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(|e| Error::parse(path, e))?;
        text.push(b'\n');
    }
    atomic::write(path, &text)
}

/// Appends one JSON line in a single write, alone: others who add to the file wait. A last line that
/// a kill cut short is removed first, because it would make the new one unreadable.
///
/// # Errors
/// Any I/O error; a symbolic link at `path`, which is not followed.
pub fn append_line<T: Serialize>(path: &Path, row: &T) -> Result<()> {
    let mut file = opened_to_append(path)?;
    append(&mut file, path, std::slice::from_ref(row))
}

/// Appends those of `rows` that are not in the file yet by `same`, and syncs it. Looking and adding
/// are one step for everyone who adds to the file, so nothing is added twice.
///
/// # Errors
/// As [`append_line`] and [`read_lines`].
pub fn append_missing<T: Record + Serialize>(
    path: &Path,
    rows: &[T],
    same: impl Fn(&T, &T) -> bool,
) -> Result<()> {
    let mut file = opened_to_append(path)?;
    let there: Vec<T> = read_lines(path)?;
    let missing: Vec<&T> = rows.iter().filter(|row| !there.iter().any(|t| same(t, row))).collect();
    append(&mut file, path, &missing)?;
    file.sync_all().map_err(Error::io("sync", path))
}

/// The file of `path`, opened and locked.
fn opened_to_append(path: &Path) -> Result<File> {
    loop {
        let mut options = File::options();
        let options = options.create(true).read(true).append(true);
        let file = atomic::not_through_links(options).open(path);
        let file = file.map_err(Error::io("open", path))?;
        file.lock().map_err(Error::io("lock", path))?;
        // Another may have replaced the file before it was locked.
        if lock::is_at(&file, path) {
            return Ok(file);
        }
    }
}

fn append<T: Serialize>(file: &mut File, path: &Path, rows: &[T]) -> Result<()> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(|e| Error::parse(path, e))?;
        text.push(b'\n');
    }
    let whole = end_of_last_line(file).map_err(Error::io("read", path))?;
    if whole < file.metadata().map_err(Error::io("read", path))?.len() {
        file.set_len(whole).map_err(Error::io("cut", path))?;
    }
    file.write_all(&text).map_err(Error::io("append to", path))
}

/// The length of a file up to and including its last line break.
fn end_of_last_line(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut block = [0; 256];
    while end > 0 {
        let size = end.min(block.len() as u64);
        file.seek(SeekFrom::Start(end - size))?;
        let read = &mut block[..size as usize];
        file.read_exact(read)?;
        if let Some(i) = read.iter().rposition(|b| *b == b'\n') {
            return Ok(end - size + i as u64 + 1);
        }
        end -= size;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    fn provenance() -> Provenance {
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

    #[test]
    fn what_was_put_down_is_checked_and_what_was_added_since_is_not_damage() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        let line = |gen_update| {
            append_line(&dir.log_path(), &crate::records::LogRecord::empty(gen_update)).unwrap();
        };
        (1..=3).for_each(line);
        dir.write_status(Status::Running, 3, None).unwrap();
        (4..=5).for_each(line);
        dir.check().unwrap();
        dir.resume_at(2).unwrap();
        dir.check().unwrap();
        assert_eq!(dir.log().unwrap().len(), 2);
        let text = std::fs::read_to_string(dir.log_path()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.reverse();
        std::fs::write(dir.log_path(), lines.join("\n") + "\n").unwrap();
        let message = dir.check().unwrap_err().to_string();
        assert!(message.contains("log.jsonl has been cut or altered"), "{message}");
        std::fs::write(dir.log_path(), text).unwrap();
        let other = RunSpec { seed: 9, ..spec };
        std::fs::write(dir.spec_path(), toml::to_string(&other).unwrap()).unwrap();
        let message = dir.check().unwrap_err().to_string();
        assert!(message.contains(&other.id()) && message.contains("status.json"), "{message}");
    }

    #[test]
    fn a_line_that_a_kill_cut_and_the_next_one_replaced_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        let record = crate::records::LogRecord::empty(1);
        std::fs::write(dir.scores_path(), "{\"version\":2,").unwrap();
        dir.write_status(Status::Running, 1, None).unwrap();
        append_line(&dir.scores_path(), &record).unwrap();
        dir.check().unwrap();
    }

    #[test]
    fn a_seal_beside_a_training_puts_no_older_status_back() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        dir.write_status(Status::Running, 0, None).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..40 {
                    let row = TimingRecord { version: 1, gen_update: i, seconds: 0.5 };
                    append_line(&dir.scores_path(), &row).unwrap();
                    dir.seal().unwrap();
                }
            });
            for i in 1..=40 {
                dir.write_status(Status::Running, i, None).unwrap();
                assert_eq!(dir.status().unwrap().unwrap().gen_updates, i);
            }
        });
    }

    #[test]
    fn six_who_add_the_same_record_at_once_add_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.jsonl");
        let row = |i| TimingRecord { version: 1, gen_update: i, seconds: 0.5 };
        let add = |i: u64| append_missing(&path, &[row(7), row(i)], |a, b| a == b).unwrap();
        std::thread::scope(|scope| (0..6).for_each(|i| drop(scope.spawn(move || add(i)))));
        let found: Vec<TimingRecord> = read_lines(&path).unwrap();
        assert_eq!(found.len(), 7, "{found:?}");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_added_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        std::fs::write(&precious, "data").unwrap();
        let path = folder.path().join("timing.jsonl");
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        let row = TimingRecord { version: 1, gen_update: 1, seconds: 0.5 };
        assert!(append_line(&path, &row).is_err());
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.jsonl");
        std::fs::write(&path, vec![b' '; LONGEST_RECORD as usize + 10]).unwrap();
        let lines = read_lines::<TimingRecord>(&path).unwrap_err().to_string();
        let one = read_json::<StatusRecord>(&path).unwrap_err().to_string();
        assert!(lines.contains("line 1: is longer") && one.contains("is longer"), "{lines} {one}");
        // Shorter, but of values that take sixteen times as much memory.
        let text = format!("{{\"version\":1,\"x\":[{}0]}}\n", "0,".repeat(MOST_VALUES));
        std::fs::write(&path, text).unwrap();
        let lines = read_lines::<TimingRecord>(&path).unwrap_err().to_string();
        let one = read_json::<StatusRecord>(&path).unwrap_err().to_string();
        assert!(
            lines.contains("holds more than") && one.contains("holds more than"),
            "{lines} {one}"
        );
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_a_bad_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.jsonl");
        append_line(&path, &TimingRecord { version: 1, gen_update: 1, seconds: 0.5 }).unwrap();
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"version\":1,")
            .unwrap();
        assert_eq!(read_lines::<TimingRecord>(&path).unwrap().len(), 1);
        append_line(&path, &TimingRecord { version: 1, gen_update: 2, seconds: 0.7 }).unwrap();
        assert_eq!(
            read_lines::<TimingRecord>(&path)
                .unwrap()
                .iter()
                .map(|r| r.gen_update)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        // Cut in its first line, and longer than one block.
        std::fs::write(&path, vec![b'x'; 700]).unwrap();
        append_line(&path, &TimingRecord { version: 1, gen_update: 3, seconds: 0.9 }).unwrap();
        assert_eq!(read_lines::<TimingRecord>(&path).unwrap().len(), 1);
        std::fs::write(&path, "{}\n").unwrap();
        assert!(
            read_lines::<TimingRecord>(&path)
                .unwrap_err()
                .to_string()
                .contains("line 1: format version 0")
        );
    }
}
