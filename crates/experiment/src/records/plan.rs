//! What a sweep's folder is for.

use super::Record;
use crate::file::{Paper, built_in, todays_scale};
use crate::{Slash, plain};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A sweep's `plan.json`: what the folder is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`PlanRecord::VERSION`](Record::VERSION).
    pub version: u32,
    /// The experiment's name.
    #[serde(deserialize_with = "plain_name")]
    pub name: String,
    /// Its title.
    #[serde(deserialize_with = "plain_line")]
    pub title: String,
    /// The scale, by today's name.
    #[serde(deserialize_with = "scale_name")]
    pub scale: String,
    /// What it reproduces of the paper; `None` in your own experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<Paper>,
    /// Folder names of all runs, in the experiment's order, each once.
    #[serde(deserialize_with = "each_once")]
    pub runs: Vec<String>,
}

impl Record for PlanRecord {
    const VERSION: u32 = 2;

    /// Version 1 did not record what a sweep reproduces of the paper; the experiment's name decided
    /// it.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        if version != 1 {
            return None;
        }
        let paper = old["name"].as_str().and_then(built_in).and_then(|file| file.ok()?.paper);
        let mut record = old.clone();
        record["version"] = json!(Self::VERSION);
        if let Some(paper) = paper {
            record["paper"] = json!(paper);
        }
        Some(vec![record])
    }
}

fn scale_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    plain_name(deserializer).map(|name| todays_scale(&name).to_string())
}

/// A name that becomes a part of paths.
fn plain_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    plain("name", &name, Slash::Refused).map_err(D::Error::custom)?;
    Ok(name)
}

/// A line for readers.
fn plain_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let line = String::deserialize(deserializer)?;
    plain("title", &line, Slash::Allowed).map_err(D::Error::custom)?;
    Ok(line)
}

/// Refuses a run that is listed twice, because it would be counted as two.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let runs = Vec::<String>::deserialize(deserializer)?;
    runs.iter().try_for_each(|run| plain("runs", run, Slash::Refused)).map_err(D::Error::custom)?;
    let mut seen = BTreeSet::new();
    match runs.iter().find(|run| !seen.insert(run.as_str())) {
        Some(run) => Err(D::Error::custom(format!("runs: `{run}` is listed twice; list it once"))),
        None => Ok(runs),
    }
}
