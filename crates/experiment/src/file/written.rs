//! An experiment file as written: what it may leave out, and lists in which nothing stands twice.

use super::given::{self, SpannedKeys, range};
use super::{ExperimentFile, MethodRow, Paper, once, scale};
use crate::method::Method;
use crate::spec::DEFAULT_SETTING;
use crate::{Slash, plain};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: String,
    title: Option<String>,
    methods: Vec<WrittenRow>,
    settings: Option<Vec<String>>,
    #[serde(default, deserialize_with = "seeds")]
    seeds: Option<Vec<u64>>,
    #[serde(default)]
    run: SpannedKeys,
    paper: Option<Paper>,
    scales: BTreeMap<String, scale::Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    label: String,
    method: Method,
    #[serde(default)]
    run: SpannedKeys,
}

/// A list of seeds, or a range such as `"0..5"`.
pub(super) fn seeds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Vec<u64>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seeds {
        List(Vec<u64>),
        Range(String),
    }
    let wrong = || D::Error::custom("seeds: expected a list such as [0, 1], or \"0..5\"");
    match Seeds::deserialize(deserializer).map_err(|_| wrong())? {
        Seeds::List(seeds) => Ok(Some(seeds)),
        Seeds::Range(text) => {
            let seeds: Vec<u64> =
                range(&text).ok_or_else(wrong)?.filter_map(|seed| seed.try_into().ok()).collect();
            if seeds.is_empty() { Err(wrong()) } else { Ok(Some(seeds)) }
        }
    }
}

impl Written {
    /// The file with complete scales. Duplicates in a list are refused, because they would be
    /// pooled as several runs.
    pub(super) fn complete(self, path: &Path, text: &str) -> Result<ExperimentFile, String> {
        let settings = self.settings.unwrap_or_else(|| vec![DEFAULT_SETTING.into()]);
        let seeds = self.seeds.unwrap_or_else(|| vec![0]);
        let title = self.title.unwrap_or_else(|| self.name.clone());
        once("methods", self.methods.iter().map(|r| &r.label))?;
        once("settings", &settings)?;
        once("seeds", &seeds)?;
        let named = |key, name: &str, slash| plain(key, name, slash).map_err(|e| e.to_string());
        named("name", &self.name, Slash::Refused)?;
        named("title", &title, Slash::Allowed)?;
        self.scales.keys().try_for_each(|scale| named("scales", scale, Slash::Refused))?;
        let row = |row: WrittenRow| {
            let run = given::keys(row.run, text, "");
            MethodRow { label: row.label, method: row.method, run }
        };
        let scale = |(name, scale): (String, scale::Written)| {
            let complete = scale.complete(&name, text)?;
            Ok((name, complete))
        };
        Ok(ExperimentFile {
            path: path.to_path_buf(),
            name: self.name,
            title,
            methods: self.methods.into_iter().map(row).collect(),
            settings,
            seeds,
            run: given::keys(self.run, text, ""),
            paper: self.paper,
            scales: self.scales.into_iter().map(scale).collect::<Result<_, String>>()?,
        })
    }
}
