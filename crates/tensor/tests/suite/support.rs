//! What several tests share.

use candle_core::{DType, Device, Tensor, Var};
use sngan_tensor::ops::Activation;
use sngan_tensor::rng::Streams;
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;

/// Central differences in f64 with step 1e-6 on functions of size ~1: truncation ~1e-12, rounding ~1e-10, with room for sums.
pub(crate) const FINITE_DIFFERENCE: f64 = 1e-6;
/// Two f64 evaluations of the same formula in different order.
pub(crate) const F64_ROUNDING: f64 = 1e-11;
/// The same in f32, relative to the largest value.
pub(crate) const F32_ROUNDING: f64 = 2e-5;
/// Relative error of a sum of some hundred f64 terms.
const ROUNDED_SUM: f64 = 3e-15;
const STEP: f64 = 1e-6;

/// Those that networks have.
pub(crate) const ACTIVATIONS: [Activation; 3] = [Activation::Relu, LEAKY, Activation::Identity];
/// Those that are not linear.
pub(crate) const KINKED: [Activation; 2] = [Activation::Relu, LEAKY];
/// The paper's.
pub(crate) const LEAKY: Activation = Activation::LeakyRelu(0.1);

/// ε of batch and layer normalization in these tests.
pub(crate) const NORM_EPS: f64 = 2e-5;

/// What PyTorch made of single operations: tests/fixtures/operations.py.
pub(crate) fn committed() -> BTreeMap<String, Tensor> {
    let bytes = include_bytes!("../fixtures/operations.safetensors");
    tensor_file::decode(bytes, Types::F32AndF64, |_| true).unwrap()
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

/// The operations as tests of single layers call them: tensors `[N, C, H, W]` in and out, whatever a network passes between its layers.
pub(crate) mod layer {
    use super::NORM_EPS;
    use candle_core::Tensor;
    use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};

    /// `f` on the feature map of `x`.
    pub(crate) fn mapped(
        arm: Arm,
        x: &Tensor,
        f: impl Fn(&FeatureMap) -> sngan_tensor::Result<FeatureMap>,
    ) -> Tensor {
        f(&FeatureMap::of(arm, x).unwrap()).unwrap().to_tensor().unwrap()
    }

    pub(crate) fn conv(arm: Arm, x: &Tensor, w: &Tensor, stride: usize) -> Tensor {
        mapped(arm, x, |x| ops::conv2d(x, w, stride, (w.dim(3).unwrap() - 1) / 2, Finish::Linear))
    }

    pub(crate) fn deconv(arm: Arm, x: &Tensor, w: &Tensor) -> Tensor {
        mapped(arm, x, |x| ops::conv_transpose2d(x, w, 2, 1, Finish::Linear))
    }

    pub(crate) fn dense(arm: Arm, x: &Tensor, w: &Tensor, bias: &Tensor) -> Tensor {
        ops::dense(arm, x, w, bias).unwrap()
    }

    /// Bias and activation as a convolution's last step: here of the identity, a 1x1 kernel.
    pub(crate) fn bias_activation(
        arm: Arm,
        x: &Tensor,
        bias: &Tensor,
        activation: Activation,
    ) -> Tensor {
        let c = x.dim(1).unwrap();
        let identity =
            Tensor::eye(c, x.dtype(), x.device()).unwrap().reshape((c, c, 1, 1)).unwrap();
        mapped(arm, x, |x| {
            ops::conv2d(x, &identity, 1, 0, Finish::BiasActivation(bias, activation))
        })
    }

    pub(crate) fn activation(arm: Arm, x: &Tensor, activation: Activation) -> Tensor {
        mapped(arm, x, |x| ops::activation(x, activation))
    }

    pub(crate) fn tanh(arm: Arm, x: &Tensor) -> Tensor {
        mapped(arm, x, ops::tanh)
    }

    pub(crate) fn batch_norm(arm: Arm, x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Tensor {
        mapped(arm, x, |x| {
            Ok(ops::batch_norm(x, Some(gamma), beta, NORM_EPS, Activation::Identity)?.0)
        })
    }

    pub(crate) fn layer_norm(arm: Arm, x: &Tensor, beta: &Tensor) -> Tensor {
        mapped(arm, x, |x| ops::layer_norm(x, beta, NORM_EPS, Activation::Identity))
    }

    pub(crate) fn average_pool(arm: Arm, x: &Tensor) -> Tensor {
        mapped(arm, x, ops::average_pool)
    }

    pub(crate) fn upsample(arm: Arm, x: &Tensor) -> Tensor {
        mapped(arm, x, ops::upsample)
    }
}
