//! Figures 5 and 13: inception score over the updates, SN beside orthonormal regularization.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Mark, Panel, Point, Series};
use crate::scored::{Run, ScoredSweep};
use crate::{Rendered, Result, paper};
use sngan_experiment::arch::Conditioning;
use sngan_experiment::records::Metric;
use std::collections::BTreeMap;

/// Figure 5: labels enter D by concatenation.
pub(crate) fn fig5(request: &Materials<'_>) -> Result<Rendered> {
    render(request, "fig5", "learning curves, conditional by concatenation")
}

/// Figure 13: (a) without labels, (b) with the projection discriminator.
pub(crate) fn fig13(request: &Materials<'_>) -> Result<Rendered> {
    render(
        request,
        "fig13",
        "learning curves, without labels and with the projection discriminator",
    )
}

fn render(request: &Materials<'_>, stem: &str, title: &str) -> Result<Rendered> {
    let scored: Vec<&ScoredSweep> = request
        .sweeps
        .iter()
        .filter(|c| c.runs.iter().any(|r| !r.learning_curve(Metric::Is).is_empty()))
        .collect();
    if scored.is_empty() {
        return Ok(Rendered::Skipped("no run has a score".into()));
    }
    let letters: Vec<String> = if scored.len() > 1 {
        ('a'..).map(|l| format!("({l}) ")).take(scored.len()).collect()
    } else {
        vec![String::new()]
    };
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for (c, letter) in scored.iter().zip(&letters) {
        for note in describe(c, request.compare)? {
            match notes.iter_mut().find(|(said, _)| *said == note) {
                Some((_, of)) => of.push(letter),
                None => notes.push((note, vec![letter])),
            }
        }
    }
    // Lines that apply to all panels name none.
    let named = |(note, of): (String, Vec<&str>)| {
        if of.len() < letters.len() { of.concat() + &note } else { note }
    };
    let chart = Chart {
        stem: stem.into(),
        title: scored[0].titled(stem, title),
        notes: notes.into_iter().map(named).collect(),
        panels: scored
            .iter()
            .zip(&letters)
            .map(|(c, letter)| panel(c, letter))
            .collect::<Result<_>>()?,
        columns: scored.len(),
        panel: (if scored.len() > 1 { 480 } else { 820 } * DENSITY, 420 * DENSITY),
    };
    chart.render(request.folder)
}

/// What a panel's curves are of.
fn describe(c: &ScoredSweep, compare: bool) -> Result<Vec<String>> {
    let mut notes = vec![c.describe_runs()];
    notes.extend(c.describe_curves(Metric::Is));
    notes.push(c.describe_seeds());
    if compare {
        notes.extend(published(c)?);
    }
    Ok(notes)
}

fn panel(c: &ScoredSweep, letter: &str) -> Result<Panel> {
    let conditioning = conditioning(c);
    let comparable = c.comparable(Metric::Is);
    let mut marks = Vec::new();
    if comparable {
        for row in published_rows(conditioning)? {
            marks.extend(
                row.is
                    .value
                    .map(|y| Mark { y, text: format!("{}, {} updates", row.model, row.updates) }),
            );
        }
    }
    // The paper's ranges.
    let range = match conditioning {
        Conditioning::None => (10.0, 16.0),
        Conditioning::Projection => (10.0, 30.0),
        Conditioning::Concat | Conditioning::AcGan => (10.0, 22.0),
    };
    Ok(Panel {
        title: letter.to_string()
            + match conditioning {
                Conditioning::None => "without labels",
                Conditioning::Projection => "projection",
                Conditioning::Concat => "concatenation",
                Conditioning::AcGan => "AC-GAN",
            },
        x: updates_axis(c),
        y: AxisSpec::linear(
            format!("is[{}]", c.curve_protocol(Metric::Is).map_or("", |p| p.backbone.as_str())),
            comparable.then_some(range),
        ),
        series: curves(c, Metric::Is),
        marks,
    })
}

/// The axis of a sweep's updates, from the first to the horizon.
pub(super) fn updates_axis(c: &ScoredSweep) -> AxisSpec {
    let horizon = c.runs.iter().map(|r| r.spec.gen_updates).max().unwrap_or(1);
    AxisSpec::linear("generator updates", Some((0.0, horizon as f64)))
}

/// A row's mean over seeds at each number of updates at which all its seeds have a score.
pub(super) fn curves(c: &ScoredSweep, metric: Metric) -> Vec<Series> {
    let of = |label: &str| {
        let runs: Vec<&Run> = c.runs.iter().filter(|r| r.spec.label == label).collect();
        let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (x, y) in runs.iter().flat_map(|r| r.learning_curve(metric)) {
            at.entry(x as u64).or_default().push(y);
        }
        let most = at.values().map(Vec::len).max().unwrap_or(0);
        let points = at
            .into_iter()
            .filter(|(_, v)| v.len() == most)
            .filter_map(|(x, v)| Point::over_seeds(x as f64, &v))
            .collect();
        Series { name: label.into(), points, method: c.method(label), ..Series::default() }
    };
    c.labels().into_iter().map(of).collect()
}

fn conditioning(c: &ScoredSweep) -> Conditioning {
    c.runs.first().map_or(Conditioning::None, |r| r.spec.conditioning)
}

fn published_rows(conditioning: Conditioning) -> Result<Vec<paper::ImageNetRow>> {
    let model = match conditioning {
        Conditioning::Concat => "SN-GAN concat",
        Conditioning::Projection => "SN-GAN projection",
        Conditioning::None | Conditioning::AcGan => return Ok(Vec::new()),
    };
    Ok(paper::imagenet()?.into_iter().filter(|row| row.model == model).collect())
}

/// The published results for a sweep's networks, and whether they can be compared.
fn published(c: &ScoredSweep) -> Result<Vec<String>> {
    let not = if c.comparable(Metric::Is) { "" } else { ", not comparable" };
    let rows = published_rows(conditioning(c))?;
    if rows.is_empty() {
        return Ok(vec!["Of these networks the paper prints no number.".into()]);
    }
    let line = |row: &paper::ImageNetRow| {
        let similarity = row
            .intra_class_ms_ssim
            .map_or_else(String::new, |s| format!(" (intra-class MS-SSIM {s})"));
        // Brackets hold the source of numbers that are not shown.
        let source = row.source.split(" (").next().unwrap_or_default();
        format!(
            "Published for ImageNet{not}: {} has {} after {} updates{similarity}; from: {source}.",
            row.model,
            row.is.text(1),
            row.updates
        )
    };
    Ok(rows.iter().map(line).collect())
}
