//! Each row by itself, on the scale that claims compare rows by. Descriptive: it decides no claim.

use super::best::Best;
use super::definitions::{Definitions, Score};
use super::evidence::{Evidence, Found, Row, Stop, failures};
use super::grid::Grid;
use crate::statistics::{Cell, Estimate, Failures, Interval, LogScale, level_of, mean, spread};
use crate::{Result, ScoredSweep};
use std::collections::BTreeSet;

/// What a row reaches over the settings of its sweep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowSummary {
    /// Its name in tables.
    pub(crate) label: String,
    /// Over all settings: of FID the geometric mean over settings of the geometric means over seeds.
    pub(crate) level: Score95,
    /// How far its settings are apart: the standard deviation of ln score over them, without what
    /// seeds add. `None` for one seed, which cannot tell the two apart.
    pub(crate) spread: Option<f64>,
    /// The setting with the worst mean, and the score there.
    pub(crate) worst: (String, f64),
    /// At the best setting, which for each seed is chosen by the others.
    pub(crate) best: Option<Score95>,
    /// The best settings: one if all seeds choose the same.
    pub(crate) best_settings: Vec<String>,
    /// How many of its runs have no score and count as an untrained generator.
    pub(crate) failures: Failures,
}

/// A score with its 95 % interval, in the score's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score95 {
    pub(crate) value: f64,
    /// `None` for one seed.
    pub(crate) interval: Option<Interval>,
    /// Seeds.
    pub(crate) n: usize,
}

impl Score95 {
    fn of(scale: LogScale, y: f64, estimate: Option<Estimate>, n: usize) -> Score95 {
        // A score where higher is better falls with y.
        let interval = estimate.map(|e| e.interval()).map(|i| {
            let (a, b) = (scale.score(i.low), scale.score(i.high));
            Interval { low: a.min(b), high: a.max(b) }
        });
        Score95 { value: scale.score(y), interval, n }
    }
}

/// The rows of a sweep, as far as its records are enough.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Summaries {
    /// In the sweep's order.
    pub(crate) rows: Vec<RowSummary>,
    /// Why rows are missing.
    pub(crate) missing: BTreeSet<String>,
}

/// The rows of a sweep in one metric, over all of its settings.
///
/// # Errors
/// Malformed records.
pub(crate) fn summaries(
    c: &ScoredSweep,
    definitions: &Definitions,
    score: Score,
) -> Result<Summaries> {
    let e = Evidence { definitions, sweep: Some(c), timings: None };
    let mut all = Summaries::default();
    for label in c.labels() {
        let runs = c.runs.iter().filter(|r| r.spec.label == label).collect();
        match summary(&e, Row { label: label.into(), runs }, &c.settings(), score) {
            Ok(row) => all.rows.push(row),
            Err(Stop::Missing(why)) => drop(all.missing.insert(why)),
            Err(Stop::Failed(error)) => return Err(*error),
        }
    }
    Ok(all)
}

fn summary<'a>(
    e: &Evidence<'a>,
    row: Row<'a>,
    settings: &[&'a str],
    score: Score,
) -> Found<RowSummary> {
    let scale = e.scale(score, false)?;
    let floor = e.definitions.redraw_variance.of(score);
    let grid = Grid::of(e, row, settings, score, scale)?;
    let (cells, n, failures) = (grid.cells(floor), grid.seeds(), failures(&grid.settings));
    let means: Vec<f64> = grid.y().iter().map(|y| mean(y)).collect();
    let worst = means.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    let Some((worst, y_there)) = worst else {
        return Err(Stop::Missing("no setting".into()));
    };
    let best = Best::of_grid(grid, settings);
    let of_best = |best: &Best<'_>| {
        let estimate = Cell::of(&best.theta, floor).and_then(|cell| cell.estimate());
        Score95::of(scale, mean(&best.theta), estimate, best.theta.len())
    };
    let mut best_settings: Vec<String> = best.settings.iter().map(ToString::to_string).collect();
    best_settings.sort();
    best_settings.dedup();
    Ok(RowSummary {
        label: best.row.label.clone(),
        level: Score95::of(scale, mean(&means), cells.as_deref().and_then(level_of), n),
        spread: cells.as_deref().and_then(spread).map(|s| s.squared.sqrt()),
        worst: (settings[worst].to_string(), scale.score(*y_there)),
        best: (!best.theta.is_empty()).then(|| of_best(&best)),
        best_settings,
        failures,
    })
}
