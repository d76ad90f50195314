//! The experiment files built into the program: all those in experiments/.

use super::ExperimentFile;
use crate::Result;
use include_dir::{Dir, include_dir};
use std::path::Path;

const FOLDER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/experiments");

/// The paper's Table 1.
pub(super) const SETTINGS: &str = include_str!("../../experiments/settings.toml");
/// The scales that files share.
pub(super) const SCALES: &str = include_str!("../../experiments/scales.toml");

/// Files of the folder that are not experiments.
const OTHERS: [&str; 4] = ["claims", "claims-since-2018", "scales", "settings"];

/// Names and texts, ordered by name.
fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut files: Vec<_> = FOLDER
        .files()
        .filter(|f| f.path().extension().is_some_and(|e| e == "toml"))
        .filter_map(|f| Some((f.path().file_stem()?.to_str()?, f.contents_utf8()?)))
        .filter(|(name, _)| !OTHERS.contains(name))
        .collect();
    files.sort_unstable();
    files.into_iter()
}

/// Names of the built-in experiments, in alphabetical order.
pub fn built_in_names() -> Vec<&'static str> {
    files().map(|(name, _)| name).collect()
}

/// The built-in experiment of this name, if there is one.
///
/// # Errors
/// Never in a released build: a test expands each.
pub fn built_in(name: &str) -> Option<Result<ExperimentFile>> {
    let (name, text) = files().find(|(n, _)| *n == name)?;
    Some(ExperimentFile::parse(Path::new(&format!("built-in {name}.toml")), text))
}

/// The built-in experiments that a table or figure is made from, by its short name: those of CIFAR-10 first, as in the paper.
pub fn experiments_of(artefact: &str) -> Vec<&'static str> {
    let paper = |name: &&'static str| built_in(name)?.ok()?.paper;
    let mut names: Vec<_> = files()
        .filter_map(|(name, _)| Some((paper(&name)?, name)))
        .filter(|(paper, _)| paper.has(artefact))
        .collect();
    // An experiment that lists the artefact first is the artefact's own.
    names.sort_by_key(|(paper, name)| {
        let own = paper.artefacts.first().is_some_and(|first| first == artefact);
        (paper.part.clone(), !own, *name)
    });
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artefacts_know_their_experiments() {
        assert_eq!(experiments_of("fig13"), ["imagenet", "imagenet-projection"]);
        assert_eq!(experiments_of("table1"), ["table1", "table1-stl10"]);
        assert_eq!(
            experiments_of("table2"),
            [
                "table2",
                "table2-resnet",
                "table1",
                "table2-resnet-stl10",
                "table2-stl10",
                "table1-stl10"
            ]
        );
        assert!(experiments_of("fig8").is_empty());
        let names = built_in_names();
        assert!(names.contains(&"width") && !names.contains(&"settings"), "{names:?}");
    }
}
