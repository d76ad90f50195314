//! Whether a run's folder is as it was written.

use sngan_core::checkpoint;
use sngan_experiment::records::StatusRecord;
use sngan_experiment::{RunDir, RunSpec, run_dir};
use std::path::Path;

/// What was found in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Every damaged file, with the reason.
    pub faults: Vec<String>,
    /// What cannot be checked, because an older version did not put it down.
    pub unchecked: Vec<String>,
}

/// Reads and checks every file of a run's folder: spec, provenance, status, records, samples and checkpoints. A damaged one does not keep
/// the others from being checked.
pub fn verify_run(dir: &RunDir) -> Verified {
    let mut found = Verified::default();
    let spec = found.taken(dir.spec());
    if dir.provenance_path().exists() {
        found.taken(dir.provenance());
    } else {
        found.unchecked.push("provenance.json is not there".into());
    }
    let status = found.taken(dir.status()).flatten();
    found.taken(dir.log());
    found.taken(dir.timing());
    found.taken(dir.scores());
    found.taken(dir.spectra());
    if let (Some(_), Some(status)) = (&spec, &status) {
        found.records(dir, status);
    }
    found.samples(&dir.path().join("samples"));
    if let Some(spec) = &spec {
        found.checkpoints(dir, spec);
    }
    found
}

impl Verified {
    /// The value, or nothing and a fault.
    fn taken<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|e| self.faults.push(e.to_string())).ok()
    }

    /// The records against what the status says of them.
    fn records(&mut self, dir: &RunDir, status: &StatusRecord) {
        if let Some(faults) = self.taken(dir.faults()) {
            self.faults.extend(faults.iter().map(ToString::to_string));
        }
        if status.run_id.is_none() {
            self.unchecked.push("status.json does not name its run".into());
        }
        for name in run_dir::RECORDS {
            if dir.path().join(name).exists() && !status.records.contains_key(name) {
                self.unchecked.push(format!("{name} has no checksum"));
            }
        }
    }

    fn samples(&mut self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|e| e == "png") {
                let decoded = image::open(&path).map_err(|e| format!("{}: {e}", path.display()));
                self.taken(decoded);
            }
        }
    }

    fn checkpoints(&mut self, dir: &RunDir, spec: &RunSpec) {
        for (json, loaded) in self.taken(checkpoint::all(dir, spec)).into_iter().flatten() {
            let metadata = self.taken(loaded);
            if metadata.is_some_and(|m| m.checksum.is_none()) {
                self.unchecked.push(format!("{} has no checksum of its own", json.display()));
            }
        }
    }
}
