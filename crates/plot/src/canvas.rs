//! A figure's surface: size, colors, text and legend, and the two files that are written.

use crate::ink::{self, Ink};
use crate::{Error, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{BitMapElement, Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
};
use sngan_experiment::atomic;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub(crate) const BLACK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(crate) const GREY: RGBColor = RGBColor(0x70, 0x70, 0x70);
pub(crate) const FAINT: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
pub(crate) const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// Colors that most color-blind readers can tell apart (Okabe and Ito), then a gray.
pub(crate) const PALETTE: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x66, 0x66, 0x66),
    RGBColor(0x88, 0x22, 0x55),
];

/// A shape that tells series apart where colors do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    /// A triangle on its tip.
    Wedge,
    Plus,
    Cross,
    Ring,
}

/// Markers in the order of [`PALETTE`].
pub(crate) const MARKERS: [Marker; 8] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Wedge,
    Marker::Plus,
    Marker::Cross,
    Marker::Ring,
];

/// How a series looks: the same in all figures for one method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub(crate) color: RGBColor,
    pub(crate) marker: Marker,
}

impl Look {
    /// The look with this number; after eight of them they repeat.
    pub(crate) fn numbered(index: usize) -> Look {
        Look { color: PALETTE[index % PALETTE.len()], marker: MARKERS[index % MARKERS.len()] }
    }
}

/// Units per pixel of the page. Figures are drawn twice as large as they are shown, so that whole
/// coordinates are fine enough.
pub(crate) const DENSITY: i32 = 2;
/// Font sizes in units.
pub(crate) const LABEL: i32 = 15 * DENSITY;
pub(crate) const SMALL: i32 = 13 * DENSITY;

/// Which point of a text its position refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Left,
    Right,
    Centre,
    TopLeft,
    TopCentre,
    BottomCentre,
    /// Centered, reading upward.
    Upwards,
}

/// What figures draw on, in units.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<Ink<'a>, Shift>,
    what: String,
}

type Point = (i32, i32);

/// The heading of a figure, which makes it understandable alone: its name, then how its runs and
/// scores were made.
pub(crate) struct Heading {
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
}

const MARGIN: i32 = 16 * DENSITY;
const LINE: i32 = 19 * DENSITY;

/// Width of a text, units.
pub(crate) fn text_width(text: &str, size: i32) -> std::io::Result<i32> {
    Ok(ink::text_width(text, f64::from(size))?.ceil() as i32)
}

/// A small text's lines, none wider than `width` units if its words allow that.
fn wrapped(text: &str, width: i32) -> std::io::Result<Vec<String>> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let longer = if line.is_empty() { word.to_string() } else { format!("{line} {word}") };
        if !line.is_empty() && text_width(&longer, SMALL)? > width {
            lines.push(std::mem::replace(&mut line, word.to_string()));
        } else {
            line = longer;
        }
    }
    lines.push(line);
    Ok(lines)
}

/// Each text's lines in the figure `what`, as [`wrapped`].
pub(crate) fn lines_of<'t>(
    what: &str,
    texts: impl IntoIterator<Item = &'t String>,
    width: i32,
) -> Result<Vec<Vec<String>>> {
    let lines = texts.into_iter().map(|text| wrapped(text, width));
    let lines = lines.collect::<std::io::Result<_>>();
    lines.map_err(|e| Error::Draw { what: what.into(), reason: e.to_string() })
}

impl Heading {
    /// The notes' lines, none wider than `width` units.
    fn wrapped(&self, width: i32) -> std::io::Result<Vec<String>> {
        let notes = self.notes.iter().map(|note| wrapped(note, width - 2 * MARGIN));
        Ok(notes.collect::<std::io::Result<Vec<_>>>()?.concat())
    }
}

/// Draws a figure of `size` units below its heading and writes `folder/stem.svg` and `.png`.
pub(crate) fn draw(
    folder: &Path,
    stem: &str,
    size: Point,
    heading: &Heading,
    paint: impl FnOnce(&Canvas<'_>) -> Result<()>,
) -> Result<Vec<PathBuf>> {
    let failed = |reason: String| Error::Draw { what: stem.to_string(), reason };
    let lines = heading.wrapped(size.0).map_err(|e| failed(e.to_string()))?;
    let above = 24 * DENSITY + LABEL + lines.len() as i32 * LINE;
    let (width, height) = (size.0 as u32, (size.1 + above) as u32);
    let mut buffer = vec![0xff; (width * height * 3) as usize];
    let svg = Rc::new(RefCell::new(String::new()));
    {
        let ink = Ink::new(&mut buffer, (width, height), svg.clone())
            .map_err(|e| failed(e.to_string()))?;
        let page = Canvas { area: ink.into_drawing_area(), what: stem.to_string() };
        page.rectangle((0, 0), (size.0, size.1 + above), WHITE)?;
        page.text((MARGIN, 12 * DENSITY), &heading.title, LABEL, BLACK, Anchor::TopLeft)?;
        for (i, line) in lines.iter().enumerate() {
            page.text(
                (MARGIN, 20 * DENSITY + LABEL + i as i32 * LINE),
                line,
                SMALL,
                GREY,
                Anchor::TopLeft,
            )?;
        }
        let (_, below) = page.area.split_vertically(above);
        paint(&Canvas { area: below, what: stem.to_string() })?;
        page.area.present().map_err(|e| failed(e.to_string()))?;
    }
    let (w, h) = (width as i32 / DENSITY, height as i32 / DENSITY);
    let sentences = std::iter::once(&heading.title)
        .chain(&heading.notes)
        .map(|s| s.trim_end_matches('.'))
        .collect::<Vec<_>>();
    let escaped = format!("{}.", sentences.join(". ")).replace('&', "&amp;").replace('<', "&lt;");
    let text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {width} {height}\">\n<title>{escaped}</title>\n{}</svg>\n",
        svg.borrow()
    );
    let image = image::RgbImage::from_raw(width, height, buffer)
        .ok_or_else(|| failed("the buffer has another size".into()))?;
    let mut png = Vec::new();
    // Drawings are kept permanently and made in seconds, so size matters more than speed.
    image
        .write_with_encoder(PngEncoder::new_with_quality(
            &mut png,
            CompressionType::Best,
            FilterType::Adaptive,
        ))
        .map_err(|e| failed(e.to_string()))?;
    let paths = [("svg", text.as_bytes()), ("png", &png)]
        .map(|(extension, bytes)| (folder.join(format!("{stem}.{extension}")), bytes));
    for (path, bytes) in &paths {
        atomic::write(path, bytes)?;
    }
    Ok(paths.map(|(path, _)| path).to_vec())
}

impl Canvas<'_> {
    fn checked<E: std::error::Error + Send + Sync>(
        &self,
        result: std::result::Result<(), plotters::drawing::DrawingAreaErrorKind<E>>,
    ) -> Result<()> {
        result.map_err(|e| Error::Draw { what: self.what.clone(), reason: e.to_string() })
    }

    pub(crate) fn rectangle(&self, a: Point, b: Point, color: RGBColor) -> Result<()> {
        self.checked(self.area.draw(&Rectangle::new([a, b], color.filled())))
    }

    pub(crate) fn outline(&self, a: Point, b: Point, color: RGBColor) -> Result<()> {
        self.checked(self.area.draw(&Rectangle::new([a, b], color.stroke_width(DENSITY as u32))))
    }

    pub(crate) fn line(&self, points: Vec<Point>, color: RGBColor, width: i32) -> Result<()> {
        let style: ShapeStyle = color.stroke_width(width as u32);
        self.checked(self.area.draw(&PathElement::new(points, style)))
    }

    /// A filled translucent polygon.
    pub(crate) fn shade(&self, points: Vec<Point>, color: RGBColor) -> Result<()> {
        self.checked(self.area.draw(&Polygon::new(points, color.mix(0.2))))
    }

    /// A filled circle.
    pub(crate) fn dot(&self, at: Point, radius: i32, color: RGBColor) -> Result<()> {
        self.checked(self.area.draw(&Circle::new(at, radius, color.filled())))
    }

    /// A series' mark, about `2 · radius` units wide and high.
    pub(crate) fn mark(&self, (x, y): Point, radius: i32, look: Look) -> Result<()> {
        let Look { color, marker } = look;
        let r = radius;
        let fill = |points: Vec<Point>| {
            self.checked(self.area.draw(&Polygon::new(points, color.filled())))
        };
        let stroke = |a: Point, b: Point| self.line(vec![a, b], color, (2 * r / 3).max(DENSITY));
        match marker {
            Marker::Circle => self.dot((x, y), r, color),
            Marker::Ring => {
                self.dot((x, y), r, color)?;
                self.dot((x, y), r / 2, WHITE)
            }
            Marker::Square => self.rectangle((x - r, y - r), (x + r, y + r), color),
            Marker::Triangle => fill(vec![(x - r, y + r), (x + r, y + r), (x, y - r)]),
            Marker::Wedge => fill(vec![(x - r, y - r), (x + r, y - r), (x, y + r)]),
            Marker::Diamond => {
                let r = r + r / 3;
                fill(vec![(x - r, y), (x, y + r), (x + r, y), (x, y - r)])
            }
            Marker::Plus => {
                stroke((x - r, y), (x + r, y))?;
                stroke((x, y - r), (x, y + r))
            }
            Marker::Cross => {
                stroke((x - r, y - r), (x + r, y + r))?;
                stroke((x - r, y + r), (x + r, y - r))
            }
        }
    }

    /// A horizontal dashed line.
    pub(crate) fn dashes(&self, (x0, x1): (i32, i32), y: i32, color: RGBColor) -> Result<()> {
        const DASH: i32 = 8 * DENSITY;
        for x in (x0..x1).step_by(DASH as usize * 2) {
            self.line(vec![(x, y), ((x + DASH).min(x1), y)], color, DENSITY)?;
        }
        Ok(())
    }

    /// A dashed line through several points; the dashes continue around corners.
    pub(crate) fn dashed_line(&self, points: &[Point], color: RGBColor, width: i32) -> Result<()> {
        const DASH: f64 = 7.0 * DENSITY as f64;
        let mut walked = 0.0;
        for ends in points.windows(2) {
            let (a, b) = (ends[0], ends[1]);
            let (dx, dy) = (f64::from(b.0 - a.0), f64::from(b.1 - a.1));
            let length = dx.hypot(dy);
            let at = |t: f64| {
                (a.0 + (dx * t / length).round() as i32, a.1 + (dy * t / length).round() as i32)
            };
            let mut from = 0.0;
            while from < length {
                let phase = (walked + from) / DASH;
                // A sliver left by rounding would make no progress.
                let to = (from + ((phase.floor() + 1.0 - phase) * DASH).max(0.5)).min(length);
                if phase.floor() as i64 % 2 == 0 {
                    self.line(vec![at(from), at(to)], color, width)?;
                }
                from = to;
            }
            walked += length;
        }
        Ok(())
    }

    /// An image, `rgb` interleaved.
    pub(crate) fn image(&self, at: Point, (width, height): (u32, u32), rgb: &[u8]) -> Result<()> {
        let element = BitMapElement::with_ref(at, (width, height), rgb);
        let element = element.ok_or_else(|| Error::Draw {
            what: self.what.clone(),
            reason: "an image of another size".into(),
        })?;
        self.checked(self.area.draw(&element))
    }

    pub(crate) fn text(
        &self,
        at: Point,
        text: &str,
        size: i32,
        color: RGBColor,
        anchor: Anchor,
    ) -> Result<()> {
        let (h, v) = match anchor {
            Anchor::Left => (HPos::Left, VPos::Center),
            Anchor::Right => (HPos::Right, VPos::Center),
            Anchor::Centre | Anchor::Upwards => (HPos::Center, VPos::Center),
            Anchor::TopLeft => (HPos::Left, VPos::Top),
            Anchor::TopCentre => (HPos::Center, VPos::Top),
            Anchor::BottomCentre => (HPos::Center, VPos::Bottom),
        };
        let transform = if matches!(anchor, Anchor::Upwards) {
            FontTransform::Rotate270
        } else {
            FontTransform::None
        };
        let font = FontDesc::new(FontFamily::SansSerif, f64::from(size), FontStyle::Normal)
            .transform(transform);
        let style = TextStyle::from(font).pos(Pos::new(h, v)).color(&color);
        self.checked(self.area.draw(&Text::new(text.to_string(), at, style)))
    }

    /// Width of a text, units.
    pub(crate) fn text_width(&self, text: &str, size: i32) -> Result<i32> {
        text_width(text, size).map_err(|e| self.failed(&e))
    }

    /// Entries in rows from `at`, none beyond `right`, each a mark and a name.
    pub(crate) fn legend(&self, at: Point, right: i32, entries: &[(String, Look)]) -> Result<()> {
        let places = legend_places(right - at.0, entries).map_err(|e| self.failed(&e))?;
        for ((name, look), (dx, row)) in entries.iter().zip(places) {
            let (x, y) = (at.0 + dx, at.1 + row * LEGEND_ROW);
            self.mark((x + SQUARE / 2, y), SQUARE / 2 - DENSITY / 2, *look)?;
            self.text((x + SQUARE + 6 * DENSITY, y), name, SMALL, BLACK, Anchor::Left)?;
        }
        Ok(())
    }

    fn failed(&self, e: &std::io::Error) -> Error {
        Error::Draw { what: self.what.clone(), reason: e.to_string() }
    }
}

/// Side of the square that a legend's mark has, units.
const SQUARE: i32 = 12 * DENSITY;
/// Height of a row of a legend, units.
pub(crate) const LEGEND_ROW: i32 = 22 * DENSITY;

/// Where a legend's entries go in `width` units: offset and row.
fn legend_places(width: i32, entries: &[(String, Look)]) -> std::io::Result<Vec<(i32, i32)>> {
    let (mut places, mut x, mut row) = (Vec::new(), 0, 0);
    for (name, _) in entries {
        let entry = SQUARE + text_width(name, SMALL)? + 24 * DENSITY;
        if x > 0 && x + entry > width {
            (x, row) = (0, row + 1);
        }
        places.push((x, row));
        x += entry;
    }
    Ok(places)
}

/// The height of a legend, units.
pub(crate) fn legend_height(what: &str, width: i32, entries: &[(String, Look)]) -> Result<i32> {
    let places = legend_places(width, entries)
        .map_err(|e| Error::Draw { what: what.into(), reason: e.to_string() })?;
    Ok(places.last().map_or(0, |(_, row)| (row + 1) * LEGEND_ROW))
}
