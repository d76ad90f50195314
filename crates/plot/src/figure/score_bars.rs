//! Figures 1 and 2: a bar for each setting, grouped by method.

use crate::canvas::{Anchor, BLACK, Canvas, DENSITY, GREY, Heading, LABEL, PALETTE, SMALL, draw};
use crate::collect::{Collected, Run};
use crate::frame::{Axis, Frame, Scale, short};
use crate::paper::{self, Best};
use crate::{Rendered, Result};
use sngan_experiment::records::Metric as Measured;
use std::path::Path;

const SIZE: (i32, i32) = (960 * DENSITY, 470 * DENSITY);

/// Width of a bar where there is much room, units.
const WIDEST_BAR: f64 = 40.0 * DENSITY as f64;

/// Which number is drawn, and how.
struct Metric {
    stem: &'static str,
    title: &'static str,
    metric: Measured,
    /// Digits after the point in the paper.
    digits: usize,
    scale: Scale,
    paper: fn(&Best) -> Option<f64>,
}

/// A bar: its value and spread, or why there is none.
enum Bar {
    Value { value: f64, spread: f64 },
    Diverged,
    Missing,
}

/// Figure 1.
pub(crate) fn inception_score(c: &Collected, folder: &Path) -> Result<Rendered> {
    let metric = Metric {
        stem: "fig1",
        title: "Figure 1: inception score of each method in each setting (higher is better)",
        metric: Measured::Is,
        digits: 2,
        scale: Scale::Linear,
        paper: |b| b.is,
    };
    metric.render(c, folder)
}

/// Figure 2, on a logarithmic axis.
pub(crate) fn fid(c: &Collected, folder: &Path) -> Result<Rendered> {
    let metric = Metric {
        stem: "fig2",
        title: "Figure 2: Fréchet inception distance of each method in each setting (lower is better)",
        metric: Measured::Fid,
        digits: 1,
        scale: Scale::Log,
        paper: |b| b.fid,
    };
    metric.render(c, folder)
}

impl Metric {
    fn render(&self, c: &Collected, folder: &Path) -> Result<Rendered> {
        let Some(protocol) = c.protocol(self.metric) else { return Ok(Rendered::Skipped("no run has a score".into())) };
        let full_name = format!("{}[{}]", self.metric.name(), protocol.backbone);
        let (labels, settings) = (c.labels(), c.settings());
        let bars: Vec<Vec<Bar>> =
            labels.iter().map(|l| settings.iter().map(|s| self.bar(&c.cell(l, s).collect::<Vec<_>>())).collect()).collect();
        let heading = Heading { title: self.title.into(), notes: self.notes(c, &bars) };
        let on_axis = protocol.backbone == paper::BACKBONE && c.on_cifar10();
        let marks = self.marks(c, &labels)?;
        let frame = self.frame(c, &bars, if on_axis { &marks } else { &[] }, full_name);
        let paths = draw(folder, self.stem, SIZE, &heading, |canvas| {
            frame.draw_y(canvas)?;
            self.legend(canvas, &frame, c, &settings)?;
            let group = f64::from(frame.right - frame.left) / labels.len() as f64;
            for (i, (label, bars)) in labels.iter().zip(&bars).enumerate() {
                let left = f64::from(frame.left) + group * i as f64;
                draw_group(canvas, &frame, left, group, bars)?;
                let middle = (left + group / 2.0) as i32;
                canvas.text((middle, frame.bottom + 8 * DENSITY), label, SMALL, BLACK, Anchor::TopCentre)?;
                if let Some((_, value)) = marks.iter().find(|(l, _)| on_axis && l == label) {
                    let y = frame.y_at(*value);
                    canvas.line(vec![(left as i32 + 6, y), ((left + group) as i32 - 6, y)], BLACK, 2 * DENSITY)?;
                }
            }
            if let Some(real) = c.real(self.metric).and_then(|s| s.value) {
                canvas.dashes((frame.left, frame.right), frame.y_at(real), BLACK)?;
            }
            self.papers(canvas, &marks, on_axis)
        })?;
        Ok(Rendered::Written(paths))
    }

    /// How the runs and scores were made, and what the marks at the bars mean.
    fn notes(&self, c: &Collected, bars: &[Vec<Bar>]) -> Vec<String> {
        let any = |f: fn(&Bar) -> bool| bars.iter().flatten().any(f);
        let mut scores = c.describe_scores(self.metric).unwrap_or_default();
        if any(|b| matches!(b, Bar::Value { spread, .. } if *spread > 0.0)) {
            let several = c.runs.iter().any(|r| c.cell(&r.spec.label, &r.spec.setting).count() > 1);
            scores += if several { " Whiskers: standard deviation over seeds." } else { " Whiskers: standard deviation over splits." };
        }
        if any(|b| matches!(b, Bar::Diverged)) {
            scores += " ×:\u{a0}diverged.";
        }
        vec![c.describe_runs(), scores]
    }

    /// Mean over seeds; the spread is that over seeds where there are several, else the score's own.
    fn bar(&self, runs: &[&Run]) -> Bar {
        let values: Vec<f64> = runs.iter().filter_map(|r| r.score(self.metric)?.value).collect();
        if values.is_empty() {
            return if runs.iter().any(|r| r.diverged()) { Bar::Diverged } else { Bar::Missing };
        }
        let value = values.iter().sum::<f64>() / values.len() as f64;
        let spread = if values.len() > 1 {
            (values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        } else {
            runs.iter().find_map(|r| r.score(self.metric)?.std).unwrap_or(0.0)
        };
        Bar::Value { value, spread }
    }

    fn marks<'a>(&self, c: &Collected, labels: &[&'a str]) -> Result<Vec<(&'a str, f64)>> {
        let mut marks = Vec::new();
        for label in labels {
            let Some(run) = c.runs.iter().find(|r| r.spec.label == **label) else { continue };
            if let Some(value) = paper::best(run.spec.method)?.and_then(|b| (self.paper)(&b)) {
                marks.push((*label, value));
            }
        }
        Ok(marks)
    }

    fn frame(&self, c: &Collected, bars: &[Vec<Bar>], marks: &[(&str, f64)], label: String) -> Frame {
        let real = c.real(self.metric).and_then(|s| s.value);
        let drawn = bars.iter().flatten().filter_map(|b| if let Bar::Value { value, spread } = b { Some((*value, *spread)) } else { None });
        let all: Vec<(f64, f64)> = drawn.chain(real.map(|r| (r, 0.0))).chain(marks.iter().map(|(_, v)| (*v, 0.0))).collect();
        let high = all.iter().map(|(v, s)| v + s).fold(0.0, f64::max);
        let low = all.iter().map(|(v, _)| *v).filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let y = match self.scale {
            Scale::Linear => Axis::new(Scale::Linear, 0.0, high * 1.08, label),
            Scale::Log => Axis::new(Scale::Log, low / 1.5, high * 1.5, label),
        };
        let x = Axis::new(Scale::Linear, 0.0, 1.0, "");
        Frame { left: 84 * DENSITY, top: 52 * DENSITY, right: SIZE.0 - 20 * DENSITY, bottom: SIZE.1 - 96 * DENSITY, x, y }
    }

    fn legend(&self, canvas: &Canvas<'_>, frame: &Frame, c: &Collected, settings: &[&str]) -> Result<()> {
        let entries: Vec<_> = settings.iter().enumerate().map(|(i, s)| (format!("setting {s}"), PALETTE[i % PALETTE.len()])).collect();
        canvas.legend((frame.left, 28 * DENSITY), &entries)?;
        if let Some(real) = c.real(self.metric).and_then(|s| s.value) {
            let text = format!("real data {}", short((real * 1000.0).round() / 1000.0));
            let width = canvas.text_width(&text, SMALL)?;
            canvas.text((frame.right, 28 * DENSITY), &text, SMALL, BLACK, Anchor::Right)?;
            let end = frame.right - width - 8 * DENSITY;
            canvas.dashes((end - 40 * DENSITY, end), 28 * DENSITY, BLACK)?;
        }
        Ok(())
    }

    /// The paper's values: what the black marks are, or, where its backbone is another, the numbers beside the plot.
    fn papers(&self, canvas: &Canvas<'_>, marks: &[(&str, f64)], on_axis: bool) -> Result<()> {
        let name = self.metric.name().to_uppercase();
        let (first, second) = if on_axis {
            (format!("black lines: the paper's best {name} (CIFAR-10)"), String::new())
        } else {
            let list: Vec<_> = marks.iter().map(|(l, v)| format!("{l} {v:.*}", self.digits)).collect();
            (format!("Not comparable: the paper's best {name} over A–F, {} on CIFAR-10:", paper::BACKBONE), list.join(" · "))
        };
        let y = SIZE.1 - 52 * DENSITY;
        canvas.text((84 * DENSITY, y), &first, SMALL, GREY, Anchor::TopLeft)?;
        canvas.text((84 * DENSITY, y + 20 * DENSITY), &second, SMALL, GREY, Anchor::TopLeft)
    }
}

/// A method's bars, between `left` and `left + width`.
fn draw_group(canvas: &Canvas<'_>, frame: &Frame, left: f64, width: f64, bars: &[Bar]) -> Result<()> {
    let gap = width * 0.14;
    let step = ((width - gap) / bars.len() as f64).min(WIDEST_BAR);
    let left = left + (width - gap - step * bars.len() as f64) / 2.0;
    for (j, bar) in bars.iter().enumerate() {
        let x0 = (left + gap / 2.0 + step * j as f64) as i32;
        let x1 = (left + gap / 2.0 + step * (j + 1) as f64) as i32 - DENSITY;
        let middle = (x0 + x1) / 2;
        match bar {
            Bar::Value { value, spread } => {
                canvas.rectangle((x0, frame.y_at(*value)), (x1, frame.bottom), PALETTE[j % PALETTE.len()])?;
                if *spread > 0.0 {
                    let ends = [frame.y_at(value - spread), frame.y_at(value + spread)];
                    canvas.line(vec![(middle, ends[0]), (middle, ends[1])], BLACK, DENSITY)?;
                }
            }
            Bar::Diverged => canvas.text((middle, frame.bottom - 2 * DENSITY), "×", LABEL, GREY, Anchor::BottomCentre)?,
            Bar::Missing => {}
        }
    }
    Ok(())
}
