//! The meaning of a path on the command line.

use super::warn;
use crate::say::counted;
use anyhow::{Context, Result};
use sngan_core::checkpoint::{self, Checkpoint};
use sngan_experiment::{RunDir, RunSpec};
use sngan_tensor::Device;
use std::path::Path;

/// The run whose folder the path is, or whose `checkpoints/` it lies in.
pub(crate) fn run_of(path: &Path) -> Option<RunDir> {
    if path.is_dir() {
        return Some(RunDir::new(path));
    }
    let folder = path.parent().filter(|p| p.file_name().is_some_and(|n| n == "checkpoints"))?;
    Some(RunDir::new(folder.parent()?)).filter(|run| run.spec_path().exists())
}

/// How far networks were trained, in words.
pub(crate) fn after(spec: &RunSpec, gen_updates: u64) -> String {
    match spec.knows("gen_updates") {
        true => format!("after {}", counted(gen_updates, "update")),
        false => "after an unknown number of updates".into(),
    }
}

/// The spec and checkpoint, if the path is a run's folder (then its newest good checkpoint) or a
/// file in its `checkpoints/`.
pub(crate) fn run_and_checkpoint(path: &Path) -> Result<Option<(RunSpec, Checkpoint)>> {
    let Some(dir) = run_of(path) else { return Ok(None) };
    let spec = dir.spec()?;
    let checkpoint = if path.is_dir() {
        checkpoint::latest(&dir, &spec, &Device::Cpu, &mut warn)?
            .with_context(|| format!("{} has no good checkpoint", path.display()))?
    } else {
        checkpoint::load_of_run(path, &spec, &Device::Cpu)?
    };
    Ok(Some((spec, checkpoint)))
}
