//! Figures 1 and 2, and the same for other metrics: a dot for each setting, grouped by method.

use crate::artefact::Materials;
use crate::canvas::Look;
use crate::chart::look_of;
use crate::describe::width;
use crate::dots::{Dot, DotChart, Group};
use crate::frame::Scale;
use crate::paper;
use crate::scored::{Run, ScoredSweep};
use crate::statistics::mean;
use crate::{Rendered, Result};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::Metric;
use std::collections::BTreeSet;
use std::path::Path;

/// Which number is drawn, and how.
struct Scores {
    id: String,
    metric: Metric,
    scale: Scale,
    /// Digits after the point of the paper's numbers, if it has any.
    paper: Option<usize>,
}

/// The paper's best number of a row's method.
struct PapersBest<'a> {
    /// Our row.
    label: &'a str,
    /// The paper's name of its method.
    method: String,
    value: f64,
}

/// Figure 1.
pub(crate) fn inception_score(request: &Materials<'_>) -> Result<Rendered> {
    let scores =
        Scores { id: "fig1".into(), metric: Metric::Is, scale: Scale::Linear, paper: Some(2) };
    request.each(|c| scores.render(c, request.folder))
}

/// Figure 2, on a logarithmic axis.
pub(crate) fn fid(request: &Materials<'_>) -> Result<Rendered> {
    let scores =
        Scores { id: "fig2".into(), metric: Metric::Fid, scale: Scale::Log, paper: Some(1) };
    request.each(|c| scores.render(c, request.folder))
}

/// The same for every other metric with scores, one figure each; none if there are no others.
pub(crate) fn others(request: &Materials<'_>) -> Result<Rendered> {
    let mut written = Vec::new();
    for c in request.sweeps {
        for metric in c.metrics() {
            // Figures 1 and 2.
            if [Metric::Is, Metric::Fid].contains(&metric) {
                continue;
            }
            let scale = if metric.spans_decades() { Scale::Log } else { Scale::Linear };
            let id = format!("scores-{}", metric.name());
            if let Rendered::Written(paths) =
                (Scores { id, metric, scale, paper: None }).render(c, request.folder)?
            {
                written.extend(paths);
            }
        }
    }
    Ok(Rendered::Written(written))
}

impl Scores {
    fn render(&self, c: &ScoredSweep, folder: &Path) -> Result<Rendered> {
        let Some(protocol) = c.protocol(self.metric) else {
            return Ok(Rendered::Skipped(format!(
                "no run has a score in {} after its last update",
                self.metric.words()
            )));
        };
        if let [only] = &c.runs[..] {
            let label = &only.spec.label;
            return Ok(Rendered::Skipped(format!(
                "a run of {label} alone is compared with nothing"
            )));
        }
        let (labels, settings) = (c.labels(), c.settings());
        let on_axis = c.comparable(self.metric);
        let marks = self.marks(c, &labels)?;
        let mark =
            |label: &str| marks.iter().find(|m| on_axis && m.label == label).map(|m| m.value);
        // An axis is for one size; a row of another size says so.
        let all = sizes_of(&c.runs.iter().collect::<Vec<_>>());
        let sizes = |label: &str| {
            let runs: Vec<&Run> = c.runs.iter().filter(|r| r.spec.label == label).collect();
            if all.len() > 1 {
                format!(" ({})", sizes_of(&runs).join(" or "))
            } else {
                String::new()
            }
        };
        let methods: BTreeSet<&str> =
            labels.iter().filter_map(|l| c.method(l)).map(Method::name).collect();
        // A method's own color, unless several rows belong to one method.
        let color_of = |i: usize, label: &str| match c.method(label) {
            Some(method) if methods.len() == labels.len() => look_of(method).color,
            _ => Look::numbered(i).color,
        };
        let group = |(i, label): (usize, &&str)| Group {
            label: label.to_string() + &sizes(label),
            color: color_of(i, label),
            dots: settings
                .iter()
                .map(|s| self.dot(&c.cell(label, s).collect::<Vec<_>>()))
                .collect(),
            mark: mark(label),
        };
        let groups: Vec<Group> = labels.iter().enumerate().map(group).collect();
        let scores = c.describe_scores(self.metric).unwrap_or_default();
        let chart = DotChart {
            stem: c.stem(&self.id),
            title: c.titled(&self.id, &self.title()),
            notes: vec![c.describe_runs(), scores + &DotChart::legend(&groups, "splits")],
            scale: self.scale,
            label: format!("{}[{}]", self.metric.name(), protocol.backbone),
            places: settings.iter().map(ToString::to_string).collect(),
            groups,
            line: c.real(self.metric).and_then(|s| s.value).map(|v| ("real data".into(), v)),
            foot: self.foot(c, &marks, on_axis),
        };
        chart.render(folder)
    }

    fn title(&self) -> String {
        let better = if self.metric.higher_is_better() { "higher" } else { "lower" };
        let words = self.metric.words();
        format!("{words} of each method in each setting ({better} is better)")
    }

    /// One value per seed; the spread of a single run is that of its score.
    fn dot(&self, runs: &[&Run]) -> Dot {
        let values: Vec<f64> = runs.iter().filter_map(|r| r.last(self.metric)).collect();
        let best: Vec<f64> = runs.iter().filter_map(|r| r.best(self.metric)).collect();
        Dot {
            spread: runs.iter().find_map(|r| r.score(self.metric)?.std).unwrap_or(0.0),
            diverged: runs.iter().filter(|r| r.diverged()).count(),
            // The mean of the seeds' best scores during training, if it differs from that of the
            // last ones.
            best: (best != values).then(|| mean(&best)),
            values,
        }
    }

    /// The paper's best of each method over A–F.
    fn marks<'a>(&self, c: &ScoredSweep, labels: &[&'a str]) -> Result<Vec<PapersBest<'a>>> {
        let mut marks = Vec::new();
        let (Some(dataset), Some(_)) = (c.paper_dataset(), self.paper) else {
            return Ok(marks);
        };
        for label in labels {
            let Some(run) = c.runs.iter().find(|r| r.spec.label == **label) else { continue };
            let Some(best) = paper::best(run.spec.family())? else { continue };
            if let Some(value) = best.published(self.metric, dataset).value {
                marks.push(PapersBest { label, method: best.method, value });
            }
        }
        Ok(marks)
    }

    /// The paper's values: the meaning of the black marks or, if its backbone is another, the
    /// numbers beside the plot.
    fn foot(&self, c: &ScoredSweep, marks: &[PapersBest<'_>], on_axis: bool) -> Vec<String> {
        let (Some(dataset), Some(digits)) = (c.paper_dataset(), self.paper) else {
            return Vec::new();
        };
        let (name, data) = (self.metric.name().to_uppercase(), dataset.title());
        if on_axis {
            return vec![format!("black lines: the paper's best {name} ({data})")];
        }
        // Under the paper's names: several rows may be variants of one method.
        let mut list: Vec<String> = Vec::new();
        for mark in marks {
            let said = format!("{} {:.digits$}", mark.method, mark.value);
            if !list.contains(&said) {
                list.push(said);
            }
        }
        vec![
            format!(
                "Not comparable: the paper's best {name} over A–F, {} on {data}:",
                paper::BACKBONE
            ),
            list.join(" · "),
        ]
    }
}

/// The different sizes of runs, in words.
fn sizes_of(runs: &[&Run]) -> Vec<String> {
    let size = |r: &&Run| {
        let RunSpec { width_divisor, batch, gen_updates, .. } = r.spec;
        format!("{}, batch {batch}, {gen_updates} updates", width(width_divisor))
    };
    runs.iter().map(size).collect::<BTreeSet<_>>().into_iter().collect()
}
