//! The methods the paper compares (Section 4, Appendix B.2), as values.

mod loss;
mod normalization;
mod regularizer;

pub use loss::Loss;
pub use normalization::{ActsOn, Normalization};
pub use regularizer::{PenaltyPoints, Regularizer};

use serde::{Deserialize, Serialize};

/// A method of the paper or of one that followed it: one value that stands for a normalization, a
/// regularizer and a loss.
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
    /// Bidirectional spectral normalization (Lin et al. 2021).
    Bsn,
    /// Stable rank normalization (Sanyal et al. 2020).
    Srn,
    /// Spectral normalization of convolutions as operators (Farnia et al. 2019).
    OperatorSn,
    /// Gradient normalization (Wu et al. 2021).
    Gn,
    /// R1 (Mescheder et al. 2018) with the standard loss.
    R1,
    /// The zero-centered penalty between real and generated images (Thanh-Tung et al. 2019).
    ZeroGp,
    /// DRAGAN's penalty (Kodali et al. 2017) with the standard loss.
    Dragan,
    /// R1 and R2 with the relativistic pairing loss (Huang et al. 2024), without that paper's networks
    /// and schedules.
    R3gan,
    /// Normalization, regularizer and loss match no method above. Only runs have it; rows of a file
    /// start from one above.
    Custom,
}

impl Method {
    /// The paper's ten, in the order of its Figure 1; the two that it lacks come last.
    pub const PAPERS: [Method; 10] = [
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

    /// All of them: [`Method::PAPERS`], and then those that followed.
    pub const ALL: [Method; 18] = [
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
        Method::Bsn,
        Method::Srn,
        Method::OperatorSn,
        Method::Gn,
        Method::R1,
        Method::ZeroGp,
        Method::Dragan,
        Method::R3gan,
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
        normalization.method().unwrap_or_else(|| regularizer.method(loss))
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
            Method::Bsn => (N::BidirectionalSpectral, R::None, Standard),
            Method::Srn => (N::StableRank, R::None, Standard),
            Method::OperatorSn => (N::OperatorSpectral, R::None, Standard),
            Method::Gn => (N::Gradient, R::None, Standard),
            Method::R1 => (N::None, R::R1, Standard),
            Method::ZeroGp => (N::None, R::ZeroPenalty, Standard),
            Method::Dragan => (N::None, R::Dragan, Standard),
            Method::R3gan => (N::None, R::R1R2, RelativisticPairing),
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
            Method::Bsn => "bsn",
            Method::Srn => "srn",
            Method::OperatorSn => "operator-sn",
            Method::Gn => "gn",
            Method::R1 => "r1",
            Method::ZeroGp => "zero-gp",
            Method::Dragan => "dragan",
            Method::R3gan => "r3gan",
            Method::Custom => "custom",
        }
    }

    /// The name the paper's figures use; of a later one, that of its source.
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
            Method::Bsn => "BSN",
            Method::Srn => "SRN",
            Method::OperatorSn => "Operator SN",
            Method::Gn => "GN",
            Method::R1 => "R1",
            Method::ZeroGp => "0-GP",
            Method::Dragan => "DRAGAN",
            Method::R3gan => "R1 + R2, relativistic pairing",
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
    use crate::variants::variants;
    use std::collections::BTreeSet;

    #[test]
    fn every_one_is_listed_by_the_name_that_serde_reads() {
        let named = |names: Vec<&'static str>| names.into_iter().collect::<BTreeSet<_>>();
        let read = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
        let methods = Method::ALL.into_iter().chain([Method::Custom]).map(Method::name).collect();
        assert!(read(variants::<Method>()).iter().eq(&named(methods)));
        let names = Normalization::ALL.map(Normalization::name);
        assert!(read(variants::<Normalization>()).iter().eq(&named(names.into())));
        let names = Regularizer::ALL.map(Regularizer::name);
        assert!(read(variants::<Regularizer>()).iter().eq(&named(names.into())));
        assert!(read(variants::<Loss>()).iter().eq(&named(Loss::ALL.map(Loss::name).into())));
    }

    #[test]
    fn a_normalization_or_regularizer_alone_is_labelled_as_its_method() {
        for normalization in Normalization::ALL {
            let method = normalization.method().filter(|m| *m != Method::Custom);
            assert!(method.is_none_or(|m| normalization.label() == Some(m.label())));
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
