//! Figure 9: the exact largest singular value of each normalized convolution of D, over the generator updates.

use crate::canvas::{DENSITY, GREY, Heading, PALETTE, draw};
use crate::collect::{Collected, SHOWN_SETTING};
use crate::frame::{Axis, Frame, Scale};
use crate::{Rendered, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::LogRecord;
use std::collections::BTreeMap;
use std::path::Path;

const SIZE: (i32, i32) = (900 * DENSITY, 440 * DENSITY);

type Sigma = fn(&LogRecord) -> &BTreeMap<String, Option<f64>>;

/// Writes `fig9` (after one unsaved power iteration, the authors' way) and `fig9_sigma_forward` (as D's last forward used it).
pub(crate) fn render(c: &Collected, folder: &Path) -> Result<Rendered> {
    let runs = c.runs.iter().filter(|r| r.spec.method == Method::Sn && r.spec.setting == SHOWN_SETTING);
    let Some(run) = runs.min_by_key(|r| r.spec.seed) else {
        return Ok(Rendered::Skipped(format!("no run of SN in setting {SHOWN_SETTING}")));
    };
    let log = run.dir.log()?;
    let views: [(&str, &str, Sigma); 2] = [
        ("fig9", "after one more power iteration, which is not kept (the authors' way)", |r| &r.sigma_fig9),
        ("fig9_sigma_forward", "as D's last forward pass used them", |r| &r.sigma_forward),
    ];
    let mut paths = Vec::new();
    for (stem, when, sigma) in views {
        let curves = curves(&log, sigma);
        if curves.iter().all(|(_, points)| points.len() < 2) {
            return Ok(Rendered::Skipped(format!("{} has fewer than two logged values of σ(W̄)", run.dir.path().display())));
        }
        let heading = Heading {
            title: format!("Figure 9: largest singular values of D's normalized convolutions, SN, setting {SHOWN_SETTING}"),
            notes: vec![c.describe_runs(), format!("Exact values, {when}. A power iteration that has converged gives 1.")],
        };
        paths.extend(one(folder, stem, &heading, &curves, run.spec.gen_updates)?);
    }
    Ok(Rendered::Written(paths))
}

/// Values over updates, by convolution.
fn curves(log: &[LogRecord], sigma: Sigma) -> Vec<(String, Vec<(f64, f64)>)> {
    let mut curves: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for record in log {
        for (layer, value) in sigma(record).iter().filter(|(layer, _)| layer.starts_with("conv")) {
            if let Some(value) = value {
                curves.entry(layer.clone()).or_default().push((record.gen_update as f64, *value));
            }
        }
    }
    curves.into_iter().collect()
}

fn one(
    folder: &Path,
    stem: &str,
    heading: &Heading,
    curves: &[(String, Vec<(f64, f64)>)],
    updates: u64,
) -> Result<Vec<std::path::PathBuf>> {
    let values = || curves.iter().flat_map(|(_, points)| points.iter().map(|(_, y)| *y));
    // The paper's range, widened where the values ask for it.
    let (low, high) = (values().fold(0.95, f64::min), values().fold(1.2, f64::max));
    let frame = Frame {
        left: 92 * DENSITY,
        top: 52 * DENSITY,
        right: SIZE.0 - 24 * DENSITY,
        bottom: SIZE.1 - 60 * DENSITY,
        x: Axis::new(Scale::Linear, 0.0, updates as f64, "generator updates"),
        y: Axis::new(Scale::Linear, low, high, "largest singular value of W/σ"),
    };
    draw(folder, stem, SIZE, heading, |canvas| {
        frame.draw_y(canvas)?;
        frame.draw_x(canvas)?;
        canvas.dashes((frame.left, frame.right), frame.y_at(1.0), GREY)?;
        for (j, (_, points)) in curves.iter().enumerate() {
            frame.curve(canvas, points.iter().copied(), PALETTE[j % PALETTE.len()])?;
        }
        let entries: Vec<_> = curves.iter().enumerate().map(|(j, (name, _))| (name.clone(), PALETTE[j % PALETTE.len()])).collect();
        canvas.legend((frame.left, 28 * DENSITY), &entries)
    })
}
