//! Names of runs that would share a cell of every table, though they are no repetitions of each other.

use crate::scored::Run;
use serde_json::{Map, Value};
use sngan_experiment::RunSpec;
use std::collections::BTreeMap;

/// If a setting's name has several sets of values, such as `custom`, adds the values that differ:
/// `custom lr=0.0004`.
pub(crate) fn tell_settings_apart(runs: &mut [Run]) {
    let values = |s: &RunSpec| {
        [("lr", s.lr), ("beta1", s.beta1), ("beta2", s.beta2), ("n_dis", f64::from(s.n_dis))]
    };
    let mut named: BTreeMap<String, Vec<[(&str, f64); 4]>> = BTreeMap::new();
    for run in runs.iter() {
        named.entry(run.spec.setting.clone()).or_default().push(values(&run.spec));
    }
    for run in runs.iter_mut() {
        let all = &named[&run.spec.setting];
        let varying = (0..4).filter(|i| all.iter().any(|other| other[*i].1 != all[0][*i].1));
        let said: Vec<String> = varying
            .map(|i| values(&run.spec)[i])
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !said.is_empty() {
            run.spec.setting += &format!(" {}", said.join(", "));
        }
    }
}

/// Ends the labels of runs of one label and setting with the values in which they differ, as far as both are known; where none
/// tells two of them apart, with the names of their folders.
pub(crate) fn tell_runs_apart(runs: &mut [Run]) {
    const NAMES: [&str; 6] = ["label", "method", "setting", "id_names", "seed", "imported"];
    let fields = |spec: &RunSpec| -> Map<String, Value> {
        let value = serde_json::to_value(spec).unwrap_or_default();
        let mut fields = value.as_object().cloned().unwrap_or_default();
        fields.retain(|key, _| !NAMES.contains(&key.as_str()));
        fields
    };
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
    let all: Vec<_> = runs.iter().map(|run| (run.spec.clone(), fields(&run.spec))).collect();
    let label = |(own, values): &(RunSpec, Map<String, Value>)| -> String {
        let shares_cell =
            |other: &RunSpec| (&other.label, &other.setting) == (&own.label, &own.setting);
        let differs = |key: &str| {
            own.knows(key)
                && all.iter().any(|(other, theirs)| {
                    shares_cell(other) && other.knows(key) && theirs.get(key) != values.get(key)
                })
        };
        let differing = values.iter().filter(|(key, v)| !v.is_object() && differs(key));
        let said: String = differing.map(|(key, v)| format!(", {key}={}", text(v))).collect();
        format!("{}{said}", own.label)
    };
    let labels: Vec<String> = all.iter().map(label).collect();
    for (i, run) in runs.iter_mut().enumerate() {
        let (own, values) = &all[i];
        // Runs that differ in their seeds alone are repetitions, and share a cell.
        let is_other = |j: usize| {
            let (other, theirs) = &all[j];
            let repeats = own.imported.is_none() && other.imported.is_none() && theirs == values;
            j != i && labels[j] == labels[i] && other.setting == own.setting && !repeats
        };
        run.spec.label.clone_from(&labels[i]);
        if (0..all.len()).any(is_other) {
            run.spec.label += &format!(", {}", run.records.name);
        }
    }
}
