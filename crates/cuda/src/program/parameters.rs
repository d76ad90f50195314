//! The tensors of a network that stay from update to update, by their names in a checkpoint.

use super::memory::Buffers;
use super::method::{Method, OfMaps, OfWeights};
use crate::op::View;
use crate::{Error, Result};
use sngan_experiment::arch::{LayerKind, LayerSpec, Norm, PointSpec, Step};
use sngan_experiment::{LayerCorrection, RunSpec};

/// A tensor of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name in a checkpoint.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it is.
    pub view: View,
}

/// γ, β and running averages of one of G's batch normalizations.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchNormState {
    pub(super) gamma: View,
    pub(super) beta: View,
    pub(super) running: (View, View),
    pub(super) by_class: bool,
}

/// One layer of a network.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) spec: LayerSpec,
    pub(super) weight: View,
    /// Rows of the weight as a matrix.
    pub(super) rows: usize,
    pub(super) bias: Option<View>,
    /// γ of the weight (Eq. 32).
    pub(super) gamma: Option<View>,
    /// SN's u.
    pub(super) u: Option<View>,
    pub(super) norm: MapNorm,
    pub(super) correction: LayerCorrection,
}

/// A normalization and an activation that follow no layer.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) spec: PointSpec,
    pub(super) norm: MapNorm,
}

/// What normalizes a map.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapNorm {
    None,
    /// G's.
    Batch(BatchNormState),
    /// D's batch normalization, with its β.
    OfBatch(View),
    /// D's layer normalization, with its β.
    OfImage(View),
}

/// A network's parameters and state. Parameters lie in one buffer, and gradients and moments in buffers of the same layout.
#[derive(Debug, Clone)]
pub(super) struct Parameters {
    pub(super) layers: Vec<Layer>,
    pub(super) points: Vec<Point>,
    /// All parameters.
    pub(super) trained: Vec<Stored>,
    /// The buffer that they are parts of.
    pub(super) whole: View,
    /// Running averages and u.
    pub(super) state: Vec<Stored>,
    /// The buffer that those are parts of.
    pub(super) whole_state: View,
}

/// A tensor that is to be placed.
struct Wanted {
    name: String,
    shape: Vec<usize>,
}

/// Collects names and shapes in a fixed order; places come after.
#[derive(Default)]
struct Names {
    trained: Vec<Wanted>,
    state: Vec<Wanted>,
}

impl Names {
    fn trained(&mut self, name: String, shape: Vec<usize>) -> usize {
        self.trained.push(Wanted { name, shape });
        self.trained.len() - 1
    }

    fn state(&mut self, name: String, shape: Vec<usize>) -> usize {
        self.state.push(Wanted { name, shape });
        self.state.len() - 1
    }
}

fn place(buffers: &mut Buffers, wanted: Vec<Wanted>) -> (View, Vec<Stored>) {
    let lens: Vec<usize> = wanted.iter().map(|w| w.shape.iter().product()).collect();
    let (whole, views) = buffers.parts(&lens);
    let stored = wanted
        .into_iter()
        .zip(views)
        .map(|(Wanted { name, shape }, view)| Stored { name, shape, view })
        .collect();
    (whole, stored)
}

/// The layers and points of a table, in the order in which a pass comes to them.
pub(super) fn flatten(steps: &[Step]) -> (Vec<&LayerSpec>, Vec<&PointSpec>) {
    let (mut layers, mut points) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Layer(layer) | Step::Concat(layer) => layers.push(layer),
            Step::Point(point) => points.push(point),
            Step::Upsample | Step::AveragePool => {}
            Step::Block(block) => {
                for branch in [&block.residual, &block.shortcut] {
                    let (l, p) = flatten(branch);
                    layers.extend(l);
                    points.extend(p);
                }
            }
        }
    }
    (layers, points)
}

/// Indices of a layer's tensors until they have places.
struct Indices {
    weight: usize,
    bias: Option<usize>,
    gamma: Option<usize>,
    u: Option<usize>,
    norm: NormIndices,
}

enum NormIndices {
    None,
    Batch { gamma: usize, beta: usize, mean: usize, var: usize, by_class: bool },
    OfBatch(usize),
    OfImage(usize),
}

impl BatchNormState {
    fn moved(self, to: impl Fn(View) -> View) -> BatchNormState {
        let (mean, var) = self.running;
        BatchNormState {
            gamma: to(self.gamma),
            beta: to(self.beta),
            running: (to(mean), to(var)),
            ..self
        }
    }
}

impl MapNorm {
    fn moved(self, to: impl Fn(View) -> View) -> MapNorm {
        match self {
            MapNorm::None => MapNorm::None,
            MapNorm::Batch(state) => MapNorm::Batch(state.moved(to)),
            MapNorm::OfBatch(beta) => MapNorm::OfBatch(to(beta)),
            MapNorm::OfImage(beta) => MapNorm::OfImage(to(beta)),
        }
    }
}

impl Parameters {
    /// The same tensors where other buffers of the same layouts hold them: G's moving average.
    pub(super) fn moved(&self, whole: View, whole_state: View) -> Parameters {
        let to = |view: View| {
            let at = |buffer| View { buffer, ..view };
            if view.buffer == self.whole.buffer {
                at(whole.buffer)
            } else {
                debug_assert_eq!(view.buffer, self.whole_state.buffer);
                at(whole_state.buffer)
            }
        };
        let layers = self.layers.iter().map(|layer| Layer {
            weight: to(layer.weight),
            bias: layer.bias.map(to),
            gamma: layer.gamma.map(to),
            u: layer.u.map(to),
            norm: layer.norm.moved(to),
            ..layer.clone()
        });
        let points =
            self.points.iter().map(|point| Point { norm: point.norm.moved(to), ..point.clone() });
        let stored = |tensors: &[Stored]| {
            let moved = tensors.iter().map(|t| Stored { view: to(t.view), ..t.clone() });
            moved.collect()
        };
        Parameters {
            layers: layers.collect(),
            points: points.collect(),
            trained: stored(&self.trained),
            whole,
            state: stored(&self.state),
            whole_state,
        }
    }

    /// G's.
    pub(super) fn generator(buffers: &mut Buffers, steps: &[Step]) -> Result<Parameters> {
        let (layers, points) = flatten(steps);
        let mut names = Names::default();
        let batch_norm = |names: &mut Names, name: &str, norm: Norm, channels: usize| {
            let (shape, by_class) = match norm {
                Norm::None | Norm::ByMethod => return NormIndices::None,
                Norm::Batch => (vec![channels], false),
                Norm::ConditionalBatch { classes } => (vec![classes, channels], true),
            };
            let part = |part: &str| format!("generator.{name}.bn.{part}");
            NormIndices::Batch {
                gamma: names.trained(part("gamma"), shape.clone()),
                beta: names.trained(part("beta"), shape),
                mean: names.state(part("running_mean"), vec![channels]),
                var: names.state(part("running_var"), vec![channels]),
                by_class,
            }
        };
        let mut indices = Vec::new();
        for layer in &layers {
            let name = |part: &str| format!("generator.{}.{part}", layer.name);
            let outputs = layer.kind.outputs();
            if matches!(layer.kind, LayerKind::Embedding { .. }) {
                let layer = layer.name.clone();
                return Err(Error::Layer { layer, reason: "a generator appends no features" });
            }
            indices.push(Indices {
                weight: names.trained(name("weight"), layer.kind.weight_shape()),
                bias: Some(names.trained(name("bias"), vec![outputs])),
                gamma: None,
                u: None,
                norm: batch_norm(&mut names, &layer.name, layer.norm, outputs),
            });
        }
        let point_indices: Vec<_> =
            points.iter().map(|p| batch_norm(&mut names, &p.name, p.norm, p.output[0])).collect();
        Ok(Parameters::placed(buffers, names, (layers, indices), (points, point_indices), |_| {
            LayerCorrection::NONE
        }))
    }

    /// D's, for the spec's method.
    pub(super) fn discriminator(
        buffers: &mut Buffers,
        spec: &RunSpec,
        method: Method,
    ) -> Result<Parameters> {
        let table = spec.layers()?;
        let corrections = spec.width_corrections()?;
        let (mut layers, points) = flatten(&table.discriminator);
        layers.push(&table.head.dense);
        layers.extend(table.head.labels.as_ref().map(|l| l.layer()));
        let mut names = Names::default();
        let of_method = |names: &mut Names, name: &str, norm: Norm, channels: usize| {
            let mut beta = || names.trained(format!("discriminator.{name}.beta"), vec![channels]);
            match (norm, method.maps) {
                (Norm::ByMethod, OfMaps::Batch) => NormIndices::OfBatch(beta()),
                (Norm::ByMethod, OfMaps::Layer) => NormIndices::OfImage(beta()),
                (Norm::ByMethod, OfMaps::None)
                | (Norm::None | Norm::Batch | Norm::ConditionalBatch { .. }, _) => {
                    NormIndices::None
                }
            }
        };
        let mut indices = Vec::new();
        for layer in &layers {
            let name = |part: &str| format!("discriminator.{}.{part}", layer.name);
            let (outputs, shape) = (layer.kind.outputs(), layer.kind.weight_shape());
            let rows = shape[0];
            let gammas = match method.weights {
                OfWeights::None => None,
                OfWeights::Rows => Some(rows),
                OfWeights::Frobenius | OfWeights::Spectral => Some(1),
            };
            let iterates = method.weights == OfWeights::Spectral;
            indices.push(Indices {
                weight: names.trained(name("weight"), shape),
                bias: layer.bias.then(|| names.trained(name("bias"), vec![outputs])),
                gamma: gammas.filter(|_| spec.gamma).map(|n| names.trained(name("gamma"), vec![n])),
                u: iterates.then(|| names.state(name("u"), vec![rows])),
                norm: of_method(&mut names, &layer.name, layer.norm, outputs),
            });
        }
        let point_indices: Vec<_> =
            points.iter().map(|p| of_method(&mut names, &p.name, p.norm, p.output[0])).collect();
        let correction = |name: &str| spec.layer_factors(&corrections, name);
        Ok(Parameters::placed(
            buffers,
            names,
            (layers, indices),
            (points, point_indices),
            correction,
        ))
    }

    fn placed(
        buffers: &mut Buffers,
        names: Names,
        (layers, indices): (Vec<&LayerSpec>, Vec<Indices>),
        (points, point_indices): (Vec<&PointSpec>, Vec<NormIndices>),
        correction: impl Fn(&str) -> LayerCorrection,
    ) -> Parameters {
        let (whole, trained) = place(buffers, names.trained);
        let (whole_state, state) = place(buffers, names.state);
        let norm = |indices: &NormIndices| match *indices {
            NormIndices::None => MapNorm::None,
            NormIndices::OfBatch(beta) => MapNorm::OfBatch(trained[beta].view),
            NormIndices::OfImage(beta) => MapNorm::OfImage(trained[beta].view),
            NormIndices::Batch { gamma, beta, mean, var, by_class } => {
                MapNorm::Batch(BatchNormState {
                    gamma: trained[gamma].view,
                    beta: trained[beta].view,
                    running: (state[mean].view, state[var].view),
                    by_class,
                })
            }
        };
        let layers = layers.into_iter().zip(&indices).map(|(spec, i)| Layer {
            spec: spec.clone(),
            weight: trained[i.weight].view,
            rows: trained[i.weight].shape[0],
            bias: i.bias.map(|b| trained[b].view),
            gamma: i.gamma.map(|g| trained[g].view),
            u: i.u.map(|u| state[u].view),
            norm: norm(&i.norm),
            correction: correction(&spec.name),
        });
        let points = points
            .into_iter()
            .zip(&point_indices)
            .map(|(spec, i)| Point { spec: spec.clone(), norm: norm(i) });
        Parameters {
            layers: layers.collect(),
            points: points.collect(),
            whole,
            whole_state,
            trained: trained.clone(),
            state: state.clone(),
        }
    }
}
