//! Experiment files: methods × settings × listed values × seeds, with sizes per scale. experiments/README.md lists every key.

mod built_in;
mod expand;
mod given;
mod own;
mod paper;
mod scale;
mod written;

pub use built_in::{built_in, built_in_names, experiments_of};
pub use given::{Changes, Given, Keys, SetKey};
pub use paper::Paper;
pub use scale::{Scale, ScorePlan, former_scale, todays_scale};

use crate::method::{Method, Setting};
use crate::spec::RunSpec;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use written::Written;

/// A parsed experiment file.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
    /// The file, for messages.
    pub path: PathBuf,
    /// Name of the experiment, also of its results folder.
    pub name: String,
    /// One sentence for readers.
    pub title: String,
    /// Rows.
    pub methods: Vec<MethodRow>,
    /// Names of optimizer settings (A–F).
    pub settings: Vec<String>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// What every run shares: keys of [`RunSpec`].
    pub run: Keys,
    /// What it reproduces of the paper; `None` in your own experiment.
    pub paper: Option<Paper>,
    /// Sizes, by scale.
    pub scales: BTreeMap<String, Scale>,
}

/// A row: a method, and keys of [`RunSpec`] that differ from the method's values.
#[derive(Debug, Clone)]
pub struct MethodRow {
    /// Name in tables and figures.
    pub label: String,
    /// The method.
    pub method: Method,
    /// Overrides.
    pub run: Keys,
}

/// What a sweep does: complete specs in order, and how to score them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The experiment's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The scale.
    pub scale: String,
    /// What it reproduces of the paper.
    pub paper: Option<Paper>,
    /// One spec per run.
    pub specs: Vec<RunSpec>,
    /// Whether D's loss on the data set's held-out images is logged.
    pub watch_held_out: bool,
    /// Logging and scoring.
    pub score: ScorePlan,
}

impl ExperimentFile {
    /// Parses `text`; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Parse`] naming line and key.
    pub fn parse(path: &Path, text: &str) -> Result<ExperimentFile> {
        let written: Written = toml::from_str(text).map_err(|e| Error::parse(path, e))?;
        written.complete(path, text).map_err(|reason| Error::parse(path, reason))
    }
}

/// Refuses a list with duplicates; the error names the list.
fn once<T: Ord + std::fmt::Display>(
    list: &str,
    items: impl IntoIterator<Item = T>,
) -> std::result::Result<(), String> {
    let mut seen = BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            return Err(format!("{list}: `{item}` stands there twice"));
        }
        seen.insert(item);
    }
    Ok(())
}

/// The optimizer settings by name: Table 1 of the paper, and the named settings of other
/// experiments.
///
/// # Errors
/// Never in a released build: the table is embedded.
pub fn settings() -> Result<BTreeMap<String, Setting>> {
    toml::from_str(built_in::SETTINGS)
        .map_err(|e| Error::parse(Path::new("experiments/settings.toml"), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const FILE: &str = r#"
        name = "t"
        title = "t"
        settings = ["A", "C"]
        seeds = [0, 1]
        run = { side = 16 }
        methods = [{ label = "SN", method = "sn" }, { label = "SN hinge", method = "sn", run = { loss = "hinge" } }]
        [scales.smoke]
        run = { gen_updates = 2 }
        score = { backbone = "none", protocols = ["is_10_split1"], log_every = 1, checkpoint_every = 1 }
    "#;

    #[test]
    fn expands_rows_settings_and_seeds() {
        let plan = ExperimentFile::parse(Path::new("t.toml"), FILE).unwrap().plan("smoke").unwrap();
        assert_eq!(plan.specs.len(), 8);
        assert_eq!((plan.specs[0].n_dis, plan.specs[2].n_dis), (5, 1));
        assert_eq!(plan.specs[4].loss, crate::method::Loss::Hinge);
        let mut ids: Vec<_> = plan.specs.iter().map(|s| s.dir_name()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 8);
    }

    #[test]
    fn unknown_names_are_errors_that_list_what_exists() {
        let file = ExperimentFile::parse(Path::new("t.toml"), FILE).unwrap();
        assert!(file.plan("huge").unwrap_err().to_string().contains("known: smoke"));
        let typo = FILE.replace("side = 16", "sied = 16");
        let message = ExperimentFile::parse(Path::new("t.toml"), &typo)
            .unwrap()
            .plan("smoke")
            .unwrap_err()
            .to_string();
        assert!(message.contains("run.sied"), "{message}");
        assert!(
            ExperimentFile::parse(Path::new("t.toml"), &FILE.replace("title", "titel")).is_err()
        );
    }

    #[test]
    fn score_plans_that_cannot_be_carried_out_are_refused() {
        let message = |protocols: &str| {
            let text = FILE.replace("\"is_10_split1\"", protocols);
            let file = ExperimentFile::parse(Path::new("t.toml"), &text);
            file.and_then(|f| f.plan("smoke")).unwrap_err().to_string()
        };
        assert!(message("\"fid_10\"").contains("such as is_5k_x10"));
        assert!(message("\"fid_10_stats\"").contains("only a command line"));
        assert!(message("\"is_10_x2\", \"is_10_x2\"").contains("twice"));
    }

    #[test]
    fn what_stands_twice_is_refused_by_its_list() {
        let message = |from: &str, to: &str| {
            let text = FILE.replace(from, to);
            assert_ne!(text, FILE);
            let file = ExperimentFile::parse(Path::new("t.toml"), &text);
            file.and_then(|f| f.plan("smoke")).unwrap_err().to_string()
        };
        for (from, to, said) in [
            ("[0, 1]", "[0, 0, 0]", "seeds: `0`"),
            ("[\"A\", \"C\"]", "[\"A\", \"A\"]", "settings: `A`"),
            ("label = \"SN hinge\"", "label = \"SN\"", "methods: `SN`"),
            // A different label whose values derive the label of another row.
            (
                "label = \"SN hinge\", method = \"sn\", run = { loss = \"hinge\" }",
                "label = \"WN\", method = \"sn\"",
                "the plan: `SN, setting A, seed 0`",
            ),
        ] {
            let found = message(from, to);
            assert!(found.contains(said) && found.contains("twice"), "{found}");
        }
    }

    #[test]
    fn rows_are_called_what_runs() {
        let text = FILE.replace("label = \"SN hinge\", method = \"sn\", run = { loss = \"hinge\" }", "label = \"WN\", method = \"weight-norm\", run = { normalization = \"none\", n_dis = 7 }");
        let plan =
            ExperimentFile::parse(Path::new("t.toml"), &text).unwrap().plan("smoke").unwrap();
        let names: HashSet<_> =
            plan.specs.iter().map(|s| (s.label.as_str(), s.method, s.setting.as_str())).collect();
        let expected = [
            ("SN", Method::Sn, "A"),
            ("SN", Method::Sn, "C"),
            ("Vanilla", Method::Vanilla, "custom"),
        ];
        assert_eq!(names, HashSet::from(expected));
    }

    #[test]
    fn table_1_is_the_papers() {
        let t = settings().unwrap();
        let of_the_paper: Vec<&str> =
            t.keys().map(String::as_str).filter(|name| name.len() == 1).collect();
        assert_eq!(of_the_paper, ["A", "B", "C", "D", "E", "F"]);
        assert_eq!(t["F"], Setting { lr: 0.001, beta1: 0.9, beta2: 0.999, n_dis: 5 });
    }
}
