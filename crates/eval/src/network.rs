//! The scorer's layers: five convolutions, each with bias and ReLU, the mean over the plane, and a dense layer to class logits.

use crate::Result;
use candle_core::Tensor;
use sngan_core::ops::{self, FeatureMap, Finish};

/// Side of the images the scorer reads, in pixels.
pub const SIDE: usize = 16;
/// Pooled features, the ones FID is taken on.
pub const FEATURES: usize = 64;
/// Classes of Fashion-MNIST, in its own order.
pub const CLASSES: usize = 10;

/// A convolution of the scorer; padding is 1.
pub(crate) struct Convolution {
    pub(crate) name: &'static str,
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
}

impl Convolution {
    const fn new(name: &'static str, input: usize, output: usize, kernel: usize, stride: usize) -> Convolution {
        Convolution { name, input, output, kernel, stride }
    }

    /// `[out, in, k, k]`.
    pub(crate) fn weight_shape(&self) -> [usize; 4] {
        [self.output, self.input, self.kernel, self.kernel]
    }

    /// `[N, in, H, W]` → `[N, out, H/stride, W/stride]`.
    pub(crate) fn apply(&self, x: &FeatureMap, weight: &Tensor, finish: Finish<'_>) -> Result<FeatureMap> {
        Ok(ops::conv2d(x, weight, self.stride, 1, finish)?)
    }
}

/// Grey 16x16 → 8x8 → 4x4; the widths keep the file under 1 MB.
pub(crate) const CONVOLUTIONS: [Convolution; 5] = [
    Convolution::new("conv0", 1, 32, 3, 1),
    Convolution::new("conv1", 32, 64, 4, 2),
    Convolution::new("conv2", 64, 64, 3, 1),
    Convolution::new("conv3", 64, 64, 4, 2),
    Convolution::new("conv4", 64, FEATURES, 3, 1),
];

/// Every tensor of a weights file with its shape.
pub(crate) fn tensor_shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = Vec::new();
    for layer in &CONVOLUTIONS {
        shapes.push((format!("{}.weight", layer.name), layer.weight_shape().to_vec()));
        shapes.push((format!("{}.bias", layer.name), vec![layer.output]));
    }
    shapes.push(("dense.weight".into(), vec![CLASSES, FEATURES]));
    shapes.push(("dense.bias".into(), vec![CLASSES]));
    shapes
}

/// Byte images `[N, 3, 16, 16]` → grey floats `[N, 1, 16, 16]` in [−1, 1]: the mean of the channels over 127.5, minus 1.
pub(crate) fn grey(bytes: &[u8]) -> Vec<f32> {
    const PLANE: usize = SIDE * SIDE;
    let value = |image: &[u8], i: usize| {
        let sum = u16::from(image[i]) + u16::from(image[PLANE + i]) + u16::from(image[2 * PLANE + i]);
        f32::from(sum) / 382.5 - 1.0
    };
    bytes.chunks_exact(3 * PLANE).flat_map(|image| (0..PLANE).map(move |i| value(image, i))).collect()
}
