//! Figure 8: the residual blocks, drawn from the layer table that the networks are built from.

use crate::artefact::Materials;
use crate::canvas::{Anchor, BLACK, Canvas, DENSITY, FAINT, GREY, Heading, LABEL, SMALL, draw};
use crate::{Rendered, Result};
use sngan_experiment::arch::{Activation, Architecture, BlockSpec, LayerKind, Norm, Sizes, Step};

const COLUMN: i32 = 350 * DENSITY;
const BOX: (i32, i32) = (160 * DENSITY, 28 * DENSITY);
const STEP: i32 = 46 * DENSITY;
/// Distances of the two branches from a column's left side.
const RESIDUAL: i32 = 96 * DENSITY;
const SHORTCUT: i32 = 264 * DENSITY;
const TOP: i32 = 70 * DENSITY;

/// The networks whose blocks are drawn; the second has one that the first lacks.
const CIFAR10: Architecture = Architecture::ResnetCifar10;
const STL10: Architecture = Architecture::ResnetStl10;

/// A block with its title and the text of its input.
struct Drawn {
    title: String,
    input: String,
    block: BlockSpec,
}

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    let blocks = blocks()?;
    let longest = blocks.iter().map(|b| boxes(&b.block.residual).len()).max().unwrap_or(0) as i32;
    let size = (blocks.len() as i32 * COLUMN, TOP + (longest + 2) * STEP + 20 * DENSITY);
    let heading = Heading {
        title: "Figure 8: the residual blocks".into(),
        notes: vec![format!(
            "Drawn from the layer tables of {}; the last block from {}: kernel, channels in and out. A normalization that D's method may add before its ReLUs is left out.",
            CIFAR10.name(),
            STL10.name()
        )],
    };
    let paths = draw(request.folder, "fig8", size, &heading, |canvas| {
        blocks
            .iter()
            .enumerate()
            .try_for_each(|(i, block)| block.draw(canvas, i as i32 * COLUMN, longest))
    })?;
    Ok(Rendered::Written(paths))
}

/// G's block, and four of D's: the first, one that halves the side, one that keeps it, and one that
/// keeps it and has more channels.
fn blocks() -> Result<Vec<Drawn>> {
    let layers =
        |architecture: Architecture| architecture.layers(&Sizes::new(architecture.paper_side(), 1));
    let of = |steps: &[Step]| {
        let block = |s: &Step| if let Step::Block(b) = s { Some(b.clone()) } else { None };
        steps.iter().filter_map(block).collect::<Vec<BlockSpec>>()
    };
    let spec = layers(CIFAR10)?;
    let mut drawn = Vec::new();
    let mut add = |title: &str, all: &[BlockSpec], i: usize, image: &str| {
        if let Some(block) = all.get(i) {
            let input = i
                .checked_sub(1)
                .and_then(|before| all.get(before))
                .map_or(image.to_string(), |b| shape(b.output));
            drawn.push(Drawn { title: title.into(), input, block: block.clone() });
        }
    };
    let (g, d) = (of(&spec.generator), of(&spec.discriminator));
    add("G, doubles the side", &g, 1, "");
    add("D, reads the image", &d, 0, &shape([3, spec.side, spec.side]));
    add("D, halves the side", &d, 1, "");
    add("D, keeps the side", &d, 2, "");
    let deeper = of(&layers(STL10)?.discriminator);
    add("D, keeps the side, widens", &deeper, deeper.len() - 1, "");
    Ok(drawn)
}

fn shape([channels, height, width]: [usize; 3]) -> String {
    format!("{channels}×{height}×{width}")
}

/// The text of a branch's boxes, from the input on.
fn boxes(steps: &[Step]) -> Vec<String> {
    let mut texts = Vec::new();
    for step in steps {
        match step {
            Step::Layer(layer) => {
                texts.push(match layer.kind {
                    LayerKind::Conv { input, output, kernel, .. } => {
                        format!("conv {kernel}×{kernel}, {input} → {output}")
                    }
                    LayerKind::Dense { .. }
                    | LayerKind::Deconv { .. }
                    | LayerKind::Embedding { .. } => layer.name.clone(),
                });
                texts.extend(point(layer.norm, layer.activation));
            }
            Step::Point(p) => texts.extend(point(p.norm, p.activation)),
            Step::Upsample => texts.push("upsample 2×".into()),
            Step::AveragePool => texts.push("average pool 2×2".into()),
            Step::Block(_) | Step::Concat(_) => {}
        }
    }
    texts
}

fn point(norm: Norm, activation: Activation) -> Option<String> {
    let norm = match norm {
        Norm::Batch | Norm::ConditionalBatch { .. } => Some("BN"),
        Norm::None | Norm::ByMethod => None,
    };
    let activation = match activation {
        Activation::Relu => Some("ReLU"),
        Activation::LeakyRelu { .. } => Some("leaky ReLU"),
        Activation::Tanh => Some("tanh"),
        Activation::Identity => None,
    };
    let parts: Vec<&str> = norm.into_iter().chain(activation).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

impl Drawn {
    fn draw(&self, canvas: &Canvas<'_>, left: i32, longest: i32) -> Result<()> {
        let (residual, shortcut) = (left + RESIDUAL, left + SHORTCUT);
        let end = TOP + (longest + 1) * STEP;
        let branch = TOP - 14 * DENSITY;
        canvas.text(
            (left + (RESIDUAL + SHORTCUT) / 2, 14 * DENSITY),
            &self.title,
            LABEL,
            BLACK,
            Anchor::Centre,
        )?;
        canvas.text((residual, 42 * DENSITY), &self.input, SMALL, GREY, Anchor::Centre)?;
        canvas.line(vec![(residual, 50 * DENSITY), (residual, branch)], BLACK, DENSITY)?;
        chain(canvas, residual, &boxes(&self.block.residual), (branch, end - 10 * DENSITY))?;
        canvas.line(vec![(residual, branch), (shortcut, branch)], BLACK, DENSITY)?;
        chain(canvas, shortcut, &boxes(&self.block.shortcut), (branch, end))?;
        arrow(canvas, vec![(shortcut, end), (residual + 10 * DENSITY, end)])?;
        canvas.text((residual, end), "⊕", 2 * LABEL, BLACK, Anchor::Centre)?;
        canvas.text(
            (residual, end + 26 * DENSITY),
            &shape(self.block.output),
            SMALL,
            GREY,
            Anchor::Centre,
        )
    }
}

/// Boxes one below the other between two heights, with arrows between them.
fn chain(canvas: &Canvas<'_>, x: i32, texts: &[String], (from, to): (i32, i32)) -> Result<()> {
    let mut y = from;
    for (i, text) in texts.iter().enumerate() {
        let top = TOP + i as i32 * STEP;
        arrow(canvas, vec![(x, y), (x, top)])?;
        canvas.rectangle((x - BOX.0 / 2, top), (x + BOX.0 / 2, top + BOX.1), FAINT)?;
        canvas.outline((x - BOX.0 / 2, top), (x + BOX.0 / 2, top + BOX.1), GREY)?;
        canvas.text((x, top + BOX.1 / 2), text, SMALL, BLACK, Anchor::Centre)?;
        y = top + BOX.1;
    }
    canvas.line(vec![(x, y), (x, to)], BLACK, DENSITY)
}

/// A line with a head at its end.
fn arrow(canvas: &Canvas<'_>, points: Vec<(i32, i32)>) -> Result<()> {
    const HEAD: i32 = 5 * DENSITY;
    if let [.., (x0, y0), (x1, y1)] = points[..] {
        let (dx, dy) = ((x1 - x0).signum() * HEAD, (y1 - y0).signum() * HEAD);
        canvas.line(
            vec![(x1 - dx - dy, y1 - dy - dx), (x1, y1), (x1 - dx + dy, y1 - dy + dx)],
            BLACK,
            DENSITY,
        )?;
    }
    canvas.line(points, BLACK, DENSITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_read_as_the_paper_describes_them() {
        let blocks = blocks().unwrap();
        let residual: Vec<Vec<String>> = blocks.iter().map(|b| boxes(&b.block.residual)).collect();
        assert_eq!(
            residual[0],
            ["BN, ReLU", "upsample 2×", "conv 3×3, 256 → 256", "BN, ReLU", "conv 3×3, 256 → 256"]
        );
        assert_eq!(
            residual[1],
            ["conv 3×3, 3 → 128", "ReLU", "conv 3×3, 128 → 128", "average pool 2×2"]
        );
        assert_eq!(boxes(&blocks[1].block.shortcut), ["average pool 2×2", "conv 1×1, 3 → 128"]);
        assert_eq!(
            residual[2],
            ["ReLU", "conv 3×3, 128 → 128", "ReLU", "conv 3×3, 128 → 128", "average pool 2×2"]
        );
        assert!(boxes(&blocks[3].block.shortcut).is_empty());
        assert_eq!(residual[4], ["ReLU", "conv 3×3, 512 → 512", "ReLU", "conv 3×3, 512 → 1024"]);
        assert_eq!(boxes(&blocks[4].block.shortcut), ["conv 1×1, 512 → 1024"]);
    }
}
