//! The generator's batch normalization, with one γ and β for all images or those of each image's class.

use super::labels::needed;
use super::{Labels, Mode, NORM_EPS, Parameters, RUNNING_DECAY, TensorSource};
use crate::{Error, Result};
use candle_core::{Shape, Tensor, Var};
use candle_nn::init::{ONE, ZERO};
use sngan_experiment::arch::Norm;
use sngan_tensor::ops::{self, Activation, FeatureMap};

/// Batch normalization of `[N, C, H, W]` over (N, H, W): trained γ and β, `[C]` or, conditional, `[classes, C]`; running averages `[C]`.
pub(super) struct BatchNorm {
    gamma: Var,
    beta: Var,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// That of the layer of `source` over `channels`, where the table has one; a fresh one has γ 1, β 0, averages 0 and 1.
    pub(super) fn new(
        norm: Norm,
        channels: usize,
        source: &TensorSource,
    ) -> Result<Option<BatchNorm>> {
        let parameters: Shape = match norm {
            Norm::None | Norm::ByMethod => return Ok(None),
            Norm::Batch => channels.into(),
            Norm::ConditionalBatch { classes } => (classes, channels).into(),
        };
        Ok(Some(BatchNorm {
            gamma: source.var(parameters.clone(), "bn.gamma", ONE)?,
            beta: source.var(parameters, "bn.beta", ZERO)?,
            running_mean: source.get(channels, "bn.running_mean", ZERO)?.detach(),
            running_var: source.get(channels, "bn.running_var", ONE)?.detach(),
        }))
    }

    /// γ and β, by their parts' names.
    pub(super) fn vars(&self) -> [(&'static str, &Var); 2] {
        [("bn.gamma", &self.gamma), ("bn.beta", &self.beta)]
    }

    /// The running averages, by their parts' names.
    pub(super) fn averages(&self) -> [(&'static str, &Tensor); 2] {
        [("bn.running_mean", &self.running_mean), ("bn.running_var", &self.running_var)]
    }

    /// Normalizes `x` and applies the activation.
    pub(super) fn forward(
        &mut self,
        x: &FeatureMap,
        labels: Option<&Labels>,
        parameters: Parameters,
        mode: Mode,
        activation: Activation,
    ) -> Result<FeatureMap> {
        let (mut gamma, mut beta) = (parameters.of(&self.gamma), parameters.of(&self.beta));
        if gamma.rank() == 2 {
            let labels = needed(labels)?;
            (gamma, beta) = (labels.rows(&gamma)?, labels.rows(&beta)?);
        }
        if mode == Mode::Eval {
            let running = [&self.running_mean, &self.running_var];
            return Ok(ops::batch_norm_with(x, &gamma, &beta, running, NORM_EPS, activation)?);
        }
        let (y, mean, var) = ops::batch_norm(x, Some(&gamma), &beta, NORM_EPS, activation)?;
        let [n, _, h, w] = x.dims()?;
        let count = (n * h * w) as f64;
        let unbiased = (var * (count / (count - 1.0).max(1.0)))?;
        let moved = |old: &Tensor, new: &Tensor| {
            Ok::<_, Error>(((old * RUNNING_DECAY)? + (new * (1.0 - RUNNING_DECAY))?)?.detach())
        };
        self.running_mean = moved(&self.running_mean, &mean)?;
        self.running_var = moved(&self.running_var, &unbiased)?;
        Ok(y)
    }
}
