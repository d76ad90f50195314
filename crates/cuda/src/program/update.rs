//! One update of G and one of D, in one piece or in pieces whose gradients are added up: the order of operations is that of
//! `sngan_core::trainer`.

use super::inference;
use super::method::Method;
use super::network::{self, Discriminator};
use super::parameters::Parameters;
use super::places::{self, Pair, Pieces};
use super::tape::{Gradients, Map, Recorder, Tape};
use super::weights::{Iterate, Weights};
use super::{
    Copies, DiscriminatorInputs, GeneratorInputs, MovingAverage, Network, Program, Record,
    Snapshot, Update,
};
use crate::Result;
use crate::op::{Op, PARTS, View};
use sngan_core::model::Mode;
use sngan_experiment::arch::{ArchSpec, Z_DIM};
use sngan_experiment::{AdamEpsilon, PowerIteration, RunSpec};

/// What recording needs of the whole program.
pub(super) struct Session<'a> {
    pub(super) spec: &'a RunSpec,
    pub(super) method: Method,
    pub(super) table: ArchSpec,
    pub(super) g: Parameters,
    pub(super) d: Parameters,
    pub(super) r: Recorder,
    pub(super) record: Record,
}

/// Images of one kind, with their classes.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) images: Map,
    pub(super) labels: Option<View>,
}

pub(super) fn record(spec: &RunSpec) -> Result<Program> {
    let (table, method) = (spec.layers()?, Method::of(spec)?);
    let mut r = Recorder::default();
    let g = Parameters::generator(&mut r.buffers, &table.generator)?;
    let d = Parameters::discriminator(&mut r.buffers, spec, method)?;
    let [generator, discriminator] = [&g, &d].map(|p| places::network(&mut r.buffers, p));
    let record = places::record(&mut r.buffers);
    let generator_inputs = places::generator_inputs(&mut r.buffers, spec);
    let (discriminator_inputs, pairs) = places::discriminator_inputs(&mut r.buffers, spec);
    let average = places::average(&mut r.buffers, spec, &g);
    let copies = places::copies(&mut r.buffers, &record, &g, &d);
    let mut session = Session { spec, method, table, g, d, r, record };
    let generator_update = session.generator_update(&generator, &generator_inputs)?;
    let discriminator_update =
        session.discriminator_update(&discriminator, &discriminator_inputs, &pairs, &copies)?;
    let sampled = match &average {
        Some(MovingAverage { wholes: [whole, state], .. }) => session.g.moved(*whole, *state),
        None => session.g.clone(),
    };
    let sampling = inference::sampling(&mut session.r, spec, &session.table, &sampled)?;
    let lists = [&generator_update.ops[..], &discriminator_update.ops, &sampling.ops];
    let layout = session.r.buffers.place(&lists);
    Ok(Program {
        spec: spec.clone(),
        layout,
        generator,
        discriminator,
        average,
        generator_update,
        discriminator_update,
        generator_inputs,
        discriminator_inputs,
        record,
        copies,
        sampling,
    })
}

impl Session<'_> {
    /// Gradients of a network's parameters go to their places; those that nothing writes to are 0.
    fn gradients(&self, network: &Network) -> Gradients {
        let mut gradients = Gradients::default();
        for parameter in &network.parameters {
            gradients.assign(parameter.view, network.part(network.gradients, parameter));
        }
        gradients
    }

    fn zero_unwritten(&mut self, network: &Network, gradients: &Gradients) {
        for parameter in &network.parameters {
            if gradients.of(parameter.view).is_none() {
                let out = network.part(network.gradients, parameter);
                self.r.push(Op::Fill { out, value: 0.0 });
            }
        }
    }

    fn adam(&mut self, network: &Network) {
        let RunSpec { beta1, beta2, adam_eps: eps, .. } = *self.spec;
        let Network { weights: w, gradients: g, m, v, scalars, .. } = *network;
        self.r.push(Op::Adam { w, g, m, v, scalars, beta1, beta2, eps });
    }

    fn weights(&mut self, iterate: Iterate) -> Weights {
        Weights::record(&mut self.r, &self.d, self.method.weights, iterate)
    }

    fn iterates_per_forward(&self) -> bool {
        match self.spec.power_iteration {
            PowerIteration::PerForward => self.spec.normalization.iterates(),
            PowerIteration::PerUpdate => false,
        }
    }

    fn generator_update(&mut self, network: &Network, inputs: &GeneratorInputs) -> Result<Update> {
        let per_forward = self.iterates_per_forward();
        let iterate = if per_forward { Iterate::Once } else { Iterate::Frozen };
        let pieces = Pieces::of(self.spec.gen_batch, self.spec.gen_micro_batch);
        let mut gradients = self.gradients(network);
        let mut weights = self.weights(iterate);
        for i in 0..pieces.count {
            if i > 0 && per_forward {
                weights = self.weights(iterate);
            }
            self.generator_piece(network, inputs, pieces, i, &weights, &mut gradients)?;
        }
        self.zero_unwritten(network, &gradients);
        let from = self.r.ops.len();
        let (x, parts) = (network.gradients, self.r.passing(PARTS));
        self.r.push(Op::SquareSum { x, parts, out: self.record.grad_square_g });
        let to = self.r.ops.len();
        self.adam(network);
        Ok(Update { ops: std::mem::take(&mut self.r.ops), measured: (from, to) })
    }

    fn generator_piece(
        &mut self,
        network: &Network,
        inputs: &GeneratorInputs,
        pieces: Pieces,
        i: usize,
        weights: &Weights,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let (n, share, add) = (pieces.size, pieces.share(), i > 0);
        let labels = inputs.labels.map(|labels| labels.narrow(i * n, n));
        let fake = Map::new(&mut self.r, n, 3, self.spec.side);
        let mut tape = Tape::default();
        tape.track(network.parameters.iter().map(|p| p.view));
        let z = (inputs.z.narrow(i * n * Z_DIM, n * Z_DIM), n);
        let (table, g) = (&self.table, &self.g);
        let training = (&mut tape, Mode::Train);
        network::generator(&mut self.r, training, table, g, z, labels, fake.view)?;
        let d = Discriminator { table: &self.table, d: &self.d, weights, labels };
        let trace = d.forward(&mut self.r, &mut tape, fake)?;
        let dfake = self.r.passing(n);
        let (loss, value) = (self.spec.loss, self.record.loss_g);
        let fake = trace.outputs;
        self.r.push(Op::GeneratorLoss { loss, fake, dfake, share, value, add });
        gradients.seed(fake, dfake);
        if let (Some(logits), Some(labels)) = (trace.logits, labels) {
            let (weight, value) = (share * self.spec.ac_gen_weight, self.record.loss_class_g);
            let dlogits = self.r.passing(logits.len);
            self.r.push(Op::CrossEntropy { logits, labels, dlogits, weight, share, value, add });
            gradients.seed(logits, dlogits);
        }
        tape.backward(&mut self.r, gradients);
        Ok(())
    }

    fn discriminator_update(
        &mut self,
        network: &Network,
        inputs: &DiscriminatorInputs,
        pairs: &[Pair],
        copies: &Copies,
    ) -> Result<Update> {
        let per_forward = self.iterates_per_forward();
        let pieces = Pieces::of(self.spec.batch, self.spec.dis_micro_batch);
        let mut gradients = self.gradients(network);
        let mut weights: Option<Weights> = None;
        for (i, pair) in pairs.iter().enumerate() {
            let [real, fake] = self.sides(pair, pieces.size);
            let z = (inputs.z.narrow(i * pieces.size * Z_DIM, pieces.size * Z_DIM), pieces.size);
            let into = fake.images.view;
            let (table, g) = (&self.table, &self.g);
            let tape = (&mut Tape::default(), Mode::Train);
            network::generator(&mut self.r, tape, table, g, z, fake.labels, into)?;
            let mut w = match weights.take() {
                Some(w) if !per_forward => w,
                Some(_) | None => self.weights(Iterate::Once),
            };
            self.adversarial(&mut w, pair, [real, fake], pieces.share(), i > 0, &mut gradients)?;
            if self.spec.regularizer.penalizes_gradient() {
                if per_forward {
                    w.backward(&mut self.r, &mut gradients);
                    w = self.weights(Iterate::Once);
                }
                let epsilon = inputs.epsilon.map(|e| e.narrow(i * pieces.size, pieces.size));
                if let Some(epsilon) = epsilon {
                    let (share, add) = (pieces.share(), i > 0);
                    self.penalty(&w, [real, fake], epsilon, share, add, &mut gradients)?;
                }
            }
            if per_forward {
                w.backward(&mut self.r, &mut gradients);
            }
            weights = Some(w);
        }
        if let Some(w) = weights.as_ref().filter(|_| !per_forward) {
            w.backward(&mut self.r, &mut gradients);
        }
        self.orthonormal(network, &mut gradients);
        self.zero_unwritten(network, &gradients);
        let from = self.r.ops.len();
        let normalized = weights.iter().flat_map(Weights::normalized);
        for (Snapshot { view: out, .. }, x) in copies.normalized.iter().zip(normalized) {
            self.r.push(Op::Copy { x, out: *out, add: false });
        }
        let (x, parts) = (network.gradients, self.r.passing(PARTS));
        self.r.push(Op::SquareSum { x, parts, out: self.record.grad_square_d });
        let to = self.r.ops.len();
        self.adam(network);
        self.clip(network);
        Ok(Update { ops: std::mem::take(&mut self.r.ops), measured: (from, to) })
    }

    /// A pair's real and generated images.
    fn sides(&self, pair: &Pair, n: usize) -> [Side; 2] {
        let side = self.spec.side;
        let image = 3 * side * side;
        [0, n].map(|start| Side {
            images: Map {
                view: pair.images.narrow(start * image, n * image),
                n,
                channels: 3,
                side,
            },
            labels: pair.labels.map(|labels| labels.narrow(start, n)),
        })
    }

    /// Records D on `x`, and seeds nothing: the gradient's places of outputs and logits are the caller's.
    pub(super) fn judge(
        &mut self,
        w: &Weights,
        x: Side,
        tape: &mut Tape,
    ) -> Result<network::Trace> {
        let d = Discriminator { table: &self.table, d: &self.d, weights: w, labels: x.labels };
        d.forward(&mut self.r, tape, x.images)
    }

    /// What D's gradients are taken of: the weights as a pass applies them, and its other parameters.
    pub(super) fn tape(&self, w: &Weights) -> Tape {
        let mut tape = Tape::default();
        tape.track(w.all_effective());
        tape.track(self.d.trained.iter().map(|p| p.view));
        tape
    }

    /// D's adversarial loss, and the classifier's on real images, on one piece with its gradients: one batch where the result is the same,
    /// two passes (real first) where it is not.
    fn adversarial(
        &mut self,
        w: &mut Weights,
        pair: &Pair,
        [real, fake]: [Side; 2],
        share: f64,
        add: bool,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let n = real.images.n;
        if !self.iterates_per_forward() && !self.spec.normalization.mixes_images() {
            let both = Side {
                images: Map { view: pair.images, n: 2 * n, ..real.images },
                labels: pair.labels,
            };
            let mut tape = self.tape(w);
            let trace = self.judge(w, both, &mut tape)?;
            let d = self.r.passing(2 * n);
            let halves = |view: View| [view.narrow(0, n), view.narrow(n, n)];
            self.loss(halves(trace.outputs), halves(d), share, add);
            gradients.seed(trace.outputs, d);
            if let (Some(logits), Some(labels)) = (trace.logits, real.labels) {
                let dlogits = self.r.passing(logits.len);
                let half = logits.len / 2;
                self.classify(logits.narrow(0, half), labels, dlogits.narrow(0, half), share, add);
                self.r.push(Op::Fill { out: dlogits.narrow(half, half), value: 0.0 });
                gradients.seed(logits, dlogits);
            }
            tape.backward(&mut self.r, gradients);
            return Ok(());
        }
        let mut tape = self.tape(w);
        let of_real = self.judge(w, real, &mut tape)?;
        let first = w.clone();
        if self.iterates_per_forward() {
            *w = self.weights(Iterate::Once);
            tape.track(w.all_effective());
        }
        let of_fake = self.judge(w, fake, &mut tape)?;
        let d = [self.r.passing(n), self.r.passing(n)];
        self.loss([of_real.outputs, of_fake.outputs], d, share, add);
        gradients.seed(of_real.outputs, d[0]);
        gradients.seed(of_fake.outputs, d[1]);
        if let (Some(logits), Some(labels)) = (of_real.logits, real.labels) {
            let dlogits = self.r.passing(logits.len);
            self.classify(logits, labels, dlogits, share, add);
            gradients.seed(logits, dlogits);
        }
        tape.backward(&mut self.r, gradients);
        if self.iterates_per_forward() {
            first.backward(&mut self.r, gradients);
        }
        Ok(())
    }

    fn loss(&mut self, [real, fake]: [View; 2], [dreal, dfake]: [View; 2], share: f64, add: bool) {
        let Record { loss_d: value, d_real, d_fake, .. } = self.record;
        let loss = self.spec.loss;
        self.r.push(Op::DiscriminatorLoss {
            loss,
            real,
            fake,
            dreal,
            dfake,
            share,
            value,
            d_real,
            d_fake,
            add,
        });
    }

    fn classify(&mut self, logits: View, labels: View, dlogits: View, share: f64, add: bool) {
        let (weight, value) = (share * self.spec.ac_dis_weight, self.record.loss_class_d);
        self.r.push(Op::CrossEntropy { logits, labels, dlogits, weight, share, value, add });
    }
}

impl Program {
    /// Adam's numbers of step `t` (from 1) with the rate `lr`: see [`Op::Adam`].
    pub fn adam_scalars(&self, lr: f64, t: u64) -> [f64; 2] {
        let RunSpec { beta1, beta2, adam_epsilon, .. } = self.spec;
        let (c1, c2) = (1.0 - beta1.powf(t as f64), 1.0 - beta2.powf(t as f64));
        match adam_epsilon {
            AdamEpsilon::Corrected => [lr / c1, 1.0 / c2],
            AdamEpsilon::Chainer => [lr * c2.sqrt() / c1, 1.0],
        }
    }
}
