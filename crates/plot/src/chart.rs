//! Line charts: series with bands in one or several panels. Every figure of curves is a [`Chart`].

use crate::canvas::{
    Anchor, BLACK, Canvas, DENSITY, GREY, Heading, LABEL, LEGEND_ROW, Look, PALETTE, SMALL, draw,
    legend_height,
};
use crate::frame::{Axis, Frame, Scale};
pub(crate) use crate::series::{Point, Series, Stroke};
use crate::{Rendered, Result, method};
use plotters::style::RGBColor;
use sngan_experiment::method::Method;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Room around a panel's rectangle, units.
const LEFT: i32 = 84 * DENSITY;
const RIGHT: i32 = 24 * DENSITY;
const TITLE: i32 = 30 * DENSITY;
const NO_TITLE: i32 = 10 * DENSITY;
const BELOW: i32 = 56 * DENSITY;
/// Height of a row of the series' numbers above a panel.
const FIGURES: i32 = 20 * DENSITY;
/// Room below several such rows.
const CLEAR: i32 = 8 * DENSITY;
/// Numbers in such a row.
const IN_ROW: usize = 3;
/// Series that can be told from each other; a chart of more is drawn in parts.
const MOST: usize = PALETTE.len();
/// A line with more points than this has marks at some of them only.
const MARKED: usize = 24;
/// Marks of a line with many points: enough to follow it without its color.
const MARKS: usize = 6;

/// What an axis shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisSpec {
    pub(crate) scale: Scale,
    pub(crate) label: String,
    /// The minimum range, widened if values need it; if none, the range of the values.
    pub(crate) range: Option<(f64, f64)>,
    /// The values that get a label; if none, round ones.
    pub(crate) ticks: Vec<f64>,
}

/// A horizontal dashed line and its label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) y: f64,
    pub(crate) text: String,
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x: AxisSpec,
    pub(crate) y: AxisSpec,
    pub(crate) series: Vec<Series>,
    pub(crate) marks: Vec<Mark>,
}

/// A whole figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
    pub(crate) panels: Vec<Panel>,
    pub(crate) columns: usize,
    /// Width and height of a panel with its surroundings, units.
    pub(crate) panel: (i32, i32),
}

impl AxisSpec {
    /// A linear axis.
    pub(crate) fn linear(label: impl Into<String>, range: Option<(f64, f64)>) -> AxisSpec {
        AxisSpec { scale: Scale::Linear, label: label.into(), range, ticks: Vec::new() }
    }

    /// A logarithmic axis.
    pub(crate) fn log(label: impl Into<String>) -> AxisSpec {
        AxisSpec { scale: Scale::Log, label: label.into(), range: None, ticks: Vec::new() }
    }

    /// An axis over these values: linear near 0, and logarithmic on both sides from `linear` on.
    pub(crate) fn symmetric(
        label: impl Into<String>,
        linear: f64,
        values: impl Iterator<Item = f64>,
    ) -> AxisSpec {
        let (low, high) = ends(values);
        let range = Some((low - 0.3 * low.abs(), high + 0.3 * high.abs()));
        AxisSpec { scale: Scale::Symmetric(linear), label: label.into(), range, ticks: Vec::new() }
    }

    /// The axis over `values`. Ends that the values decide get a little room, so that a line there
    /// does not lie on the plot's frame.
    fn axis(&self, values: impl Iterator<Item = f64>, room: f64) -> Axis {
        let (low, high) = ends(values);
        let pad = |low: f64, high: f64| {
            if self.scale != Scale::Log {
                let reach =
                    if high > low { (high - low) * room } else { high.abs().max(1.0) * room };
                (low - reach, high + reach)
            } else {
                (low / (1.0 + room), high * (1.0 + room))
            }
        };
        let padded = pad(low, high);
        let (low, high) = match self.range {
            Some((least, most)) => (
                if low < least { padded.0 } else { least },
                if high > most { padded.1 } else { most },
            ),
            None => padded,
        };
        Axis::new(self.scale, low, high, self.label.clone()).with_ticks(&self.ticks)
    }
}

/// The smallest and the largest value.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low.is_finite() { (low, high) } else { (0.0, 1.0) }
}

impl Chart {
    /// Writes the figure; skipped if no series has a point. More series than looks go to several
    /// files, `stem-1` and so on, with the same axes and SN or else the first series in each.
    pub(crate) fn render(&self, folder: &Path) -> Result<Rendered> {
        if self.entries().is_empty() {
            return Ok(Rendered::Skipped("there is nothing to draw".into()));
        }
        let parts = self.parts().into_iter().map(|part| part.write(folder, &self.panels));
        Ok(Rendered::Written(parts.collect::<Result<Vec<_>>>()?.concat()))
    }

    /// The charts to draw: itself, or parts of nearly equal numbers of series.
    fn parts(&self) -> Vec<Chart> {
        let names = self.names();
        if names.len() <= MOST {
            return vec![self.clone()];
        }
        let sn = names.iter().find(|(_, hue)| *hue == Some(method::hue(Method::Sn)));
        let (lead, _) = sn.unwrap_or(&names[0]);
        let others: Vec<&str> = names.iter().map(|(n, _)| *n).filter(|n| n != lead).collect();
        let size = others.len().div_ceil(others.len().div_ceil(MOST - 1));
        let count = others.len().div_ceil(size);
        let part = |(i, names): (usize, &[&str])| {
            let mut part = self.clone();
            for panel in &mut part.panels {
                panel.series.retain(|s| s.name == *lead || names.contains(&s.name.as_str()));
                // In every part the lead has the first look.
                panel.series.sort_by_key(|s| s.name != *lead);
            }
            part.stem += &format!("-{}", i + 1);
            part.title += &format!(" ({} of {count})", i + 1);
            part.notes.push(format!("In {count} parts with the same axes; {lead} is in each."));
            part
        };
        others.chunks(size).enumerate().map(part).collect()
    }

    /// Draws it, with the axes of these panels, which may have more series.
    fn write(&self, folder: &Path, whole: &[Panel]) -> Result<Vec<PathBuf>> {
        let entries = self.entries();
        let rows = self.panels.len().div_ceil(self.columns) as i32;
        let width = self.panel.0 * self.columns as i32;
        let above = 10 * DENSITY + legend_height(&self.stem, width - LEFT - RIGHT, &entries)?;
        let heading = Heading { title: self.title.clone(), notes: self.notes.clone() };
        draw(folder, &self.stem, (width, above + rows * self.panel.1), &heading, |canvas| {
            canvas.legend((LEFT, 10 * DENSITY + LEGEND_ROW / 2), width - RIGHT, &entries)?;
            for (i, (panel, whole)) in self.panels.iter().zip(whole).enumerate() {
                let corner = (
                    (i % self.columns) as i32 * self.panel.0,
                    above + (i / self.columns) as i32 * self.panel.1,
                );
                panel.draw(canvas, &panel.frame(whole, corner, self.panel), &entries)?;
            }
            Ok(())
        })
    }

    /// Names of series with points in the order in which they first appear, each with its method's
    /// color.
    fn names(&self) -> Vec<(&str, Option<usize>)> {
        let mut named: Vec<(&str, Option<usize>)> = Vec::new();
        for series in self.panels.iter().flat_map(|p| &p.series).filter(|s| !s.is_empty()) {
            if named.iter().all(|(name, _)| *name != series.name) {
                named.push((&series.name, series.method.map(method::hue)));
            }
        }
        named
    }

    /// The same, each with its look.
    fn entries(&self) -> Vec<(String, Look)> {
        let named = self.names();
        let distinct: BTreeSet<usize> = named.iter().filter_map(|(_, method)| *method).collect();
        let by_method = distinct.len() == named.len();
        let entry = |(i, (name, method)): (usize, (&str, Option<usize>))| {
            (name.to_string(), Look::numbered(method.filter(|_| by_method).unwrap_or(i)))
        };
        named.into_iter().enumerate().map(entry).collect()
    }
}

/// The look of a method.
pub(crate) fn look_of(method: Method) -> Look {
    Look::numbered(method::hue(method))
}

impl Panel {
    /// Room above the plot's rectangle.
    fn above(&self) -> i32 {
        let title = if self.title.is_empty() { NO_TITLE } else { TITLE };
        title + self.figures()
    }

    /// Height of the series' numbers.
    fn figures(&self) -> i32 {
        let rows =
            self.series.iter().filter(|s| s.figure.is_some()).count().div_ceil(IN_ROW) as i32;
        // The last of several rows keeps away from marks at the upper edge.
        rows * FIGURES + if rows > 1 { CLEAR } else { 0 }
    }

    /// Where it is drawn, with axes over the values of `whole`.
    fn frame(&self, whole: &Panel, (left, top): (i32, i32), (width, height): (i32, i32)) -> Frame {
        let points = || whole.series.iter().flat_map(|s| &s.points);
        let diverged = whole.series.iter().flat_map(|s| s.diverged.iter().copied());
        let ys = points().flat_map(|p| [p.low, p.high]).chain(self.marks.iter().map(|m| m.y));
        Frame {
            left: left + LEFT,
            top: top + self.above(),
            right: left + width - RIGHT,
            bottom: top + height - BELOW,
            x: self.x.axis(points().map(|p| p.x).chain(diverged), 0.02),
            y: self.y.axis(ys, 0.06),
        }
    }

    fn draw(&self, canvas: &Canvas<'_>, frame: &Frame, entries: &[(String, Look)]) -> Result<()> {
        let middle = (frame.left + frame.right) / 2;
        if self.series.is_empty() {
            // The note of a panel without curves goes where they would be.
            let at = (middle, (frame.top + frame.bottom) / 2);
            return canvas.text(at, &self.title, SMALL, GREY, Anchor::Centre);
        }
        frame.draw_y(canvas)?;
        frame.draw_x(canvas)?;
        let above = frame.top - self.above() + if self.title.is_empty() { NO_TITLE } else { TITLE };
        let at = (middle, above - 6 * DENSITY);
        canvas.text(at, &self.title, LABEL, BLACK, Anchor::BottomCentre)?;
        self.draw_marks(canvas, frame)?;
        let look_of = |series: &Series| {
            entries.iter().find(|(name, _)| *name == series.name).map(|(_, look)| *look)
        };
        let figures: Vec<(String, Look)> =
            self.series.iter().filter_map(|s| Some((s.figure.clone()?, look_of(s)?))).collect();
        let slot = (frame.right - frame.left) / figures.len().clamp(1, IN_ROW) as i32;
        for (i, figure) in figures.iter().enumerate() {
            let (row, column) = ((i / IN_ROW) as i32, (i % IN_ROW) as i32);
            let y = frame.top - self.figures() + row * FIGURES + FIGURES / 2;
            let at = (frame.left + column * slot, y);
            canvas.legend(at, i32::MAX, std::slice::from_ref(figure))?;
        }
        // All bands first, so that none covers a line.
        for draw in [draw_band, draw_line] {
            for series in &self.series {
                if let Some(look) = look_of(series) {
                    draw(canvas, frame, series, look)?;
                }
            }
        }
        self.draw_crosses(canvas, frame, |series| look_of(series).map(|look| look.color))
    }

    fn draw_marks(&self, canvas: &Canvas<'_>, frame: &Frame) -> Result<()> {
        for mark in &self.marks {
            let y = frame.y_at(mark.y);
            canvas.dashes((frame.left, frame.right), y, GREY)?;
            let at = (frame.right - 4 * DENSITY, y - 10 * DENSITY);
            canvas.text(at, &mark.text, SMALL, GREY, Anchor::Right)?;
        }
        Ok(())
    }

    /// Where runs diverged.
    fn draw_crosses(
        &self,
        canvas: &Canvas<'_>,
        frame: &Frame,
        color_of: impl Fn(&Series) -> Option<RGBColor>,
    ) -> Result<()> {
        // Marks of series whose runs diverged at the same place are stacked.
        for (row, series) in self.series.iter().filter(|s| !s.diverged.is_empty()).enumerate() {
            let y = frame.bottom - (4 + 14 * row as i32) * DENSITY;
            for x in &series.diverged {
                canvas.text(
                    (frame.x_at(*x), y),
                    "×",
                    LABEL,
                    color_of(series).unwrap_or(BLACK),
                    Anchor::BottomCentre,
                )?;
            }
        }
        Ok(())
    }
}

/// Halfway to white.
fn pale(color: RGBColor) -> RGBColor {
    let half = |c: u8| ((u16::from(c) + 255) / 2) as u8;
    RGBColor(half(color.0), half(color.1), half(color.2))
}

fn draw_band(canvas: &Canvas<'_>, frame: &Frame, series: &Series, look: Look) -> Result<()> {
    if !series.has_band() || series.points.len() < 2 {
        return Ok(());
    }
    let upper = series.points.iter().map(|p| frame.at(p.x, p.high));
    let lower = series.points.iter().rev().map(|p| frame.at(p.x, p.low));
    canvas.shade(upper.chain(lower).collect(), look.color)
}

fn draw_line(canvas: &Canvas<'_>, frame: &Frame, series: &Series, look: Look) -> Result<()> {
    let color = look.color;
    let line: Vec<_> = series.points.iter().map(|p| frame.at(p.x, p.y)).collect();
    match series.stroke {
        Stroke::Dashed => return canvas.dashed_line(&line, color, 2 * DENSITY),
        Stroke::Thin if line.len() > 1 => return canvas.line(line, pale(color), DENSITY),
        Stroke::Thin => return Ok(()),
        Stroke::Full => {}
    }
    if let ([at], [point]) = (&line[..], &series.points[..])
        && point.high > point.low
    {
        // A band needs two points.
        let ends = [point.low, point.high].map(|y| frame.y_at(y));
        canvas.line(vec![(at.0, ends[0]), (at.0, ends[1])], color, DENSITY)?;
    }
    if line.len() > 1 {
        canvas.line(line.clone(), color, 2 * DENSITY)?;
    }
    let radius = if line.len() > 12 { 3 } else { 4 } * DENSITY;
    marked(line.len()).try_for_each(|i| canvas.mark(line[i], radius, look))
}

/// The points of a line that get a mark: all of a few, else some at even distances.
fn marked(points: usize) -> impl Iterator<Item = usize> {
    let step = if points > MARKED { points.div_ceil(MARKS) } else { 1 };
    (step / 2..points).step_by(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_range_is_the_least() {
        let ends = |spec: &AxisSpec, values: &[f64]| {
            let axis = spec.axis(values.iter().copied(), 0.1);
            [0.95, 1.2, 1.5].map(|v| axis.at(v))
        };
        let fixed = AxisSpec::linear("", Some((0.95, 1.2)));
        assert_eq!(ends(&fixed, &[1.0, 1.1])[..2], [0.0, 1.0]);
        let beyond = ends(&fixed, &[1.0, 1.5]);
        assert!(
            beyond[0] == 0.0 && (0.9..1.0).contains(&beyond[2]),
            "the end that was given stays, the other has room: {beyond:?}"
        );
        assert!(ends(&AxisSpec::linear("", None), &[]).iter().all(|v| v.is_finite()));
    }

    #[test]
    fn a_method_has_one_colour_wherever_no_two_series_are_of_it() {
        let colors = |methods: &[Method]| {
            let series = methods
                .iter()
                .enumerate()
                .map(|(i, m)| Series::line(i.to_string(), [(0.0, 1.0)]).of(Some(*m)))
                .collect();
            let (x, y) = (AxisSpec::linear("", None), AxisSpec::linear("", None));
            let panels = vec![Panel { title: String::new(), x, y, series, marks: vec![] }];
            let chart = Chart {
                stem: String::new(),
                title: String::new(),
                notes: vec![],
                panels,
                columns: 1,
                panel: (1, 1),
            };
            chart.entries().into_iter().map(|(_, look)| look).collect::<Vec<_>>()
        };
        let all = colors(&Method::ALL[..8]);
        assert!((0..8).all(|i| (0..i).all(|j| all[i] != all[j])));
        assert_eq!(colors(&[Method::Sn, Method::WeightNorm])[1], colors(&[Method::WeightNorm])[0]);
        assert_eq!(colors(&[Method::WganGp, Method::WganGp]), [0, 1].map(Look::numbered));
    }

    #[test]
    fn a_long_line_has_a_few_marks_and_a_short_one_all() {
        assert_eq!(marked(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(marked(1).count(), 1);
        assert_eq!(marked(500).count(), MARKS);
    }

    #[test]
    fn more_series_than_looks_are_drawn_in_parts() {
        let line = |name: &str, y: f64| Series::line(name, [(0.0, 0.0), (1.0, y)]);
        let names: Vec<String> = ('a'..='s').map(String::from).collect();
        let mut series: Vec<Series> =
            names.iter().enumerate().map(|(i, n)| line(n, i as f64)).collect();
        series[3].method = Some(Method::Sn);
        let (x, y) = (AxisSpec::linear("", None), AxisSpec::linear("", None));
        let panels = vec![Panel { title: String::new(), x, y, series, marks: vec![] }];
        let chart = Chart {
            stem: "x".into(),
            title: "t".into(),
            notes: vec![],
            panels,
            columns: 1,
            panel: (400 * DENSITY, 300 * DENSITY),
        };
        let parts = chart.parts();
        let drawn: Vec<Vec<&str>> =
            parts.iter().map(|p| p.names().into_iter().map(|(name, _)| name).collect()).collect();
        assert_eq!(drawn.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7]);
        assert!(drawn.iter().all(|names| names[0] == "d"), "SN is the first of each: {drawn:?}");
        assert!(parts.iter().all(|p| p.entries()[0].1 == Look::numbered(0)));
        let mut all = drawn.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, names);
        let frame = |part: &Chart| part.panels[0].frame(&chart.panels[0], (0, 0), chart.panel);
        assert_eq!(frame(&parts[0]).y_at(18.0), frame(&parts[2]).y_at(18.0));

        let folder = tempfile::tempdir().unwrap();
        let Rendered::Written(paths) = chart.render(folder.path()).unwrap() else { panic!() };
        let written: Vec<_> = paths.iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(written, ["x-1.svg", "x-1.png", "x-2.svg", "x-2.png", "x-3.svg", "x-3.png"]);
    }

    #[test]
    fn a_chart_without_points_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let chart = Chart {
            stem: "x".into(),
            title: String::new(),
            notes: vec![],
            panels: vec![],
            columns: 1,
            panel: (400 * DENSITY, 300 * DENSITY),
        };
        assert!(matches!(chart.render(folder.path()).unwrap(), Rendered::Skipped(_)));
    }
}
