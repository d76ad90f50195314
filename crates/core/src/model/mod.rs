//! The paper's networks, built from the layer tables of `sngan_experiment::arch`.

mod batch_norm;
mod discriminator;
mod generator;
mod gradient;
mod init;
mod labels;
mod layer;
mod source;
mod topology;

pub use crate::norm::PostNorm;
pub use discriminator::{Discriminator, Trace};
pub use generator::Generator;
pub use gradient::InputGradient;
pub use labels::Labels;
pub use layer::{DiscriminatorLayer, DiscriminatorPoint, LayerWeights, Weights};
pub use source::TensorSource;

use crate::Result;
use candle_core::{DType, Device, Tensor, Var};
use sngan_experiment::arch;
use sngan_tensor::ops::{self, Arm};

/// ε of batch and layer normalization (the authors' code).
pub const NORM_EPS: f64 = 2e-5;
/// Decay of batch normalization's running averages (the authors' code).
pub const RUNNING_DECAY: f64 = 0.9;

/// Whether a forward pass uses the batch's statistics (and moves the running ones) or the running ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch; running averages move.
    Train,
    /// Running averages; nothing changes.
    Eval,
}

/// Whether a forward pass records gradients for the network's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// They are variables of the graph.
    Tracked,
    /// They are constants: no weight gradient is computed.
    Frozen,
}

impl Parameters {
    fn of(self, var: &Var) -> Tensor {
        match self {
            Parameters::Tracked => var.as_tensor().clone(),
            Parameters::Frozen => var.as_detached_tensor(),
        }
    }
}

/// What an operation applies of a layer's activation; tanh is an operation of its own, after it.
fn piecewise_linear(activation: arch::Activation) -> ops::Activation {
    match activation {
        arch::Activation::Identity | arch::Activation::Tanh => ops::Activation::Identity,
        arch::Activation::Relu => ops::Activation::Relu,
        arch::Activation::LeakyRelu { slope } => ops::Activation::LeakyRelu(slope),
    }
}

/// Where a network's tensors live.
#[derive(Debug, Clone)]
pub struct Place {
    /// CPU or GPU.
    pub device: Device,
    /// f32 to train; f64 for oracles.
    pub dtype: DType,
    /// Which arm of the operations is used.
    pub arm: Arm,
}

impl Place {
    /// f32 on `device`, with the default arm.
    pub fn new(device: &Device) -> Place {
        let arm = if device.is_cpu() { Arm::Ours } else { Arm::Candle };
        Place { device: device.clone(), dtype: DType::F32, arm }
    }

    /// The oracle: f64 on the CPU through Candle's operations.
    pub fn oracle() -> Place {
        Place { device: Device::Cpu, dtype: DType::F64, arm: Arm::Candle }
    }

    /// A tensor of f32 draws, in this place's type.
    pub(crate) fn tensor(
        &self,
        values: Vec<f32>,
        shape: impl Into<candle_core::Shape>,
    ) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape.into(), &self.device)?.to_dtype(self.dtype)?)
    }
}
