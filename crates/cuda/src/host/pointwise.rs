//! Bias and activation, resampling, appended features.

use crate::op::{Sizes, Window};
use sngan_experiment::arch::Activation;

/// The activation of `x`.
pub(super) fn activation(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu { slope } => {
            if x > 0.0 {
                x
            } else {
                slope * x
            }
        }
        Activation::Tanh => x.tanh(),
    }
}

/// Its derivative where its output is `y`; 0 and `slope` at 0.
fn derivative(activation: Activation, y: f64) -> f64 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Relu => f64::from(y > 0.0),
        Activation::LeakyRelu { slope } => {
            if y > 0.0 {
                1.0
            } else {
                slope
            }
        }
        Activation::Tanh => 1.0 - y * y,
    }
}

/// `dy` times the derivative where the outputs are `y`.
pub(super) fn mask(dy: &[f64], y: &[f64], activation: Activation) -> Vec<f64> {
    dy.iter().zip(y).map(|(dy, y)| dy * derivative(activation, *y)).collect()
}

/// Bias and activation.
pub(super) fn finish(y: &[f64], bias: Option<&[f64]>, sizes: Sizes, of: Activation) -> Vec<f64> {
    let bias = |i: usize| bias.map_or(0.0, |b| b[i / sizes.plane % sizes.channels]);
    y.iter().enumerate().map(|(i, y)| activation(of, y + bias(i))).collect()
}

/// Sums over images and plane, for each channel.
pub(super) fn channel_sums(x: &[f64], sizes: Sizes) -> Vec<f64> {
    let mut sums = vec![0.0; sizes.channels];
    for (i, x) in x.iter().enumerate() {
        sums[i / sizes.plane % sizes.channels] += x;
    }
    sums
}

/// Each pixel four times.
pub(super) fn upsample(x: &[f64], side: usize, factor: f64) -> Vec<f64> {
    let wide = 2 * side;
    (0..4 * x.len())
        .map(|i| {
            let (map, row, column) = (i / (wide * wide), i / wide % wide, i % wide);
            factor * x[(map * side + row / 2) * side + column / 2]
        })
        .collect()
}

/// Sums of each 2x2 pixels.
pub(super) fn downsample(x: &[f64], side: usize, factor: f64) -> Vec<f64> {
    let wide = 2 * side;
    (0..x.len() / 4)
        .map(|i| {
            let (map, row, column) = (i / (side * side), i / side % side, i % side);
            let at = |dy, dx| x[(map * wide + 2 * row + dy) * wide + 2 * column + dx];
            factor * (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1))
        })
        .collect()
}

/// A map with rows of a table appended to its channels.
pub(super) fn append(
    x: &[f64],
    sizes: Sizes,
    table: Option<&(Vec<f64>, Vec<f64>)>,
    dim: usize,
) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len() + sizes.n * dim * sizes.plane);
    for (image, own) in x.chunks(sizes.channels * sizes.plane).enumerate() {
        y.extend_from_slice(own);
        for d in 0..dim {
            let value = table.map_or(0.0, |(t, labels)| t[labels[image] as usize * dim + d]);
            y.extend(std::iter::repeat_n(value, sizes.plane));
        }
    }
    y
}

/// The gradient of the table, of `len` elements.
pub(super) fn append_table(
    dy: &[f64],
    sizes: Sizes,
    dim: usize,
    labels: &[f64],
    len: usize,
) -> Vec<f64> {
    let mut table = vec![0.0; len];
    for (image, dy) in dy.chunks((sizes.channels + dim) * sizes.plane).enumerate() {
        for (d, plane) in dy[sizes.channels * sizes.plane..].chunks(sizes.plane).enumerate() {
            table[labels[image] as usize * dim + d] += plane.iter().sum::<f64>();
        }
    }
    table
}

/// The largest value or the mean of each 3x3 pixels of planes of `side`, as planes of `out`; those outside do not count.
pub(super) fn windows(
    x: &[f64],
    (side, out): (usize, usize),
    stride: usize,
    padding: usize,
    of: Window,
) -> Vec<f64> {
    // The pixels of a window along one direction.
    let within = |at: usize| {
        let start = (at * stride).saturating_sub(padding);
        start..(at * stride + 3 - padding).min(side)
    };
    let window = |i: usize| {
        let (map, row, column) = (i / (out * out), i / out % out, i % out);
        let lines = within(row).map(|line| (map * side + line) * side);
        let pixels = lines.flat_map(|line| within(column).map(move |pixel| line + pixel));
        let values: Vec<f64> = pixels.map(|i| x[i]).collect();
        match of {
            Window::Maximum => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
            Window::Mean => values.iter().sum::<f64>() / values.len() as f64,
        }
    };
    (0..x.len() / (side * side) * out * out).map(window).collect()
}
