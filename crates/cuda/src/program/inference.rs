//! Programs without gradients: G's images for scores and samples, and the networks that scores are taken through.

use super::memory::Layout;
use super::network;
use super::parameters::{Parameters, Stored};
use super::tape::{Recorder, Tape};
use crate::Result;
use crate::machine::{Lists, Part};
use crate::op::{Geometry, Op, Product, Sizes, View, Window};
use sngan_core::generate::CHUNK;
use sngan_core::model::Mode;
use sngan_eval::graph::{Filters, Graph, MapSizes, Part as Channels, Step};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Activation, ArchSpec, Z_DIM};

/// G's images of z, in evaluation mode, as many as samples are drawn at a time.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// z, `[100, 128]`.
    pub z: View,
    /// A class of each, with labels.
    pub labels: Option<View>,
    /// The images, `[100, 3, side, side]` in [−1, 1].
    pub images: View,
    /// What makes them.
    pub ops: Vec<Op>,
}

/// Records the images of a generator that is in `g`.
pub(super) fn sampling(
    r: &mut Recorder,
    spec: &RunSpec,
    table: &ArchSpec,
    g: &Parameters,
) -> Result<Sampling> {
    let z = r.buffers.kept(CHUNK * Z_DIM);
    let labels = (spec.n_classes > 0).then(|| r.buffers.kept(CHUNK));
    let images = r.buffers.kept(CHUNK * 3 * spec.side * spec.side);
    let tape = (&mut Tape::default(), Mode::Eval);
    network::generator(r, tape, table, g, (z, CHUNK), labels, images)?;
    Ok(Sampling { z, labels, images, ops: std::mem::take(&mut r.ops) })
}

/// A list without gradients on a memory of its own.
#[derive(Debug, Clone)]
pub struct Inference {
    /// Where buffers lie.
    pub layout: Layout,
    /// The list.
    pub ops: Vec<Op>,
    /// What is written before each run.
    pub inputs: Vec<View>,
    /// What is read after it.
    pub outputs: Vec<View>,
}

impl Lists for Inference {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::Inference]
    }

    fn ops(&self, part: Part) -> Vec<&Op> {
        match part {
            Part::Inference => self.ops.iter().collect(),
            Part::Generator { .. }
            | Part::Discriminator { .. }
            | Part::Average
            | Part::Copies
            | Part::Samples => Vec::new(),
        }
    }

    fn staged(&self) -> Vec<View> {
        Vec::new()
    }
}

impl Inference {
    /// The generator of `spec`: z and, where it reads them, classes in; images out, as [`Sampling`] has them. And its tensors by the names of a
    /// checkpoint.
    ///
    /// # Errors
    /// A spec that is out of range.
    pub fn of_generator(spec: &RunSpec) -> Result<(Inference, Vec<Stored>)> {
        spec.validate()?;
        let (table, mut r) = (spec.layers()?, Recorder::default());
        let g = Parameters::generator(&mut r.buffers, &table.generator)?;
        let Sampling { z, labels, images, ops } = sampling(&mut r, spec, &table, &g)?;
        let layout = r.buffers.place(&[&ops]);
        let inputs = [z].into_iter().chain(labels).collect();
        let tensors = g.trained.into_iter().chain(g.state).collect();
        Ok((Inference { layout, ops, inputs, outputs: vec![images] }, tensors))
    }

    /// A backbone's network: map 0 in; features and logits out. And its constants with their places.
    pub fn of_graph(graph: &Graph) -> (Inference, Vec<(View, &[f32])>) {
        let mut pass = GraphPass::new(graph);
        graph.steps.iter().for_each(|step| pass.step(step));
        let (features, logits) = pass.head();
        let GraphPass { r, maps, constants, .. } = pass;
        let layout = r.buffers.place(&[&r.ops]);
        let (inputs, outputs) = (vec![maps[0]], vec![features, logits]);
        (Inference { layout, ops: r.ops, inputs, outputs }, constants)
    }
}

/// A graph while it is recorded.
struct GraphPass<'a> {
    graph: &'a Graph,
    r: Recorder,
    maps: Vec<View>,
    constants: Vec<(View, &'a [f32])>,
}

impl<'a> GraphPass<'a> {
    fn new(graph: &'a Graph) -> GraphPass<'a> {
        let mut r = Recorder::default();
        let len = |map: &MapSizes| graph.batch * map.channels * map.side * map.side;
        let view = |(i, map): (usize, &MapSizes)| match i {
            0 => r.buffers.kept(len(map)),
            _ => r.buffers.passing(len(map)),
        };
        let maps = graph.maps.iter().enumerate().map(view).collect();
        GraphPass { graph, r, maps, constants: Vec::new() }
    }

    fn constant(&mut self, values: &'a [f32]) -> View {
        let view = self.r.buffers.kept(values.len());
        self.constants.push((view, values));
        view
    }

    fn sizes(&self, channels: usize, map: usize) -> Sizes {
        let side = self.graph.maps[map].side;
        Sizes { n: self.graph.batch, channels, plane: side * side }
    }

    /// Where `channels` channels that go to a part are made: in the map itself, where they are all of it.
    fn made(&mut self, channels: usize, to: Channels) -> View {
        if channels == self.graph.maps[to.map].channels {
            return self.maps[to.map];
        }
        let len = self.sizes(channels, to.map).len();
        self.r.passing(len)
    }

    /// Bias and activation of what was made, on its way to its part.
    fn finished(
        &mut self,
        made: View,
        channels: usize,
        to: Channels,
        bias: Option<View>,
        activation: Activation,
    ) {
        let (sizes, y) = (self.sizes(channels, to.map), self.maps[to.map]);
        if made != y {
            let (all, first) = (self.graph.maps[to.map].channels, to.first);
            let place = Op::Place { x: made, bias, sizes, activation, y, channels: all, first };
            self.r.push(place);
        } else if bias.is_some() || activation != Activation::Identity {
            self.r.push(Op::Finish { y, bias, sizes, activation });
        }
    }

    fn step(&mut self, step: &'a Step) {
        match step {
            Step::Convolve { from, to, filters } => self.convolve(*from, *to, filters),
            Step::Maximum { from, to, stride, padding } => {
                let channels = self.graph.maps[*from].channels;
                let y = self.windows(*from, *to, (*stride, *padding), Window::Maximum);
                self.finished(y, channels, *to, None, Activation::Identity);
            }
            Step::Mean { from, to, bias } => {
                let channels = self.graph.maps[*from].channels;
                let bias = self.constant(bias);
                let y = self.windows(*from, *to, (1, 1), Window::Mean);
                self.finished(y, channels, *to, Some(bias), Activation::Relu);
            }
        }
    }

    fn convolve(&mut self, from: usize, to: Channels, filters: &'a Filters) {
        let Filters { weights, bias, outputs, kernel, stride, padding, relu } = filters;
        let (w, bias) = (self.constant(weights), bias.as_ref().map(|bias| self.constant(bias)));
        let y = self.made(*outputs, to);
        let MapSizes { channels, side } = self.graph.maps[from];
        let geometry = Geometry {
            n: self.graph.batch,
            input: (channels, side),
            output: (*outputs, self.graph.maps[to.map].side),
            kernel: *kernel,
            stride: *stride,
            padding: *padding,
        };
        self.r.push(Op::Conv { x: self.maps[from], w, y, geometry });
        let activation = if *relu { Activation::Relu } else { Activation::Identity };
        self.finished(y, *outputs, to, bias, activation);
    }

    fn windows(
        &mut self,
        from: usize,
        to: Channels,
        (stride, padding): (usize, usize),
        of: Window,
    ) -> View {
        let MapSizes { channels, side } = self.graph.maps[from];
        let (y, out) = (self.made(channels, to), self.graph.maps[to.map].side);
        self.r.push(Op::Windows { x: self.maps[from], y, side, out, stride, padding, of });
        y
    }

    /// Features and logits.
    fn head(&mut self) -> (View, View) {
        let (n, graph) = (self.graph.batch, self.graph);
        let (features, classes) = (graph.features(), graph.classes());
        let pool = self.r.buffers.kept(n * features);
        let logits = self.r.buffers.kept(n * classes);
        let plane = graph.maps[graph.output].side.pow(2);
        let x = self.maps[graph.output];
        self.r.push(Op::Pool { x, y: pool, plane, factor: 1.0 / plane as f64 });
        let w = self.constant(&graph.dense);
        let (m, n, k) = (n, classes, features);
        let product = Product { m, n, k, transpose_a: false, transpose_b: true, alpha: 1.0 };
        self.r.push(Op::Product { a: pool, b: w, c: logits, product, add: false });
        if let Some(bias) = &graph.dense_bias {
            let bias = Some(self.constant(bias));
            let sizes = Sizes { n: m, channels: classes, plane: 1 };
            self.r.push(Op::Finish { y: logits, bias, sizes, activation: Activation::Identity });
        }
        (pool, logits)
    }
}
