//! Measurements of an update that are made beside the updates that follow, of copies that no later update changes.

use super::critic::Critic;
use super::engine::{Receipt, not_finite};
use super::{Details, Update, by_layer};
use crate::Result;
use crate::model::{Discriminator, Generator, Parameters, Place, TensorSource};
use crate::norm::Iterate;
use crate::spectrum::Concentration;
use candle_core::Tensor;
use sngan_experiment::RunSpec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the measurements of an update are made of.
pub struct Copies {
    /// Its numbers, without details.
    pub update: Update,
    /// ℓ2 norm of D's gradient, last round.
    pub grad_norm_d: f64,
    /// ℓ2 norm of G's gradient.
    pub grad_norm_g: f64,
    /// W̄ as D's last forward used it, by layer; each `[d_out, rest]`.
    pub normalized: BTreeMap<String, Tensor>,
    /// What [`super::Engine::networks`] gives after the update.
    pub networks: BTreeMap<String, Tensor>,
}

/// An update whose measurements are still to be made.
pub(super) struct Measuring<'a> {
    pub(super) spec: RunSpec,
    pub(super) place: Place,
    pub(super) critic: Option<Arc<Critic<'a>>>,
    pub(super) receipt: Receipt,
}

/// What is known of a measured update.
pub(super) struct Measured {
    /// Its numbers and details.
    pub(super) update: Update,
    /// The first of the networks' tensors that is not finite.
    pub(super) not_finite: Option<String>,
}

impl Measuring<'_> {
    /// Waits for the copies and measures them.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    pub(super) fn measured(self) -> Result<Measured> {
        let Measuring { spec, place, critic, receipt } = self;
        let Copies { update, grad_norm_d, grad_norm_g, normalized, networks } = receipt()?;
        let mut details = Details { grad_norm_d, grad_norm_g, ..Details::default() };
        let spectrum = |(layer, w): (String, Tensor)| Ok((layer, Concentration::of(&w)?));
        details.set_spectra(normalized.into_iter().map(spectrum).collect());
        let source = TensorSource::given(&networks, &place);
        let discriminator = Discriminator::new(&spec, &source)?;
        details.sigma_fig9 = sigma_fig9(&discriminator);
        if let Some(critic) = critic {
            let mut generator = Generator::new(&spec, &source)?;
            let losses = critic.losses(&spec, &place, &mut generator, &discriminator)?;
            details.critic = Some(losses);
        }
        let update = Update { details: Some(details), ..update };
        Ok(Measured { update, not_finite: not_finite(&networks)? })
    }
}

/// σ(W̄) as Figure 9 has it: a copy of D makes one more power iteration, which is not kept. None where a weight is not finite.
pub(super) fn sigma_fig9(discriminator: &Discriminator) -> BTreeMap<String, Option<f64>> {
    let mut copy = discriminator.clone();
    let weights = copy.weights(Parameters::Frozen, Iterate::Once);
    let spectra = weights.and_then(|weights| copy.spectra(&weights));
    by_layer(&spectra.unwrap_or_default(), |s| s.sigma)
}
