//! What several tests share.

pub(crate) use crate::numeric::*;
use candle_core::{DType, Tensor};
use sngan_core::norm::{WeightNorm, unit};
use sngan_core::replay;
use sngan_data::Images;
use sngan_experiment::arch::{
    Activation, Architecture, Conditioning, Init, LayerKind, LayerSpec, Norm,
};
use sngan_experiment::method::{Method, Normalization};
use sngan_experiment::{Dataset, RunSpec};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Three updates in f64 in two programs: Adam divides by √v, which can magnify rounding of small gradients by 1e6.
pub(crate) const REPLAY: f64 = 1e-8;
/// The same of the running means, which biases without a gradient shift by what rounding makes of them: 1.6e-8 was measured on a CPU with
/// AVX2 alone.
pub(crate) const REPLAY_RUNNING_MEAN: f64 = 1e-7;
/// A bias before batch normalization has gradient 0, and a first moment of rounding; Adam makes a step of up to α of it.
pub(crate) const NO_GRADIENT: f64 = 1e-13;
/// Two or three updates in f64, ours against the authors' own code.
pub(crate) const AUTHORS: f64 = 1e-13;
/// The same of biases without a gradient and the running means that they shift: Adam divides rounding of 1e-17 by an ε of 1e-8.
pub(crate) const AUTHORS_NO_GRADIENT: f64 = 1e-9;
/// A gradient through G and D, 12 layers, in f32 against f64, relative to its largest element.
pub(crate) const F32_GRADIENT: f64 = 1e-5;
/// The same through residual blocks: three times the layers.
pub(crate) const F32_GRADIENT_RESIDUAL: f64 = 5e-5;
/// The same with batch normalization in D: its last layers normalize two values a channel here, which magnifies rounding.
pub(crate) const F32_GRADIENT_BATCH_NORM: f64 = 1e-4;
/// The same through residual blocks; rounding is the instruction set's own, and 7.5e-4 was measured on a CPU with AVX2 alone.
pub(crate) const F32_GRADIENT_BATCH_NORM_RESIDUAL: f64 = 1e-3;
/// Outputs and losses of an update in f32, relative to their size (at least 1e-3): a mean over a batch cancels digits.
pub(crate) const F32_OUTPUT: f64 = 1e-4;

/// A network of one to eight channels on 8x8 images.
pub(crate) fn tiny(method: Method) -> RunSpec {
    RunSpec {
        side: 8,
        width_divisor: 64,
        batch: 3,
        gen_batch: 3,
        gen_updates: 6,
        n_dis: 2,
        lr: 1e-3,
        dataset: Dataset::FashionMnist,
        ..RunSpec::paper(method)
    }
}

/// The folder of committed cases.
pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The tensors of a committed file.
pub(crate) fn committed(file: &str) -> BTreeMap<String, Tensor> {
    let path = fixtures().join(file);
    replay::tensors(&path, &std::fs::read(&path).unwrap()).unwrap()
}

/// Classes of the made-up images.
pub(crate) const CLASSES: usize = 3;

/// The smallest run of a network: a side of 8 to 32 pixels, two updates.
pub(crate) fn smallest(
    method: Method,
    architecture: Architecture,
    conditioning: Conditioning,
) -> RunSpec {
    let n_classes = if conditioning == Conditioning::None { 0 } else { CLASSES };
    // Rows of a single weight, which narrower networks have, are constants under weight normalization.
    let (side, width_divisor) = (architecture.side_multiple(), 32);
    RunSpec {
        architecture,
        conditioning,
        n_classes,
        side,
        width_divisor,
        gen_updates: 2,
        ..tiny(method)
    }
}

/// The normalization of a convolution (stride 1, padding 1, on maps of 5 pixels a side) with a weight of `shape` `[O, I, k, k]`; its state is drawn
/// by the parts' names.
pub(crate) fn weight_norm(
    normalization: Normalization,
    shape: &[usize],
    dtype: DType,
) -> WeightNorm {
    let [output, input, kernel, _] = *shape else { panic!("{shape:?}") };
    let layer = LayerSpec {
        name: "conv".into(),
        kind: LayerKind::Conv { input, output, kernel, stride: 1, padding: 1 },
        bias: true,
        init: Init::Normal { std: 0.02 },
        norm: Norm::None,
        activation: Activation::Identity,
        output: [output, 5, 5],
    };
    let spec = RunSpec { normalization, ..tiny(Method::Vanilla) };
    WeightNorm::new(&spec, &layer, |part, shape| unit(&draw(part, shape, dtype))).unwrap()
}

/// Made-up images.
pub(crate) fn images(n: usize, side: usize) -> Images {
    let pixels = Streams::new(5)
        .uniform("images", 0, n * 3 * side * side)
        .into_iter()
        .map(|u| (u * 256.0) as u8)
        .collect();
    let labels = (0..n).map(|i| (i % CLASSES) as u32).collect();
    Images {
        name: "made-up".into(),
        side,
        pixels,
        labels,
        classes: (0..CLASSES).map(|c| c.to_string()).collect(),
        reading: Default::default(),
    }
}
