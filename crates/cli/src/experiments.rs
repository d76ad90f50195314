//! Finding experiment files.

use anyhow::{Context, Result, bail};
use sngan_experiment::{ExperimentFile, built_in, built_in_names};
use std::path::{Path, PathBuf};

/// Reads experiment `name`: a file of that path, else `name.toml` in `folder` or ./experiments, else a built-in one.
pub(crate) fn find(name: &str, folder: Option<&Path>) -> Result<ExperimentFile> {
    let direct = PathBuf::from(name);
    if direct.extension().is_some_and(|e| e == "toml") {
        return read(&direct);
    }
    let folder = folder.unwrap_or(Path::new("experiments"));
    let path = folder.join(format!("{name}.toml"));
    if path.exists() {
        return read(&path);
    }
    match built_in(name) {
        Some(file) => Ok(file?),
        None => bail!(
            "no experiment `{name}` in {}; built in: {}",
            folder.display(),
            built_in_names().join(", ")
        ),
    }
}

fn read(path: &Path) -> Result<ExperimentFile> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read {}", path.display()))?;
    Ok(ExperimentFile::parse(path, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;
    use sngan_experiment::{RunSpec, WidthCorrection};

    #[test]
    fn every_built_in_experiment_expands_at_every_scale() {
        for name in built_in_names() {
            let file = built_in(name).unwrap().unwrap();
            assert_eq!(file.name, name);
            for scale in file.scales.keys() {
                let plan = file.plan(scale).unwrap();
                let mut folders: Vec<_> = plan.specs.iter().map(|s| s.dir_name()).collect();
                folders.sort();
                folders.dedup();
                assert_eq!(folders.len(), plan.specs.len(), "{name} at {scale}");
            }
        }
    }

    #[test]
    fn table1_holds_the_grids_it_promises() {
        let file = find("table1", Some(Path::new("no such folder"))).unwrap();
        assert_eq!(file.plan("quick").unwrap().specs.len(), 48);
        assert_eq!(file.plan("smoke").unwrap().specs.len(), 48);
        assert_eq!(file.plan("narrow").unwrap().specs.len(), 8 * 6 * 3);
        assert_eq!(file.plan("wide").unwrap().specs.len(), 8 * 6);
        // Its name before `wide` was added.
        assert_eq!(file.plan("cpu").unwrap().specs, file.plan("narrow").unwrap().specs);
        let sizes = |s: &RunSpec| (s.width_divisor, s.gen_updates, s.width_correction);
        for spec in file.plan("narrow").unwrap().specs {
            let penalized = spec.method == Method::WganGp;
            assert!(!penalized || sizes(&spec) == (4, 10_000, WidthCorrection::Multiplier));
        }
        for spec in file.plan("wide").unwrap().specs {
            assert_eq!(sizes(&spec), (1, 10_000, WidthCorrection::None));
        }
        let paper = file.plan("paper").unwrap();
        assert!(
            paper
                .specs
                .iter()
                .all(|s| (s.side, s.width_divisor, s.batch, s.gen_updates) == (32, 1, 64, 100_000))
        );
    }
}
