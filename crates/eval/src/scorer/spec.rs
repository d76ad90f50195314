//! The scorers and their layers: convolutions, each with bias and ReLU, the mean over the plane,
//! and a dense layer to class logits.

use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use sngan_experiment::Dataset;
use sngan_tensor::ops::{self, FeatureMap, Finish};

/// Training parameters of a scorer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Passes over the training images.
    pub epochs: usize,
    /// Adam's initial α; it decays to 0 along half a cosine wave.
    pub lr: f64,
    /// Each update first multiplies the weights, but not biases, γ and β, by 1 − α · this (Loshchilov & Hutter's decoupled weight decay).
    pub weight_decay: f64,
    /// Share of the target probability that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// Images are shifted by up to this many pixels in each direction.
    pub shift: usize,
}

/// A scorer: its network, the images it was made for, and how it is trained.
#[derive(Debug)]
pub struct ScorerSpec {
    /// The name under which protocols record it.
    pub name: &'static str,
    /// The data set whose classes it predicts.
    pub dataset: Dataset,
    /// Side of the images it reads, in pixels; others are resized to it.
    pub side: usize,
    /// Number of classes, in the data set's order.
    pub classes: usize,
    /// The training that produced its weights.
    pub recipe: Recipe,
    /// What the first convolution reads.
    pub input: Input,
    /// From the image to the pooled features.
    pub convolutions: &'static [Convolution],
    /// The committed weights; assets/README.md says how they were made.
    pub(crate) weights: &'static [u8],
    /// Their SHA-256, in hex: scores that were recorded name it.
    pub sha256: &'static str,
}

/// How byte images `[N, 3, side, side]` become a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// `[N, 1, side, side]` in [−1, 1]: the mean of the channels over 127.5, minus 1. Padding is
    /// black.
    Grey,
    /// `[N, 3, side, side]` in [−1, 1]: the bytes over 127.5, minus 1. Padding is mid-gray, 0.
    Colour,
}

/// A convolution of a scorer; padding is 1.
#[derive(Debug)]
pub struct Convolution {
    /// Name of its tensors in a weights file.
    pub name: &'static str,
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Pixels from one place of the kernel to the next.
    pub stride: usize,
}

/// A convolution that keeps the side: kernel 3, stride 1.
const fn keep(name: &'static str, input: usize, output: usize) -> Convolution {
    Convolution { name, input, output, kernel: 3, stride: 1 }
}

/// A convolution that halves the side: kernel 4, stride 2.
const fn halve(name: &'static str, input: usize, output: usize) -> Convolution {
    Convolution { name, input, output, kernel: 4, stride: 2 }
}

/// Fashion-MNIST in gray, 16x16 → 8x8 → 4x4; the widths keep the file under 1 MB.
static FASHION: ScorerSpec = ScorerSpec {
    name: "scorer-fashion",
    dataset: Dataset::FashionMnist,
    side: 16,
    classes: 10,
    recipe: Recipe { epochs: 24, lr: 3e-3, weight_decay: 0.0, label_smoothing: 0.0, shift: 1 },
    input: Input::Grey,
    convolutions: &[
        keep("conv0", 1, 32),
        halve("conv1", 32, 64),
        keep("conv2", 64, 64),
        halve("conv3", 64, 64),
        keep("conv4", 64, 64),
    ],
    weights: include_bytes!("../../assets/scorer-fashion.safetensors"),
    sha256: "ba692df314ca0a63ef30f24d3df5c5f547263816cb4337a9f2dd2a80843c7ebf",
};

/// CIFAR-10 in color, 32x32 → 16x16 → 8x8 → 4x4; the widths keep the file under 4 MB and allow the
/// Winograd kernels.
static CIFAR10: ScorerSpec = ScorerSpec {
    name: "scorer-cifar10",
    dataset: Dataset::Cifar10,
    side: 32,
    classes: 10,
    recipe: Recipe { epochs: 18, lr: 3e-3, weight_decay: 0.1, label_smoothing: 0.05, shift: 4 },
    input: Input::Colour,
    convolutions: &[
        keep("conv0", 3, 32),
        halve("conv1", 32, 64),
        keep("conv2", 64, 64),
        halve("conv3", 64, 128),
        keep("conv4", 128, 128),
        keep("conv5", 128, 128),
        halve("conv6", 128, 128),
        keep("conv7", 128, 128),
    ],
    weights: include_bytes!("../../assets/scorer-cifar10.safetensors"),
    sha256: "19bad9e86c1e0a9ef9e702094f3277867812253a563ff27632e0e4d455e17ae5",
};

/// Every scorer.
pub static SCORERS: [&ScorerSpec; 2] = [&FASHION, &CIFAR10];

impl ScorerSpec {
    /// The scorer of this name.
    ///
    /// # Errors
    /// [`Error::UnknownBackbone`] when there is none.
    pub fn named(name: &str) -> Result<&'static ScorerSpec> {
        SCORERS
            .into_iter()
            .find(|s| s.name == name)
            .ok_or_else(|| Error::UnknownBackbone { name: name.into() })
    }

    /// The scorer that was made for a data set of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_dataset(name: &str) -> Result<&'static ScorerSpec> {
        let known = || SCORERS.map(|s| s.dataset.name()).join(", ");
        let unknown = || {
            Error::input(
                "scorer",
                format!("there is none for data set `{name}`; there are for {}", known()),
            )
        };
        SCORERS.into_iter().find(|s| s.dataset.name() == name).ok_or_else(unknown)
    }

    /// Number of pooled features, used for FID: channels of the last convolution.
    pub fn features(&self) -> usize {
        self.convolutions.last().map_or(0, |c| c.output)
    }

    /// Multiply-adds of one image's forward pass, in the convolutions.
    pub fn multiply_adds(&self) -> usize {
        let mut side = self.side;
        let of = |c: &Convolution| {
            side /= c.stride;
            side * side * c.weight_shape().iter().product::<usize>()
        };
        self.convolutions.iter().map(of).sum()
    }

    /// Number of trained parameters: those of the weights file.
    pub fn parameters(&self) -> usize {
        self.tensor_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Every tensor of a weights file with its shape.
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        for layer in self.convolutions {
            shapes.push((format!("{}.weight", layer.name), layer.weight_shape().to_vec()));
            shapes.push((format!("{}.bias", layer.name), vec![layer.output]));
        }
        shapes.push(("dense.weight".into(), vec![self.classes, self.features()]));
        shapes.push(("dense.bias".into(), vec![self.classes]));
        shapes
    }
}

impl Convolution {
    /// `[out, in, k, k]`.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.output, self.input, self.kernel, self.kernel]
    }

    /// `[N, in, H, W]` → `[N, out, H/stride, W/stride]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply(&self, x: &FeatureMap, weight: &Tensor, finish: Finish<'_>) -> Result<FeatureMap> {
        Ok(ops::conv2d(x, weight, self.stride, 1, finish)?)
    }
}

impl Input {
    /// Channels of the floats.
    pub fn channels(self) -> usize {
        match self {
            Input::Grey => 1,
            Input::Colour => 3,
        }
    }

    /// The value of padding, and of images that only fill up a batch.
    pub fn blank(self) -> f32 {
        match self {
            Input::Grey => -1.0,
            Input::Colour => 0.0,
        }
    }

    /// Byte images `[N, 3, side, side]` with `area` pixels → floats `[N, channels, side, side]`.
    pub fn floats(self, bytes: &[u8], area: usize) -> Vec<f32> {
        match self {
            Input::Grey => bytes
                .chunks_exact(3 * area)
                .flat_map(|image| (0..area).map(move |i| grey(image, area, i)))
                .collect(),
            Input::Colour => bytes.iter().map(|b| f32::from(*b) / 127.5 - 1.0).collect(),
        }
    }
}

/// Gray value of pixel `i` of a planar image.
fn grey(image: &[u8], area: usize, i: usize) -> f32 {
    let sum = u16::from(image[i]) + u16::from(image[area + i]) + u16::from(image[2 * area + i]);
    f32::from(sum) / 382.5 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_follow_on_each_other_and_the_cost_is_what_their_shapes_say() {
        for spec in SCORERS {
            assert_eq!(spec.convolutions[0].input, spec.input.channels(), "{}", spec.name);
            for pair in spec.convolutions.windows(2) {
                assert_eq!(pair[0].output, pair[1].input, "{}: {}", spec.name, pair[1].name);
            }
            // Weights, and at most 64 bytes of header per tensor plus its own.
            let slack = 64 * (1 + spec.tensor_shapes().len()) + 64;
            assert!(
                (4 * spec.parameters()..4 * spec.parameters() + 2 * slack)
                    .contains(&spec.weights.len()),
                "{}",
                spec.name
            );
        }
        assert_eq!((FASHION.parameters(), FASHION.features()), (173_258, 64));
        // 16²·32·9 + 8²·(64·32·16 + 64·64·9) + 4²·(64·64·16 + 64·64·9)
        assert_eq!(FASHION.multiply_adds(), 6_168_576);
    }

    #[test]
    fn bytes_become_floats_in_one_range() {
        let image = [[0u8; 4], [255; 4], [255; 4]].concat();
        assert_eq!(Input::Grey.floats(&image, 4), [510.0 / 382.5 - 1.0; 4]);
        assert_eq!(Input::Grey.floats(&[255; 12], 4), [1.0; 4]);
        assert_eq!(Input::Colour.floats(&[0, 51, 255], 1), [-1.0, 51.0 / 127.5 - 1.0, 1.0]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let message = ScorerSpec::named("inception").unwrap_err().to_string();
        assert!(SCORERS.iter().all(|s| message.contains(s.name)), "{message}");
    }
}
