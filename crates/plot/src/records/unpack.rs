//! Run folders out of records.

use super::{RunRecords, Samples, SweepRecords};
use crate::{Error, Result};
use sngan_experiment::records::StatusRecord;
use sngan_experiment::{RunDir, atomic, run_dir};
use std::collections::BTreeMap;
use std::path::Path;

/// Restores the sweep's folder `out`, with a folder for each run: everything but checkpoints.
/// Finished runs count as finished; others start from the beginning. Records are written in today's
/// versions.
///
/// # Errors
/// An existing `out`, or a file that cannot be written.
pub fn unpack(sweep: &SweepRecords, out: &Path) -> Result<()> {
    if out.exists() {
        return Err(Error::Occupied { path: out.into() });
    }
    atomic::write_folder(out, |folder| {
        atomic::write_json(&folder.join("plan.json"), &sweep.plan)?;
        run_dir::write_lines(&folder.join("ceiling.jsonl"), &sweep.real)?;
        if !sweep.untrained.is_empty() {
            run_dir::write_lines(&folder.join(run_dir::UNTRAINED), &sweep.untrained)?;
        }
        sweep.runs.iter().try_for_each(|r| run(r, &RunDir::new(folder.join("runs").join(&r.name))))
    })
}

fn run(run: &RunRecords, dir: &RunDir) -> Result<()> {
    let spec = toml::to_string(&run.spec).map_err(|e| Error::table(&run.place, e))?;
    atomic::write(&dir.spec_path(), spec.as_bytes())?;
    if let Some(provenance) = &run.provenance {
        atomic::write_json(&dir.provenance_path(), provenance)?;
    }
    if let Some(status) = &run.status {
        // How far the files go that are written here is put down at the end.
        let status = StatusRecord { records: BTreeMap::new(), ..status.clone() };
        atomic::write_json(&dir.status_path(), &status)?;
    }
    lines(&dir.log_path(), &run.log)?;
    lines(&dir.timing_path(), &run.timing)?;
    lines(&dir.scores_path(), &run.scores)?;
    lines(&dir.spectrum_path(), &run.spectra)?;
    dir.seal()?;
    let path = dir.sample_path(run.spec.gen_updates);
    let bytes = match &run.samples {
        None => return Ok(()),
        Some(Samples::File(file)) => &sngan_experiment::regular::read(file)
            .map_err(sngan_experiment::Error::io("read", file))?,
        Some(Samples::Png(bytes, _)) => bytes.as_ref(),
    };
    Ok(atomic::write(&path, bytes)?)
}

/// A file of JSON lines; no file without lines.
fn lines<T: serde::Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    if !rows.is_empty() {
        run_dir::write_lines(path, rows)?;
    }
    Ok(())
}
