//! Table 2: the best scores of each method, ours beside the paper's.

use super::cell::{Cell, Grid, Which, list, write};
use super::sizes;
use crate::artefact::Materials;
use crate::paper::{self, Table2Row};
use crate::scored::{Run, ScoredSweep, differences, repetitions};
use crate::statistics::{Summary, summary};
use crate::{Error, Rendered, Result, method};
use sngan_experiment::Dataset;
use sngan_experiment::arch::Architecture;
use sngan_experiment::records::{Metric, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// The table's pairs of columns.
const COLUMNS: [(Metric, Dataset); 4] = [
    (Metric::Is, Dataset::Cifar10),
    (Metric::Is, Dataset::Stl10),
    (Metric::Fid, Dataset::Cifar10),
    (Metric::Fid, Dataset::Stl10),
];

/// Writes `table2.md` and `table2.csv`.
pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    let sweeps = request.sweeps;
    if sweeps.iter().all(|c| c.runs.is_empty()) {
        return Ok(Rendered::Skipped("no run has begun".into()));
    }
    let mut notes: Vec<String> = sweeps.iter().map(ScoredSweep::describe_runs).collect();
    notes.extend(
        sweeps.iter().flat_map(|c| {
            [Metric::Is, Metric::Fid].into_iter().filter_map(|m| c.describe_scores(m))
        }),
    );
    notes.sort();
    notes.dedup();
    let grids = full_grids(sweeps)?;
    let narrow: Vec<Grid> = grids.iter().map(|(grid, shown)| shown_columns(grid, shown)).collect();
    let text = format!(
        "# Table 2 — each method's best setting\n\n{}\n{}\nOurs: mean ± standard error over n seeds after the last update, of the setting \
         with the best mean, which is named; a row of 2x updates is compared with the 1x row above it, which has the same setting; one run \
         (n = 1) tells no spread. The paper's: mean ± standard deviation. Tables of different sizes, and columns of different backbones or \
         data, are not comparable. Literature rows stand as the paper quotes them.\n",
        list(&notes),
        sizes::markdown(&narrow)
    );
    let full: Vec<Grid> = grids.into_iter().map(|(grid, _)| grid).collect();
    write(request.folder, "table2", &text, &sizes::csv(&full))
}

/// The rows of the paper's table that were run, one grid for each combination of sizes; then the
/// remaining rows.
///
/// # Errors
/// [`Error::MixedProtocols`] if a column's scores have different protocols.
pub(super) fn grids(sweeps: &[ScoredSweep]) -> Result<Vec<Grid>> {
    Ok(full_grids(sweeps)?.iter().map(|(grid, shown)| shown_columns(grid, shown)).collect())
}

/// Which columns of a grid have content.
enum Shown {
    /// Ours and the paper's on these data sets.
    Of(Vec<Dataset>),
    /// Only the paper's.
    Papers,
}

/// Number of columns before those of scores.
const NAMES: usize = 4;

fn shown_columns(grid: &Grid, shown: &Shown) -> Grid {
    sizes::columns(grid, |i| match shown {
        _ if i < NAMES => true,
        Shown::Of(datasets) => datasets.contains(&COLUMNS[(i - NAMES) / 2].1),
        Shown::Papers => !(i - NAMES).is_multiple_of(2),
    })
}

/// Every grid with all columns, and which of these have content.
fn full_grids(sweeps: &[ScoredSweep]) -> Result<Vec<(Grid, Shown)>> {
    let header = header(sweeps)?;
    let rows = in_pairs(paper::table2()?);
    let new = |caption| Grid { caption, header: header.clone(), rows: Vec::new() };
    let ran = |sweeps: &[ScoredSweep], row: &Table2Row| {
        sweeps.iter().flat_map(|c| &c.runs).any(|r| fits(r, row))
    };
    let mut grids = Vec::new();
    for part in sizes::parts(sweeps) {
        let mut grid = new(part.sizes);
        for row in &rows {
            if row.group == "reference" {
                grid.rows.push(cells(&part.sweeps, row)?);
            } else if ran(&part.sweeps, row) {
                grid.rows.extend(at_its_setting(&part.sweeps, row, &rows)?);
                grid.rows.push(cells(&part.sweeps, row)?);
            }
        }
        let datasets = part.sweeps.iter().filter_map(ScoredSweep::paper_dataset).collect();
        if rows.iter().any(|row| ran(&part.sweeps, row)) {
            grids.push((grid, Shown::Of(datasets)));
        }
    }
    let mut others =
        new("Rows of the paper's table that were not run here, or that it quotes".into());
    let missing = |row: &&Table2Row| row.group != "reference" && !ran(sweeps, row);
    others.rows = rows.iter().filter(missing).map(|row| cells(&[], row)).collect::<Result<_>>()?;
    if !others.rows.is_empty() {
        grids.push((others, Shown::Papers));
    }
    Ok(grids)
}

/// The rows in the paper's order, except that a row of 2x updates is directly below the same
/// method's row of 1x.
fn in_pairs(rows: Vec<Table2Row>) -> Vec<Table2Row> {
    let place =
        |row: &Table2Row| rows.iter().position(|first| is_pair(first, row)).unwrap_or(usize::MAX);
    let mut placed: Vec<(usize, Table2Row)> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (if row.updates == "2x" { place(row).min(i) } else { i }, row.clone()))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, row)| row).collect()
}

/// Whether `twice` is the row of 2x updates of what `once` has with 1x.
fn is_pair(once: &Table2Row, twice: &Table2Row) -> bool {
    (&once.group, &once.method, &once.loss) == (&twice.group, &twice.method, &twice.loss)
        && (once.updates.as_str(), twice.updates.as_str()) == ("1x", "2x")
}

/// A row to go above a row of 2x updates: the row of 1x in the setting that the 2x row shows, if
/// that is not its best one.
fn at_its_setting(
    sweeps: &[ScoredSweep],
    twice: &Table2Row,
    rows: &[Table2Row],
) -> Result<Option<Vec<Cell>>> {
    let Some(once) = rows.iter().find(|row| is_pair(row, twice)) else { return Ok(None) };
    let (mut cells, mut differs) = (
        vec![
            Cell::text(once.group.as_str()),
            Cell::text(once.method.as_str()),
            Cell::text(once.loss.as_str()),
            Cell::text("1x, in the setting of 2x"),
        ],
        false,
    );
    for (metric, dataset) in COLUMNS {
        let runs = |row: &Table2Row| fitting(sweeps, dataset, row);
        let (ones, twos) = (runs(once)?, runs(twice)?);
        let cell = best(&twos, metric).map(|(setting, _)| {
            differs |= best(&ones, metric).is_some_and(|(other, _)| other != setting);
            let there: Vec<&Run> =
                ones.iter().filter(|r| r.spec.setting == setting).copied().collect();
            if there.is_empty() {
                Cell::text(format!("not run in {setting}"))
            } else {
                best_setting(&there, metric)
            }
        });
        cells.extend([cell.unwrap_or_else(Cell::none), Cell::none()]);
    }
    Ok(differs.then_some(cells))
}

/// Names of all columns: each pair ours and the paper's.
///
/// # Errors
/// [`Error::MixedProtocols`] if a column's scores have different protocols.
fn header(sweeps: &[ScoredSweep]) -> Result<Vec<String>> {
    let mut header = ["group", "method", "loss", "updates"].map(String::from).to_vec();
    for (metric, dataset) in COLUMNS {
        let protocol = shared_protocol(sweeps, metric, dataset)?;
        let (name, papers) = (metric.name(), dataset.title());
        let ours: BTreeSet<String> = sweeps
            .iter()
            .filter(|c| c.paper_dataset() == Some(dataset))
            .map(ScoredSweep::data_name)
            .collect();
        let ours = if ours.is_empty() {
            papers.to_string()
        } else {
            ours.into_iter().collect::<Vec<_>>().join(" or ")
        };
        let backbone = protocol.map_or("–", |p| p.backbone.as_str());
        header.push(format!("{name}[{backbone}] {ours}, ours"));
        header.push(format!("{name}[{}] {papers}, the paper's", paper::BACKBONE));
    }
    Ok(header)
}

/// The protocol that a column's scores share.
///
/// # Errors
/// [`Error::MixedProtocols`] if sweeps were scored under different protocols.
pub(super) fn shared_protocol(
    sweeps: &[ScoredSweep],
    metric: Metric,
    dataset: Dataset,
) -> Result<Option<&Protocol>> {
    let mut found: Option<&Protocol> = None;
    for c in sweeps.iter().filter(|c| c.paper_dataset() == Some(dataset)) {
        let Some(protocol) = c.protocol(metric) else { continue };
        match found {
            Some(first) if first != protocol => {
                return Err(Error::MixedProtocols {
                    run: c.path.clone(),
                    differences: differences(first, protocol),
                });
            }
            _ => found = Some(protocol),
        }
    }
    Ok(found)
}

fn cells(all: &[ScoredSweep], row: &Table2Row) -> Result<Vec<Cell>> {
    let mut cells: Vec<Cell> =
        [&row.group, &row.method, &row.loss, &row.updates].map(|t| Cell::text(t.as_str())).to_vec();
    for (metric, dataset) in COLUMNS {
        let published = row.published(metric, dataset);
        let sweeps = || all.iter().filter(|c| c.paper_dataset() == Some(dataset));
        cells.push(match row.group.as_str() {
            "literature" => Cell::none(),
            "reference" => sweeps()
                .find_map(|c| c.real(metric)?.value)
                .map_or_else(Cell::none, |v| Cell::number(v, 2)),
            _ if published.value.is_none()
                && !sweeps().flat_map(|c| &c.runs).any(|r| fits(r, row)) =>
            {
                Cell::none()
            }
            _ => best_setting(&fitting(all, dataset, row)?, metric),
        });
        cells.push(Cell {
            text: published.text(if metric == Metric::Is { 2 } else { 1 }),
            value: published.value,
            best: false,
        });
    }
    Ok(cells)
}

/// A row's runs on a data set, each once even if several sweeps or labels have it: one seed must
/// not count twice.
///
/// # Errors
/// [`Error::MixedRow`] for runs of one setting that are not repetitions of each other.
fn fitting<'a>(
    sweeps: &'a [ScoredSweep],
    dataset: Dataset,
    row: &Table2Row,
) -> Result<Vec<&'a Run>> {
    let on = sweeps.iter().filter(|c| c.paper_dataset() == Some(dataset)).flat_map(|c| &c.runs);
    let mut settings: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in on.filter(|r| fits(r, row)) {
        settings.entry(&run.spec.setting).or_default().push(run);
    }
    let distinct = settings.into_values().map(|runs| repetitions(runs, &[]));
    Ok(distinct.collect::<Result<Vec<_>>>()?.concat())
}

/// Whether a run belongs to a row.
fn fits(run: &Run, row: &Table2Row) -> bool {
    let spec = &run.spec;
    let group = match spec.architecture {
        Architecture::StandardCnn => "cnn",
        // The authors' version of the standard CNN, and networks that are not in Table 2.
        Architecture::StandardCnnCgl | Architecture::Resnet64 | Architecture::ResnetGulrajani => {
            return false;
        }
        Architecture::ResnetCifar10 | Architecture::ResnetStl10 | Architecture::ResnetImagenet => {
            "resnet"
        }
    };
    let updates = if run.twice { "2x" } else { "1x" };
    !spec.gamma
        && method::table2_name(spec.family()) == Some(row.method.as_str())
        && (group, spec.loss.name(), updates)
            == (row.group.as_str(), row.loss.as_str(), row.updates.as_str())
}

/// The setting with the best mean, and its scores.
fn best<'a>(runs: &[&'a Run], metric: Metric) -> Option<(&'a str, Summary)> {
    let mut settings: Vec<&str> = runs.iter().map(|r| r.spec.setting.as_str()).collect();
    settings.sort_unstable();
    settings.dedup();
    let of = |setting: &'a str| {
        let values: Vec<f64> = runs
            .iter()
            .filter(|r| r.spec.setting == setting)
            .filter_map(|r| r.last(metric))
            .collect();
        Some((setting, summary(&values)?))
    };
    let better = |a: f64, b: f64| if metric.higher_is_better() { a > b } else { a < b };
    settings
        .into_iter()
        .filter_map(of)
        .reduce(|a, b| if better(b.1.mean, a.1.mean) { b } else { a })
}

/// The scores of the setting with the best mean, which is named.
pub(super) fn best_setting(runs: &[&Run], metric: Metric) -> Cell {
    match best(runs, metric) {
        Some((setting, _)) => {
            let there: Vec<&Run> =
                runs.iter().filter(|r| r.spec.setting == setting).copied().collect();
            let cell = Cell::scores(&there, metric, Which::Last);
            Cell { text: format!("{}, {setting}", cell.text), ..cell }
        }
        None if runs.is_empty() => Cell::text("not run"),
        None => Cell::status(runs),
    }
}
