//! What D's forward pass divides by.

use super::Method;
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
