//! The kernel inception distance (Bińkowski et al., 2018): the squared maximum mean discrepancy
//! between generated and real features under the cubic kernel `k(x, y) = (xᵀy/dim + 1)³`, by its
//! unbiased estimator, which may be negative. The mean is over random subsets, because the
//! estimator's cost is quadratic in their size.

pub use sngan_experiment::protocol::distinct_subsets;

use crate::{Error, Result, Rows};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use sngan_tensor::rng::Streams;

/// The choice of subsets is part of the protocol, so its seed is fixed.
const SUBSET_SEED: u64 = 0;

/// Mean and standard deviation (ddof 0) over the subsets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KernelDistance {
    /// Mean.
    pub mean: f64,
    /// Standard deviation; none for a single subset.
    pub std: Option<f64>,
}

/// The distance between rows of either side, over `subsets` subsets of `size` rows of each, drawn
/// without replacement within a subset. If `size` is all rows of both sides, the subsets would be
/// equal, and only one is used.
///
/// # Errors
/// When the dimensions differ, or a side has fewer than `size` rows, or a subset fewer than two.
pub fn kernel_distance(
    generated: &Rows,
    real: &Rows,
    subsets: usize,
    size: usize,
) -> Result<KernelDistance> {
    if generated.dim() != real.dim() {
        let reason = format!(
            "have {} and {} features; one backbone must give both",
            generated.dim(),
            real.dim()
        );
        return Err(Error::input("kid", reason));
    }
    let least = generated.len().min(real.len());
    if subsets == 0 || size < 2 || size > least {
        return Err(Error::input(
            "kid",
            format!("{subsets} subsets of {size} samples were asked for; there are {least}"),
        ));
    }
    let subsets = distinct_subsets(subsets, size, [generated.len(), real.len()]);
    let streams = Streams::new(SUBSET_SEED);
    let drawn = |rows: &Rows, name: &str, subset: u64| {
        let order = streams.permutation(name, subset, rows.len());
        rows.columns(order[..size].iter().map(|i| *i as usize))
    };
    let one = |subset: usize| {
        let subset = subset as u64;
        Ok(discrepancy(
            drawn(generated, "kid.generated", subset)?.as_ref(),
            drawn(real, "kid.real", subset)?.as_ref(),
        ))
    };
    let values = (0..subsets).into_par_iter().map(one).collect::<Result<Vec<f64>>>()?;
    let mean = values.iter().sum::<f64>() / subsets as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / subsets as f64;
    Ok(KernelDistance { mean, std: (subsets > 1).then(|| variance.sqrt()) })
}

/// The unbiased estimate of the squared discrepancy between the columns of `x`, `[dim, n]`, and of `y`, `[dim, m]`.
fn discrepancy(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> f64 {
    let within = |x: MatRef<'_, f64>| {
        let n = x.ncols() as f64;
        let own: f64 = (0..x.ncols()).map(|j| cubic(x.col(j).squared_norm_l2(), x.nrows())).sum();
        (kernel_sum(x, x) - own) / (n * (n - 1.0))
    };
    within(x) + within(y) - 2.0 * kernel_sum(x, y) / (x.ncols() * y.ncols()) as f64
}

/// The kernel, from the product of two features.
fn cubic(product: f64, dim: usize) -> f64 {
    (product / dim as f64 + 1.0).powi(3)
}

/// The kernel's sum over all pairs of columns.
fn kernel_sum(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> f64 {
    let mut products = Mat::zeros(x.ncols(), y.ncols());
    matmul(products.as_mut(), Accum::Replace, x.transpose(), y, 1.0, Par::Seq);
    products.col_iter().map(|column| column.iter().map(|p| cubic(*p, x.nrows())).sum::<f64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, n: usize, dim: usize, shift: f32) -> Rows {
        let values: Vec<f32> =
            Streams::new(2).normal(name, 0, n * dim).into_iter().map(|x| x + shift).collect();
        Rows::of(&values, dim).unwrap()
    }

    #[test]
    fn two_by_two_by_hand() {
        // One feature: k(x, y) = (xy + 1)³. x = {0, 1}, y = {1, 2}: within 1 and 27, between (1 + 1 + 8 + 27)/4.
        let (x, y) = (Rows::of(&[0.0, 1.0], 1).unwrap(), Rows::of(&[1.0, 2.0], 1).unwrap());
        let score = kernel_distance(&x, &y, 3, 2).unwrap();
        assert!((score.mean - (1.0 + 27.0 - 2.0 * 37.0 / 4.0)).abs() < 1e-12, "{score:?}");
        // Three subsets of all rows are one.
        assert_eq!((score.std, score), (None, kernel_distance(&x, &y, 1, 2).unwrap()));
    }

    #[test]
    fn alike_sides_differ_by_chance_in_both_directions_and_shifted_ones_clearly() {
        let (a, b) = (rows("a", 600, 8, 0.0), rows("b", 500, 8, 0.0));
        let alike = kernel_distance(&a, &b, 20, 100).unwrap();
        let spread = alike.std.unwrap();
        assert!(alike.mean.abs() < spread, "{alike:?}");
        let shifted = kernel_distance(&a, &rows("c", 500, 8, 0.5), 20, 100).unwrap();
        assert!(shifted.mean > 5.0 * spread, "{shifted:?} against {alike:?}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(alike, pool.install(|| kernel_distance(&a, &b, 20, 100)).unwrap());
    }

    #[test]
    fn refuses_what_it_cannot_measure() {
        let (a, b) = (rows("a", 10, 2, 0.0), rows("b", 9, 2, 0.0));
        assert!(kernel_distance(&a, &b, 1, 10).unwrap_err().to_string().contains("there are 9"));
        assert!(
            kernel_distance(&a, &rows("c", 9, 3, 0.0), 1, 5)
                .unwrap_err()
                .to_string()
                .contains("2 and 3 features")
        );
    }
}
