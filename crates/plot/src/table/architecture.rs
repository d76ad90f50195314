//! Tables 3–6: the networks, printed from the layer tables that they are built from.

use super::cell::{Cell, Grid, write};
use crate::artefact::Materials;
use crate::{Rendered, Result};
use sngan_experiment::arch::{
    Activation, ArchSpec, Architecture, Conditioning, HeadSpec, LayerKind, LayerSpec, Norm,
    Pooling, Sizes, Step,
};

/// Table 3 at the paper's two sides.
pub(crate) fn table3(request: &Materials<'_>) -> Result<Rendered> {
    let variants = [("CIFAR-10", Sizes::new(32, 1)), ("STL-10", Sizes::new(48, 1))];
    render(request, ("table3", "Table 3: the standard CNN"), Architecture::StandardCnn, &variants)
}

/// Table 4.
pub(crate) fn table4(request: &Materials<'_>) -> Result<Rendered> {
    render(
        request,
        ("table4", "Table 4: the ResNet for CIFAR-10"),
        Architecture::ResnetCifar10,
        &[("CIFAR-10", Sizes::new(32, 1))],
    )
}

/// Table 5.
pub(crate) fn table5(request: &Materials<'_>) -> Result<Rendered> {
    render(
        request,
        ("table5", "Table 5: the ResNet for STL-10"),
        Architecture::ResnetStl10,
        &[("STL-10", Sizes::new(48, 1))],
    )
}

/// Table 6 without labels, with the concatenated embedding, and with the projection.
pub(crate) fn table6(request: &Materials<'_>) -> Result<Rendered> {
    let plain = Sizes::new(128, 1);
    let labelled = |conditioning| Sizes { conditioning, n_classes: 1000, ..plain };
    let variants = [
        ("without labels", plain),
        ("conditional by concatenation, 1000 classes", labelled(Conditioning::Concat)),
        ("conditional by projection, 1000 classes", labelled(Conditioning::Projection)),
    ];
    render(
        request,
        ("table6", "Table 6: the ResNet for ImageNet"),
        Architecture::ResnetImagenet,
        &variants,
    )
}

fn render(
    request: &Materials<'_>,
    (id, title): (&str, &str),
    architecture: Architecture,
    variants: &[(&str, Sizes)],
) -> Result<Rendered> {
    let mut text = format!(
        "# {title}\n\nPrinted from the layer table that the networks are built from (`{}`).\n",
        architecture.name()
    );
    let mut csv = Grid::new("", &["variant", "network", "step", "output", "parameters"]);
    for (name, sizes) in variants {
        let spec = architecture.layers(sizes)?;
        for (network, rows, parameters) in networks(&spec) {
            let mut grid = Grid::new(
                format!("{network}, {name}, side {}: {parameters} parameters", sizes.side),
                &["step", "output", "parameters"],
            );
            for (step, output, parameters) in rows {
                let cells =
                    [Cell::text(step), Cell::text(output), Cell::number(parameters as f64, 0)];
                csv.rows.push(
                    [Cell::text(*name), Cell::text(network)]
                        .into_iter()
                        .chain(cells.iter().cloned())
                        .collect(),
                );
                grid.rows.push(cells.to_vec());
            }
            text += &format!("\n{}", grid.markdown());
        }
    }
    write(request.folder, id, &text, &csv.csv())
}

type Row = (String, String, usize);

/// Both networks' rows and their trained parameters.
fn networks(spec: &ArchSpec) -> [(&'static str, Vec<Row>, usize); 2] {
    let generator: Vec<Row> = std::iter::once(("z ~ N(0, I)".into(), "128".into(), 0))
        .chain(spec.generator.iter().map(row))
        .collect();
    let image = ("image".to_string(), shape([3, spec.side, spec.side]), 0);
    let discriminator = std::iter::once(image)
        .chain(spec.discriminator.iter().map(row))
        .chain(head(&spec.head))
        .collect();
    [
        ("G", generator, spec.generator_parameters()),
        ("D", discriminator, spec.discriminator_parameters()),
    ]
}

fn shape([channels, height, width]: [usize; 3]) -> String {
    if (height, width) == (1, 1) {
        channels.to_string()
    } else {
        format!("{channels}×{height}×{width}")
    }
}

fn row(step: &Step) -> Row {
    let (text, output) = match step {
        Step::Layer(layer) => (layer_text(layer), layer.output),
        Step::Concat(layer) => (format!("append {}", layer_text(layer)), layer.output),
        Step::Point(point) => {
            (after(point.norm, point.activation).trim_start_matches(", ").to_string(), point.output)
        }
        Step::Upsample => return ("upsample 2×".into(), String::new(), 0),
        Step::AveragePool => return ("average pool 2×2".into(), String::new(), 0),
        Step::Block(block) => {
            let kind = if block.residual.contains(&Step::Upsample) {
                "ResBlock up"
            } else if block.residual.contains(&Step::AveragePool) {
                "ResBlock down"
            } else {
                "ResBlock"
            };
            (format!("{kind} {}", block.output[0]), block.output)
        }
    };
    (text, shape(output), step.parameters())
}

fn layer_text(layer: &LayerSpec) -> String {
    let what = match layer.kind {
        LayerKind::Dense { input, output } => format!("dense {input} → {output}"),
        LayerKind::Conv { output, kernel, stride, .. } => {
            format!("conv {kernel}×{kernel}, stride {stride}, {output}")
        }
        LayerKind::Deconv { output, kernel, stride, .. } => {
            format!("deconv {kernel}×{kernel}, stride {stride}, {output}")
        }
        LayerKind::Embedding { classes, dim } => format!("embedding of {classes} classes, {dim}"),
    };
    what + &after(layer.norm, layer.activation) + if layer.bias { "" } else { " (no bias)" }
}

fn after(norm: Norm, activation: Activation) -> String {
    let norm = match norm {
        Norm::Batch => ", BN",
        Norm::ConditionalBatch { .. } => ", conditional BN",
        Norm::None | Norm::ByMethod => "",
    };
    let activation = match activation {
        Activation::Relu => ", ReLU".to_string(),
        Activation::LeakyRelu { slope } => format!(", lReLU {slope}"),
        Activation::Tanh => ", tanh".into(),
        Activation::Identity => String::new(),
    };
    norm.to_string() + &activation
}

fn head(head: &HeadSpec) -> Vec<Row> {
    let mut rows = Vec::new();
    match head.pooling {
        Pooling::Flatten => {}
        Pooling::Sum => rows.push(("global sum pooling".to_string(), String::new(), 0)),
        Pooling::Mean => rows.push(("global mean pooling".to_string(), String::new(), 0)),
    }
    rows.push((layer_text(&head.dense), shape(head.dense.output), head.dense.parameters()));
    if let Some(labels) = &head.labels {
        let layer = labels.layer();
        rows.push((
            format!("labels: {}", layer_text(layer)),
            shape(layer.output),
            layer.parameters(),
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_to_the_networks() {
        for (architecture, side) in [
            (Architecture::StandardCnn, 48),
            (Architecture::ResnetCifar10, 32),
            (Architecture::ResnetImagenet, 128),
        ] {
            let sizes = Sizes {
                conditioning: Conditioning::Projection,
                n_classes: 10,
                ..Sizes::new(side, 1)
            };
            for (network, rows, parameters) in networks(&architecture.layers(&sizes).unwrap()) {
                assert_eq!(
                    rows.iter().map(|r| r.2).sum::<usize>(),
                    parameters,
                    "{architecture:?} {network}"
                );
            }
        }
        let spec = Architecture::ResnetCifar10.layers(&Sizes::new(32, 1)).unwrap();
        let [(_, _, _), (_, d, _)] = networks(&spec);
        let steps: Vec<&str> = d.iter().map(|r| r.0.as_str()).collect();
        let blocks = [
            "image",
            "ResBlock down 128",
            "ResBlock down 128",
            "ResBlock 128",
            "ResBlock 128",
            "ReLU",
            "global sum pooling",
        ];
        assert_eq!(steps[..7], blocks);
        assert_eq!(steps[7], "dense 128 → 1 (no bias)");
    }
}
