//! What can be done with finished runs: `spectra`, `sigma`, `collect`.

use crate::Ended;
use anyhow::{Result, bail};
use sngan_experiment::RunDir;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) fn collect(outs: &[PathBuf], out: Option<PathBuf>) -> Result<Ended> {
    let folder = out.unwrap_or_else(|| outs[0].join("records"));
    for file in sngan_plot::export(outs, &folder)? {
        println!("{}", file.display());
    }
    Ok(Ended::Well)
}

pub(crate) fn spectra(runs: &[PathBuf]) -> Result<Ended> {
    for run in runs {
        let dir = RunDir::new(run);
        sngan_sweep::spectra_of_run(&dir, &dir.spec()?)?;
        println!("{}", dir.spectrum_path().display());
        for s in dir.spectra()? {
            let total: f64 = s.squared.iter().sum();
            let share = |x: f64| if x > 0.0 { -(x / total) * (x / total).ln() } else { 0.0 };
            let rank = s.squared.iter().map(|x| share(*x)).sum::<f64>().exp();
            let sigma = s.squared.first().copied().unwrap_or(0.0).sqrt();
            println!(
                "  {:<8} {:<10} σ {sigma:>10.5}  effective rank {rank:>8.2} of {}",
                s.layer,
                s.weights,
                s.squared.len()
            );
        }
    }
    Ok(Ended::Well)
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
        println!("{}: sigma_forward from update {from} on", run.display());
        for (layer, (low, high, count)) in ranges {
            println!("  {layer:<8} {low:.7} to {high:.7}, {count} values");
        }
    }
    Ok(Ended::Well)
}
