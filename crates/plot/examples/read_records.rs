//! What a sweep left behind, from its folder or from a collection of its records such as those in results/:
//! `cargo run --release -p sngan-plot --example read_records -- results/table1-narrow`

use sngan_experiment::records::Metric;
use sngan_plot::ScoredSweep;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: FOLDER")?;
    let sweep = ScoredSweep::read(folder.as_ref())?;
    println!("{}: {}", sweep.plan.title, sweep.conditions());
    for run in &sweep.runs {
        let spec = &run.spec;
        let fid = run.last(Metric::Fid).map_or_else(|| "–".to_string(), |fid| format!("{fid:.2}"));
        let last = run.records.log.last();
        let sigma = last.and_then(|line| line.sigma_forward.get("conv0").copied().flatten());
        let sigma = sigma.map_or_else(|| "–".to_string(), |sigma| format!("{sigma:.3}"));
        println!(
            "{} {} seed {}: FID {fid}, σ of conv0 {sigma}",
            spec.label, spec.setting, spec.seed
        );
    }
    Ok(())
}
