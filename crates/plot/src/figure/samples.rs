//! Figure 6: samples of WGAN-GP, WN and SN in every setting.

use crate::canvas::{Anchor, BLACK, Canvas, DENSITY, FAINT, GREY, Heading, LABEL, SMALL, draw, text_width};
use crate::collect::{Collected, Run};
use crate::{Error, Rendered, Result};
use image::imageops::{self, FilterType};
use sngan_experiment::method::Method;
use std::path::{Path, PathBuf};

const METHODS: [Method; 3] = [Method::WganGp, Method::WeightNorm, Method::Sn];
/// Images in a row and a column of a cell.
const IMAGES: u32 = 4;
/// Side of a cell, units; images are enlarged to fill it.
const CELL: i32 = 132 * DENSITY;
const GAP: i32 = 10 * DENSITY;
const TOP: i32 = 34 * DENSITY;
/// Width that the heading needs, units.
const NARROWEST: i32 = 480 * DENSITY;

pub(crate) fn render(c: &Collected, folder: &Path) -> Result<Rendered> {
    let rows: Vec<&str> =
        c.labels().into_iter().filter(|l| c.runs.iter().any(|r| r.spec.label == *l && METHODS.contains(&r.spec.method))).collect();
    let settings = c.settings();
    let shown = |r: &&Run| rows.contains(&r.spec.label.as_str()) && last_grid(r).is_some();
    if !c.runs.iter().any(|r| shown(&r)) {
        return Ok(Rendered::Skipped("no run of WGAN-GP, WN or SN has samples".into()));
    }
    let unmeasured = |e: std::io::Error| Error::Draw { what: "fig6".into(), reason: e.to_string() };
    let widest = rows.iter().map(|r| text_width(r, LABEL).map_err(unmeasured)).collect::<Result<Vec<_>>>()?;
    let left = widest.into_iter().max().unwrap_or(0) + 26 * DENSITY;
    let width = (left + settings.len() as i32 * (CELL + GAP)).max(NARROWEST);
    let size = (width, TOP + rows.len() as i32 * (CELL + GAP));
    let heading = Heading {
        title: "Figure 6: samples in each setting".into(),
        notes: vec![c.describe_runs(), "Sixteen samples of the lowest seed after the last update, G in evaluation mode.".into()],
    };
    let paths = draw(folder, "fig6", size, &heading, |canvas| {
        for (i, row) in rows.iter().enumerate() {
            let y = TOP + i as i32 * (CELL + GAP);
            canvas.text((left - 10 * DENSITY, y + CELL / 2), row, LABEL, BLACK, Anchor::Right)?;
            for (j, setting) in settings.iter().enumerate() {
                let x = left + j as i32 * (CELL + GAP);
                if i == 0 {
                    canvas.text((x + CELL / 2, TOP - 8 * DENSITY), setting, LABEL, BLACK, Anchor::BottomCentre)?;
                }
                cell(canvas, (x, y), c.cell(row, setting).min_by_key(|r| r.spec.seed))?;
            }
        }
        Ok(())
    })?;
    Ok(Rendered::Written(paths))
}

/// The grid drawn after the run's last update: an earlier one must not stand beside finished runs.
fn last_grid(run: &Run) -> Option<PathBuf> {
    Some(run.dir.sample_path(run.spec.gen_updates)).filter(|path| path.exists())
}

fn cell(canvas: &Canvas<'_>, (x, y): (i32, i32), run: Option<&Run>) -> Result<()> {
    let grid = run.filter(|r| !r.diverged()).and_then(|r| Some((r, last_grid(r)?)));
    let Some((run, path)) = grid else {
        canvas.rectangle((x, y), (x + CELL, y + CELL), FAINT)?;
        let text = if run.is_some_and(|r| r.diverged()) { "diverged" } else { "not finished" };
        return canvas.text((x + CELL / 2, y + CELL / 2), text, SMALL, GREY, Anchor::Centre);
    };
    let unreadable = |e: image::ImageError| Error::Image { path: path.clone(), reason: e.to_string() };
    let decoded = image::open(&path).map_err(unreadable)?.to_rgb8();
    let side = (IMAGES * run.spec.side as u32).min(decoded.width()).min(decoded.height());
    let part = imageops::crop_imm(&decoded, 0, 0, side, side).to_image();
    let enlarged = imageops::resize(&part, CELL as u32, CELL as u32, FilterType::Nearest);
    canvas.image((x, y), enlarged.dimensions(), enlarged.as_raw())
}
