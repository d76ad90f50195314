//! Training of the scorer: Adam under a cosine schedule, flips and shifts, batch normalization that the written weights have absorbed.

use crate::network::{self, CLASSES, CONVOLUTIONS, FEATURES, SIDE};
use crate::scorer::{Parameters, Scorer, serialize};
use crate::{Error, Result};
use candle_core::{D, Device, Tensor, Var};
use sngan_core::adam::{Adam, AdamConfig};
use sngan_core::ops::{self, Arm, FeatureMap, Finish};
use sngan_core::rng::Streams;
use sngan_data::Images;
use sngan_experiment::{AdamEpsilon, atomic};
use std::path::Path;

/// Images per update; a last part of an epoch that is smaller is left out.
const BATCH: usize = 128;
/// Adam's α at the start; it falls to 0 as half a cosine wave.
const LR: f64 = 3e-3;
/// Batch normalization's ε.
const BN_EPS: f64 = 1e-5;
/// Weight of the newest batch in the running statistics.
const BN_MOMENTUM: f32 = 0.02;
const IMAGE: usize = SIDE * SIDE;

/// Trains a scorer on `train`, writes its weights to `out` (safetensors, f32) and returns its accuracy on `test`.
///
/// `progress` gets a line per epoch. `seed` decides initial weights, order and augmentation; images of other sides are resized to 16.
///
/// # Errors
/// No epochs, labels outside 0..10, fewer images than a batch, a loss that is not finite, or a file that cannot be written.
pub fn train_scorer(train: &Images, test: &Images, out: &Path, epochs: usize, seed: u64, progress: &mut dyn FnMut(String)) -> Result<f64> {
    if epochs == 0 {
        return Err(Error::input("epochs", "is 0; it must be at least 1"));
    }
    let data = TrainingSet::new(train, seed)?;
    let mut network = TrainedNetwork::new(seed)?;
    let mut adam =
        Adam::new(AdamConfig { lr: LR, beta1: 0.9, beta2: 0.999, eps: 1e-8, epsilon: AdamEpsilon::Corrected }, network.variables())?;
    let per_epoch = data.labels.len() / BATCH;
    let total = epochs * per_epoch;
    let mut accuracy = 0.0;
    for epoch in 0..epochs {
        let order = data.streams.permutation("order", epoch as u64, data.labels.len());
        let mut loss_sum = 0.0;
        for (i, batch) in order.chunks_exact(BATCH).enumerate() {
            let step = epoch * per_epoch + i;
            adam.set_lr(LR * 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / total as f64).cos()));
            let (images, targets) = data.batch(batch, step as u64)?;
            let loss = cross_entropy(&network.logits(&images)?, &targets)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            if !value.is_finite() {
                return Err(Error::input("training", format!("loss is not finite in epoch {}, update {i}", epoch + 1)));
            }
            loss_sum += value;
            adam.step(&loss.backward()?)?;
        }
        let file = serialize(&network.folded()?)?;
        accuracy = Scorer::from_bytes("memory", &file)?.accuracy(test)?;
        // Written after each epoch, so that a long training that is cut off leaves something.
        atomic::write(out, &file)?;
        progress(format!("epoch {}/{epochs}: loss {:.4}, test accuracy {accuracy:.4}", epoch + 1, loss_sum / per_epoch as f64));
    }
    Ok(accuracy)
}

/// The training images as grey floats with their labels and random streams.
struct TrainingSet {
    grey: Vec<f32>,
    labels: Vec<u32>,
    streams: Streams,
}

impl TrainingSet {
    fn new(images: &Images, seed: u64) -> Result<TrainingSet> {
        if images.len() < BATCH {
            return Err(Error::input("training images", format!("are {}; at least {BATCH} are needed", images.len())));
        }
        if let Some(i) = images.labels.iter().position(|&l| l as usize >= CLASSES) {
            return Err(Error::input("training images", format!("image {i} has label {}; labels are 0..{CLASSES}", images.labels[i])));
        }
        let grey = if images.side == SIDE { network::grey(&images.pixels) } else { network::grey(&images.resize(SIDE).pixels) };
        Ok(TrainingSet { grey, labels: images.labels.clone(), streams: Streams::new(seed) })
    }

    /// Augmented images, `[B, 1, 16, 16]`, and one-hot labels, `[B, 10]`.
    fn batch(&self, indices: &[u32], step: u64) -> Result<(Tensor, Tensor)> {
        let noise = self.streams.uniform("augment", step, 3 * indices.len());
        let mut images = vec![-1.0; indices.len() * IMAGE];
        let mut targets = vec![0f32; indices.len() * CLASSES];
        for (row, &index) in indices.iter().enumerate() {
            let source = &self.grey[index as usize * IMAGE..][..IMAGE];
            augment(source, &noise[3 * row..][..3], &mut images[row * IMAGE..][..IMAGE]);
            targets[row * CLASSES + self.labels[index as usize] as usize] = 1.0;
        }
        let n = indices.len();
        Ok((Tensor::from_vec(images, (n, 1, SIDE, SIDE), &Device::Cpu)?, Tensor::from_vec(targets, (n, CLASSES), &Device::Cpu)?))
    }
}

/// A horizontal flip with probability 1/2 and a shift of −1, 0 or 1 pixel each way, from three numbers in [0, 1); `target` comes blank.
fn augment(source: &[f32], noise: &[f32], target: &mut [f32]) {
    let flip = noise[0] < 0.5;
    let shift = |u: f32| (3.0 * u) as isize - 1;
    let (dx, dy) = (shift(noise[1]), shift(noise[2]));
    let inside = |v: isize| (0..SIDE as isize).contains(&v);
    for y in 0..SIDE as isize {
        for x in 0..SIDE as isize {
            let (sx, sy) = (if flip { SIDE as isize - 1 - x } else { x } + dx, y + dy);
            if inside(sx) && inside(sy) {
                target[y as usize * SIDE + x as usize] = source[sy as usize * SIDE + sx as usize];
            }
        }
    }
}

/// Mean of `−ln p(label)` over the batch.
fn cross_entropy(logits: &Tensor, one_hot: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    Ok(((log_p * one_hot)?.sum_all()? * (-1.0 / logits.dim(0)? as f64))?)
}

/// A convolution in training: its weight, batch normalization's γ and β, and running mean and variance.
struct NormalizedLayer {
    weight: Var,
    gamma: Var,
    beta: Var,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

/// The network in training mode.
struct TrainedNetwork {
    layers: Vec<NormalizedLayer>,
    dense_weight: Var,
    dense_bias: Var,
}

impl TrainedNetwork {
    /// He initialization; γ 1, β 0.
    fn new(seed: u64) -> Result<TrainedNetwork> {
        let streams = Streams::new(seed);
        let he = |name: &str, shape: &[usize]| -> Result<Var> {
            let fan_in: usize = shape[1..].iter().product();
            let std = (2.0 / fan_in as f32).sqrt();
            let values: Vec<f32> = streams.normal(name, 0, shape.iter().product()).into_iter().map(|v| std * v).collect();
            Ok(Var::from_vec(values, shape, &Device::Cpu)?)
        };
        let filled = |value: f32, n: usize| -> Result<Var> { Ok(Var::from_vec(vec![value; n], n, &Device::Cpu)?) };
        let mut layers = Vec::new();
        for layer in &CONVOLUTIONS {
            layers.push(NormalizedLayer {
                weight: he(layer.name, &layer.weight_shape())?,
                gamma: filled(1.0, layer.output)?,
                beta: filled(0.0, layer.output)?,
                mean: vec![0.0; layer.output],
                variance: vec![1.0; layer.output],
            });
        }
        Ok(TrainedNetwork { layers, dense_weight: he("dense", &[CLASSES, FEATURES])?, dense_bias: filled(0.0, CLASSES)? })
    }

    /// Everything Adam trains, by name.
    fn variables(&self) -> Vec<(String, Var)> {
        let mut variables =
            vec![("dense.weight".to_string(), self.dense_weight.clone()), ("dense.bias".to_string(), self.dense_bias.clone())];
        for (spec, layer) in CONVOLUTIONS.iter().zip(&self.layers) {
            for (part, variable) in [("weight", &layer.weight), ("gamma", &layer.gamma), ("beta", &layer.beta)] {
                variables.push((format!("{}.{part}", spec.name), variable.clone()));
            }
        }
        variables
    }

    /// Class logits, `[N, 10]`, with the batch's own statistics, which move the running ones.
    fn logits(&mut self, images: &Tensor) -> Result<Tensor> {
        let mut x = FeatureMap::of(Arm::of(images), images)?;
        for (spec, layer) in CONVOLUTIONS.iter().zip(&mut self.layers) {
            // The bias is batch normalization's β already.
            let linear = spec.apply(&x, &layer.weight, Finish::Linear)?;
            let (normalized, mean, variance) = ops::batch_norm(&linear, Some(&layer.gamma), &layer.beta, BN_EPS, 0.0)?;
            move_towards(&mut layer.mean, &mean.to_vec1()?);
            move_towards(&mut layer.variance, &variance.to_vec1()?);
            x = normalized;
        }
        Ok(ops::dense(Arm::of(images), &ops::mean_pool(&x)?, &self.dense_weight, &self.dense_bias)?)
    }

    /// The scorer's parameters, batch normalization with running statistics folded into weight and bias:
    /// `w' = w γ/√(v + ε)`, `b' = β − m γ/√(v + ε)`.
    fn folded(&self) -> Result<Parameters> {
        let mut parameters = Parameters::new();
        for (spec, layer) in CONVOLUTIONS.iter().zip(&self.layers) {
            let (gamma, beta): (Vec<f32>, Vec<f32>) = (layer.gamma.to_vec1()?, layer.beta.to_vec1()?);
            let scale: Vec<f32> = gamma.iter().zip(&layer.variance).map(|(g, v)| g / (v + BN_EPS as f32).sqrt()).collect();
            let mut weight: Vec<f32> = layer.weight.flatten_all()?.to_vec1()?;
            let per_channel = weight.len() / spec.output;
            weight.iter_mut().enumerate().for_each(|(i, w)| *w *= scale[i / per_channel]);
            let bias = beta.iter().zip(&layer.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
            parameters.insert(format!("{}.weight", spec.name), weight);
            parameters.insert(format!("{}.bias", spec.name), bias);
        }
        parameters.insert("dense.weight".into(), self.dense_weight.flatten_all()?.to_vec1()?);
        parameters.insert("dense.bias".into(), self.dense_bias.to_vec1()?);
        Ok(parameters)
    }
}

/// Exponential moving average.
fn move_towards(running: &mut [f32], batch: &[f32]) {
    for (r, b) in running.iter_mut().zip(batch) {
        *r += BN_MOMENTUM * (b - *r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f32 sums of up to 1,024 terms through five layers, in another order of scaling.
    const FOLDING: f64 = 1e-3;

    /// Two easily told classes: bright left or bright top half, with noise.
    fn toy(n: usize) -> Images {
        let noise = Streams::new(9).uniform("toy", 0, n * IMAGE);
        let mut pixels = Vec::new();
        for i in 0..n {
            for _ in 0..3 {
                let bright = |p: usize| if i % 2 == 0 { p % SIDE < SIDE / 2 } else { p / SIDE < SIDE / 2 };
                pixels.extend((0..IMAGE).map(|p| (if bright(p) { 150.0 } else { 0.0 } + 100.0 * noise[i * IMAGE + p]) as u8));
            }
        }
        Images { name: "toy".into(), side: SIDE, pixels, labels: (0..n as u32).map(|i| i % 2).collect(), classes: Vec::new() }
    }

    #[test]
    fn folding_keeps_the_function() {
        let images = toy(100);
        let mut network = TrainedNetwork::new(5).unwrap();
        let x = Tensor::from_vec(network::grey(&images.pixels), (100, 1, SIDE, SIDE), &Device::Cpu).unwrap();
        let trained: Vec<f32> = network.logits(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // One pass moved the running statistics from (0, 1) a little towards the batch's; undone, they are the batch's.
        for layer in &mut network.layers {
            layer.mean.iter_mut().for_each(|m| *m /= BN_MOMENTUM);
            layer.variance.iter_mut().for_each(|v| *v = 1.0 + (*v - 1.0) / BN_MOMENTUM);
        }
        let scorer = Scorer::from_bytes("memory", &serialize(&network.folded().unwrap()).unwrap()).unwrap();
        let folded = scorer.features(&images.pixels, SIDE).unwrap().logits;
        let worst = trained.iter().zip(&folded).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < FOLDING, "{worst}");
    }

    #[test]
    fn learns_a_toy_and_repeats_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (train, test) = (toy(640), toy(100));
        let run = |name: &str| {
            let path = folder.path().join(name);
            let accuracy = train_scorer(&train, &test, &path, 4, 1, &mut |_| {}).unwrap();
            (accuracy, std::fs::read(path).unwrap())
        };
        let (accuracy, bytes) = run("a");
        assert!(accuracy > 0.95, "{accuracy}");
        assert_eq!(bytes, run("b").1);
    }

    #[test]
    fn augmentation_flips_and_shifts() {
        let source: Vec<f32> = (0..IMAGE).map(|i| i as f32).collect();
        let apply = |noise: [f32; 3]| {
            let mut target = vec![-1.0; IMAGE];
            augment(&source, &noise, &mut target);
            target
        };
        assert_eq!(apply([0.9, 0.5, 0.5]), source);
        assert_eq!(apply([0.1, 0.5, 0.5])[0], (SIDE - 1) as f32);
        let shifted = apply([0.9, 0.0, 0.9]);
        assert_eq!((shifted[0], shifted[1], shifted[IMAGE - 1]), (-1.0, SIDE as f32, -1.0));
    }

    #[test]
    fn refuses_wrong_labels_and_too_few_images() {
        let mut images = toy(BATCH);
        images.labels[3] = 10;
        let out = Path::new("never-written");
        let message = train_scorer(&images, &images, out, 1, 0, &mut |_| {}).unwrap_err().to_string();
        assert!(message.contains("image 3 has label 10"), "{message}");
        assert!(train_scorer(&toy(10), &images, out, 1, 0, &mut |_| {}).is_err());
        assert!(train_scorer(&toy(BATCH), &images, out, 0, 0, &mut |_| {}).is_err());
    }
}
