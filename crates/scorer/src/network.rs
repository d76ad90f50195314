//! The network in training: convolutions followed by batch normalization and ReLU.

use crate::Result;
use candle_core::{Device, Tensor, Var};
use sngan_eval::ScorerSpec;
use sngan_eval::scorer::weights::{Shapes, Tensors};
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};
use sngan_tensor::rng::Streams;

/// Batch normalization's ε.
const BN_EPS: f64 = 1e-5;
/// Weight of the newest batch in the running statistics.
const BN_MOMENTUM: f32 = 0.02;

/// A convolution in training: its weight, batch normalization's γ and β, and running mean and variance.
struct NormalizedLayer {
    weight: Var,
    gamma: Var,
    beta: Var,
    mean: Vec<f32>,
    variance: Vec<f32>,
}

/// The network in training mode.
pub(crate) struct TrainedNetwork {
    spec: &'static ScorerSpec,
    layers: Vec<NormalizedLayer>,
    dense_weight: Var,
    dense_bias: Var,
}

impl TrainedNetwork {
    /// He initialization from a stream for each layer; γ 1, β 0.
    pub(crate) fn new(spec: &'static ScorerSpec, seed: u64) -> Result<TrainedNetwork> {
        let streams = Streams::new(seed);
        let he = |name: &str, shape: &[usize]| -> Result<Var> {
            let fan_in: usize = shape[1..].iter().product();
            let std = (2.0 / fan_in as f32).sqrt();
            let values: Vec<f32> = streams
                .normal(name, 0, shape.iter().product())
                .into_iter()
                .map(|v| std * v)
                .collect();
            Ok(Var::from_vec(values, shape, &Device::Cpu)?)
        };
        let filled = |value: f32, n: usize| -> Result<Var> {
            Ok(Var::from_vec(vec![value; n], n, &Device::Cpu)?)
        };
        let mut layers = Vec::new();
        for layer in spec.convolutions {
            layers.push(NormalizedLayer {
                weight: he(layer.name, &layer.weight_shape())?,
                gamma: filled(1.0, layer.output)?,
                beta: filled(0.0, layer.output)?,
                mean: vec![0.0; layer.output],
                variance: vec![1.0; layer.output],
            });
        }
        let dense_weight = he("dense", &[spec.classes, spec.features()])?;
        Ok(TrainedNetwork { spec, layers, dense_weight, dense_bias: filled(0.0, spec.classes)? })
    }

    /// Everything Adam trains, by name.
    pub(crate) fn variables(&self) -> Vec<(String, Var)> {
        let mut variables = vec![
            ("dense.weight".to_string(), self.dense_weight.clone()),
            ("dense.bias".to_string(), self.dense_bias.clone()),
        ];
        for (spec, layer) in self.spec.convolutions.iter().zip(&self.layers) {
            for (part, variable) in
                [("weight", &layer.weight), ("gamma", &layer.gamma), ("beta", &layer.beta)]
            {
                variables.push((format!("{}.{part}", spec.name), variable.clone()));
            }
        }
        variables
    }

    /// Multiplies every weight by `factor`.
    pub(crate) fn decay(&self, factor: f64) -> Result<()> {
        if factor == 1.0 {
            return Ok(());
        }
        for weight in self.layers.iter().map(|l| &l.weight).chain([&self.dense_weight]) {
            weight.set(&weight.as_detached_tensor().affine(factor, 0.0)?)?;
        }
        Ok(())
    }

    /// Class logits, `[N, classes]`, with the batch's own statistics, which move the running ones.
    pub(crate) fn logits(&mut self, images: &Tensor) -> Result<Tensor> {
        let mut x = FeatureMap::of(Arm::of(images), images)?;
        for (spec, layer) in self.spec.convolutions.iter().zip(&mut self.layers) {
            // The bias is batch normalization's β already.
            let linear = spec.apply(&x, &layer.weight, Finish::Linear)?;
            let (normalized, mean, variance) = ops::batch_norm(
                &linear,
                Some(&layer.gamma),
                &layer.beta,
                BN_EPS,
                Activation::Relu,
            )?;
            move_towards(&mut layer.mean, &mean.to_vec1()?);
            move_towards(&mut layer.variance, &variance.to_vec1()?);
            x = normalized;
        }
        Ok(ops::dense(Arm::of(images), &ops::mean_pool(&x)?, &self.dense_weight, &self.dense_bias)?)
    }

    /// The scorer's parameters, batch normalization with running statistics folded into weight and bias:
    /// `w' = w γ/√(v + ε)`, `b' = β − m γ/√(v + ε)`.
    pub(crate) fn folded(&self) -> Result<Tensors> {
        let mut parameters = Tensors::new();
        for (spec, layer) in self.spec.convolutions.iter().zip(&self.layers) {
            let (gamma, beta): (Vec<f32>, Vec<f32>) =
                (layer.gamma.to_vec1()?, layer.beta.to_vec1()?);
            let scale: Vec<f32> = gamma
                .iter()
                .zip(&layer.variance)
                .map(|(g, v)| g / (v + BN_EPS as f32).sqrt())
                .collect();
            let mut weight: Vec<f32> = layer.weight.flatten_all()?.to_vec1()?;
            let per_channel = weight.len() / spec.output;
            weight.iter_mut().enumerate().for_each(|(i, w)| *w *= scale[i / per_channel]);
            let bias: Vec<f32> =
                beta.iter().zip(&layer.mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
            parameters.insert(
                format!("{}.weight", spec.name),
                Tensor::from_vec(weight, &spec.weight_shape(), &Device::Cpu)?,
            );
            parameters.insert(
                format!("{}.bias", spec.name),
                Tensor::from_vec(bias, spec.output, &Device::Cpu)?,
            );
        }
        parameters.insert("dense.weight".into(), self.dense_weight.as_detached_tensor());
        parameters.insert("dense.bias".into(), self.dense_bias.as_detached_tensor());
        Ok(parameters)
    }

    /// Parameters and running statistics, to go on from.
    pub(crate) fn state(&self) -> Result<Tensors> {
        let mut state: Tensors =
            self.variables().into_iter().map(|(name, v)| (name, v.as_detached_tensor())).collect();
        for (spec, layer) in self.spec.convolutions.iter().zip(&self.layers) {
            for (part, values) in [("mean", &layer.mean), ("variance", &layer.variance)] {
                state.insert(
                    format!("{}.{part}", spec.name),
                    Tensor::from_slice(values, spec.output, &Device::Cpu)?,
                );
            }
        }
        Ok(state)
    }

    /// Puts back what [`TrainedNetwork::state`] gave; names and shapes have been checked against it.
    pub(crate) fn restore(&mut self, state: &Tensors) -> Result<()> {
        for (name, variable) in self.variables() {
            variable.set(&state[&name])?;
        }
        for (spec, layer) in self.spec.convolutions.iter().zip(&mut self.layers) {
            layer.mean = state[&format!("{}.mean", spec.name)].to_vec1()?;
            layer.variance = state[&format!("{}.variance", spec.name)].to_vec1()?;
        }
        Ok(())
    }
}

/// Names and shapes of `tensors`.
pub(crate) fn shapes(tensors: &Tensors) -> Shapes {
    tensors.iter().map(|(name, t)| (name.clone(), t.dims().to_vec())).collect()
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
    use sngan_eval::scorer::weights;
    use sngan_eval::{SCORERS, Scorer};

    /// f32 sums of up to 2,048 terms through all layers, in another order of scaling; relative to the largest logit.
    const FOLDING: f64 = 1e-3;

    #[test]
    fn folding_keeps_the_function() {
        for spec in SCORERS {
            let bytes: Vec<u8> = Streams::new(8)
                .uniform("bytes", 0, 100 * 3 * spec.side * spec.side)
                .iter()
                .map(|u| (255.0 * u) as u8)
                .collect();
            let mut network = TrainedNetwork::new(spec, 5).unwrap();
            let floats = spec.input.floats(&bytes, spec.side * spec.side);
            let x = Tensor::from_vec(
                floats,
                (100, spec.input.channels(), spec.side, spec.side),
                &Device::Cpu,
            )
            .unwrap();
            let trained: Vec<f32> =
                network.logits(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            // One pass moved the running statistics from (0, 1) a little towards the batch's; undone, they are the batch's.
            for layer in &mut network.layers {
                layer.mean.iter_mut().for_each(|m| *m /= BN_MOMENTUM);
                layer.variance.iter_mut().for_each(|v| *v = 1.0 + (*v - 1.0) / BN_MOMENTUM);
            }
            let file = weights::encode(&network.folded().unwrap(), None).unwrap();
            let folded = Scorer::from_bytes(spec, "memory", &file)
                .unwrap()
                .features(&bytes, spec.side)
                .unwrap()
                .logits;
            let largest = folded.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let worst = trained
                .iter()
                .zip(&folded)
                .map(|(a, b)| (f64::from(*a) - b).abs())
                .fold(0.0, f64::max);
            assert!(worst < FOLDING * largest, "{}: {worst} of {largest}", spec.name);
        }
    }

    #[test]
    fn decay_multiplies_weights_alone() {
        let network = TrainedNetwork::new(SCORERS[0], 5).unwrap();
        let sum = |v: &Var| v.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let before: Vec<f32> = network.variables().iter().map(|(_, v)| sum(v)).collect();
        network.decay(0.5).unwrap();
        for ((name, v), before) in network.variables().iter().zip(before) {
            let factor = if name.ends_with("weight") { 0.25 } else { 1.0 };
            assert!((sum(v) - factor * before).abs() <= 1e-5 * before, "{name}");
        }
    }
}
