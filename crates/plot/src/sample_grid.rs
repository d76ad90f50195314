//! Pictures of samples in rows and columns.

use crate::canvas::{
    Anchor, BLACK, Canvas, DENSITY, FAINT, GREY, Heading, LABEL, SMALL, draw, text_width,
};
use crate::scored::Run;
use crate::{Error, Rendered, Result};
use image::imageops::{self, FilterType};
use std::path::Path;

const GAP: i32 = 10 * DENSITY;
const TOP: i32 = 34 * DENSITY;
/// Room for a line below a cell.
const CAPTION: i32 = 18 * DENSITY;
/// Width that the heading needs, units.
const NARROWEST: i32 = 480 * DENSITY;

/// A figure of cells, each the upper left part of a run's last grid of samples.
pub(crate) struct SampleGrid<'a> {
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) notes: Vec<String>,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    /// Row by row.
    pub(crate) cells: Vec<Option<&'a Run>>,
    /// The text below each cell, row by row; empty for no text.
    pub(crate) captions: Vec<String>,
    /// Images in a row and a column of a cell.
    pub(crate) images: u32,
    /// Side of a cell, units; images are enlarged to fill it.
    pub(crate) cell: i32,
}

impl SampleGrid<'_> {
    /// Writes the figure; skipped, with `missing` as the reason, if no run has samples.
    pub(crate) fn render(&self, folder: &Path, missing: &str) -> Result<Rendered> {
        if !self.cells.iter().flatten().any(|r| r.records.samples.is_some()) {
            return Ok(Rendered::Skipped(missing.into()));
        }
        let unmeasured =
            |e: std::io::Error| Error::Draw { what: self.stem.clone(), reason: e.to_string() };
        let widest = self
            .rows
            .iter()
            .map(|r| text_width(r, LABEL).map_err(unmeasured))
            .collect::<Result<Vec<_>>>()?;
        let left = widest.into_iter().max().unwrap_or(0) + 26 * DENSITY;
        let step = self.cell + GAP;
        let down = step + if self.captions.is_empty() { 0 } else { CAPTION };
        let size = (
            (left + self.columns.len() as i32 * step).max(NARROWEST),
            TOP + self.rows.len() as i32 * down,
        );
        let heading = Heading { title: self.title.clone(), notes: self.notes.clone() };
        let paths = draw(folder, &self.stem, size, &heading, |canvas| {
            for (j, column) in self.columns.iter().enumerate() {
                let x = left + j as i32 * step + self.cell / 2;
                canvas.text((x, TOP - 8 * DENSITY), column, LABEL, BLACK, Anchor::BottomCentre)?;
            }
            for (i, row) in self.rows.iter().enumerate() {
                let y = TOP + i as i32 * down;
                canvas.text(
                    (left - 10 * DENSITY, y + self.cell / 2),
                    row,
                    LABEL,
                    BLACK,
                    Anchor::Right,
                )?;
                for j in 0..self.columns.len() {
                    let run = self.cells.get(i * self.columns.len() + j).copied().flatten();
                    self.draw_cell(canvas, (left + j as i32 * step, y), run)?;
                    if let Some(caption) = self.captions.get(i * self.columns.len() + j) {
                        let at =
                            (left + j as i32 * step + self.cell / 2, y + self.cell + 3 * DENSITY);
                        canvas.text(at, caption, SMALL, GREY, Anchor::TopCentre)?;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Rendered::Written(paths))
    }

    fn draw_cell(&self, canvas: &Canvas<'_>, (x, y): (i32, i32), run: Option<&Run>) -> Result<()> {
        let grid =
            run.filter(|r| !r.diverged()).and_then(|r| Some((r, r.records.samples.as_ref()?)));
        let Some((run, samples)) = grid else {
            let text = match run {
                None => "no run",
                Some(run) if run.diverged() => "diverged",
                Some(_) => "not finished",
            };
            // Where nothing ran there is nothing to frame.
            if run.is_some() {
                canvas.rectangle((x, y), (x + self.cell, y + self.cell), FAINT)?;
            }
            return canvas.text(
                (x + self.cell / 2, y + self.cell / 2),
                text,
                SMALL,
                GREY,
                Anchor::Centre,
            );
        };
        let decoded = samples.decode()?;
        let side = (self.images * run.spec.side as u32).min(decoded.width()).min(decoded.height());
        let part = imageops::crop_imm(&decoded, 0, 0, side, side).to_image();
        let enlarged =
            imageops::resize(&part, self.cell as u32, self.cell as u32, FilterType::Nearest);
        canvas.image((x, y), enlarged.dimensions(), enlarged.as_raw())
    }
}
