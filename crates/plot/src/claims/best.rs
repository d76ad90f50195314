//! Rows compared at their best settings.

use super::definitions::Score;
use super::evidence::{Evidence, Found, Row, Stop, failures};
use super::finding::{Comparison, Finding};
use super::grid::Grid;
use crate::statistics::{
    Cell, Claimed, Estimate, Failures, LogScale, Procedure, best_of_settings, fisher, paired, welch,
};
use std::collections::BTreeSet;

/// A row and the one that it is compared with.
pub(super) struct Pair<'n> {
    pub(super) row: &'n str,
    pub(super) other: &'n str,
}

impl<'n> Pair<'n> {
    /// A row against each of several.
    pub(super) fn each(row: &'n str, others: &'n [String]) -> Vec<Pair<'n>> {
        others.iter().map(|other| Pair { row, other }).collect()
    }
}

/// A row at its best setting: θ by seed.
pub(super) struct Best<'a> {
    pub(super) row: Row<'a>,
    /// Seeds that all its settings have.
    pub(super) seeds: Vec<u64>,
    /// The setting of each seed, chosen by the other seeds; empty if there are too few to choose.
    pub(super) settings: Vec<&'a str>,
    /// y of each seed in that setting.
    pub(super) theta: Vec<f64>,
    failures: Failures,
    /// Number of settings to choose from.
    choices: usize,
}

impl<'a> Best<'a> {
    pub(super) fn of(
        e: &Evidence<'a>,
        name: &str,
        score: Score,
        scale: LogScale,
    ) -> Found<Best<'a>> {
        let row = e.row(name)?;
        let names = row.settings();
        Ok(Best::of_grid(Grid::of(e, row, &names, score, scale)?, &names))
    }

    /// `names` are the grid's settings.
    pub(super) fn of_grid(grid: Grid<'a>, names: &[&'a str]) -> Best<'a> {
        let Grid { row, settings: scores } = grid;
        let seeds: Vec<u64> = scores[0]
            .keys()
            .filter(|seed| scores.iter().all(|s| s.contains_key(seed)))
            .copied()
            .collect();
        let y: Vec<Vec<f64>> =
            scores.iter().map(|s| seeds.iter().map(|seed| s[seed].y).collect()).collect();
        let (settings, theta) = match best_of_settings(&y) {
            Some(best) => (best.settings.iter().map(|s| names[*s]).collect(), best.theta),
            None if names.len() == 1 => (vec![names[0]; seeds.len()], y[0].clone()),
            None => (Vec::new(), Vec::new()),
        };
        let (failures, choices) = (failures(&scores), names.len());
        Best { row, seeds, settings, theta, failures, choices }
    }

    /// `SN at D`, or several settings if seeds disagree.
    pub(super) fn describe(&self) -> String {
        let settings: BTreeSet<&str> = self.settings.iter().copied().collect();
        let settings = settings.into_iter().collect::<Vec<_>>().join(" or ");
        format!("{} at {settings}", self.row.label)
    }

    pub(super) fn chose(&self) -> bool {
        self.choices > 1 && !self.settings.is_empty()
    }
}

/// For each pair, Δ at the best settings is below `bound`: 0 for "beats", a margin for "is not
/// beaten".
pub(super) fn below(
    e: &Evidence<'_>,
    pairs: &[Pair<'_>],
    score: Score,
    doubled: bool,
    bound: f64,
) -> Found<Finding> {
    let (mut comparisons, mut missing) = (Vec::new(), BTreeSet::new());
    let (mut beside, mut procedures) = (BTreeSet::new(), BTreeSet::new());
    for pair in pairs {
        let found = both(e, pair, score, doubled);
        let (a, b) = match found {
            Ok(found) => found,
            Err(Stop::Missing(why)) => {
                missing.insert(why);
                continue;
            }
            Err(failed) => return Err(failed),
        };
        procedures.insert(a.chose() || b.chose());
        beside.extend([&a, &b].into_iter().filter(|b| b.chose()).map(Best::describe));
        beside.extend(
            [&a, &b]
                .into_iter()
                .filter_map(|b| Some(format!("{}: {}", b.row.label, b.row.losses()?))),
        );
        comparisons.push(compare(e, &a, &b, score, Claimed::Below(bound)));
    }
    let procedures: Vec<Procedure> = procedures
        .into_iter()
        .map(|chosen| if chosen { Procedure::BestOfSettings } else { Procedure::Welch })
        .collect();
    let mut finding = Finding::all(comparisons, &procedures);
    finding.beside = beside.into_iter().collect();
    finding.missing = missing;
    Ok(finding)
}

/// Δ at the best settings is above `bound`, so the row gains no more than that.
pub(super) fn above(
    e: &Evidence<'_>,
    pair: &Pair<'_>,
    score: Score,
    doubled: bool,
    bound: f64,
) -> Found<Finding> {
    let (a, b) = both(e, pair, score, doubled)?;
    if a.failures.all() || b.failures.all() {
        return Err(Stop::Missing("all runs of a row failed, and no gain is known".into()));
    }
    let procedure =
        if a.chose() || b.chose() { Procedure::BestOfSettings } else { Procedure::Welch };
    let comparison = compare(e, &a, &b, score, Claimed::Above(bound));
    Ok(Finding::all(vec![comparison], &[procedure]))
}

fn both<'a>(
    e: &Evidence<'a>,
    pair: &Pair<'_>,
    score: Score,
    doubled: bool,
) -> Found<(Best<'a>, Best<'a>)> {
    let scale = e.scale(score, doubled)?;
    let both = (Best::of(e, pair.row, score, scale)?, Best::of(e, pair.other, score, scale)?);
    both.0.row.comparable(&both.1.row)?;
    Ok(both)
}

fn compare(
    e: &Evidence<'_>,
    a: &Best<'_>,
    b: &Best<'_>,
    score: Score,
    needs: Claimed,
) -> Comparison {
    let names = format!("{} − {}", a.row.label, b.row.label);
    let seeds = a.seeds.len().min(b.seeds.len());
    if a.failures.all() || b.failures.all() {
        let p = fisher(a.failures, b.failures).map(|f| f.p());
        return Comparison::of_counts(
            format!("{names}: failed {} and {}", a.failures, b.failures),
            seeds,
            p,
        );
    }
    let floor = e.definitions.redraw_variance.of(score);
    let pairs = a.choices == 1 && b.choices == 1 && a.row.begins_as(&b.row);
    let estimate = difference(a, b, floor, pairs);
    let how = if pairs { ", by pairs" } else { "" };
    let mut comparison =
        Comparison::new(format!("{names}, {}{how}", score.y()), estimate, needs, seeds);
    if let ([a], [b]) = (a.theta.as_slice(), b.theta.as_slice()) {
        comparison.value = Some(a - b);
    }
    comparison
}

/// Δ of two rows' θ: paired over the seeds that both have, or Welch's.
fn difference(a: &Best<'_>, b: &Best<'_>, floor: f64, pairs: bool) -> Option<Estimate> {
    if !pairs {
        return welch(&Cell::of(&a.theta, floor)?, &Cell::of(&b.theta, floor)?);
    }
    let (a_shared, b_shared) = shared((&a.seeds, &a.theta), (&b.seeds, &b.theta));
    paired(&a_shared, &b_shared, floor)
}

/// The values of the seeds that both have.
pub(super) fn shared(
    (a_seeds, a): (&[u64], &[f64]),
    (b_seeds, b): (&[u64], &[f64]),
) -> (Vec<f64>, Vec<f64>) {
    let pairs = a_seeds.iter().zip(a).filter_map(|(seed, a)| {
        let at = b_seeds.iter().position(|s| s == seed)?;
        Some((*a, *b.get(at)?))
    });
    pairs.unzip()
}
