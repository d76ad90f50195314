//! Commands on finished runs: `spectra`, `sigma`, `collect`, `unpack`.

use super::records::warn_of_damaged;
use super::{Change, Job, warn};
use crate::Ended;
use crate::say::{counted, quoted, say};
use crate::table::wrap;
use anyhow::{Context, Result, bail};
use sngan_experiment::RunDir;
use sngan_plot::records::{self, SweepRecords};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a sweep's tables go.
fn tables_of(sweep: &Path, out: Option<&Path>) -> Result<PathBuf> {
    let Some(out) = out else { return Ok(sweep.join("records")) };
    let real = sweep.canonicalize().with_context(|| format!("no folder {}", sweep.display()))?;
    let name = real.file_name().with_context(|| format!("{} has no name", sweep.display()))?;
    Ok(out.join(name))
}

/// Writes each sweep's records as tables.
pub(crate) fn collect(
    outs: Vec<PathBuf>,
    out: Option<&Path>,
    csv: bool,
    without: Vec<String>,
) -> Result<Job> {
    let folders = outs.iter().map(|sweep| tables_of(sweep, out)).collect::<Result<Vec<_>>>()?;
    for (i, folder) in folders.iter().enumerate() {
        if let Some(first) = folders[..i].iter().position(|f| f == folder) {
            let [first, second] = [first, i].map(|i| outs[i].display());
            bail!("{first} and {second} would both go to {}; gather them apart", folder.display());
        }
    }
    let formats = if csv { "Parquet and CSV" } else { "Parquet" };
    let changes: Vec<Change> = folders.iter().map(|f| Change::into(f, formats)).collect();
    Ok(Job::that_changes(changes, move || {
        let mut whole = true;
        for (sweep, folder) in outs.iter().zip(&folders) {
            let records = SweepRecords::read(sweep)?;
            warn_of_damaged(&records.damaged);
            whole &= records.damaged.is_empty();
            let mut files = records::collect_without(&records, folder, &without)?;
            if csv {
                files.extend(records::write_csv(&records, folder)?);
            }
            files.iter().for_each(|file| say!("{}", file.display()));
        }
        if let [folder] = &folders[..] {
            let next = format!("Next: `sngan draw {0}`, or `sngan verify {0}`", quoted(folder));
            say!("{}", wrap(&next));
        }
        Ok(if whole { Ended::Well } else { Ended::WithFailures })
    }))
}

/// Makes a sweep's folder from a collection.
pub(crate) fn unpack(collection: PathBuf, out: PathBuf) -> Job {
    Job::that_changes([Change::file(&out, "a sweep's folder")], move || {
        let records = SweepRecords::read(&collection)?;
        records::unpack(&records, &out)?;
        let runs = counted(records.runs.len(), "run");
        say!("{}: {runs}, without checkpoints", out.display());
        say!("{}", wrap(&format!("Next: `sngan status {0}`, `sngan draw {0}`", quoted(&out))));
        Ok(Ended::Well)
    })
}

/// Records and prints the singular values of each run's D.
pub(crate) fn spectra(runs: Vec<PathBuf>) -> Job {
    let file = |run: &PathBuf| RunDir::new(run).spectrum_path();
    let changes: Vec<Change> =
        runs.iter().map(|run| Change::file(&file(run), "singular values")).collect();
    Job::that_changes(changes, move || {
        runs.iter().try_for_each(|run| spectra_of(run))?;
        Ok(Ended::Well)
    })
}

fn spectra_of(run: &Path) -> Result<()> {
    let dir = RunDir::new(run);
    sngan_sweep::spectra_of_run(&dir, &dir.spec()?, &mut warn)?;
    say!("{}", dir.spectrum_path().display());
    for s in dir.spectra()? {
        let total: f64 = s.squared.iter().sum();
        let share = |x: f64| if x > 0.0 { -(x / total) * (x / total).ln() } else { 0.0 };
        let rank = s.squared.iter().map(|x| share(*x)).sum::<f64>().exp();
        let sigma = s.squared.first().copied().unwrap_or(0.0).sqrt();
        say!(
            "  {:<8} {:<10} σ {sigma:>10.5}  effective rank {rank:>8.2} of {}",
            s.layer,
            s.weights,
            s.squared.len()
        );
    }
    Ok(())
}

pub(crate) fn sigma(runs: &[PathBuf], from: u64) -> Result<Ended> {
    for run in runs {
        let mut ranges: BTreeMap<String, (f64, f64, usize)> = BTreeMap::new();
        for record in RunDir::new(run).log()?.into_iter().filter(|r| r.gen_update >= from) {
            for (layer, sigma) in record.sigma_forward {
                let Some(sigma) = sigma else { continue };
                let range = ranges.entry(layer).or_insert((f64::INFINITY, f64::NEG_INFINITY, 0));
                *range = (range.0.min(sigma), range.1.max(sigma), range.2 + 1);
            }
        }
        if ranges.is_empty() {
            bail!("{} has no logged sigma_forward from update {from} on", run.display());
        }
        say!("{}: sigma_forward from update {from} on", run.display());
        for (layer, (low, high, count)) in ranges {
            say!("  {layer:<8} {low:.7} to {high:.7}, {}", counted(count, "value"));
        }
    }
    Ok(Ended::Well)
}
