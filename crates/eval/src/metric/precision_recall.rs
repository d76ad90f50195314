//! Precision and recall by nearest neighbors (Kynkäänniemi et al., 2019). Each sample of a set has
//! a ball whose radius is the distance to its k-th nearest neighbor in the set; the balls together
//! represent the set's manifold. Precision is the share of generated samples on the real manifold,
//! and recall is the share of real samples on the generated one.

use crate::{Error, Result, Rows};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Samples of a tile of distances.
const TILE: usize = 500;

/// The share of `points` that lie in at least one ball of `balls`: precision with real balls and
/// generated points, recall the other way around.
///
/// # Errors
/// When the dimensions differ, or there are no more than `k` balls.
pub fn coverage(balls: &Rows, points: &Rows, k: usize) -> Result<f64> {
    if balls.dim() != points.dim() {
        let reason = format!(
            "have {} and {} features; one backbone must give both",
            balls.dim(),
            points.dim()
        );
        return Err(Error::input("precision and recall", reason));
    }
    if k == 0 || balls.len() <= k || points.is_empty() {
        let reason = format!(
            "{} samples have no neighbour number {k} to cover {} others with",
            balls.len(),
            points.len()
        );
        return Err(Error::input("precision and recall", reason));
    }
    let radii = tiles(balls.len())
        .into_par_iter()
        .map(|own| squared_radii(balls, own, k))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let covered = tiles(points.len())
        .into_par_iter()
        .map(|own| covered(balls, &radii, points, own))
        .collect::<Result<Vec<_>>>()?;
    Ok(covered.into_iter().sum::<usize>() as f64 / points.len() as f64)
}

fn tiles(n: usize) -> Vec<Range<usize>> {
    (0..n).step_by(TILE).map(|start| start..(start + TILE).min(n)).collect()
}

/// Squared distances from samples `own` to their k-th nearest neighbors.
fn squared_radii(rows: &Rows, own: Range<usize>, k: usize) -> Result<Vec<f64>> {
    let columns = rows.columns(own.clone())?;
    let mut nearest = vec![vec![f64::INFINITY; k]; own.len()];
    for others in tiles(rows.len()) {
        let distances = squared_distances(rows.columns(others.clone())?.as_ref(), columns.as_ref());
        for (j, nearest) in nearest.iter_mut().enumerate() {
            let itself = own.start + j;
            let neighbours = others.clone().enumerate().filter(|(_, other)| *other != itself);
            neighbours.for_each(|(i, _)| keep_smallest(nearest, distances[(i, j)]));
        }
    }
    Ok(nearest.into_iter().map(|nearest| nearest[k - 1]).collect())
}

/// Puts `value` among the sorted smallest ones, if it belongs there.
fn keep_smallest(sorted: &mut [f64], value: f64) {
    let at = sorted.partition_point(|x| *x <= value);
    if at < sorted.len() {
        sorted[at..].rotate_right(1);
        sorted[at] = value;
    }
}

/// How many of `points`' samples `own` lie in a ball.
fn covered(balls: &Rows, radii: &[f64], points: &Rows, own: Range<usize>) -> Result<usize> {
    let columns = points.columns(own.clone())?;
    let mut inside = vec![false; own.len()];
    for others in tiles(balls.len()) {
        let distances =
            squared_distances(balls.columns(others.clone())?.as_ref(), columns.as_ref());
        for (j, inside) in inside.iter_mut().enumerate() {
            *inside |= radii[others.clone()]
                .iter()
                .enumerate()
                .any(|(i, radius)| distances[(i, j)] <= *radius);
        }
    }
    Ok(inside.into_iter().filter(|inside| *inside).count())
}

/// Squared distances between the columns of `x`, `[dim, n]`, and of `y`, `[dim, m]`: `[n, m]`.
fn squared_distances(x: MatRef<'_, f64>, y: MatRef<'_, f64>) -> Mat<f64> {
    let norms =
        |x: MatRef<'_, f64>| (0..x.ncols()).map(|j| x.col(j).squared_norm_l2()).collect::<Vec<_>>();
    let (x_norms, y_norms) = (norms(x), norms(y));
    let mut products = Mat::zeros(x.ncols(), y.ncols());
    matmul(products.as_mut(), Accum::Replace, x.transpose(), y, 1.0, Par::Seq);
    Mat::from_fn(x.ncols(), y.ncols(), |i, j| {
        (x_norms[i] + y_norms[j] - 2.0 * products[(i, j)]).max(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_tensor::rng::Streams;

    #[test]
    fn on_a_line_by_hand() {
        // Nearest neighbors of {0, 1, 10}: radii 1, 1, 9, so the balls cover [−1, 2] and [1, 19].
        let balls = Rows::of(&[0.0, 1.0, 10.0], 1).unwrap();
        let points = Rows::of(&[-1.5, -0.5, 1.5, 18.0, 20.0], 1).unwrap();
        assert_eq!(coverage(&balls, &points, 1).unwrap(), 3.0 / 5.0);
        // Second neighbors: radii 10, 9, 10.
        assert_eq!(coverage(&balls, &points, 2).unwrap(), 1.0);
        assert!(
            coverage(&balls, &points, 3).unwrap_err().to_string().contains("no neighbour number 3")
        );
    }

    #[test]
    fn equals_a_search_over_all_pairs_across_tiles_and_threads() {
        let (n, m, dim, k) = (TILE + 40, TILE + 7, 4, 3);
        let draw = |name: &str, n: usize| Streams::new(3).normal(name, 0, n * dim);
        let (a, b) = (draw("a", n), draw("b", m));
        let distance = |x: &[f32], i: usize, y: &[f32], j: usize| {
            (0..dim)
                .map(|c| (f64::from(x[i * dim + c]) - f64::from(y[j * dim + c])).powi(2))
                .sum::<f64>()
        };
        let radius = |i: usize| {
            let mut all: Vec<f64> =
                (0..n).filter(|j| *j != i).map(|j| distance(&a, i, &a, j)).collect();
            all.sort_by(f64::total_cmp);
            all[k - 1]
        };
        let radii: Vec<f64> = (0..n).map(radius).collect();
        let expected =
            (0..m).filter(|j| (0..n).any(|i| distance(&a, i, &b, *j) <= radii[i])).count() as f64
                / m as f64;
        assert!((0.3..1.0).contains(&expected), "{expected}");
        let (a, b) = (Rows::of(&a, dim).unwrap(), Rows::of(&b, dim).unwrap());
        assert_eq!(coverage(&a, &b, k).unwrap(), expected);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(|| coverage(&a, &b, k)).unwrap(), expected);
    }
}
