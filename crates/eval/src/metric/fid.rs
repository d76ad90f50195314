//! The Fréchet inception distance between two sets of features (Heusel et al., 2017; the paper's Eq. 24), in f64:
//!
//! `FID = |μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁ S₂)^½`.
//!
//! The last trace is the sum of the square roots of the eigenvalues of `S₁ S₂`. With a Cholesky
//! factor `S₁ = L Lᵀ` these are the eigenvalues of `Lᵀ S₂ L`, which is symmetric: one factorization
//! and one decomposition without vectors. If neither covariance has a factor, because both are
//! singular, `S₁^½ S₂ S₁^½` is used instead, which costs a second decomposition. Neither needs the
//! usual fudge term on the diagonal.

use crate::moments::PANEL;
use crate::{Error, Moments, Result};
use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// The distance, at least 0 (rounding can bring the sum below).
///
/// # Errors
/// When the dimensions differ or an eigendecomposition does not converge.
pub fn frechet_distance(a: &Moments, b: &Moments) -> Result<f64> {
    if a.dim() != b.dim() {
        return Err(Error::input(
            "moments",
            format!("have {} and {} features; one backbone must give both", a.dim(), b.dim()),
        ));
    }
    let means: f64 = a.mean.iter().zip(&b.mean).map(|(x, y)| (x - y).powi(2)).sum();
    let traces = trace(&a.covariance) + trace(&b.covariance);
    let product = match cholesky(&a.covariance) {
        Some(l) => between(l.as_ref(), b.covariance.as_ref()),
        None => match cholesky(&b.covariance) {
            Some(l) => between(l.as_ref(), a.covariance.as_ref()),
            None => around(square_root(&a.covariance)?.as_ref(), b.covariance.as_ref()),
        },
    };
    let product = MatRef::from_column_major_slice(&product, a.dim(), a.dim());
    let values = product
        .self_adjoint_eigenvalues(Side::Lower)
        .map_err(|e| Error::input("fid", format!("eigenvalues: {e:?}")))?;
    let overlap: f64 = values.iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok((means + traces - 2.0 * overlap).max(0.0))
}

/// Sum of the diagonal.
fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

/// The lower triangular factor with zeros above its diagonal; `None` if the matrix is not positive
/// definite.
fn cholesky(matrix: &Mat<f64>) -> Option<Mat<f64>> {
    let factor = matrix.llt(Side::Lower).ok()?;
    let l = factor.L();
    // A zero pivot does not always end the factorization.
    let finite = (0..l.ncols()).all(|j| l.col(j).iter().all(|x| x.is_finite()) && l[(j, j)] > 0.0);
    finite.then(|| Mat::from_fn(l.nrows(), l.ncols(), |i, j| if i < j { 0.0 } else { l[(i, j)] }))
}

/// The lower triangle of `Lᵀ S L` by columns, in panels of columns. Each panel is computed on one
/// thread, so bits do not depend on the number of threads.
fn between(l: MatRef<'_, f64>, s: MatRef<'_, f64>) -> Vec<f64> {
    let dim = l.nrows();
    let mut values = vec![0.0; dim * dim];
    values.par_chunks_mut(PANEL * dim).enumerate().for_each(|(panel, columns)| {
        let (first, width) = (panel * PANEL, columns.len() / dim);
        // L is zero above its diagonal, so columns from `first` on start at line `first`.
        let below = l.subrows(first, dim - first);
        let mut sl = Mat::zeros(dim - first, width);
        let right = s.submatrix(first, first, dim - first, dim - first);
        matmul(sl.as_mut(), Accum::Replace, right, below.subcols(first, width), 1.0, Par::Seq);
        let mut target = MatMut::from_column_major_slice_mut(columns, dim, width);
        for top in (first..dim).step_by(PANEL) {
            let height = PANEL.min(dim - top);
            let left = l.submatrix(top, top, dim - top, height).transpose();
            let rows = target.rb_mut().subrows_mut(top, height);
            matmul(
                rows,
                Accum::Replace,
                left,
                sl.as_ref().subrows(top - first, dim - top),
                1.0,
                Par::Seq,
            );
        }
    });
    values
}

/// `R S R` of symmetric matrices, by columns.
fn around(r: MatRef<'_, f64>, s: MatRef<'_, f64>) -> Vec<f64> {
    let product = r * s * r;
    product.col_iter().flat_map(|column| column.iter().copied()).collect()
}

/// The symmetric square root of a positive semi-definite matrix; eigenvalues that rounding made negative count as 0.
fn square_root(matrix: &Mat<f64>) -> Result<Mat<f64>> {
    let eigen = matrix
        .self_adjoint_eigen(Side::Lower)
        .map_err(|e| Error::input("fid", format!("eigen-decomposition: {e:?}")))?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let scaled = Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| {
        vectors[(i, j)] * values[j].max(0.0).sqrt()
    });
    Ok(scaled * vectors.transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sngan_tensor::rng::Streams;

    /// Square roots of eigenvalues: an error of 1e-16 in an eigenvalue near 0 is one of 1e-8 in its root; a few of them, of traces near 1.
    const ROOTED: f64 = 1e-6;
    /// Well-conditioned closed forms.
    const ROUNDING: f64 = 1e-10;

    fn distance(a: &Moments, b: &Moments) -> f64 {
        frechet_distance(a, b).unwrap()
    }

    fn samples(name: &str, n: usize, dim: usize) -> Vec<f32> {
        Streams::new(1).normal(name, 0, n * dim)
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
        let rotated = [
            c * c * 4.0 + s * s * 0.25,
            c * s * (4.0 - 0.25),
            c * s * (4.0 - 0.25),
            s * s * 4.0 + c * c * 0.25,
        ];
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
        // One of the two has a factor, on either side: Σ (√s₁ − √s₂)² again.
        let whole =
            Moments::new(vec![0.0; 3], &[9.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        assert!((distance(&a, &whole) - (4.0 + 1.0 + 1.0)).abs() < ROOTED);
        assert!((distance(&whole, &a) - (4.0 + 1.0 + 1.0)).abs() < ROOTED);
        // A feature that never fires, as after ReLU and pooling.
        let mut dead = samples("dead", 300, 8);
        dead.iter_mut().step_by(8).for_each(|x| *x = 0.0);
        let dead = Moments::of(&dead, 8).unwrap();
        assert!(distance(&dead, &dead) < ROOTED);
    }

    #[test]
    fn panels_give_what_one_product_gives() {
        let dim = 2 * PANEL + 40;
        let a = Moments::of(&samples("a", dim + 60, dim), dim).unwrap();
        let b = Moments::of(&samples("b", dim + 60, dim), dim).unwrap();
        let l = cholesky(&a.covariance).unwrap();
        let (panels, whole) =
            (between(l.as_ref(), b.covariance.as_ref()), l.transpose() * &b.covariance * &l);
        for j in 0..dim {
            for i in j..dim {
                assert!((panels[j * dim + i] - whole[(i, j)]).abs() < ROUNDING, "{i}, {j}");
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(distance(&a, &b).to_bits(), pool.install(|| distance(&a, &b)).to_bits());
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
    fn refuses_different_dimensions() {
        let (a, b) = (
            Moments::new(vec![0.0], &[1.0]).unwrap(),
            Moments::new(vec![0.0; 2], &[1.0, 0.0, 0.0, 1.0]).unwrap(),
        );
        assert!(frechet_distance(&a, &b).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn symmetric_in_its_arguments(seed in 0u64..1000) {
            let draw = |name| Moments::of(&Streams::new(seed).normal(name, 0, 60 * 5), 5).unwrap();
            let (a, b) = (draw("a"), draw("b"));
            prop_assert!((distance(&a, &b) - distance(&b, &a)).abs() < ROOTED);
        }
    }
}
