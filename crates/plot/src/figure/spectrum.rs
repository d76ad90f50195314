//! Figure 3: squared singular values of D's convolutions, scaled so that the largest is 1.

use crate::canvas::{Anchor, BLACK, Canvas, DENSITY, GREY, Heading, LABEL, PALETTE, SMALL, draw};
use crate::collect::{Collected, Run};
use crate::frame::{Axis, Frame, Scale};
use crate::{Rendered, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::SpectrumRecord;
use std::path::Path;

const SIZE: (i32, i32) = (960 * DENSITY, 520 * DENSITY);
const COLUMNS: i32 = 4;
/// WC's raw weights, WN's and SN's normalized ones, as the paper has it.
const CURVES: [(Method, &str, &str); 3] =
    [(Method::WeightClipping, "raw", "WC"), (Method::WeightNorm, "normalized", "WN"), (Method::Sn, "normalized", "SN")];

/// A method's spectra, layer by layer.
struct Curve<'a> {
    name: &'static str,
    run: &'a Run,
    layers: Vec<SpectrumRecord>,
}

pub(crate) fn render(c: &Collected, folder: &Path) -> Result<Rendered> {
    let mut curves = Vec::new();
    for (method, weights, name) in CURVES {
        let Some(run) = c.representative(method) else { continue };
        let layers: Vec<_> = run
            .dir
            .spectra()?
            .into_iter()
            .filter(|s| s.weights == weights && s.layer.starts_with("conv") && s.gen_updates == run.spec.gen_updates)
            .collect();
        if !layers.is_empty() {
            curves.push(Curve { name, run, layers });
        }
    }
    let Some(first) = curves.first() else {
        return Ok(Rendered::Skipped("no completed run of weight clipping, WN or SN has a spectrum".into()));
    };
    let names: Vec<String> = first.layers.iter().map(|l| l.layer.clone()).collect();
    let heading = Heading {
        title: "Figure 3: squared singular values of D's convolutions, scaled so that the largest is 1".into(),
        notes: vec![
            c.describe_runs(),
            "Of each method the run with the best inception score, or setting C where there are no scores.".into(),
        ],
    };
    let paths = draw(folder, "fig3", SIZE, &heading, |canvas| {
        for (i, name) in names.iter().enumerate() {
            panel(canvas, &frame(i as i32, &curves, name), &curves, name, i)?;
        }
        legend(canvas, names.len() as i32, &curves)
    })?;
    Ok(Rendered::Written(paths))
}

/// The panel with number `i`, row by row.
fn frame(i: i32, curves: &[Curve<'_>], layer: &str) -> Frame {
    let (width, height) = (SIZE.0 / COLUMNS, SIZE.1 / 2);
    let (left, top) = ((i % COLUMNS) * width, (i / COLUMNS) * height);
    let longest = curves.iter().flat_map(|c| &c.layers).filter(|l| l.layer == layer).map(|l| l.squared.len()).max().unwrap_or(1);
    let label = if i % COLUMNS == 0 { "σ² / largest σ²" } else { "" };
    Frame {
        left: left + 62 * DENSITY,
        top: top + 34 * DENSITY,
        right: left + width - 8 * DENSITY,
        bottom: top + height - 52 * DENSITY,
        x: Axis::new(Scale::Linear, 0.0, longest.saturating_sub(1) as f64, "index"),
        y: Axis::new(Scale::Linear, 0.0, 1.0, label),
    }
}

fn panel(canvas: &Canvas<'_>, frame: &Frame, curves: &[Curve<'_>], layer: &str, i: usize) -> Result<()> {
    frame.draw_y(canvas)?;
    frame.draw_x(canvas)?;
    let middle = (frame.left + frame.right) / 2;
    canvas.text((middle, frame.top - 6 * DENSITY), &format!("layer {}", i + 1), LABEL, BLACK, Anchor::BottomCentre)?;
    for (j, curve) in curves.iter().enumerate() {
        let Some(record) = curve.layers.iter().find(|l| l.layer == layer) else { continue };
        let largest = record.squared.first().copied().filter(|x| *x > 0.0).unwrap_or(1.0);
        frame.curve(canvas, record.squared.iter().enumerate().map(|(k, s)| (k as f64, s / largest)), PALETTE[j])?;
    }
    Ok(())
}

/// In the cell after the last panel.
fn legend(canvas: &Canvas<'_>, cell: i32, curves: &[Curve<'_>]) -> Result<()> {
    let (width, height) = (SIZE.0 / COLUMNS, SIZE.1 / 2);
    let x = (cell % COLUMNS) * width + 62 * DENSITY;
    let mut y = (cell / COLUMNS) * height + 50 * DENSITY;
    for (j, curve) in curves.iter().enumerate() {
        let text = format!("{} (setting {})", curve.name, curve.run.spec.setting);
        canvas.legend((x, y), &[(text, PALETTE[j])])?;
        y += 26 * DENSITY;
    }
    canvas.text((x, y), "WC: raw weights", SMALL, GREY, Anchor::Left)?;
    canvas.text((x, y + 22 * DENSITY), "WN, SN: normalized", SMALL, GREY, Anchor::Left)
}
