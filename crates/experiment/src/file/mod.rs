//! Experiment files: methods × settings × seeds, with sizes per scale. experiments/README.md lists every key.

mod built_in;
mod paper;
mod scale;

pub use built_in::{built_in, built_in_names, experiments_of};
pub use paper::Paper;
pub use scale::{Scale, ScorePlan, former_scale, todays_scale};

use crate::method::{Method, Setting};
use crate::spec::{CUSTOM, RunSpec};
use crate::{Error, Result, Slash, plain};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A parsed experiment file.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
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
    pub run: BTreeMap<String, toml::Value>,
    /// What it reproduces of the paper; `None` in your own experiment.
    pub paper: Option<Paper>,
    /// Sizes, by scale.
    pub scales: BTreeMap<String, Scale>,
}

/// An experiment file as written: its scales may leave out what a shared scale has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    title: String,
    methods: Vec<MethodRow>,
    settings: Vec<String>,
    seeds: Vec<u64>,
    #[serde(default)]
    run: BTreeMap<String, toml::Value>,
    paper: Option<Paper>,
    scales: BTreeMap<String, scale::Written>,
}

impl Written {
    /// The file with complete scales. Duplicates in a list are refused, because they would be
    /// pooled as several runs.
    fn complete(self) -> std::result::Result<ExperimentFile, String> {
        once("methods", self.methods.iter().map(|r| &r.label))?;
        once("settings", &self.settings)?;
        once("seeds", &self.seeds)?;
        let named = |key, name: &str, slash| plain(key, name, slash).map_err(|e| e.to_string());
        named("name", &self.name, Slash::Refused)?;
        named("title", &self.title, Slash::Allowed)?;
        self.scales.keys().try_for_each(|scale| named("scales", scale, Slash::Refused))?;
        let scale = |(name, scale): (String, scale::Written)| {
            let complete = scale.complete(&name)?;
            Ok((name, complete))
        };
        Ok(ExperimentFile {
            name: self.name,
            title: self.title,
            methods: self.methods,
            settings: self.settings,
            seeds: self.seeds,
            run: self.run,
            paper: self.paper,
            scales: self
                .scales
                .into_iter()
                .map(scale)
                .collect::<std::result::Result<_, String>>()?,
        })
    }
}

/// A row: a method, and keys of [`RunSpec`] that differ from the method's values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodRow {
    /// Name in tables and figures.
    pub label: String,
    /// The method.
    pub method: Method,
    /// Overrides.
    #[serde(default)]
    pub run: BTreeMap<String, toml::Value>,
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
        written.complete().map_err(|reason| Error::parse(path, reason))
    }

    /// Expands one scale to complete, validated specs: methods × settings × seeds, seeds innermost.
    ///
    /// # Errors
    /// Unknown scale, setting, label or key; a value out of range.
    pub fn plan(&self, scale_name: &str) -> Result<Plan> {
        self.plan_with(scale_name, None)
    }

    /// [`ExperimentFile::plan`] with `seeds` in place of the file's, if given.
    ///
    /// # Errors
    /// As [`ExperimentFile::plan`].
    pub fn plan_with(&self, scale_name: &str, seeds: Option<&[u64]>) -> Result<Plan> {
        let mut plan = self.drafts(scale_name, seeds)?;
        for spec in &mut plan.specs {
            spec.settle()?;
            spec.validate()?;
        }
        // Several settings may be `custom`; figures tell them apart by their values.
        let name = |s: &RunSpec| {
            let setting = match s.setting.as_str() {
                CUSTOM => format!("{CUSTOM} {} {} {} {}", s.lr, s.beta1, s.beta2, s.n_dis),
                named => named.into(),
            };
            format!("{}, setting {setting}, seed {}", s.label, s.seed)
        };
        once("the plan", plan.specs.iter().map(name))
            .map_err(|reason| Error::parse(Path::new(&self.name), reason))?;
        Ok(plan)
    }

    /// [`ExperimentFile::plan_with`] for specs that are changed further: corrections without effect
    /// are not yet set to `none`. Call [`RunSpec::settle`] and [`RunSpec::validate`] after the
    /// changes.
    ///
    /// # Errors
    /// Unknown scale, setting, label or key; a wrong type.
    pub fn drafts(&self, scale_name: &str, seeds: Option<&[u64]>) -> Result<Plan> {
        let (scale_name, scale) = self.scale(scale_name)?;
        scale.score.validate()?;
        let table = settings()?;
        let rows: Vec<&MethodRow> = match &scale.methods {
            None => self.methods.iter().collect(),
            Some(labels) => labels.iter().map(|label| self.row(label)).collect::<Result<_>>()?,
        };
        let seeds = seeds.unwrap_or_else(|| scale.seeds.as_ref().unwrap_or(&self.seeds));
        let mut specs = Vec::new();
        for row in rows {
            for name in scale.settings.as_ref().unwrap_or(&self.settings) {
                let setting = table.get(name).ok_or_else(|| Error::Unknown {
                    what: "setting",
                    name: name.clone(),
                    known: table.keys().cloned().collect::<Vec<_>>().join(", "),
                })?;
                for &seed in seeds {
                    specs.push(self.spec(row, name, *setting, seed, scale)?);
                }
            }
        }
        Ok(Plan {
            name: self.name.clone(),
            title: self.title.clone(),
            scale: scale_name.into(),
            paper: self.paper.clone(),
            specs,
            watch_held_out: scale.watch_held_out,
            score: scale.score.clone(),
        })
    }

    /// A scale by its name or its former name.
    fn scale<'a>(&'a self, name: &'a str) -> Result<(&'a str, &'a Scale)> {
        let name = if self.scales.contains_key(name) { name } else { todays_scale(name) };
        let scale = self.scales.get(name).ok_or_else(|| Error::Unknown {
            what: "scale",
            name: name.into(),
            known: self.scales.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        Ok((name, scale))
    }

    fn row(&self, label: &str) -> Result<&MethodRow> {
        self.methods.iter().find(|r| r.label == label).ok_or_else(|| Error::Unknown {
            what: "method label",
            name: label.into(),
            known: self.methods.iter().map(|r| r.label.clone()).collect::<Vec<_>>().join(", "),
        })
    }

    fn spec(
        &self,
        row: &MethodRow,
        name: &str,
        setting: Setting,
        seed: u64,
        scale: &Scale,
    ) -> Result<RunSpec> {
        let base = RunSpec {
            label: row.label.clone(),
            setting: name.into(),
            lr: setting.lr,
            beta1: setting.beta1,
            beta2: setting.beta2,
            n_dis: setting.n_dis,
            seed,
            ..RunSpec::paper(row.method)
        };
        let mut value =
            toml::Value::try_from(&base).map_err(|e| Error::parse(Path::new(&self.name), e))?;
        // The most specific wins: file, then scale, then row.
        for (key, v) in self.run.iter().chain(&scale.run).chain(&row.run) {
            let table =
                value.as_table_mut().ok_or_else(|| Error::invalid("run", "is not a table"))?;
            if table.insert(key.clone(), v.clone()).is_none() {
                return Err(Error::Unknown {
                    what: "key",
                    name: format!("run.{key}"),
                    known: table.keys().cloned().collect::<Vec<_>>().join(", "),
                });
            }
        }
        let spec: RunSpec = value.try_into().map_err(|e| Error::parse(Path::new(&self.name), e))?;
        // Reading a spec names its setting after the values; a setting that was asked for must not
        // be silently replaced.
        let asked = row.run.get("setting").or(scale.run.get("setting")).or(self.run.get("setting"));
        match asked.and_then(toml::Value::as_str) {
            Some(asked) if asked != spec.setting => Err(Error::invalid(
                "run.setting",
                format!(
                    "is `{asked}` in `{}`, but lr, beta1, beta2 and n_dis are those of `{}`; give these too, or list the setting in `settings`",
                    row.label, spec.setting
                ),
            )),
            _ => Ok(spec),
        }
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
