//! D's outputs as losses read them, and what takes the losses' derivatives back: D's own, or divided by its gradient.

use super::updates::Side;
use crate::Result;
use crate::loss::DiscriminatorLoss;
use crate::model::{Discriminator, Labels, Weights};
use crate::norm::GradientNorm;
use candle_core::{DType, Tensor};
use sngan_experiment::RunSpec;
use sngan_experiment::method::ActsOn;

/// Whether D's output is divided by its gradient.
fn is_normalized(spec: &RunSpec) -> bool {
    match spec.normalization.acts_on() {
        ActsOn::Output => true,
        ActsOn::Nothing | ActsOn::Weights | ActsOn::Maps => false,
    }
}

/// D's outputs on `images`, as numbers alone.
pub(super) fn values(
    spec: &RunSpec,
    d: &Discriminator,
    weights: &Weights,
    images: &Tensor,
    labels: Option<&Labels>,
) -> Result<Vec<f64>> {
    if is_normalized(spec) {
        return Ok(GradientNorm::at(d, weights, images, labels)?.outputs());
    }
    host(&d.forward(weights, images, labels)?.outputs)
}

/// D's outputs on one batch of real and generated images, `[N]` each, and the classifier's logits for the real ones.
pub(super) struct Outputs {
    pub(super) scores: Scores,
    pub(super) logits: Option<Tensor>,
}

pub(super) enum Scores {
    /// In the graph.
    Plain { real: Tensor, fake: Tensor },
    /// The real images' come first.
    Normalized(GradientNorm),
}

impl Outputs {
    /// D's normalized outputs, where the spec has them.
    pub(super) fn normalized(
        spec: &RunSpec,
        d: &Discriminator,
        weights: &Weights,
        both: Side<'_>,
    ) -> Result<Option<Outputs>> {
        if !is_normalized(spec) {
            return Ok(None);
        }
        let norm = GradientNorm::at(d, weights, both.images, both.labels)?;
        let logits = if d.classifies() {
            let n = both.images.dim(0)? / 2;
            let logits = d.forward(weights, both.images, both.labels)?.logits;
            logits.map(|l| l.narrow(0, 0, n)).transpose()?
        } else {
            None
        };
        Ok(Some(Outputs { scores: Scores::Normalized(norm), logits }))
    }

    /// On real and on generated images.
    pub(super) fn values(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        match &self.scores {
            Scores::Plain { real, fake } => Ok((host(real)?, host(fake)?)),
            Scores::Normalized(norm) => {
                let mut real = norm.outputs();
                let fake = real.split_off(real.len() / 2);
                Ok((real, fake))
            }
        }
    }

    /// The scalar of the graph whose gradient is `share` times the loss's.
    pub(super) fn weighted(
        &self,
        d: &Discriminator,
        weights: &Weights,
        loss: &DiscriminatorLoss,
        share: f64,
    ) -> Result<Tensor> {
        match &self.scores {
            Scores::Plain { real, fake } => {
                Ok((weighted_sum(real, &loss.real, share)?
                    + weighted_sum(fake, &loss.fake, share)?)?)
            }
            Scores::Normalized(norm) => {
                let c: Vec<f64> = loss.real.iter().chain(&loss.fake).map(|c| c * share).collect();
                norm.in_weights(d, weights, &c)
            }
        }
    }
}

/// D's outputs on G's images, which are in the graph, and the classifier's logits.
pub(super) struct OfGenerator {
    score: Score,
    pub(super) logits: Option<Tensor>,
}

enum Score {
    Plain(Tensor),
    Normalized(GradientNorm, Tensor),
}

impl OfGenerator {
    pub(super) fn new(
        spec: &RunSpec,
        d: &Discriminator,
        weights: &Weights,
        fake: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<OfGenerator> {
        if !is_normalized(spec) {
            let trace = d.forward(weights, fake, labels)?;
            return Ok(OfGenerator { score: Score::Plain(trace.outputs), logits: trace.logits });
        }
        let norm = GradientNorm::at(d, weights, fake, labels)?;
        let logits = if d.classifies() { d.forward(weights, fake, labels)?.logits } else { None };
        Ok(OfGenerator { score: Score::Normalized(norm, fake.clone()), logits })
    }

    pub(super) fn values(&self) -> Result<Vec<f64>> {
        match &self.score {
            Score::Plain(outputs) => host(outputs),
            Score::Normalized(norm, _) => Ok(norm.outputs()),
        }
    }

    /// The scalar of the graph whose gradient is `share` times that of the loss with the derivatives `c`.
    pub(super) fn weighted(&self, c: &[f64], share: f64) -> Result<Tensor> {
        match &self.score {
            Score::Plain(outputs) => weighted_sum(outputs, c, share),
            Score::Normalized(norm, images) => {
                let c: Vec<f64> = c.iter().map(|c| c * share).collect();
                norm.in_images(images, &c)
            }
        }
    }
}

/// Values on the host, in f64.
pub(super) fn host(outputs: &Tensor) -> Result<Vec<f64>> {
    Ok(outputs.to_dtype(DType::F64)?.to_vec1()?)
}

/// `weight·Σ cᵢ·outputsᵢ` with constant c: its gradient in the parameters is `weight` times the loss's.
pub(super) fn weighted_sum(outputs: &Tensor, c: &[f64], weight: f64) -> Result<Tensor> {
    let c: Vec<f64> = c.iter().map(|c| c * weight).collect();
    let c = Tensor::from_slice(&c, c.len(), outputs.device())?.to_dtype(outputs.dtype())?;
    Ok((outputs * c)?.sum_all()?)
}
