//! The paper's networks (Appendix B.4) as data without tensors: what each layer computes, how blocks are built from layers, and what every
//! layer's parameters start from. `sngan-core` builds its networks from these tables, and Tables 3–6 and Figure 8 are drawn from them.

mod resnet;
mod standard_cnn;
mod step;

pub use step::{
    Activation, BlockSpec, HeadSpec, Init, LabelHead, LayerKind, LayerSpec, Norm, PointSpec,
    Pooling, Step,
};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The dimension of z, everywhere in the paper.
pub const Z_DIM: usize = 128;

/// Dimension of the class embedding that the concatenating discriminator appends to its features.
const CONCAT_DIM: usize = 128;

/// A named family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// The standard CNN of Table 3.
    StandardCnn,
    /// The standard CNN of the authors' own code: slope 0.2, a wider D, batch normalization and
    /// ReLU after G's dense layer.
    StandardCnnCgl,
    /// The ResNet for CIFAR-10, Table 4.
    ResnetCifar10,
    /// The ResNet for STL-10, Table 5.
    ResnetStl10,
    /// The ResNet for ImageNet at 128x128, Table 6.
    ResnetImagenet,
    /// The ResNet for 64x64 of the authors' code.
    #[serde(rename = "resnet-64")]
    Resnet64,
    /// The ResNet of Gulrajani et al. (2017) that Tables 7 and 8 vary.
    ResnetGulrajani,
}

/// How labels enter the networks. With labels, G has conditional batch normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditioning {
    /// Labels are not used.
    None,
    /// D appends an embedding of the label to its features after the third block that halves the
    /// side (the last one if there are fewer).
    Concat,
    /// D adds ⟨embedding of the label, pooled features⟩ to its output (Miyato & Koyama 2018).
    Projection,
    /// D classifies images by a second dense layer on its pooled features (Odena et al. 2017).
    AcGan,
}

/// The numbers that turn an architecture into a table of layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Image side, pixels.
    pub side: usize,
    /// Every width is divided by this.
    pub width_divisor: usize,
    /// Every width of D is multiplied by this (1.5 in Tables 7 and 8).
    pub dis_width_factor: f64,
    /// Input and output channels of the standard CNN's seventh convolution are multiplied by this (Figure 4).
    pub last_conv_factor: f64,
    /// How labels enter.
    pub conditioning: Conditioning,
    /// Number of classes; 0 without conditioning.
    pub n_classes: usize,
}

impl Sizes {
    /// An unconditional network with the tables' own proportions.
    pub fn new(side: usize, width_divisor: usize) -> Sizes {
        let (dis_width_factor, last_conv_factor) = (1.0, 1.0);
        Sizes {
            side,
            width_divisor,
            dis_width_factor,
            last_conv_factor,
            conditioning: Conditioning::None,
            n_classes: 0,
        }
    }

    /// A width of G.
    fn gen_width(&self, full: usize) -> usize {
        full / self.width_divisor
    }

    /// A width of D.
    fn dis_width(&self, full: usize) -> Result<usize> {
        self.scaled("dis_width_factor", full, self.dis_width_factor)
    }

    /// `full` times D's factor, over the divisor. The result must be whole; `key` names the factor
    /// in the error.
    fn scaled(&self, key: &'static str, full: usize, factor: f64) -> Result<usize> {
        let width = full as f64 * factor / self.width_divisor as f64;
        if width >= 1.0 && width.fract() == 0.0 {
            return Ok(width as usize);
        }
        Err(Error::invalid(
            key,
            format!(
                "makes {width} of a width of {full} over {}; it must be a whole number",
                self.width_divisor
            ),
        ))
    }

    /// What follows a convolution of G's blocks: batch normalization, conditional if there are
    /// labels.
    fn gen_norm(&self) -> Norm {
        match self.conditioning {
            Conditioning::None => Norm::Batch,
            Conditioning::Concat | Conditioning::Projection | Conditioning::AcGan => {
                Norm::ConditionalBatch { classes: self.n_classes }
            }
        }
    }

    /// D's class embedding of `dim` dimensions.
    fn embedding(&self, name: &str, dim: usize, output: [usize; 3], init: Init) -> LayerSpec {
        LayerSpec::bare(name, LayerKind::Embedding { classes: self.n_classes, dim }, output, init)
            .without_bias()
    }

    /// What the labels add to D's output, for pooled features of `width` dimensions.
    fn label_head(&self, width: usize, init: Init) -> Option<LabelHead> {
        match self.conditioning {
            Conditioning::None | Conditioning::Concat => None,
            Conditioning::Projection => {
                Some(LabelHead::Projection(self.embedding("embedding", width, [width, 1, 1], init)))
            }
            Conditioning::AcGan => {
                let kind = LayerKind::Dense { input: width, output: self.n_classes };
                Some(LabelHead::Classifier(LayerSpec::bare(
                    "classifier",
                    kind,
                    [self.n_classes, 1, 1],
                    init,
                )))
            }
        }
    }

    /// The step that appends the label's embedding to features of `side` pixels.
    fn concat(&self, channels: usize, side: usize, init: Init) -> Result<(Step, usize)> {
        let dim = self.dis_width(CONCAT_DIM)?;
        Ok((
            Step::Concat(self.embedding("embedding", dim, [channels + dim, side, side], init)),
            channels + dim,
        ))
    }
}

/// The layers of a generator and a discriminator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArchSpec {
    /// Image side in pixels; images are `[3, side, side]`.
    pub side: usize,
    /// From z, `[128]`, to the image; the first step is a dense layer.
    pub generator: Vec<Step>,
    /// From the image to the last feature map.
    pub discriminator: Vec<Step>,
    /// From D's last feature map to its output.
    pub head: HeadSpec,
}

impl ArchSpec {
    /// Every layer of G that has a weight, in the order of a forward pass (a block's residual
    /// before its shortcut).
    pub fn generator_layers(&self) -> Vec<&LayerSpec> {
        step::layers(&self.generator)
    }

    /// Every layer of D that has a weight, in the same order; the head's layers come last.
    pub fn discriminator_layers(&self) -> Vec<&LayerSpec> {
        let mut layers = step::layers(&self.discriminator);
        layers.push(&self.head.dense);
        layers.extend(self.head.labels.as_ref().map(LabelHead::layer));
        layers
    }

    /// Whether a network has residual blocks.
    pub fn has_blocks(&self) -> bool {
        let mut steps = self.generator.iter().chain(&self.discriminator);
        steps.any(|step| match step {
            Step::Block(_) => true,
            Step::Layer(_)
            | Step::Concat(_)
            | Step::Point(_)
            | Step::Upsample
            | Step::AveragePool => false,
        })
    }

    /// Trained parameters of G: weights, biases, batch normalization's γ and β.
    pub fn generator_parameters(&self) -> usize {
        self.generator.iter().map(Step::parameters).sum()
    }

    /// Trained parameters of D without those that a method adds (β of batch and layer normalization, γ).
    pub fn discriminator_parameters(&self) -> usize {
        let head = self.head.dense.parameters()
            + self.head.labels.as_ref().map_or(0, |l| l.layer().parameters());
        self.discriminator.iter().map(Step::parameters).sum::<usize>() + head
    }
}

impl Architecture {
    /// All of them.
    pub const ALL: [Architecture; 7] = [
        Architecture::StandardCnn,
        Architecture::StandardCnnCgl,
        Architecture::ResnetCifar10,
        Architecture::ResnetStl10,
        Architecture::ResnetImagenet,
        Architecture::Resnet64,
        Architecture::ResnetGulrajani,
    ];

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::StandardCnn => "standard-cnn",
            Architecture::StandardCnnCgl => "standard-cnn-cgl",
            Architecture::ResnetCifar10 => "resnet-cifar10",
            Architecture::ResnetStl10 => "resnet-stl10",
            Architecture::ResnetImagenet => "resnet-imagenet",
            Architecture::Resnet64 => "resnet-64",
            Architecture::ResnetGulrajani => "resnet-gulrajani",
        }
    }

    /// The side of the images that the paper trains it on.
    pub fn paper_side(self) -> usize {
        match self {
            Architecture::StandardCnn
            | Architecture::StandardCnnCgl
            | Architecture::ResnetCifar10
            | Architecture::ResnetGulrajani => 32,
            Architecture::ResnetStl10 => 48,
            Architecture::Resnet64 => 64,
            Architecture::ResnetImagenet => 128,
        }
    }

    /// The networks for images of a side: the authors' ResNets from 64 pixels on where they fit, else
    /// the standard CNN.
    ///
    /// # Errors
    /// A side that no network fits.
    pub fn for_side(side: usize) -> Result<Architecture> {
        let fits =
            |a: &Architecture| side >= a.smallest_side() && side.is_multiple_of(a.side_multiple());
        let order =
            [Architecture::ResnetImagenet, Architecture::Resnet64, Architecture::StandardCnn];
        order.into_iter().find(fits).ok_or_else(|| {
            Error::invalid(
                "side",
                format!("is {side}; networks need a multiple of 8, such as 32, 48, 64 or 128"),
            )
        })
    }

    /// The smallest side that the networks are chosen for.
    fn smallest_side(self) -> usize {
        match self {
            Architecture::StandardCnn | Architecture::StandardCnnCgl => self.side_multiple(),
            Architecture::ResnetCifar10
            | Architecture::ResnetStl10
            | Architecture::ResnetImagenet
            | Architecture::Resnet64
            | Architecture::ResnetGulrajani => self.paper_side(),
        }
    }

    /// What an image side must be a multiple of: G starts from a whole number of pixels, and D halves whole numbers.
    pub fn side_multiple(self) -> usize {
        match self {
            Architecture::StandardCnn
            | Architecture::StandardCnnCgl
            | Architecture::ResnetCifar10
            | Architecture::ResnetGulrajani => 8,
            Architecture::ResnetStl10 => 16,
            Architecture::Resnet64 | Architecture::ResnetImagenet => 32,
        }
    }

    /// The layer table at the given sizes.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the size that does not fit.
    pub fn layers(self, sizes: &Sizes) -> Result<ArchSpec> {
        let Sizes {
            side,
            width_divisor,
            n_classes,
            conditioning,
            last_conv_factor,
            dis_width_factor,
        } = *sizes;
        let multiple = self.side_multiple();
        if side == 0 || !side.is_multiple_of(multiple) {
            let reason = format!(
                "is {side}; {} needs a multiple of {multiple}, such as {}",
                self.name(),
                self.paper_side()
            );
            return Err(Error::invalid("side", reason));
        }
        if width_divisor == 0 || 64 % width_divisor != 0 {
            return Err(Error::invalid(
                "width_divisor",
                format!("is {width_divisor}; it must divide 64"),
            ));
        }
        for (key, factor) in
            [("dis_width_factor", dis_width_factor), ("last_conv_factor", last_conv_factor)]
        {
            // Beyond this, a network is a mistake rather than an experiment.
            if !(factor > 0.0 && factor <= 64.0) {
                return Err(Error::invalid(
                    key,
                    format!("is {factor}; it must be above 0 and at most 64"),
                ));
            }
        }
        let remedy = match (conditioning, n_classes) {
            (Conditioning::None, 0) => None,
            (Conditioning::None, _) => Some(
                "a network without labels has none: set n_classes=0, or conditioning=\"projection\" to use them",
            ),
            (_, 0) => Some(
                "labels need the data's number of classes, such as n_classes=10 for CIFAR-10; without labels set conditioning=\"none\"",
            ),
            (_, 1) => {
                Some("one class tells nothing apart: set conditioning=\"none\" and n_classes=0")
            }
            (_, _) => None,
        };
        if let Some(remedy) = remedy {
            return Err(Error::invalid("n_classes", format!("is {n_classes}; {remedy}")));
        }
        match self {
            Architecture::StandardCnn => standard_cnn::layers(&standard_cnn::PAPERS, sizes),
            Architecture::StandardCnnCgl => standard_cnn::layers(&standard_cnn::CGL, sizes),
            _ if last_conv_factor != 1.0 => Err(Error::invalid(
                "last_conv_factor",
                "is not 1, but only the standard CNN has a seventh convolution",
            )),
            Architecture::ResnetCifar10
            | Architecture::ResnetStl10
            | Architecture::ResnetImagenet
            | Architecture::Resnet64
            | Architecture::ResnetGulrajani => resnet::layers(self, sizes),
        }
    }
}

#[cfg(test)]
mod tests;
