//! Exact singular values and orthonormal matrices, by faer in f64.

use crate::{Error, Result};
use candle_core::{DType, Tensor};
use faer::{Mat, Side};

/// A weight as the matrix `[d_out, rest]`.
///
/// # Errors
/// When it has no dimension.
pub fn matrix(weight: &Tensor) -> Result<Tensor> {
    Ok(weight.flatten_from(1)?)
}

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
    m.singular_values().map_err(|e| not_converged("singular values", e))
}

/// Squared singular values in increasing order, as eigenvalues of the smaller Gram matrix: far cheaper than [`singular_values`], with a
/// relative error of about 1e-15 of the largest.
///
/// # Errors
/// As [`singular_values`].
pub fn squared_singular_values(weight: &Tensor) -> Result<Vec<f64>> {
    let m = to_faer(weight)?;
    check_finite(&m)?;
    let gram = if m.nrows() <= m.ncols() { &m * m.transpose() } else { m.transpose() * &m };
    let eigen =
        gram.self_adjoint_eigenvalues(Side::Lower).map_err(|e| not_converged("eigenvalues", e))?;
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

/// The unit left singular vector `[d_out]` of the largest singular value of a weight as the matrix `[d_out, rest]`, by the Gram matrix of its
/// rows. Its sign is arbitrary.
///
/// # Errors
/// As [`singular_values`].
pub fn first_left_vector(weight: &Tensor) -> Result<Vec<f64>> {
    let m = to_faer(weight)?;
    check_finite(&m)?;
    let gram = &m * m.transpose();
    let eigen =
        gram.self_adjoint_eigen(Side::Lower).map_err(|e| not_converged("singular vectors", e))?;
    // They come in increasing order.
    let last = m.nrows().saturating_sub(1);
    Ok((0..m.nrows()).map(|i| eigen.U()[(i, last)]).collect())
}

/// The largest eigenvalue of the symmetric tridiagonal matrix with this diagonal and these values beside it, and its unit eigenvector.
///
/// # Errors
/// When a value is not finite, or the decomposition does not converge.
pub fn largest_of_tridiagonal(diagonal: &[f64], beside: &[f64]) -> Result<(f64, Vec<f64>)> {
    let n = diagonal.len();
    let at = |i: usize, j: usize| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    };
    let m = Mat::from_fn(n, n, at);
    check_finite(&m)?;
    let eigen = m.self_adjoint_eigen(Side::Lower).map_err(|e| not_converged("eigenvalues", e))?;
    // They come in increasing order.
    let last = n.saturating_sub(1);
    let vector = (0..n).map(|i| eigen.U()[(i, last)]).collect();
    Ok((eigen.S().column_vector()[last], vector))
}

/// A weight W = U·s·Vᵀ as the matrix `[d_out, rest]` with other singular values, U·s'·Vᵀ in its shape and type: of K the first ⌊K/2⌋ are 1, each other
/// one is its sᵢ/s₁.
///
/// The vectors are those of the smaller Gram matrix, so no full decomposition is needed: W/s₁, plus for each of the first ones its vector's part
/// times 1/sᵢ − 1/s₁. A singular value that is 0 to rounding has no direction, and stays.
///
/// # Errors
/// When the weight is not finite, or the decomposition does not converge.
pub fn first_half_to_one(weight: &Tensor) -> Result<Tensor> {
    let m = to_faer(weight)?;
    check_finite(&m)?;
    let wide = m.nrows() <= m.ncols();
    let gram = if wide { &m * m.transpose() } else { m.transpose() * &m };
    let eigen =
        gram.self_adjoint_eigen(Side::Lower).map_err(|e| not_converged("eigenvalues", e))?;
    // They come in increasing order.
    let (k, squares) = (gram.nrows(), eigen.S().column_vector());
    let s: Vec<f64> = (0..k).map(|i| squares[i].max(0.0).sqrt()).collect();
    let largest = s.last().copied().unwrap_or(0.0);
    if largest == 0.0 {
        return Ok(weight.clone());
    }
    let factor = |i: usize| {
        let is_first = i >= k - k / 2 && s[i] > largest * f64::EPSILON.sqrt();
        if is_first { 1.0 / s[i] } else { 1.0 / largest }
    };
    let u = eigen.U();
    let scaled = Mat::from_fn(k, k, |i, j| u[(i, j)] * factor(j));
    let inner = &scaled * u.transpose();
    let replaced = if wide { inner * &m } else { &m * inner };
    let columns = m.ncols();
    let values: Vec<f64> =
        (0..m.nrows() * columns).map(|i| replaced[(i / columns, i % columns)]).collect();
    Ok(Tensor::from_vec(values, weight.shape(), weight.device())?.to_dtype(weight.dtype())?)
}

fn not_converged(what: &'static str, reason: impl std::fmt::Debug) -> Error {
    Error::NotConverged { what, reason: format!("{reason:?}") }
}

fn check_finite(m: &Mat<f64>) -> Result<()> {
    let finite = (0..m.ncols()).all(|j| (0..m.nrows()).all(|i| m[(i, j)].is_finite()));
    if finite { Ok(()) } else { Err(Error::NotFinite) }
}

/// A random `[rows, columns]` matrix with orthonormal rows (or columns, if there are fewer), from normal draws in row-major order.
///
/// # Errors
/// When `draws` has another length.
pub fn orthonormal(rows: usize, columns: usize, draws: &[f32]) -> Result<Vec<f32>> {
    if draws.len() != rows * columns {
        return Err(Error::Draws { draws: draws.len(), rows, columns });
    }
    let wide = rows < columns;
    let (tall, short) = if wide { (columns, rows) } else { (rows, columns) };
    let at = |i: usize, j: usize| {
        f64::from(if wide { draws[j * columns + i] } else { draws[i * columns + j] })
    };
    let qr = Mat::from_fn(tall, short, at).qr();
    let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
    // The signs of R's diagonal make the distribution uniform (Haar).
    let signed = |i: usize, j: usize| (q[(i, j)] * r[(j, j)].signum()) as f32;
    Ok((0..rows * columns)
        .map(|k| (k / columns, k % columns))
        .map(|(i, j)| if wide { signed(j, i) } else { signed(i, j) })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;
    use candle_core::Device;

    #[test]
    fn sigma_max_is_the_first_singular_value() {
        let draws: Vec<f64> =
            Streams::new(1).normal("w", 0, 6 * 10).into_iter().map(f64::from).collect();
        for shape in [(6, 10), (10, 6)] {
            let w = Tensor::from_slice(&draws, shape, &Device::Cpu).unwrap();
            let all = singular_values(&w).unwrap();
            assert_eq!(all.len(), 6);
            assert!((all[0] - sigma_max(&w).unwrap()).abs() < 1e-12);
            // ‖Wᵀu‖ is the first singular value.
            let u = Tensor::new(first_left_vector(&w).unwrap(), &Device::Cpu).unwrap();
            let back = u.unsqueeze(0).unwrap().matmul(&w).unwrap().sqr().unwrap();
            let norm = back.sum_all().unwrap().to_scalar::<f64>().unwrap().sqrt();
            assert!((norm - all[0]).abs() < 1e-12);
        }
    }

    #[test]
    fn a_tridiagonal_matrix_has_its_largest_eigenpair() {
        // 2 on the diagonal and −1 beside it: eigenvalues 2 − 2 cos(kπ/(n + 1)).
        let (value, vector) = largest_of_tridiagonal(&[2.0; 5], &[-1.0; 4]).unwrap();
        let expected = 2.0 - 2.0 * (5.0 * std::f64::consts::PI / 6.0).cos();
        assert!((value - expected).abs() < 1e-12, "{value}");
        let first = 2.0 * vector[0] - vector[1];
        assert!((first - value * vector[0]).abs() < 1e-12);
        assert_eq!(largest_of_tridiagonal(&[3.0], &[]).unwrap().0, 3.0);
        assert!(largest_of_tridiagonal(&[f64::NAN], &[]).is_err());
    }

    #[test]
    fn orthonormal_rows_or_columns() {
        for (rows, columns) in [(4, 9), (9, 4), (1, 5)] {
            let q = orthonormal(rows, columns, &Streams::new(2).normal("q", 0, rows * columns))
                .unwrap();
            let w = Tensor::from_vec(q, (rows, columns), &Device::Cpu).unwrap();
            for s in singular_values(&w).unwrap() {
                assert!((s - 1.0).abs() < 1e-6, "{s}");
            }
        }
    }

    #[test]
    fn the_first_half_of_singular_values_becomes_one_and_vectors_stay() {
        let draws: Vec<f64> =
            Streams::new(1).normal("w", 0, 5 * 8).into_iter().map(f64::from).collect();
        for shape in [(5, 8), (8, 5)] {
            let w = Tensor::from_slice(&draws, shape, &Device::Cpu).unwrap();
            let (s, changed) = (singular_values(&w).unwrap(), first_half_to_one(&w).unwrap());
            let found = singular_values(&changed).unwrap();
            let expected = [1.0, 1.0, s[2] / s[0], s[3] / s[0], s[4] / s[0]];
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-12, "{found:?}");
            }
            // Of equal vectors, W'·Wᵀ is symmetric, and its trace the sum of s'·s.
            let product = changed.matmul(&w.t().unwrap()).unwrap();
            let turned = product.t().unwrap();
            let far = (&product - turned).unwrap().abs().unwrap().max_all().unwrap();
            assert!(far.to_scalar::<f64>().unwrap() < 1e-12);
            let trace: f64 =
                product.to_vec2::<f64>().unwrap().iter().enumerate().map(|(i, row)| row[i]).sum();
            let sum: f64 = expected.iter().zip(&s).map(|(a, b)| a * b).sum();
            assert!((trace - sum).abs() < 1e-11, "{trace} {sum}");
        }
        let zeros = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(first_half_to_one(&zeros).unwrap().dims(), [2, 3]);
    }

    #[test]
    fn a_nan_is_an_error() {
        let w = Tensor::new(&[[f32::NAN, 1.0]], &Device::Cpu).unwrap();
        assert!(sigma_max(&w).is_err());
    }
}
