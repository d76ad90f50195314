//! The generator's batch normalization, with one γ and β for all images or those of each image's class.

use super::labels::needed;
use super::{Labels, Mode, NORM_EPS, Parameters, Place, RUNNING_DECAY, find, init};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::arch::Norm;
use sngan_tensor::ops::{self, Activation, FeatureMap};
use std::collections::BTreeMap;

/// Batch normalization of `[N, C, H, W]` over (N, H, W): trained γ and β, `[C]` or, conditional, `[classes, C]`; running averages `[C]`.
pub(super) struct BatchNorm {
    gamma: Var,
    beta: Var,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// A fresh one over `channels`, where the table has one: γ 1, β 0, averages 0 and 1.
    pub(super) fn new(norm: Norm, channels: usize, place: &Place) -> Result<Option<BatchNorm>> {
        let rows = match norm {
            Norm::None | Norm::ByMethod => return Ok(None),
            Norm::Batch => None,
            Norm::ConditionalBatch { classes } => Some(classes),
        };
        let var = |value: f32| {
            let t = init::constant(value, rows.unwrap_or(1) * channels, place)?;
            let t = if let Some(rows) = rows { t.reshape((rows, channels))? } else { t };
            Ok::<_, Error>(Var::from_tensor(&t)?)
        };
        let (running_mean, running_var) =
            (init::constant(0.0, channels, place)?, init::constant(1.0, channels, place)?);
        Ok(Some(BatchNorm { gamma: var(1.0)?, beta: var(0.0)?, running_mean, running_var }))
    }

    /// γ and β, by their parts' names.
    pub(super) fn vars(&self) -> [(&'static str, &Var); 2] {
        [("bn.gamma", &self.gamma), ("bn.beta", &self.beta)]
    }

    /// The running averages, by their parts' names.
    pub(super) fn averages(&self) -> [(&'static str, &Tensor); 2] {
        [("bn.running_mean", &self.running_mean), ("bn.running_var", &self.running_var)]
    }

    /// Puts back the running averages of the layer with the name `prefix`.
    pub(super) fn load_averages(
        &mut self,
        prefix: &str,
        tensors: &BTreeMap<String, Tensor>,
        place: &Place,
    ) -> Result<()> {
        let get = |part: &str, t: &Tensor| {
            find(tensors, &format!("{prefix}.bn.{part}"), t.shape(), place)
        };
        self.running_mean = get("running_mean", &self.running_mean)?;
        self.running_var = get("running_var", &self.running_var)?;
        Ok(())
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
