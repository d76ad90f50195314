//! Table 1: the optimizer settings, here with the scores of every method in each.

use super::cell::{Cell, Grid, Which, quoted, status, write};
use super::sizes;
use super::table2::best_setting;
use crate::artefact::Materials;
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result, paper};
use sngan_experiment::Dataset;
use sngan_experiment::records::{Metric, ScoreRecord};
use std::cmp::Ordering;
use std::fmt::Write;
use std::path::Path;

/// Writes `table1.md` for readers and `table1.csv`, one row per run, for programs.
pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| one(c, request.folder))
}

fn one(c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
    if c.runs.is_empty() {
        return Ok(Rendered::Skipped("no run has begun".into()));
    }
    write(folder, &c.stem("table1"), &markdown(c)?, &csv_text(c))
}

fn markdown(c: &ScoredSweep) -> Result<String> {
    let mut text = format!("# {}\n\n{}\n\n", c.titled("table1", &c.plan.title), c.describe_runs());
    text += &setting_grid(c).markdown();
    for grid in apart(c, |part| Ok(score_grids(c, part)))? {
        text += &format!("\n{}", grid.markdown());
    }
    for metric in c.metrics() {
        if let Some(described) = c.describe_scores(metric) {
            let _ = write!(text, "\n{described}");
        }
    }
    if let Some(p) = c.metrics().first().and_then(|m| c.protocol(*m)) {
        let _ = write!(
            text,
            "\nBackbone {} (sha256 {}…), resize {}, bytes {}. Mean ± standard error over n seeds; one run (n = 1) tells no spread. Dead: runs whose critic is; silent: runs in whose log it tells nothing, without the score of the untrained generator that would say whether it is dead.\n",
            p.backbone,
            p.backbone_sha256.get(..12).unwrap_or(&p.backbone_sha256),
            p.resize,
            p.bytes
        );
    }
    text += &papers(c)?;
    Ok(text)
}

/// The settings themselves, by the values that ran.
fn setting_grid(c: &ScoredSweep) -> Grid {
    let mut grid = Grid::new("", &["setting", "α", "β1", "β2", "n_dis"]);
    let mut rows: Vec<(&str, [Option<f64>; 4])> = Vec::new();
    for spec in c.runs.iter().map(|r| &r.spec) {
        let known = |(key, value): (&str, f64)| spec.knows(key).then_some(value);
        let n_dis = f64::from(spec.n_dis);
        let values =
            [("lr", spec.lr), ("beta1", spec.beta1), ("beta2", spec.beta2), ("n_dis", n_dis)];
        let row = (spec.setting.as_str(), values.map(known));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| a.0.cmp(b.0).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal)));
    for (name, values) in rows {
        let cell = |x: f64| Cell { text: x.to_string(), value: Some(x), best: false };
        let numbers = values.map(|x| x.map_or_else(|| Cell::text("unknown"), cell));
        grid.rows.push(std::iter::once(Cell::text(name)).chain(numbers).collect());
    }
    grid
}

/// What the report shows: the settings and the scores in each.
pub(super) fn grids(c: &ScoredSweep) -> Result<Vec<Grid>> {
    let settings = setting_grid(c);
    let scores = apart(c, |part| Ok(score_grids(c, part)))?;
    Ok(std::iter::once(settings).filter(|g| !g.rows.is_empty()).chain(scores).collect())
}

/// Grids of the runs, separate if their scores may not share a column; then each states its sizes.
fn apart(c: &ScoredSweep, grids: impl Fn(&ScoredSweep) -> Result<Vec<Grid>>) -> Result<Vec<Grid>> {
    let mut parts = sizes::parts(std::slice::from_ref(c));
    // Runs without a score, such as one that was continued and not scored again, stand below those with one.
    parts.sort_by_key(|part| part.sweeps.iter().all(|c| c.metrics().is_empty()));
    let mut all = Vec::new();
    for part in &parts {
        for sweep in &part.sweeps {
            for mut grid in grids(sweep)? {
                if parts.len() > 1 {
                    grid.caption += &format!("; {}", part.sizes);
                }
                all.push(grid);
            }
        }
    }
    Ok(all)
}

/// Scores of the part `c` of `whole` after the last update, and the best ones if they differ; statuses if there
/// are no scores.
fn score_grids(whole: &ScoredSweep, c: &ScoredSweep) -> Vec<Grid> {
    if c.metrics().is_empty() {
        return vec![score_grid(whole, c, None, Which::Last)];
    }
    let mut grids = Vec::new();
    for metric in c.metrics() {
        grids.push(score_grid(whole, c, Some(metric), Which::Last));
        if c.runs.iter().any(|r| r.best(metric) != r.last(metric)) {
            grids.push(score_grid(whole, c, Some(metric), Which::Best));
        }
    }
    grids
}

/// A table of methods × settings, of statuses without a metric.
fn score_grid(whole: &ScoredSweep, c: &ScoredSweep, metric: Option<Metric>, which: Which) -> Grid {
    let settings = c.settings();
    let caption = match (metric, metric.and_then(|m| c.protocol(m))) {
        (Some(metric), Some(p)) => {
            let better = if metric.higher_is_better() { "higher" } else { "lower" };
            let when = if which == Which::Last {
                "after the last update"
            } else {
                "best of all checkpoints"
            };
            format!("{}[{}], {when} ({better} is better)", metric.name(), p.backbone)
        }
        _ => "status of each run".into(),
    };
    let mut grid = Grid::new(caption, &["method"]);
    grid.header.extend(settings.iter().map(ToString::to_string));
    for label in c.labels() {
        let cell = |setting: &&str| {
            let runs: Vec<&Run> = c.cell(label, setting).collect();
            if runs.is_empty() {
                return cell_without_runs(whole, c, label, setting);
            }
            metric.map_or_else(|| Cell::status(&runs), |m| Cell::scores(&runs, m, which))
        };
        grid.rows
            .push(std::iter::once(Cell::text(label)).chain(settings.iter().map(cell)).collect());
    }
    for (metric, column) in
        metric.into_iter().flat_map(|m| (1..=settings.len()).map(move |i| (m, i)))
    {
        grid.mark_best(column, metric.higher_is_better());
    }
    if let Some(real) = metric.and_then(|m| c.real(m)).and_then(|s| s.value) {
        let cells = std::iter::repeat_n(Cell::number(real, 2), settings.len());
        grid.rows.push(std::iter::once(Cell::text("real data")).chain(cells).collect());
    }
    grid
}

/// A cell of the part `c` of `whole` for which the part has no run: what became of the run of other sizes that
/// has its place, if there is one. Only a planned run can be called not begun, and none whose records are there.
fn cell_without_runs(whole: &ScoredSweep, c: &ScoredSweep, label: &str, setting: &str) -> Cell {
    let others: Vec<&Run> = whole.cell(label, setting).collect();
    if let (Some(other), Some(run)) = (others.first(), c.runs.first()) {
        let differs = sizes::differing(&other.spec, &run.spec);
        return Cell::text(format!("{} ({differs})", Cell::status(&others).text));
    }
    if whole.plan.runs.len() == whole.runs.len() + whole.damaged.len() {
        return Cell::none();
    }
    Cell::text(if whole.damaged.is_empty() { "not begun" } else { "not begun or damaged" })
}

/// Why the scores cannot be compared with the paper's, in words for a caption.
fn caveat(c: &ScoredSweep) -> String {
    let mut reasons = Vec::new();
    if c.protocol(Metric::Is).is_some_and(|p| p.backbone != paper::BACKBONE) {
        reasons.push("another backbone");
    }
    if c.paper_dataset().is_some_and(|papers| !c.is_on(papers)) {
        reasons.push("another data set");
    }
    if reasons.is_empty() {
        String::new()
    } else {
        format!("; {}, so not comparable", reasons.join(" and "))
    }
}

/// The paper's best values, in a table of their own.
fn papers(c: &ScoredSweep) -> Result<String> {
    let Some(dataset) = c.paper_dataset() else { return Ok(String::new()) };
    let caption = format!(
        "The paper's best over A–F ({}, {}, 100,000 updates{})",
        paper::BACKBONE,
        dataset.title(),
        caveat(c)
    );
    let mut grid = Grid::new(caption, &["method", "IS", "FID"]);
    for label in c.labels() {
        let Some(run) = c.runs.iter().find(|r| r.spec.label == label) else { continue };
        if let Some(best) = paper::best(run.spec.family())? {
            let published =
                |metric, digits| Cell::text(best.published(metric, dataset).text(digits));
            let row = vec![
                Cell::text(best.method.clone()),
                published(Metric::Is, 2),
                published(Metric::Fid, 1),
            ];
            // Several rows may be variants of one method.
            if !grid.rows.contains(&row) {
                grid.rows.push(row);
            }
        }
    }
    Ok(format!("\n{}", grid.markdown()))
}

/// Each method's best setting beside the paper's, for the report.
pub(super) fn beside(c: &ScoredSweep) -> Result<Vec<Grid>> {
    let Some(dataset) = c.paper_dataset() else { return Ok(Vec::new()) };
    apart(c, |c| Ok(vec![beside_papers(c, dataset)?]))
}

fn beside_papers(c: &ScoredSweep, dataset: Dataset) -> Result<Grid> {
    let mut grid = Grid::new(
        format!("Best setting of each method, ours beside the paper's{}", caveat(c)),
        &["method"],
    );
    for metric in [Metric::Is, Metric::Fid] {
        let ours = c
            .protocol(metric)
            .map_or("–".into(), |p| format!("{}[{}], {}", metric.name(), p.backbone, p.name));
        grid.header.extend([
            format!("ours: {ours}"),
            format!("the paper's: {}[{}], {}", metric.name(), paper::BACKBONE, dataset.title()),
        ]);
    }
    for label in c.labels() {
        let runs: Vec<&Run> = c.runs.iter().filter(|r| r.spec.label == label).collect();
        let best = runs.first().map(|r| paper::best(r.spec.family())).transpose()?.flatten();
        let published = |metric| {
            let found = best.as_ref().map(|b| b.published(metric, dataset)).unwrap_or_default();
            Cell {
                text: found.text(if metric == Metric::Is { 2 } else { 1 }),
                value: found.value,
                best: false,
            }
        };
        let cells = [Metric::Is, Metric::Fid]
            .into_iter()
            .flat_map(|m| [best_setting(&runs, m), published(m)]);
        grid.rows.push(std::iter::once(Cell::text(label)).chain(cells).collect());
    }
    for (column, metric) in [(1, Metric::Is), (2, Metric::Is), (3, Metric::Fid), (4, Metric::Fid)] {
        grid.mark_best(column, metric.higher_is_better());
    }
    Ok(grid)
}

fn csv_text(c: &ScoredSweep) -> String {
    let mut text = "method,setting,seed,lr,beta1,beta2,n_dis,gen_updates,status,backbone,n_samples,n_splits,n_reference,is_mean,is_std,fid,is_best,fid_best"
        .to_string();
    let further: Vec<Metric> =
        c.metrics().into_iter().filter(|m| ![Metric::Is, Metric::Fid].contains(m)).collect();
    for name in further.iter().map(|m| m.name()) {
        text += &format!(",{name},{name}_std,{name}_best");
    }
    text.push('\n');
    let cell = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for run in &c.runs {
        let s = &run.spec;
        let is = run.score(Metric::Is);
        let count =
            |f: fn(&ScoreRecord) -> usize| is.map_or_else(String::new, |s| f(s).to_string());
        let best = |metric| cell(run.best(metric).filter(|_| c.scored_during_training(metric)));
        let columns = [
            quoted(&s.label),
            quoted(&s.setting),
            s.seed.to_string(),
            s.lr.to_string(),
            s.beta1.to_string(),
            s.beta2.to_string(),
            s.n_dis.to_string(),
            s.gen_updates.to_string(),
            status(run),
            is.map_or_else(String::new, |s| quoted(&s.protocol.backbone)),
            count(|s| s.protocol.n_samples),
            count(|s| s.protocol.n_splits),
            run.score(Metric::Fid)
                .and_then(|s| s.protocol.reference.as_ref())
                .map_or_else(String::new, |r| r.n.to_string()),
            cell(is.and_then(|s| s.value)),
            cell(is.and_then(|s| s.std)),
            cell(run.last(Metric::Fid)),
            best(Metric::Is),
            best(Metric::Fid),
        ];
        text += &columns.join(",");
        for metric in &further {
            let std = run.score(*metric).and_then(|s| s.std);
            text += &format!(",{},{},{}", cell(run.last(*metric)), cell(std), best(*metric));
        }
        text.push('\n');
    }
    text
}
