//! Recording operations with their gradients.
//!
//! A [`Tape`] records what a pass does; [`Tape::backward`] then appends the gradients' operations in reverse. Gradients are asked for by
//! view: those of parameters go to the places that [`Gradients`] was given, the others to passing buffers.

use super::memory::Buffers;
use crate::op::{BatchNorm, Geometry, LayerNorm, Op, Product, Sizes, View};
use sngan_experiment::arch::Activation;
use std::collections::{BTreeMap, BTreeSet};

/// The operations so far, and the buffers that they use.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) buffers: Buffers,
    pub(super) ops: Vec<Op>,
}

impl Recorder {
    pub(super) fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// A new passing buffer.
    pub(super) fn passing(&mut self, len: usize) -> View {
        self.buffers.passing(len)
    }
}

/// A map `[n, channels, side, side]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) view: View,
    pub(super) n: usize,
    pub(super) channels: usize,
    pub(super) side: usize,
}

impl Map {
    pub(super) fn sizes(self) -> Sizes {
        Sizes { n: self.n, channels: self.channels, plane: self.side * self.side }
    }

    /// A new passing map.
    pub(super) fn new(recorder: &mut Recorder, n: usize, channels: usize, side: usize) -> Map {
        let view = recorder.passing(n * channels * side * side);
        Map { view, n, channels, side }
    }
}

/// Where gradients are, and which have been written.
#[derive(Debug, Default)]
pub(super) struct Gradients {
    places: BTreeMap<View, View>,
    written: BTreeSet<View>,
}

impl Gradients {
    /// The gradient of `of` goes to `place`.
    pub(super) fn assign(&mut self, of: View, place: View) {
        self.places.insert(of, place);
    }

    /// That of `of` has been written to `place` by hand.
    pub(super) fn seed(&mut self, of: View, place: View) {
        self.places.insert(of, place);
        self.written.insert(of);
    }

    /// Where `of`'s gradient is to be written, and whether it is to be added to what is there.
    pub(super) fn target(&mut self, recorder: &mut Recorder, of: View) -> (View, bool) {
        let place = *self.places.entry(of).or_insert_with(|| recorder.passing(of.len));
        (place, !self.written.insert(of))
    }

    /// `of`'s gradient, if anything has been written to it.
    pub(super) fn of(&self, of: View) -> Option<View> {
        if self.written.contains(&of) { self.places.get(&of).copied() } else { None }
    }
}

/// One recorded operation with a gradient.
#[derive(Debug, Clone)]
enum Node {
    Conv { x: View, w: View, y: View, geometry: Geometry },
    Deconv { x: View, w: View, y: View, geometry: Geometry },
    Dense { x: View, w: View, y: View, n: usize, inputs: usize, outputs: usize },
    Finish { y: View, bias: Option<View>, sizes: Sizes, activation: Activation },
    Mask { x: View, of: View, activation: Activation, y: View },
    BatchNorm(BatchNorm),
    LayerNorm(LayerNorm),
    Pool { x: View, y: View, plane: usize, factor: f64 },
    Upsample { x: View, y: View, side: usize },
    AveragePool { x: View, y: View, side: usize },
    Add { a: View, b: View, y: View },
    Append { x: View, sizes: Sizes, table: Option<(View, View)>, dim: usize, y: View },
    Project { features: View, table: View, labels: View, dim: usize, y: View },
}

/// What a pass did, for its gradients; only what depends on a tracked view.
#[derive(Debug, Default)]
pub(super) struct Tape {
    nodes: Vec<Node>,
    tracked: BTreeSet<View>,
}

impl Tape {
    /// Gradients with respect to `views` are wanted.
    pub(super) fn track(&mut self, views: impl IntoIterator<Item = View>) {
        self.tracked.extend(views);
    }

    fn tracks(&self, view: View) -> bool {
        self.tracked.contains(&view)
    }

    /// Keeps `node` if any of `inputs` is tracked; then its output `y` is too.
    fn keep(&mut self, inputs: &[View], y: View, node: Node) {
        if inputs.iter().any(|input| self.tracks(*input)) {
            self.tracked.insert(y);
            self.nodes.push(node);
        }
    }

    pub(super) fn conv(&mut self, r: &mut Recorder, x: View, w: View, y: View, geometry: Geometry) {
        r.push(Op::Conv { x, w, y, geometry });
        self.keep(&[x, w], y, Node::Conv { x, w, y, geometry });
    }

    /// A transposed convolution; `geometry` is that of the convolution whose adjoint it is, from `y` to `x`.
    pub(super) fn deconv(
        &mut self,
        r: &mut Recorder,
        x: View,
        w: View,
        y: View,
        geometry: Geometry,
    ) {
        r.push(Op::ConvData { dy: x, w, dx: y, geometry, add: false });
        self.keep(&[x, w], y, Node::Deconv { x, w, y, geometry });
    }

    /// `y = x·wᵀ` for `x` `[n, inputs]`, `w` `[outputs, inputs]`.
    pub(super) fn dense(
        &mut self,
        r: &mut Recorder,
        x: View,
        w: View,
        [n, inputs, outputs]: [usize; 3],
    ) -> View {
        let y = r.passing(n * outputs);
        let product = Product {
            m: n,
            n: outputs,
            k: inputs,
            transpose_a: false,
            transpose_b: true,
            alpha: 1.0,
        };
        r.push(Op::Product { a: x, b: w, c: y, product, add: false });
        self.keep(&[x, w], y, Node::Dense { x, w, y, n, inputs, outputs });
        y
    }

    /// Bias and activation in place; nothing where there is neither.
    pub(super) fn finish(
        &mut self,
        r: &mut Recorder,
        y: View,
        bias: Option<View>,
        sizes: Sizes,
        activation: Activation,
    ) {
        if bias.is_none() && activation == Activation::Identity {
            return;
        }
        r.push(Op::Finish { y, bias, sizes, activation });
        let inputs: Vec<View> = bias.into_iter().chain([y]).collect();
        self.keep(&inputs, y, Node::Finish { y, bias, sizes, activation });
    }

    /// The activation of `x` in a view of its own; `x` itself where there is none.
    pub(super) fn activate(&mut self, r: &mut Recorder, x: View, activation: Activation) -> View {
        if activation == Activation::Identity {
            return x;
        }
        let y = r.passing(x.len);
        r.push(Op::Activate { x, y, activation });
        // Its derivative is read from its output.
        self.keep(&[x], y, Node::Mask { x, of: y, activation, y });
        y
    }

    /// `x` times the activation's derivative where its output was `of`, in a view of its own.
    pub(super) fn mask(
        &mut self,
        r: &mut Recorder,
        x: View,
        of: View,
        activation: Activation,
    ) -> View {
        if activation == Activation::Identity {
            return x;
        }
        let y = r.passing(x.len);
        r.push(Op::Mask { x, of, activation, y, add: false });
        self.keep(&[x], y, Node::Mask { x, of, activation, y });
        y
    }

    pub(super) fn batch_norm(
        &mut self,
        r: &mut Recorder,
        norm: BatchNorm,
        running: Option<(View, View)>,
    ) {
        r.push(Op::BatchNorm { norm, running });
        let inputs: Vec<View> = norm.gamma.into_iter().chain([norm.x, norm.beta]).collect();
        self.keep(&inputs, norm.y, Node::BatchNorm(norm));
    }

    pub(super) fn layer_norm(&mut self, r: &mut Recorder, norm: LayerNorm) {
        r.push(Op::LayerNorm { norm });
        self.keep(&[norm.x, norm.beta], norm.y, Node::LayerNorm(norm));
    }

    /// `factor·Σ` over the plane, `[n, channels]`.
    pub(super) fn pool(&mut self, r: &mut Recorder, x: Map, factor: f64) -> View {
        let (y, plane) = (r.passing(x.n * x.channels), x.side * x.side);
        r.push(Op::Pool { x: x.view, y, plane, factor });
        self.keep(&[x.view], y, Node::Pool { x: x.view, y, plane, factor });
        y
    }

    pub(super) fn upsample(&mut self, r: &mut Recorder, x: Map) -> Map {
        let y = Map::new(r, x.n, x.channels, 2 * x.side);
        let (from, to, side) = (x.view, y.view, x.side);
        r.push(Op::Upsample { x: from, y: to, side, factor: 1.0, add: false });
        self.keep(&[from], to, Node::Upsample { x: from, y: to, side });
        y
    }

    pub(super) fn average_pool(&mut self, r: &mut Recorder, x: Map) -> Map {
        let y = Map::new(r, x.n, x.channels, x.side / 2);
        let (from, to, side) = (x.view, y.view, y.side);
        r.push(Op::Downsample { x: from, y: to, side, factor: 0.25, add: false });
        self.keep(&[from], to, Node::AveragePool { x: from, y: to, side });
        y
    }

    pub(super) fn add(&mut self, r: &mut Recorder, a: Map, b: Map) -> Map {
        let y = Map::new(r, a.n, a.channels, a.side);
        let (a, b) = (a.view, b.view);
        r.push(Op::Add { a, b, y: y.view });
        self.keep(&[a, b], y.view, Node::Add { a, b, y: y.view });
        y
    }

    /// `x` with rows of `table` (and its labels) appended to its channels, or with zeros.
    pub(super) fn append(
        &mut self,
        r: &mut Recorder,
        x: Map,
        table: Option<(View, View)>,
        dim: usize,
    ) -> Map {
        let y = Map::new(r, x.n, x.channels + dim, x.side);
        let (from, sizes, to) = (x.view, x.sizes(), y.view);
        r.push(Op::Append { x: from, sizes, table, dim, y: to });
        let inputs: Vec<View> = table.map(|(t, _)| t).into_iter().chain([from]).collect();
        self.keep(&inputs, to, Node::Append { x: from, sizes, table, dim, y: to });
        y
    }

    /// Adds ⟨features, the label's row⟩ to `y`.
    pub(super) fn project(
        &mut self,
        r: &mut Recorder,
        features: View,
        (table, labels): (View, View),
        dim: usize,
        y: View,
    ) {
        r.push(Op::Project { features, table, labels, dim, y });
        self.keep(&[features, table, y], y, Node::Project { features, table, labels, dim, y });
    }

    /// Appends the operations of the gradients, from those that are seeded in `gradients`.
    pub(super) fn backward(self, r: &mut Recorder, gradients: &mut Gradients) {
        for node in self.nodes.iter().rev() {
            self.back(node, r, gradients);
        }
    }

    /// The target of `of`'s gradient, where it is wanted.
    fn wanted(&self, r: &mut Recorder, g: &mut Gradients, of: View) -> Option<(View, bool)> {
        self.tracks(of).then(|| g.target(r, of))
    }

    fn back(&self, node: &Node, r: &mut Recorder, g: &mut Gradients) {
        match *node {
            Node::Conv { x, w, y, geometry } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dw, add)) = self.wanted(r, g, w) {
                    r.push(Op::ConvFilter { x, dy, dw, geometry, add });
                }
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    r.push(Op::ConvData { dy, w, dx, geometry, add });
                }
            }
            Node::Deconv { x, w, y, geometry } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dw, add)) = self.wanted(r, g, w) {
                    r.push(Op::ConvFilter { x: dy, dy: x, dw, geometry, add });
                }
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    self.forward_as_gradient(r, dy, w, dx, geometry, add);
                }
            }
            Node::Dense { x, w, y, n, inputs, outputs } => {
                let Some(dy) = g.of(y) else { return };
                let product = |m, n, k, transpose_a| Product {
                    m,
                    n,
                    k,
                    transpose_a,
                    transpose_b: false,
                    alpha: 1.0,
                };
                if let Some((dw, add)) = self.wanted(r, g, w) {
                    let product = product(outputs, inputs, n, true);
                    r.push(Op::Product { a: dy, b: x, c: dw, product, add });
                }
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    let product = product(n, inputs, outputs, false);
                    r.push(Op::Product { a: dy, b: w, c: dx, product, add });
                }
            }
            Node::Finish { y, bias, sizes, activation } => {
                let Some(dy) = g.of(y) else { return };
                let dbias = bias.and_then(|bias| self.wanted(r, g, bias));
                if dbias.is_some() || activation != Activation::Identity {
                    r.push(Op::FinishBackward { y, dy, sizes, activation, dbias });
                }
            }
            Node::Mask { x, of, activation, y } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    r.push(Op::Mask { x: dy, of, activation, y: dx, add });
                }
            }
            Node::BatchNorm(norm) => {
                let Some(dy) = g.of(norm.y) else { return };
                let dx = self.wanted(r, g, norm.x);
                let dgamma = norm.gamma.and_then(|gamma| self.wanted(r, g, gamma));
                let dbeta = self.wanted(r, g, norm.beta);
                r.push(Op::BatchNormBackward { norm, dy, dx, dgamma, dbeta });
            }
            Node::LayerNorm(norm) => {
                let Some(dy) = g.of(norm.y) else { return };
                let (dx, dbeta) = (self.wanted(r, g, norm.x), self.wanted(r, g, norm.beta));
                r.push(Op::LayerNormBackward { norm, dy, dx, dbeta });
            }
            Node::Pool { x, y, plane, factor } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    r.push(Op::Spread { dy, dx, plane, factor, add });
                }
            }
            Node::Upsample { x, y, side } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    r.push(Op::Downsample { x: dy, y: dx, side, factor: 1.0, add });
                }
            }
            Node::AveragePool { x, y, side } => {
                let Some(dy) = g.of(y) else { return };
                if let Some((dx, add)) = self.wanted(r, g, x) {
                    r.push(Op::Upsample { x: dy, y: dx, side, factor: 0.25, add });
                }
            }
            // Each gets a gradient of its own: an operation before may change it in place.
            Node::Add { a, b, y } => {
                let Some(dy) = g.of(y) else { return };
                for branch in [a, b] {
                    if let Some((out, add)) = self.wanted(r, g, branch) {
                        r.push(Op::Copy { x: dy, out, add });
                    }
                }
            }
            Node::Append { x, sizes, table, dim, y } => {
                let Some(dy) = g.of(y) else { return };
                let dx = self.wanted(r, g, x);
                let dtable = table.and_then(|(table, labels)| {
                    self.wanted(r, g, table).map(|(d, add)| (d, labels, add))
                });
                r.push(Op::AppendBackward { dy, sizes, dim, dx, dtable });
            }
            Node::Project { features, table, labels, dim, y } => {
                let Some(dy) = g.of(y) else { return };
                let (dfeatures, dtable) = (self.wanted(r, g, features), self.wanted(r, g, table));
                r.push(Op::ProjectBackward { features, table, labels, dim, dy, dfeatures, dtable });
            }
        }
    }

    /// `dx (+)= dy ⋆ w`: a transposed convolution's gradient in its input is a convolution, which replaces what it writes to.
    fn forward_as_gradient(
        &self,
        r: &mut Recorder,
        dy: View,
        w: View,
        dx: View,
        geometry: Geometry,
        add: bool,
    ) {
        let y = if add { r.passing(dx.len) } else { dx };
        r.push(Op::Conv { x: dy, w, y, geometry });
        if add {
            r.push(Op::Copy { x: y, out: dx, add: true });
        }
    }
}
