//! Normalizations that change the forward pass: of weights ([`WeightNorm`]), one file each; of feature maps ([`PostNorm`]), which are
//! operations of `sngan_tensor`; and of D's output ([`GradientNorm`]).
//!
//! A weight is treated as the matrix `[d_out, d_in·h·w]`. A layer owns its raw weight and holds a [`WeightNorm`] as a value.

mod bidirectional;
mod frobenius;
mod gradient;
mod operator;
mod spectral;
mod stable_rank;
mod weight;

pub use bidirectional::BidirectionalNorm;
pub use frobenius::FrobeniusNorm;
pub use gradient::GradientNorm;
pub use operator::OperatorNorm;
pub use spectral::{SpectralNorm, unit};
pub use stable_rank::StableRankNorm;
pub use weight::RowNorm;

use crate::model::NORM_EPS as MAP_EPS;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{LayerKind, LayerSpec, Norm};
use sngan_experiment::method::Normalization;
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap};

/// Keeps norms off zero, as the authors' code does.
pub(crate) const NORM_EPS: f64 = 1e-12;

/// Whether a power iteration runs before a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iterate {
    /// One iteration from the stored `u`, which is replaced.
    Once,
    /// None: v = Wᵀu/‖Wᵀu‖ from the current W; nothing is written.
    Frozen,
}

/// How one layer's weight is normalized.
#[derive(Debug, Clone)]
pub enum WeightNorm {
    /// W̄ = W.
    None,
    /// Rows of ℓ2 norm 1 (Eq. 25).
    Row(RowNorm),
    /// Frobenius norm 1 (Eq. 36).
    Frobenius(FrobeniusNorm),
    /// Largest singular value about 1 (Eq. 8).
    Spectral(SpectralNorm),
    /// The mean of two matrices' largest singular values about 1.
    Bidirectional(BidirectionalNorm),
    /// Largest singular value about 1, stable rank bounded.
    StableRank(StableRankNorm),
    /// The convolution's norm as an operator about 1.
    Operator(OperatorNorm),
}

/// Whether a layer has a matrix alone, and so SN where a convolution would have a normalization of its own.
fn is_matrix(kind: LayerKind) -> bool {
    match kind {
        LayerKind::Dense { .. } | LayerKind::Embedding { .. } => true,
        LayerKind::Conv { .. } | LayerKind::Deconv { .. } => false,
    }
}

impl WeightNorm {
    /// The normalization of `layer` as `spec` says; `state` makes the tensor of length 1 that one with a state asks for, by its part of the
    /// checkpoint's name and its shape.
    ///
    /// # Errors
    /// Those of `state`.
    pub fn new(
        spec: &RunSpec,
        layer: &LayerSpec,
        state: impl Fn(&'static str, &[usize]) -> Result<Tensor>,
    ) -> Result<WeightNorm> {
        let shape = layer.kind.weight_shape();
        Ok(match spec.normalization {
            Normalization::None
            | Normalization::Batch
            | Normalization::Layer
            | Normalization::Gradient => WeightNorm::None,
            Normalization::Weight => WeightNorm::Row(RowNorm),
            Normalization::Frobenius => WeightNorm::Frobenius(FrobeniusNorm),
            Normalization::Spectral => {
                WeightNorm::Spectral(SpectralNorm::new(&state("u", &shape[..1])?))
            }
            Normalization::BidirectionalSpectral | Normalization::OperatorSpectral
                if is_matrix(layer.kind) =>
            {
                WeightNorm::Spectral(SpectralNorm::new(&state("u", &shape[..1])?))
            }
            Normalization::BidirectionalSpectral => {
                let (u_out, u_in) = (state("u", &shape[..1])?, state("u_in", &shape[1..2])?);
                WeightNorm::Bidirectional(BidirectionalNorm::new(&u_out, &u_in))
            }
            Normalization::StableRank => {
                let u = state("u", &shape[..1])?;
                WeightNorm::StableRank(StableRankNorm::new(&u, spec.stable_rank_share))
            }
            Normalization::OperatorSpectral => {
                let [channels, height, width] = layer.output;
                let u = state("u", &[1, channels, height, width])?;
                WeightNorm::Operator(OperatorNorm::new(layer.kind, &u)?)
            }
        })
    }

    /// W̄ in `weight`'s shape, differentiable in `weight`. `iterate` concerns those with a state; it and what follows from it are constants of
    /// the graph.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn normalize(&mut self, arm: Arm, weight: &Tensor, iterate: Iterate) -> Result<Tensor> {
        match self {
            WeightNorm::None => Ok(weight.clone()),
            WeightNorm::Row(n) => n.normalize(weight),
            WeightNorm::Frobenius(n) => n.normalize(weight),
            WeightNorm::Spectral(n) => n.normalize(arm, weight, iterate),
            WeightNorm::Bidirectional(n) => n.normalize(arm, weight, iterate),
            WeightNorm::StableRank(n) => n.normalize(arm, weight, iterate),
            WeightNorm::Operator(n) => n.normalize(arm, weight, iterate),
        }
    }

    /// How many γ a layer with `rows` rows has: one for SN and Frobenius, one each for rows; `None` of a normalization that has no γ.
    pub fn gammas(&self, rows: usize) -> Option<usize> {
        match self {
            WeightNorm::None
            | WeightNorm::Bidirectional(_)
            | WeightNorm::StableRank(_)
            | WeightNorm::Operator(_) => None,
            WeightNorm::Row(_) => Some(rows),
            WeightNorm::Frobenius(_) | WeightNorm::Spectral(_) => Some(1),
        }
    }

    /// What γ starts from so that γ·W̄ = W (Eq. 32): `[1]` for SN (the exact σ) and Frobenius, `[d_out]` for rows; a 1 where there is no γ.
    ///
    /// # Errors
    /// Those of the tensor library and of the decomposition.
    pub fn initial_gamma(&self, weight: &Tensor) -> Result<Tensor> {
        match self {
            WeightNorm::None
            | WeightNorm::Bidirectional(_)
            | WeightNorm::StableRank(_)
            | WeightNorm::Operator(_) => Ok(Tensor::ones(1, weight.dtype(), weight.device())?),
            WeightNorm::Row(_) => Ok(weight::row_norms(weight)?.flatten_all()?),
            WeightNorm::Frobenius(_) => Ok(frobenius::norm(weight)?.reshape(1)?),
            WeightNorm::Spectral(_) => {
                let sigma = sngan_tensor::decomposition::sigma_max(weight)?;
                Ok(Tensor::new(&[sigma], weight.device())?.to_dtype(weight.dtype())?)
            }
        }
    }

    /// What it keeps from update to update besides parameters, which checkpoints hold under the layer's name, such as SN's `u`.
    pub fn state(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            WeightNorm::Spectral(n) => vec![("u", n.u())],
            WeightNorm::Bidirectional(n) => n.state(),
            WeightNorm::StableRank(n) => vec![("u", n.u())],
            WeightNorm::Operator(n) => vec![("u", n.u())],
            WeightNorm::None | WeightNorm::Row(_) | WeightNorm::Frobenius(_) => Vec::new(),
        }
    }

    /// Its `u`.
    pub fn u(&self) -> Option<&Tensor> {
        self.state().into_iter().find(|(part, _)| *part == "u").map(|(_, u)| u)
    }
}

/// Normalization of a feature map, with its trained β `[C]`.
#[derive(Debug, Clone)]
pub enum PostNorm {
    /// None.
    None,
    /// Batch normalization with the batch's own statistics (D is never evaluated with running ones).
    Batch(Var),
    /// Layer normalization over (C, H, W).
    Layer(Var),
}

impl PostNorm {
    /// The method's normalization where the table gives it the place `place`; `beta` makes its β.
    ///
    /// # Errors
    /// Those of `beta`.
    pub(crate) fn new(
        place: Norm,
        method: Normalization,
        beta: impl FnOnce() -> Result<Var>,
    ) -> Result<PostNorm> {
        match place {
            Norm::ByMethod => {}
            // The table's own normalizations are G's.
            Norm::None | Norm::Batch | Norm::ConditionalBatch { .. } => return Ok(PostNorm::None),
        }
        Ok(match method {
            Normalization::Batch => PostNorm::Batch(beta()?),
            Normalization::Layer => PostNorm::Layer(beta()?),
            Normalization::None
            | Normalization::Weight
            | Normalization::Frobenius
            | Normalization::Spectral
            | Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral
            | Normalization::Gradient => PostNorm::None,
        })
    }

    /// Whether it changes nothing.
    pub(crate) fn is_none(&self) -> bool {
        match self {
            PostNorm::None => true,
            PostNorm::Batch(_) | PostNorm::Layer(_) => false,
        }
    }

    /// Its β.
    pub fn beta(&self) -> Option<&Var> {
        match self {
            PostNorm::None => None,
            PostNorm::Batch(beta) | PostNorm::Layer(beta) => Some(beta),
        }
    }

    /// Normalizes `x` and applies the activation; `beta` is this update's.
    ///
    /// # Errors
    /// Those of the tensor library, and a normalization without its β.
    pub(crate) fn forward(
        &self,
        x: &FeatureMap,
        beta: Option<&Tensor>,
        activation: Activation,
    ) -> Result<FeatureMap> {
        let beta = || beta.ok_or_else(|| Error::Invalid("a normalized map has no β".into()));
        Ok(match self {
            PostNorm::None => ops::activation(x, activation)?,
            PostNorm::Batch(_) => ops::batch_norm(x, None, beta()?, MAP_EPS, activation)?.0,
            PostNorm::Layer(_) => ops::layer_norm(x, beta()?, MAP_EPS, activation)?,
        })
    }

    /// Refuses a layer whose output is no piecewise linear function of its input.
    ///
    /// # Errors
    /// A normalization.
    pub(crate) fn piecewise_linear(&self) -> Result<()> {
        match self {
            PostNorm::None => Ok(()),
            PostNorm::Batch(_) | PostNorm::Layer(_) => Err(Error::Invalid(
                "the gradient penalty needs a piecewise linear discriminator".into(),
            )),
        }
    }
}
