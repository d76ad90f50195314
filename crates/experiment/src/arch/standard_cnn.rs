//! Table 3, and the same network as in the authors' code.

use super::{
    Activation, ArchSpec, Conditioning, HeadSpec, Init, LayerKind, LayerSpec, Norm, Pooling, Sizes,
    Step, Z_DIM,
};
use crate::Result;

/// Every weight of the standard CNN starts from normal(0, 0.02) (the authors' code).
const INIT: Init = Init::Normal { std: 0.02 };

/// D's convolution whose input and output Figure 4 scales.
const LAST: usize = 6;

/// How the two versions differ.
pub(super) struct Version {
    /// Output channels of D's seven convolutions at full width.
    widths: [usize; 7],
    /// D's leaky ReLU.
    slope: f64,
    /// Whether batch normalization and ReLU follow G's dense layer, and the last layer is a transposed convolution.
    cgl: bool,
}

/// Table 3.
pub(super) const PAPERS: Version =
    Version { widths: [64, 64, 128, 128, 256, 256, 512], slope: 0.1, cgl: false };
/// The authors' code.
pub(super) const CGL: Version =
    Version { widths: [64, 128, 128, 256, 256, 512, 512], slope: 0.2, cgl: true };

/// The layer table.
pub(super) fn layers(version: &Version, sizes: &Sizes) -> Result<ArchSpec> {
    let (discriminator, head) = discriminator(version, sizes)?;
    Ok(ArchSpec { side: sizes.side, generator: generator(version, sizes), discriminator, head })
}

fn generator(version: &Version, sizes: &Sizes) -> Vec<Step> {
    let (m, norm) = (sizes.side / 8, sizes.gen_norm());
    let mut channels = sizes.gen_width(512);
    let dense = LayerKind::Dense { input: Z_DIM, output: m * m * channels };
    let mut dense = LayerSpec::bare("dense", dense, [channels, m, m], INIT);
    if version.cgl {
        dense = dense.then(norm, Activation::Relu);
    }
    let mut steps = vec![Step::Layer(dense)];
    for (i, full) in [256, 128, 64].into_iter().enumerate() {
        let (input, output, s) = (channels, sizes.gen_width(full), m << (i + 1));
        let kind = LayerKind::Deconv { input, output, kernel: 4, stride: 2, padding: 1 };
        steps.push(Step::Layer(
            LayerSpec::bare(format!("deconv{i}"), kind, [output, s, s], INIT)
                .then(norm, Activation::Relu),
        ));
        channels = output;
    }
    let (kernel, stride, padding) = (3, 1, 1);
    let (name, kind) = if version.cgl {
        ("deconv3", LayerKind::Deconv { input: channels, output: 3, kernel, stride, padding })
    } else {
        ("conv", LayerKind::Conv { input: channels, output: 3, kernel, stride, padding })
    };
    let last = LayerSpec::bare(name, kind, [3, sizes.side, sizes.side], INIT);
    steps.push(Step::Layer(last.then(Norm::None, Activation::Tanh)));
    steps
}

fn discriminator(version: &Version, sizes: &Sizes) -> Result<(Vec<Step>, HeadSpec)> {
    let activation = Activation::LeakyRelu { slope: version.slope };
    let (mut steps, mut channels, mut s) = (Vec::new(), 3, sizes.side);
    for (i, full) in version.widths.into_iter().enumerate() {
        let (kernel, stride) = if i % 2 == 0 { (3, 1) } else { (4, 2) };
        s /= stride;
        // The seventh convolution's input is the sixth one's output.
        let output = match i {
            5 | LAST => sizes.scaled(
                "last_conv_factor",
                full,
                sizes.dis_width_factor * sizes.last_conv_factor,
            )?,
            _ => sizes.dis_width(full)?,
        };
        let kind = LayerKind::Conv { input: channels, output, kernel, stride, padding: 1 };
        let norm = if i == 0 { Norm::None } else { Norm::ByMethod };
        steps.push(Step::Layer(
            LayerSpec::bare(format!("conv{i}"), kind, [output, s, s], INIT).then(norm, activation),
        ));
        channels = output;
        if i == 5 && sizes.conditioning == Conditioning::Concat {
            let (step, wider) = sizes.concat(channels, s, INIT)?;
            steps.push(step);
            channels = wider;
        }
    }
    let dense = LayerKind::Dense { input: channels * s * s, output: 1 };
    let dense = LayerSpec::bare("dense", dense, [1, 1, 1], INIT);
    Ok((
        steps,
        HeadSpec { pooling: Pooling::Flatten, dense, labels: sizes.label_head(channels, INIT) },
    ))
}
