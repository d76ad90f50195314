//! Values in groups as dots, each at a place with a letter. Several seeds give the mean with its
//! standard error and the seeds beside it. A single run gives an empty ring, so that it never looks
//! like several. The axis goes from the smallest value to the largest.

use crate::canvas::{
    Anchor, BLACK, Canvas, DENSITY, FAINT, GREY, Heading, LABEL, SMALL, WHITE, draw, lines_of,
};
use crate::frame::{Axis, Frame, Scale, short};
use crate::statistics::summary;
use crate::{Rendered, Result};
use plotters::style::RGBColor;
use std::path::Path;

const WIDTH: i32 = 960 * DENSITY;
/// Height of a strip's plot.
const HEIGHT: i32 = 336 * DENSITY;
const ABOVE: i32 = 30 * DENSITY;
const LEFT: i32 = 84 * DENSITY;
const RIGHT: i32 = 20 * DENSITY;
/// Distance of two places if there is much room, units.
const WIDEST_STEP: f64 = 34.0 * DENSITY as f64;
/// The same if there is little: a letter and its gap.
const LEAST_STEP: f64 = 12.0 * DENSITY as f64;
/// Share of a group's width that its places take.
const TAKEN: f64 = 0.88;

/// What is drawn at a place of a group: nothing if no run has ended yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Dot {
    /// One value per seed.
    pub(crate) values: Vec<f64>,
    /// How far a single run's own measurements spread.
    pub(crate) spread: f64,
    /// Runs that diverged and so have no value.
    pub(crate) diverged: usize,
    /// A second value, if it differs: the mean of the best scores during training.
    pub(crate) best: Option<f64>,
}

/// The dots of one name below the axis.
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) color: RGBColor,
    pub(crate) dots: Vec<Dot>,
    /// A value at which a line is drawn across the group.
    pub(crate) mark: Option<f64>,
}

/// A whole figure.
pub(crate) struct DotChart {
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
    pub(crate) scale: Scale,
    pub(crate) label: String,
    /// Name of each place of a group.
    pub(crate) places: Vec<String>,
    pub(crate) groups: Vec<Group>,
    /// A reference value and its name: a dashed line, or a note above the plot if it is off the
    /// axis.
    pub(crate) line: Option<(String, f64)>,
    /// Lines below the axis.
    pub(crate) foot: Vec<String>,
}

impl Dot {
    /// Value and reach.
    fn extent(&self) -> Option<(f64, f64)> {
        let s = summary(&self.values)?;
        Some((s.mean, s.standard_error.unwrap_or(self.spread)))
    }

    fn is_single(&self) -> bool {
        self.values.len() == 1
    }

    /// Every value of it that the axis must include.
    fn reach(&self) -> Vec<f64> {
        let extent = self.extent().map_or_else(Vec::new, |(v, s)| vec![v, v - s, v + s]);
        extent.into_iter().chain(self.values.iter().copied()).chain(self.best).collect()
    }
}

impl DotChart {
    /// What the marks mean, for a caption; `within` is what a single run's spread is over.
    pub(crate) fn legend(groups: &[Group], within: &str) -> String {
        let dots = || groups.iter().flat_map(|g| &g.dots);
        let mut text = String::new();
        let seeds = dots().map(|d| d.values.len()).filter(|n| *n > 1);
        if let (Some(least), Some(most)) = (seeds.clone().min(), seeds.max()) {
            let n = if least == most { format!("{most}") } else { format!("{least} to {most}") };
            text += &format!(
                " Full dots: mean over {n} seeds, whiskers its standard error, small dots the seeds."
            );
        }
        if dots().any(Dot::is_single) {
            let spread = dots().any(|d| d.is_single() && d.spread > 0.0);
            let lines = format!(", thin lines the standard deviation over its {within}");
            text += &format!(" Rings: one run (n = 1){}.", if spread { &lines } else { "" });
        }
        if dots().any(|d| d.best.is_some()) {
            text += " Dots: after the last update; short lines: mean of the best during training.";
        }
        if dots().any(|d| d.diverged > 0) {
            text += " ×:\u{a0}runs that diverged, which are in no mean.";
        }
        text
    }

    /// Writes the figure.
    pub(crate) fn render(&self, folder: &Path) -> Result<Rendered> {
        let longest = self.places.iter().map(|p| p.chars().count()).max().unwrap_or(0);
        // Each place has a letter below it; longer names are numbered and listed.
        let letters = longest <= 2;
        let listed: Vec<String> = if letters {
            Vec::new()
        } else {
            self.places.iter().enumerate().map(|(i, p)| format!("{}: {p}", i + 1)).collect()
        };
        let place = |j: usize| if letters { self.places[j].clone() } else { (j + 1).to_string() };
        let per_strip = groups_per_strip(self.groups.len(), self.places.len());
        let width = (WIDTH - RIGHT - LEFT) / per_strip as i32;
        let labels = self.groups.iter().map(|g| &g.label);
        let names = lines_of(&self.stem, labels, width - 6 * DENSITY)?;
        let foot = listed.iter().chain(&self.foot);
        let foot = lines_of(&self.stem, foot, WIDTH - RIGHT - LEFT)?.concat();

        let mut strips = Vec::new();
        let mut top = 0;
        for (groups, names) in self.groups.chunks(per_strip).zip(names.chunks(per_strip)) {
            let rows = names.iter().map(Vec::len).max().unwrap_or(1) as i32;
            let frame = self.frame(top + ABOVE, top + ABOVE + HEIGHT);
            top = frame.bottom + (34 + 18 * rows) * DENSITY;
            strips.push(Strip { groups, names, frame });
        }
        let size = (WIDTH, top + (2 + 20 * foot.len() as i32) * DENSITY);
        let heading = Heading { title: self.title.clone(), notes: self.notes.clone() };
        let paths = draw(folder, &self.stem, size, &heading, |canvas| {
            for (i, strip) in strips.iter().enumerate() {
                strip.frame.draw_y(canvas)?;
                self.draw_line(canvas, &strip.frame, i == 0)?;
                strip.draw(
                    canvas,
                    f64::from(strip.frame.right - LEFT) / per_strip as f64,
                    place,
                )?;
            }
            for (i, line) in foot.iter().enumerate() {
                let at = (LEFT, top + 20 * i as i32 * DENSITY);
                canvas.text(at, line, SMALL, GREY, Anchor::TopLeft)?;
            }
            Ok(())
        })?;
        Ok(Rendered::Written(paths))
    }

    fn frame(&self, top: i32, bottom: i32) -> Frame {
        let dots = self.groups.iter().flat_map(|g| &g.dots).flat_map(Dot::reach);
        let all: Vec<f64> = dots.chain(self.groups.iter().filter_map(|g| g.mark)).collect();
        let positive = all.iter().copied().filter(|v| *v > 0.0);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let y = match self.scale {
            Scale::Linear | Scale::Symmetric(_) => {
                let low = all.iter().copied().fold(f64::INFINITY, f64::min);
                let margin = 0.06 * (high - low).max(1e-9);
                Axis::new(Scale::Linear, low - margin, high + margin, self.label.clone())
            }
            Scale::Log => {
                let low = positive.fold(f64::INFINITY, f64::min);
                let margin = (high / low).max(1.01).powf(0.06);
                Axis::new(Scale::Log, low / margin, high * margin, self.label.clone())
            }
        };
        let x = Axis::new(Scale::Linear, 0.0, 1.0, "");
        Frame { left: LEFT, top, right: WIDTH - RIGHT, bottom, x, y }
    }

    /// The reference value's line, and its name above the strip if that is asked for.
    fn draw_line(&self, canvas: &Canvas<'_>, frame: &Frame, named: bool) -> Result<()> {
        let Some((name, value)) = &self.line else { return Ok(()) };
        let text = format!("{name} {}", short((value * 1000.0).round() / 1000.0));
        let y = frame.y_at(*value);
        let inside = (frame.top..frame.bottom).contains(&y) && y != frame.top;
        let above = frame.top - 10 * DENSITY;
        if inside {
            canvas.dashes((frame.left, frame.right), y, BLACK)?;
        }
        if !named {
            return Ok(());
        }
        if !inside {
            let text = format!("{text} (off the axis)");
            return canvas.text((frame.right, above), &text, SMALL, BLACK, Anchor::Right);
        }
        let width = canvas.text_width(&text, SMALL)?;
        canvas.text((frame.right, above), &text, SMALL, BLACK, Anchor::Right)?;
        let end = frame.right - width - 8 * DENSITY;
        canvas.dashes((end - 40 * DENSITY, end), above, BLACK)
    }
}

/// Groups above each other share an axis where they do not fit beside each other: how many go into
/// a strip, so that strips are nearly equal.
fn groups_per_strip(groups: usize, places: usize) -> usize {
    let narrowest = places.max(1) as f64 * LEAST_STEP / TAKEN;
    let fit = ((f64::from(WIDTH - RIGHT - LEFT) / narrowest) as usize).max(1);
    let strips = groups.div_ceil(fit).max(1);
    groups.div_ceil(strips).max(1)
}

/// Groups beside each other.
struct Strip<'a> {
    groups: &'a [Group],
    /// The lines of each one's label.
    names: &'a [Vec<String>],
    frame: Frame,
}

impl Strip<'_> {
    /// Draws groups of `width` units, with their names below.
    fn draw(&self, canvas: &Canvas<'_>, width: f64, place: impl Fn(usize) -> String) -> Result<()> {
        let frame = &self.frame;
        for (i, (group, lines)) in self.groups.iter().zip(self.names).enumerate() {
            let left = f64::from(frame.left) + width * i as f64;
            if i > 0 {
                let x = left as i32;
                canvas.line(vec![(x, frame.top), (x, frame.bottom)], FAINT, DENSITY)?;
            }
            group.draw(canvas, frame, (left, width), &place)?;
            for (row, line) in lines.iter().enumerate() {
                let y = frame.bottom + (26 + 18 * row as i32) * DENSITY;
                let at = ((left + width / 2.0) as i32, y);
                canvas.text(at, line, SMALL, BLACK, Anchor::TopCentre)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Draws the dots between `left` and `left + width`, with the places' names below and the mark across.
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        frame: &Frame,
        (left, width): (f64, f64),
        place: impl Fn(usize) -> String,
    ) -> Result<()> {
        let count = self.dots.len().max(1) as f64;
        let step = (width * TAKEN / count).min(WIDEST_STEP);
        let start = left + (width - step * count) / 2.0;
        if let Some(mark) = self.mark {
            let y = frame.y_at(mark);
            let ends = [left as i32 + 6, (left + width) as i32 - 6];
            canvas.line(vec![(ends[0], y), (ends[1], y)], BLACK, 2 * DENSITY)?;
        }
        for (j, dot) in self.dots.iter().enumerate() {
            let x = (start + step * (j as f64 + 0.5)) as i32;
            self.draw_dot(canvas, frame, x, dot)?;
            let below = (x, frame.bottom + 5 * DENSITY);
            canvas.text(below, &place(j), SMALL, GREY, Anchor::TopCentre)?;
        }
        Ok(())
    }

    fn draw_dot(&self, canvas: &Canvas<'_>, frame: &Frame, x: i32, dot: &Dot) -> Result<()> {
        let Some((value, reach)) = dot.extent() else {
            return draw_diverged(canvas, (x, frame.bottom), dot.diverged);
        };
        let (color, y) = (self.color, frame.y_at(value));
        let ends = [value - reach, value + reach].map(|v| frame.y_at(v));
        if let Some(best) = dot.best {
            let y = frame.y_at(best);
            let ends = [x - 6 * DENSITY, x + 6 * DENSITY];
            canvas.line(vec![(ends[0], y), (ends[1], y)], BLACK, 2 * DENSITY)?;
        }
        if dot.is_single() {
            if reach > 0.0 {
                canvas.line(vec![(x, ends[0]), (x, ends[1])], GREY, DENSITY)?;
            }
            canvas.dot((x, y), 5 * DENSITY, color)?;
            canvas.dot((x, y), 3 * DENSITY, WHITE)?;
        } else {
            canvas.line(vec![(x, ends[0]), (x, ends[1])], color, 2 * DENSITY)?;
            for end in ends {
                let half = 4 * DENSITY;
                canvas.line(vec![(x - half, end), (x + half, end)], color, 2 * DENSITY)?;
            }
            canvas.dot((x, y), 5 * DENSITY, color)?;
            // Drawn beside the mean, which would hide them.
            for seed in &dot.values {
                canvas.dot((x + 8 * DENSITY, frame.y_at(*seed)), 3 * DENSITY / 2, BLACK)?;
            }
        }
        draw_diverged(canvas, (x, ends[1].min(y)), dot.diverged)
    }
}

/// A cross above `at` for runs that diverged, with their number if there are several.
fn draw_diverged(canvas: &Canvas<'_>, (x, y): (i32, i32), runs: usize) -> Result<()> {
    let text = match runs {
        0 => return Ok(()),
        1 => "×".to_string(),
        n => format!("{n}×"),
    };
    canvas.text((x, y - 4 * DENSITY), &text, LABEL, BLACK, Anchor::BottomCentre)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dots: Vec<Dot>) -> Vec<Group> {
        vec![Group { label: String::new(), color: BLACK, dots, mark: None }]
    }

    #[test]
    fn one_run_is_not_said_to_be_several() {
        let single = Dot { values: vec![2.0], ..Dot::default() };
        assert!(single.is_single() && single.extent() == Some((2.0, 0.0)));
        let seeds = Dot { values: vec![2.0, 4.0], spread: 0.5, ..Dot::default() };
        assert!(!seeds.is_single() && seeds.extent() == Some((3.0, 1.0)));
        assert_eq!(Dot::default().extent(), None);
        let text = DotChart::legend(&of(vec![single]), "splits");
        assert!(
            text.contains("n = 1") && !text.contains("seeds") && !text.contains("thin lines"),
            "{text}"
        );
    }

    #[test]
    fn runs_that_diverged_are_said_beside_those_that_did_not() {
        let seeds = Dot { values: vec![2.0, 4.0], ..Dot::default() };
        let said =
            |diverged| DotChart::legend(&of(vec![Dot { diverged, ..seeds.clone() }]), "splits");
        assert!(!said(0).contains("diverged") && said(1).contains("diverged"));
    }

    #[test]
    fn many_groups_are_drawn_in_strips_of_nearly_equal_numbers() {
        assert_eq!(groups_per_strip(0, 6), 1);
        assert_eq!(groups_per_strip(9, 6), 9, "as wide as the page allows");
        assert_eq!(groups_per_strip(19, 6), 10);
        assert_eq!(groups_per_strip(22, 6), 8);
        assert_eq!(groups_per_strip(3, 500), 1, "a group is never divided");
    }

    #[test]
    fn the_axis_reaches_from_the_smallest_value_to_the_largest() {
        let values = [4.0, 9.0, 40.0].map(|v| Dot { values: vec![v], ..Dot::default() });
        let chart = DotChart {
            stem: String::new(),
            title: String::new(),
            notes: Vec::new(),
            scale: Scale::Log,
            label: String::new(),
            places: Vec::new(),
            groups: of(values.to_vec()),
            line: Some(("real data".into(), 0.05)),
            foot: Vec::new(),
        };
        let frame = chart.frame(0, 1000);
        assert!((900..1000).contains(&frame.y_at(4.0)) && frame.y_at(40.0) > 0);
        assert_eq!(frame.y_at(0.05), 1000, "the real data do not stretch it");
    }
}
