//! Figure 15: (a) D's loss on training and held-out images, (b) learning curves, WGAN-GP with and without reparametrization.

use super::learning_curve::{curves, updates_axis};
use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series, Stroke};
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result};
use sngan_experiment::arch::Architecture;
use sngan_experiment::method::Normalization;
use sngan_experiment::records::{LogRecord, Metric};
use std::collections::BTreeSet;

/// What the paper's panel (b) shows as the best of each curve (Section E.1).
const PAPERS_BEST: &str =
    "The paper's best scores during training on CIFAR-10: w/ SN 7.28, w/ WN 7.04, WGAN-GP 6.69";

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|sweep| {
        let c = shown(sweep);
        let losses = losses(&c)?;
        if losses.is_empty() {
            return Ok(Rendered::Skipped("no run of the standard CNN has logged D's loss on held-out images (`watch_held_out`)".into()));
        }
        let mut panels = vec![Panel {
            title: "(a) D's loss; dashed: held-out images".into(),
            x: updates_axis(&c),
            y: AxisSpec::linear("E D(G(z)) − E D(x)", None),
            series: losses,
            marks: Vec::new(),
        }];
        if let Some(protocol) = c.curve_protocol(Metric::Is) {
            panels.push(Panel {
                title: "(b) inception score".into(),
                x: updates_axis(&c),
                y: AxisSpec::linear(format!("is[{}]", protocol.backbone), c.comparable(Metric::Is).then_some((5.0, 7.5))),
                series: curves(&c, Metric::Is),
                marks: Vec::new(),
            });
        }
        let mut notes = vec![c.describe_runs(), images(&c)?];
        notes.extend(c.describe_curves(Metric::Is));
        notes.push(c.describe_seeds());
        if request.compare {
            let not = if c.comparable(Metric::Is) { "" } else { " (not comparable)" };
            notes.push(format!("{PAPERS_BEST}{not}."));
        }
        let chart = Chart {
            stem: "fig15".into(),
            title: c.titled("fig15", &format!("WGAN-GP with reparametrized weights, standard CNN, {}", c.describe_settings())),
            notes,
            columns: panels.len(),
            panels,
            panel: (520 * DENSITY, 420 * DENSITY),
        };
        chart.render(request.folder)
    })
}

/// The number of images behind D's loss, which depends on the age of a record.
fn images(c: &ScoredSweep) -> Result<String> {
    let mut counts = BTreeSet::new();
    for run in &c.runs {
        counts.extend(run.records.log.iter().filter_map(LogRecord::images_of_critic));
    }
    let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
    Ok(format!(
        "D's loss: over {} training images, and as many held-out ones.",
        counts.join(" or ")
    ))
}

type Loss = fn(&LogRecord) -> Option<f64>;

/// The sweep with only the runs of the paper's figure: the standard CNN's, without Frobenius
/// normalization, whose collapse Table 7 reports.
fn shown(c: &ScoredSweep) -> ScoredSweep {
    let mut c = c.clone();
    c.runs.retain(|r| {
        r.spec.architecture == Architecture::StandardCnn
            && r.spec.normalization != Normalization::Frobenius
    });
    c
}

/// Two series per row: D's loss on training images and on held-out images.
fn losses(c: &ScoredSweep) -> Result<Vec<Series>> {
    let parts: [(Stroke, Loss); 2] =
        [(Stroke::Full, |r| r.critic_train), (Stroke::Dashed, |r| r.critic_held_out)];
    let mut series = Vec::new();
    for label in c.labels() {
        let runs: Vec<&Run> = c.runs.iter().filter(|r| r.spec.label == label).collect();
        for (stroke, loss) in parts {
            let records = runs.iter().flat_map(|run| &run.records.log);
            let values = records.filter_map(|record| Some((record.gen_update, loss(record)?)));
            let line =
                Series { stroke, method: c.method(label), ..Series::over_seeds(label, values) };
            if !line.points.is_empty() {
                series.push(line);
            }
        }
    }
    Ok(series)
}
