//! `sngan verify`: whether runs, sweeps, collections, packs, caches, statistics, weights, downloads and scorers are as they were written.

use crate::Ended;
use crate::args::Verify;
use crate::progress::{Meter, Position};
use crate::say::{counted, say};
use anyhow::{Context, Result, bail};
use sngan_core::interchange::weights;
use sngan_data::fetch;
use sngan_data::pack::{self, Packed};
use sngan_eval::{Scorer, Statistics, cache};
use sngan_experiment::{RunDir, run_dir};
use sngan_plot::records;
use std::path::{Path, PathBuf};

/// What was checked so far.
#[derive(Default)]
struct Found {
    checked: usize,
    damaged: usize,
    unknown: usize,
    unchecked: usize,
}

/// Checks everything in the folders; each damaged file is named, and the next one is looked at.
pub(crate) fn run(arguments: &Verify) -> Result<Ended> {
    let mut found = Found::default();
    for path in &arguments.paths {
        let before = found.checked;
        found.folder(path, arguments.details)?;
        if found.checked == before {
            eprintln!(
                "error: {} is no run, sweep, collection, pack, cache of features, statistics, weights, download or scorer, and holds none",
                path.display()
            );
            found.unknown += 1;
        }
    }
    let Found { checked, damaged, unknown, unchecked } = found;
    let older = match (unchecked, arguments.details) {
        (0, _) => String::new(),
        (n, details) => {
            let listed = if details { "" } else { " (--details lists them)" };
            let things = counted(n, "thing");
            format!("; {things} that older versions put no checksum to{listed}")
        }
    };
    say!("{checked} checked, {damaged} damaged{older}");
    Ok(if damaged + unknown == 0 { Ended::Well } else { Ended::WithFailures })
}

impl Found {
    /// What a folder is, or what the files and folders in it are.
    fn folder(&mut self, path: &Path, details: bool) -> Result<()> {
        if path.is_file() {
            self.file(path);
            return Ok(());
        }
        if path.exists() && !path.is_dir() {
            bail!("{} is neither a file nor a folder", path.display());
        }
        if path.join(run_dir::COLLECTION).exists() {
            self.report("collection", path, &records::verify(path));
        } else if path.join(pack::HEADER).exists() {
            self.report("pack", path, &pack_faults(path));
        } else if RunDir::new(path).spec_path().exists() {
            self.run(path, details);
        } else {
            let entries = entries(path)?;
            entries.iter().filter(|p| p.is_file()).for_each(|p| self.file(p));
            if entries.iter().any(|p| cache::is_features(p)) {
                self.report("cache", path, &cache::verify(path)?);
            }
            if path.join("plan.json").exists() {
                self.sweep(path);
            }
            for entry in entries.iter().filter(|p| p.is_dir() && !p.is_symlink() && !is_hidden(p)) {
                self.folder(entry, details)?;
            }
        }
        Ok(())
    }

    /// A file whose name or content says what it should be.
    fn file(&mut self, path: &Path) {
        let ends_in = |ending| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        let (what, fault) = if fetch::is_download(path).is_some() {
            ("download", fetch::verify_download(path).err().map(|e| e.to_string()))
        } else if ends_in("npz") && Statistics::recognizes(path) {
            ("statistics", sngan_eval::verify_statistics(path).err().map(|e| e.to_string()))
        } else if let Some(checked) = Scorer::verify_released(path) {
            ("scorer", checked.err().map(|e| e.to_string()))
        } else if let Some(checked) =
            ends_in("safetensors").then(|| weights::verify(path)).flatten()
        {
            ("weights", checked.err().map(|e| e.to_string()))
        } else {
            return;
        };
        self.report(what, path, fault.as_slice());
    }

    /// A sweep's own records, without its runs.
    fn sweep(&mut self, out: &Path) {
        let plan =
            run_dir::read_json::<sngan_experiment::records::PlanRecord>(&out.join("plan.json"));
        let faults: Vec<String> =
            [plan.err(), run_dir::ceiling(out).err(), run_dir::untrained(out).err()]
                .into_iter()
                .flatten()
                .map(|e| e.to_string())
                .collect();
        self.report("sweep", out, &faults);
    }

    fn run(&mut self, path: &Path, details: bool) {
        let verified = sngan_sweep::verify_run(&RunDir::new(path));
        self.report("run", path, &verified.faults);
        self.unchecked += verified.unchecked.len();
        if details {
            for what in &verified.unchecked {
                say!("  {}: {what}", path.display());
            }
        }
    }

    fn report(&mut self, what: &str, path: &Path, faults: &[String]) {
        self.checked += 1;
        self.damaged += usize::from(!faults.is_empty());
        let said = if faults.is_empty() { "whole" } else { "DAMAGED" };
        say!("{said:<8} {what} {}", path.display());
        faults.iter().for_each(|fault| say!("  {fault}"));
    }
}

fn pack_faults(folder: &Path) -> Vec<String> {
    let packed = match Packed::open(folder) {
        Ok(packed) => packed,
        Err(e) => return vec![e.to_string()],
    };
    let progress = Meter::new("images");
    let faults = packed.damaged(&mut |done, total| {
        progress.set(Position::even(done, Some(total)), String::new);
    });
    progress.finish();
    faults.iter().map(ToString::to_string).collect()
}

/// What is in a folder, by name.
fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let list =
        std::fs::read_dir(path).with_context(|| format!("failed to list {}", path.display()))?;
    let mut entries = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}
