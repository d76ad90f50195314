//! One plotters backend that writes SVG and pixels at the same time, so that both always show the same.
//!
//! Text becomes glyph outlines of an embedded font in the SVG, and coverage of the same outlines in the pixels: no system font is needed,
//! and every machine draws the same.

use ab_glyph::{Font, FontRef, GlyphId, OutlineCurve, Point, PxScale, ScaleFont};
use base64::Engine;
use plotters::backend::BitMapBackend;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform, text_anchor,
};
use std::cell::RefCell;
use std::fmt::Write;
use std::io;
use std::rc::Rc;

const FONT: &[u8] = include_bytes!("../assets/DejaVuSans.ttf");

type Outcome = Result<(), DrawingErrorKind<io::Error>>;

/// The embedded font.
fn font() -> io::Result<FontRef<'static>> {
    FontRef::try_from_slice(FONT).map_err(|e| io::Error::other(format!("embedded font: {e}")))
}

/// Width of a text of `size` pixels per em, before there is anything to draw on.
pub(crate) fn text_width(text: &str, size: f64) -> io::Result<f32> {
    Ok(Line::new(&font()?, text, size).width)
}

fn failed(e: impl std::fmt::Display) -> DrawingErrorKind<io::Error> {
    DrawingErrorKind::DrawingError(io::Error::other(e.to_string()))
}

/// The backend. SVG elements are appended to `svg`; pixels go to the buffer it borrows.
pub(crate) struct Ink<'a> {
    svg: Rc<RefCell<String>>,
    pixels: BitMapBackend<'a>,
    font: FontRef<'static>,
}

/// A text's glyphs with their offsets from its start, and its width, pixels.
struct Line {
    glyphs: Vec<(GlyphId, f32)>,
    width: f32,
}

/// ab_glyph's scale for a font size in pixels per em.
fn scale(font: &FontRef<'_>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

impl Line {
    fn new(font: &FontRef<'_>, text: &str, size: f64) -> Line {
        let font = font.as_scaled(scale(font, size));
        let (mut glyphs, mut width, mut last) = (Vec::new(), 0.0, None);
        for c in text.chars() {
            let id = font.glyph_id(c);
            if let Some(last) = last {
                width += font.kern(last, id);
            }
            glyphs.push((id, width));
            width += font.h_advance(id);
            last = Some(id);
        }
        Line { glyphs, width }
    }
}

impl<'a> Ink<'a> {
    /// Draws on `buffer`, `[height, width, 3]` bytes.
    pub(crate) fn new(
        buffer: &'a mut [u8],
        size: (u32, u32),
        svg: Rc<RefCell<String>>,
    ) -> io::Result<Ink<'a>> {
        Ok(Ink { svg, pixels: BitMapBackend::with_buffer(buffer, size), font: font()? })
    }

    fn element(&self, text: std::fmt::Arguments<'_>) -> Outcome {
        writeln!(self.svg.borrow_mut(), "{text}").map_err(failed)
    }

    /// The pixels of a stroke, each with its covered share. The pixel backend's own wide lines are
    /// ragged, and get thinner the more they slant.
    fn stroke(&mut self, path: &[BackendCoord], color: BackendColor, width: f32) -> Outcome {
        let reach = (width / 2.0).ceil() as i32 + 1;
        let (image_width, image_height) = self.pixels.get_size();
        // The first pixel, and one past the last, that a segment between two coordinates may touch.
        let span = |a: i32, b: i32, size: u32| {
            ((a.min(b) - reach).max(0), (a.max(b) + reach).min(size as i32))
        };
        let range = |f: fn(&BackendCoord) -> i32, size| {
            let ends = path.iter().map(f);
            span(ends.clone().min().unwrap_or(0), ends.max().unwrap_or(0), size)
        };
        let ((x0, x1), (y0, y1)) = (range(|p| p.0, image_width), range(|p| p.1, image_height));
        let columns = (x1 - x0).max(0) as usize;
        let mut covered = vec![0f32; columns * (y1 - y0).max(0) as usize];
        for ends in path.windows(2) {
            let ((left, right), (top, bottom)) =
                (span(ends[0].0, ends[1].0, image_width), span(ends[0].1, ends[1].1, image_height));
            for y in top..bottom {
                for x in left..right {
                    let far = distance((x as f32 + 0.5, y as f32 + 0.5), ends[0], ends[1]);
                    let share = &mut covered[(y - y0) as usize * columns + (x - x0) as usize];
                    *share = share.max((width / 2.0 + 0.5 - far).clamp(0.0, 1.0));
                }
            }
        }
        for (i, share) in covered.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
            let at = (x0 + (i % columns) as i32, y0 + (i / columns) as i32);
            let color = BackendColor { alpha: color.alpha * f64::from(share), rgb: color.rgb };
            pixels(self.pixels.draw_pixel(at, color))?;
        }
        Ok(())
    }

    /// SVG path data of a glyph whose origin is at (x, y) before `place` turns it.
    fn outline(&self, id: GlyphId, factor: f32, place: impl Fn(f32, f32) -> (f32, f32)) -> String {
        let mut data = String::new();
        let mut at: Option<Point> = None;
        let show = |p: Point| {
            let (x, y) = place(p.x * factor, -p.y * factor);
            format!("{x:.1} {y:.1}")
        };
        for curve in self.font.outline(id).map(|o| o.curves).unwrap_or_default() {
            let (start, end, body) = match curve {
                OutlineCurve::Line(a, b) => (a, b, format!("L{}", show(b))),
                OutlineCurve::Quad(a, b, c) => (a, c, format!("Q{} {}", show(b), show(c))),
                OutlineCurve::Cubic(a, b, c, d) => {
                    (a, d, format!("C{} {} {}", show(b), show(c), show(d)))
                }
            };
            if at != Some(start) {
                data += &format!("{}M{}", if at.is_some() { "Z" } else { "" }, show(start));
            }
            data += &body;
            at = Some(end);
        }
        if !data.is_empty() {
            data.push('Z');
        }
        data
    }
}

/// Distance of a point from a segment.
fn distance((x, y): (f32, f32), a: BackendCoord, b: BackendCoord) -> f32 {
    let (ax, ay) = (a.0 as f32, a.1 as f32);
    let (dx, dy) = (b.0 as f32 - ax, b.1 as f32 - ay);
    let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(1e-9);
    let t = along.clamp(0.0, 1.0);
    (x - ax - t * dx).hypot(y - ay - t * dy)
}

/// `fill` or `stroke` with its opacity.
fn paint(kind: &str, color: BackendColor) -> String {
    let (r, g, b) = color.rgb;
    let opacity = if color.alpha < 1.0 {
        format!(" {kind}-opacity=\"{:.3}\"", color.alpha)
    } else {
        String::new()
    };
    format!("{kind}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}

fn points(path: &[BackendCoord]) -> String {
    path.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

/// The pixel backend's errors as ours.
fn pixels<E: std::error::Error + Send + Sync>(result: Result<(), DrawingErrorKind<E>>) -> Outcome {
    result.map_err(failed)
}

impl DrawingBackend for Ink<'_> {
    type ErrorType = io::Error;

    fn get_size(&self) -> (u32, u32) {
        self.pixels.get_size()
    }

    fn ensure_prepared(&mut self) -> Outcome {
        pixels(self.pixels.ensure_prepared())
    }

    fn present(&mut self) -> Outcome {
        pixels(self.pixels.present())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Outcome {
        self.element(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" {}/>",
            paint("fill", color)
        ))?;
        pixels(self.pixels.draw_pixel((x, y), color))
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Outcome {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        a: BackendCoord,
        b: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Outcome {
        let (x, y, width, height) =
            (a.0.min(b.0), a.1.min(b.1), (b.0 - a.0).abs(), (b.1 - a.1).abs());
        let ink = if fill {
            paint("fill", style.color())
        } else {
            format!(
                "fill=\"none\" {} stroke-width=\"{}\"",
                paint("stroke", style.color()),
                style.stroke_width()
            )
        };
        self.element(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {ink}/>"
        ))?;
        if fill {
            return pixels(self.pixels.draw_rect(a, b, style, true));
        }
        self.stroke(&[a, (b.0, a.1), b, (a.0, b.1), a], style.color(), style.stroke_width() as f32)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Outcome {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        let ink = paint("stroke", style.color());
        let width = style.stroke_width();
        self.element(format_args!(
            "<polyline points=\"{}\" fill=\"none\" {ink} stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
            points(&path)
        ))?;
        self.stroke(&path, style.color(), width as f32)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Outcome {
        let ink = if fill {
            paint("fill", style.color())
        } else {
            format!("fill=\"none\" {}", paint("stroke", style.color()))
        };
        self.element(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {ink}/>"))?;
        pixels(self.pixels.draw_circle((x, y), radius, style, fill))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Outcome {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        self.element(format_args!(
            "<polygon points=\"{}\" {}/>",
            points(&path),
            paint("fill", style.color())
        ))?;
        pixels(self.pixels.fill_polygon(path, style))
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        pos: BackendCoord,
    ) -> Outcome {
        use text_anchor::{HPos, VPos};
        let line = Line::new(&self.font, text, style.size());
        let scaled = self.font.as_scaled(scale(&self.font, style.size()));
        let (ascent, descent) = (scaled.ascent(), scaled.descent());
        let dx = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -line.width / 2.0,
            HPos::Right => -line.width,
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => ascent,
            VPos::Center => (ascent + descent) / 2.0,
            VPos::Bottom => descent,
        };
        let (px, py) = (pos.0 as f32, pos.1 as f32);
        let turn = |x: f32, y: f32| match style.transform() {
            FontTransform::None => (px + x, py + y),
            FontTransform::Rotate90 => (px - y, py + x),
            FontTransform::Rotate180 => (px - x, py - y),
            FontTransform::Rotate270 => (px + y, py - x),
        };
        let factor = style.size() as f32 / self.font.units_per_em().unwrap_or(2048.0);
        let data: String = line
            .glyphs
            .iter()
            .map(|(id, at)| self.outline(*id, factor, |x, y| turn(dx + at + x, baseline + y)))
            .collect();
        self.element(format_args!("<path d=\"{data}\" {}/>", paint("fill", style.color())))?;

        let mut result = Ok(());
        for (id, at) in line.glyphs {
            let glyph = id.with_scale_and_position(
                scale(&self.font, style.size()),
                ab_glyph::point(dx + at, baseline),
            );
            let Some(outlined) = self.font.outline_glyph(glyph) else { continue };
            let origin = outlined.px_bounds().min;
            outlined.draw(|x, y, coverage| {
                // The pixel's center is rotated, so that quarter turns map pixels to pixels.
                let (x, y) = turn(origin.x + x as f32 + 0.5, origin.y + y as f32 + 0.5);
                let color = style.color();
                let color = BackendColor {
                    alpha: color.alpha * f64::from(coverage.min(1.0)),
                    rgb: color.rgb,
                };
                if result.is_ok() {
                    result =
                        pixels(self.pixels.draw_pixel((x.floor() as i32, y.floor() as i32), color));
                }
            });
        }
        result
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<io::Error>> {
        Ok((
            Line::new(&self.font, text, style.size()).width.ceil() as u32,
            style.size().ceil() as u32,
        ))
    }

    fn blit_bitmap(
        &mut self,
        pos: BackendCoord,
        (width, height): (u32, u32),
        rgb: &[u8],
    ) -> Outcome {
        let image = image::RgbImage::from_raw(width, height, rgb.to_vec())
            .ok_or_else(|| failed("a bitmap of another size"))?;
        let mut png = Vec::new();
        image.write_to(&mut io::Cursor::new(&mut png), image::ImageFormat::Png).map_err(failed)?;
        let data = base64::engine::general_purpose::STANDARD.encode(png);
        self.element(format_args!(
            "<image x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\" href=\"data:image/png;base64,{data}\"/>",
            pos.0, pos.1
        ))?;
        pixels(self.pixels.blit_bitmap(pos, (width, height), rgb))
    }
}
