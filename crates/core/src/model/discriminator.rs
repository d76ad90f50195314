//! The discriminator: the layer table's convolutions and blocks, each layer holding its normalization as a value, and the head.

use super::labels::needed;
use super::layer::{DiscriminatorLayer, DiscriminatorPoint, Weights};
use super::topology::{Node, Pass, Topology, walk};
use super::{Labels, Parameters, Place, TensorSource};
use crate::norm::Iterate;
use crate::spectrum::Concentration;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{LabelHead, LayerSpec, Pooling};
use sngan_tensor::ops::{self, FeatureMap};
use std::collections::BTreeMap;

/// A forward pass: D's outputs, and what the tangent pass needs of it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// D(x), `[N]`.
    pub outputs: Tensor,
    /// The classifier's logits `[N, classes]`, where D has one.
    pub logits: Option<Tensor>,
    /// What each layer and point of the body made, in the order of the pass.
    maps: Vec<FeatureMap>,
}

/// From the last feature map to the output; layers by number.
#[derive(Debug, Clone, Copy)]
struct Head {
    pooling: Pooling,
    dense: usize,
    labels: HeadLabels,
}

#[derive(Debug, Clone, Copy)]
enum HeadLabels {
    None,
    Projection(usize),
    Classifier(usize),
}

/// D of the paper: images `[N, 3, side, side]` in [−1, 1], with labels where it reads them, to one output each.
#[derive(Debug, Clone)]
pub struct Discriminator {
    /// Every layer with a weight, in the order in which a pass comes to them; the head's are the last.
    pub layers: Vec<DiscriminatorLayer>,
    /// Normalizations and activations that follow no layer.
    pub points: Vec<DiscriminatorPoint>,
    nodes: Vec<Node>,
    head: Head,
    place: Place,
}

impl Discriminator {
    /// D of `spec` with the tensors `discriminator.…` of `source`.
    ///
    /// # Errors
    /// When the spec's sizes do not fit the architecture, or a tensor is missing or misshapen.
    pub fn new(spec: &RunSpec, source: &TensorSource) -> Result<Discriminator> {
        let table = spec.layers()?;
        let mut topology = Topology::of(table.discriminator);
        let dense = topology.layers.len();
        topology.layers.push(table.head.dense);
        let labels = match &table.head.labels {
            None => HeadLabels::None,
            Some(LabelHead::Projection(_)) => HeadLabels::Projection(dense + 1),
            Some(LabelHead::Classifier(_)) => HeadLabels::Classifier(dense + 1),
        };
        topology.layers.extend(table.head.labels.map(|labels| labels.layer().clone()));
        let source = source.at("discriminator");
        let corrections = spec.width_corrections()?;
        let layer = |layer: LayerSpec| {
            let correction = spec.layer_factors(&corrections, &layer.name);
            DiscriminatorLayer::new(spec, layer, correction, &source)
        };
        let point = |point| DiscriminatorPoint::new(point, spec.normalization, &source);
        Ok(Discriminator {
            layers: topology.layers.into_iter().map(layer).collect::<Result<_>>()?,
            points: topology.points.into_iter().map(point).collect::<Result<_>>()?,
            nodes: topology.nodes,
            head: Head { pooling: table.head.pooling, dense, labels },
            place: source.place().clone(),
        })
    }

    /// Names and variables of all trained parameters, in a fixed order.
    pub fn vars(&self) -> Vec<(String, Var)> {
        let beta = |p: &DiscriminatorPoint| {
            Some((format!("discriminator.{}.beta", p.spec.name), p.post.beta()?.clone()))
        };
        self.layers
            .iter()
            .flat_map(DiscriminatorLayer::vars)
            .chain(self.points.iter().filter_map(beta))
            .collect()
    }

    /// Parameters and the normalizations' state, such as SN's `u`, by checkpoint name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state: BTreeMap<_, _> =
            self.vars().into_iter().map(|(n, v)| (n, v.as_detached_tensor())).collect();
        for layer in &self.layers {
            for (part, tensor) in layer.norm.state() {
                state.insert(format!("discriminator.{}.{part}", layer.spec.name), tensor.clone());
            }
        }
        state
    }

    /// Normalizes every weight, once for all forward passes that share them.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn weights(&mut self, parameters: Parameters, iterate: Iterate) -> Result<Weights> {
        let arm = self.place.arm;
        let points =
            self.points.iter().map(|p| p.post.beta().map(|beta| parameters.of(beta))).collect();
        Ok(Weights {
            layers: self
                .layers
                .iter_mut()
                .map(|l| l.weights(arm, parameters, iterate))
                .collect::<Result<_>>()?,
            points,
        })
    }

    /// D(x) for `x` `[N, 3, side, side]`; `labels` are needed where D reads them.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, weights: &Weights, x: &Tensor, labels: Option<&Labels>) -> Result<Trace> {
        let (last, maps) = self.body(weights, x, labels)?;
        let features = self.pooled(&last)?;
        let outputs = self.outputs(weights, &last, features.as_ref(), labels, Bias::Added)?;
        let logits = match (self.head.labels, &features) {
            (HeadLabels::Classifier(i), Some(features)) => {
                Some(self.dense(weights, i, features, Bias::Added)?)
            }
            (HeadLabels::None | HeadLabels::Projection(_), _)
            | (HeadLabels::Classifier(_), None) => None,
        };
        Ok(Trace { outputs, logits, maps })
    }

    /// What each layer and point before the head makes of `x` `[N, 3, side, side]`, in the order of the pass.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn features(
        &self,
        weights: &Weights,
        x: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<Vec<FeatureMap>> {
        Ok(self.body(weights, x, labels)?.1)
    }

    fn body(
        &self,
        weights: &Weights,
        x: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<(FeatureMap, Vec<FeatureMap>)> {
        let mut pass = Forward { d: self, weights, labels, maps: Vec::new() };
        let last = walk(&self.nodes, &FeatureMap::of(self.place.arm, x)?, &mut pass)?;
        Ok((last, pass.maps))
    }

    /// The directional derivative of D at the trace's input along `t` `[N, 3, side, side]` → `[N]`, differentiable in the weights.
    ///
    /// D is piecewise linear, so this is D without biases, with the trace's activation pattern held constant. Labels are held constant too:
    /// an embedding that is appended to the features has the derivative 0, one that they are multiplied by is a weight.
    ///
    /// # Errors
    /// When a layer is not piecewise linear (batch or layer normalization), or the shapes do not fit.
    pub fn tangent(
        &self,
        weights: &Weights,
        trace: &Trace,
        t: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<Tensor> {
        self.affine(weights, trace, t, labels, Bias::Left)
    }

    /// At `x` `[N, 3, side, side]` the affine function that D is around the trace's input → `[N]`, differentiable in the parameters: each layer
    /// with its bias, with the trace's activation pattern held constant.
    ///
    /// # Errors
    /// As [`Discriminator::tangent`].
    pub fn linearized(
        &self,
        weights: &Weights,
        trace: &Trace,
        x: &Tensor,
        labels: Option<&Labels>,
    ) -> Result<Tensor> {
        self.affine(weights, trace, x, labels, Bias::Added)
    }

    fn affine(
        &self,
        weights: &Weights,
        trace: &Trace,
        x: &Tensor,
        labels: Option<&Labels>,
        bias: Bias,
    ) -> Result<Tensor> {
        let mut pass = Affine { d: self, weights, labels, of: trace.maps.iter(), bias };
        let last = walk(&self.nodes, &FeatureMap::of(self.place.arm, x)?, &mut pass)?;
        let features = self.pooled(&last)?;
        self.outputs(weights, &last, features.as_ref(), labels, bias)
    }

    /// Whether it has a classifier's head beside its output.
    pub fn classifies(&self) -> bool {
        match self.head.labels {
            HeadLabels::Classifier(_) => true,
            HeadLabels::None | HeadLabels::Projection(_) => false,
        }
    }

    /// The last map's features `[N, C]`, where the head reads them.
    fn pooled(&self, last: &FeatureMap) -> Result<Option<Tensor>> {
        Ok(match (self.head.pooling, self.head.labels) {
            (Pooling::Flatten, HeadLabels::None) => None,
            (Pooling::Flatten | Pooling::Sum, _) => Some(ops::sum_pool(last)?),
            (Pooling::Mean, _) => Some(ops::mean_pool(last)?),
        })
    }

    /// D's outputs `[N]`: the dense layer's, with the projection's ⟨embedding, features⟩.
    fn outputs(
        &self,
        weights: &Weights,
        last: &FeatureMap,
        features: Option<&Tensor>,
        labels: Option<&Labels>,
        bias: Bias,
    ) -> Result<Tensor> {
        let dense = &weights.layers[self.head.dense];
        let y = match (self.head.pooling, features) {
            (Pooling::Sum | Pooling::Mean, Some(features)) => {
                self.dense(weights, self.head.dense, features, bias)?.flatten_all()?
            }
            (Pooling::Flatten, _) | (Pooling::Sum | Pooling::Mean, None) => ops::head(
                last,
                &dense.effective,
                dense.bias.as_ref().filter(|_| bias == Bias::Added),
            )?,
        };
        match (self.head.labels, features) {
            (HeadLabels::Projection(i), Some(features)) => {
                let embedding = needed(labels)?.rows(&weights.layers[i].effective)?;
                Ok((y + (features * embedding)?.sum(1)?)?)
            }
            (HeadLabels::None | HeadLabels::Classifier(_), _)
            | (HeadLabels::Projection(_), None) => Ok(y),
        }
    }

    /// Layer `i` on features `[N, C]`.
    fn dense(&self, weights: &Weights, i: usize, features: &Tensor, bias: Bias) -> Result<Tensor> {
        let w = &weights.layers[i];
        let arm = self.place.arm;
        Ok(match &w.bias {
            Some(b) if bias == Bias::Added => ops::dense(arm, features, &w.effective, b)?,
            _ => ops::product(arm, features, &w.effective)?,
        })
    }

    /// Exact σ(W̄) and effective rank by layer name, of the weights that `weights` holds.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn spectra(&self, weights: &Weights) -> Result<BTreeMap<String, Concentration>> {
        let named = self.layers.iter().map(|l| l.spec.name.clone());
        named
            .zip(&weights.layers)
            .map(|(name, w)| Ok((name, Concentration::of(&w.normalized)?)))
            .collect()
    }
}

/// Whether biases are added: a tangent has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bias {
    Added,
    Left,
}

/// The pass that makes D's outputs, and keeps every map.
struct Forward<'a> {
    d: &'a Discriminator,
    weights: &'a Weights,
    labels: Option<&'a Labels>,
    maps: Vec<FeatureMap>,
}

impl Pass for Forward<'_> {
    fn layer(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap> {
        let y = self.d.layers[i].forward(&self.weights.layers[i], x)?;
        self.maps.push(y.clone());
        Ok(y)
    }

    fn point(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap> {
        let y = self.d.points[i].forward(self.weights.points[i].as_ref(), x)?;
        self.maps.push(y.clone());
        Ok(y)
    }

    fn concat(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap> {
        let rows = needed(self.labels)?.rows(&self.weights.layers[i].effective)?;
        Ok(ops::append(x, &rows)?)
    }
}

/// The linearized pass, which reads the maps of a forward pass in the same order.
struct Affine<'a> {
    d: &'a Discriminator,
    weights: &'a Weights,
    labels: Option<&'a Labels>,
    of: std::slice::Iter<'a, FeatureMap>,
    bias: Bias,
}

impl Affine<'_> {
    fn of(&mut self) -> Result<&FeatureMap> {
        self.of.next().ok_or_else(|| Error::Invalid("the trace is of another network".into()))
    }
}

impl Pass for Affine<'_> {
    fn layer(&mut self, i: usize, t: &FeatureMap) -> Result<FeatureMap> {
        let (layer, w) = (&self.d.layers[i], &self.weights.layers[i]);
        match self.bias {
            Bias::Added => layer.linearized(w, t, self.of()?),
            Bias::Left => layer.tangent(w, t, self.of()?),
        }
    }

    fn point(&mut self, i: usize, t: &FeatureMap) -> Result<FeatureMap> {
        let point = &self.d.points[i];
        point.tangent(t, self.of()?)
    }

    fn concat(&mut self, i: usize, t: &FeatureMap) -> Result<FeatureMap> {
        let [n, ..] = t.dims()?;
        let embedding = &self.weights.layers[i].effective;
        if self.bias == Bias::Added {
            return Ok(ops::append(t, &needed(self.labels)?.rows(embedding)?)?);
        }
        let constant = (n, embedding.dim(1)?);
        let zeros = Tensor::zeros(constant, embedding.dtype(), embedding.device())?;
        Ok(ops::append(t, &zeros)?)
    }
}
