//! The methods the paper compares (Section 4, Appendix B.2), as values.

use serde::{Deserialize, Serialize};

/// How the discriminator's layers are normalized in their forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalization {
    /// Weights as they are.
    None,
    /// Batch normalization after every convolution but the first; β, no γ.
    Batch,
    /// Layer normalization over (C, H, W) after every convolution but the first; β per channel, no γ.
    Layer,
    /// Each row of every weight matrix divided by its ℓ2 norm (Eq. 25).
    Weight,
    /// Every weight matrix divided by its Frobenius norm (Eq. 36).
    Frobenius,
    /// Every weight matrix divided by its largest singular value (Eq. 8).
    Spectral,
}

/// What is added to the discriminator's loss, or applied to its weights after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regularizer {
    /// Nothing.
    None,
    /// Weights clipped to `|w| ≤ clip` after each update of D.
    WeightClipping,
    /// `λ·E(‖∇D(x̂)‖₂ − 1)²` (Eq. 29–31).
    GradientPenalty,
    /// `‖WᵀW − I‖²_F` of every weight matrix (Eq. 14).
    Orthonormal,
}

/// The adversarial loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Eq. (15), with the non-saturating loss for G.
    Standard,
    /// Eq. (16) and (17).
    Hinge,
    /// The critic's difference of means.
    Wasserstein,
}

/// A method of the paper: one value that stands for a normalization, a regularizer and a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Weight clipping (Arjovsky et al. 2017) with the standard loss.
    WeightClipping,
    /// Standard loss with the gradient penalty on D's logit.
    GanGp,
    /// Wasserstein loss with the gradient penalty (Gulrajani et al. 2017).
    WganGp,
    /// Batch normalization in D.
    BatchNorm,
    /// Layer normalization in D.
    LayerNorm,
    /// Weight normalization without multiplier.
    WeightNorm,
    /// Frobenius normalization.
    FrobeniusNorm,
    /// Orthonormal regularization.
    Orthonormal,
    /// Spectral normalization.
    Sn,
    /// No normalization and no regularizer.
    Vanilla,
    /// Normalization, regularizer and loss match no method above. Only runs have it; rows of a file
    /// start from one above.
    Custom,
}

impl Method {
    /// All ten, in the order of the paper's Figure 1; the two that it lacks come last.
    pub const ALL: [Method; 10] = [
        Method::WeightClipping,
        Method::GanGp,
        Method::WganGp,
        Method::BatchNorm,
        Method::LayerNorm,
        Method::WeightNorm,
        Method::Orthonormal,
        Method::Sn,
        Method::FrobeniusNorm,
        Method::Vanilla,
    ];

    /// The method whose values these are: one of [`Method::ALL`] without γ, else [`Method::Custom`].
    pub fn of(
        normalization: Normalization,
        gamma: bool,
        regularizer: Regularizer,
        loss: Loss,
    ) -> Method {
        let parts = (normalization, regularizer, loss);
        let named = Method::ALL.into_iter().find(|m| m.parts() == parts && !gamma);
        named.unwrap_or(Method::Custom)
    }

    /// The method that these values are a variant of, whatever the loss: that of the normalization,
    /// or without one that of the regularizer. It decides a row's color.
    pub fn family(normalization: Normalization, regularizer: Regularizer, loss: Loss) -> Method {
        match (normalization, regularizer, loss) {
            (Normalization::Batch, ..) => Method::BatchNorm,
            (Normalization::Layer, ..) => Method::LayerNorm,
            (Normalization::Weight, ..) => Method::WeightNorm,
            (Normalization::Frobenius, ..) => Method::FrobeniusNorm,
            (Normalization::Spectral, ..) => Method::Sn,
            (Normalization::None, Regularizer::None, _) => Method::Vanilla,
            (Normalization::None, Regularizer::WeightClipping, _) => Method::WeightClipping,
            (Normalization::None, Regularizer::Orthonormal, _) => Method::Orthonormal,
            (Normalization::None, Regularizer::GradientPenalty, Loss::Wasserstein) => {
                Method::WganGp
            }
            (Normalization::None, Regularizer::GradientPenalty, Loss::Standard | Loss::Hinge) => {
                Method::GanGp
            }
        }
    }

    /// What the method stands for: normalization, regularizer and loss. `Custom` has no values of
    /// its own and starts as vanilla.
    pub fn parts(self) -> (Normalization, Regularizer, Loss) {
        use {Loss::*, Normalization as N, Regularizer as R};
        match self {
            Method::WeightClipping => (N::None, R::WeightClipping, Standard),
            Method::GanGp => (N::None, R::GradientPenalty, Standard),
            Method::WganGp => (N::None, R::GradientPenalty, Wasserstein),
            Method::BatchNorm => (N::Batch, R::None, Standard),
            Method::LayerNorm => (N::Layer, R::None, Standard),
            Method::WeightNorm => (N::Weight, R::None, Standard),
            Method::FrobeniusNorm => (N::Frobenius, R::None, Standard),
            Method::Orthonormal => (N::None, R::Orthonormal, Standard),
            Method::Sn => (N::Spectral, R::None, Standard),
            Method::Vanilla | Method::Custom => (N::None, R::None, Standard),
        }
    }

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Method::WeightClipping => "weight-clipping",
            Method::GanGp => "gan-gp",
            Method::WganGp => "wgan-gp",
            Method::BatchNorm => "batch-norm",
            Method::LayerNorm => "layer-norm",
            Method::WeightNorm => "weight-norm",
            Method::FrobeniusNorm => "frobenius-norm",
            Method::Orthonormal => "orthonormal",
            Method::Sn => "sn",
            Method::Vanilla => "vanilla",
            Method::Custom => "custom",
        }
    }

    /// The name the paper's figures use.
    pub fn label(self) -> &'static str {
        match self {
            Method::WeightClipping => "Weight clip.",
            Method::GanGp => "GAN-GP",
            Method::WganGp => "WGAN-GP",
            Method::BatchNorm => "BN",
            Method::LayerNorm => "LN",
            Method::WeightNorm => "WN",
            Method::FrobeniusNorm => "Frobenius",
            Method::Orthonormal => "Orthonormal",
            Method::Sn => "SN",
            Method::Vanilla => "Vanilla",
            Method::Custom => "custom",
        }
    }
}

/// An optimizer setting of the paper's Table 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Adam's learning rate α.
    pub lr: f64,
    /// Adam's β1.
    pub beta1: f64,
    /// Adam's β2.
    pub beta2: f64,
    /// Discriminator updates per generator update.
    pub n_dis: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_reads() {
        for method in Method::ALL.into_iter().chain([Method::Custom]) {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
    }

    #[test]
    fn a_method_is_found_by_its_parts_and_heads_its_family() {
        for method in Method::ALL {
            let (normalization, regularizer, loss) = method.parts();
            assert_eq!(Method::of(normalization, false, regularizer, loss), method);
            assert_eq!(Method::of(normalization, true, regularizer, loss), Method::Custom);
            assert_eq!(Method::family(normalization, regularizer, loss), method);
        }
        let hinge = Method::of(Normalization::Spectral, false, Regularizer::None, Loss::Hinge);
        assert_eq!(hinge, Method::Custom);
    }
}
