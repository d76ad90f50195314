//! Training curves: losses, D(x) − D(G(z)), penalty and gradient norms of every method of a
//! setting, over the updates. A critic without a gradient shows here, not in its scores. Not in the
//! paper.

use super::learning_curve::updates_axis;
use super::logs::Logs;
use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result};
use sngan_experiment::records::LogRecord;
use std::path::Path;

/// A named curve of a panel.
type Curve = (&'static str, fn(&LogRecord) -> Option<f64>);

/// A column of panels, one per row of the sweep.
struct Column {
    label: &'static str,
    /// Where the axis changes from linear to logarithmic; much smaller values look like 0.
    linear: f64,
    /// Whether all panels share one y axis, so that methods can be compared.
    shared: bool,
    curves: &'static [Curve],
}

const COLUMNS: [Column; 4] = [
    Column {
        label: "losses",
        linear: 1.0,
        // Losses of different kinds are not comparable.
        shared: false,
        curves: &[("D", |r| r.loss_d), ("G", |r| r.loss_g)],
    },
    Column {
        label: "D(x) − D(G(z))",
        linear: 0.01,
        shared: true,
        curves: &[("D(x) − D(G(z))", |r| Some(r.d_real? - r.d_fake?))],
    },
    Column {
        label: "penalty",
        linear: 1e-3,
        shared: true,
        // Without a regularizer the log says 0.
        curves: &[
            ("penalty", |r| r.loss_reg.filter(|p| *p != 0.0)),
            ("mean ‖∇D‖ at x̂", |r| r.grad_norm_x_hat),
        ],
    },
    Column {
        label: "gradient norms",
        linear: 1e-4,
        shared: true,
        curves: &[("D", |r| r.grad_norm_d), ("G", |r| r.grad_norm_g)],
    },
];

/// Writes `training_A` and so on, one figure per setting.
pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| {
        let mut written = Vec::new();
        for setting in c.settings() {
            if let Rendered::Written(paths) = one(c, setting, request.folder)? {
                written.extend(paths);
            }
        }
        Ok(if written.is_empty() {
            Rendered::Skipped("no run has a log with a loss".into())
        } else {
            Rendered::Written(written)
        })
    })
}

fn one(c: &ScoredSweep, setting: &str, folder: &Path) -> Result<Rendered> {
    let logs = Logs::of(c, setting);
    let columns: Vec<Vec<Vec<Series>>> =
        COLUMNS.iter().map(|column| logs.iter().map(|l| curves(l, column)).collect()).collect();
    // A title of one space keeps the panels of a row level.
    let panel = |row: usize, i: usize| Panel {
        title: match (columns[i][row].is_empty(), i) {
            (true, 2) => "no penalty".into(),
            (true, _) => "not logged".into(),
            (false, 0) => logs[row].label.into(),
            (false, _) => " ".into(),
        },
        x: AxisSpec {
            label: if row + 1 == logs.len() { "generator updates".into() } else { String::new() },
            ..updates_axis(c)
        },
        y: axis(
            &COLUMNS[i],
            if COLUMNS[i].shared { &columns[i] } else { std::slice::from_ref(&columns[i][row]) },
        ),
        series: columns[i][row].clone(),
        marks: Vec::new(),
    };
    let chart = Chart {
        stem: format!("{}_{}", c.stem("training"), slug(setting)),
        title: format!("Training curves, setting {setting}"),
        notes: notes(c, &logs),
        panels: (0..logs.len())
            .flat_map(|row| (0..COLUMNS.len()).map(move |i| (row, i)))
            .map(|(row, i)| panel(row, i))
            .collect(),
        columns: COLUMNS.len(),
        panel: (290 * DENSITY, 200 * DENSITY),
    };
    chart.render(folder)
}

/// The series of a panel: none if nothing was logged.
fn curves(logs: &Logs<'_>, column: &Column) -> Vec<Series> {
    let mut series = Vec::new();
    for (name, value) in column.curves {
        let mut lines = Series::seeds_and_mean(name, &logs.seeds(value));
        lines.retain(|line| !line.points.is_empty());
        series.extend(lines);
    }
    if column.label == COLUMNS[0].label
        && let Some(last) = series.last_mut()
    {
        last.diverged = logs
            .runs
            .iter()
            .filter(|(run, _)| run.diverged())
            .filter_map(|(run, _)| Some(run.gen_updates()? as f64))
            .collect();
    }
    series
}

fn axis(column: &Column, rows: &[Vec<Series>]) -> AxisSpec {
    let values = rows.iter().flatten().flat_map(|s| s.points.iter().map(|p| p.y));
    AxisSpec::symmetric(column.label, column.linear, values)
}

fn notes(c: &ScoredSweep, logs: &[Logs<'_>]) -> Vec<String> {
    let most = logs.iter().map(|l| l.runs.len()).max().unwrap_or(0);
    let mut notes = vec![
        c.describe_runs(),
        if most > 1 {
            format!("Bold: the mean over up to {most} seeds, where all have a value; thin: each seed. ×: a run diverged.")
        } else {
            "One run each (n = 1): no spread is known. ×: the run diverged.".into()
        },
        "Each at one logged update, of D's last round, not averaged over updates. Panels below each other have one y axis, but \
         for losses; it is linear near 0 and logarithmic beyond. D's loss is without the penalty, which is drawn with its coefficient; ‖∇D‖ is that of D(x̂) in x̂, where a gradient penalty takes it."
            .into(),
    ];
    let penalized = |run: &Run| run.spec.regularizer.penalizes_gradient();
    let older: Vec<String> =
        logs.iter().filter_map(|l| l.without(penalized, |r| r.grad_norm_x_hat.is_some())).collect();
    if !older.is_empty() {
        notes.push(format!(
            "Without the mean ‖∇D‖ at x̂, because their logs do not hold it: {}.",
            older.join(", ")
        ));
    }
    notes
}

/// A setting's name as a part of a file name.
fn slug(setting: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    setting.chars().map(plain).collect::<String>().to_lowercase()
}
