//! What D's loss has besides, or what is done to its weights after a step.

use super::{Loss, Method};
use serde::{Deserialize, Serialize};

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
