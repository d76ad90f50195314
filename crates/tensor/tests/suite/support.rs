//! What several tests share.

pub(crate) use crate::numeric::*;
use candle_core::Tensor;
use sngan_tensor::ops::Activation;
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;

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
