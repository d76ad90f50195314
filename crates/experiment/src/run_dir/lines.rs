//! Files of one record and of one on each line, as JSON: read with bounds, and written so that others who add to them lose nothing.

use crate::records::Record;
use crate::{Error, Result, atomic, lock, regular};
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

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
pub(super) fn json(text: &[u8]) -> std::result::Result<serde_json::Value, String> {
    // As many values as separators, and more only where texts hold some.
    if text.iter().filter(|b| b",:[{".contains(b)).count() > MOST_VALUES {
        return Err(format!("holds more than {MOST_VALUES} values"));
    }
    serde_json::from_slice(text).map_err(|e| e.to_string())
}

/// A file with one record.
pub(super) fn read_limited(path: &Path) -> Result<Vec<u8>> {
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
    use crate::records::{StatusRecord, TimingRecord};

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
