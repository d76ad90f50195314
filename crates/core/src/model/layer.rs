//! A layer of the discriminator: raw weight, its normalization as a value, and what follows.

use super::{Parameters, TensorSource, init, piecewise_linear};
use crate::norm::{Iterate, PostNorm, WeightNorm, unit};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use candle_nn::init::ZERO;
use sngan_experiment::arch::{LayerKind, LayerSpec, PointSpec};
use sngan_experiment::method::Normalization;
use sngan_experiment::{LayerCorrection, RunSpec};
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};

/// One layer of D.
#[derive(Debug, Clone)]
pub struct DiscriminatorLayer {
    /// Its row of the table.
    pub spec: LayerSpec,
    /// The raw weight W.
    pub weight: Var,
    /// Bias `[O]`, where it has one.
    pub bias: Option<Var>,
    /// W → W̄.
    pub norm: WeightNorm,
    /// γ of W̃ = γ·W̄ (Eq. 32), `[1]` or `[O]`.
    pub gamma: Option<Var>,
    /// What a reduced width is corrected by, and `weight_scale`.
    pub correction: LayerCorrection,
    /// What follows the bias.
    pub post: PostNorm,
}

/// A normalization and an activation that follow no layer.
#[derive(Debug, Clone)]
pub struct DiscriminatorPoint {
    /// Its row of the table.
    pub spec: PointSpec,
    /// The method's normalization, where the table gives it a place here.
    pub post: PostNorm,
}

/// A layer's tensors as one or several forward passes of an update use them.
#[derive(Debug, Clone)]
pub struct LayerWeights {
    /// W̄, without γ, multiplied by `weight_scale`; a weight without normalization is multiplied by its width correction.
    pub normalized: Tensor,
    /// W̃ = γ·W̄, which the layer applies.
    pub effective: Tensor,
    pub(super) bias: Option<Tensor>,
    beta: Option<Tensor>,
}

/// All of D's tensors as one or several forward passes of an update use them.
#[derive(Debug, Clone)]
pub struct Weights {
    /// By layer.
    pub layers: Vec<LayerWeights>,
    /// β of each point.
    pub(super) points: Vec<Option<Tensor>>,
}

impl Weights {
    /// The same values as constants of the graph.
    pub fn detach(&self) -> Weights {
        let constant = |t: &Option<Tensor>| t.as_ref().map(Tensor::detach);
        let layer = |w: &LayerWeights| LayerWeights {
            normalized: w.normalized.detach(),
            effective: w.effective.detach(),
            bias: constant(&w.bias),
            beta: constant(&w.beta),
        };
        Weights {
            layers: self.layers.iter().map(layer).collect(),
            points: self.points.iter().map(constant).collect(),
        }
    }
}

/// `factor` times the tensor; as it is, and without a node of the graph, for 1.
fn scaled(tensor: Tensor, factor: f64) -> Result<Tensor> {
    if factor == 1.0 { Ok(tensor) } else { Ok((tensor * factor)?) }
}

impl DiscriminatorPoint {
    /// The point `spec` of the network `source`.
    pub(super) fn new(
        spec: PointSpec,
        method: Normalization,
        source: &TensorSource,
    ) -> Result<DiscriminatorPoint> {
        let source = source.at(&spec.name);
        let beta = || source.var(spec.output[0], "beta", ZERO);
        let post = PostNorm::new(spec.norm, method, beta)?;
        Ok(DiscriminatorPoint { post, spec })
    }

    pub(super) fn forward(&self, beta: Option<&Tensor>, x: &FeatureMap) -> Result<FeatureMap> {
        self.post.forward(x, beta, piecewise_linear(self.spec.activation))
    }

    /// The directional derivative along `t` where the output was `of`.
    pub(super) fn tangent(&self, t: &FeatureMap, of: &FeatureMap) -> Result<FeatureMap> {
        self.post.piecewise_linear()?;
        Ok(ops::mask(t, of, piecewise_linear(self.spec.activation))?)
    }
}

impl DiscriminatorLayer {
    /// The layer `layer` of the network `source`. Fresh: W as its table says, u an isotropic draw of length 1, γ so that W̃ = W, biases 0.
    pub(super) fn new(
        spec: &RunSpec,
        layer: LayerSpec,
        correction: LayerCorrection,
        source: &TensorSource,
    ) -> Result<DiscriminatorLayer> {
        let source = source.at(&layer.name);
        let outputs = layer.kind.outputs();
        let weight = if spec.regularizer.starts_orthonormal() {
            init::orthonormal(&layer, &source)?
        } else {
            init::weight(&layer, correction.initial, &source)?
        };
        let rows = weight.dim(0)?;
        let norm = WeightNorm::new(spec, &layer, |part, shape| {
            let drawn = || unit(&source.get(shape, part, init::STANDARD_NORMAL)?);
            source.get_or(shape, part, drawn)
        })?;
        let gamma = |n| {
            let drawn = || scaled(norm.initial_gamma(&weight)?, correction.gamma);
            source.var_or(n, "gamma", drawn)
        };
        let gamma = norm.gammas(rows).filter(|_| spec.gamma).map(gamma).transpose()?;
        let beta = || source.var(outputs, "beta", ZERO);
        let post = PostNorm::new(layer.norm, spec.normalization, beta)?;
        let bias = layer.bias.then(|| source.var(outputs, "bias", ZERO)).transpose()?;
        Ok(DiscriminatorLayer { spec: layer, weight, bias, norm, gamma, correction, post })
    }

    /// Names and variables of the trained parameters.
    pub(super) fn vars(&self) -> Vec<(String, Var)> {
        let name = |part: &str| format!("discriminator.{}.{part}", self.spec.name);
        let mut vars = vec![(name("weight"), self.weight.clone())];
        vars.extend(self.bias.iter().map(|b| (name("bias"), b.clone())));
        vars.extend(self.gamma.iter().map(|g| (name("gamma"), g.clone())));
        vars.extend(self.post.beta().map(|beta| (name("beta"), beta.clone())));
        vars
    }

    /// W̄ of the raw weight `weight`, multiplied by the layer's width correction or scale.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub(crate) fn normalized(
        &mut self,
        arm: Arm,
        weight: &Tensor,
        iterate: Iterate,
    ) -> Result<Tensor> {
        scaled(self.norm.normalize(arm, weight, iterate)?, self.correction.forward)
    }

    pub(super) fn weights(
        &mut self,
        arm: Arm,
        parameters: Parameters,
        iterate: Iterate,
    ) -> Result<LayerWeights> {
        let normalized = self.normalized(arm, &parameters.of(&self.weight), iterate)?;
        let effective = match &self.gamma {
            None => normalized.clone(),
            Some(gamma) => {
                let mut dims = vec![1; normalized.rank()];
                dims[0] = gamma.elem_count();
                normalized.broadcast_mul(&parameters.of(gamma).reshape(dims)?)?
            }
        };
        let constant = |var: Option<&Var>| var.map(|v| parameters.of(v));
        Ok(LayerWeights {
            normalized,
            effective,
            bias: constant(self.bias.as_ref()),
            beta: constant(self.post.beta()),
        })
    }

    fn linear(&self, w: &LayerWeights, x: &FeatureMap, finish: Finish<'_>) -> Result<FeatureMap> {
        Ok(match self.spec.kind {
            LayerKind::Conv { stride, padding, .. } => {
                ops::conv2d(x, &w.effective, stride, padding, finish)?
            }
            LayerKind::Deconv { stride, padding, .. } => {
                ops::conv_transpose2d(x, &w.effective, stride, padding, finish)?
            }
            LayerKind::Dense { .. } | LayerKind::Embedding { .. } => {
                return Err(Error::Invalid(format!(
                    "layer {}: only the head reads features",
                    self.spec.name
                )));
            }
        })
    }

    pub(super) fn forward(&self, w: &LayerWeights, x: &FeatureMap) -> Result<FeatureMap> {
        let activation = piecewise_linear(self.spec.activation);
        let finish = |activation| match &w.bias {
            Some(bias) => Finish::BiasActivation(bias, activation),
            None => Finish::Linear,
        };
        if self.post.is_none() && w.bias.is_some() {
            return self.linear(w, x, finish(activation));
        }
        let x = self.linear(w, x, finish(Activation::Identity))?;
        self.post.forward(&x, w.beta.as_ref(), activation)
    }

    /// The directional derivative along `t` where the output was `of`: without bias, with `of`'s activation pattern.
    pub(super) fn tangent(
        &self,
        w: &LayerWeights,
        t: &FeatureMap,
        of: &FeatureMap,
    ) -> Result<FeatureMap> {
        self.post.piecewise_linear()?;
        self.linear(w, t, Finish::Tangent(of, piecewise_linear(self.spec.activation)))
    }

    /// The affine function that the layer is where its output was `of`, at `x`: with bias, with `of`'s activation pattern.
    pub(super) fn linearized(
        &self,
        w: &LayerWeights,
        x: &FeatureMap,
        of: &FeatureMap,
    ) -> Result<FeatureMap> {
        let Some(bias) = &w.bias else { return self.tangent(w, x, of) };
        self.post.piecewise_linear()?;
        let y = self.linear(w, x, Finish::BiasActivation(bias, Activation::Identity))?;
        Ok(ops::mask(&y, of, piecewise_linear(self.spec.activation))?)
    }
}
