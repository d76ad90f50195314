//! `sngan plan`: what an experiment will run, and what that costs on this machine.

use super::own;
use crate::Ended;
use crate::args::PlanArguments;
use crate::say::{counted, say};
use crate::table::{Align, Table, width, wrap};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use sngan_experiment::{Changes, RunDir, RunSpec, ScorePlan, atomic};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Checkpoints that a run keeps: the newest two, and a third while the newest is written.
const CHECKPOINTS: u64 = 3;

/// Bytes of a line of the log, roughly: a dozen numbers, and two for each of D's layers.
const LOG_LINE: u64 = 1_200;

pub(crate) fn run(arguments: &PlanArguments, folder: Option<&Path>) -> Result<Ended> {
    let changes = Changes {
        methods: arguments.method.clone(),
        settings: arguments.setting.clone(),
        seeds: arguments.seeds.as_ref().map(|s| s.0.clone()),
        set: arguments.set.clone(),
    };
    let (file, _) = own::experiment(arguments.experiment.as_deref(), &arguments.own, folder)?;
    let plan = file.plan_with(&arguments.scale, &changes)?;
    if arguments.json {
        for spec in &plan.specs {
            say!("{}", serde_json::to_string(spec)?);
        }
        return Ok(Ended::Well);
    }
    let workers = super::threads(arguments.machine.threads).min(plan.specs.len()).max(1);
    say!("{}", wrap(&format!("{} at scale {}: {}", plan.name, plan.scale, plan.title)));
    let right = |head| (head, Align::Right);
    let mut table = Table::new(&[
        ("run", Align::Left),
        right("setting"),
        right("updates"),
        right("dataset"),
        right("time"),
        right("memory"),
        right("disk"),
    ]);
    let mut measured =
        Measured { device: &arguments.machine.device, workers, known: BTreeMap::new() };
    let mut costs = Vec::new();
    for spec in &plan.specs {
        let cost =
            if arguments.no_measure { None } else { Some(measured.cost(spec, &plan.score)?) };
        let data = format!("{}@{}", spec.dataset.name(), spec.side);
        let cells = cost.map_or_else(
            || ["–".into(), "–".into(), "–".into()],
            |c| [time(c.seconds), bytes(c.memory), bytes(c.disk)],
        );
        let row = [spec.dir_name(), spec.setting.clone(), spec.gen_updates.to_string(), data];
        table.row(row.into_iter().chain(cells).collect());
        costs.extend(cost);
    }
    crate::say::write(format_args!("{}", table.text(width())));
    say!("{}", counted(plan.specs.len(), "run"));
    if let Some(total) = total(&costs, workers) {
        let line = format!(
            "in all about {} with {} side by side, {} of memory besides the images, {} of disk; training alone, measured just now",
            time(total.seconds),
            counted(workers, "run"),
            bytes(total.memory),
            bytes(total.disk)
        );
        say!("{}", wrap(&line));
    }
    let score = &plan.score;
    let protocols: Vec<String> = score.protocols.iter().map(ToString::to_string).collect();
    let during = if score.eval_every > 0 {
        format!(", also every {}", counted(score.eval_every, "update"))
    } else {
        String::new()
    };
    let line = format!("score: backbone {}, {}{during}", score.backbone, protocols.join(", "));
    say!("{}", wrap(&line));
    say!("Next: `sngan sweep` with the same experiment, scale and keys trains these runs");
    Ok(Ended::Well)
}

/// The cost of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    seconds: f64,
    /// Bytes.
    memory: u64,
    /// Bytes.
    disk: u64,
}

/// Measurements made so far; runs with the same cost share one.
struct Measured<'a> {
    device: &'a str,
    /// As many copies are measured at once as the sweep will run side by side, because they slow
    /// each other down.
    workers: usize,
    known: BTreeMap<String, Value>,
}

impl Measured<'_> {
    fn cost(&mut self, spec: &RunSpec, score: &ScorePlan) -> Result<Cost> {
        let key = kind(spec)?;
        if !self.known.contains_key(&key) {
            self.known.insert(key.clone(), self.measure(spec)?);
        }
        let found = &self.known[&key];
        let number = |name: &str| {
            found[name].as_f64().with_context(|| format!("`sngan bench run` did not print {name}"))
        };
        let lines = spec.gen_updates / score.log_every.max(1);
        Ok(Cost {
            seconds: spec.gen_updates as f64 * number("update_s")?
                + lines as f64 * number("logging_s")?,
            memory: (number("peak_rss_mb").unwrap_or(0.0) * 1024.0 * 1024.0) as u64,
            disk: number("checkpoint_bytes")? as u64 * CHECKPOINTS + lines * LOG_LINE,
        })
    }

    /// Runs `sngan bench run` in separate processes, so that each has its own peak memory; the
    /// slowest counts.
    fn measure(&self, spec: &RunSpec) -> Result<Value> {
        let folder = tempfile::tempdir().with_context(|| {
            format!(
                "failed to make a folder for the measurement in {}; set TMPDIR to a folder with room, or list the runs without measuring (--no-measure)",
                std::env::temp_dir().display()
            )
        })?;
        atomic::write(&RunDir::new(folder.path()).spec_path(), toml::to_string(spec)?.as_bytes())?;
        let program = std::env::current_exe().context("failed to find the path of this program")?;
        let start = || {
            let mut command = Command::new(&program);
            command.args(["bench", "run"]).arg(folder.path()).args([
                "--threads",
                "1",
                "--device",
                self.device,
            ]);
            command.stdout(Stdio::piped()).spawn().context("failed to start a measurement")
        };
        let children = (0..self.workers).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let mut slowest = Value::Null;
        for child in children {
            let output = child.wait_with_output().context("failed to wait for a measurement")?;
            if !output.status.success() {
                bail!(
                    "the measurement of {} failed; --no-measure lists the runs without",
                    spec.dir_name()
                );
            }
            let found: Value =
                serde_json::from_slice(&output.stdout).context("failed to read a measurement")?;
            if slowest["update_s"].as_f64() < found["update_s"].as_f64() {
                slowest = found;
            }
        }
        Ok(slowest)
    }
}

/// Everything about a run that its time and memory depend on.
fn kind(spec: &RunSpec) -> Result<String> {
    let mut value = serde_json::to_value(spec)?;
    if let Some(map) = value.as_object_mut() {
        for key in [
            "label",
            "method",
            "setting",
            "lr",
            "beta1",
            "beta2",
            "seed",
            "gen_updates",
            "lr_decay",
            "lr_decay_start",
        ] {
            map.remove(key);
        }
    }
    Ok(value.to_string())
}

/// All runs: the time when the last one ends if each worker takes the longest remaining run, and
/// the memory of the most expensive ones side by side.
fn total(costs: &[Cost], workers: usize) -> Option<Cost> {
    let mut busy = vec![0.0f64; workers];
    let mut times: Vec<f64> = costs.iter().map(|c| c.seconds).collect();
    times.sort_by(|a, b| b.total_cmp(a));
    for seconds in times {
        let next = busy.iter_mut().min_by(|a, b| a.total_cmp(b))?;
        *next += seconds;
    }
    let mut memory: Vec<u64> = costs.iter().map(|c| c.memory).collect();
    memory.sort_unstable_by(|a, b| b.cmp(a));
    (!costs.is_empty()).then(|| Cost {
        seconds: busy.into_iter().fold(0.0, f64::max),
        memory: memory.iter().take(workers).sum(),
        disk: costs.iter().map(|c| c.disk).sum(),
    })
}

/// `3 min 20 s`, in the two largest units.
pub(crate) fn time(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, _) => format!("{seconds:.1} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

fn bytes(count: u64) -> String {
    const MB: f64 = 1024.0 * 1024.0;
    let mb = count as f64 / MB;
    if mb < 1024.0 { format!("{mb:.1} MB") } else { format!("{:.1} GB", mb / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    #[test]
    fn units_are_the_two_largest() {
        assert_eq!(
            [4.26, 200.0, 7_320.0, 200_000.0].map(time),
            ["4.3 s", "3 min 20 s", "2 h 2 min", "2 d 7 h"]
        );
        assert_eq!([512 * 1024, 3 << 30].map(bytes), ["0.5 MB", "3.0 GB"]);
    }

    #[test]
    fn the_last_worker_decides_the_time_and_the_dearest_runs_the_memory() {
        let cost = |seconds, memory| Cost { seconds, memory, disk: 10 };
        let all = [cost(5.0, 1), cost(3.0, 7), cost(2.0, 5), cost(1.0, 2)];
        assert_eq!(total(&all, 2), Some(Cost { seconds: 6.0, memory: 12, disk: 40 }));
        assert_eq!(total(&[], 2), None);
    }

    #[test]
    fn runs_that_take_the_same_time_are_one_kind() {
        let sn = RunSpec::paper(Method::Sn);
        let other = RunSpec { seed: 3, lr: 1.0, setting: "F".into(), gen_updates: 1, ..sn.clone() };
        assert_eq!(kind(&sn).unwrap(), kind(&other).unwrap());
        assert_ne!(kind(&sn).unwrap(), kind(&RunSpec { n_dis: 7, ..sn.clone() }).unwrap());
        assert_ne!(kind(&sn).unwrap(), kind(&RunSpec::paper(Method::WganGp)).unwrap());
    }
}
