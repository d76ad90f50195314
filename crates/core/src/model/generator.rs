//! The generator: dense, transposed convolutions or residual blocks with batch normalization and ReLU, a last convolution and tanh.

use super::topology::{Node, Pass, Topology, walk};
use super::{Labels, Mode, Parameters, Place, TensorSource, init};
use super::{batch_norm::BatchNorm, piecewise_linear};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use candle_nn::init::ZERO;
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{self, LayerKind, LayerSpec, PointSpec, Z_DIM};
use sngan_tensor::ops::{self, Activation, FeatureMap, Finish};
use std::collections::BTreeMap;

struct GeneratorLayer {
    spec: LayerSpec,
    weight: Var,
    bias: Var,
    batch_norm: Option<BatchNorm>,
}

/// Batch normalization and an activation that follow no layer.
struct GeneratorPoint {
    spec: PointSpec,
    batch_norm: Option<BatchNorm>,
}

/// G of the paper: z `[N, 128]`, with labels where it is conditional, to images `[N, 3, side, side]` in [−1, 1].
pub struct Generator {
    layers: Vec<GeneratorLayer>,
    points: Vec<GeneratorPoint>,
    nodes: Vec<Node>,
    place: Place,
}

impl Generator {
    /// G of `spec` with the tensors `generator.…` of `source`.
    ///
    /// # Errors
    /// When the spec's sizes do not fit the architecture, or a tensor is missing or misshapen.
    pub fn new(spec: &RunSpec, source: &TensorSource) -> Result<Generator> {
        let topology = Topology::of(spec.layers()?.generator);
        let source = source.at("generator");
        let layers = topology.layers.into_iter().map(|layer| {
            let (source, outputs) = (source.at(&layer.name), layer.kind.outputs());
            let weight = init::weight(&layer, 1.0, &source)?;
            let bias = source.var(outputs, "bias", ZERO)?;
            let batch_norm = BatchNorm::new(layer.norm, outputs, &source)?;
            Ok(GeneratorLayer { spec: layer, weight, bias, batch_norm })
        });
        let point = |spec: PointSpec| {
            let source = source.at(&spec.name);
            let batch_norm = BatchNorm::new(spec.norm, spec.output[0], &source)?;
            Ok(GeneratorPoint { batch_norm, spec })
        };
        Ok(Generator {
            layers: layers.collect::<Result<_>>()?,
            points: topology.points.into_iter().map(point).collect::<Result<_>>()?,
            nodes: topology.nodes,
            place: source.place().clone(),
        })
    }

    /// Every batch normalization with its prefix in a checkpoint.
    fn batch_norms(&self) -> impl Iterator<Item = (String, &BatchNorm)> {
        let layers = self.layers.iter().map(|l| (&l.spec.name, &l.batch_norm));
        let all = layers.chain(self.points.iter().map(|p| (&p.spec.name, &p.batch_norm)));
        all.filter_map(|(name, bn)| Some((format!("generator.{name}"), bn.as_ref()?)))
    }

    /// Names and variables of all trained parameters, in a fixed order.
    pub fn vars(&self) -> Vec<(String, Var)> {
        let named = |prefix: &str, bn: &BatchNorm| {
            bn.vars().map(|(part, var)| (format!("{prefix}.{part}"), var.clone()))
        };
        let mut vars = Vec::new();
        for layer in &self.layers {
            let prefix = format!("generator.{}", layer.spec.name);
            vars.push((format!("{prefix}.weight"), layer.weight.clone()));
            vars.push((format!("{prefix}.bias"), layer.bias.clone()));
            vars.extend(layer.batch_norm.iter().flat_map(|bn| named(&prefix, bn)));
        }
        for point in &self.points {
            vars.extend(
                point
                    .batch_norm
                    .iter()
                    .flat_map(|bn| named(&format!("generator.{}", point.spec.name), bn)),
            );
        }
        vars
    }

    /// Parameters and running averages by checkpoint name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state: BTreeMap<_, _> =
            self.vars().into_iter().map(|(n, v)| (n, v.as_detached_tensor())).collect();
        for (prefix, bn) in self.batch_norms() {
            state.extend(bn.averages().map(|(part, t)| (format!("{prefix}.{part}"), t.clone())));
        }
        state
    }

    /// G(z) for `z` `[N, 128]`. In [`Mode::Train`] the running averages move (decay 0.9, unbiased variance).
    ///
    /// # Errors
    /// When z has another width, or a conditional network gets no labels.
    pub fn forward(
        &mut self,
        z: &Tensor,
        labels: Option<&Labels>,
        parameters: Parameters,
        mode: Mode,
    ) -> Result<Tensor> {
        let (n, width) = z.dims2()?;
        if width != Z_DIM {
            return Err(Error::Invalid(format!(
                "z has {width} dimensions; the generator needs {Z_DIM}"
            )));
        }
        let Generator { layers, points, nodes, place } = self;
        let Some(([Node::Layer(0)], rest)) = nodes.split_at_checked(1) else {
            return Err(Error::Invalid("the generator's first layer is not dense".into()));
        };
        let x = layers[0].dense(n, z, labels, parameters, mode, place)?;
        let mut pass = Forward { layers, points, labels, parameters, mode };
        Ok(walk(rest, &x, &mut pass)?.to_tensor()?)
    }
}

/// One pass over a generator.
struct Forward<'a> {
    layers: &'a mut [GeneratorLayer],
    points: &'a mut [GeneratorPoint],
    labels: Option<&'a Labels>,
    parameters: Parameters,
    mode: Mode,
}

impl Pass for Forward<'_> {
    fn layer(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap> {
        self.layers[i].forward(x, self.labels, self.parameters, self.mode)
    }

    fn point(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap> {
        let point = &mut self.points[i];
        let activation = piecewise_linear(point.spec.activation);
        match &mut point.batch_norm {
            Some(bn) => bn.forward(x, self.labels, self.parameters, self.mode, activation),
            None => Ok(ops::activation(x, activation)?),
        }
    }

    fn concat(&mut self, i: usize, _: &FeatureMap) -> Result<FeatureMap> {
        Err(Error::Invalid(format!(
            "layer {}: a generator appends no features",
            self.layers[i].spec.name
        )))
    }
}

impl GeneratorLayer {
    /// The first layer: z to a feature map. Batch normalization, where it follows, is over the features.
    fn dense(
        &mut self,
        n: usize,
        z: &Tensor,
        labels: Option<&Labels>,
        parameters: Parameters,
        mode: Mode,
        place: &Place,
    ) -> Result<FeatureMap> {
        let [c, h, w] = self.spec.output;
        let mut x =
            ops::dense(place.arm, z, &parameters.of(&self.weight), &parameters.of(&self.bias))?;
        if let Some(bn) = &mut self.batch_norm {
            let features = FeatureMap::of(place.arm, &x.reshape((n, c * h * w, 1, 1))?)?;
            let activation = piecewise_linear(self.spec.activation);
            x = bn.forward(&features, labels, parameters, mode, activation)?.to_tensor()?;
        }
        Ok(FeatureMap::of(place.arm, &x.reshape((n, c, h, w))?)?)
    }

    fn forward(
        &mut self,
        x: &FeatureMap,
        labels: Option<&Labels>,
        parameters: Parameters,
        mode: Mode,
    ) -> Result<FeatureMap> {
        let (weight, bias) = (parameters.of(&self.weight), parameters.of(&self.bias));
        let activation = piecewise_linear(self.spec.activation);
        // Batch normalization, where it follows, comes before the activation.
        let first = if self.batch_norm.is_some() { Activation::Identity } else { activation };
        let finish = Finish::BiasActivation(&bias, first);
        let x = match self.spec.kind {
            LayerKind::Conv { stride, padding, .. } => {
                ops::conv2d(x, &weight, stride, padding, finish)?
            }
            LayerKind::Deconv { stride, padding, .. } => {
                ops::conv_transpose2d(x, &weight, stride, padding, finish)?
            }
            LayerKind::Dense { .. } | LayerKind::Embedding { .. } => {
                return Err(Error::Invalid(format!(
                    "layer {}: a dense layer must be the first",
                    self.spec.name
                )));
            }
        };
        let x = match &mut self.batch_norm {
            None => x,
            Some(bn) => bn.forward(&x, labels, parameters, mode, activation)?,
        };
        Ok(if self.spec.activation == arch::Activation::Tanh { ops::tanh(&x)? } else { x })
    }
}
