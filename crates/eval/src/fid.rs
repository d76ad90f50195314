//! The Fréchet inception distance between two sets of features (Heusel et al., 2017; the paper's Eq. 24), in f64:
//!
//! `FID = |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁^½ S₂ S₁^½)^½`.
//!
//! The symmetric form of the last term needs only eigenvalues of symmetric matrices, which stay real and tame where the covariances are
//! singular; the usual `(S₁ S₂)^½` is not symmetric and then needs a fudge term.

use crate::{Error, Result};
use faer::{Mat, Side};

/// Mean and covariance of features.
#[derive(Debug, Clone)]
pub struct Moments {
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl Moments {
    /// Moments of `features`, `[N, dim]`; the covariance has ddof 1.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] when `N ≤ dim`: the covariance would be singular by construction. Also when the length is no multiple of
    /// `dim`, or a feature is not finite.
    pub fn of(features: &[f64], dim: usize) -> Result<Moments> {
        if dim == 0 || !features.len().is_multiple_of(dim) {
            return Err(Error::input("features", format!("{} values are not rows of {dim} features", features.len())));
        }
        let n = features.len() / dim;
        if n <= dim {
            return Err(Error::TooFewSamples { n, dim });
        }
        if let Some(i) = features.iter().position(|x| !x.is_finite()) {
            return Err(Error::input("features", format!("sample {} has a feature that is not finite", i / dim)));
        }
        let mean: Vec<f64> = (0..dim).map(|j| features.iter().skip(j).step_by(dim).sum::<f64>() / n as f64).collect();
        let centred = Mat::from_fn(n, dim, |i, j| features[i * dim + j] - mean[j]);
        let covariance = centred.transpose() * &centred * faer::Scale(1.0 / (n - 1) as f64);
        Ok(Moments { mean, covariance })
    }

    /// Moments given as numbers: `mean`, `[dim]`, and a symmetric `covariance`, `[dim, dim]` by rows.
    ///
    /// # Errors
    /// When the lengths do not fit, a number is not finite or the covariance is not symmetric.
    pub fn new(mean: Vec<f64>, covariance: &[f64]) -> Result<Moments> {
        let dim = mean.len();
        if covariance.len() != dim * dim {
            return Err(Error::input("covariance", format!("has {} values; {dim} features need {}", covariance.len(), dim * dim)));
        }
        if mean.iter().chain(covariance).any(|x| !x.is_finite()) {
            return Err(Error::input("moments", "have a number that is not finite"));
        }
        let covariance = Mat::from_fn(dim, dim, |i, j| covariance[i * dim + j]);
        if (&covariance - covariance.transpose()).norm_max() > 1e-9 * covariance.norm_max() {
            return Err(Error::input("covariance", "is not symmetric"));
        }
        Ok(Moments { mean, covariance })
    }

    /// Feature dimension.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }
}

/// The distance, at least 0 (rounding can bring the sum below).
///
/// # Errors
/// When the dimensions differ or an eigen-decomposition does not converge.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Result<f64> {
    if a.dim() != b.dim() {
        return Err(Error::input("moments", format!("have {} and {} features; one backbone must give both", a.dim(), b.dim())));
    }
    let means: f64 = a.mean.iter().zip(&b.mean).map(|(x, y)| (x - y).powi(2)).sum();
    let traces = trace(&a.covariance) + trace(&b.covariance);
    let root = square_root(&a.covariance)?;
    let product = &root * &b.covariance * &root;
    // Symmetric in exact arithmetic; the decomposition reads one triangle, the mean of both is nearer.
    let product = Mat::from_fn(a.dim(), a.dim(), |i, j| 0.5 * (product[(i, j)] + product[(j, i)]));
    let values = product.self_adjoint_eigenvalues(Side::Lower).map_err(|e| Error::input("fid", format!("eigenvalues: {e:?}")))?;
    let overlap: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok((means + traces - 2.0 * overlap).max(0.0))
}

/// Sum of the diagonal.
fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

/// The symmetric square root of a positive semi-definite matrix; eigenvalues that rounding made negative count as 0.
fn square_root(matrix: &Mat<f64>) -> Result<Mat<f64>> {
    let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(|e| Error::input("fid", format!("eigen-decomposition: {e:?}")))?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let scaled = Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
    Ok(scaled * vectors.transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sngan_core::rng::Streams;

    /// Square roots of eigenvalues: an error of 1e-16 in an eigenvalue near 0 is one of 1e-8 in its root; a few of them, of traces near 1.
    const ROOTED: f64 = 1e-6;
    /// Well-conditioned closed forms.
    const ROUNDING: f64 = 1e-10;

    fn distance(a: &Moments, b: &Moments) -> f64 {
        frechet_distance(a, b).unwrap()
    }

    fn samples(name: &str, n: usize, dim: usize) -> Vec<f64> {
        Streams::new(1).normal(name, 0, n * dim).into_iter().map(f64::from).collect()
    }

    #[test]
    fn diagonal_gaussians() {
        // Commuting covariances: |Δμ|² + Σ (√s₁ − √s₂)².
        let a = Moments::new(vec![1.0, 0.0], &[4.0, 0.0, 0.0, 9.0]).unwrap();
        let b = Moments::new(vec![0.0, 2.0], &[1.0, 0.0, 0.0, 16.0]).unwrap();
        assert!((distance(&a, &b) - (5.0 + 1.0 + 1.0)).abs() < ROUNDING);
    }

    #[test]
    fn rotated_gaussians_that_do_not_commute() {
        // In two dimensions tr M^½ = √(tr M + 2 √det M), and M = S₁^½ S₂ S₁^½ has tr M = tr S₁S₂, det M = det S₁ det S₂.
        let (c, s) = (0.6, 0.8);
        let rotated = [c * c * 4.0 + s * s * 0.25, c * s * (4.0 - 0.25), c * s * (4.0 - 0.25), s * s * 4.0 + c * c * 0.25];
        let a = Moments::new(vec![0.0; 2], &[9.0, 0.0, 0.0, 1.0]).unwrap();
        let b = Moments::new(vec![3.0, 4.0], &rotated).unwrap();
        let trace_product: f64 = 9.0 * rotated[0] + rotated[3];
        let expected = 25.0 + 10.0 + 4.25 - 2.0 * (trace_product + 2.0 * 9f64.sqrt()).sqrt();
        assert!((distance(&a, &b) - expected).abs() < ROUNDING);
        assert!((distance(&b, &a) - expected).abs() < ROUNDING);
    }

    #[test]
    fn singular_covariances_are_fine() {
        let a = Moments::new(vec![0.0; 3], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        let b = Moments::new(vec![0.0; 3], &[0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        assert!((distance(&a, &b) - 5.0).abs() < ROOTED);
        assert!(distance(&a, &a) < ROOTED);
        // A feature that never fires, as after ReLU and pooling.
        let mut dead = samples("dead", 300, 8);
        dead.iter_mut().step_by(8).for_each(|x| *x = 0.0);
        let dead = Moments::of(&dead, 8).unwrap();
        assert!(distance(&dead, &dead) < ROOTED);
    }

    #[test]
    fn moments_of_samples_have_ddof_1() {
        let m = Moments::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 8.0], 2).unwrap();
        assert_eq!(m.mean, [2.0, 4.0]);
        assert_eq!([m.covariance[(0, 0)], m.covariance[(0, 1)], m.covariance[(1, 1)]], [4.0, 7.0, 13.0]);
    }

    #[test]
    fn a_shift_costs_its_square_and_the_set_itself_nothing() {
        let x = samples("x", 500, 16);
        let a = Moments::of(&x, 16).unwrap();
        let b = Moments::of(&x.iter().map(|v| v + 0.5).collect::<Vec<_>>(), 16).unwrap();
        assert!(distance(&a, &a) < ROOTED);
        assert!((distance(&a, &b) - 16.0 * 0.25).abs() < ROOTED);
    }

    #[test]
    fn refuses_what_it_cannot_measure() {
        assert!(matches!(Moments::of(&samples("few", 8, 8), 8), Err(Error::TooFewSamples { n: 8, dim: 8 })));
        assert!(Moments::of(&samples("enough", 9, 8), 8).is_ok());
        assert!(Moments::of(&[0.0; 7], 2).is_err());
        assert!(Moments::of(&[0.0, 1.0, f64::INFINITY], 1).unwrap_err().to_string().contains("sample 2"));
        assert!(Moments::new(vec![0.0; 2], &[1.0, 0.5, 0.0, 1.0]).unwrap_err().to_string().contains("symmetric"));
        let (a, b) = (Moments::new(vec![0.0], &[1.0]).unwrap(), Moments::new(vec![0.0; 2], &[1.0, 0.0, 0.0, 1.0]).unwrap());
        assert!(frechet_distance(&a, &b).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn symmetric_in_its_arguments(seed in 0u64..1000) {
            let draw = |name| Moments::of(&Streams::new(seed).normal(name, 0, 60 * 5).into_iter().map(f64::from).collect::<Vec<_>>(), 5).unwrap();
            let (a, b) = (draw("a"), draw("b"));
            prop_assert!((distance(&a, &b) - distance(&b, &a)).abs() < ROOTED);
        }
    }
}
