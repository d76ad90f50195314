//! Tables 4–6, the authors' 64x64 variant, and the ResNet of Tables 7 and 8.

use super::{
    Activation, ArchSpec, Architecture, BlockSpec, Conditioning, HeadSpec, Init, LayerKind,
    LayerSpec, Norm, PointSpec, Pooling, Sizes, Step, Z_DIM,
};
use crate::Result;

/// Convolutions of residual branches.
const RESIDUAL: Init = Init::GlorotUniform { gain: std::f64::consts::SQRT_2 };
/// Shortcuts, dense layers, embeddings, G's last convolution.
const PLAIN: Init = Init::GlorotUniform { gain: 1.0 };

/// What a block of D does with its input's side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resample {
    Keep,
    Down,
}

/// What the tables print: widths at the paper's size.
struct Table {
    /// Channels of G's first map, and of each of its blocks, which double the side.
    generator: (usize, &'static [usize]),
    /// Channels of D's blocks that halve the side.
    down: &'static [usize],
    /// Channels of D's blocks after them.
    keep: &'static [usize],
    /// How D's last feature map is pooled.
    pooling: Pooling,
    /// Whether D's dense layer has a bias.
    dense_bias: bool,
}

fn table(architecture: Architecture) -> Table {
    let (pooling, dense_bias) = (Pooling::Sum, true);
    match architecture {
        Architecture::ResnetStl10 => Table {
            generator: (512, &[256, 128, 64]),
            down: &[64, 128, 256, 512],
            keep: &[1024],
            pooling,
            dense_bias,
        },
        Architecture::ResnetImagenet => Table {
            generator: (1024, &[1024, 512, 256, 128, 64]),
            down: &[64, 128, 256, 512, 1024],
            keep: &[1024],
            pooling,
            dense_bias,
        },
        Architecture::Resnet64 => Table {
            generator: (1024, &[512, 256, 128, 64]),
            down: &[64, 128, 256, 512, 1024],
            keep: &[],
            pooling,
            dense_bias,
        },
        Architecture::ResnetGulrajani => Table {
            generator: (128, &[128, 128, 128]),
            down: &[128, 128],
            keep: &[128, 128],
            pooling: Pooling::Mean,
            dense_bias,
        },
        Architecture::StandardCnn | Architecture::StandardCnnCgl | Architecture::ResnetCifar10 => {
            Table {
                generator: (256, &[256, 256, 256]),
                down: &[128, 128],
                keep: &[128, 128],
                pooling,
                dense_bias: false,
            }
        }
    }
}

/// The layer table.
pub(super) fn layers(architecture: Architecture, sizes: &Sizes) -> Result<ArchSpec> {
    let table = table(architecture);
    let (discriminator, head) = discriminator(&table, sizes)?;
    Ok(ArchSpec { side: sizes.side, generator: generator(&table, sizes), discriminator, head })
}

fn generator(table: &Table, sizes: &Sizes) -> Vec<Step> {
    let (first, blocks) = table.generator;
    let (mut channels, mut s) = (sizes.gen_width(first), sizes.side >> blocks.len());
    let dense = LayerKind::Dense { input: Z_DIM, output: s * s * channels };
    let mut steps = vec![Step::Layer(LayerSpec::bare("dense", dense, [channels, s, s], PLAIN))];
    for (i, full) in blocks.iter().enumerate() {
        let output = sizes.gen_width(*full);
        steps.push(Step::Block(generator_block(
            &format!("block{i}"),
            channels,
            output,
            s,
            sizes.gen_norm(),
        )));
        (channels, s) = (output, 2 * s);
    }
    // The last batch normalization is unconditional (the authors' code).
    let output = PointSpec {
        name: "output".into(),
        norm: Norm::Batch,
        activation: Activation::Relu,
        output: [channels, s, s],
    };
    steps.push(Step::Point(output));
    steps.push(Step::Layer(
        conv("conv", channels, 3, 3, s, PLAIN).then(Norm::None, Activation::Tanh),
    ));
    steps
}

/// BN, ReLU, upsample, conv, BN, ReLU, conv; shortcut: upsample, 1x1 conv. `s` is the input's side. Hidden channels are the output's.
fn generator_block(name: &str, input: usize, output: usize, s: usize, norm: Norm) -> BlockSpec {
    let layer = |part: &str| format!("{name}.{part}");
    let wide = 2 * s;
    let residual = vec![
        Step::Point(PointSpec {
            name: layer("input"),
            norm,
            activation: Activation::Relu,
            output: [input, s, s],
        }),
        Step::Upsample,
        Step::Layer(
            conv(&layer("conv1"), input, output, 3, wide, RESIDUAL).then(norm, Activation::Relu),
        ),
        Step::Layer(conv(&layer("conv2"), output, output, 3, wide, RESIDUAL)),
    ];
    let shortcut =
        vec![Step::Upsample, Step::Layer(conv(&layer("shortcut"), input, output, 1, wide, PLAIN))];
    BlockSpec { name: name.into(), residual, shortcut, output: [output, wide, wide] }
}

fn discriminator(table: &Table, sizes: &Sizes) -> Result<(Vec<Step>, HeadSpec)> {
    let (mut steps, mut channels, mut s) = (Vec::new(), 3, sizes.side);
    let concat_after = table.down.len().min(3);
    let rows = table
        .down
        .iter()
        .map(|c| (c, Resample::Down))
        .chain(table.keep.iter().map(|c| (c, Resample::Keep)));
    for (i, (full, resample)) in rows.enumerate() {
        let output = sizes.dis_width(*full)?;
        let name = format!("block{i}");
        let block = if i == 0 {
            first_block(&name, output, s)
        } else {
            discriminator_block(&name, channels, output, s, resample)
        };
        (channels, s) = (output, block.output[1]);
        steps.push(Step::Block(block));
        if i + 1 == concat_after && sizes.conditioning == Conditioning::Concat {
            let (step, wider) = sizes.concat(channels, s, PLAIN)?;
            steps.push(step);
            channels = wider;
        }
    }
    let output = PointSpec {
        name: "output".into(),
        norm: Norm::None,
        activation: Activation::Relu,
        output: [channels, s, s],
    };
    steps.push(Step::Point(output));
    let dense =
        LayerSpec::bare("dense", LayerKind::Dense { input: channels, output: 1 }, [1, 1, 1], PLAIN);
    let dense = if table.dense_bias { dense } else { dense.without_bias() };
    Ok((
        steps,
        HeadSpec { pooling: table.pooling, dense, labels: sizes.label_head(channels, PLAIN) },
    ))
}

/// The block that reads the image: conv, ReLU, conv, pool; shortcut: pool, 1x1 conv. Hidden channels are the output's.
fn first_block(name: &str, output: usize, s: usize) -> BlockSpec {
    let layer = |part: &str| format!("{name}.{part}");
    let half = s / 2;
    let residual = vec![
        Step::Layer(
            conv(&layer("conv1"), 3, output, 3, s, RESIDUAL).then(Norm::None, Activation::Relu),
        ),
        Step::Layer(conv(&layer("conv2"), output, output, 3, s, RESIDUAL)),
        Step::AveragePool,
    ];
    let shortcut =
        vec![Step::AveragePool, Step::Layer(conv(&layer("shortcut"), 3, output, 1, half, PLAIN))];
    BlockSpec { name: name.into(), residual, shortcut, output: [output, half, half] }
}

/// ReLU, conv, ReLU, conv, (pool); shortcut: 1x1 conv, (pool), or the identity. Hidden channels are the input's.
fn discriminator_block(
    name: &str,
    input: usize,
    output: usize,
    s: usize,
    resample: Resample,
) -> BlockSpec {
    let layer = |part: &str| format!("{name}.{part}");
    let leading = PointSpec {
        name: layer("input"),
        norm: Norm::ByMethod,
        activation: Activation::Relu,
        output: [input, s, s],
    };
    let mut residual = vec![
        Step::Point(leading),
        Step::Layer(
            conv(&layer("conv1"), input, input, 3, s, RESIDUAL)
                .then(Norm::ByMethod, Activation::Relu),
        ),
        Step::Layer(conv(&layer("conv2"), input, output, 3, s, RESIDUAL)),
    ];
    let mut shortcut = Vec::new();
    if input != output || resample == Resample::Down {
        shortcut.push(Step::Layer(conv(&layer("shortcut"), input, output, 1, s, PLAIN)));
    }
    let mut side = s;
    if resample == Resample::Down {
        residual.push(Step::AveragePool);
        shortcut.push(Step::AveragePool);
        side = s / 2;
    }
    BlockSpec { name: name.into(), residual, shortcut, output: [output, side, side] }
}

/// A convolution that keeps the side `s`.
fn conv(name: &str, input: usize, output: usize, kernel: usize, s: usize, init: Init) -> LayerSpec {
    let kind = LayerKind::Conv { input, output, kernel, stride: 1, padding: kernel / 2 };
    LayerSpec::bare(name, kind, [output, s, s], init)
}
