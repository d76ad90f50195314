//! The training algorithm: one generator update and its rounds of discriminator updates.

mod measure;
mod run;

pub use measure::{SingleUpdates, UpdateTimes, made_up_images, measure};
pub use run::{Outcome, Progress, TrainOptions, train};

use crate::adam::{Adam, AdamConfig};
use crate::batch::Draws;
use crate::checkpoint::{Checkpoint, Metadata};
use crate::model::{Discriminator, Generator, Mode, Parameters, Place, Weights};
use crate::norm::Iterate;
use crate::regularizer::{gradient_penalty, orthonormal, weight_clipping};
use crate::rng::Streams;
use crate::{Result, loss};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use sngan_data::Images;
use sngan_experiment::method::{Normalization, Regularizer};
use sngan_experiment::records::FORMAT_VERSION;
use sngan_experiment::{PowerIteration, RunSpec};
use std::collections::BTreeMap;

/// What one update found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    /// D's adversarial loss in its last round.
    pub loss_d: f64,
    /// Penalty or regularizer in its last round.
    pub loss_reg: f64,
    /// G's loss.
    pub loss_g: f64,
    /// Mean D(x), last round.
    pub d_real: f64,
    /// Mean D(G(z)), last round.
    pub d_fake: f64,
    /// Detailed measurements, where they were asked for.
    pub details: Option<Details>,
}

/// What is measured at the log's cadence only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// ℓ2 norm of D's gradient, last round.
    pub grad_norm_d: f64,
    /// ℓ2 norm of G's gradient.
    pub grad_norm_g: f64,
    /// Exact σ(W̄) as D's last forward used it, by layer.
    pub sigma_forward: BTreeMap<String, Option<f64>>,
    /// Exact σ(W̄) after one unsaved power iteration following D's last step.
    pub sigma_fig9: BTreeMap<String, Option<f64>>,
}

impl Update {
    /// The first number that is not finite, by name.
    pub fn not_finite(&self) -> Option<&'static str> {
        let numbers = [("loss_d", self.loss_d), ("loss_reg", self.loss_reg), ("loss_g", self.loss_g)];
        numbers.into_iter().find(|(_, x)| !x.is_finite()).map(|(name, _)| name)
    }
}

/// Networks, optimizers and streams of one run.
pub struct Trainer<'a> {
    spec: RunSpec,
    place: Place,
    generator: Generator,
    discriminator: Discriminator,
    adam_g: Adam,
    adam_d: Adam,
    draws: Draws<'a>,
    gen_updates: u64,
}

impl<'a> Trainer<'a> {
    /// A run at its start.
    ///
    /// # Errors
    /// When the spec is out of range, or the images have another side.
    pub fn new(spec: &RunSpec, images: &'a Images, place: &Place) -> Result<Trainer<'a>> {
        spec.validate()?;
        if images.side != spec.side || images.is_empty() {
            let reason =
                format!("`{}` holds {} images of side {}; the spec needs side {}", images.name, images.len(), images.side, spec.side);
            return Err(crate::Error::Invalid(reason));
        }
        Trainer::with_draws(spec, Draws::random(spec, images), place)
    }

    /// A run with given initial state and inputs, for [`crate::replay`].
    pub(crate) fn replaying(spec: &RunSpec, tensors: BTreeMap<String, Tensor>, place: &Place) -> Result<Trainer<'static>> {
        spec.validate()?;
        let mut trainer = Trainer::with_draws(spec, Draws::Recorded(BTreeMap::new()), place)?;
        trainer.generator.load(&tensors)?;
        trainer.discriminator.load(&tensors)?;
        trainer.draws = Draws::Recorded(tensors);
        Ok(trainer)
    }

    fn with_draws(spec: &RunSpec, draws: Draws<'a>, place: &Place) -> Result<Trainer<'a>> {
        let streams = Streams::new(spec.seed);
        let generator = Generator::new(spec, &streams, place)?;
        let discriminator = Discriminator::new(spec, &streams, place)?;
        let RunSpec { lr, beta1, beta2, adam_eps: eps, adam_epsilon: epsilon, .. } = *spec;
        let config = AdamConfig { lr, beta1, beta2, eps, epsilon };
        Ok(Trainer {
            adam_g: Adam::new(config, generator.vars())?,
            adam_d: Adam::new(config, discriminator.vars())?,
            generator,
            discriminator,
            draws,
            place: place.clone(),
            spec: spec.clone(),
            gen_updates: 0,
        })
    }

    /// Generator updates done.
    pub fn gen_updates(&self) -> u64 {
        self.gen_updates
    }

    /// One generator update, then n_dis discriminator updates, each on a fresh real batch and fresh z (the authors' order).
    ///
    /// `detailed` adds measurements; it changes no bits of the training.
    ///
    /// # Errors
    /// Those of the tensor library; numbers that are not finite are no error here.
    pub fn update(&mut self, detailed: bool) -> Result<Update> {
        let mut update = Update::default();
        let grad_norm_g = self.generator_update(&mut update, detailed)?;
        let mut details = Details { grad_norm_g, ..Details::default() };
        for round in 0..self.spec.n_dis {
            let last = round + 1 == self.spec.n_dis;
            let weights = self.discriminator_update(round, &mut update, detailed && last, &mut details)?;
            if detailed && last {
                details.sigma_forward = self.discriminator.sigmas(&weights).unwrap_or_default();
                details.sigma_fig9 = self.sigma_fig9().unwrap_or_default();
            }
        }
        update.details = detailed.then_some(details);
        self.gen_updates += 1;
        Ok(update)
    }

    fn generator_update(&mut self, update: &mut Update, detailed: bool) -> Result<f64> {
        let iterate = match self.spec.power_iteration {
            PowerIteration::PerUpdate => Iterate::Frozen,
            PowerIteration::PerForward => Iterate::Once,
        };
        let weights = self.discriminator.weights(Parameters::Frozen, iterate)?;
        let z = self.draws.noise("z.generator", self.gen_updates, self.spec.gen_batch, &self.place)?;
        let fake = self.generator.forward(&z, Parameters::Tracked, Mode::Train)?;
        let outputs = self.discriminator.forward(&weights, &fake)?.outputs;
        let loss = loss::generator(self.spec.loss, &host(&outputs)?);
        update.loss_g = loss.value;
        let grads = weighted_sum(&outputs, &loss.grad)?.backward()?;
        self.adam_g.step(&grads)?;
        if detailed { norm(&grads, &self.generator.vars()) } else { Ok(0.0) }
    }

    /// One discriminator update; returns the normalized weights that its last forward used.
    fn discriminator_update(&mut self, round: u32, update: &mut Update, detailed: bool, details: &mut Details) -> Result<Vec<Weights>> {
        let index = self.gen_updates * u64::from(self.spec.n_dis) + u64::from(round);
        let batch = self.spec.batch;
        let real = self.draws.real(index, batch, self.spec.side, &self.place)?;
        let z = self.draws.noise("z.discriminator", index, batch, &self.place)?;
        let fake = self.generator.forward(&z, Parameters::Frozen, Mode::Train)?.detach();

        let mut weights = self.discriminator.weights(Parameters::Tracked, Iterate::Once)?;
        let (d_real, d_fake) = self.real_and_fake(&mut weights, &real, &fake)?;
        let (host_real, host_fake) = (host(&d_real)?, host(&d_fake)?);
        let (loss_real, loss_fake) =
            (loss::discriminator_real(self.spec.loss, &host_real), loss::discriminator_fake(self.spec.loss, &host_fake));
        update.loss_d = loss_real.value + loss_fake.value;
        (update.d_real, update.d_fake) = (mean(&host_real), mean(&host_fake));
        let mut total = (weighted_sum(&d_real, &loss_real.grad)? + weighted_sum(&d_fake, &loss_fake.grad)?)?;

        if let Some((value, term)) = self.regularizer(&mut weights, &real, &fake, index)? {
            update.loss_reg = value;
            total = (total + term)?;
        }
        let grads = total.backward()?;
        self.adam_d.step(&grads)?;
        if self.spec.regularizer == Regularizer::WeightClipping {
            weight_clipping::clip(&self.discriminator, self.spec.clip, self.spec.clip_scope)?;
        }
        if detailed {
            details.grad_norm_d = norm(&grads, &self.discriminator.vars())?;
        }
        Ok(weights)
    }

    /// D(x) and D(G(z)): one batch where the result is the same, two passes (real first) where it is not.
    fn real_and_fake(&mut self, weights: &mut Vec<Weights>, real: &Tensor, fake: &Tensor) -> Result<(Tensor, Tensor)> {
        let n = self.spec.batch;
        let per_forward = self.spec.power_iteration == PowerIteration::PerForward && self.spec.normalization == Normalization::Spectral;
        if !per_forward && self.spec.normalization != Normalization::Batch {
            let both = self.discriminator.forward(weights, &Tensor::cat(&[real, fake], 0)?)?.outputs;
            return Ok((both.narrow(0, 0, n)?, both.narrow(0, n, n)?));
        }
        let d_real = self.discriminator.forward(weights, real)?.outputs;
        if per_forward {
            *weights = self.discriminator.weights(Parameters::Tracked, Iterate::Once)?;
        }
        Ok((d_real, self.discriminator.forward(weights, fake)?.outputs))
    }

    /// The regularizer's value and its scalar in the graph.
    fn regularizer(&mut self, weights: &mut Vec<Weights>, real: &Tensor, fake: &Tensor, index: u64) -> Result<Option<(f64, Tensor)>> {
        match self.spec.regularizer {
            Regularizer::None | Regularizer::WeightClipping => Ok(None),
            Regularizer::Orthonormal => {
                let term = (orthonormal::penalty(&self.discriminator, self.place.arm)? * self.spec.orthonormal_coefficient)?;
                Ok(Some((term.to_dtype(DType::F64)?.to_scalar()?, term)))
            }
            Regularizer::GradientPenalty => {
                if self.spec.power_iteration == PowerIteration::PerForward && self.spec.normalization == Normalization::Spectral {
                    *weights = self.discriminator.weights(Parameters::Tracked, Iterate::Once)?;
                }
                let epsilon = self.draws.epsilon(index, self.spec.batch, &self.place)?;
                let x_hat = gradient_penalty::interpolate(real, fake, &epsilon)?;
                let penalty = gradient_penalty::penalty(&self.discriminator, weights, &x_hat, self.spec.penalty_lambda)?;
                Ok(Some((penalty.value, penalty.surrogate)))
            }
        }
    }

    /// σ(W̄) as Figure 9 has it: a copy of D makes one more power iteration, which is not kept.
    fn sigma_fig9(&self) -> Result<BTreeMap<String, Option<f64>>> {
        let mut copy = self.discriminator.clone();
        let weights = copy.weights(Parameters::Frozen, Iterate::Once)?;
        copy.sigmas(&weights)
    }

    /// The first trained tensor or state that is not finite.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn not_finite(&self) -> Result<Option<String>> {
        for (name, t) in self.generator.state().into_iter().chain(self.discriminator.state()) {
            // A sum is finite only if every term is (up to overflow, which is divergence too).
            if !t.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?.is_finite() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Every tensor of the state: both networks, both Adams, `u`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.generator.state();
        state.extend(self.discriminator.state());
        state.extend(self.adam_g.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        state.extend(self.adam_d.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        Ok(state)
    }

    /// The metadata of a checkpoint taken now.
    pub fn metadata(&self) -> Metadata {
        let d = self.gen_updates * u64::from(self.spec.n_dis);
        let streams = [("z.generator", self.gen_updates), ("z.discriminator", d), ("data", d), ("dequantize", d), ("epsilon", d)];
        Metadata {
            version: FORMAT_VERSION,
            gen_updates: self.gen_updates,
            adam_steps: [self.adam_g.steps(), self.adam_d.steps()],
            run_id: self.spec.id(),
            sha256: String::new(),
            instruction_set: sngan_kernels::Isa::best().name().into(),
            streams: streams.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
            horizon: self.gen_updates == self.spec.gen_updates,
        }
    }

    /// Continues from a checkpoint of the same run.
    ///
    /// # Errors
    /// When the checkpoint is of another run or lacks a tensor.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let metadata = &checkpoint.metadata;
        if metadata.run_id != self.spec.id() {
            return Err(crate::Error::Invalid(format!("the checkpoint is of run {}, the spec of run {}", metadata.run_id, self.spec.id())));
        }
        if metadata.instruction_set != sngan_kernels::Isa::best().name() {
            eprintln!(
                "warning: resuming on {} a run trained on {}: it continues, but not bit-identically",
                sngan_kernels::Isa::best().name(),
                metadata.instruction_set
            );
        }
        self.generator.load(&checkpoint.tensors)?;
        self.discriminator.load(&checkpoint.tensors)?;
        let moments = checkpoint.tensors.iter().filter_map(|(k, t)| Some((k.strip_prefix("adam.")?.to_string(), t.clone()))).collect();
        self.adam_g.restore(metadata.adam_steps[0], &moments)?;
        self.adam_d.restore(metadata.adam_steps[1], &moments)?;
        self.gen_updates = checkpoint.gen_updates;
        Ok(())
    }
}

/// D's outputs on the host, in f64.
fn host(outputs: &Tensor) -> Result<Vec<f64>> {
    Ok(outputs.to_dtype(DType::F64)?.to_vec1()?)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// `Σ cᵢ·outputsᵢ` with constant c: its gradient in the parameters is the loss's.
fn weighted_sum(outputs: &Tensor, c: &[f64]) -> Result<Tensor> {
    let c = Tensor::from_slice(c, c.len(), outputs.device())?.to_dtype(outputs.dtype())?;
    Ok((outputs * c)?.sum_all()?)
}

/// ℓ2 norm of the gradient in `vars`.
fn norm(grads: &GradStore, vars: &[(String, Var)]) -> Result<f64> {
    let mut square = 0.0;
    for (_, var) in vars {
        if let Some(g) = grads.get(var) {
            square += g.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
    }
    Ok(square.sqrt())
}
