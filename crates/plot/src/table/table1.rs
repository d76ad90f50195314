//! Table 1: the optimizer settings, here with the scores of every method in each.

use crate::collect::{Collected, Run};
use crate::{Rendered, Result, paper};
use sngan_experiment::records::{Metric, ScoreRecord, Status};
use sngan_experiment::{atomic, settings};
use std::fmt::Write;
use std::path::Path;

/// Writes `table1.md` for people and `table1.csv`, one row per run, for programs.
pub(crate) fn render(c: &Collected, folder: &Path) -> Result<Rendered> {
    if c.runs.is_empty() {
        return Ok(Rendered::Skipped("no run has begun".into()));
    }
    let (md, csv) = (folder.join("table1.md"), folder.join("table1.csv"));
    atomic::write(&md, markdown(c)?.as_bytes())?;
    atomic::write(&csv, csv_text(c).as_bytes())?;
    Ok(Rendered::Written(vec![md, csv]))
}

fn markdown(c: &Collected) -> Result<String> {
    let mut text = format!("# Table 1 — {}\n\n{}\n\n", c.plan.title, c.describe_runs());
    text += "| setting | α | β1 | β2 | n_dis |\n|---|---|---|---|---|\n";
    let table = settings()?;
    for name in c.settings() {
        if let Some(s) = table.get(name) {
            let _ = writeln!(text, "| {name} | {} | {} | {} | {} |", s.lr, s.beta1, s.beta2, s.n_dis);
        }
    }
    match c.protocol(Metric::Is) {
        None => text += &grid(c, "status of each run", None),
        Some(p) => {
            for (metric, better) in [(Metric::Is, "higher"), (Metric::Fid, "lower")] {
                let _ = writeln!(text, "\n{}", c.describe_scores(metric).unwrap_or_default());
                text += &grid(c, &format!("{}[{}] ({better} is better)", metric.name(), p.backbone), Some(metric));
            }
            let _ = write!(
                text,
                "\nBackbone {} (sha256 {}…), resize {}, bytes {}. `±`: standard deviation over seeds where there are several, else over splits.\n",
                p.backbone,
                p.backbone_sha256.get(..12).unwrap_or(&p.backbone_sha256),
                p.resize,
                p.bytes
            );
        }
    }
    text += &papers(c)?;
    Ok(text)
}

/// A table of methods × settings.
fn grid(c: &Collected, caption: &str, metric: Option<Metric>) -> String {
    let settings = c.settings();
    let mut text = format!("\n**{caption}**\n\n| method | {} |\n|---|{}\n", settings.join(" | "), "---|".repeat(settings.len()));
    for label in c.labels() {
        let cells: Vec<String> = settings.iter().map(|s| cell(&c.cell(label, s).collect::<Vec<_>>(), metric)).collect();
        let _ = writeln!(text, "| {label} | {} |", cells.join(" | "));
    }
    if let Some(real) = metric.and_then(|m| c.real(m)) {
        let real = number(real.value, real.std);
        let _ = writeln!(text, "| *real data* | {} |", vec![real; settings.len()].join(" | "));
    }
    text
}

fn cell(runs: &[&Run], metric: Option<Metric>) -> String {
    let scores = || runs.iter().filter_map(|r| r.score(metric?));
    let values: Vec<f64> = scores().filter_map(|s| s.value).collect();
    match values.as_slice() {
        [] if runs.is_empty() => "not begun".into(),
        [] => runs.iter().map(|r| status(r)).collect::<Vec<_>>().join(", "),
        [one] => number(Some(*one), scores().find_map(|s| s.std)),
        several => {
            let mean = several.iter().sum::<f64>() / several.len() as f64;
            let variance = several.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / several.len() as f64;
            let lost = runs.len() - several.len();
            let lost = if lost > 0 { format!(" ({lost} of {} without score)", runs.len()) } else { String::new() };
            number(Some(mean), Some(variance.sqrt())) + &lost
        }
    }
}

fn number(value: Option<f64>, spread: Option<f64>) -> String {
    let Some(value) = value else { return "–".into() };
    spread.map_or_else(|| format!("{value:.2}"), |s| format!("{value:.2} ± {s:.2}"))
}

fn status(run: &Run) -> String {
    match &run.status {
        None => "not begun".into(),
        Some(s) => match s.status {
            Status::Diverged => format!("diverged at {}", s.gen_updates),
            Status::Failed => "failed".into(),
            Status::Running | Status::Interrupted => format!("at {}", s.gen_updates),
            Status::Completed => "completed".into(),
        },
    }
}

/// The paper's best values, in a table of their own.
fn papers(c: &Collected) -> Result<String> {
    let mut reasons = Vec::new();
    if c.protocol(Metric::Is).is_some_and(|p| p.backbone != paper::BACKBONE) {
        reasons.push("another backbone");
    }
    if !c.on_cifar10() {
        reasons.push("another data set");
    }
    let not = if reasons.is_empty() { String::new() } else { format!("; {}, so not comparable", reasons.join(" and ")) };
    let mut text = format!("\n**The paper's best over A–F** ({}, CIFAR-10, 100,000 updates{not})\n\n", paper::BACKBONE);
    text += "| method | IS | FID |\n|---|---|---|\n";
    for label in c.labels() {
        let Some(run) = c.runs.iter().find(|r| r.spec.label == label) else { continue };
        if let Some(best) = paper::best(run.spec.method)? {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                best.name,
                number(best.is, best.is_std),
                best.fid.map_or("–".into(), |f| format!("{f:.1}"))
            );
        }
    }
    Ok(text)
}

/// A name as CSV wants it: in quotes where it holds a comma, quote or line break.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_string() }
}

fn csv_text(c: &Collected) -> String {
    let mut text =
        "method,setting,seed,lr,beta1,beta2,n_dis,gen_updates,status,backbone,n_samples,n_splits,n_reference,is_mean,is_std,fid\n"
            .to_string();
    let cell = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for run in &c.runs {
        let s = &run.spec;
        let is = run.score(Metric::Is);
        let count = |f: fn(&ScoreRecord) -> usize| is.map_or_else(String::new, |s| f(s).to_string());
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
            is.map_or_else(String::new, |s| s.protocol.backbone.clone()),
            count(|s| s.protocol.n_samples),
            count(|s| s.protocol.n_splits),
            run.score(Metric::Fid).and_then(|s| s.protocol.reference.as_ref()).map_or_else(String::new, |r| r.n.to_string()),
            cell(is.and_then(|s| s.value)),
            cell(is.and_then(|s| s.std)),
            cell(run.score(Metric::Fid).and_then(|s| s.value)),
        ];
        text += &columns.join(",");
        text.push('\n');
    }
    text
}
