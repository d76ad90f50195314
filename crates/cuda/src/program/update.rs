//! One update of G and one of D, in one piece or in pieces whose gradients are added up: the order of operations is that of
//! `sngan_core::trainer`.

use super::memory::Buffers;
use super::method::{Method, Regularized};
use super::network::{self, Discriminator};
use super::parameters::Parameters;
use super::tape::{Gradients, Map, Recorder, Tape};
use super::weights::{Iterate, Weights};
use super::{
    DiscriminatorInputs, GeneratorInputs, MovingAverage, Network, Program, Record, Snapshot,
    Stored, Update,
};
use crate::Result;
use crate::op::{Op, PARTS, Product, View};
use sngan_experiment::arch::{ArchSpec, Z_DIM};
use sngan_experiment::{AdamEpsilon, ClipScope, PowerIteration, RunSpec};

/// The pieces of a batch.
#[derive(Debug, Clone, Copy)]
struct Pieces {
    size: usize,
    count: usize,
}

impl Pieces {
    /// `micro` images each; 0 for all of them in one piece.
    fn of(batch: usize, micro: usize) -> Pieces {
        let size = if micro == 0 { batch } else { micro };
        Pieces { size, count: batch / size }
    }

    /// A piece's weight in the mean over the batch.
    fn share(self) -> f64 {
        1.0 / self.count as f64
    }
}

/// What recording needs of the whole program.
struct Session<'a> {
    spec: &'a RunSpec,
    method: Method,
    table: ArchSpec,
    g: Parameters,
    d: Parameters,
    r: Recorder,
    record: Record,
}

/// Images of one kind, with their classes.
#[derive(Clone, Copy)]
struct Side {
    images: Map,
    labels: Option<View>,
}

pub(super) fn record(spec: &RunSpec) -> Result<Program> {
    let (table, method) = (spec.layers()?, Method::of(spec)?);
    let mut r = Recorder::default();
    let g = Parameters::generator(&mut r.buffers, &table.generator)?;
    let d = Parameters::discriminator(&mut r.buffers, spec, method)?;
    let (generator, discriminator) = (network(&mut r.buffers, &g), network(&mut r.buffers, &d));
    let record = record_of(&mut r.buffers);
    let generator_inputs = generator_inputs(&mut r.buffers, spec);
    let (discriminator_inputs, pairs) = discriminator_inputs(&mut r.buffers, spec);
    let average = average(&mut r.buffers, spec, &g);
    let snapshots = snapshots(&mut r.buffers, &d);
    let mut session = Session { spec, method, table, g, d, r, record };
    let generator_update = session.generator_update(&generator, &generator_inputs)?;
    let discriminator_update =
        session.discriminator_update(&discriminator, &discriminator_inputs, &pairs, &snapshots)?;
    let layout = session.r.buffers.place(&[&generator_update.ops, &discriminator_update.ops]);
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
        snapshots,
    })
}

fn network(buffers: &mut Buffers, parameters: &Parameters) -> Network {
    let whole = parameters.whole;
    Network {
        parameters: parameters.trained.clone(),
        state: parameters.state.clone(),
        weights: whole,
        gradients: buffers.kept(whole.len),
        m: buffers.kept(whole.len),
        v: buffers.kept(whole.len),
        scalars: buffers.kept(2),
    }
}

fn record_of(buffers: &mut Buffers) -> Record {
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

fn generator_inputs(buffers: &mut Buffers, spec: &RunSpec) -> GeneratorInputs {
    GeneratorInputs {
        z: buffers.kept(spec.gen_batch * Z_DIM),
        labels: (spec.n_classes > 0).then(|| buffers.kept(spec.gen_batch)),
    }
}

/// A piece's real and generated images one after the other, and their classes.
struct Pair {
    images: View,
    labels: Option<View>,
}

fn discriminator_inputs(buffers: &mut Buffers, spec: &RunSpec) -> (DiscriminatorInputs, Vec<Pair>) {
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

fn average(buffers: &mut Buffers, spec: &RunSpec, g: &Parameters) -> Option<MovingAverage> {
    if spec.gen_ema == 0.0 {
        return None;
    }
    let (mut tensors, mut ops) = (Vec::new(), Vec::new());
    for (whole, parts) in [(g.whole, &g.trained), (g.whole_state, &g.state)] {
        let e = buffers.kept(whole.len);
        tensors.extend(parts.iter().map(|part| Stored {
            view: e.narrow(part.view.offset, part.view.len),
            ..part.clone()
        }));
        ops.push(Op::Average { e, w: whole, decay: spec.gen_ema });
    }
    Some(MovingAverage { tensors, ops })
}

fn snapshots(buffers: &mut Buffers, d: &Parameters) -> Vec<Snapshot> {
    let snapshot = |layer: &super::parameters::Layer| Snapshot {
        layer: layer.spec.name.clone(),
        view: buffers.kept(layer.weight.len),
        shape: (layer.rows, layer.weight.len / layer.rows),
    };
    d.layers.iter().map(snapshot).collect()
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
        network::generator(&mut self.r, &mut tape, &self.table, &self.g, z, labels, fake.view)?;
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
        snapshots: &[Snapshot],
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
            network::generator(&mut self.r, &mut Tape::default(), table, g, z, fake.labels, into)?;
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
        for (snapshot, x) in snapshots.iter().zip(weights.iter().flat_map(Weights::normalized)) {
            self.r.push(Op::Copy { x, out: snapshot.view, add: false });
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
    fn judge(&mut self, w: &Weights, x: Side, tape: &mut Tape) -> Result<network::Trace> {
        let d = Discriminator { table: &self.table, d: &self.d, weights: w, labels: x.labels };
        d.forward(&mut self.r, tape, x.images)
    }

    /// What D's gradients are taken of: the weights as a pass applies them, and its other parameters.
    fn tape(&self, w: &Weights) -> Tape {
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

    /// The gradient penalty without second-order derivatives: see `sngan_core::regularizer::gradient_penalty`.
    fn penalty(
        &mut self,
        w: &Weights,
        [real, fake]: [Side; 2],
        epsilon: View,
        share: f64,
        add: bool,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let n = real.images.n;
        let x_hat =
            Side { images: Map::new(&mut self.r, n, 3, self.spec.side), labels: real.labels };
        let (of_real, of_fake, out) = (real.images.view, fake.images.view, x_hat.images.view);
        self.r.push(Op::Interpolate { real: of_real, fake: of_fake, epsilon, out });
        let mut tape = Tape::default();
        tape.track([out]);
        let trace = self.judge(w, x_hat, &mut tape)?;
        let ones = self.r.passing(n);
        self.r.push(Op::Fill { out: ones, value: 1.0 });
        let mut of_images = Gradients::default();
        of_images.seed(trace.outputs, ones);
        tape.backward(&mut self.r, &mut of_images);
        let (g, _) = of_images.target(&mut self.r, out);
        let c = Map::new(&mut self.r, n, 3, self.spec.side);
        let Record { loss_reg: value, grad_norm_x_hat: mean_norm, .. } = self.record;
        let lambda = self.spec.penalty_lambda;
        let norms = self.r.passing(n);
        self.r.push(Op::Penalty { g, n, lambda, c: c.view, norms, share, value, mean_norm, add });
        let mut tape = self.tape(w);
        let d = Discriminator { table: &self.table, d: &self.d, weights: w, labels: real.labels };
        let along = d.tangent(&mut self.r, &mut tape, &trace, c)?;
        let seeds = self.r.passing(n);
        self.r.push(Op::Fill { out: seeds, value: share });
        gradients.seed(along, seeds);
        tape.backward(&mut self.r, gradients);
        Ok(())
    }

    /// Orthonormal regularization, once an update: `coefficient·Σ ‖WᵀW − I‖²_F`, by the smaller product W·Wᵀ and a constant.
    fn orthonormal(&mut self, network: &Network, gradients: &mut Gradients) {
        match self.method.regularized {
            Regularized::Orthonormal => {}
            Regularized::No | Regularized::Penalty | Regularized::Clipping => return,
        }
        let weight = self.spec.orthonormal_coefficient;
        let layers: Vec<(View, usize)> =
            self.d.layers.iter().map(|layer| (layer.weight, layer.rows)).collect();
        debug_assert!(layers.iter().all(|(w, _)| w.buffer == network.weights.buffer));
        for (i, (w, rows)) in layers.into_iter().enumerate() {
            let columns = w.len / rows;
            let p = self.r.passing(rows * rows);
            let product = |n, k, transpose_b, alpha| Product {
                m: rows,
                n,
                k,
                transpose_a: false,
                transpose_b,
                alpha,
            };
            let gram = product(rows, columns, true, 1.0);
            self.r.push(Op::Product { a: w, b: w, c: p, product: gram, add: false });
            let (difference, value) = (columns as f64 - rows as f64, self.record.loss_reg);
            self.r.push(Op::GramLoss { p, m: rows, weight, difference, value, add: i > 0 });
            let (c, add) = gradients.target(&mut self.r, w);
            let product = product(columns, rows, false, 4.0 * weight);
            self.r.push(Op::Product { a: p, b: w, c, product, add });
        }
    }

    /// Weight clipping, after the step.
    fn clip(&mut self, network: &Network) {
        match self.method.regularized {
            Regularized::Clipping => {}
            Regularized::No | Regularized::Penalty | Regularized::Orthonormal => return,
        }
        let (bound, all) = (self.spec.clip, self.spec.clip_scope == ClipScope::All);
        let mut views = Vec::new();
        for layer in &self.d.layers {
            if all || layer.spec.kind.weight_shape().len() == 4 {
                views.push((layer.weight, bound * layer.correction.clip));
            }
        }
        if all {
            let others = network.parameters.iter().filter(|p| !p.name.ends_with(".weight"));
            views.extend(others.map(|p| (p.view, bound)));
        }
        self.r.push(Op::Clip { views });
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
