//! A GAN's updates as lists of operations.

mod memory;
mod method;
mod network;
mod parameters;
mod tape;
mod update;
mod weights;

pub use memory::Layout;
pub use parameters::Stored;

pub use sngan_core::model::{NORM_EPS, RUNNING_DECAY};

use crate::Result;
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
    /// W̄ by layer, after a measured round.
    pub snapshots: Vec<Snapshot>,
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

    /// Records the updates of `spec`.
    ///
    /// # Errors
    /// A spec that is out of range; a gradient penalty of a D that is not piecewise linear.
    pub fn of(spec: &RunSpec) -> Result<Program> {
        spec.validate()?;
        update::record(spec)
    }
}
