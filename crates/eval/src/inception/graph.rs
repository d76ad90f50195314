//! The table with its weights as steps on maps.

use super::network::{Block, Branch, LOGITS, Network, POOL};
use super::resize::SIDE;
use super::weights::Folded;
use crate::graph::{Filters, Graph, MapSizes, Part, Step};

/// Images of a pass: maps of 147x147 pixels and 64 channels then take 270 MiB.
const BATCH: usize = 50;

/// The network of `layers` and the dense layer's weight `[1008, 2048]`.
pub(super) fn of(layers: Network<Folded>, dense: Vec<f32>) -> Graph {
    debug_assert_eq!(dense.len(), LOGITS * POOL);
    let mut graph = Graph::new(BATCH, MapSizes { channels: 3, side: SIDE });
    let mut from = 0;
    for stem in [layers.first, layers.second] {
        from = stem.into_iter().fold(from, |from, layer| graph.convolve(from, relu(layer)));
        let MapSizes { channels, side } = graph.maps[from];
        let map = graph.map(channels, halved(side));
        graph.steps.push(Step::Maximum { from, to: Part { map, first: 0 }, stride: 2, padding: 0 });
        from = map;
    }
    for layers in layers.middle.into_iter().chain(layers.last) {
        from = block(&mut graph, layers, from);
    }
    graph.output = from;
    graph.dense = dense;
    graph
}

/// Side of a plane after windows of 3x3 at stride 2.
fn halved(side: usize) -> usize {
    (side - 3) / 2 + 1
}

fn filters(layer: Folded, biased: bool) -> Filters {
    let Folded { shape, weights, bias } = layer;
    Filters {
        weights,
        bias: biased.then_some(bias),
        outputs: shape.out_channels,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        relu: biased,
    }
}

fn relu(layer: Folded) -> Filters {
    filters(layer, true)
}

/// Appends a block on a map; the number of its output, into which each branch writes its channels.
fn block(graph: &mut Graph, block: Block<Folded>, from: usize) -> usize {
    let halves = block.branches.iter().any(|b| matches!(b, Branch::Subsample));
    let MapSizes { channels, side } = graph.maps[from];
    let map = graph.map(block.out_channels, if halves { halved(side) } else { side });
    let mut to = Part { map, first: 0 };
    for branch in block.branches {
        match branch {
            Branch::Chain { trunk, heads } => {
                let end = trunk.into_iter().fold(from, |x, layer| graph.convolve(x, relu(layer)));
                for head in heads {
                    let filters = relu(head);
                    let outputs = filters.outputs;
                    graph.steps.push(Step::Convolve { from: end, to, filters });
                    to.first += outputs;
                }
            }
            Branch::Mean(layer) => {
                // The mean of a 1x1 filter's outputs is the filter of the means, and has fewer channels.
                let (bias, outputs) = (layer.bias.clone(), layer.shape.out_channels);
                let plain = graph.convolve(from, filters(layer, false));
                graph.steps.push(Step::Mean { from: plain, to, bias });
                to.first += outputs;
            }
            Branch::Maximum(layer) => {
                let largest = Part { map: graph.map(channels, side), first: 0 };
                graph.steps.push(Step::Maximum { from, to: largest, stride: 1, padding: 1 });
                let filters = relu(layer);
                let outputs = filters.outputs;
                graph.steps.push(Step::Convolve { from: largest.map, to, filters });
                to.first += outputs;
            }
            Branch::Subsample => {
                graph.steps.push(Step::Maximum { from, to, stride: 2, padding: 0 });
                to.first += channels;
            }
        }
    }
    map
}
