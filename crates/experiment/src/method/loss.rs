//! The adversarial losses.

use serde::{Deserialize, Serialize};

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
