//! The buffers of a program besides parameters: what an optimizer keeps, records, inputs, the moving average, copies of what is measured.

use super::memory::Buffers;
use super::parameters::{Layer, Parameters};
use super::{
    Copies, DiscriminatorInputs, GeneratorInputs, MovingAverage, Network, Record, Snapshot, Stored,
};
use crate::op::{Op, View};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::Z_DIM;

/// The pieces of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    pub(super) size: usize,
    pub(super) count: usize,
}

impl Pieces {
    /// `micro` images each; 0 for all of them in one piece.
    pub(super) fn of(batch: usize, micro: usize) -> Pieces {
        let size = if micro == 0 { batch } else { micro };
        Pieces { size, count: batch / size }
    }

    /// A piece's weight in the mean over the batch.
    pub(super) fn share(self) -> f64 {
        1.0 / self.count as f64
    }
}

/// A network's tensors, with buffers for what an optimizer keeps of them.
pub(super) fn network(buffers: &mut Buffers, parameters: &Parameters) -> Network {
    let whole = parameters.whole;
    Network {
        parameters: parameters.trained.clone(),
        state: parameters.state.clone(),
        weights: whole,
        averages: parameters.whole_state,
        gradients: buffers.kept(whole.len),
        m: buffers.kept(whole.len),
        v: buffers.kept(whole.len),
        scalars: buffers.kept(2),
    }
}

/// A number for each of a record.
pub(super) fn record(buffers: &mut Buffers) -> Record {
    let all = buffers.kept(10);
    let at = |i| all.narrow(i, 1);
    Record {
        whole: all,
        loss_d: at(0),
        loss_reg: at(1),
        loss_g: at(2),
        d_real: at(3),
        d_fake: at(4),
        loss_class_d: at(5),
        loss_class_g: at(6),
        grad_norm_x_hat: at(7),
        grad_square_d: at(8),
        grad_square_g: at(9),
    }
}

pub(super) fn generator_inputs(buffers: &mut Buffers, spec: &RunSpec) -> GeneratorInputs {
    GeneratorInputs {
        z: buffers.kept(spec.gen_batch * Z_DIM),
        labels: (spec.n_classes > 0).then(|| buffers.kept(spec.gen_batch)),
    }
}

/// A piece's real and generated images one after the other, and their classes.
pub(super) struct Pair {
    pub(super) images: View,
    pub(super) labels: Option<View>,
}

pub(super) fn discriminator_inputs(
    buffers: &mut Buffers,
    spec: &RunSpec,
) -> (DiscriminatorInputs, Vec<Pair>) {
    let pieces = Pieces::of(spec.batch, spec.dis_micro_batch);
    let image = 3 * spec.side * spec.side;
    let pairs: Vec<Pair> = (0..pieces.count)
        .map(|_| Pair {
            images: buffers.kept(2 * pieces.size * image),
            labels: (spec.n_classes > 0).then(|| buffers.kept(2 * pieces.size)),
        })
        .collect();
    let labels = |start: usize| -> Vec<View> {
        pairs.iter().filter_map(|p| Some(p.labels?.narrow(start, pieces.size))).collect()
    };
    let inputs = DiscriminatorInputs {
        real: pairs.iter().map(|p| p.images.narrow(0, pieces.size * image)).collect(),
        real_labels: labels(0),
        fake_labels: labels(pieces.size),
        z: buffers.kept(spec.batch * Z_DIM),
        epsilon: spec.regularizer.draws_epsilon().then(|| buffers.kept(spec.batch)),
    };
    (inputs, pairs)
}

pub(super) fn average(
    buffers: &mut Buffers,
    spec: &RunSpec,
    g: &Parameters,
) -> Option<MovingAverage> {
    if spec.gen_ema == 0.0 {
        return None;
    }
    let (mut tensors, mut ops) = (Vec::new(), Vec::new());
    let wholes = [g.whole, g.whole_state].map(|whole| buffers.kept(whole.len));
    let own = [(g.whole, &g.trained), (g.whole_state, &g.state)];
    for (e, (whole, parts)) in wholes.into_iter().zip(own) {
        tensors.extend(parts.iter().map(|part| Stored {
            view: e.narrow(part.view.offset, part.view.len),
            ..part.clone()
        }));
        ops.push(Op::Average { e, w: whole, decay: spec.gen_ema });
    }
    Some(MovingAverage { tensors, wholes, ops })
}

/// Where a measured update leaves what is measured.
pub(super) fn copies(
    buffers: &mut Buffers,
    record: &Record,
    g: &Parameters,
    d: &Parameters,
) -> Copies {
    let wholes = [g.whole, g.whole_state, d.whole, d.whole_state];
    let lens: Vec<usize> = d
        .layers
        .iter()
        .map(|layer| layer.weight.len)
        .chain(wholes.iter().chain([&record.whole]).map(|view| view.len))
        .collect();
    let (whole, views) = buffers.parts(&lens);
    let (normalized, rest) = views.split_at(d.layers.len());
    let snapshot = |(layer, view): (&Layer, &View)| Snapshot {
        layer: layer.spec.name.clone(),
        view: *view,
        shape: (layer.rows, layer.weight.len / layer.rows),
    };
    let mut ops = Vec::new();
    let mut copy = |x: View, out: View| {
        if x.len > 0 {
            ops.push(Op::Copy { x, out, add: false });
        }
    };
    let mut networks = Vec::new();
    let tensors = [&g.trained, &g.state, &d.trained, &d.state];
    for ((of, place), tensors) in wholes.into_iter().zip(rest).zip(tensors) {
        copy(of, *place);
        networks.extend(tensors.iter().map(|t| Stored {
            view: place.narrow(t.view.offset - of.offset, t.view.len),
            ..t.clone()
        }));
    }
    let of_record = rest[wholes.len()];
    copy(record.whole, of_record);
    Copies {
        whole,
        record: of_record,
        normalized: d.layers.iter().zip(normalized).map(snapshot).collect(),
        networks,
        ops,
    }
}
