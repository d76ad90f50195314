//! Grouped bars from 0. For several rounds, a bar shows the mean with its standard error, and a dot
//! for each round.

use crate::canvas::{
    Anchor, BLACK, Canvas, DENSITY, GREY, Heading, LEGEND_ROW, Look, SMALL, draw, legend_height,
    lines_of,
};
use crate::frame::{Axis, Frame, Scale};
use crate::statistics::summary;
use crate::{Rendered, Result};
use plotters::style::RGBColor;
use std::path::Path;

const SIZE: (i32, i32) = (960 * DENSITY, 440 * DENSITY);
const LEFT: i32 = 84 * DENSITY;
const RIGHT: i32 = 20 * DENSITY;
/// Height of a line of a group's name.
const NAME: i32 = 18 * DENSITY;
/// Width of a bar where there is much room, units.
const WIDEST_BAR: f64 = 40.0 * DENSITY as f64;

/// One bar of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bar {
    /// One value per round.
    pub(crate) values: Vec<f64>,
}

/// The bars of one name below the axis.
pub(crate) struct Group {
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
}

/// A whole figure.
pub(crate) struct BarChart {
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
    pub(crate) label: String,
    /// Name and look of the bar at each place of a group.
    pub(crate) places: Vec<(String, Look)>,
    pub(crate) groups: Vec<Group>,
    /// Lines below the axis.
    pub(crate) foot: Vec<String>,
}

impl Bar {
    /// Value and reach.
    fn extent(&self) -> Option<(f64, f64)> {
        let s = summary(&self.values)?;
        Some((s.mean, s.standard_error.unwrap_or(0.0)))
    }
}

impl BarChart {
    /// Writes the figure.
    pub(crate) fn render(&self, folder: &Path) -> Result<Rendered> {
        let above = 8 * DENSITY
            + legend_height(&self.stem, SIZE.0 - 2 * LEFT - 120 * DENSITY, &self.places)?;
        let group = (SIZE.0 - RIGHT - LEFT) / self.groups.len().max(1) as i32;
        let labels = self.groups.iter().map(|g| &g.label);
        let names = lines_of(&self.stem, labels, group - 6 * DENSITY)?;
        let rows = names.iter().map(Vec::len).max().unwrap_or(1) as i32;
        let foot = lines_of(&self.stem, &self.foot, SIZE.0 - RIGHT - LEFT)?.concat();
        let further = (rows - 1) * NAME;
        let below = further + (34 + 20 * foot.len() as i32) * DENSITY;
        let size = (SIZE.0, SIZE.1 + above + further);
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
            for (i, (group, name)) in self.groups.iter().zip(&names).enumerate() {
                let left = f64::from(frame.left) + width * i as f64;
                group.draw(canvas, &frame, (left, width), &self.places)?;
                for (row, line) in name.iter().enumerate() {
                    let y = frame.bottom + 8 * DENSITY + row as i32 * NAME;
                    let at = ((left + width / 2.0) as i32, y);
                    canvas.text(at, line, SMALL, BLACK, Anchor::TopCentre)?;
                }
            }
            for (i, line) in foot.iter().enumerate() {
                let y = frame.bottom + further + (32 + 20 * i as i32) * DENSITY;
                canvas.text((LEFT, y), line, SMALL, GREY, Anchor::TopLeft)?;
            }
            Ok(())
        })?;
        Ok(Rendered::Written(paths))
    }

    fn frame(&self, top: i32, bottom: i32) -> Frame {
        let bars = || self.groups.iter().flat_map(|g| &g.bars);
        let extents = bars().filter_map(Bar::extent).map(|(v, s)| v + s);
        let high = extents.chain(bars().flat_map(|b| b.values.iter().copied())).fold(0.0, f64::max);
        let y = Axis::new(Scale::Linear, 0.0, high * 1.08, self.label.clone());
        Frame {
            left: LEFT,
            top,
            right: SIZE.0 - RIGHT,
            bottom,
            x: Axis::new(Scale::Linear, 0.0, 1.0, ""),
            y,
        }
    }
}

impl Group {
    /// Draws the bars between `left` and `left + width` in the colors of their places.
    fn draw(
        &self,
        canvas: &Canvas<'_>,
        frame: &Frame,
        (left, width): (f64, f64),
        places: &[(String, Look)],
    ) -> Result<()> {
        let gap = width * 0.14;
        let step = ((width - gap) / self.bars.len().max(1) as f64).min(WIDEST_BAR);
        let start = left + (width - step * self.bars.len() as f64) / 2.0;
        for (j, (bar, (_, look))) in self.bars.iter().zip(places).enumerate() {
            let x0 = (start + step * j as f64) as i32;
            let x1 = (start + step * (j + 1) as f64) as i32 - DENSITY;
            draw_bar(canvas, frame, (x0, x1), bar, look.color)?;
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
    let Some((value, reach)) = bar.extent() else { return Ok(()) };
    canvas.rectangle((x0, frame.y_at(value)), (x1, frame.bottom), color)?;
    if bar.values.len() == 1 {
        return Ok(());
    }
    for end in whisker(value, reach, BLACK)? {
        canvas.line(
            vec![(middle - 3 * DENSITY, end), (middle + 3 * DENSITY, end)],
            BLACK,
            DENSITY,
        )?;
    }
    bar.values.iter().try_for_each(|v| canvas.dot((middle, frame.y_at(*v)), 2 * DENSITY, BLACK))
}
