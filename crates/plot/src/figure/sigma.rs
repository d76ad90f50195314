//! Figure 9: the exact largest singular value of each normalized convolution of D, over the generator updates.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Mark, Panel, Series};
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::LogRecord;
use std::collections::BTreeMap;
use std::path::Path;

type Sigma = fn(&LogRecord) -> &BTreeMap<String, Option<f64>>;

/// Writes `fig9` (after one unsaved power iteration, the authors' way) and `fig9_sigma_forward` (as D's last forward used it).
pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| one(c, request.folder))
}

fn one(c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
    let shown = c.shown_setting();
    let runs: Vec<&Run> = c
        .runs
        .iter()
        .filter(|r| r.spec.family() == Method::Sn && r.spec.setting == shown)
        .collect();
    let Some(first) = runs.first() else {
        return Ok(Rendered::Skipped(format!("no run of SN in setting {shown}")));
    };
    let views: [(&str, &str, Sigma); 2] = [
        ("fig9", "after one more power iteration, which is not kept (the authors' way)", |r| {
            &r.sigma_fig9
        }),
        ("fig9_sigma_forward", "as D's last forward pass used them", |r| &r.sigma_forward),
    ];
    let mut written = Vec::new();
    for (stem, when, sigma) in views {
        let series = curves(&runs, sigma);
        if series.iter().all(|s| s.points.len() < 2) {
            return Ok(Rendered::Skipped(format!(
                "{} has fewer than two logged values of σ(W̄)",
                first.records.place.display()
            )));
        }
        let panel = Panel {
            title: String::new(),
            x: AxisSpec::linear("generator updates", Some((0.0, first.spec.gen_updates as f64))),
            // The paper's range.
            y: AxisSpec::linear("largest singular value of W/σ", Some((0.95, 1.2))),
            series,
            marks: vec![Mark { y: 1.0, text: String::new() }],
        };
        let mut notes = vec![
            c.describe_runs(),
            match runs.len() {
                1 => format!("Exact values of one run (n = 1), {when}."),
                n => format!("Exact values, {when}. Bold: the mean over {n} seeds; thin: each seed."),
            },
            "Without the first update, whose u comes from a random vector. A power iteration that has converged gives 1.".into(),
        ];
        notes.extend(c.describe_shown_setting());
        let chart = Chart {
            stem: stem.into(),
            title: c.titled(
                "fig9",
                &format!(
                    "largest singular values of D's normalized convolutions, SN, setting {shown}"
                ),
            ),
            notes,
            panels: vec![panel],
            columns: 1,
            panel: (900 * DENSITY, 440 * DENSITY),
        };
        if let Rendered::Written(paths) = chart.render(folder)? {
            written.extend(paths);
        }
    }
    Ok(Rendered::Written(written))
}

/// Values over updates, by convolution: each seed's, and their mean.
fn curves(runs: &[&Run], sigma: Sigma) -> Vec<Series> {
    let mut layers: BTreeMap<&str, Vec<Vec<(u64, f64)>>> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        for record in run.records.log.iter().filter(|r| r.gen_update > 1) {
            let convolutions = sigma(record).iter().filter(|(name, _)| name.starts_with("conv"));
            for (layer, value) in convolutions {
                let seeds = layers.entry(layer).or_insert_with(|| vec![Vec::new(); runs.len()]);
                seeds[i].extend(value.map(|v| (record.gen_update, v)));
            }
        }
    }
    layers.into_iter().flat_map(|(layer, seeds)| Series::seeds_and_mean(layer, &seeds)).collect()
}
