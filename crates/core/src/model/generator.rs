//! The generator: dense, transposed convolutions with batch normalization and ReLU, a last convolution and tanh.

use super::{Mode, NORM_EPS, Parameters, Place, RUNNING_DECAY, find, init};
use crate::ops::{self, FeatureMap, Finish};
use crate::rng::Streams;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Activation, LayerKind, LayerSpec, Z_DIM};
use std::collections::BTreeMap;

/// Batch normalization of a layer's output: trained γ, β and running averages, all `[C]`.
struct BatchNorm {
    gamma: Var,
    beta: Var,
    running_mean: Tensor,
    running_var: Tensor,
}

struct GeneratorLayer {
    spec: LayerSpec,
    weight: Var,
    bias: Var,
    batch_norm: Option<BatchNorm>,
}

/// G of the paper: z `[N, 128]` to images `[N, 3, side, side]` in [−1, 1].
pub struct Generator {
    layers: Vec<GeneratorLayer>,
    place: Place,
}

impl Generator {
    /// A fresh network from the streams `init.generator.<layer>`.
    ///
    /// # Errors
    /// When the spec's sizes do not fit the architecture.
    pub fn new(spec: &RunSpec, streams: &Streams, place: &Place) -> Result<Generator> {
        let layers = super::plain(spec.layers()?.generator)?.into_iter().map(|layer| {
            let outputs = layer.kind.outputs();
            let var = |value| Ok::<_, Error>(Var::from_tensor(&init::constant(value, outputs, place)?)?);
            let batch_norm = if layer.norm != sngan_experiment::arch::Norm::None {
                let (running_mean, running_var) = (init::constant(0.0, outputs, place)?, init::constant(1.0, outputs, place)?);
                Some(BatchNorm { gamma: var(1.0)?, beta: var(0.0)?, running_mean, running_var })
            } else {
                None
            };
            let weight = init::weight(layer.kind, &format!("generator.{}", layer.name), false, streams, place)?;
            Ok(GeneratorLayer { spec: layer, weight, bias: var(0.0)?, batch_norm })
        });
        Ok(Generator { layers: layers.collect::<Result<_>>()?, place: place.clone() })
    }

    /// A network with a checkpoint's tensors, on `place`.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn from_tensors(spec: &RunSpec, tensors: &BTreeMap<String, Tensor>, place: &Place) -> Result<Generator> {
        let mut g = Generator::new(spec, &Streams::new(spec.seed), place)?;
        g.load(tensors)?;
        Ok(g)
    }

    /// Names and variables of all trained parameters, in a fixed order.
    pub fn vars(&self) -> Vec<(String, Var)> {
        let mut vars = Vec::new();
        for layer in &self.layers {
            let name = |part: &str| format!("generator.{}.{part}", layer.spec.name);
            vars.push((name("weight"), layer.weight.clone()));
            vars.push((name("bias"), layer.bias.clone()));
            if let Some(bn) = &layer.batch_norm {
                vars.push((name("bn.gamma"), bn.gamma.clone()));
                vars.push((name("bn.beta"), bn.beta.clone()));
            }
        }
        vars
    }

    /// Parameters and running averages by checkpoint name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state: BTreeMap<_, _> = self.vars().into_iter().map(|(n, v)| (n, v.as_detached_tensor())).collect();
        for layer in &self.layers {
            if let Some(bn) = &layer.batch_norm {
                state.insert(format!("generator.{}.bn.running_mean", layer.spec.name), bn.running_mean.clone());
                state.insert(format!("generator.{}.bn.running_var", layer.spec.name), bn.running_var.clone());
            }
        }
        state
    }

    /// Puts back what [`Generator::state`] gave.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn load(&mut self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, var) in self.vars() {
            var.set(&find(tensors, &name, var.shape(), &self.place)?)?;
        }
        for layer in &mut self.layers {
            if let Some(bn) = &mut layer.batch_norm {
                let get =
                    |part: &str, t: &Tensor| find(tensors, &format!("generator.{}.bn.{part}", layer.spec.name), t.shape(), &self.place);
                bn.running_mean = get("running_mean", &bn.running_mean)?;
                bn.running_var = get("running_var", &bn.running_var)?;
            }
        }
        Ok(())
    }

    /// G(z) for `z` `[N, 128]`. In [`Mode::Train`] the running averages move (decay 0.9, unbiased variance).
    ///
    /// # Errors
    /// When z has another width.
    pub fn forward(&mut self, z: &Tensor, parameters: Parameters, mode: Mode) -> Result<Tensor> {
        let (n, width) = z.dims2()?;
        if width != Z_DIM {
            return Err(Error::Invalid(format!("z has {width} dimensions; the generator needs {Z_DIM}")));
        }
        let Some((dense, rest)) = self.layers.split_first_mut() else { return Err(Error::Invalid("the generator has no layers".into())) };
        let [c, h, w] = dense.spec.output;
        let x = ops::dense(self.place.arm, z, &parameters.of(&dense.weight), &parameters.of(&dense.bias))?.reshape((n, c, h, w))?;
        let mut x = FeatureMap::of(self.place.arm, &x)?;
        for layer in rest {
            x = layer.forward(&x, parameters, mode)?;
        }
        x.to_tensor()
    }
}

impl GeneratorLayer {
    fn forward(&mut self, x: &FeatureMap, parameters: Parameters, mode: Mode) -> Result<FeatureMap> {
        let (weight, bias) = (parameters.of(&self.weight), parameters.of(&self.bias));
        let slope = match self.spec.activation {
            Activation::Identity | Activation::Tanh => 1.0,
            Activation::Relu => 0.0,
            Activation::LeakyRelu { slope } => slope,
        };
        let finish = Finish::BiasActivation(&bias, if self.batch_norm.is_some() { 1.0 } else { slope });
        let x = match self.spec.kind {
            LayerKind::Dense { .. } | LayerKind::Embedding { .. } => {
                return Err(Error::Invalid(format!("layer {}: a dense layer must be the first", self.spec.name)));
            }
            LayerKind::Conv { stride, padding, .. } => ops::conv2d(x, &weight, stride, padding, finish)?,
            LayerKind::Deconv { stride, padding, .. } => ops::conv_transpose2d(x, &weight, stride, padding, finish)?,
        };
        let x = match &mut self.batch_norm {
            None => x,
            Some(bn) => bn.forward(&x, parameters, mode, slope)?,
        };
        if self.spec.activation == Activation::Tanh { ops::tanh(&x) } else { Ok(x) }
    }
}

impl BatchNorm {
    /// Normalizes `x` and applies the activation with `slope`.
    fn forward(&mut self, x: &FeatureMap, parameters: Parameters, mode: Mode, slope: f64) -> Result<FeatureMap> {
        let (gamma, beta) = (parameters.of(&self.gamma), parameters.of(&self.beta));
        if mode == Mode::Eval {
            return ops::batch_norm_with(x, &gamma, &beta, [&self.running_mean, &self.running_var], NORM_EPS, slope);
        }
        let (y, mean, var) = ops::batch_norm(x, Some(&gamma), &beta, NORM_EPS, slope)?;
        let [n, _, h, w] = x.dims()?;
        let count = (n * h * w) as f64;
        let unbiased = (var * (count / (count - 1.0).max(1.0)))?;
        let moved = |old: &Tensor, new: &Tensor| Ok::<_, Error>(((old * RUNNING_DECAY)? + (new * (1.0 - RUNNING_DECAY))?)?.detach());
        self.running_mean = moved(&self.running_mean, &mean)?;
        self.running_var = moved(&self.running_var, &unbiased)?;
        Ok(y)
    }
}
