//! Grouped bars. A bar of several seeds is full, with the standard error of its mean and a dot for each seed; the bar of one run is an
//! outline, so that it never looks like many.

use crate::canvas::{
    Anchor, BLACK, Canvas, DENSITY, GREY, Heading, LABEL, LEGEND_ROW, SMALL, WHITE, draw,
    legend_height,
};
use crate::frame::{Axis, Frame, Scale, short};
use crate::statistics::summary;
use crate::{Rendered, Result};
use plotters::style::RGBColor;
use std::path::Path;

const SIZE: (i32, i32) = (960 * DENSITY, 440 * DENSITY);
const LEFT: i32 = 84 * DENSITY;
/// Width of a bar where there is much room, units.
const WIDEST_BAR: f64 = 40.0 * DENSITY as f64;

/// What stands at a place of a group: nothing, where no run has ended yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bar {
    /// One value a seed.
    pub(crate) values: Vec<f64>,
    /// How far a single run's own measurements spread.
    pub(crate) spread: f64,
    /// Runs that diverged and so have no value.
    pub(crate) diverged: usize,
}

/// The bars of one name below the axis.
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
    /// At the same places a second value, where it is another: the mean of the best scores during training.
    pub(crate) best: Vec<Option<f64>>,
    /// A value to draw a line at across the group.
    pub(crate) mark: Option<f64>,
}

/// A whole figure.
pub(crate) struct BarChart {
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
    pub(crate) scale: Scale,
    pub(crate) label: String,
    /// Name and colour of the bar at each place of a group.
    pub(crate) places: Vec<(String, RGBColor)>,
    pub(crate) groups: Vec<Group>,
    /// A dashed line over all groups, and its name.
    pub(crate) line: Option<(String, f64)>,
    /// Lines below the axis.
    pub(crate) foot: Vec<String>,
}

impl Bar {
    /// Value and reach.
    fn extent(&self) -> Option<(f64, f64)> {
        let s = summary(&self.values)?;
        Some((s.mean, s.standard_error.unwrap_or(self.spread)))
    }

    fn is_single(&self) -> bool {
        self.values.len() == 1
    }
}

impl BarChart {
    /// What the marks at the bars mean, for a caption; `within` is what a single run's spread is over.
    pub(crate) fn legend_of_bars(groups: &[Group], within: &str) -> String {
        let any = |f: fn(&Bar) -> bool| groups.iter().flat_map(|g| &g.bars).any(f);
        let mut text = String::new();
        let seeds = groups.iter().flat_map(|g| &g.bars).map(|b| b.values.len()).filter(|n| *n > 1);
        if let (Some(least), Some(most)) = (seeds.clone().min(), seeds.max()) {
            let n = if least == most { format!("{most}") } else { format!("{least} to {most}") };
            text += &format!(
                " Full bars: mean over {n} seeds, whiskers its standard error, dots the seeds."
            );
        }
        if any(Bar::is_single) {
            let lines = format!(", thin lines the standard deviation over its {within}");
            let spread = any(|b| b.is_single() && b.spread > 0.0);
            text += &format!(
                " Outlined bars: one run (n = 1){}.",
                if spread { lines.as_str() } else { "" }
            );
        }
        if groups.iter().any(|g| g.best.iter().any(Option::is_some)) {
            text += " Bars: after the last update; short lines: mean of the best during training.";
        }
        if any(|b| b.diverged > 0) {
            text += " ×:\u{a0}runs that diverged, which are in no mean.";
        }
        text
    }

    /// Writes the figure.
    pub(crate) fn render(&self, folder: &Path) -> Result<Rendered> {
        let above = 8 * DENSITY
            + legend_height(&self.stem, SIZE.0 - 2 * LEFT - 120 * DENSITY, &self.places)?;
        let below = (34 + 20 * self.foot.len() as i32) * DENSITY;
        let size = (SIZE.0, SIZE.1 + above);
        let frame = self.frame(above + 14 * DENSITY, size.1 - below);
        let heading = Heading { title: self.title.clone(), notes: self.notes.clone() };
        let paths = draw(folder, &self.stem, size, &heading, |canvas| {
            frame.draw_y(canvas)?;
            canvas.legend(
                (LEFT, 8 * DENSITY + LEGEND_ROW / 2),
                SIZE.0 - LEFT - 120 * DENSITY,
                &self.places,
            )?;
            let width = f64::from(frame.right - frame.left) / self.groups.len().max(1) as f64;
            for (i, group) in self.groups.iter().enumerate() {
                group.draw(
                    canvas,
                    &frame,
                    (f64::from(frame.left) + width * i as f64, width),
                    &self.places,
                )?;
            }
            // Over the bars: where less is better, every bar would hide it.
            self.draw_line(canvas, &frame)?;
            for (i, line) in self.foot.iter().enumerate() {
                let y = frame.bottom + (32 + 20 * i as i32) * DENSITY;
                canvas.text((LEFT, y), line, SMALL, GREY, Anchor::TopLeft)?;
            }
            Ok(())
        })?;
        Ok(Rendered::Written(paths))
    }

    fn frame(&self, top: i32, bottom: i32) -> Frame {
        let extents = self.groups.iter().flat_map(|g| &g.bars).filter_map(Bar::extent);
        let best = self.groups.iter().flat_map(|g| g.best.iter().copied().flatten());
        let flat = best
            .chain(self.groups.iter().filter_map(|g| g.mark))
            .chain(self.line.iter().map(|l| l.1))
            .map(|v| (v, 0.0));
        let all: Vec<(f64, f64)> = extents.chain(flat).collect();
        let high = all.iter().map(|(v, s)| v + s).fold(0.0, f64::max);
        let low = all.iter().map(|(v, _)| *v).filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let y = match self.scale {
            Scale::Linear => Axis::new(Scale::Linear, 0.0, high * 1.08, self.label.clone()),
            scale => Axis::new(scale, low / 1.5, high * 1.5, self.label.clone()),
        };
        Frame {
            left: LEFT,
            top,
            right: SIZE.0 - 20 * DENSITY,
            bottom,
            x: Axis::new(Scale::Linear, 0.0, 1.0, ""),
            y,
        }
    }

    fn draw_line(&self, canvas: &Canvas<'_>, frame: &Frame) -> Result<()> {
        let Some((name, value)) = &self.line else { return Ok(()) };
        canvas.dashes((frame.left, frame.right), frame.y_at(*value), BLACK)?;
        let text = format!("{name} {}", short((value * 1000.0).round() / 1000.0));
        let (y, width) = (8 * DENSITY + LEGEND_ROW / 2, canvas.text_width(&text, SMALL)?);
        canvas.text((frame.right, y), &text, SMALL, BLACK, Anchor::Right)?;
        let end = frame.right - width - 8 * DENSITY;
        canvas.dashes((end - 40 * DENSITY, end), y, BLACK)
    }
}

impl Group {
    /// Draws the bars between `left` and `left + width` in the colours of their places, with the name below and the mark across.
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        frame: &Frame,
        (left, width): (f64, f64),
        places: &[(String, RGBColor)],
    ) -> Result<()> {
        let gap = width * 0.14;
        let step = ((width - gap) / self.bars.len().max(1) as f64).min(WIDEST_BAR);
        let start = left + (width - step * self.bars.len() as f64) / 2.0;
        for (j, (bar, (_, color))) in self.bars.iter().zip(places).enumerate() {
            let x0 = (start + step * j as f64) as i32;
            let x1 = (start + step * (j + 1) as f64) as i32 - DENSITY;
            draw_bar(canvas, frame, (x0, x1), bar, *color)?;
            if let Some(best) = self.best.get(j).copied().flatten() {
                let y = frame.y_at(best);
                canvas.line(vec![(x0, y), (x1, y)], BLACK, 2 * DENSITY)?;
            }
        }
        let middle = (left + width / 2.0) as i32;
        canvas.text(
            (middle, frame.bottom + 8 * DENSITY),
            &self.label,
            SMALL,
            BLACK,
            Anchor::TopCentre,
        )?;
        if let Some(mark) = self.mark {
            let y = frame.y_at(mark);
            canvas.line(
                vec![(left as i32 + 6, y), ((left + width) as i32 - 6, y)],
                BLACK,
                2 * DENSITY,
            )?;
        }
        Ok(())
    }
}

fn draw_bar(
    canvas: &Canvas<'_>,
    frame: &Frame,
    (x0, x1): (i32, i32),
    bar: &Bar,
    color: RGBColor,
) -> Result<()> {
    let middle = (x0 + x1) / 2;
    let whisker = |value: f64, reach: f64, color| {
        let ends = [value - reach, value + reach].map(|v| frame.y_at(v));
        canvas.line(vec![(middle, ends[0]), (middle, ends[1])], color, DENSITY)?;
        Ok::<_, crate::Error>(ends)
    };
    let Some((value, reach)) = bar.extent() else {
        return draw_diverged(canvas, (middle, frame.bottom), bar.diverged);
    };
    let top = frame.y_at(value);
    if bar.is_single() {
        canvas.rectangle((x0, top), (x1, frame.bottom), WHITE)?;
        canvas.shade(vec![(x0, top), (x1, top), (x1, frame.bottom), (x0, frame.bottom)], color)?;
        canvas.outline((x0, top), (x1, frame.bottom), color)?;
        if reach > 0.0 {
            whisker(value, reach, GREY)?;
        }
    } else {
        canvas.rectangle((x0, top), (x1, frame.bottom), color)?;
        for end in whisker(value, reach, BLACK)? {
            canvas.line(
                vec![(middle - 3 * DENSITY, end), (middle + 3 * DENSITY, end)],
                BLACK,
                DENSITY,
            )?;
        }
        bar.values
            .iter()
            .try_for_each(|v| canvas.dot((middle, frame.y_at(*v)), 2 * DENSITY, BLACK))?;
    }
    draw_diverged(canvas, (middle, frame.y_at(value + reach)), bar.diverged)
}

/// A cross above `at` for runs that diverged, with their number where there are several.
fn draw_diverged(canvas: &Canvas<'_>, (x, y): (i32, i32), runs: usize) -> Result<()> {
    let text = match runs {
        0 => return Ok(()),
        1 => "×".to_string(),
        n => format!("{n}×"),
    };
    canvas.text((x, y - 2 * DENSITY), &text, LABEL, BLACK, Anchor::BottomCentre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_is_not_drawn_as_several() {
        let single = Bar { values: vec![2.0], spread: 0.5, diverged: 0 };
        assert!(single.is_single() && single.extent() == Some((2.0, 0.5)));
        let seeds = Bar { values: vec![2.0, 4.0], spread: 0.5, diverged: 0 };
        assert!(!seeds.is_single() && seeds.extent() == Some((3.0, 1.0)));
        assert_eq!(Bar::default().extent(), None);
        let text = of(vec![Bar { spread: 0.0, ..single }]);
        assert!(
            text.contains("n = 1") && !text.contains("seeds") && !text.contains("thin lines"),
            "{text}"
        );
    }

    #[test]
    fn runs_that_diverged_are_said_beside_those_that_did_not() {
        let seeds = Bar { values: vec![2.0, 4.0], spread: 0.0, diverged: 0 };
        assert!(!of(vec![seeds.clone()]).contains("diverged"));
        assert!(of(vec![Bar { diverged: 1, ..seeds }]).contains("diverged"));
    }

    fn of(bars: Vec<Bar>) -> String {
        BarChart::legend_of_bars(
            &[Group { label: String::new(), bars, best: Vec::new(), mark: None }],
            "splits",
        )
    }
}
