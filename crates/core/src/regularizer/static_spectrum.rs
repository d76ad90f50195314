//! SR-GAN's static spectral regularization (Liu, Tang, Zhou and Qiu, ICCV 2019): the singular values of D's convolutions, replaced after a step.

use crate::Result;
use crate::model::Discriminator;
use sngan_experiment::RunSpec;
use sngan_tensor::decomposition;

/// Whether D's step with this number, counted from 1, is of a generator update in whose rounds singular values are replaced: the
/// `spectrum_every`-th, twice that, and so on.
fn is_due(spec: &RunSpec, step: u64) -> bool {
    let update = step.saturating_sub(1) / u64::from(spec.n_dis.max(1));
    (update + 1).is_multiple_of(spec.spectrum_every.max(1))
}

/// W = U·s·Vᵀ becomes U·s'·Vᵀ for every convolution's raw weight: s'ᵢ = 1 for the first ⌊K/2⌋ of its K singular values, sᵢ/s₁ for the others.
/// Adam's moments stay as they are.
///
/// # Errors
/// A weight that is not finite; those of the tensor library.
pub(super) fn replace(spec: &RunSpec, d: &Discriminator, step: u64) -> Result<()> {
    if !is_due(spec, step) {
        return Ok(());
    }
    for layer in d.layers.iter().filter(|layer| layer.weight.rank() == 4) {
        let weight = layer.weight.as_detached_tensor();
        layer.weight.set(&decomposition::first_half_to_one(&weight)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    #[test]
    fn every_round_of_every_fifth_update_is_due() {
        let spec = RunSpec { n_dis: 2, spectrum_every: 5, ..RunSpec::paper(Method::Sn) };
        let due: Vec<u64> = (1..=22).filter(|step| is_due(&spec, *step)).collect();
        assert_eq!(due, [9, 10, 19, 20]);
    }
}
