//! Mean and covariance of features, from a stream of them.
//!
//! Rows are gathered into blocks of a fixed size, and blocks are summed in order. So the same rows
//! in the same order give the same bits, for any division into calls and any number of threads.

use crate::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows per block: enough to make the product efficient, few enough to keep in memory.
const BLOCK: usize = 256;
/// Columns of a panel of a product; each is computed on one thread.
pub(crate) const PANEL: usize = 256;

/// Mean and covariance of features, in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    pub(crate) mean: Vec<f64>,
    pub(crate) covariance: Mat<f64>,
}

impl Moments {
    /// Moments of `features`, `[N, dim]`; the covariance has ddof 1.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] when `N ≤ dim`: the covariance would be singular by construction.
    /// Also when the length is not a multiple of `dim`, or a feature is not finite.
    pub fn of(features: &[f32], dim: usize) -> Result<Moments> {
        let mut sum = MomentsSum::new(dim)?;
        sum.add(features)?;
        sum.finish(Few::Refused)
    }

    /// Moments from given numbers: `mean`, `[dim]`, and a symmetric `covariance`, `[dim, dim]` by
    /// rows.
    ///
    /// # Errors
    /// When the lengths do not fit, a number is not finite, or the covariance has a negative variance or is not symmetric within 1e-4 of its
    /// largest value; within that, its symmetric part is taken.
    pub fn new(mean: Vec<f64>, covariance: &[f64]) -> Result<Moments> {
        let dim = mean.len();
        if dim == 0 || covariance.len() != dim * dim {
            return Err(Error::input(
                "covariance",
                format!("has {} values; {dim} features need {}", covariance.len(), dim * dim),
            ));
        }
        if mean.iter().chain(covariance).any(|x| !x.is_finite()) {
            return Err(Error::input("moments", "have a number that is not finite"));
        }
        let given = MatRef::from_row_major_slice(covariance, dim, dim);
        // A running covariance in f32 is as asymmetric as its rounding, summed over the updates.
        let asymmetry = (0..dim)
            .flat_map(|j| (0..j).map(move |i| (given[(i, j)] - given[(j, i)]).abs()))
            .fold(0.0, f64::max);
        if asymmetry > 1e-4 * given.norm_max() {
            return Err(Error::input("covariance", "is not symmetric"));
        }
        let covariance = Mat::from_fn(dim, dim, |i, j| (given[(i, j)] + given[(j, i)]) * 0.5);
        if let Some(i) = (0..dim).find(|i| covariance[(*i, *i)] < 0.0) {
            return Err(Error::input(
                "covariance",
                format!("has a negative variance, of feature {i}"),
            ));
        }
        Ok(Moments { mean, covariance })
    }

    /// Feature dimension.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean, `[dim]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance, `[dim, dim]` by rows.
    pub fn covariance(&self) -> Vec<f64> {
        let dim = self.dim();
        (0..dim * dim).map(|i| self.covariance[(i / dim, i % dim)]).collect()
    }
}

/// Whether moments of no more samples than features are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Few {
    /// No: their covariance is singular by construction, and FID is far above that of more samples.
    Refused,
    /// Yes, with at least two; the score must be stamped.
    Allowed,
}

/// Sums from which [`Moments`] are computed.
#[derive(Debug, Clone)]
pub struct MomentsSum {
    dim: usize,
    n: usize,
    /// Mean of the first block, subtracted before squares are summed to avoid cancellation.
    origin: Vec<f64>,
    /// Σ (x − origin).
    sum: Vec<f64>,
    /// Σ (x − origin)(x − origin)ᵀ, `[dim, dim]` by columns; values above the diagonal's panels are
    /// not used.
    products: Vec<f64>,
    /// Rows of the block that is not yet full.
    waiting: Vec<f64>,
}

impl MomentsSum {
    /// Sums over no rows yet.
    ///
    /// # Errors
    /// When `dim` is 0.
    pub fn new(dim: usize) -> Result<MomentsSum> {
        if dim == 0 {
            return Err(Error::input("features", "have no dimension"));
        }
        Ok(MomentsSum {
            dim,
            n: 0,
            origin: Vec::new(),
            sum: vec![0.0; dim],
            products: vec![0.0; dim * dim],
            waiting: Vec::new(),
        })
    }

    /// Adds `rows`, `[n, dim]`.
    ///
    /// # Errors
    /// When the length is not a multiple of the dimension, or a feature is not finite.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        let dim = self.dim;
        if !rows.len().is_multiple_of(dim) {
            return Err(Error::input(
                "features",
                format!("{} values are not rows of {dim} features", rows.len()),
            ));
        }
        if let Some(i) = rows.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(
                "features",
                format!("sample {} has a feature that is not finite", self.n + i / dim),
            ));
        }
        self.n += rows.len() / dim;
        for row in rows.chunks_exact(dim) {
            self.waiting.extend(row.iter().map(|x| f64::from(*x)));
            if self.waiting.len() == BLOCK * dim {
                self.close_block();
            }
        }
        Ok(())
    }

    /// Number of rows added.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Sums the pending rows.
    fn close_block(&mut self) {
        let dim = self.dim;
        let mut rows = std::mem::take(&mut self.waiting);
        let n = rows.len() / dim;
        if self.origin.is_empty() {
            self.origin = (0..dim)
                .map(|j| rows.iter().skip(j).step_by(dim).sum::<f64>() / n as f64)
                .collect();
        }
        for row in rows.chunks_exact_mut(dim) {
            for ((x, o), s) in row.iter_mut().zip(&self.origin).zip(&mut self.sum) {
                *x -= o;
                *s += *x;
            }
        }
        // [n, dim] by rows is its transpose by columns.
        let transposed = MatRef::from_column_major_slice(&rows, dim, n);
        self.products.par_chunks_mut(PANEL * dim).enumerate().for_each(|(panel, columns)| {
            let (first, width) = (panel * PANEL, columns.len() / dim);
            let target = MatMut::from_column_major_slice_mut(columns, dim, width)
                .subrows_mut(first, dim - first);
            let (left, right) = (
                transposed.subrows(first, dim - first),
                transposed.subrows(first, width).transpose(),
            );
            matmul(target, Accum::Add, left, right, 1.0, Par::Seq);
        });
        rows.clear();
        self.waiting = rows;
    }

    /// The moments of all rows added; the covariance has ddof 1.
    ///
    /// # Errors
    /// [`Error::TooFewSamples`] when there are no more rows than features or, if that is allowed,
    /// fewer than two.
    pub fn finish(mut self, few: Few) -> Result<Moments> {
        let (n, dim) = (self.n, self.dim);
        if n < 2 || (few == Few::Refused && n <= dim) {
            return Err(Error::TooFewSamples { of: "features".into(), n, dim });
        }
        if !self.waiting.is_empty() {
            self.close_block();
        }
        let (count, sum, products) = (n as f64, &self.sum, &self.products);
        let below =
            |i: usize, j: usize| (products[j * dim + i] - sum[i] * sum[j] / count) / (count - 1.0);
        let covariance = Mat::from_fn(dim, dim, |i, j| below(i.max(j), i.min(j)));
        let mean = self.origin.iter().zip(sum).map(|(o, s)| o + s / count).collect();
        Ok(Moments { mean, covariance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_tensor::rng::Streams;

    fn samples(n: usize, dim: usize) -> Vec<f32> {
        Streams::new(1).normal("moments", 0, n * dim)
    }

    #[test]
    fn moments_of_samples_have_ddof_1() {
        let m = Moments::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 8.0], 2).unwrap();
        assert_eq!(m.mean, [2.0, 4.0]);
        assert_eq!(m.covariance(), [4.0, 7.0, 7.0, 13.0]);
    }

    #[test]
    fn bits_depend_neither_on_portions_nor_on_threads() {
        let (n, dim) = (3 * BLOCK + 17, PANEL + 30);
        let rows = samples(n, dim);
        let whole = Moments::of(&rows, dim).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for portion in [1, 100, BLOCK, 300] {
            let mut sum = MomentsSum::new(dim).unwrap();
            pool.install(|| rows.chunks(portion * dim).for_each(|part| sum.add(part).unwrap()));
            assert_eq!(sum.finish(Few::Refused).unwrap(), whole, "portions of {portion}");
        }
    }

    /// Two ways to sum a thousand products of numbers near 1, in f64.
    const ROUNDING: f64 = 1e-12;

    #[test]
    fn blocks_add_up_to_the_textbooks_two_passes_even_far_from_zero() {
        let (n, dim) = (2 * BLOCK + 100, 5);
        let rows: Vec<f32> = samples(n, dim).iter().map(|x| x + 1000.0).collect();
        let m = Moments::of(&rows, dim).unwrap();
        let column = |j: usize| rows.iter().skip(j).step_by(dim).map(|x| f64::from(*x));
        let mean: Vec<f64> = (0..dim).map(|j| column(j).sum::<f64>() / n as f64).collect();
        for i in 0..dim {
            assert!((m.mean[i] - mean[i]).abs() < 1000.0 * ROUNDING);
            for j in 0..dim {
                let two_passes = column(i)
                    .zip(column(j))
                    .map(|(a, b)| (a - mean[i]) * (b - mean[j]))
                    .sum::<f64>()
                    / (n - 1) as f64;
                assert!((m.covariance[(i, j)] - two_passes).abs() < ROUNDING, "{i}, {j}");
            }
        }
    }

    #[test]
    fn refuses_what_it_cannot_measure() {
        assert!(matches!(
            Moments::of(&samples(8, 8), 8),
            Err(Error::TooFewSamples { n: 8, dim: 8, .. })
        ));
        assert!(Moments::of(&samples(9, 8), 8).is_ok());
        let few = |n: usize| {
            let mut sum = MomentsSum::new(8).unwrap();
            sum.add(&samples(n, 8)).unwrap();
            sum.finish(Few::Allowed)
        };
        assert!(few(2).is_ok() && few(1).is_err());
        assert!(Moments::of(&[0.0; 7], 2).is_err());
        assert!(
            Moments::of(&[0.0, 1.0, f32::INFINITY], 1)
                .unwrap_err()
                .to_string()
                .contains("sample 2")
        );
        assert!(
            Moments::new(vec![0.0; 2], &[1.0, 0.5, 0.0, 1.0])
                .unwrap_err()
                .to_string()
                .contains("symmetric")
        );
        let negative = Moments::new(vec![0.0; 2], &[1.0, 0.0, 0.0, -0.5]).unwrap_err().to_string();
        assert!(negative.contains("negative variance, of feature 1"), "{negative}");
        assert!(Moments::new(vec![0.0; 2], &[1.0]).unwrap_err().to_string().contains("need 4"));
    }
}
