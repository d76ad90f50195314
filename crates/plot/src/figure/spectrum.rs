//! Figure 3: squared singular values of D's convolutions, scaled so that the largest is 1.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::scored::{PAPERS_SETTING, Run, ScoredSweep};
use crate::{Rendered, Result};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, SpectrumRecord, stable_rank};
use std::path::Path;

/// WC's raw weights, and the normalized weights of WN and SN, as in the paper.
const CURVES: [(Method, &str); 3] = [
    (Method::WeightClipping, "raw"),
    (Method::WeightNorm, "normalized"),
    (Method::Sn, "normalized"),
];

/// A run's spectra, layer by layer.
struct Curve<'a> {
    run: &'a Run,
    name: String,
    layers: Vec<SpectrumRecord>,
}

impl<'a> Curve<'a> {
    /// The spectra of `run`'s last update; `None` where it has none of these weights.
    fn of(run: &'a Run, weights: &str, name: String) -> Option<Curve<'a>> {
        let fits = |s: &&SpectrumRecord| {
            s.weights == weights
                && s.layer.starts_with("conv")
                && s.gen_updates == run.spec.gen_updates
        };
        let layers: Vec<_> = run.records.spectra.iter().filter(fits).cloned().collect();
        (!layers.is_empty()).then_some(Curve { run, name, layers })
    }
}

/// The paper's three methods.
fn of_methods(c: &ScoredSweep) -> Vec<Curve<'_>> {
    let curve = |(method, weights): &(Method, &str)| {
        let run = c.representative(*method)?;
        let RunSpec { label, setting, seed, .. } = &run.spec;
        let name = format!("{label} ({weights} weights, setting {setting}, seed {seed})");
        Curve::of(run, weights, name)
    };
    CURVES.iter().filter_map(curve).collect()
}

/// Every row of a sweep that reproduces nothing of the paper.
fn of_rows(c: &ScoredSweep) -> Vec<Curve<'_>> {
    let curve = |label: &str| {
        let run = c.representative_of(|spec| spec.label == label)?;
        let RunSpec { setting, seed, .. } = &run.spec;
        Curve::of(run, "normalized", format!("{label} (setting {setting}, seed {seed})"))
    };
    c.labels().into_iter().filter_map(curve).collect()
}

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| one(c, request.folder))
}

fn one(c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
    let papers = c.paper().is_some();
    let curves = if papers { of_methods(c) } else { of_rows(c) };
    let Some(first) = curves.first() else {
        let mut spectra = c.runs.iter().flat_map(|run| &run.records.spectra).peekable();
        if spectra.peek().is_some() && spectra.all(|s| !s.layer.starts_with("conv")) {
            let why =
                "it shows the standard CNN's convolutions, and these runs have other networks";
            return Ok(Rendered::Skipped(why.into()));
        }
        let whose = if papers { " of weight clipping, WN or SN" } else { "" };
        return Ok(Rendered::Skipped(format!(
            "no completed run{whose} has a spectrum of the standard CNN's convolutions (`sngan record-spectrum` records spectra)"
        )));
    };
    let mut weights = String::new();
    if !papers {
        weights +=
            " The weights as D uses them: normalized where its method normalizes them, else raw.";
    }
    let layers: Vec<&str> = first.layers.iter().map(|l| l.layer.as_str()).collect();
    let chart = Chart {
        stem: c.stem("fig3"),
        title: c.titled("fig3", "squared singular values of D's convolutions, scaled so that the largest is 1"),
        notes: vec![
            c.describe_runs(),
            rule(&curves, if papers { "method" } else { "row" }) + &weights,
            "Above each panel: the stable rank ‖W‖_F²/σ₁², which is the sum of the values drawn, the area under the curve.".into(),
        ],
        panels: layers.iter().enumerate().map(|(i, layer)| panel(&curves, layer, i)).collect(),
        columns: 4,
        panel: (280 * DENSITY, 280 * DENSITY),
    };
    chart.render(folder)
}

/// By which rule each method's or row's run was chosen.
fn rule(curves: &[Curve<'_>], of_each: &str) -> String {
    let unscored = || curves.iter().map(|c| c.run).filter(|r| r.last(Metric::Is).is_none());
    if unscored().all(|r| r.spec.setting == PAPERS_SETTING) {
        return format!(
            "Of each {of_each} the run with the best inception score, or setting {PAPERS_SETTING} where there are no scores."
        );
    }
    let scored = if unscored().count() < curves.len() {
        format!("Of each {of_each} the run with the best inception score; where there are none, ")
    } else {
        format!("There are no inception scores: of each {of_each} ")
    };
    scored
        + &format!(
            "the lowest seed in setting {PAPERS_SETTING}, or in the first setting in alphabetical order where no run is in {PAPERS_SETTING}."
        )
}

/// The area under a method's curve of a layer.
fn stable_rank_of(curve: &Curve<'_>, layer: &str) -> Option<String> {
    let record = curve.layers.iter().find(|l| l.layer == layer)?;
    stable_rank(&record.squared).map(|rank| format!("{rank:.*}", usize::from(rank < 100.0)))
}

fn panel(curves: &[Curve<'_>], layer: &str, i: usize) -> Panel {
    let scaled = |record: &SpectrumRecord| {
        let largest = record.squared.first().copied().filter(|x| *x > 0.0).unwrap_or(1.0);
        record.squared.iter().enumerate().map(|(k, s)| (k as f64, s / largest)).collect::<Vec<_>>()
    };
    let of = |curve: &Curve<'_>| {
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
                ..Series::line(c.name.clone(), of(c)).of(Some(c.run.spec.family()))
            })
            .collect(),
        marks: Vec::new(),
    }
}
