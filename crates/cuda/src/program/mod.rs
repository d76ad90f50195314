//! A GAN's updates as lists of operations.

mod inference;
mod memory;
mod method;
mod network;
mod parameters;
mod places;
mod regularizer;
mod tape;
mod update;
mod weights;

pub use inference::{Inference, Sampling};
pub use memory::Layout;
pub use parameters::Stored;

pub use sngan_core::model::{NORM_EPS, RUNNING_DECAY};

use crate::Result;
use crate::machine::{Lists, Part};
use crate::op::{Op, View};
use sngan_experiment::RunSpec;

/// Keeps the norms of weights off zero.
pub const WEIGHT_EPS: f64 = 1e-12;

/// One network's trained tensors, with their gradients and Adam's moments in buffers of the same layout.
#[derive(Debug, Clone)]
pub struct Network {
    /// Parameters by checkpoint name, in the order of a checkpoint's.
    pub parameters: Vec<Stored>,
    /// Running averages or SN's u.
    pub state: Vec<Stored>,
    /// All parameters.
    pub weights: View,
    /// All running averages or u.
    pub averages: View,
    /// Their gradients.
    pub gradients: View,
    /// First moments.
    pub m: View,
    /// Second moments.
    pub v: View,
    /// Adam's numbers of this step: rate and correction (see [`Op::Adam`]), `[2]`.
    pub scalars: View,
}

impl Network {
    /// The part of `whole`, a buffer of the parameters' layout, that belongs to a parameter.
    pub fn part(&self, whole: View, parameter: &Stored) -> View {
        whole.narrow(parameter.view.offset, parameter.view.len)
    }
}

/// G's moving average.
#[derive(Debug, Clone)]
pub struct MovingAverage {
    /// By the names of a checkpoint without `ema.`.
    pub tensors: Vec<Stored>,
    /// The buffers that they are parts of: as G's of parameters, and of running averages.
    pub wholes: [View; 2],
    /// The operations, after each generator update with its rounds.
    pub ops: Vec<Op>,
}

/// Operations of one update; those between `measured.0` and `measured.1` are needed only where it is measured in detail.
#[derive(Debug, Clone)]
pub struct Update {
    /// In order.
    pub ops: Vec<Op>,
    /// See above.
    pub measured: (usize, usize),
}

impl Update {
    /// The operations of an update, detailed or not.
    pub fn run(&self, detailed: bool) -> impl Iterator<Item = &Op> {
        let (from, to) = self.measured;
        let end = if detailed { to } else { from };
        self.ops[..end].iter().chain(&self.ops[to..])
    }
}

/// What a generator update reads.
#[derive(Debug, Clone)]
pub struct GeneratorInputs {
    /// z, `[gen_batch, 128]`.
    pub z: View,
    /// A class of each, with labels.
    pub labels: Option<View>,
}

/// What a round of D reads.
#[derive(Debug, Clone)]
pub struct DiscriminatorInputs {
    /// Real images, `[piece, 3, side, side]` for each piece of the batch, one after the other.
    pub real: Vec<View>,
    /// Their classes, for each piece.
    pub real_labels: Vec<View>,
    /// z, `[batch, 128]`.
    pub z: View,
    /// Classes of the generated images, for each piece.
    pub fake_labels: Vec<View>,
    /// The penalty's ε, `[batch]`.
    pub epsilon: Option<View>,
}

/// What an update finds out, one number each.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// All of them.
    pub whole: View,
    /// D's adversarial loss.
    pub loss_d: View,
    /// The regularizer.
    pub loss_reg: View,
    /// G's loss.
    pub loss_g: View,
    /// Mean D(x).
    pub d_real: View,
    /// Mean D(G(z)).
    pub d_fake: View,
    /// The classifier's loss on real images.
    pub loss_class_d: View,
    /// On generated ones.
    pub loss_class_g: View,
    /// Mean ‖∇D(x̂)‖.
    pub grad_norm_x_hat: View,
    /// Squared norm of D's gradient, where measured.
    pub grad_square_d: View,
    /// Of G's.
    pub grad_square_g: View,
}

/// W̄ of one layer of D, as the last forward of a measured round used it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The layer's name.
    pub layer: String,
    /// Where it is, in the shape of the weight.
    pub view: View,
    /// Rows and columns of the matrix.
    pub shape: (usize, usize),
}

/// What a measured update leaves to be measured, in one buffer: a GPU copies it to the host as a whole, beside the updates that follow.
#[derive(Debug, Clone)]
pub struct Copies {
    /// All of it.
    pub whole: View,
    /// The record.
    pub record: View,
    /// W̄ by layer, written by the measured round itself.
    pub normalized: Vec<Snapshot>,
    /// Both networks' parameters and state as the update leaves them.
    pub networks: Vec<Stored>,
    /// What copies the record and the networks, after the update.
    pub ops: Vec<Op>,
}

/// A spec's updates on one flat memory.
#[derive(Debug, Clone)]
pub struct Program {
    /// What was recorded.
    pub spec: RunSpec,
    /// Where buffers lie.
    pub layout: Layout,
    /// G.
    pub generator: Network,
    /// D.
    pub discriminator: Network,
    /// G's moving average, where the spec has one.
    pub average: Option<MovingAverage>,
    /// One generator update.
    pub generator_update: Update,
    /// One round of D.
    pub discriminator_update: Update,
    /// What the first reads.
    pub generator_inputs: GeneratorInputs,
    /// What the second reads.
    pub discriminator_inputs: DiscriminatorInputs,
    /// What both find out.
    pub record: Record,
    /// What a measured update leaves.
    pub copies: Copies,
    /// Images of G, or of its average.
    pub sampling: Sampling,
}

impl Program {
    /// The views that are written from outside before updates.
    pub fn inputs(&self) -> Vec<View> {
        let (g, d) = (&self.generator_inputs, &self.discriminator_inputs);
        let mut views = vec![g.z, d.z, self.generator.scalars, self.discriminator.scalars];
        views.extend(d.real.iter().chain(&d.real_labels).chain(&d.fake_labels));
        views.extend(g.labels.into_iter().chain(d.epsilon));
        views
    }

    /// The largest pieces of D's and G's batches, in halves of halves, whose program fits into `free` bytes.
    fn smaller(&self, free: usize) -> Option<[usize; 2]> {
        let spec = &self.spec;
        let pieces = |n: usize| {
            (spec.batch.is_multiple_of(n) && spec.gen_batch.is_multiple_of(n))
                .then(|| [spec.batch / n, spec.gen_batch / n])
        };
        let halves = std::iter::successors(Some(2), |n| Some(2 * n)).map_while(pieces);
        halves.into_iter().find(|[dis_micro_batch, gen_micro_batch]| {
            let (dis_micro_batch, gen_micro_batch) = (*dis_micro_batch, *gen_micro_batch);
            let smaller = RunSpec { dis_micro_batch, gen_micro_batch, ..spec.clone() };
            Program::of(&smaller).is_ok_and(|p| 4 * p.layout.len() <= free)
        })
    }

    /// Records the updates of `spec`.
    ///
    /// # Errors
    /// A spec that is out of range; a gradient penalty of a D that is not piecewise linear.
    pub fn of(spec: &RunSpec) -> Result<Program> {
        spec.validate()?;
        update::record(spec)
    }
}

impl Lists for Program {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for detailed in [false, true] {
            parts.extend([Part::Generator { detailed }, Part::Discriminator { detailed }]);
        }
        parts.extend(self.average.iter().map(|_| Part::Average));
        parts.extend([Part::Copies, Part::Samples]);
        parts
    }

    fn ops(&self, part: Part) -> Vec<&Op> {
        match part {
            Part::Generator { detailed } => self.generator_update.run(detailed).collect(),
            Part::Discriminator { detailed } => self.discriminator_update.run(detailed).collect(),
            Part::Average => self.average.iter().flat_map(|a| &a.ops).collect(),
            Part::Copies => self.copies.ops.iter().collect(),
            Part::Samples => self.sampling.ops.iter().collect(),
            Part::Inference => Vec::new(),
        }
    }

    fn staged(&self) -> Vec<View> {
        self.inputs().into_iter().chain([self.record.whole]).collect()
    }

    fn copied(&self) -> usize {
        self.copies.whole.len
    }

    fn fitting(&self, free: usize) -> Option<[usize; 2]> {
        self.smaller(free)
    }
}
