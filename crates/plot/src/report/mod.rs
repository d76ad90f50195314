//! One self-contained page per experiment: claims first, then figures, scores beside the paper's,
//! specs and provenance.

mod claims;
mod html;
mod provenance;

use crate::claims::{Answers, answer, claims as papers_claims, definitions};
use crate::describe::seeds_of_cells;
use crate::evenness::{ONE_SEED, evenness, seeds};
use crate::table::{Cell, Grid};
use crate::{Artefact, Rendered, Result, ScoredSweep, figures, render_all, table};
use html::{escape, paragraph, section, table as html_table};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::records::Metric;
use sngan_experiment::{Error as ExperimentError, atomic};
use std::fmt::Write;
use std::path::PathBuf;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What a report may take in besides its sweep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Further sweeps that claims may be answered from.
    pub also: &'a [ScoredSweep],
    /// Timings that claims may be answered from.
    pub timings: Option<&'a UpdateTimings>,
    /// The same experiment's sweep with more seeds: what it shows stands first where the report's
    /// own sweep has one seed.
    pub committed: Option<&'a ScoredSweep>,
}

/// Draws the sweep's tables and figures again and writes `report.html` into its folder.
///
/// # Errors
/// Missing or malformed records, files that cannot be written.
pub fn write(c: &ScoredSweep, beside: &Beside<'_>) -> Result<PathBuf> {
    let Beside { also, timings, committed } = *beside;
    let rendered = render_all(c, true)?;
    let sweeps: Vec<ScoredSweep> = std::iter::once(c.clone()).chain(also.iter().cloned()).collect();
    let answers = answer(&papers_claims()?, &sweeps, timings)?.about(&c.plan.name);
    let path = c.path.join("report.html");
    atomic::write(&path, page(c, &answers, &rendered, committed)?.as_bytes())?;
    Ok(path)
}

fn page(
    c: &ScoredSweep,
    answers: &Answers,
    rendered: &[(&'static str, Rendered)],
    committed: Option<&ScoredSweep>,
) -> Result<String> {
    let first = |id: &str| FIRST.contains(&id);
    let sections = [
        (
            "verdict",
            "What it shows",
            verdict(c, committed)? + &side_by_side(&figures_body(rendered, first)?),
        ),
        ("claims", "Claims", claims::body(answers)),
        ("figures", "Further figures", figures_body(rendered, |id| !first(id))?),
        ("scores", "Scores, ours and the paper's", scores_body(c)?),
        ("runs", "Runs", dead_critics(c)? + &html_table(&runs(c))),
        ("spec", "Specs and provenance", provenance::body(c)?),
    ];
    let links: String = sections
        .iter()
        .map(|(id, title, _)| format!("<li><a href=\"#{id}\">{}</a></li>", escape(title)))
        .collect();
    let body: String = sections.iter().map(|(id, title, body)| section(id, title, body)).collect();
    let scale = c.scale().map_or_else(String::new, |scale| format!(" at scale {scale}"));
    let title = c.plan.title.clone() + &scale;
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>{0}</h1>\n{1}{2}<nav><ul>{links}</ul></nav>\n</header>\n<main>\n{body}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&title),
        paragraph(
            "A reproduction of “Spectral Normalization for Generative Adversarial Networks” (Miyato et al., ICLR 2018)."
        ),
        paragraph(&c.describe_runs()),
    ))
}

/// How many runs have a dead critic, and what that means.
fn dead_critics(c: &ScoredSweep) -> Result<String> {
    let judged = c.runs.iter().filter(|r| r.critic.is_some()).count();
    let unknown = c.runs.iter().filter(|r| r.may_have_dead_critic()).count();
    if judged == 0 {
        return Ok(String::new());
    }
    let unknown = match unknown {
        0 => String::new(),
        n => format!(
            " Of {n} more runs with such a log this is not known: the untrained generator was not scored."
        ),
    };
    let dead = c.runs.iter().filter(|r| r.has_dead_critic()).count();
    let d = definitions()?.dead_critic;
    Ok(paragraph(&format!(
        "Dead critics: {dead} of {judged} completed runs. In at least {:.0} % of their logged updates \
         after {} the critic has no gradient (mean ‖∇D(x̂)‖ below {} where a penalty needs it) or does \
         not tell real from generated images (mean D(x) within {} of mean D(G(z))), and the last FID \
         is above {} of the untrained generator's.{unknown}",
        100.0 * d.share,
        d.after,
        d.grad_norm,
        d.difference,
        d.fid
    )))
}

/// Figures that stand on the first screen: the samples, and the spectra.
const FIRST: [&str; 2] = ["fig6", "fig3"];

/// How even each row is over the settings.
fn verdict(c: &ScoredSweep, committed: Option<&ScoredSweep>) -> Result<String> {
    let rows = evenness(c);
    let Some(protocol) = c.protocol(Metric::Fid).filter(|_| !rows.is_empty()) else {
        return Ok(paragraph("No run has an FID after its last update."));
    };
    let mut text = sentences(&crate::verdict(c)?);
    if let Some(committed) = committed.filter(|_| text.is_empty()) {
        let said = crate::verdict(committed)?;
        if !said.is_empty() {
            text = paragraph(&format!(
                "The committed runs of this experiment, {} seeds:",
                seeds(committed)
            )) + &sentences(&said);
        }
    }
    let caption = format!(
        "fid[{}] over {}: how good a row is where it is best and where it is worst (lower is better)",
        protocol.backbone,
        c.describe_settings()
    );
    let header =
        ["method", "level", "best", "worst", "worst / best", "runs", "diverged, dead or silent"];
    let mut grid = Grid::new(caption, &header);
    for r in rows {
        let at = |(setting, value): &(String, f64)| Cell {
            text: format!("{value:.2} at {setting}"),
            value: Some(*value),
            best: false,
        };
        grid.rows.push(vec![
            Cell::text(r.label.as_str()),
            r.level.map_or_else(Cell::none, |level| Cell::number(level, 2)),
            at(&r.best),
            at(&r.worst),
            Cell::number(r.worst.1 / r.best.1, 1),
            Cell::number(r.runs as f64, 0),
            Cell::number((r.diverged + r.silent) as f64, 0),
        ]);
    }
    let chance = match seeds_of_cells(&c.runs.iter().collect::<Vec<_>>()) {
        None => ONE_SEED.to_string(),
        Some(seeds) => format!(
            "Means over {seeds}; what may be concluded from them stands below, claim by claim."
        ),
    };
    Ok(text
        + &html_table(&grid)
        + &paragraph(&format!(
            "Level: the geometric mean over the settings. Dead or silent: the critic tells the generator \
             nothing in most of its logged updates (Runs). {chance}"
        )))
}

/// Figures beside each other, where the page is wide enough.
fn side_by_side(figures: &str) -> String {
    format!("<div class=\"beside\">{figures}</div>\n")
}

fn sentences(said: &[String]) -> String {
    said.iter().map(|line| paragraph(line)).collect()
}

/// The figures that were drawn, and why others were not, of those whose id is `wanted`.
fn figures_body(
    rendered: &[(&'static str, Rendered)],
    wanted: impl Fn(&str) -> bool,
) -> Result<String> {
    let mut text = String::new();
    for Artefact { id, title, .. } in figures().iter().filter(|a| wanted(a.id)) {
        let Some((_, rendered)) = rendered.iter().find(|(i, _)| i == id) else { continue };
        match rendered {
            Rendered::Skipped(reason) => {
                text += &paragraph(&format!("{title}: not drawn, {reason}."))
            }
            Rendered::Written(paths) => {
                for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "svg")) {
                    let svg =
                        std::fs::read_to_string(path).map_err(ExperimentError::io("read", path))?;
                    // Curves and bars can be inverted for dark mode; photographs cannot.
                    let kind = if svg.contains("<image") { "photo" } else { "plot" };
                    let name = path
                        .file_name()
                        .map(|n| n.to_string_lossy().into_owned())
                        .unwrap_or_default();
                    let _ = writeln!(
                        text,
                        "<figure class=\"{kind}\">{}<figcaption>{} ({})</figcaption></figure>",
                        svg.replacen("<svg ", "<svg role=\"img\" ", 1),
                        escape(title),
                        escape(&name)
                    );
                }
            }
        }
    }
    Ok(text)
}

fn scores_body(c: &ScoredSweep) -> Result<String> {
    let mut text: String = c
        .metrics()
        .into_iter()
        .filter_map(|m| c.describe_scores(m))
        .map(|line| paragraph(&line))
        .collect();
    if text.is_empty() {
        text = paragraph("No run has a score after its last update.");
    }
    text += &paragraph(
        "Ours: mean ± standard error over n seeds; one run (n = 1) tells no spread. Click a column's header to sort.",
    );
    for grid in table::grids(c)? {
        text += &html_table(&grid);
    }
    Ok(text)
}

/// One row per run.
fn runs(c: &ScoredSweep) -> Grid {
    let mut grid = Grid::new("", &["method", "setting", "seed", "updates", "status"]);
    let metrics = c.metrics();
    for metric in &metrics {
        let name = format!(
            "{}[{}]",
            metric.name(),
            c.protocol(*metric).map_or("", |p| p.backbone.as_str())
        );
        grid.header.push(format!("{name}, last"));
        if c.scored_during_training(*metric) {
            grid.header.push(format!("{name}, best"));
        }
    }
    for run in &c.runs {
        let s = &run.spec;
        let whole = |n: u64| Cell::number(n as f64, 0);
        let done = run.gen_updates().unwrap_or(0);
        let mut row = vec![
            Cell::text(s.label.as_str()),
            Cell::text(s.setting.as_str()),
            if s.knows("seed") { whole(s.seed) } else { Cell::text("unknown") },
            whole(done),
        ];
        row.push(Cell::status(&[run]));
        for metric in &metrics {
            let number = |v: Option<f64>| v.map_or_else(Cell::none, |v| Cell::number(v, 3));
            row.push(number(run.last(*metric)));
            if c.scored_during_training(*metric) {
                row.push(number(run.best(*metric)));
            }
        }
        grid.rows.push(row);
    }
    grid
}
