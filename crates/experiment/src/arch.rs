//! Layer tables of the paper's networks (Appendix B.4), as data without tensors.

use serde::{Deserialize, Serialize};

/// The dimension of z, everywhere in the paper.
pub const Z_DIM: usize = 128;

/// A named family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// The standard CNN of Table 3.
    StandardCnn,
}

/// One layer with parameters; what follows it stands in `activation`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSpec {
    /// Name of the layer, the prefix of its tensors' names (`conv0.weight`).
    pub name: String,
    /// What the layer computes.
    pub kind: LayerKind,
    /// Whether batch normalization follows (the generator's; D's is chosen by the method).
    pub batch_norm: bool,
    /// What follows the (normalized) output.
    pub activation: Activation,
    /// `[C, H, W]` of the layer's output (`[features, 1, 1]` for a scalar head).
    pub output: [usize; 3],
}

/// The linear map of a layer. Convolution weights are `[out, in, k, k]`, transposed ones `[in, out, k, k]`, dense ones `[out, in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LayerKind {
    /// `y = Wx + b`.
    Dense {
        /// Input features.
        input: usize,
        /// Output features.
        output: usize,
    },
    /// Convolution.
    Conv {
        /// Input channels.
        input: usize,
        /// Output channels.
        output: usize,
        /// Kernel side.
        kernel: usize,
        /// Stride.
        stride: usize,
        /// Zero padding at each border.
        padding: usize,
    },
    /// Transposed convolution.
    Deconv {
        /// Input channels.
        input: usize,
        /// Output channels.
        output: usize,
        /// Kernel side.
        kernel: usize,
        /// Stride.
        stride: usize,
        /// Padding removed at each border.
        padding: usize,
    },
}

/// A pointwise function.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Activation {
    /// None.
    Identity,
    /// max(x, 0).
    Relu,
    /// max(x, slope·x).
    LeakyRelu {
        /// Slope on the negative side.
        slope: f64,
    },
    /// tanh.
    Tanh,
}

impl LayerKind {
    /// Number of parameters, bias included.
    pub fn parameters(self) -> usize {
        match self {
            LayerKind::Dense { input, output } => input * output + output,
            LayerKind::Conv { input, output, kernel, .. } | LayerKind::Deconv { input, output, kernel, .. } => {
                input * output * kernel * kernel + output
            }
        }
    }
}

impl LayerSpec {
    /// Multiply-adds of one forward pass of one image, bias and activation left out.
    pub fn multiply_adds(&self) -> u64 {
        let [_, height, width] = self.output;
        let count = match self.kind {
            LayerKind::Dense { input, output } => input * output,
            LayerKind::Conv { input, output, kernel, .. } => input * output * kernel * kernel * height * width,
            LayerKind::Deconv { input, output, kernel, stride, .. } => {
                input * output * kernel * kernel * (height / stride) * (width / stride)
            }
        };
        count as u64
    }
}

/// The layers of a generator and a discriminator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArchSpec {
    /// Image side in pixels; images are `[3, side, side]`.
    pub side: usize,
    /// From z, `[128]`, to the image.
    pub generator: Vec<LayerSpec>,
    /// From the image to one logit.
    pub discriminator: Vec<LayerSpec>,
}

impl Architecture {
    /// The layer table at an image side of `side` pixels with every width divided by `width_divisor`.
    ///
    /// # Errors
    /// When the side is not a multiple of 8 or the divisor does not divide 64.
    pub fn layers(self, side: usize, width_divisor: usize) -> crate::Result<ArchSpec> {
        if side == 0 || !side.is_multiple_of(8) {
            return Err(crate::Error::invalid("side", format!("is {side}; the standard CNN needs a multiple of 8, such as 16, 32 or 48")));
        }
        if width_divisor == 0 || 64 % width_divisor != 0 {
            return Err(crate::Error::invalid("width_divisor", format!("is {width_divisor}; it must divide 64")));
        }
        match self {
            Architecture::StandardCnn => Ok(standard_cnn(side, width_divisor)),
        }
    }
}

/// Table 3 of the paper.
fn standard_cnn(side: usize, div: usize) -> ArchSpec {
    let m = side / 8;
    let mut generator = vec![LayerSpec {
        name: "dense".into(),
        kind: LayerKind::Dense { input: Z_DIM, output: m * m * 512 / div },
        batch_norm: false,
        activation: Activation::Identity,
        output: [512 / div, m, m],
    }];
    for (i, (input, output)) in [(512, 256), (256, 128), (128, 64)].into_iter().enumerate() {
        let s = m << (i + 1);
        generator.push(LayerSpec {
            name: format!("deconv{i}"),
            kind: LayerKind::Deconv { input: input / div, output: output / div, kernel: 4, stride: 2, padding: 1 },
            batch_norm: true,
            activation: Activation::Relu,
            output: [output / div, s, s],
        });
    }
    generator.push(LayerSpec {
        name: "conv".into(),
        kind: LayerKind::Conv { input: 64 / div, output: 3, kernel: 3, stride: 1, padding: 1 },
        batch_norm: false,
        activation: Activation::Tanh,
        output: [3, side, side],
    });

    let table = [(3, 64, 3, 1), (64, 64, 4, 2), (64, 128, 3, 1), (128, 128, 4, 2), (128, 256, 3, 1), (256, 256, 4, 2), (256, 512, 3, 1)];
    let mut discriminator = Vec::new();
    let mut s = side;
    for (i, (input, output, kernel, stride)) in table.into_iter().enumerate() {
        s /= stride;
        let input = if i == 0 { 3 } else { input / div };
        discriminator.push(LayerSpec {
            name: format!("conv{i}"),
            kind: LayerKind::Conv { input, output: output / div, kernel, stride, padding: 1 },
            batch_norm: false,
            activation: Activation::LeakyRelu { slope: 0.1 },
            output: [output / div, s, s],
        });
    }
    discriminator.push(LayerSpec {
        name: "dense".into(),
        kind: LayerKind::Dense { input: m * m * 512 / div, output: 1 },
        batch_norm: false,
        activation: Activation::Identity,
        output: [1, 1, 1],
    });
    ArchSpec { side, generator, discriminator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_3_widths_and_sides() {
        let spec = Architecture::StandardCnn.layers(32, 1).unwrap();
        let out: Vec<_> = spec.discriminator.iter().map(|l| l.output).collect();
        assert_eq!(out[1], [64, 16, 16]);
        assert_eq!(out[6], [512, 4, 4]);
        assert_eq!(spec.generator[0].output, [512, 4, 4]);
        assert_eq!(spec.generator.last().unwrap().output, [3, 32, 32]);
        let g: usize = spec.generator.iter().map(|l| l.kind.parameters()).sum();
        // 128·8192+8192 + 512·256·16+256 + 256·128·16+128 + 128·64·16+64 + 64·3·9+3
        assert_eq!(g, 1_056_768 + 2_097_408 + 524_416 + 131_136 + 1_731);
    }

    #[test]
    fn refuses_odd_sizes() {
        assert!(Architecture::StandardCnn.layers(20, 1).is_err());
        assert!(Architecture::StandardCnn.layers(32, 3).is_err());
    }
}
