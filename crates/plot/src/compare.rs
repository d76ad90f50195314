//! Any runs beside each other: what differs in their specs, their newest scores, their curves on one axis.

use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::records::{RunRecords, SweepRecords, is_run};
use crate::scored::{compares_with_others, differences};
use crate::{Damaged, Rendered, Result};
use serde_json::Value;
use sngan_experiment::records::{LogRecord, Metric, Protocol, Reference, ScoreRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keys that name a run, and what its identity keeps of older names.
const NOT_COMPARED: [&str; 1] = ["id_names"];

/// Runs that are compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The runs, in the order in which they were named.
    pub runs: Vec<Arc<RunRecords>>,
    /// Runs that are left out because their records are damaged.
    pub damaged: Vec<Damaged>,
}

impl Comparison {
    /// Reads run folders, and all runs of sweeps and collections.
    ///
    /// # Errors
    /// A folder that is neither; malformed records of a sweep.
    pub fn read(paths: &[PathBuf]) -> Result<Comparison> {
        let (runs, sweeps): (Vec<PathBuf>, Vec<PathBuf>) =
            paths.iter().cloned().partition(|path| is_run(path) || !path.is_dir());
        let SweepRecords { mut runs, mut damaged, .. } =
            SweepRecords::of_runs(&runs, Path::new("."))?;
        for sweep in sweeps {
            let found = SweepRecords::read(&sweep)?;
            runs.extend(found.runs);
            damaged.extend(found.damaged);
        }
        Ok(Comparison { runs, damaged })
    }

    /// The runs' names.
    pub fn names(&self) -> Vec<String> {
        self.runs.iter().map(|run| run.name.clone()).collect()
    }

    /// The keys of their specs in which they differ, in the specs' order.
    pub fn differences(&self) -> Vec<(String, Vec<String>)> {
        let specs: Vec<Value> =
            self.runs.iter().map(|r| serde_json::to_value(&r.spec).unwrap_or_default()).collect();
        let keys: BTreeSet<&String> =
            specs.iter().filter_map(Value::as_object).flat_map(|map| map.keys()).collect();
        let text = |spec: &Value, key: &String| match (&spec[key], &spec["imported"]) {
            (Value::String(text), _) => text.clone(),
            // Of networks that another program trained, what is not there is not known, and their files are named by their hashes.
            (Value::Null, Value::Object(_)) => "unknown".into(),
            (Value::Object(files), _) if key == "imported" => {
                let hash = |network: &str| files.get(network).and_then(Value::as_str);
                let hashes = ["generator", "discriminator"].into_iter().filter_map(hash);
                let short = hashes.map(|hash| hash.get(..8).unwrap_or(hash));
                short.collect::<Vec<_>>().join(", ")
            }
            (Value::Null, _) if key == "imported" => "no".into(),
            (other, _) => other.to_string(),
        };
        let line = |key: &String| (key.clone(), specs.iter().map(|s| text(s, key)).collect());
        let compared = keys.into_iter().filter(|key| !NOT_COMPARED.contains(&key.as_str()));
        compared.map(line).filter(|(_, values): &(String, Vec<String>)| differ(values)).collect()
    }

    /// Where the runs stand: status and updates.
    pub fn states(&self) -> Vec<(String, Vec<String>)> {
        let status = |run: &Arc<RunRecords>| match &run.status {
            Some(status) => serde_json::to_value(status.status)
                .ok()
                .and_then(|v| v.as_str().map(str::to_string))
                .unwrap_or_default(),
            None if run.log.is_empty() => "not begun".into(),
            None => "begun without a checkpoint".into(),
        };
        let updates = |run: &Arc<RunRecords>| {
            run.status.as_ref().map_or_else(|| "–".into(), |s| s.gen_updates.to_string())
        };
        vec![
            ("status".into(), self.runs.iter().map(status).collect()),
            ("updates".into(), self.runs.iter().map(updates).collect()),
        ]
    }

    /// Their newest scores, one line for each protocol: only numbers of one line can be compared.
    pub fn scores(&self) -> Vec<(String, Vec<String>)> {
        let line = |(metric, protocol, name): (Metric, Protocol, String)| {
            let of = |run: &Arc<RunRecords>| value(newest(run, metric, &protocol));
            (name, self.runs.iter().map(of).collect())
        };
        self.named_protocols(" ").into_iter().map(line).collect()
    }

    /// The protocols, each under a name that no other has.
    fn named_protocols(&self, between: &str) -> Vec<(Metric, Protocol, String)> {
        let mut names: BTreeMap<String, Protocol> = BTreeMap::new();
        let mut named = |(metric, protocol): (Metric, Protocol)| {
            let mut name = match compares_with_others(&protocol) {
                true => protocol_name(&protocol),
                false => {
                    let Protocol { name, backbone, .. } = &protocol;
                    format!("{}[{backbone}]{between}{name}", metric.name())
                }
            };
            match names.get(&name) {
                Some(first) => name += &told_apart(first, &protocol),
                None => drop(names.insert(name.clone(), protocol.clone())),
            }
            (metric, protocol, name)
        };
        self.protocols().into_iter().map(&mut named).collect()
    }

    fn protocols(&self) -> BTreeSet<(Metric, Protocol)> {
        let scores = self.runs.iter().flat_map(|run| &run.scores);
        scores.map(|s| (s.metric, s.protocol.clone())).collect()
    }

    /// Draws the runs' curves into `folder`: the losses, D's outputs, and each score that was taken
    /// during training, every run in every panel.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn draw(&self, folder: &Path) -> Result<Rendered> {
        let logged = |label: &str, of: fn(&LogRecord) -> Option<f64>| {
            let points = |run: &RunRecords| -> Vec<(f64, f64)> {
                run.log.iter().filter_map(|r| Some((r.gen_update as f64, of(r)?))).collect()
            };
            self.panel(label, label, &points)
        };
        let mut panels = vec![
            logged("D's loss", |r| r.loss_d),
            logged("G's loss", |r| r.loss_g),
            logged("mean D(x)", |r| r.d_real),
            logged("mean D(G(z))", |r| r.d_fake),
        ];
        for (metric, protocol, label) in self.named_protocols(", ") {
            let points = |run: &RunRecords| -> Vec<(f64, f64)> {
                let fits = |s: &&ScoreRecord| s.metric == metric && s.protocol == protocol;
                let scores = run.scores.iter().filter(fits);
                scores.filter_map(|s| Some((s.gen_updates as f64, s.value?))).collect()
            };
            let value = format!("{}[{}]", metric.name(), protocol.backbone);
            // The axis names the network; with it, a title may not fit.
            let title = label.replacen(&format!("[{}]", protocol.backbone), "", 1);
            panels.push(self.panel(&title, &value, &points));
        }
        panels.retain(|panel| !panel.series.is_empty());
        if panels.is_empty() {
            return Ok(Rendered::Skipped("nothing was logged or scored".into()));
        }
        let chart = Chart {
            stem: "compare".into(),
            title: format!("{} runs", self.runs.len()),
            notes: vec![
                "Each at one logged update, of D's last round, not averaged over updates. D's loss is without a penalty.".into(),
            ],
            columns: panels.len().min(2),
            panels,
            panel: (440 * DENSITY, 280 * DENSITY),
        };
        chart.render(folder)
    }

    fn panel(
        &self,
        title: &str,
        value: &str,
        points: &dyn Fn(&RunRecords) -> Vec<(f64, f64)>,
    ) -> Panel {
        let series = self.runs.iter().map(|run| Series::line(run.name.as_str(), points(run)));
        let series: Vec<Series> = series.filter(|s| !s.is_empty()).collect();
        let updates = series.iter().flat_map(|s| s.points.iter().map(|p| p.x));
        Panel {
            title: title.into(),
            x: AxisSpec::linear("generator updates", from_zero(updates)),
            y: AxisSpec::linear(value, None),
            series,
            marks: Vec::new(),
        }
    }
}

/// The range of an axis whose points all have one value: from 0 to a little beyond it, instead of its nearest
/// surroundings. `None` for several values, which have a range of their own.
fn from_zero(mut values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let first = values.next()?;
    values.all(|value| value == first).then_some((0.0, 1.05 * first))
}

/// A run's newest score.
fn newest<'a>(run: &'a RunRecords, metric: Metric, protocol: &Protocol) -> Option<&'a ScoreRecord> {
    let fits = |s: &&ScoreRecord| s.metric == metric && s.protocol == *protocol;
    run.scores.iter().filter(fits).max_by_key(|s| s.gen_updates)
}

fn value(score: Option<&ScoreRecord>) -> String {
    let Some(score) = score else { return "–".into() };
    let number = score.value.map_or_else(|| "–".to_string(), |x| format!("{x:.3}"));
    let spread = score.std.map_or_else(String::new, |x| format!(" ± {x:.3}"));
    format!("{number}{spread} at {}", score.gen_updates)
}

fn differ(values: &[String]) -> bool {
    values.windows(2).any(|pair| pair[0] != pair[1])
}

/// `NAME[BACKBONE]`, and where it compares with others than the runs' own images, with which: many sets have one number of images, which is all
/// that its name says of them. `fid_2k_images800[scorer-cifar10] against other 1a2b3c4d`.
pub(crate) fn protocol_name(protocol: &Protocol) -> String {
    let name = format!("{}[{}]", protocol.name, protocol.backbone);
    match protocol.reference.as_ref().filter(|_| compares_with_others(protocol)) {
        Some(r) => format!("{name} {}", against(r)),
        None => name,
    }
}

/// A reference by its name and the first digits of its hash, as two folders may have one name.
fn against(r: &Reference) -> String {
    format!("against {} {}", r.name, r.sha256.get(..8).unwrap_or(&r.sha256))
}

/// What follows the name of a protocol that shares it with `first`: `, against others 1a2b3c4d`, or the keys in which it differs.
fn told_apart(first: &Protocol, other: &Protocol) -> String {
    if first.reference != other.reference
        && let Some(r) = &other.reference
    {
        return format!(", {}", against(r));
    }
    let differing = differences(first, other);
    let keys: Vec<&str> = differing.split("; ").filter_map(|d| d.split(':').next()).collect();
    format!(", other {}", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_at_one_number_of_updates_stand_on_an_axis_from_zero() {
        assert_eq!(from_zero([200.0, 200.0].into_iter()), Some((0.0, 210.0)));
        assert_eq!(from_zero([100.0, 200.0].into_iter()), None);
        assert_eq!(from_zero(std::iter::empty()), None);
    }
}
