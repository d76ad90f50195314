//! What the tables are made of: layers, blocks, and the steps between them.

use serde::Serialize;

/// One step of a network, from a feature map to the next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// A layer with a weight.
    Layer(LayerSpec),
    /// A normalization and an activation that follow no layer.
    Point(PointSpec),
    /// Nearest-neighbor upsampling by 2.
    Upsample,
    /// The mean over each 2x2 pixels.
    AveragePool,
    /// A residual block: the sum of two branches of its input.
    Block(BlockSpec),
    /// The label's embedding, repeated over the plane and appended to the channels.
    Concat(LayerSpec),
}

/// A ResBlock of Figure 8: `residual(x) + shortcut(x)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockSpec {
    /// Name of the block, the prefix of its layers' names (`block0.conv1`).
    pub name: String,
    /// The residual branch.
    pub residual: Vec<Step>,
    /// The shortcut; without steps it is the identity.
    pub shortcut: Vec<Step>,
    /// `[C, H, W]` of the sum.
    pub output: [usize; 3],
}

/// One layer with a weight; `norm` and `activation` follow it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSpec {
    /// Name of the layer, the prefix of its tensors' names (`conv0.weight`).
    pub name: String,
    /// What the layer computes.
    pub kind: LayerKind,
    /// Whether it has a bias.
    pub bias: bool,
    /// What the weight starts from; biases start at 0.
    pub init: Init,
    /// The normalization that follows.
    pub norm: Norm,
    /// What follows the (normalized) output.
    pub activation: Activation,
    /// `[C, H, W]` of its output (`[features, 1, 1]` for vectors; for a [`Step::Concat`], with its
    /// features appended).
    pub output: [usize; 3],
}

/// A normalization and an activation of the block's input, or of G's last feature map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointSpec {
    /// Name, the prefix of its tensors' names.
    pub name: String,
    /// The normalization.
    pub norm: Norm,
    /// The activation of what is normalized.
    pub activation: Activation,
    /// `[C, H, W]`.
    pub output: [usize; 3],
}

/// From D's last feature map to its output, one number per image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadSpec {
    /// What the dense layer reads.
    pub pooling: Pooling,
    /// The dense layer with one output.
    pub dense: LayerSpec,
    /// What labels add. It reads the mean over the plane if the head's pooling is the mean, else
    /// the sum.
    pub labels: Option<LabelHead>,
}

/// How a feature map `[C, H, W]` is reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Pooling {
    /// `[C·H·W]`, everything.
    Flatten,
    /// `[C]`, the sum over the plane.
    Sum,
    /// `[C]`, the mean over the plane.
    Mean,
}

/// What labels add to D's output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum LabelHead {
    /// `⟨embedding of the label, pooled features⟩` is added to the output.
    Projection(LayerSpec),
    /// A dense layer to one logit per class.
    Classifier(LayerSpec),
}

/// The linear map of a layer. Convolution weights are `[out, in, k, k]`, transposed ones `[in, out, k, k]`, dense ones `[out, in]`,
/// embeddings `[classes, dim]`.
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
    /// A row of the weight for each class.
    Embedding {
        /// Number of classes.
        classes: usize,
        /// Dimensions of a row.
        dim: usize,
    },
}

/// What a weight starts from, drawn from a stream of the layer's name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Init {
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in ±gain·√(6/(fan_in + fan_out)); both fans count the kernel's taps.
    GlorotUniform {
        /// √2 for the convolutions of residual branches, else 1.
        gain: f64,
    },
}

impl Init {
    /// Whether its standard deviation is the same for every fan-in.
    pub fn has_fixed_std(self) -> bool {
        match self {
            Init::Normal { .. } => true,
            Init::GlorotUniform { .. } => false,
        }
    }
}

/// What normalizes an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Norm {
    /// Nothing.
    None,
    /// Batch normalization with γ and β.
    Batch,
    /// Batch normalization with γ and β of each class.
    ConditionalBatch {
        /// Number of classes.
        classes: usize,
    },
    /// D's: batch or layer normalization if that is the method, else nothing.
    ByMethod,
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
    /// Elements of the weight.
    pub fn weights(self) -> usize {
        match self {
            LayerKind::Dense { input, output } => input * output,
            LayerKind::Conv { input, output, kernel, .. }
            | LayerKind::Deconv { input, output, kernel, .. } => input * output * kernel * kernel,
            LayerKind::Embedding { classes, dim } => classes * dim,
        }
    }

    /// Output channels or features.
    pub fn outputs(self) -> usize {
        match self {
            LayerKind::Dense { output, .. }
            | LayerKind::Conv { output, .. }
            | LayerKind::Deconv { output, .. } => output,
            LayerKind::Embedding { dim, .. } => dim,
        }
    }

    /// Shape of the weight.
    pub fn weight_shape(self) -> Vec<usize> {
        match self {
            LayerKind::Dense { input, output } => vec![output, input],
            LayerKind::Conv { input, output, kernel, .. } => vec![output, input, kernel, kernel],
            LayerKind::Deconv { input, output, kernel, .. } => vec![input, output, kernel, kernel],
            LayerKind::Embedding { classes, dim } => vec![classes, dim],
        }
    }
}

impl Norm {
    /// Parameters over `channels`.
    fn parameters(self, channels: usize) -> usize {
        match self {
            Norm::None | Norm::ByMethod => 0,
            Norm::Batch => 2 * channels,
            Norm::ConditionalBatch { classes } => 2 * classes * channels,
        }
    }
}

impl LayerSpec {
    /// A layer with bias, followed by nothing.
    pub(super) fn bare(
        name: impl Into<String>,
        kind: LayerKind,
        output: [usize; 3],
        init: Init,
    ) -> LayerSpec {
        LayerSpec {
            name: name.into(),
            kind,
            bias: true,
            init,
            norm: Norm::None,
            activation: Activation::Identity,
            output,
        }
    }

    /// The same, followed by these.
    pub(super) fn then(self, norm: Norm, activation: Activation) -> LayerSpec {
        LayerSpec { norm, activation, ..self }
    }

    /// The same without a bias.
    pub(super) fn without_bias(self) -> LayerSpec {
        LayerSpec { bias: false, ..self }
    }

    /// Number of trained parameters: weight, bias, and batch normalization's γ and β.
    pub fn parameters(&self) -> usize {
        let outputs = self.kind.outputs();
        self.kind.weights() + if self.bias { outputs } else { 0 } + self.norm.parameters(outputs)
    }

    /// Multiply-adds of one forward pass of one image, without bias and activation.
    pub fn multiply_adds(&self) -> u64 {
        let [_, height, width] = self.output;
        let count = match self.kind {
            LayerKind::Dense { .. } => self.kind.weights(),
            LayerKind::Conv { .. } => self.kind.weights() * height * width,
            LayerKind::Deconv { stride, .. } => {
                self.kind.weights() * (height / stride) * (width / stride)
            }
            LayerKind::Embedding { dim, .. } => dim,
        };
        count as u64
    }
}

impl LabelHead {
    /// Its layer.
    pub fn layer(&self) -> &LayerSpec {
        match self {
            LabelHead::Projection(layer) | LabelHead::Classifier(layer) => layer,
        }
    }
}

impl Step {
    /// Number of trained parameters, including those of a block's layers.
    pub fn parameters(&self) -> usize {
        match self {
            Step::Layer(layer) | Step::Concat(layer) => layer.parameters(),
            Step::Point(point) => point.norm.parameters(point.output[0]),
            Step::Upsample | Step::AveragePool => 0,
            Step::Block(block) => {
                block.residual.iter().chain(&block.shortcut).map(Step::parameters).sum()
            }
        }
    }
}

/// The layers with weights of `steps`, a block's residual before its shortcut.
pub(super) fn layers(steps: &[Step]) -> Vec<&LayerSpec> {
    let mut found = Vec::new();
    for step in steps {
        match step {
            Step::Layer(layer) | Step::Concat(layer) => found.push(layer),
            Step::Block(block) => {
                found.extend(layers(&block.residual));
                found.extend(layers(&block.shortcut));
            }
            Step::Point(_) | Step::Upsample | Step::AveragePool => {}
        }
    }
    found
}
