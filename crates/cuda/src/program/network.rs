//! Passes over G and D, recorded from their tables: the layers' order and sizes are the table's, and no network has code of its own.

use super::parameters::{BatchNormState, Layer, MapNorm, Parameters, Point};
use super::tape::{Map, Recorder, Tape};
use super::weights::Weights;
use crate::op::{BatchNorm, Geometry, LayerNorm, Op, Sizes, View};
use crate::{Error, Result};
use sngan_core::model::Mode;
use sngan_experiment::arch::{
    Activation, ArchSpec, HeadSpec, LabelHead, LayerKind, Pooling, Step, Z_DIM,
};

/// What a pass does at the steps that have parameters.
trait Pass {
    /// Layer `i` on `x`, with what follows it.
    fn layer(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map>;
    /// Point `i` on `x`.
    fn point(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map>;
    /// `x` with the features of layer `i` appended.
    fn concat(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map>;
    /// Where the operations between them are recorded.
    fn tape(&mut self) -> &mut Tape;
}

/// Counts layers and points as [`super::parameters::flatten`] does.
#[derive(Default)]
struct Counts {
    layers: usize,
    points: usize,
}

fn walk(
    steps: &[Step],
    r: &mut Recorder,
    mut x: Map,
    counts: &mut Counts,
    pass: &mut impl Pass,
) -> Result<Map> {
    for step in steps {
        x = match step {
            Step::Layer(_) => {
                counts.layers += 1;
                pass.layer(r, counts.layers - 1, x)?
            }
            Step::Concat(_) => {
                counts.layers += 1;
                pass.concat(r, counts.layers - 1, x)?
            }
            Step::Point(_) => {
                counts.points += 1;
                pass.point(r, counts.points - 1, x)?
            }
            Step::Upsample => pass.tape().upsample(r, x),
            Step::AveragePool => pass.tape().average_pool(r, x),
            Step::Block(block) => {
                let residual = walk(&block.residual, r, x, counts, pass)?;
                let shortcut = walk(&block.shortcut, r, x, counts, pass)?;
                pass.tape().add(r, residual, shortcut)
            }
        };
    }
    Ok(x)
}

/// A layer's linear part. A map of a transposed convolution is the larger one of its geometry.
fn linear(
    tape: &mut Tape,
    r: &mut Recorder,
    layer: &Layer,
    weight: View,
    x: Map,
    into: Option<View>,
) -> Result<Map> {
    let [channels, side, _] = layer.spec.output;
    let view = into.unwrap_or_else(|| r.passing(x.n * channels * side * side));
    let y = Map { view, n: x.n, channels, side };
    let (here, there) = ((x.channels, x.side), (channels, side));
    match layer.spec.kind {
        LayerKind::Conv { kernel, stride, padding, .. } => {
            let (kernel, padding) = ((kernel, kernel), (padding, padding));
            let geometry = Geometry { n: x.n, input: here, output: there, kernel, stride, padding };
            tape.conv(r, x.view, weight, y.view, geometry);
        }
        LayerKind::Deconv { kernel, stride, padding, .. } => {
            let (kernel, padding) = ((kernel, kernel), (padding, padding));
            let geometry = Geometry { n: x.n, input: there, output: here, kernel, stride, padding };
            tape.deconv(r, x.view, weight, y.view, geometry);
        }
        LayerKind::Dense { .. } | LayerKind::Embedding { .. } => {
            return Err(Error::Layer {
                layer: layer.spec.name.clone(),
                reason: "only a network's first or last layer is dense",
            });
        }
    }
    Ok(y)
}

/// Batch normalization of `x`, with what G or D keeps for it.
fn batch_norm(
    tape: &mut Tape,
    r: &mut Recorder,
    x: Map,
    (gamma, beta): (Option<View>, View),
    labels: Option<View>,
    running: Option<(View, View)>,
    activation: Activation,
) -> Map {
    let y = Map::new(r, x.n, x.channels, x.side);
    let (mean, inv_std) = (r.passing(x.channels), r.passing(x.channels));
    let norm = BatchNorm {
        x: x.view,
        sizes: x.sizes(),
        gamma,
        beta,
        labels,
        y: y.view,
        mean,
        inv_std,
        activation,
    };
    tape.batch_norm(r, norm, running);
    y
}

/// G's forward pass.
struct Forward<'a> {
    g: &'a Parameters,
    labels: Option<View>,
    mode: Mode,
    tape: &'a mut Tape,
    /// Where the last layer's output goes.
    into: View,
}

/// Records G(z) for `z` `[n, 128]`: the images `[n, 3, side, side]` go to `into`. There are no gradients in evaluation mode.
pub(super) fn generator(
    r: &mut Recorder,
    (tape, mode): (&mut Tape, Mode),
    table: &ArchSpec,
    g: &Parameters,
    (z, n): (View, usize),
    labels: Option<View>,
    into: View,
) -> Result<()> {
    let mut pass = Forward { g, labels, mode, tape, into };
    let Some((Step::Layer(_), rest)) = table.generator.split_first() else {
        return Err(Error::Layer {
            layer: "generator".into(),
            reason: "the first step is not a dense layer",
        });
    };
    let x = pass.dense(r, z, n);
    let mut counts = Counts { layers: 1, points: 0 };
    walk(rest, r, x, &mut counts, &mut pass).map(drop)
}

impl Forward<'_> {
    fn normalize(
        &mut self,
        r: &mut Recorder,
        bn: BatchNormState,
        x: Map,
        activation: Activation,
    ) -> Map {
        let labels = self.labels.filter(|_| bn.by_class);
        if self.mode == Mode::Eval {
            let y = Map::new(r, x.n, x.channels, x.side);
            let (BatchNormState { gamma, beta, .. }, (mean, var)) = (bn, bn.running);
            let (sizes, x, y_view) = (x.sizes(), x.view, y.view);
            r.push(Op::BatchNormEval {
                x,
                sizes,
                gamma,
                beta,
                labels,
                mean,
                var,
                y: y_view,
                activation,
            });
            return y;
        }
        let parameters = (Some(bn.gamma), bn.beta);
        batch_norm(self.tape, r, x, parameters, labels, Some(bn.running), activation)
    }

    /// The first layer. Batch normalization, where it follows, is over the features.
    fn dense(&mut self, r: &mut Recorder, z: View, n: usize) -> Map {
        let layer = &self.g.layers[0];
        let [channels, side, _] = layer.spec.output;
        let features = channels * side * side;
        let y = self.tape.dense(r, z, layer.weight, [n, Z_DIM, features]);
        let sizes = Sizes { n, channels: features, plane: 1 };
        self.tape.finish(r, y, layer.bias, sizes, Activation::Identity);
        let mut view = y;
        if let MapNorm::Batch(bn) = layer.norm {
            let flat = Map { view: y, n, channels: features, side: 1 };
            view = self.normalize(r, bn, flat, layer.spec.activation).view;
        }
        Map { view, n, channels, side }
    }
}

impl Pass for Forward<'_> {
    fn layer(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map> {
        let layer = &self.g.layers[i];
        let into = (i + 1 == self.g.layers.len()).then_some(self.into);
        let y = linear(self.tape, r, layer, layer.weight, x, into)?;
        let activation = layer.spec.activation;
        let MapNorm::Batch(bn) = layer.norm else {
            self.tape.finish(r, y.view, layer.bias, y.sizes(), activation);
            return Ok(y);
        };
        self.tape.finish(r, y.view, layer.bias, y.sizes(), Activation::Identity);
        Ok(self.normalize(r, bn, y, activation))
    }

    fn point(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map> {
        let point = &self.g.points[i];
        Ok(match point.norm {
            MapNorm::Batch(bn) => self.normalize(r, bn, x, point.spec.activation),
            MapNorm::None | MapNorm::OfBatch(_) | MapNorm::OfImage(_) => {
                Map { view: self.tape.activate(r, x.view, point.spec.activation), ..x }
            }
        })
    }

    fn concat(&mut self, _: &mut Recorder, i: usize, _: Map) -> Result<Map> {
        Err(Error::Layer {
            layer: self.g.layers[i].spec.name.clone(),
            reason: "a generator appends no features",
        })
    }

    fn tape(&mut self) -> &mut Tape {
        self.tape
    }
}

/// A forward pass of D: its outputs, and what the tangent pass needs of it.
pub(super) struct Trace {
    /// D(x), `[n]`.
    pub(super) outputs: View,
    /// The classifier's logits `[n, classes]`, where D has one.
    pub(super) logits: Option<View>,
    /// What each layer and point of the body made, in the order of the pass.
    maps: Vec<Map>,
}

/// D with its weights as one pass uses them.
#[derive(Clone, Copy)]
pub(super) struct Discriminator<'a> {
    pub(super) table: &'a ArchSpec,
    pub(super) d: &'a Parameters,
    pub(super) weights: &'a Weights,
    /// The class of each image, where D reads them.
    pub(super) labels: Option<View>,
}

impl Discriminator<'_> {
    /// Records D(x).
    pub(super) fn forward(&self, r: &mut Recorder, tape: &mut Tape, x: Map) -> Result<Trace> {
        let mut pass = Judge { of: *self, tape, maps: Vec::new() };
        let mut counts = Counts::default();
        let last = walk(&self.table.discriminator, r, x, &mut counts, &mut pass)?;
        let maps = pass.maps;
        let features = self.pooled(r, tape, last);
        let outputs = self.outputs(r, tape, last, features, true)?;
        let head = &self.table.head;
        let logits = match (&head.labels, features) {
            (Some(LabelHead::Classifier(_)), Some(features)) => {
                Some(self.dense(r, tape, self.dense_index() + 1, features, x.n, true))
            }
            (Some(LabelHead::Classifier(_)), None) | (None | Some(LabelHead::Projection(_)), _) => {
                None
            }
        };
        Ok(Trace { outputs, logits, maps })
    }

    /// Records the directional derivative of D at the trace's input along `t`, `[n]`. D is piecewise linear, so this is D without biases,
    /// with the trace's activation pattern held constant. An embedding that is appended has the derivative 0, one that features are
    /// multiplied by is a weight.
    pub(super) fn tangent(
        &self,
        r: &mut Recorder,
        tape: &mut Tape,
        trace: &Trace,
        t: Map,
    ) -> Result<View> {
        let mut pass = Tangent { of: *self, tape, maps: trace.maps.iter() };
        let mut counts = Counts::default();
        let last = walk(&self.table.discriminator, r, t, &mut counts, &mut pass)?;
        let features = self.pooled(r, tape, last);
        self.outputs(r, tape, last, features, false)
    }

    fn head(&self) -> &HeadSpec {
        &self.table.head
    }

    /// The head's dense layer, by number.
    fn dense_index(&self) -> usize {
        self.d.layers.len() - 1 - usize::from(self.head().labels.is_some())
    }

    /// The last map's features `[n, channels]`, where the head reads them.
    fn pooled(&self, r: &mut Recorder, tape: &mut Tape, last: Map) -> Option<View> {
        let factor = match (self.head().pooling, &self.head().labels) {
            (Pooling::Flatten, None) => return None,
            (Pooling::Flatten | Pooling::Sum, _) => 1.0,
            (Pooling::Mean, _) => 1.0 / (last.side * last.side) as f64,
        };
        Some(tape.pool(r, last, factor))
    }

    fn outputs(
        &self,
        r: &mut Recorder,
        tape: &mut Tape,
        last: Map,
        features: Option<View>,
        bias: bool,
    ) -> Result<View> {
        let reads = match (self.head().pooling, features) {
            (Pooling::Sum | Pooling::Mean, Some(features)) => features,
            (Pooling::Flatten, _) | (Pooling::Sum | Pooling::Mean, None) => last.view,
        };
        let i = self.dense_index();
        let y = self.dense(r, tape, i, reads, last.n, bias);
        if let (Some(LabelHead::Projection(_)), Some(features)) = (&self.head().labels, features) {
            let table = (self.weights.effective(i + 1), self.labels(i + 1)?);
            tape.project(r, features, table, last.channels, y);
        }
        Ok(y)
    }

    fn labels(&self, layer: usize) -> Result<View> {
        self.labels.ok_or_else(|| Error::Layer {
            layer: self.d.layers[layer].spec.name.clone(),
            reason: "a conditional network was given no labels",
        })
    }

    /// Layer `i` on features `[n, …]`.
    fn dense(
        &self,
        r: &mut Recorder,
        tape: &mut Tape,
        i: usize,
        features: View,
        n: usize,
        bias: bool,
    ) -> View {
        let layer = &self.d.layers[i];
        let outputs = layer.rows;
        let inputs = features.len / n;
        let y = tape.dense(r, features, self.weights.effective(i), [n, inputs, outputs]);
        let sizes = Sizes { n, channels: outputs, plane: 1 };
        tape.finish(r, y, layer.bias.filter(|_| bias), sizes, Activation::Identity);
        y
    }

    /// The method's normalization of a map, and the activation.
    fn normalize(
        &self,
        r: &mut Recorder,
        tape: &mut Tape,
        norm: MapNorm,
        x: Map,
        activation: Activation,
    ) -> Map {
        match norm {
            MapNorm::None | MapNorm::Batch(_) => {
                Map { view: tape.activate(r, x.view, activation), ..x }
            }
            MapNorm::OfBatch(beta) => batch_norm(tape, r, x, (None, beta), None, None, activation),
            MapNorm::OfImage(beta) => {
                let y = Map::new(r, x.n, x.channels, x.side);
                let (mean, inv_std) = (r.passing(x.n), r.passing(x.n));
                let sizes = x.sizes();
                let norm =
                    LayerNorm { x: x.view, sizes, beta, y: y.view, mean, inv_std, activation };
                tape.layer_norm(r, norm);
                y
            }
        }
    }
}

/// The pass that makes D's outputs, and keeps every map.
struct Judge<'a> {
    of: Discriminator<'a>,
    tape: &'a mut Tape,
    maps: Vec<Map>,
}

impl Pass for Judge<'_> {
    fn layer(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map> {
        let layer: &Layer = &self.of.d.layers[i];
        let y = linear(self.tape, r, layer, self.of.weights.effective(i), x, None)?;
        let activation = layer.spec.activation;
        let y = match layer.norm {
            MapNorm::None => {
                self.tape.finish(r, y.view, layer.bias, y.sizes(), activation);
                y
            }
            MapNorm::Batch(_) | MapNorm::OfBatch(_) | MapNorm::OfImage(_) => {
                self.tape.finish(r, y.view, layer.bias, y.sizes(), Activation::Identity);
                self.of.normalize(r, self.tape, layer.norm, y, activation)
            }
        };
        self.maps.push(y);
        Ok(y)
    }

    fn point(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map> {
        let point: &Point = &self.of.d.points[i];
        let y = self.of.normalize(r, self.tape, point.norm, x, point.spec.activation);
        self.maps.push(y);
        Ok(y)
    }

    fn concat(&mut self, r: &mut Recorder, i: usize, x: Map) -> Result<Map> {
        let (table, labels) = (self.of.weights.effective(i), self.of.labels(i)?);
        let dim = table.len / self.of.d.layers[i].rows;
        Ok(self.tape.append(r, x, Some((table, labels)), dim))
    }

    fn tape(&mut self) -> &mut Tape {
        self.tape
    }
}

/// The linearized pass, which reads the maps of a forward pass in the same order.
struct Tangent<'a> {
    of: Discriminator<'a>,
    tape: &'a mut Tape,
    maps: std::slice::Iter<'a, Map>,
}

impl Tangent<'_> {
    /// The map that the trace has here, of a layer or point with this normalization.
    fn traced(&mut self, norm: MapNorm) -> Result<Map> {
        match (norm, self.maps.next()) {
            (MapNorm::None, Some(map)) => Ok(*map),
            (MapNorm::Batch(_) | MapNorm::OfBatch(_) | MapNorm::OfImage(_), _) | (_, None) => {
                Err(Error::NotPiecewiseLinear)
            }
        }
    }
}

impl Pass for Tangent<'_> {
    fn layer(&mut self, r: &mut Recorder, i: usize, t: Map) -> Result<Map> {
        let layer: &Layer = &self.of.d.layers[i];
        let of = self.traced(layer.norm)?;
        let y = linear(self.tape, r, layer, self.of.weights.effective(i), t, None)?;
        Ok(Map { view: self.tape.mask(r, y.view, of.view, layer.spec.activation), ..y })
    }

    fn point(&mut self, r: &mut Recorder, i: usize, t: Map) -> Result<Map> {
        let point: &Point = &self.of.d.points[i];
        let of = self.traced(point.norm)?;
        Ok(Map { view: self.tape.mask(r, t.view, of.view, point.spec.activation), ..t })
    }

    fn concat(&mut self, r: &mut Recorder, i: usize, t: Map) -> Result<Map> {
        let dim = self.of.d.layers[i].weight.len / self.of.d.layers[i].rows;
        Ok(self.tape.append(r, t, None, dim))
    }

    fn tape(&mut self) -> &mut Tape {
        self.tape
    }
}
