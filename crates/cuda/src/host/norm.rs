//! Batch and layer normalization.

use super::{Element, Host, pointwise};
use crate::op::{BatchNorm, LayerNorm, Sizes, View};
use crate::program::{NORM_EPS, RUNNING_DECAY};

/// Mean and variance (divided by the number of values) of groups of values.
fn moments(values: &[f64], groups: usize, group: impl Fn(usize) -> usize) -> (Vec<f64>, Vec<f64>) {
    let count = (values.len() / groups) as f64;
    let (mut mean, mut var) = (vec![0.0; groups], vec![0.0; groups]);
    for (i, x) in values.iter().enumerate() {
        mean[group(i)] += x / count;
    }
    for (i, x) in values.iter().enumerate() {
        var[group(i)] += (x - mean[group(i)]).powi(2) / count;
    }
    (mean, var)
}

/// The gradient in the input of a normalization of groups: `inv_std·(dŷ − mean(dŷ) − x̂·mean(dŷ·x̂))`.
fn backward(
    dy: &[f64],
    normalized: &[f64],
    inv_std: &[f64],
    group: impl Fn(usize) -> usize,
) -> Vec<f64> {
    let count = (dy.len() / inv_std.len()) as f64;
    let (mut of_dy, mut of_product) = (vec![0.0; inv_std.len()], vec![0.0; inv_std.len()]);
    for (i, dy) in dy.iter().enumerate() {
        of_dy[group(i)] += dy / count;
        of_product[group(i)] += dy * normalized[i] / count;
    }
    dy.iter()
        .enumerate()
        .map(|(i, dy)| {
            inv_std[group(i)] * (dy - of_dy[group(i)] - normalized[i] * of_product[group(i)])
        })
        .collect()
}

fn channel(sizes: Sizes, i: usize) -> usize {
    i / sizes.plane % sizes.channels
}

/// The place of element `i`'s γ or β.
fn parameter(sizes: Sizes, labels: Option<&[f64]>, i: usize) -> usize {
    let row = labels.map_or(0, |labels| labels[i / (sizes.plane * sizes.channels)] as usize);
    row * sizes.channels + channel(sizes, i)
}

/// γ·(x − mean)/√(var + ε) + β with running averages (mean, var).
pub(super) fn by_running(
    x: &[f64],
    sizes: Sizes,
    (gamma, beta): (&[f64], &[f64]),
    labels: Option<&[f64]>,
    [mean, var]: &[Vec<f64>; 2],
) -> Vec<f64> {
    let of = |(i, x): (usize, &f64)| {
        let (c, p) = (channel(sizes, i), parameter(sizes, labels, i));
        gamma[p] * (x - mean[c]) / (var[c] + NORM_EPS).sqrt() + beta[p]
    };
    x.iter().enumerate().map(of).collect()
}

impl<T: Element> Host<T> {
    pub(super) fn batch_norm(&mut self, norm: &BatchNorm, running: Option<(View, View)>) {
        let (x, sizes) = (self.read(norm.x), norm.sizes);
        let of_channel = |i| channel(sizes, i);
        let (mean, var) = moments(&x, sizes.channels, of_channel);
        let inv_std: Vec<f64> = var.iter().map(|var| 1.0 / (var + NORM_EPS).sqrt()).collect();
        let (gamma, beta) = (norm.gamma.map(|gamma| self.read(gamma)), self.read(norm.beta));
        let labels = norm.labels.map(|labels| self.read(labels));
        let y: Vec<f64> = x
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let (c, p) = (of_channel(i), parameter(sizes, labels.as_deref(), i));
                let gamma = gamma.as_ref().map_or(1.0, |gamma| gamma[p]);
                let y = gamma * (x - mean[c]) * inv_std[c] + beta[p];
                pointwise::activation(norm.activation, y)
            })
            .collect();
        self.put(norm.y, &y, false);
        self.put(norm.mean, &mean, false);
        self.put(norm.inv_std, &inv_std, false);
        if let Some((running_mean, running_var)) = running {
            let count = (sizes.n * sizes.plane) as f64;
            let unbiased = count / (count - 1.0).max(1.0);
            let var: Vec<f64> = var.iter().map(|var| var * unbiased).collect();
            for (place, new) in [(running_mean, mean), (running_var, var)] {
                let moved: Vec<f64> = self
                    .read(place)
                    .iter()
                    .zip(new)
                    .map(|(old, new)| RUNNING_DECAY * old + (1.0 - RUNNING_DECAY) * new)
                    .collect();
                self.put(place, &moved, false);
            }
        }
    }

    pub(super) fn batch_norm_backward(
        &mut self,
        norm: &BatchNorm,
        dy: View,
        dx: Option<(View, bool)>,
        dgamma: Option<(View, bool)>,
        dbeta: Option<(View, bool)>,
    ) {
        let (x, sizes) = (self.read(norm.x), norm.sizes);
        let (mean, inv_std) = (self.read(norm.mean), self.read(norm.inv_std));
        let labels = norm.labels.map(|labels| self.read(labels));
        let of = |i| parameter(sizes, labels.as_deref(), i);
        let dz = pointwise::mask(&self.read(dy), &self.read(norm.y), norm.activation);
        self.put(dy, &dz, false);
        let normalized: Vec<f64> = x
            .iter()
            .enumerate()
            .map(|(i, x)| (x - mean[channel(sizes, i)]) * inv_std[channel(sizes, i)])
            .collect();
        let sums = |len: usize, f: &dyn Fn(usize) -> f64| {
            let mut sums = vec![0.0; len];
            (0..dz.len()).for_each(|i| sums[of(i)] += f(i));
            sums
        };
        if let Some((out, add)) = dgamma {
            let value = sums(out.len, &|i| dz[i] * normalized[i]);
            self.put(out, &value, add);
        }
        if let Some((out, add)) = dbeta {
            let value = sums(out.len, &|i| dz[i]);
            self.put(out, &value, add);
        }
        if let Some((out, add)) = dx {
            let gamma = norm.gamma.map(|gamma| self.read(gamma));
            let scaled: Vec<f64> = dz
                .iter()
                .enumerate()
                .map(|(i, dz)| dz * gamma.as_ref().map_or(1.0, |gamma| gamma[of(i)]))
                .collect();
            let value = backward(&scaled, &normalized, &inv_std, |i| channel(sizes, i));
            self.put(out, &value, add);
        }
    }

    pub(super) fn layer_norm(&mut self, norm: &LayerNorm) {
        let (x, beta, sizes) = (self.read(norm.x), self.read(norm.beta), norm.sizes);
        let image = |i| i / (sizes.channels * sizes.plane);
        let (mean, var) = moments(&x, sizes.n, image);
        let inv_std: Vec<f64> = var.iter().map(|var| 1.0 / (var + NORM_EPS).sqrt()).collect();
        let y: Vec<f64> = x
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let y = (x - mean[image(i)]) * inv_std[image(i)] + beta[channel(sizes, i)];
                pointwise::activation(norm.activation, y)
            })
            .collect();
        self.put(norm.y, &y, false);
        self.put(norm.mean, &mean, false);
        self.put(norm.inv_std, &inv_std, false);
    }

    pub(super) fn layer_norm_backward(
        &mut self,
        norm: &LayerNorm,
        dy: View,
        dx: Option<(View, bool)>,
        dbeta: Option<(View, bool)>,
    ) {
        let (x, sizes) = (self.read(norm.x), norm.sizes);
        let (mean, inv_std) = (self.read(norm.mean), self.read(norm.inv_std));
        let image = |i| i / (sizes.channels * sizes.plane);
        let dz = pointwise::mask(&self.read(dy), &self.read(norm.y), norm.activation);
        self.put(dy, &dz, false);
        if let Some((out, add)) = dbeta {
            self.put(out, &pointwise::channel_sums(&dz, sizes), add);
        }
        if let Some((out, add)) = dx {
            let normalized: Vec<f64> = x
                .iter()
                .enumerate()
                .map(|(i, x)| (x - mean[image(i)]) * inv_std[image(i)])
                .collect();
            let value = backward(&dz, &normalized, &inv_std, image);
            self.put(out, &value, add);
        }
    }
}
