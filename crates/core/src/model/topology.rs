//! A network's topology, from its table of steps: which layer, by number, comes when. Every pass over a network walks the same topology.

use crate::Result;
use sngan_experiment::arch::{LayerSpec, PointSpec, Step};
use sngan_tensor::ops::{self, FeatureMap};

/// One step of a topology; numbers count layers and points in the order in which a pass comes to them.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A layer with a weight.
    Layer(usize),
    /// A normalization and activation without one.
    Point(usize),
    Upsample,
    AveragePool,
    /// Appended features, from the layer with this number.
    Concat(usize),
    /// The sum of two branches.
    Block {
        residual: Vec<Node>,
        shortcut: Vec<Node>,
    },
}

/// The layers and points of a network, and in which order they are walked.
#[derive(Debug, Clone, Default)]
pub(super) struct Topology {
    pub(super) nodes: Vec<Node>,
    pub(super) layers: Vec<LayerSpec>,
    pub(super) points: Vec<PointSpec>,
}

impl Topology {
    /// The topology of `steps`.
    pub(super) fn of(steps: Vec<Step>) -> Topology {
        let mut topology = Topology::default();
        topology.nodes = topology.take(steps);
        topology
    }

    fn take(&mut self, steps: Vec<Step>) -> Vec<Node> {
        let node = |step| match step {
            Step::Layer(layer) => Node::Layer(self.layer(layer)),
            Step::Concat(layer) => Node::Concat(self.layer(layer)),
            Step::Point(point) => {
                self.points.push(point);
                Node::Point(self.points.len() - 1)
            }
            Step::Upsample => Node::Upsample,
            Step::AveragePool => Node::AveragePool,
            // The residual first, as the table counts.
            Step::Block(block) => Node::Block {
                residual: self.take(block.residual),
                shortcut: self.take(block.shortcut),
            },
        };
        steps.into_iter().map(node).collect()
    }

    fn layer(&mut self, layer: LayerSpec) -> usize {
        self.layers.push(layer);
        self.layers.len() - 1
    }
}

/// What a pass does at the steps that have parameters.
pub(super) trait Pass {
    /// Layer `i` on `x`, with what follows it.
    fn layer(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap>;
    /// Point `i` on `x`.
    fn point(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap>;
    /// `x` with the features of layer `i` appended.
    fn concat(&mut self, i: usize, x: &FeatureMap) -> Result<FeatureMap>;
}

/// Walks `nodes` from `x`.
pub(super) fn walk(nodes: &[Node], x: &FeatureMap, pass: &mut impl Pass) -> Result<FeatureMap> {
    let mut x = x.clone();
    for node in nodes {
        x = match node {
            Node::Layer(i) => pass.layer(*i, &x)?,
            Node::Point(i) => pass.point(*i, &x)?,
            Node::Concat(i) => pass.concat(*i, &x)?,
            Node::Upsample => ops::upsample(&x)?,
            Node::AveragePool => ops::average_pool(&x)?,
            Node::Block { residual, shortcut } => {
                let residual = walk(residual, &x, pass)?;
                ops::add(&residual, &walk(shortcut, &x, pass)?)?
            }
        };
    }
    Ok(x)
}
