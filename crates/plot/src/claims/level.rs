//! Rows compared setting by setting: over all of several, and in each of several.

use super::definitions::Score;
use super::evidence::{BySeed, Evidence, Found, Row, Stop, failures, values};
use super::finding::{Comparison, Finding, fails_more};
use super::grid::Grid;
use super::test::{Fails, Level};
use crate::statistics::{
    Cell, Claimed, LogScale, Procedure, fisher, probability_of_improvement, spread, welch,
};
use std::collections::BTreeSet;

/// The level of a row over settings against that of each other row. A missing row leaves the part
/// untested, but the rest is shown.
pub(super) fn level(e: &Evidence<'_>, t: &Level, score: Score, doubled: bool) -> Found<Finding> {
    let scale = e.scale(score, doubled)?;
    let floor = e.definitions.redraw_variance.of(score);
    let own = Grid::of(e, e.row(&t.row)?, &t.settings, score, scale)?;
    let (mut comparisons, mut missing) = (Vec::new(), BTreeSet::new());
    let mut beside = vec![describe(&own, t, (score, scale), floor, None)];
    for other in &t.others {
        let grid = e
            .row(other)
            .and_then(|row| Grid::of(e, row, &t.settings, score, scale))
            .and_then(|other| own.row.comparable(&other.row).map(|()| other));
        match grid {
            Ok(other) => {
                comparisons.push(compare(&own, &other, score, floor));
                beside.push(describe(&other, t, (score, scale), floor, Some(&own)));
            }
            Err(Stop::Missing(why)) => drop(missing.insert(why)),
            Err(failed) => return Err(failed),
        }
    }
    let mut finding = Finding::all(comparisons, &[Procedure::Level]);
    finding.beside = beside.into_iter().flatten().collect();
    finding.missing = missing;
    Ok(finding)
}

fn compare(own: &Grid<'_>, other: &Grid<'_>, score: Score, floor: f64) -> Comparison {
    let names = format!("{} − {}", own.row.label, other.row.label);
    let seeds = own.seeds().min(other.seeds());
    let failed = [own, other].map(|g| failures(&g.settings));
    if failed.iter().any(|f| f.all()) {
        let p = fisher(failed[0], failed[1]).map(|f| f.p());
        return Comparison::of_counts(
            format!("{names}: failed {} and {}", failed[0], failed[1]),
            seeds,
            p,
        );
    }
    let cells = own.cells(floor).zip(other.cells(floor));
    let estimate = cells.and_then(|(a, b)| crate::statistics::level(&a, &b));
    Comparison::new(format!("{names}, {}", score.y()), estimate, Claimed::BEATS, seeds)
}

/// Spread, worst setting and probability of improvement of a row: descriptive.
fn describe(
    grid: &Grid<'_>,
    t: &Level,
    (score, scale): (Score, LogScale),
    floor: f64,
    own: Option<&Grid<'_>>,
) -> Option<String> {
    let mut said = Vec::new();
    if let Some(s) = grid.cells(floor).and_then(|cells| spread(&cells)) {
        said.push(format!("spread {:.2}", s.squared.sqrt()));
        let worst = &t.settings[s.worst_setting];
        let score_there = scale.score(s.worst_mean);
        said.push(format!("worst setting {worst}, {} {score_there:.2}", score.name()));
    }
    let improves = own.and_then(|own| probability_of_improvement(&own.y(), &grid.y()));
    if let Some((own, p)) = own.zip(improves) {
        said.push(format!("{} better in {:.0} % of pairs", own.row.label, 100.0 * p));
    }
    said.extend(grid.row.losses());
    (!said.is_empty()).then(|| format!("{}: {}", grid.row.label, said.join(", ")))
}

/// A row that is worse by a factor in each of some settings, or fails in all of its runs there.
pub(super) fn fails(e: &Evidence<'_>, t: &Fails, score: Score, doubled: bool) -> Found<Finding> {
    let scale = e.scale(score, doubled)?;
    let floor = e.definitions.redraw_variance.of(score);
    let (row, against) = (e.row(&t.row)?, e.row(&t.against)?);
    row.comparable(&against)?;
    let mut comparisons = Vec::new();
    let mut beside = Vec::new();
    for setting in &t.settings {
        let [own, other] = [&row, &against].map(|r| e.scores(r, setting, score, scale));
        let (own, other) = (own?, other?);
        comparisons.push(fails_in(
            setting,
            (&row, &own),
            (&against, &other),
            score,
            floor,
            t.factor,
        ));
        let losses = row.at(setting)?.losses();
        let label = &row.label;
        beside.extend(losses.map(|l| format!("setting {setting}, {label}: {l}")));
    }
    let mut finding = Finding::all(comparisons, &[Procedure::Welch]);
    finding.beside = beside;
    Ok(finding)
}

fn fails_in(
    setting: &str,
    (row, own): (&Row<'_>, &BySeed),
    (against, other): (&Row<'_>, &BySeed),
    score: Score,
    floor: f64,
    factor: f64,
) -> Comparison {
    let names = format!("{setting}: {} − {}", row.label, against.label);
    let seeds = own.len().min(other.len());
    let failed = [own, other].map(|s| failures([s]));
    if failed.iter().any(|f| f.all()) {
        let p = fisher(failed[0], failed[1]).map(fails_more);
        return Comparison::of_counts(
            format!("{names}: failed {} and {}", failed[0], failed[1]),
            seeds,
            p,
        );
    }
    let cells = [own, other].map(|s| Cell::of(&values(s), floor));
    let estimate = cells[0].zip(cells[1]).and_then(|(a, b)| welch(&a, &b));
    let needs = Claimed::Above(factor.ln());
    Comparison::new(format!("{names}, {}", score.y()), estimate, needs, seeds)
}
