//! Which methods a program has: the one place of the programs that knows every normalization, regularizer and loss of a spec. What is not here
//! is refused before anything is recorded.

use crate::{Error, Result};
use sngan_experiment::RunSpec;
use sngan_experiment::method::{Loss, Normalization, Regularizer};

/// What divides D's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfWeights {
    None,
    Rows,
    Frobenius,
    Spectral,
}

/// What normalizes D's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfMaps {
    None,
    Batch,
    Layer,
}

/// What is added to D's loss, or applied after its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regularized {
    No,
    Clipping,
    Penalty,
    Orthonormal,
}

/// A spec's method, as programs know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) weights: OfWeights,
    pub(super) maps: OfMaps,
    pub(super) regularized: Regularized,
}

impl Method {
    /// That of `spec`.
    ///
    /// # Errors
    /// [`Error::NotInPrograms`].
    pub(super) fn of(spec: &RunSpec) -> Result<Method> {
        let lacks = |key: &str, value: &str| {
            Err(Error::NotInPrograms { what: format!("`{key} = \"{value}\"`") })
        };
        let (weights, maps) = match spec.normalization {
            Normalization::None => (OfWeights::None, OfMaps::None),
            Normalization::Batch => (OfWeights::None, OfMaps::Batch),
            Normalization::Layer => (OfWeights::None, OfMaps::Layer),
            Normalization::Weight => (OfWeights::Rows, OfMaps::None),
            Normalization::Frobenius => (OfWeights::Frobenius, OfMaps::None),
            Normalization::Spectral => (OfWeights::Spectral, OfMaps::None),
            Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral
            | Normalization::Gradient => return lacks("normalization", spec.normalization.name()),
        };
        let regularized = match spec.regularizer {
            Regularizer::None => Regularized::No,
            Regularizer::WeightClipping => Regularized::Clipping,
            Regularizer::GradientPenalty => Regularized::Penalty,
            Regularizer::Orthonormal => Regularized::Orthonormal,
            Regularizer::R1
            | Regularizer::R1R2
            | Regularizer::ZeroPenalty
            | Regularizer::Dragan
            | Regularizer::StaticSpectrum => return lacks("regularizer", spec.regularizer.name()),
        };
        match spec.loss {
            Loss::Standard | Loss::Hinge | Loss::Wasserstein => {}
            Loss::RelativisticPairing => return lacks("loss", spec.loss.name()),
        }
        Ok(Method { weights, maps, regularized })
    }
}
