//! Finding experiment files.

use anyhow::{Context, Result, bail};
use sngan_experiment::ExperimentFile;
use std::path::{Path, PathBuf};

/// Experiments that need no folder.
const BUILT_IN: [(&str, &str); 16] = [
    ("table1", include_str!("../../../experiments/table1.toml")),
    ("table1-stl10", include_str!("../../../experiments/table1-stl10.toml")),
    ("table2", include_str!("../../../experiments/table2.toml")),
    ("table2-stl10", include_str!("../../../experiments/table2-stl10.toml")),
    ("table2-resnet", include_str!("../../../experiments/table2-resnet.toml")),
    ("table2-resnet-stl10", include_str!("../../../experiments/table2-resnet-stl10.toml")),
    ("last-layer", include_str!("../../../experiments/last-layer.toml")),
    ("n-dis", include_str!("../../../experiments/n-dis.toml")),
    ("table7", include_str!("../../../experiments/table7.toml")),
    ("table7-resnet", include_str!("../../../experiments/table7-resnet.toml")),
    ("table8", include_str!("../../../experiments/table8.toml")),
    ("imagenet", include_str!("../../../experiments/imagenet.toml")),
    ("imagenet-concat", include_str!("../../../experiments/imagenet-concat.toml")),
    ("imagenet-projection", include_str!("../../../experiments/imagenet-projection.toml")),
    ("demo", include_str!("../../../experiments/demo.toml")),
    ("spectral-stability", include_str!("../../../experiments/spectral-stability.toml")),
];

/// Reads experiment `name`: a file of that path, else `name.toml` in `folder` or ./experiments, else a built-in one.
pub(crate) fn find(name: &str, folder: Option<&Path>) -> Result<ExperimentFile> {
    let direct = PathBuf::from(name);
    if direct.extension().is_some_and(|e| e == "toml") {
        return read(&direct);
    }
    let folders = match folder {
        Some(folder) => vec![folder.to_path_buf()],
        None => vec![PathBuf::from("experiments")],
    };
    for folder in &folders {
        let path = folder.join(format!("{name}.toml"));
        if path.exists() {
            return read(&path);
        }
    }
    match BUILT_IN.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => {
            Ok(ExperimentFile::parse(Path::new(&format!("built-in {name}.toml")), text)?)
        }
        None => {
            let known: Vec<_> = BUILT_IN.iter().map(|(n, _)| *n).collect();
            bail!(
                "no experiment `{name}` in {}; built in: {}",
                folders[0].display(),
                known.join(", ")
            )
        }
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
        for (name, text) in BUILT_IN {
            let file = ExperimentFile::parse(Path::new(name), text).unwrap();
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
        // Its name before there was `wide`.
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
