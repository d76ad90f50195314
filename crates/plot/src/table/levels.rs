//! Each row of a sweep over all of its settings: level, spread and best setting.

use super::cell::{Cell, Grid, quoted, write};
use super::sizes;
use crate::artefact::Materials;
use crate::claims::{RowSummary, Score, Score95, Summaries, definitions, summaries};
use crate::scored::ScoredSweep;
use crate::{Rendered, Result};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// Writes `levels.md` and `levels.csv`; nothing for sweeps of one setting.
pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    if request.sweeps.iter().all(|c| c.settings().len() < 2) {
        return Ok(Rendered::Written(Vec::new()));
    }
    request.each(|c| one(c, request.folder))
}

fn one(c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
    let parts = parts(c)?;
    // Also parts of one setting count, which have no levels: their runs are not in those of the others.
    let several = sizes::parts(std::slice::from_ref(c)).len() > 1;
    let shown = parts.iter().filter(|part| !part.found.rows.is_empty());
    let grids: Vec<Grid> = shown
        .map(|part| {
            let mut grid = grid(&part.sweep, part.score, &part.found.rows);
            if several {
                grid.caption += &format!("; {}", part.sizes);
            }
            grid
        })
        .collect();
    if grids.is_empty() {
        let why = parts.iter().flat_map(|part| &part.found.missing).min();
        let why = why.map_or("no row has runs in two settings", String::as_str);
        return Ok(Rendered::Skipped(why.into()));
    }
    let mut text = format!("# {}\n\n{}\n\n", c.titled("levels", &c.plan.title), c.describe_runs());
    text += &sizes::markdown(&grids);
    let _ = write!(text, "\n{NOTE}\n");
    let missing: BTreeSet<String> = parts.iter().flat_map(|part| part.missing(several)).collect();
    if !missing.is_empty() {
        let missing: Vec<String> = missing.into_iter().collect();
        let _ = write!(text, "\nLeft out: {}.\n", missing.join("; "));
    }
    write(folder, &c.stem("levels"), &text, &csv(&parts))
}

const NOTE: &str = "Value, [95 % interval] (n seeds). Level: the geometric mean over the settings, with Satterthwaite's degrees of freedom over \
their cells. Spread: the standard deviation of ln score over the settings, less what seeds add. Best: the mean at the setting that the other seeds \
choose for each seed, so that a lucky seed does not choose for itself. A run without a score, or with a worse one, counts as the untrained \
generator. Intervals are of one row each; `sngan claims` compares rows. A report's overview leaves failed runs out and takes plain means over seeds.";

const SCORES: [Score; 2] = [Score::Fid, Score::Is];

/// The rows of one combination of sizes in one metric.
struct Part {
    /// The sizes in words.
    sizes: String,
    /// The sweep with these runs alone.
    sweep: ScoredSweep,
    score: Score,
    found: Summaries,
}

impl Part {
    /// Why rows are missing; beside other parts, which may have them, with its sizes.
    fn missing(&self, several: bool) -> impl Iterator<Item = String> {
        let of = if several { format!("{}: ", self.sizes) } else { String::new() };
        self.found.missing.iter().map(move |why| format!("{of}{why}"))
    }
}

fn parts(c: &ScoredSweep) -> Result<Vec<Part>> {
    let definitions = definitions()?;
    let mut parts = Vec::new();
    for group in sizes::parts(std::slice::from_ref(c)) {
        for sweep in group.sweeps.into_iter().filter(|c| c.settings().len() > 1) {
            for score in SCORES {
                let found = summaries(&sweep, &definitions, score)?;
                parts.push(Part { sizes: group.sizes.clone(), sweep: sweep.clone(), score, found });
            }
        }
    }
    Ok(parts)
}

/// A row for each metric and row, every number at full precision; an empty cell where there is none.
fn csv(parts: &[Part]) -> String {
    let mut text = "sizes,metric,method,n,level,level_low,level_high,spread,worst_setting,worst,best_settings,best,best_low,best_high,failed,runs\n".to_string();
    let cell = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let ends = |score: Option<&Score95>| {
        let interval = score.and_then(|s| s.interval);
        [score.map(|s| s.value), interval.map(|i| i.low), interval.map(|i| i.high)].map(cell)
    };
    for Part { sizes, score, found, .. } in parts {
        for row in &found.rows {
            let [level, low, high] = ends(Some(&row.level));
            let [best, best_low, best_high] = ends(row.best.as_ref());
            let columns = [
                quoted(sizes),
                score.metric().name().into(),
                quoted(&row.label),
                row.level.n.to_string(),
                level,
                low,
                high,
                cell(row.spread),
                quoted(&row.worst.0),
                row.worst.1.to_string(),
                quoted(&row.best_settings.join(" or ")),
                best,
                best_low,
                best_high,
                row.failures.failed.to_string(),
                row.failures.runs.to_string(),
            ];
            text += &(columns.join(",") + "\n");
        }
    }
    text
}

fn grid(c: &ScoredSweep, score: Score, rows: &[RowSummary]) -> Grid {
    let metric = score.metric();
    let backbone = c.protocol(metric).map_or("–", |p| p.backbone.as_str());
    let better = if metric.higher_is_better() { "higher" } else { "lower" };
    let caption = format!(
        "{}[{backbone}] over the settings {} ({better} is better)",
        metric.name(),
        c.settings().join(", ")
    );
    let mut grid = Grid::new(
        caption,
        &["method", "level", "spread", "worst setting", "best setting", "failed"],
    );
    for row in rows {
        let settings = row.best_settings.join(" or ");
        let best = row.best.map_or_else(Cell::none, |best| {
            let cell = scored(&best);
            Cell { text: format!("{settings}: {}", cell.text), ..cell }
        });
        let (setting, worst) = &row.worst;
        grid.rows.push(vec![
            Cell::text(row.label.as_str()),
            scored(&row.level),
            row.spread.map_or_else(Cell::none, |s| Cell::number(s, 2)),
            Cell { text: format!("{setting}: {worst:.2}"), value: Some(*worst), best: false },
            best,
            Cell::text(row.failures.to_string()),
        ]);
    }
    for (column, higher) in [
        (1, metric.higher_is_better()),
        (2, false),
        (3, metric.higher_is_better()),
        (4, metric.higher_is_better()),
    ] {
        grid.mark_best(column, higher);
    }
    grid
}

/// `20.13 [18.02, 22.48] (n = 3)`.
fn scored(score: &Score95) -> Cell {
    let Score95 { value, interval, n } = score;
    let within = interval.map_or_else(String::new, |i| format!(" [{:.2}, {:.2}]", i.low, i.high));
    Cell { text: format!("{value:.2}{within} (n = {n})"), value: Some(*value), best: false }
}
