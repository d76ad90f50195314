//! `sngan plan`.

use crate::args::Plan;
use crate::{Ended, experiments};
use anyhow::Result;
use std::path::Path;

pub(crate) fn run(arguments: &Plan, folder: Option<&Path>) -> Result<Ended> {
    let plan =
        experiments::find(&arguments.experiment, folder)?.plan_with(&arguments.scale, arguments.seeds.as_ref().map(|s| s.0.as_slice()))?;
    if arguments.json {
        for spec in &plan.specs {
            println!("{}", serde_json::to_string(spec)?);
        }
        return Ok(Ended::Well);
    }
    println!("{} at scale {}: {}", plan.name, plan.scale, plan.title);
    println!("{:<40} {:>14} {:>9} {:>12} {:>14}", "run", "setting", "updates", "dataset", "multiply-adds");
    let mut total = 0.0;
    for spec in &plan.specs {
        let cost = spec.multiply_adds()?;
        total += cost;
        let data = format!("{}@{}", spec.dataset.name(), spec.side);
        println!("{:<40} {:>14} {:>9} {:>12} {:>14.3e}", spec.dir_name(), spec.setting, spec.gen_updates, data, cost);
    }
    println!("{} runs, {total:.3e} multiply-adds in all", plan.specs.len());
    let score = &plan.score;
    println!("score: backbone {}, {} samples, {} splits", score.backbone, score.samples, score.splits);
    Ok(Ended::Well)
}
