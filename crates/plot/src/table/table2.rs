//! Table 2: the best scores of each method, ours beside the paper's.

use super::cell::{Cell, Grid, list, write};
use crate::artefact::Request;
use crate::collect::{Collected, Run, differences, paper_name};
use crate::paper::{self, Table2Row};
use crate::statistics::summary;
use crate::{Error, Rendered, Result};
use sngan_experiment::Dataset;
use sngan_experiment::arch::Architecture;
use sngan_experiment::method::Loss;
use sngan_experiment::records::{Metric, Protocol};
use std::collections::BTreeSet;

/// The table's pairs of columns.
const COLUMNS: [(Metric, Dataset); 4] = [
    (Metric::Is, Dataset::Cifar10),
    (Metric::Is, Dataset::Stl10),
    (Metric::Fid, Dataset::Cifar10),
    (Metric::Fid, Dataset::Stl10),
];

/// Writes `table2.md` and `table2.csv`.
pub(crate) fn render(request: &Request<'_>) -> Result<Rendered> {
    let sweeps = request.sweeps;
    if sweeps.iter().all(|c| c.runs.is_empty()) {
        return Ok(Rendered::Skipped("no run has begun".into()));
    }
    let mut notes: Vec<String> = sweeps.iter().map(Collected::describe_runs).collect();
    notes.extend(
        sweeps.iter().flat_map(|c| {
            [Metric::Is, Metric::Fid].into_iter().filter_map(|m| c.describe_scores(m))
        }),
    );
    notes.sort();
    notes.dedup();
    let grid = grid(sweeps)?;
    let text = format!(
        "# Table 2 — each method's best setting\n\n{}\n{}\nOurs: mean ± standard error over n seeds after the last update, of the setting \
         with the best mean, which is named; one run (n = 1) tells no spread. The paper's: mean ± standard deviation. Columns of \
         different backbones or data are not comparable. Literature rows stand as the paper quotes them.\n",
        list(&notes),
        grid.markdown()
    );
    write(request.folder, "table2", &text, &grid.csv())
}

/// Every row of the paper's table, each pair of columns ours and the paper's.
///
/// # Errors
/// [`Error::MixedProtocols`] where a column's scores were taken differently.
pub(super) fn grid(sweeps: &[Collected]) -> Result<Grid> {
    let mut grid = Grid::new("", &["group", "method", "loss", "updates"]);
    for (metric, dataset) in COLUMNS {
        let protocol = shared_protocol(sweeps, metric, dataset)?;
        let (name, papers) = (metric.name(), paper_name(dataset));
        let ours: BTreeSet<String> = sweeps
            .iter()
            .filter(|c| c.paper_dataset() == dataset)
            .map(Collected::data_name)
            .collect();
        let ours = if ours.is_empty() {
            papers.to_string()
        } else {
            ours.into_iter().collect::<Vec<_>>().join(" or ")
        };
        grid.header.push(format!(
            "{name}[{}] {ours}, ours",
            protocol.map_or("–", |p| p.backbone.as_str())
        ));
        grid.header.push(format!("{name}[{}] {papers}, the paper's", paper::BACKBONE));
    }
    grid.rows = paper::table2()?.iter().map(|row| cells(sweeps, row)).collect();
    Ok(grid)
}

/// The protocol that a column's scores share.
///
/// # Errors
/// [`Error::MixedProtocols`] where sweeps were scored differently.
pub(super) fn shared_protocol(
    sweeps: &[Collected],
    metric: Metric,
    dataset: Dataset,
) -> Result<Option<&Protocol>> {
    let mut found: Option<&Protocol> = None;
    for c in sweeps.iter().filter(|c| c.paper_dataset() == dataset) {
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

fn cells(sweeps: &[Collected], row: &Table2Row) -> Vec<Cell> {
    let mut cells: Vec<Cell> =
        [&row.group, &row.method, &row.loss, &row.updates].map(|t| Cell::text(t.as_str())).to_vec();
    for (metric, dataset) in COLUMNS {
        let published = if metric == Metric::Is { row.is } else { row.fid }[paper::column(dataset)];
        let sweeps = || sweeps.iter().filter(|c| c.paper_dataset() == dataset);
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
            _ => best_setting(
                &distinct(sweeps().flat_map(|c| &c.runs).filter(|r| fits(r, row))),
                metric,
            ),
        });
        cells.push(Cell {
            text: published.text(if metric == Metric::Is { 2 } else { 1 }),
            value: published.value,
        });
    }
    cells
}

/// Runs without those that several sweeps share: one seed must not count twice.
fn distinct<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    let mut seen = BTreeSet::new();
    runs.filter(|r| seen.insert(r.spec.id())).collect()
}

/// Whether a run is one of a row's.
fn fits(run: &Run, row: &Table2Row) -> bool {
    let spec = &run.spec;
    let group =
        if matches!(spec.architecture, Architecture::StandardCnn) { "cnn" } else { "resnet" };
    let loss = match spec.loss {
        Loss::Standard => "standard",
        Loss::Hinge => "hinge",
        Loss::Wasserstein => "wasserstein",
    };
    let updates = if spec.label.ends_with("2x") { "2x" } else { "1x" };
    !spec.gamma
        && paper::table2_name(spec.family()) == Some(row.method.as_str())
        && (group, loss, updates) == (row.group.as_str(), row.loss.as_str(), row.updates.as_str())
}

/// The scores of the setting with the best mean, which is named.
pub(super) fn best_setting(runs: &[&Run], metric: Metric) -> Cell {
    let mut settings: Vec<&str> = runs.iter().map(|r| r.spec.setting.as_str()).collect();
    settings.sort_unstable();
    settings.dedup();
    let of = |setting: &str| {
        let values: Vec<f64> = runs
            .iter()
            .filter(|r| r.spec.setting == setting)
            .filter_map(|r| r.last(metric))
            .collect();
        Some((setting.to_string(), summary(&values)?))
    };
    let better = |a: f64, b: f64| if metric.higher_is_better() { a > b } else { a < b };
    let best = settings
        .into_iter()
        .filter_map(of)
        .reduce(|a, b| if better(b.1.mean, a.1.mean) { b } else { a });
    match best {
        Some((setting, s)) => {
            Cell { text: format!("{}, {setting}", s.text(2)), value: Some(s.mean) }
        }
        None if runs.is_empty() => Cell::text("not run"),
        None => Cell::status(runs),
    }
}
