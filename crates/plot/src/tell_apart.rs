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

/// Ends the labels of runs of one label and setting with the values in which they differ.
pub(crate) fn tell_runs_apart(runs: &mut [Run]) {
    const NAMES: [&str; 5] = ["label", "method", "setting", "id_names", "seed"];
    let fields = |run: &Run| -> Map<String, Value> {
        let value = serde_json::to_value(&run.spec).unwrap_or_default();
        value.as_object().cloned().unwrap_or_default()
    };
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
    let cell = |run: &Run| (run.spec.label.clone(), run.spec.setting.clone());
    let all: Vec<_> = runs.iter().map(|run| (cell(run), fields(run))).collect();
    for run in runs.iter_mut() {
        let (own, values) = (cell(run), fields(run));
        let others = || all.iter().filter(|(other, _)| *other == own);
        let differs = |key: &str| others().any(|(_, other)| other.get(key) != values.get(key));
        let differing =
            values.iter().filter(|(key, _)| !NAMES.contains(&key.as_str()) && differs(key));
        let said: String = differing.map(|(key, v)| format!(", {key}={}", text(v))).collect();
        run.spec.label += &said;
    }
}
