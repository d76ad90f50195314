//! Whether a run's folder is as it was written.

use sngan_core::checkpoint::{self, Metadata};
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
    if let (Some(spec), Some(status)) = (&spec, &status) {
        found.records(dir, spec, status);
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
    fn records(&mut self, dir: &RunDir, spec: &RunSpec, status: &StatusRecord) {
        match &status.run_id {
            Some(found) if *found != spec.id() => {
                self.faults.push(format!(
                    "{} is of run {found}, and the spec beside it of run {}",
                    dir.status_path().display(),
                    spec.id()
                ));
            }
            Some(_) => {}
            None => self.unchecked.push("status.json does not name its run".into()),
        }
        for path in dir.record_paths().into_iter().filter(|path| path.exists()) {
            let name =
                path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            match status.records.get(&name) {
                Some(extent) => {
                    self.taken(extent.check(&path));
                }
                None => self.unchecked.push(format!("{name} has no checksum")),
            }
        }
        for name in status.records.keys().filter(|name| !dir.path().join(name).exists()) {
            self.faults.push(format!("{} is not there", dir.path().join(name).display()));
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
        match checkpoint::damaged(dir, spec) {
            Ok(damaged) => self.faults.extend(damaged.iter().map(ToString::to_string)),
            Err(e) => self.faults.push(e.to_string()),
        }
        for json in checkpoint::newest_first(dir).unwrap_or_default() {
            let metadata = run_dir::read_json::<Metadata>(&json);
            if metadata.is_ok_and(|m| m.checksum.is_none()) {
                self.unchecked.push(format!("{} has no checksum of its own", json.display()));
            }
        }
    }
}
