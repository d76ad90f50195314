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
    /// Every convolution's weight divided by the mean of the largest singular values of its two
    /// matrices, `[out, in·h·w]` and `[in, out·h·w]` (Lin et al. 2021).
    BidirectionalSpectral,
    /// [`Normalization::Spectral`], and then the stable rank at most `stable_rank_share` of the
    /// matrix's smaller side (Sanyal et al. 2020).
    StableRank,
    /// Every convolution's weight divided by the norm of the convolution as an operator on its
    /// input's maps, by power iteration (Farnia et al. 2019).
    OperatorSpectral,
    /// D's output divided by itself plus its gradient's length: f/(‖∇ₓf‖ + |f|) (Wu et al. 2021).
    Gradient,
}

/// What a normalization divides, and so what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActsOn {
    /// Nothing.
    Nothing,
    /// The weight of every layer: W̄ takes W's place, and the layer stays linear.
    Weights,
    /// Feature maps, where the network's table has a place for it. D is then not piecewise linear, and no
    /// norms of weights bound its Lipschitz constant.
    Maps,
    /// D's output, by its gradient in the image. The network is as it is without normalization.
    Output,
}

impl Normalization {
    /// Every one.
    pub const ALL: [Normalization; 10] = [
        Normalization::None,
        Normalization::Batch,
        Normalization::Layer,
        Normalization::Weight,
        Normalization::Frobenius,
        Normalization::Spectral,
        Normalization::BidirectionalSpectral,
        Normalization::StableRank,
        Normalization::OperatorSpectral,
        Normalization::Gradient,
    ];

    /// What it divides.
    pub fn acts_on(self) -> ActsOn {
        match self {
            Normalization::None => ActsOn::Nothing,
            Normalization::Batch | Normalization::Layer => ActsOn::Maps,
            Normalization::Weight
            | Normalization::Frobenius
            | Normalization::Spectral
            | Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral => ActsOn::Weights,
            Normalization::Gradient => ActsOn::Output,
        }
    }

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Normalization::None => "none",
            Normalization::Batch => "batch",
            Normalization::Layer => "layer",
            Normalization::Weight => "weight",
            Normalization::Frobenius => "frobenius",
            Normalization::Spectral => "spectral",
            Normalization::BidirectionalSpectral => "bidirectional-spectral",
            Normalization::StableRank => "stable-rank",
            Normalization::OperatorSpectral => "operator-spectral",
            Normalization::Gradient => "gradient",
        }
    }

    /// Its part of a row's label, `SN`; in lower case, the name of PyTorch's module of one that acts
    /// on maps. `None` for no normalization.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Normalization::None => None,
            Normalization::Batch => Some("BN"),
            Normalization::Layer => Some("LN"),
            Normalization::Weight => Some("WN"),
            Normalization::Frobenius => Some("Frobenius"),
            Normalization::Spectral => Some("SN"),
            Normalization::BidirectionalSpectral => Some("BSN"),
            Normalization::StableRank => Some("SRN"),
            Normalization::OperatorSpectral => Some("Operator SN"),
            Normalization::Gradient => Some("GN"),
        }
    }

    /// The method whose variants its runs are, whatever else they have: [`Method::Custom`] for one
    /// that is no method by itself. `None` for no normalization.
    pub fn method(self) -> Option<Method> {
        match self {
            Normalization::None => None,
            Normalization::Batch => Some(Method::BatchNorm),
            Normalization::Layer => Some(Method::LayerNorm),
            Normalization::Weight => Some(Method::WeightNorm),
            Normalization::Frobenius => Some(Method::FrobeniusNorm),
            Normalization::Spectral => Some(Method::Sn),
            Normalization::BidirectionalSpectral => Some(Method::Bsn),
            Normalization::StableRank => Some(Method::Srn),
            Normalization::OperatorSpectral => Some(Method::OperatorSn),
            Normalization::Gradient => Some(Method::Gn),
        }
    }

    /// Whether D's output for an image depends on the other images of its batch.
    pub fn mixes_images(self) -> bool {
        match self {
            Normalization::Batch => true,
            Normalization::None
            | Normalization::Layer
            | Normalization::Weight
            | Normalization::Frobenius
            | Normalization::Spectral
            | Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral
            | Normalization::Gradient => false,
        }
    }

    /// Whether training moves a state of it besides the parameters, such as SN's u, at the times that
    /// [`PowerIteration`](crate::PowerIteration) says.
    pub fn iterates(self) -> bool {
        match self {
            Normalization::Spectral
            | Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral => true,
            Normalization::None
            | Normalization::Batch
            | Normalization::Layer
            | Normalization::Weight
            | Normalization::Frobenius
            | Normalization::Gradient => false,
        }
    }

    /// Whether the normalized weight can be multiplied by a trained γ (Eq. 32).
    pub fn has_gamma(self) -> bool {
        match self {
            Normalization::Weight | Normalization::Frobenius | Normalization::Spectral => true,
            Normalization::None
            | Normalization::Batch
            | Normalization::Layer
            | Normalization::BidirectionalSpectral
            | Normalization::StableRank
            | Normalization::OperatorSpectral
            | Normalization::Gradient => false,
        }
    }

    /// Whether D with it is a piecewise linear function of its input.
    pub fn is_piecewise_linear(self) -> bool {
        match self.acts_on() {
            ActsOn::Nothing | ActsOn::Weights => true,
            ActsOn::Maps | ActsOn::Output => false,
        }
    }
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
    /// `(λ/2)·E‖∇D(x)‖²` at real images (Mescheder et al. 2018).
    R1,
    /// [`Regularizer::R1`] and the same at generated images, R2.
    R1R2,
    /// `λ·E‖∇D(x̂)‖²` between real and generated images (Thanh-Tung et al. 2019).
    ZeroPenalty,
    /// `λ·E(‖∇D(x̂)‖ − 1)²` around real images (Kodali et al. 2017).
    Dragan,
    /// Every `spectrum_every` generator updates each convolution's singular values are replaced after
    /// D's steps: by those over the largest, the first half by 1 (Liu et al. 2019).
    StaticSpectrum,
}

/// Where a penalty takes D's gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PenaltyPoints {
    /// At real images.
    Real,
    /// At real and at generated images.
    RealAndGenerated,
    /// Between a real and a generated image, at a share ε from the random stream `epsilon`.
    Between,
    /// At a real image moved by noise from the stream `noise`, by a share from the stream `epsilon`.
    AroundReal,
}

impl PenaltyPoints {
    /// Gradients per real image.
    pub fn per_real_image(self) -> usize {
        match self {
            PenaltyPoints::Real | PenaltyPoints::Between | PenaltyPoints::AroundReal => 1,
            PenaltyPoints::RealAndGenerated => 2,
        }
    }
}

impl Regularizer {
    /// Every one.
    pub const ALL: [Regularizer; 9] = [
        Regularizer::None,
        Regularizer::WeightClipping,
        Regularizer::GradientPenalty,
        Regularizer::Orthonormal,
        Regularizer::R1,
        Regularizer::R1R2,
        Regularizer::ZeroPenalty,
        Regularizer::Dragan,
        Regularizer::StaticSpectrum,
    ];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Regularizer::None => "none",
            Regularizer::WeightClipping => "weight-clipping",
            Regularizer::GradientPenalty => "gradient-penalty",
            Regularizer::Orthonormal => "orthonormal",
            Regularizer::R1 => "r1",
            Regularizer::R1R2 => "r1-r2",
            Regularizer::ZeroPenalty => "zero-penalty",
            Regularizer::Dragan => "dragan",
            Regularizer::StaticSpectrum => "static-spectrum",
        }
    }

    /// Its part of a row's label beside a normalization's. `None` for no regularizer.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Regularizer::None => None,
            Regularizer::WeightClipping => Some("Weight clip."),
            Regularizer::GradientPenalty => Some("GP"),
            Regularizer::Orthonormal => Some("Orthonormal"),
            Regularizer::R1 => Some("R1"),
            Regularizer::R1R2 => Some("R1 + R2"),
            Regularizer::ZeroPenalty => Some("0-GP"),
            Regularizer::Dragan => Some("DRAGAN"),
            Regularizer::StaticSpectrum => Some("static SR"),
        }
    }

    /// The method that it is without normalization; [`Method::Custom`] for one that is none.
    pub fn method(self, loss: Loss) -> Method {
        match (self, loss) {
            (Regularizer::None, _) => Method::Vanilla,
            (Regularizer::WeightClipping, _) => Method::WeightClipping,
            (Regularizer::Orthonormal, _) => Method::Orthonormal,
            (Regularizer::GradientPenalty, Loss::Wasserstein) => Method::WganGp,
            (
                Regularizer::GradientPenalty,
                Loss::Standard | Loss::Hinge | Loss::RelativisticPairing,
            ) => Method::GanGp,
            (Regularizer::R1, _) => Method::R1,
            (Regularizer::ZeroPenalty, _) => Method::ZeroGp,
            (Regularizer::Dragan, _) => Method::Dragan,
            (Regularizer::R1R2, Loss::RelativisticPairing) => Method::R3gan,
            (Regularizer::R1R2, Loss::Standard | Loss::Hinge | Loss::Wasserstein)
            | (Regularizer::StaticSpectrum, _) => Method::Custom,
        }
    }

    /// Where it takes D's gradient, if it is a function of it.
    pub fn points(self) -> Option<PenaltyPoints> {
        match self {
            Regularizer::GradientPenalty | Regularizer::ZeroPenalty => Some(PenaltyPoints::Between),
            Regularizer::R1 => Some(PenaltyPoints::Real),
            Regularizer::R1R2 => Some(PenaltyPoints::RealAndGenerated),
            Regularizer::Dragan => Some(PenaltyPoints::AroundReal),
            Regularizer::None
            | Regularizer::WeightClipping
            | Regularizer::Orthonormal
            | Regularizer::StaticSpectrum => None,
        }
    }

    /// Whether it is a function of ∇ₓD: it needs a piecewise linear D and passes through D of its own.
    pub fn penalizes_gradient(self) -> bool {
        self.points().is_some()
    }

    /// Whether it is least where ‖∇D(x̂)‖₂ is 1: a D without gradient has then failed, and where the
    /// gradient vanishes the penalty is λ.
    pub fn wants_gradient(self) -> bool {
        match self {
            Regularizer::GradientPenalty | Regularizer::Dragan => true,
            Regularizer::None
            | Regularizer::WeightClipping
            | Regularizer::Orthonormal
            | Regularizer::R1
            | Regularizer::R1R2
            | Regularizer::ZeroPenalty
            | Regularizer::StaticSpectrum => false,
        }
    }

    /// Whether it draws a share ε for each real image, from the random stream `epsilon`.
    pub fn draws_epsilon(self) -> bool {
        match self.points() {
            Some(PenaltyPoints::Between | PenaltyPoints::AroundReal) => true,
            Some(PenaltyPoints::Real | PenaltyPoints::RealAndGenerated) | None => false,
        }
    }

    /// Whether it draws noise for each pixel of the real images, from the random stream `noise`.
    pub fn draws_noise(self) -> bool {
        match self.points() {
            Some(PenaltyPoints::AroundReal) => true,
            Some(
                PenaltyPoints::Real | PenaltyPoints::RealAndGenerated | PenaltyPoints::Between,
            )
            | None => false,
        }
    }

    /// Whether D's weights start as orthonormal matrices, which scale with the fan-in by themselves.
    pub fn starts_orthonormal(self) -> bool {
        match self {
            Regularizer::Orthonormal => true,
            Regularizer::None
            | Regularizer::WeightClipping
            | Regularizer::GradientPenalty
            | Regularizer::R1
            | Regularizer::R1R2
            | Regularizer::ZeroPenalty
            | Regularizer::Dragan
            | Regularizer::StaticSpectrum => false,
        }
    }

    /// Whether it bounds each weight by `clip`.
    pub fn clips(self) -> bool {
        match self {
            Regularizer::WeightClipping => true,
            Regularizer::None
            | Regularizer::GradientPenalty
            | Regularizer::Orthonormal
            | Regularizer::R1
            | Regularizer::R1R2
            | Regularizer::ZeroPenalty
            | Regularizer::Dragan
            | Regularizer::StaticSpectrum => false,
        }
    }
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
    /// The standard loss of each real image's output minus that of a generated one (Huang et al. 2024).
    RelativisticPairing,
}

impl Loss {
    /// Every one.
    pub const ALL: [Loss; 4] =
        [Loss::Standard, Loss::Hinge, Loss::Wasserstein, Loss::RelativisticPairing];

    /// Its name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Standard => "standard",
            Loss::Hinge => "hinge",
            Loss::Wasserstein => "wasserstein",
            Loss::RelativisticPairing => "relativistic-pairing",
        }
    }

    /// Its part of a row's label: its name, with a person's in upper case.
    pub fn label(self) -> &'static str {
        match self {
            Loss::Standard => "standard",
            Loss::Hinge => "hinge",
            Loss::Wasserstein => "Wasserstein",
            Loss::RelativisticPairing => "relativistic pairing",
        }
    }

    /// Whether it is a function of pairs of a real and a generated image: an update of G then reads
    /// real images too.
    pub fn of_pairs(self) -> bool {
        match self {
            Loss::RelativisticPairing => true,
            Loss::Standard | Loss::Hinge | Loss::Wasserstein => false,
        }
    }
}

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
