//! The meaning of a path on the command line.

use super::warn;
use anyhow::{Context, Result};
use sngan_core::checkpoint::{self, Checkpoint};
use sngan_experiment::{RunDir, RunSpec};
use sngan_tensor::Device;
use std::path::Path;

/// The spec and checkpoint, if the path is a run's folder (then its newest good checkpoint) or a
/// file in its `checkpoints/`.
pub(crate) fn run_and_checkpoint(path: &Path) -> Result<Option<(RunSpec, Checkpoint)>> {
    if path.is_dir() {
        let dir = RunDir::new(path);
        let spec = dir.spec()?;
        let checkpoint = checkpoint::latest(&dir, &spec, &Device::Cpu, &mut warn)?
            .with_context(|| format!("{} has no good checkpoint", path.display()))?;
        return Ok(Some((spec, checkpoint)));
    }
    match path
        .parent()
        .filter(|p| p.file_name().is_some_and(|n| n == "checkpoints"))
        .and_then(Path::parent)
    {
        Some(run) if RunDir::new(run).spec_path().exists() => {
            let spec = RunDir::new(run).spec()?;
            let checkpoint = checkpoint::load_of_run(path, &spec, &Device::Cpu)?;
            Ok(Some((spec, checkpoint)))
        }
        _ => Ok(None),
    }
}
