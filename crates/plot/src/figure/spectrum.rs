//! Figure 3: squared singular values of D's convolutions, scaled so that the largest is 1.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::scored::ScoredSweep;
use crate::{Rendered, Result};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::{SpectrumRecord, stable_rank};
use std::path::Path;

/// WC's raw weights, and the normalized weights of WN and SN, as in the paper.
const CURVES: [(Method, &str); 3] = [
    (Method::WeightClipping, "raw"),
    (Method::WeightNorm, "normalized"),
    (Method::Sn, "normalized"),
];

/// A method's spectra, layer by layer.
struct Curve {
    method: Method,
    name: String,
    layers: Vec<SpectrumRecord>,
}

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| one(c, request.folder))
}

fn one(c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
    let mut curves = Vec::new();
    for (method, weights) in CURVES {
        let Some(run) = c.representative(method) else { continue };
        let fits = |s: &&SpectrumRecord| {
            s.weights == weights
                && s.layer.starts_with("conv")
                && s.gen_updates == run.spec.gen_updates
        };
        let layers: Vec<_> = run.records.spectra.iter().filter(fits).cloned().collect();
        if !layers.is_empty() {
            let RunSpec { label: name, setting, seed, .. } = &run.spec;
            curves.push(Curve {
                method,
                name: format!("{name} ({weights} weights, setting {setting}, seed {seed})"),
                layers,
            });
        }
    }
    let Some(first) = curves.first() else {
        return Ok(Rendered::Skipped(
            "no completed run of weight clipping, WN or SN has a spectrum".into(),
        ));
    };
    let layers: Vec<&str> = first.layers.iter().map(|l| l.layer.as_str()).collect();
    let chart = Chart {
        stem: c.stem("fig3"),
        title: c.titled("fig3", "squared singular values of D's convolutions, scaled so that the largest is 1"),
        notes: vec![
            c.describe_runs(),
            "Of each method the run with the best inception score, or setting C where there are no scores.".into(),
            "Above each panel: the stable rank ‖W‖_F²/σ₁², which is the sum of the values drawn, the area under the curve.".into(),
        ],
        panels: layers.iter().enumerate().map(|(i, layer)| panel(&curves, layer, i)).collect(),
        columns: 4,
        panel: (280 * DENSITY, 280 * DENSITY),
    };
    chart.render(folder)
}

/// The area under a method's curve of a layer.
fn stable_rank_of(curve: &Curve, layer: &str) -> Option<String> {
    let record = curve.layers.iter().find(|l| l.layer == layer)?;
    stable_rank(&record.squared).map(|rank| format!("{rank:.*}", usize::from(rank < 100.0)))
}

fn panel(curves: &[Curve], layer: &str, i: usize) -> Panel {
    let scaled = |record: &SpectrumRecord| {
        let largest = record.squared.first().copied().filter(|x| *x > 0.0).unwrap_or(1.0);
        record.squared.iter().enumerate().map(|(k, s)| (k as f64, s / largest)).collect::<Vec<_>>()
    };
    let of = |curve: &Curve| {
        curve.layers.iter().find(|l| l.layer == layer).map(scaled).unwrap_or_default()
    };
    Panel {
        title: format!("layer {} ({layer})", i + 1),
        x: AxisSpec::linear("index", None),
        y: AxisSpec::linear(
            if i.is_multiple_of(4) { "σ² / largest σ²" } else { "" },
            Some((0.0, 1.0)),
        ),
        series: curves
            .iter()
            .map(|c| Series {
                figure: stable_rank_of(c, layer),
                ..Series::line(c.name.clone(), of(c)).of(Some(c.method))
            })
            .collect(),
        marks: Vec::new(),
    }
}
