//! Exact singular values of weights, by faer in f64; norms of layers as operators; bounds on D's Lipschitz constant.

mod analysis;
mod file;
mod fourier;
mod operator;

pub use analysis::{Analysis, GradientNorms, LayerAnalysis, Spectrum, analyse};
pub use file::{FileSpectra, NamedSpectrum, of_file};
pub use fourier::circular_norm;
pub use operator::{Boundary, Geometry, operator_norm};

use crate::checkpoint::Checkpoint;
use crate::model::Discriminator;
use crate::norm::{Iterate, matrix};
use crate::ops::Arm;
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use faer::{Mat, Side};
use sngan_experiment::RunSpec;
use sngan_experiment::records::{FORMAT_VERSION, SpectrumRecord, spectral_entropy};

fn to_faer(weight: &Tensor) -> Result<Mat<f64>> {
    let rows = matrix(&weight.detach())?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    Ok(Mat::from_fn(rows.len(), rows.first().map_or(0, Vec::len), |i, j| rows[i][j]))
}

/// All singular values of a weight as the matrix `[d_out, rest]`, in decreasing order.
///
/// # Errors
/// When the weight is not finite, or the decomposition does not converge.
pub fn singular_values(weight: &Tensor) -> Result<Vec<f64>> {
    let m = to_faer(weight)?;
    check_finite(&m)?;
    m.singular_values().map_err(|e| Error::Invalid(format!("singular values did not converge: {e:?}")))
}

/// Squared singular values in increasing order, as eigenvalues of the smaller Gram matrix: far cheaper than [`singular_values`], with a
/// relative error of about 1e-15 of the largest.
fn squared_singular_values(weight: &Tensor) -> Result<Vec<f64>> {
    let m = to_faer(weight)?;
    check_finite(&m)?;
    let gram = if m.nrows() <= m.ncols() { &m * m.transpose() } else { m.transpose() * &m };
    let eigen = gram.self_adjoint_eigenvalues(Side::Lower).map_err(|e| Error::Invalid(format!("eigenvalues did not converge: {e:?}")))?;
    // Rounding puts what is 0 on either side of it.
    Ok(eigen.into_iter().map(|x| x.max(0.0)).collect())
}

/// The largest singular value, by the smaller Gram matrix (relative error about 1e-15).
///
/// # Errors
/// As [`singular_values`].
pub fn sigma_max(weight: &Tensor) -> Result<f64> {
    Ok(squared_singular_values(weight)?.last().copied().unwrap_or(0.0).sqrt())
}

/// What the log keeps of a weight's spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concentration {
    /// The largest singular value.
    pub sigma: f64,
    /// exp of the entropy of `pᵢ = σᵢ²/Σσ²`: how many directions carry the weight, from 1 to the number of singular values.
    pub effective_rank: f64,
}

impl Concentration {
    /// Of a weight of two or more dimensions, by the smaller Gram matrix.
    ///
    /// # Errors
    /// As [`singular_values`].
    pub fn of(weight: &Tensor) -> Result<Concentration> {
        let squares = squared_singular_values(weight)?;
        Ok(Concentration { sigma: squares.last().copied().unwrap_or(0.0).sqrt(), effective_rank: entropy(&squares).exp() })
    }
}

/// Entropy of squared singular values as shares of their sum, nats; 0 where all are 0.
fn entropy(squares: &[f64]) -> f64 {
    spectral_entropy(squares).unwrap_or(0.0)
}

fn check_finite(m: &Mat<f64>) -> Result<()> {
    let finite = (0..m.ncols()).all(|j| (0..m.nrows()).all(|i| m[(i, j)].is_finite()));
    if finite { Ok(()) } else { Err(Error::Invalid("a weight is not finite".into())) }
}

/// A random `[rows, columns]` matrix with orthonormal rows (or columns, if there are fewer), from normal draws in row-major order.
///
/// # Errors
/// When `draws` has another length.
pub(crate) fn orthonormal(rows: usize, columns: usize, draws: &[f32]) -> Result<Vec<f32>> {
    if draws.len() != rows * columns {
        return Err(Error::Invalid(format!("{} draws for a {rows}x{columns} matrix", draws.len())));
    }
    let wide = rows < columns;
    let (tall, short) = if wide { (columns, rows) } else { (rows, columns) };
    let at = |i: usize, j: usize| f64::from(if wide { draws[j * columns + i] } else { draws[i * columns + j] });
    let qr = Mat::from_fn(tall, short, at).qr();
    let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
    // The signs of R's diagonal make the distribution uniform (Haar).
    let signed = |i: usize, j: usize| (q[(i, j)] * r[(j, j)].signum()) as f32;
    Ok((0..rows * columns).map(|k| (k / columns, k % columns)).map(|(i, j)| if wide { signed(j, i) } else { signed(i, j) }).collect())
}

/// Squared singular values of every layer of D: of the raw weights, and of the normalized ones as an evaluation sees them.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn of_checkpoint(spec: &RunSpec, checkpoint: &Checkpoint) -> Result<Vec<SpectrumRecord>> {
    let mut d = Discriminator::from_tensors(spec, &checkpoint.tensors)?;
    let mut records = Vec::new();
    for layer in &mut d.layers {
        let raw = layer.weight.as_tensor().detach();
        let normalized = layer.norm.normalize(Arm::of(&raw), &raw, Iterate::Frozen)?;
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
    use crate::rng::Streams;
    use candle_core::Device;

    #[test]
    fn sigma_max_is_the_first_singular_value() {
        let draws: Vec<f64> = Streams::new(1).normal("w", 0, 6 * 10).into_iter().map(f64::from).collect();
        for shape in [(6, 10), (10, 6)] {
            let w = Tensor::from_slice(&draws, shape, &Device::Cpu).unwrap();
            let all = singular_values(&w).unwrap();
            assert_eq!(all.len(), 6);
            assert!((all[0] - sigma_max(&w).unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn concentration_is_that_of_all_singular_values() {
        let draws: Vec<f64> = Streams::new(1).normal("w", 0, 6 * 10).into_iter().map(f64::from).collect();
        for shape in [(6, 10), (10, 6)] {
            let w = Tensor::from_slice(&draws, shape, &Device::Cpu).unwrap();
            let (all, few) = (Spectrum::of(&w).unwrap(), Concentration::of(&w).unwrap());
            assert!((all.sigma() - few.sigma).abs() < 1e-12);
            assert!((all.effective_rank - few.effective_rank).abs() < 1e-10);
        }
    }

    #[test]
    fn effective_rank_counts_equal_directions() {
        let two = Tensor::new(&[[3.0f64, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
        let one = Tensor::ones((4, 5), DType::F64, &Device::Cpu).unwrap();
        assert!((Concentration::of(&two).unwrap().effective_rank - 2.0).abs() < 1e-12);
        assert!((Concentration::of(&one).unwrap().effective_rank - 1.0).abs() < 1e-10);
        assert_eq!(Concentration::of(&one.zeros_like().unwrap()).unwrap(), Concentration { sigma: 0.0, effective_rank: 1.0 });
    }

    #[test]
    fn orthonormal_rows_or_columns() {
        for (rows, columns) in [(4, 9), (9, 4), (1, 5)] {
            let q = orthonormal(rows, columns, &Streams::new(2).normal("q", 0, rows * columns)).unwrap();
            let w = Tensor::from_vec(q, (rows, columns), &Device::Cpu).unwrap();
            for s in singular_values(&w).unwrap() {
                assert!((s - 1.0).abs() < 1e-6, "{s}");
            }
        }
    }

    #[test]
    fn a_nan_is_an_error() {
        let w = Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu).unwrap();
        assert!(sigma_max(&w).is_err());
    }
}
