//! How many directions each convolution of D uses, over the updates and by method: Figure 3's
//! question, throughout the training. Not in the paper.

use super::learning_curve::updates_axis;
use super::logs::Logs;
use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::describe::describe_seeds;
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result};
use sngan_experiment::records::LogRecord;
use std::collections::BTreeMap;
use std::path::Path;

/// Panels side by side.
const COLUMNS: usize = 4;

/// A rank of a layer's weight that the log holds.
struct Rank {
    stem: &'static str,
    name: &'static str,
    means: &'static str,
    of: fn(&LogRecord) -> &BTreeMap<String, Option<f64>>,
}

const EFFECTIVE: Rank = Rank {
    stem: "ranks",
    name: "effective rank",
    means: "exp of the entropy of σᵢ²/Σσ²",
    of: |r| &r.effective_rank,
};

const STABLE: Rank = Rank {
    stem: "stable-rank",
    name: "stable rank",
    means: "‖W̄‖_F²/σ₁², the area under Figure 3's curve",
    of: |r| &r.stable_rank,
};

/// exp of the entropy of the squared singular values' shares.
pub(crate) fn effective(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| draw(c, request.folder, &EFFECTIVE))
}

/// The sum of the squared singular values over the largest.
pub(crate) fn stable(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| draw(c, request.folder, &STABLE))
}

fn draw(c: &ScoredSweep, folder: &Path, rank: &Rank) -> Result<Rendered> {
    let shown = c.shown_setting();
    let logs = Logs::of(c, shown);
    let layers = layers(&logs, rank);
    if layers.is_empty() {
        let name = rank.name;
        return Ok(Rendered::Skipped(format!(
            "no run in setting {shown} has logged a layer's {name}"
        )));
    }
    let mut name = rank.name.to_string();
    name[..1].make_ascii_uppercase();
    // Rows that are left out do not count.
    let holds = |log: &[LogRecord]| log.iter().any(|r| !(rank.of)(r).is_empty());
    let drawn: Vec<&Run> = logs
        .iter()
        .flat_map(|l| &l.runs)
        .filter_map(|(run, log)| holds(log).then_some(*run))
        .collect();
    let mut notes = vec![
        c.describe_runs(),
        format!(
            "{}, of the weights as D's last forward pass used them: as each row's method normalizes them, or else raw.",
            rank.means
        ),
        describe_seeds(&drawn),
    ];
    let older: Vec<String> =
        logs.iter().filter_map(|l| l.without(|_| true, |r| !(rank.of)(r).is_empty())).collect();
    if !older.is_empty() {
        notes.push(format!(
            "Left out, because their logs do not hold the {}: {}.",
            rank.name,
            older.join(", ")
        ));
    }
    notes.extend(c.describe_shown_setting());
    let chart = Chart {
        stem: c.stem(rank.stem),
        title: format!("{name} of D's convolutions, setting {shown}"),
        notes,
        panels: layers.iter().enumerate().map(|(i, l)| panel(c, &logs, rank, l, i)).collect(),
        columns: COLUMNS,
        panel: (280 * DENSITY, 270 * DENSITY),
    };
    chart.render(folder)
}

/// The convolutions with a logged rank, in the order of their names.
fn layers(logs: &[Logs<'_>], rank: &Rank) -> Vec<String> {
    let records = logs.iter().flat_map(Logs::records);
    let mut layers: Vec<String> = records
        .flat_map(|r| (rank.of)(r).keys())
        .filter(|l| l.starts_with("conv"))
        .cloned()
        .collect();
    layers.sort_unstable();
    layers.dedup();
    layers
}

fn panel(c: &ScoredSweep, logs: &[Logs<'_>], rank: &Rank, layer: &str, i: usize) -> Panel {
    let line = |l: &Logs<'_>| {
        let seeds = l.seeds(&|r| (rank.of)(r).get(layer).copied().flatten());
        Series::over_seeds(l.label, seeds.into_iter().flatten()).of(c.method(l.label))
    };
    Panel {
        title: format!("layer {} ({layer})", i + 1),
        x: updates_axis(c),
        y: AxisSpec::linear(
            if i.is_multiple_of(COLUMNS) { rank.name } else { "" },
            Some((1.0, 2.0)),
        ),
        series: logs.iter().map(line).collect(),
        marks: Vec::new(),
    }
}
