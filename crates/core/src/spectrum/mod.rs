//! Spectra of weights; norms of layers as operators; bounds on D's Lipschitz constant.

mod analysis;
mod file;
mod fourier;
mod operator;

pub use analysis::{Analysis, GradientNorms, LayerAnalysis, Spectrum, analyse};
pub use file::{FileSpectra, NamedSpectrum, of_file};
pub use fourier::circular_norm;
pub use operator::{Boundary, Geometry, operator_norm};

use crate::Result;
use crate::checkpoint::Checkpoint;
use crate::model::{Discriminator, Place, TensorSource};
use crate::norm::Iterate;
use candle_core::{Device, Tensor};
use sngan_experiment::RunSpec;
use sngan_experiment::records::{FORMAT_VERSION, SpectrumRecord, spectral_entropy, stable_rank};
use sngan_tensor::decomposition::{singular_values, squared_singular_values};
use sngan_tensor::ops::Arm;

/// What the log keeps of a weight's spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concentration {
    /// The largest singular value.
    pub sigma: f64,
    /// exp of the entropy of `pᵢ = σᵢ²/Σσ²`: how many directions carry the weight, from 1 to the number of singular values.
    pub effective_rank: f64,
    /// `‖W‖_F²/σ₁²`, the area under Figure 3's curve: from 1 to the number of singular values; 1 where all are 0.
    pub stable_rank: f64,
}

impl Concentration {
    /// Of a weight of two or more dimensions, by the smaller Gram matrix.
    ///
    /// # Errors
    /// As [`sngan_tensor::decomposition::singular_values`].
    pub fn of(weight: &Tensor) -> Result<Concentration> {
        let squares = squared_singular_values(weight)?;
        let largest = squares.last().copied().unwrap_or(0.0);
        Ok(Concentration {
            sigma: largest.sqrt(),
            effective_rank: entropy(&squares).exp(),
            stable_rank: stable_rank(&squares).unwrap_or(1.0),
        })
    }
}

/// Entropy of squared singular values as shares of their sum, nats; 0 where all are 0.
fn entropy(squares: &[f64]) -> f64 {
    spectral_entropy(squares).unwrap_or(0.0)
}

/// Squared singular values of every layer of D: of the raw weights, and of the normalized ones as an evaluation sees them.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn of_checkpoint(spec: &RunSpec, checkpoint: &Checkpoint) -> Result<Vec<SpectrumRecord>> {
    spec.check_discriminator()?;
    let source = TensorSource::given(&checkpoint.tensors, &Place::new(&Device::Cpu));
    let mut d = Discriminator::new(spec, &source)?;
    let mut records = Vec::new();
    for layer in &mut d.layers {
        let raw = layer.weight.as_tensor().detach();
        let normalized = layer.normalized(Arm::of(&raw), &raw, Iterate::Frozen)?;
        for (weights, tensor) in [("raw", &raw), ("normalized", &normalized)] {
            records.push(SpectrumRecord {
                version: FORMAT_VERSION,
                gen_updates: checkpoint.gen_updates,
                layer: layer.spec.name.clone(),
                weights: weights.into(),
                squared: singular_values(tensor)?.into_iter().map(|s| s * s).collect(),
            });
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use sngan_tensor::rng::Streams;

    #[test]
    fn concentration_is_that_of_all_singular_values() {
        let draws: Vec<f64> =
            Streams::new(1).normal("w", 0, 6 * 10).into_iter().map(f64::from).collect();
        for shape in [(6, 10), (10, 6)] {
            let w = Tensor::from_slice(&draws, shape, &Device::Cpu).unwrap();
            let (all, few) = (Spectrum::of(&w).unwrap(), Concentration::of(&w).unwrap());
            assert!((all.sigma() - few.sigma).abs() < 1e-12);
            assert!((all.effective_rank - few.effective_rank).abs() < 1e-10);
            let frobenius: f64 = draws.iter().map(|x| x * x).sum();
            assert!((few.stable_rank - frobenius / all.sigma().powi(2)).abs() < 1e-10);
        }
    }

    #[test]
    fn effective_rank_counts_equal_directions() {
        let two =
            Tensor::new(&[[3.0f64, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]], &Device::Cpu)
                .unwrap();
        let one = Tensor::ones((4, 5), DType::F64, &Device::Cpu).unwrap();
        assert!((Concentration::of(&two).unwrap().effective_rank - 2.0).abs() < 1e-12);
        assert!((Concentration::of(&one).unwrap().effective_rank - 1.0).abs() < 1e-10);
        assert!((Concentration::of(&two).unwrap().stable_rank - 2.0).abs() < 1e-12);
        assert_eq!(
            Concentration::of(&one.zeros_like().unwrap()).unwrap(),
            Concentration { sigma: 0.0, effective_rank: 1.0, stable_rank: 1.0 }
        );
    }
}
