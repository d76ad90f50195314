//! The discriminator: the layer table's convolutions, each holding its normalization as a value.

use super::{NORM_EPS, Parameters, Place, find, init};
use crate::norm::{Iterate, WeightNorm};
use crate::ops::{self, Arm, FeatureMap, Finish};
use crate::rng::Streams;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Activation, LayerKind, LayerSpec};
use sngan_experiment::method::{Normalization, Regularizer};
use std::collections::BTreeMap;

/// Normalization of a layer's output, with its trained β `[C]`.
#[derive(Debug, Clone)]
pub enum PostNorm {
    /// None.
    None,
    /// Batch normalization with the batch's own statistics (D is never evaluated with running ones).
    Batch(Var),
    /// Layer normalization over (C, H, W).
    Layer(Var),
}

/// One layer of D.
#[derive(Debug, Clone)]
pub struct DiscriminatorLayer {
    /// Its row of the table.
    pub spec: LayerSpec,
    /// The raw weight W.
    pub weight: Var,
    /// Bias `[O]`.
    pub bias: Var,
    /// W → W̄.
    pub norm: WeightNorm,
    /// γ of W̃ = γ·W̄ (Eq. 32), `[1]` or `[O]`.
    pub gamma: Option<Var>,
    /// What follows the bias.
    pub post: PostNorm,
}

/// A layer's tensors as one or several forward passes of an update use them.
#[derive(Debug, Clone)]
pub struct Weights {
    /// W̄, without γ.
    pub normalized: Tensor,
    /// W̃ = γ·W̄, which the layer applies.
    pub effective: Tensor,
    bias: Tensor,
    beta: Option<Tensor>,
}

impl Weights {
    /// The same values as constants of the graph.
    pub fn detach(&self) -> Weights {
        Weights {
            normalized: self.normalized.detach(),
            effective: self.effective.detach(),
            bias: self.bias.detach(),
            beta: self.beta.as_ref().map(Tensor::detach),
        }
    }
}

/// A forward pass: D's outputs `[N]`, and each layer's output for the tangent pass.
#[derive(Debug, Clone)]
pub struct Trace {
    /// D(x), `[N]`.
    pub outputs: Tensor,
    layers: Vec<FeatureMap>,
}

/// D of the paper: images `[N, 3, side, side]` in [−1, 1] to one output each.
#[derive(Debug, Clone)]
pub struct Discriminator {
    /// From the image to the output.
    pub layers: Vec<DiscriminatorLayer>,
    place: Place,
}

impl Discriminator {
    /// A fresh network from the streams `init.discriminator.<layer>` and `u.<layer>`.
    ///
    /// # Errors
    /// When the spec's sizes do not fit the architecture.
    pub fn new(spec: &RunSpec, streams: &Streams, place: &Place) -> Result<Discriminator> {
        let table = spec.layers()?;
        let head = table.head.dense;
        let layers = super::plain(table.discriminator)?.into_iter().chain([head]).enumerate();
        let layers = layers.map(|(i, layer)| fresh_layer(spec, i, layer, streams, place)).collect::<Result<_>>()?;
        Ok(Discriminator { layers, place: place.clone() })
    }

    /// A network with a checkpoint's tensors, f32 on the CPU.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn from_tensors(spec: &RunSpec, tensors: &BTreeMap<String, Tensor>) -> Result<Discriminator> {
        let mut d = Discriminator::new(spec, &Streams::new(spec.seed), &Place::new(&candle_core::Device::Cpu))?;
        d.load(tensors)?;
        Ok(d)
    }

    /// Names and variables of all trained parameters, in a fixed order.
    pub fn vars(&self) -> Vec<(String, Var)> {
        let mut vars = Vec::new();
        for layer in &self.layers {
            let name = |part: &str| format!("discriminator.{}.{part}", layer.spec.name);
            vars.push((name("weight"), layer.weight.clone()));
            vars.push((name("bias"), layer.bias.clone()));
            vars.extend(layer.gamma.iter().map(|g| (name("gamma"), g.clone())));
            if let PostNorm::Batch(beta) | PostNorm::Layer(beta) = &layer.post {
                vars.push((name("beta"), beta.clone()));
            }
        }
        vars
    }

    /// Parameters and `u` vectors by checkpoint name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state: BTreeMap<_, _> = self.vars().into_iter().map(|(n, v)| (n, v.as_detached_tensor())).collect();
        for layer in &self.layers {
            if let Some(u) = layer.norm.u() {
                state.insert(format!("discriminator.{}.u", layer.spec.name), u.clone());
            }
        }
        state
    }

    /// Puts back what [`Discriminator::state`] gave.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen.
    pub fn load(&mut self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, var) in self.vars() {
            var.set(&find(tensors, &name, var.shape(), &self.place)?)?;
        }
        for layer in &mut self.layers {
            if let Some(shape) = layer.norm.u().map(|u| u.shape().clone()) {
                layer.norm.set_u(find(tensors, &format!("discriminator.{}.u", layer.spec.name), &shape, &self.place)?);
            }
        }
        Ok(())
    }

    /// Normalizes every weight, once for all forward passes that share them.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn weights(&mut self, parameters: Parameters, iterate: Iterate) -> Result<Vec<Weights>> {
        let arm = self.place.arm;
        self.layers.iter_mut().map(|layer| layer.weights(arm, parameters, iterate)).collect()
    }

    /// D(x) for `x` `[N, 3, side, side]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, weights: &[Weights], x: &Tensor) -> Result<Trace> {
        let layers = self.features(weights, x)?;
        let (dense, last) = self.head(weights, &layers)?;
        Ok(Trace { outputs: ops::head(last, &dense.effective, Some(&dense.bias))?, layers })
    }

    /// What each convolution makes of `x` `[N, 3, side, side]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn features(&self, weights: &[Weights], x: &Tensor) -> Result<Vec<FeatureMap>> {
        let mut x = FeatureMap::of(self.place.arm, x)?;
        let mut layers = Vec::with_capacity(weights.len());
        for (layer, w) in self.convolutions(weights) {
            x = layer.forward(w, &x)?;
            layers.push(x.clone());
        }
        Ok(layers)
    }

    /// The directional derivative of D at the trace's input along `t` `[N, 3, side, side]` → `[N]`, differentiable in the weights.
    ///
    /// D is piecewise linear, so this is D without biases, with the trace's activation pattern held constant.
    ///
    /// # Errors
    /// When a layer is not piecewise linear (batch or layer normalization), or the shapes do not fit.
    pub fn tangent(&self, weights: &[Weights], trace: &Trace, t: &Tensor) -> Result<Tensor> {
        let mut tangents = vec![FeatureMap::of(self.place.arm, t)?];
        for ((layer, w), y) in self.convolutions(weights).zip(&trace.layers) {
            if !matches!(layer.post, PostNorm::None) {
                return Err(Error::Invalid("the gradient penalty needs a piecewise linear discriminator".into()));
            }
            let t = layer.linear(w, &tangents[tangents.len() - 1], Finish::Tangent(y, layer.slope()))?;
            tangents.push(t);
        }
        let (dense, last) = self.head(weights, &tangents)?;
        ops::head(last, &dense.effective, None)
    }

    /// The convolutions with their weights.
    fn convolutions<'a>(&'a self, weights: &'a [Weights]) -> impl Iterator<Item = (&'a DiscriminatorLayer, &'a Weights)> {
        self.layers.iter().zip(weights).filter(|(layer, _)| !matches!(layer.spec.kind, LayerKind::Dense { .. }))
    }

    /// The dense layer's weights, and the feature map that it reads.
    fn head<'a>(&self, weights: &'a [Weights], layers: &'a [FeatureMap]) -> Result<(&'a Weights, &'a FeatureMap)> {
        match (self.layers.last(), weights.last(), layers.last()) {
            (Some(layer), Some(w), Some(map)) if matches!(layer.spec.kind, LayerKind::Dense { .. }) => Ok((w, map)),
            _ => Err(Error::Invalid("the discriminator's last layer is not dense".into())),
        }
    }

    /// Exact σ(W̄) by layer name, of the weights that `weights` holds.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn sigmas(&self, weights: &[Weights]) -> Result<BTreeMap<String, Option<f64>>> {
        self.layers
            .iter()
            .zip(weights)
            .map(|(layer, w)| Ok((layer.spec.name.clone(), sngan_experiment::records::finite(crate::spectrum::sigma_max(&w.normalized)?))))
            .collect()
    }
}

impl DiscriminatorLayer {
    fn slope(&self) -> f64 {
        match self.spec.activation {
            Activation::LeakyRelu { slope } => slope,
            Activation::Relu => 0.0,
            Activation::Identity | Activation::Tanh => 1.0,
        }
    }

    fn weights(&mut self, arm: Arm, parameters: Parameters, iterate: Iterate) -> Result<Weights> {
        let normalized = self.norm.normalize(arm, &parameters.of(&self.weight), iterate)?;
        let effective = match &self.gamma {
            None => normalized.clone(),
            Some(gamma) => {
                let mut dims = vec![1; normalized.rank()];
                dims[0] = gamma.elem_count();
                normalized.broadcast_mul(&parameters.of(gamma).reshape(dims)?)?
            }
        };
        let beta = match &self.post {
            PostNorm::None => None,
            PostNorm::Batch(beta) | PostNorm::Layer(beta) => Some(parameters.of(beta)),
        };
        Ok(Weights { normalized, effective, bias: parameters.of(&self.bias), beta })
    }

    fn linear(&self, w: &Weights, x: &FeatureMap, finish: Finish<'_>) -> Result<FeatureMap> {
        match self.spec.kind {
            LayerKind::Dense { .. } | LayerKind::Embedding { .. } => {
                Err(Error::Invalid(format!("layer {}: a dense layer must be the last", self.spec.name)))
            }
            LayerKind::Conv { stride, padding, .. } => ops::conv2d(x, &w.effective, stride, padding, finish),
            LayerKind::Deconv { stride, padding, .. } => ops::conv_transpose2d(x, &w.effective, stride, padding, finish),
        }
    }

    fn forward(&self, w: &Weights, x: &FeatureMap) -> Result<FeatureMap> {
        match (&self.post, &w.beta) {
            (PostNorm::Batch(_), Some(beta)) => {
                let x = self.linear(w, x, Finish::BiasActivation(&w.bias, 1.0))?;
                Ok(ops::batch_norm(&x, None, beta, NORM_EPS, self.slope())?.0)
            }
            (PostNorm::Layer(_), Some(beta)) => {
                let x = self.linear(w, x, Finish::BiasActivation(&w.bias, 1.0))?;
                ops::layer_norm(&x, beta, NORM_EPS, self.slope())
            }
            _ => self.linear(w, x, Finish::BiasActivation(&w.bias, self.slope())),
        }
    }
}

fn fresh_layer(spec: &RunSpec, index: usize, layer: LayerSpec, streams: &Streams, place: &Place) -> Result<DiscriminatorLayer> {
    let name = format!("discriminator.{}", layer.name);
    let outputs = layer.kind.outputs();
    let weight = init::weight(layer.kind, &name, spec.regularizer == Regularizer::Orthonormal, streams, place)?;
    let u = place.tensor(streams.normal(&format!("u.{}", layer.name), 0, outputs), outputs)?;
    let norm = WeightNorm::new(spec.normalization, &u)?;
    let gamma = if spec.gamma { norm.initial_gamma(&weight)?.map(|g| Var::from_tensor(&g)).transpose()? } else { None };
    // The first convolution and the last dense layer have no output normalization.
    let inner = index > 0 && matches!(layer.kind, LayerKind::Conv { .. });
    let beta = || Ok::<_, Error>(Var::from_tensor(&init::constant(0.0, outputs, place)?)?);
    let post = match spec.normalization {
        Normalization::Batch if inner => PostNorm::Batch(beta()?),
        Normalization::Layer if inner => PostNorm::Layer(beta()?),
        _ => PostNorm::None,
    };
    let bias = Var::from_tensor(&init::constant(0.0, outputs, place)?)?;
    Ok(DiscriminatorLayer { spec: layer, weight, bias, norm, gamma, post })
}
