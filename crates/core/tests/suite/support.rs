//! What several tests share.

use candle_core::{DType, Device, Tensor, Var};
use sngan_core::replay;
use sngan_data::Images;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Method;
use sngan_experiment::{Dataset, RunSpec};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Central differences in f64 with step 1e-6 on functions of size ~1: truncation ~1e-12, rounding ~1e-10, with room for sums.
pub(crate) const FINITE_DIFFERENCE: f64 = 1e-6;
/// Two f64 evaluations of the same formula in different order.
pub(crate) const F64_ROUNDING: f64 = 1e-11;
/// The same in f32, relative to the largest value.
pub(crate) const F32_ROUNDING: f64 = 2e-5;

/// Three updates in f64 in two programs: Adam divides by √v, which can magnify rounding of small gradients by 1e6.
pub(crate) const REPLAY: f64 = 1e-8;
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
/// The same through residual blocks.
pub(crate) const F32_GRADIENT_BATCH_NORM_RESIDUAL: f64 = 5e-4;
/// Outputs and losses of an update in f32, relative to their size (at least 1e-3): a mean over a batch cancels digits.
pub(crate) const F32_OUTPUT: f64 = 1e-4;
/// Relative error of a sum of some hundred f64 terms.
const ROUNDED_SUM: f64 = 3e-15;
pub(crate) const STEP: f64 = 1e-6;

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

/// Seeded normal draws.
pub(crate) fn draw(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let n = shape.iter().product();
    Tensor::from_vec(Streams::new(42).normal(name, 0, n), shape, &Device::Cpu)
        .unwrap()
        .to_dtype(dtype)
        .unwrap()
}

pub(crate) fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn scalar(t: &Tensor) -> f64 {
    t.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// max|a − b| relative to the largest |b| (at least 1e-3).
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    a.iter().zip(&b).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())) / largest
}

/// Compares `grad` with central differences of `f` at some elements of `var` (all of them when few).
pub(crate) fn check_gradient(name: &str, var: &Var, grad: &Tensor, f: impl Fn() -> f64) {
    let base = values(var);
    let grad = values(grad);
    let largest = grad.iter().fold(1e-2f64, |m, x| m.max(x.abs()));
    let stride = base.len().div_ceil(12);
    for i in (0..base.len()).step_by(stride) {
        let at = |h: f64| {
            let mut moved = base.clone();
            moved[i] += h;
            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
            f()
        };
        let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        // A large value of f is itself rounded, which the division by the step magnifies.
        let rounding = ROUNDED_SUM * at(0.0).abs() / STEP;
        let error = (numeric - grad[i]).abs();
        assert!(
            error < FINITE_DIFFERENCE * largest + rounding,
            "{name}[{i}]: finite difference {numeric}, autograd {}",
            grad[i]
        );
    }
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
    }
}
