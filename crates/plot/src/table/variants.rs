//! Tables 7 and 8: WGAN-GP with reparametrized weights, without and with labels, ours beside the paper's.

use super::cell::{Cell, Grid, Which, list, write};
use super::sizes;
use super::table2::shared_protocol;
use crate::artefact::Materials;
use crate::paper::{self, VariantRow};
use crate::scored::{Run, ScoredSweep, best_heading, repetitions};
use crate::statistics::summary;
use crate::{Rendered, Result};
use sngan_experiment::Dataset;
use sngan_experiment::arch::Architecture;
use sngan_experiment::method::Normalization;
use sngan_experiment::records::Metric;

/// Table 7.
pub(crate) fn table7(request: &Materials<'_>) -> Result<Rendered> {
    render(request, ("table7", "Table 7 — WGAN-GP with reparametrized weights"), &paper::table7()?)
}

/// Table 8.
pub(crate) fn table8(request: &Materials<'_>) -> Result<Rendered> {
    render(request, ("table8", "Table 8 — the same with labels (AC-WGAN-GP)"), &paper::table8()?)
}

fn render(
    request: &Materials<'_>,
    (id, title): (&str, &str),
    rows: &[VariantRow],
) -> Result<Rendered> {
    let sweeps = request.sweeps;
    if sweeps.iter().all(|c| c.runs.is_empty()) {
        return Ok(Rendered::Skipped("no run has begun".into()));
    }
    let mut notes: Vec<String> = sweeps.iter().map(ScoredSweep::describe_runs).collect();
    for metric in [Metric::Is, Metric::Fid] {
        if shared_protocol(sweeps, metric, Dataset::Cifar10)?.is_some() {
            notes.extend(sweeps.iter().find_map(|c| c.describe_scores(metric)));
        }
    }
    for part in sizes::parts(sweeps) {
        notes.extend(collapses(&part.sweeps, rows));
    }
    let full = full_grids(sweeps, rows)?;
    let narrow: Vec<Grid> = full.iter().map(shown_columns).collect();
    let text = format!(
        "# {title}\n\n{}\n{}\nOurs: mean ± standard error over n seeds; one run (n = 1) tells no spread; tables of different sizes are not comparable. The \
         paper's: mean ± standard deviation, {} on CIFAR-10{}.\n",
        list(&notes),
        sizes::markdown(&narrow),
        paper::BACKBONE,
        if sweeps.iter().all(|c| c.comparable(Metric::Is)) {
            ""
        } else {
            "; not comparable with ours"
        }
    );
    write(request.folder, id, &text, &sizes::csv(&full))
}

/// The paper's Table 7 beside the runs of `sweeps`, a grid for each combination of sizes.
pub(super) fn grids7(sweeps: &[ScoredSweep]) -> Result<Vec<Grid>> {
    Ok(full_grids(sweeps, &paper::table7()?)?.iter().map(shown_columns).collect())
}

/// The paper's Table 8 beside the runs of `sweeps`, a grid for each combination of sizes.
pub(super) fn grids8(sweeps: &[ScoredSweep]) -> Result<Vec<Grid>> {
    Ok(full_grids(sweeps, &paper::table8()?)?.iter().map(shown_columns).collect())
}

/// Heading of the rows without runs; their grid has no columns of ours.
const NOT_RUN: &str = "Rows of the paper's table that were not run here, or that it quotes";

fn shown_columns(grid: &Grid) -> Grid {
    sizes::columns(grid, |i| grid.caption != NOT_RUN || !matches!(i, 2 | 3 | 5))
}

/// The rows that were run, one grid for each combination of sizes; then the remaining rows.
fn full_grids(sweeps: &[ScoredSweep], rows: &[VariantRow]) -> Result<Vec<Grid>> {
    let header = header(sweeps);
    let ran = |sweeps: &[ScoredSweep], row: &VariantRow| {
        sweeps.iter().flat_map(|c| &c.runs).any(|r| fits(r, row))
    };
    let grid = |caption: String, sweeps: &[ScoredSweep], shown: &dyn Fn(&VariantRow) -> bool| {
        let rows = rows.iter().filter(|row| shown(row)).map(|row| cells(sweeps, row));
        Ok(Grid { caption, header: header.clone(), rows: rows.collect::<Result<_>>()? })
    };
    let mut grids: Vec<Grid> = sizes::parts(sweeps)
        .into_iter()
        .map(|part| grid(part.sizes, &part.sweeps, &|row| ran(&part.sweeps, row)))
        .collect::<Result<_>>()?;
    grids.push(grid(NOT_RUN.into(), &[], &|row| !ran(sweeps, row))?);
    grids.retain(|grid| !grid.rows.is_empty());
    Ok(grids)
}

fn header(sweeps: &[ScoredSweep]) -> Vec<String> {
    let backbone =
        sweeps.iter().find_map(|c| c.protocol(Metric::Is)).map_or("–", |p| p.backbone.as_str());
    let best = best_heading(sweeps, Metric::Is);
    vec![
        "architecture".into(),
        "method".into(),
        format!("is[{backbone}], ours, last"),
        format!("is[{backbone}], ours, {best}"),
        format!("is[{}], the paper's", paper::BACKBONE),
        format!("fid[{backbone}], ours, last"),
        format!("fid[{}], the paper's", paper::BACKBONE),
        "the paper's note".into(),
    ]
}

fn cells(sweeps: &[ScoredSweep], row: &VariantRow) -> Result<Vec<Cell>> {
    let fitting = sweeps.iter().flat_map(|c| &c.runs).filter(|r| fits(r, row));
    let runs = repetitions(fitting, &[])?;
    let scores = |metric, which| match runs.as_slice() {
        [] => Cell::none(),
        runs if which == Which::Best && !runs.iter().any(|r| r.scored_during_training(metric)) => {
            Cell::none()
        }
        runs => Cell::scores(runs, metric, which),
    };
    Ok(vec![
        Cell::text(row.architecture.as_str()),
        Cell::text(row.method.as_str()),
        scores(Metric::Is, Which::Last),
        scores(Metric::Is, Which::Best),
        Cell { text: row.is.text(2), value: row.is.value, best: false },
        scores(Metric::Fid, Which::Last),
        row.fid.map_or_else(Cell::none, |f| Cell::number(f, 1)),
        Cell::text(row.note.as_str()),
    ])
}

/// A last inception score below this part of plain WGAN-GP's is called a collapse.
const COLLAPSED: f64 = 0.5;

/// Whether the runs of the rows that collapsed in the paper collapsed here, a line for each.
fn collapses(sweeps: &[ScoredSweep], rows: &[VariantRow]) -> Vec<String> {
    let runs_of = |row: &VariantRow| {
        sweeps.iter().flat_map(|c| &c.runs).filter(|r| fits(r, row)).collect::<Vec<_>>()
    };
    let mean = |runs: &[&Run]| {
        let last: Vec<f64> = runs.iter().filter_map(|r| r.last(Metric::Is)).collect();
        summary(&last).map(|s| s.mean)
    };
    let line = |row: &VariantRow| {
        let plain =
            rows.iter().find(|r| r.architecture == row.architecture && r.method == "WGAN-GP")?;
        let runs = runs_of(row);
        let diverged = runs.iter().filter(|r| r.diverged()).count();
        let part = mean(&runs).zip(mean(&runs_of(plain))).map(|(ours, plain)| ours / plain);
        let collapsed = match part {
            Some(part) => part < COLLAPSED || 2 * diverged > runs.len(),
            // Without its own score, or one to compare it with, only diverged runs tell.
            None if diverged > 0 => 2 * diverged > runs.len(),
            None => return None,
        };
        let verdict = if collapsed {
            "collapsed, as in the paper"
        } else {
            "did not collapse, unlike the paper's"
        };
        let score = part.map_or_else(String::new, |p| {
            format!(", the mean last inception score is {p:.2} of {}'s", plain.method)
        });
        Some(format!(
            "{} ({}) {verdict}: {diverged} of {} runs diverged{score} (a collapse: a score below {COLLAPSED} of it, or more than half of the runs diverged).",
            row.method,
            row.architecture,
            runs.len(),
        ))
    };
    rows.iter().filter(|row| row.note.contains("collapsed")).filter_map(line).collect()
}

/// Whether a run belongs to a row.
fn fits(run: &Run, row: &VariantRow) -> bool {
    let spec = &run.spec;
    let architecture =
        if spec.architecture == Architecture::ResnetGulrajani { "resnet" } else { "cnn" };
    row.note != "literature"
        && (architecture, spec.normalization, spec.dis_width_factor)
            == (row.architecture.as_str(), row.normalization, row.dis_width_factor)
        && spec.gamma == (row.normalization != Normalization::None)
}
