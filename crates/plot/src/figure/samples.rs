//! Figures 6, 7 and 12: samples of single runs.

use crate::artefact::Materials;
use crate::artefact::find;
use crate::canvas::DENSITY;
use crate::records::RunRecords;
use crate::sample_grid::SampleGrid;
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result, paper};
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, PlanRecord};
use std::path::Path;
use std::sync::Arc;

/// Images in a row and a column of a cell of Figures 6 and 12.
const IN_CELL: u32 = 4;
/// The same of Figure 7.
const IN_FIGURE_7: u32 = 8;
/// Figure 12's rows.
const IN_FIGURE_12: [Method; 3] = [Method::GanGp, Method::LayerNorm, Method::BatchNorm];

/// The runs whose samples figures draw, and the images in a row and a column: for each row and
/// setting the lowest seed. If Figure 7 is made from the experiment, also all of SN's runs, of
/// which the figure takes the best.
pub(crate) fn drawn<'a>(
    plan: &PlanRecord,
    runs: &'a [Arc<RunRecords>],
) -> Vec<(&'a RunRecords, u32)> {
    let whole = |r: &RunRecords| {
        r.spec.family() == Method::Sn && find("fig7").is_ok_and(|fig| fig.shows(plan))
    };
    let cell = |r: &RunRecords| (r.spec.label.clone(), r.spec.setting.clone());
    let lowest = |r: &RunRecords| {
        let seeds = runs.iter().filter(|o| cell(o) == cell(r)).map(|o| o.spec.seed);
        seeds.min() == Some(r.spec.seed)
    };
    let of = |r: &'a Arc<RunRecords>| {
        let images = if whole(r) { IN_FIGURE_7 } else { IN_CELL };
        (whole(r) || lowest(r)).then_some((&**r, images))
    };
    runs.iter().filter_map(of).collect()
}

/// Figure 6.
pub(crate) fn fig6(request: &Materials<'_>) -> Result<Rendered> {
    let methods = [Method::WganGp, Method::WeightNorm, Method::Sn];
    request.each(|c| {
        if c.paper().is_none() {
            // Of a sweep that reproduces nothing, every row that is not Figure 12's.
            let others: Vec<Method> =
                Method::ALL.into_iter().filter(|m| !IN_FIGURE_12.contains(m)).collect();
            return settings(c, request.folder, "fig6", &others, "no run has samples");
        }
        settings(c, request.folder, "fig6", &methods, "no run of WGAN-GP, WN or SN has samples")
    })
}

/// Figure 12.
pub(crate) fn fig12(request: &Materials<'_>) -> Result<Rendered> {
    let missing = "no run of GAN-GP, LN or BN has samples";
    request.each(|c| settings(c, request.folder, "fig12", &IN_FIGURE_12, missing))
}

/// Methods × settings.
fn settings(
    c: &ScoredSweep,
    folder: &Path,
    id: &str,
    methods: &[Method],
    missing: &str,
) -> Result<Rendered> {
    let is_of = |label: &str, method: Method| {
        c.runs.iter().any(|r| r.spec.label == label && r.spec.family() == method)
    };
    let labels = c.labels();
    // The paper's order, which differs between its figures.
    let rows: Vec<&str> =
        methods.iter().flat_map(|m| labels.iter().copied().filter(|l| is_of(l, *m))).collect();
    let settings = c.settings();
    let places = rows.iter().flat_map(|row| settings.iter().map(move |setting| (*row, *setting)));
    let cells: Vec<Option<&Run>> =
        places.map(|(row, setting)| c.cell(row, setting).min_by_key(|r| r.spec.seed)).collect();
    let fid = |run: &Option<&Run>| {
        let value = run.and_then(|r| r.last(Metric::Fid));
        value.map_or_else(String::new, |v| format!("FID {v:.1}"))
    };
    let scored = c.protocol(Metric::Fid);
    let mut notes = vec![
        c.describe_runs(),
        "Sixteen samples of the lowest seed after the last update, G in evaluation mode."
            .to_string(),
    ];
    notes.extend(
        scored
            .and_then(|_| c.describe_scores(Metric::Fid))
            .map(|s| format!("FID of that seed. {s}")),
    );
    let grid = SampleGrid {
        stem: c.stem(id),
        title: c.titled(id, "samples in each setting"),
        notes,
        captions: if scored.is_some() { cells.iter().map(fid).collect() } else { Vec::new() },
        cells,
        rows: rows.iter().map(ToString::to_string).collect(),
        columns: settings.iter().map(ToString::to_string).collect(),
        images: IN_CELL,
        cell: 132 * DENSITY,
    };
    grid.render(folder, missing)
}

/// Figure 7: one large grid.
pub(crate) fn fig7(request: &Materials<'_>) -> Result<Rendered> {
    request.each(|c| {
        let best = c.representative(Method::Sn);
        let which = best.map_or_else(String::new, |r| {
            format!("Setting {}, seed {}: ", r.spec.setting, r.spec.seed)
        });
        let chosen = match best.and_then(|r| r.last(Metric::Is)) {
            Some(_) => "samples of the run with the best inception score, else of the lowest seed.",
            None => "samples of the lowest seed of this setting; there are no inception scores.",
        };
        let mut notes = vec![c.describe_runs(), which + chosen];
        if request.compare {
            let published = paper::imagenet()?.into_iter().find(|row| row.model == "SN-GAN concat");
            let not = if c.comparable(Metric::Is) { "" } else { " (not comparable)" };
            let line = |p: paper::ImageNetRow| {
                format!(
                    "The paper's SN-GAN has an inception score of {} after 450,000 updates{not}.",
                    p.is.text(1)
                )
            };
            notes.extend(published.map(line));
        }
        let grid = SampleGrid {
            stem: "fig7".into(),
            title: c.titled("fig7", "samples of SN, conditional by concatenation"),
            notes,
            rows: vec!["SN".into()],
            columns: vec![String::new()],
            cells: vec![best],
            captions: Vec::new(),
            images: IN_FIGURE_7,
            cell: 768 * DENSITY,
        };
        grid.render(request.folder, "no run of SN has samples")
    })
}
