//! A collection: a sweep's records as a few Parquet files, for transfer and for other programs.
//! docs/records.md describes their schema.

use super::columns::{Frame, Table};
use super::{RunRecords, Samples, SweepRecords, tables};
use crate::figure::drawn_samples;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_experiment::records::{FORMAT_VERSION, PlanRecord, Record};
use sngan_experiment::{atomic, run_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MANIFEST: &str = run_dir::COLLECTION;
/// The file with the plan, as in a sweep's folder.
const PLAN: &str = "plan.json";

/// What a collection consists of.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    /// SHA-256 of each file, by its name.
    files: BTreeMap<String, String>,
}

impl Record for Manifest {}

/// Whether a folder is a collection.
pub(super) fn is_one(path: &Path) -> bool {
    path.join(MANIFEST).exists()
}

/// Writes `sweep` as a collection into `folder`, replacing an existing one; returns its files. A
/// kind of record that no run has gets no file.
///
/// The samples are those that figures draw.
///
/// # Errors
/// A malformed sample grid, or a file that cannot be written.
pub fn collect_into(sweep: &SweepRecords, folder: &Path) -> Result<Vec<PathBuf>> {
    collect_without(sweep, folder, &[])
}

/// What a collection may lack: tables that grow with the length of the training, and pictures. What `runs` says of the critic comes from the
/// log even where that is left out.
pub const MAY_LACK: [&str; 5] = ["log", "layers", "timing", "spectra", "samples"];

/// [`collect_into`], but for these of [`MAY_LACK`].
///
/// # Errors
/// As [`collect_into`].
pub fn collect_without(
    sweep: &SweepRecords,
    folder: &Path,
    left_out: &[String],
) -> Result<Vec<PathBuf>> {
    if folder.join("runs").exists() {
        return Err(Error::SweepFolder { path: folder.into() });
    }
    let name = sweep.name();
    let mut files = BTreeMap::new();
    let mut plan = serde_json::to_vec_pretty(&sweep.plan).map_err(|e| Error::table(folder, e))?;
    plan.push(b'\n');
    files.insert(PLAN.to_string(), plan);
    for (stem, table) in tables::of(sweep, &name)?.into_iter().chain([samples(sweep, &name)?]) {
        let file = format!("{stem}.parquet");
        if !table.is_empty() && !left_out.iter().any(|kind| kind == stem) {
            let bytes = table.parquet(&folder.join(&file))?;
            files.insert(file, bytes);
        }
    }
    let hash = |bytes: &Vec<u8>| hex::encode(Sha256::digest(bytes));
    let hashes = files.iter().map(|(name, bytes)| (name.clone(), hash(bytes))).collect();
    let mut written = Vec::new();
    for (name, bytes) in &files {
        written.push(folder.join(name));
        atomic::write(&folder.join(name), bytes)?;
    }
    // Written last: files that do not match it were cut short, or do not belong together.
    let manifest = Manifest { version: FORMAT_VERSION, files: hashes };
    atomic::write_json(&folder.join(MANIFEST), &manifest)?;
    written.push(folder.join(MANIFEST));
    Ok(written)
}

/// The parts of sample grids that figures draw.
fn samples(sweep: &SweepRecords, name: &str) -> Result<(&'static str, Table)> {
    let mut table = Table::default();
    for (run, images) in drawn_samples(&sweep.plan, &sweep.runs) {
        let Some(samples) = &run.samples else { continue };
        let grid = samples.decode()?;
        let side = (images * run.spec.side as u32).min(grid.width()).min(grid.height());
        let part = image::imageops::crop_imm(&grid, 0, 0, side, side).to_image();
        let mut png = std::io::Cursor::new(Vec::new());
        part.write_to(&mut png, image::ImageFormat::Png)
            .map_err(|e| Error::table(&run.place, e))?;
        table
            .row(name)
            .text("run", run.name.clone())
            .whole("gen_updates", run.spec.gen_updates)
            .bytes("png", png.into_inner());
    }
    Ok(("samples", table))
}

/// Reads a collection.
pub(super) fn read(folder: &Path) -> Result<SweepRecords> {
    let manifest: Manifest = run_dir::read_json(&folder.join(MANIFEST))?;
    let mut files = BTreeMap::new();
    for (name, expected) in manifest.files {
        files.insert(name.clone(), checked(folder, &name, &expected)?);
    }
    let plan = files.remove(PLAN).ok_or_else(|| lacks(folder, PLAN))?;
    let plan =
        serde_json::from_slice(&plan).map_err(|e| Error::collection(&folder.join(PLAN), e))?;
    let mut plan: Vec<PlanRecord> =
        PlanRecord::read(plan).map_err(|e| Error::collection(&folder.join(PLAN), e))?;
    let plan = plan.pop().ok_or_else(|| lacks(folder, PLAN))?;
    let mut take = |stem: &str| {
        let file = format!("{stem}.parquet");
        let bytes = files.remove(&file);
        bytes.map(|bytes| Frame::parse(folder.join(&file), bytes)).transpose()
    };
    let mut sweep = SweepRecords {
        damaged: Vec::new(),
        path: folder.to_path_buf(),
        plan,
        real: Vec::new(),
        untrained: Vec::new(),
        runs: Vec::new(),
    };
    let mut runs: BTreeMap<String, RunRecords> = BTreeMap::new();
    for (stem, fill) in tables::READERS {
        if let Some(frame) = take(stem)? {
            fill(&frame, &mut sweep, &mut runs)?;
        }
    }
    if let Some(frame) = take("samples")? {
        let names = frame.names("run")?.into_iter().zip(frame.bytes("png")?);
        for (name, png) in names {
            let place = frame.path().join(&name);
            tables::run(&mut runs, &frame, &name)?.samples = Some(Samples::Png(png.into(), place));
        }
    }
    let begun = sweep.plan.runs.iter().filter_map(|name| runs.remove(name));
    sweep.runs = begun.map(Arc::new).collect();
    Ok(sweep)
}

/// Checks every file of the collection in `folder`, and that its records can be read; returns what is damaged, with the reason.
pub fn verify(folder: &Path) -> Vec<String> {
    let manifest: Manifest = match run_dir::read_json(&folder.join(MANIFEST)) {
        Ok(manifest) => manifest,
        Err(e) => return vec![e.to_string()],
    };
    let check = |(name, hash): (&String, &String)| checked(folder, name, hash).err();
    let faults: Vec<String> =
        manifest.files.iter().filter_map(check).map(|e| e.to_string()).collect();
    if faults.is_empty() {
        read(folder).err().iter().map(ToString::to_string).collect()
    } else {
        faults
    }
}

/// A file's bytes, which must have the recorded hash.
fn checked(folder: &Path, name: &str, expected: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    // The name came from a file, so it is not trusted.
    if Path::new(name).file_name() != Some(name.as_ref()) {
        return Err(Error::collection(
            &folder.join(MANIFEST),
            format!("`{name}` is no file's name"),
        ));
    }
    let bytes = sngan_experiment::regular::read(&path).map_err(|e| Error::collection(&path, e))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found != expected {
        return Err(Error::collection(
            &path,
            format!("its SHA-256 is {found}, {MANIFEST} says {expected}"),
        ));
    }
    Ok(bytes)
}

fn lacks(folder: &Path, file: &str) -> Error {
    Error::collection(&folder.join(MANIFEST), format!("it lists no {file}"))
}
