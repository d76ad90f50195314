//! Figure 9: the exact largest singular value of each normalized convolution of D, over the generator updates.

use crate::artefact::Request;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Mark, Panel, Series};
use crate::collect::{Collected, SHOWN_SETTING};
use crate::{Rendered, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::LogRecord;
use std::collections::BTreeMap;
use std::path::Path;

type Sigma = fn(&LogRecord) -> &BTreeMap<String, Option<f64>>;

/// Writes `fig9` (after one unsaved power iteration, the authors' way) and `fig9_sigma_forward` (as D's last forward used it).
pub(crate) fn render(request: &Request<'_>) -> Result<Rendered> {
    request.each(|c| one(c, request.folder))
}

fn one(c: &Collected, folder: &Path) -> Result<Rendered> {
    let runs =
        c.runs.iter().filter(|r| r.spec.family() == Method::Sn && r.spec.setting == SHOWN_SETTING);
    let Some(run) = runs.min_by_key(|r| r.spec.seed) else {
        return Ok(Rendered::Skipped(format!("no run of SN in setting {SHOWN_SETTING}")));
    };
    let views: [(&str, &str, Sigma); 2] = [
        ("fig9", "after one more power iteration, which is not kept (the authors' way)", |r| {
            &r.sigma_fig9
        }),
        ("fig9_sigma_forward", "as D's last forward pass used them", |r| &r.sigma_forward),
    ];
    let mut written = Vec::new();
    for (stem, when, sigma) in views {
        let series = curves(&run.records.log, sigma);
        if series.iter().all(|s| s.points.len() < 2) {
            return Ok(Rendered::Skipped(format!(
                "{} has fewer than two logged values of σ(W̄)",
                run.records.place.display()
            )));
        }
        let panel = Panel {
            title: String::new(),
            x: AxisSpec::linear("generator updates", Some((0.0, run.spec.gen_updates as f64))),
            // The paper's range.
            y: AxisSpec::linear("largest singular value of W/σ", Some((0.95, 1.2))),
            series,
            marks: vec![Mark { y: 1.0, text: String::new() }],
        };
        let chart = Chart {
            stem: stem.into(),
            title: c.titled(
                "fig9",
                &format!(
                    "largest singular values of D's normalized convolutions, SN, setting {SHOWN_SETTING}"
                ),
            ),
            notes: vec![
                c.describe_runs(),
                format!(
                    "Exact values of one run (seed {}), {when}. A power iteration that has converged gives 1.",
                    run.spec.seed
                ),
            ],
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

/// Values over updates, by convolution.
fn curves(log: &[LogRecord], sigma: Sigma) -> Vec<Series> {
    let mut curves: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for record in log {
        for (layer, value) in sigma(record).iter().filter(|(layer, _)| layer.starts_with("conv")) {
            if let Some(value) = value {
                curves.entry(layer).or_default().push((record.gen_update as f64, *value));
            }
        }
    }
    curves.into_iter().map(|(layer, points)| Series::line(layer, points)).collect()
}
