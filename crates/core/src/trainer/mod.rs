//! The training algorithm: one generator update and its rounds of discriminator updates.

mod critic;
mod engine;
mod log;
mod measure;
mod measuring;
mod networks;
mod pending;
mod run;
mod scores;
mod updates;

pub use crate::batch::Real;
pub use critic::CriticLoss;
pub(crate) use engine::not_finite;
pub use engine::{Backend, DiscriminatorInputs, Engine, GeneratorInputs, Look, Receipt, Start};
pub use measure::{Cost, SingleUpdates, UpdateTimes, cost, made_up_images, measure};
pub use measuring::Copies;
pub use networks::Networks;
pub use run::{Event, Observer, Outcome, Progress, TrainOptions, train, train_locked};

use crate::batch::{Draws, For};
use crate::checkpoint::{Checkpoint, Metadata};
use crate::generate::{self, Sampler};
use crate::model::Place;
use crate::spectrum::Concentration;
use crate::{Result, Warning};
use candle_core::Tensor;
use critic::Critic;
use measuring::{Measuring, sigma_fig9};
use sngan_data::{ImageSource, Images};
use sngan_experiment::RunSpec;
use sngan_experiment::records::{FORMAT_VERSION, finite};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one update found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    /// D's adversarial loss in its last round.
    pub loss_d: f64,
    /// Penalty or regularizer in its last round, coefficient included.
    pub loss_reg: f64,
    /// G's loss.
    pub loss_g: f64,
    /// Mean D(x), last round.
    pub d_real: f64,
    /// Mean D(G(z)), last round.
    pub d_fake: f64,
    /// The classifier's cross-entropy on real images, last round (AC-GAN).
    pub loss_class_d: Option<f64>,
    /// The classifier's cross-entropy on generated images (AC-GAN).
    pub loss_class_g: Option<f64>,
    /// Mean ‖∇D(x̂)‖₂ where the penalty takes it, last round.
    pub grad_norm_x_hat: Option<f64>,
    /// How many updates ago the numbers are from: 0 but on a GPU, which goes on while its numbers are on the way, and 0 with details.
    pub lag: u64,
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
    /// Effective rank of W̄ as D's last forward used it, by layer.
    pub effective_rank: BTreeMap<String, Option<f64>>,
    /// Stable rank ‖W̄‖_F²/σ₁² of W̄ as D's last forward used it, by layer.
    pub stable_rank: BTreeMap<String, Option<f64>>,
    /// D's loss on training and held-out images after the update, where there are held-out ones.
    pub critic: Option<CriticLoss>,
}

impl Details {
    /// Takes the spectra of the weights that D's last forward used: none of them where a weight is not finite.
    fn set_spectra(&mut self, spectra: Result<BTreeMap<String, Concentration>>) {
        let spectra = spectra.unwrap_or_default();
        let by_layer = |of: fn(&Concentration) -> f64| by_layer(&spectra, of);
        self.sigma_forward = by_layer(|s| s.sigma);
        self.effective_rank = by_layer(|s| s.effective_rank);
        self.stable_rank = by_layer(|s| s.stable_rank);
    }
}

impl Update {
    /// The first number that is not finite, by name.
    pub fn not_finite(&self) -> Option<&'static str> {
        let mut numbers =
            vec![("loss_d", self.loss_d), ("loss_reg", self.loss_reg), ("loss_g", self.loss_g)];
        numbers.extend(self.loss_class_d.map(|x| ("loss_class_d", x)));
        numbers.extend(self.loss_class_g.map(|x| ("loss_class_g", x)));
        numbers.into_iter().find(|(_, x)| !x.is_finite()).map(|(name, _)| name)
    }
}

/// One run: what makes its updates, its streams, and how far it is.
pub struct Trainer<'a> {
    spec: RunSpec,
    place: Place,
    engine: Box<dyn Engine>,
    draws: Draws<'a>,
    critic: Option<Arc<Critic<'a>>>,
    gen_updates: u64,
}

/// Whether a run of `spec` can be trained on `images`.
///
/// # Errors
/// When the spec is out of range, or the images have another side or number of classes.
pub(crate) fn fits(spec: &RunSpec, images: &dyn ImageSource) -> Result<()> {
    spec.validate()?;
    if images.side() != spec.side || images.is_empty() {
        let (name, n, side) = (images.name(), images.len(), images.side());
        let reason =
            format!("`{name}` holds {n} images of side {side}; the spec needs side {}", spec.side);
        return Err(crate::Error::Invalid(reason));
    }
    if spec.n_classes > 0 && images.classes().len() != spec.n_classes {
        let (name, n) = (images.name(), images.classes().len());
        // One class cannot condition anything, and a set without classes is of one.
        let remedy = match n {
            0 | 1 => "train without labels (conditioning=\"none\", n_classes=0), or give a folder for each class".into(),
            _ => format!("train with n_classes={n}"),
        };
        let reason = format!(
            "`{name}` has {n} classes; the spec's n_classes is {}; {remedy}",
            spec.n_classes
        );
        return Err(crate::Error::Invalid(reason));
    }
    Ok(())
}

impl<'a> Trainer<'a> {
    /// A run at its start.
    ///
    /// # Errors
    /// When the spec is out of range, or the images have another side or number of classes.
    pub fn new(
        spec: &RunSpec,
        images: &'a dyn ImageSource,
        backend: &dyn Backend,
    ) -> Result<Trainer<'a>> {
        fits(spec, images)?;
        Trainer::on(backend, spec, Draws::random(spec, images), Start::Fresh)
    }

    /// Measures D's loss on `held_out` images too, at the cadence of the detailed measurements ([`Details::critic`]); no bits of the
    /// training change.
    ///
    /// # Errors
    /// When the held-out images have another side or other classes.
    pub fn watch(&mut self, images: &'a dyn ImageSource, held_out: &'a Images) -> Result<()> {
        self.critic = Some(Arc::new(Critic::new(&self.spec, images, held_out)?));
        Ok(())
    }

    /// A run with given initial state and inputs, for [`crate::replay`].
    pub(crate) fn replaying(
        spec: &RunSpec,
        tensors: BTreeMap<String, Tensor>,
        backend: &dyn Backend,
    ) -> Result<Trainer<'static>> {
        spec.validate()?;
        let recorded = Draws::Recorded(tensors.clone());
        Trainer::on(backend, spec, recorded, Start::Given(&tensors))
    }

    fn on(
        backend: &dyn Backend,
        spec: &RunSpec,
        draws: Draws<'a>,
        start: Start<'_>,
    ) -> Result<Trainer<'a>> {
        Ok(Trainer {
            engine: backend.engine(spec, start)?,
            place: backend.place(),
            critic: None,
            draws,
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
        Ok(match self.begin_update(detailed)? {
            (update, None) => update,
            (_, Some(measuring)) => measuring.measured()?.update,
        })
    }

    /// The same, but where the engine leaves the measurements to be made beside the updates that follow, they come second, and the first are
    /// the numbers of an earlier update, without details.
    fn begin_update(&mut self, detailed: bool) -> Result<(Update, Option<Measuring<'a>>)> {
        let mut update = Update::default();
        let grad_norm_g = self.generator_update(&mut update, detailed)?;
        let mut details = Details { grad_norm_g, ..Details::default() };
        for round in 0..self.spec.n_dis {
            let measured = detailed && round + 1 == self.spec.n_dis;
            self.discriminator_update(round, &mut update, measured.then_some(&mut details))?;
        }
        self.engine.average()?;
        self.gen_updates += 1;
        if !detailed {
            return Ok((update, None));
        }
        if let Some(receipt) = self.engine.copies()? {
            let (spec, place, critic) =
                (self.spec.clone(), self.place.clone(), self.critic.clone());
            return Ok((update, Some(Measuring { spec, place, critic, receipt })));
        }
        self.look_at(&mut details)?;
        update.details = Some(details);
        Ok((update, None))
    }

    /// Measures the networks as an update has left them.
    fn look_at(&mut self, details: &mut Details) -> Result<()> {
        let Trainer { engine, spec, place, critic, .. } = self;
        engine.look(&mut |generator, discriminator| {
            details.sigma_fig9 = sigma_fig9(discriminator);
            if let Some(critic) = critic {
                details.critic = Some(critic.losses(spec, place, generator, discriminator)?);
            }
            Ok(())
        })
    }

    /// One generator update; returns the norm of its gradient, where `detailed`.
    fn generator_update(&mut self, update: &mut Update, detailed: bool) -> Result<f64> {
        let (index, n, place) = (self.gen_updates, self.spec.gen_batch, &self.place);
        let inputs = GeneratorInputs {
            z: self.draws.noise("generator", index, n, place)?,
            labels: self.draws.labels("generator", index, n, self.spec.n_classes, place)?,
            real: match self.spec.loss.of_pairs() {
                true => {
                    let RunSpec { side, n_classes, .. } = self.spec;
                    Some(self.draws.real(For::Generator, index, n, side, n_classes, place)?)
                }
                false => None,
            },
            lr: self.spec.lr_at(index),
        };
        self.engine.generator_update(&inputs, update, detailed)
    }

    /// One update of D on a fresh batch, with its measurements where `details` are wanted.
    fn discriminator_update(
        &mut self,
        round: u32,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> Result<()> {
        let index = self.gen_updates * u64::from(self.spec.n_dis) + u64::from(round);
        let (batch, n_classes, place) = (self.spec.batch, self.spec.n_classes, &self.place);
        let (side, regularizer) = (self.spec.side, self.spec.regularizer);
        let inputs = DiscriminatorInputs {
            real: self.draws.real(For::Discriminator, index, batch, side, n_classes, place)?,
            z: self.draws.noise("discriminator", index, batch, place)?,
            fake_labels: self.draws.labels("discriminator", index, batch, n_classes, place)?,
            epsilon: match regularizer.draws_epsilon() {
                true => Some(self.draws.epsilon(index, batch, place)?),
                false => None,
            },
            noise: match regularizer.draws_noise() {
                true => Some(self.draws.pixel_noise(index, (batch, side), place)?),
                false => None,
            },
            lr: self.spec.lr_at(self.gen_updates),
        };
        self.engine.discriminator_update(&inputs, update, details)
    }

    /// The first trained tensor or state that is not finite.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn not_finite(&self) -> Result<Option<String>> {
        not_finite(&self.engine.networks()?)
    }

    /// `n` images `[n, 3, side, side]` as bytes, as they would be drawn from a checkpoint taken now: from G's moving average, where it has
    /// one, in evaluation mode, with z and labels from the streams of the run's seed.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn samples(&mut self, n: usize) -> Result<Vec<u8>> {
        self.samples_of(generate::SampleRequest { first: 0, n, seed: self.spec.seed, class: None })
    }

    /// [`Trainer::samples`] of a request of one's own. No bits of the training change.
    ///
    /// # Errors
    /// As [`Trainer::samples`]; a class of a generator that is not conditional.
    pub fn samples_of(&mut self, request: generate::SampleRequest) -> Result<Vec<u8>> {
        self.sampler()?.draw(request)
    }

    /// What [`Trainer::samples_of`] draws with, for several requests; a moving average's network is made once.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn sampler(&mut self) -> Result<Sampler<'_>> {
        self.engine.sampler()
    }

    /// Every tensor of the state: both networks, both Adams, `u`, G's moving average.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        self.engine.state()
    }

    /// The metadata of a checkpoint taken now.
    pub fn metadata(&self) -> Metadata {
        let d = self.gen_updates * u64::from(self.spec.n_dis);
        let mut streams = vec![
            ("z.generator", self.gen_updates),
            ("z.discriminator", d),
            ("data", d),
            ("dequantize", d),
            ("epsilon", d),
        ];
        if self.spec.regularizer.draws_noise() {
            streams.push(("noise", d));
        }
        if self.spec.loss.of_pairs() {
            let g = self.gen_updates;
            streams.extend([("data.generator", g), ("dequantize.generator", g)]);
        }
        if self.spec.n_classes > 0 {
            streams.extend([("y.generator", self.gen_updates), ("y.discriminator", d)]);
        }
        Metadata {
            version: FORMAT_VERSION,
            gen_updates: self.gen_updates,
            adam_steps: self.engine.steps(),
            run_id: self.spec.id(),
            sha256: String::new(),
            instruction_set: sngan_tensor::instruction_set().into(),
            streams: streams.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
            horizon: self.gen_updates == self.spec.gen_updates,
            log: None,
            checksum: None,
        }
    }

    /// A run at a checkpoint of it; `warn` is told where its bits will not be those of an undisturbed run.
    ///
    /// # Errors
    /// As [`Trainer::new`]; when the checkpoint is of another run or lacks a tensor.
    pub fn resume(
        spec: &RunSpec,
        images: &'a dyn ImageSource,
        backend: &dyn Backend,
        checkpoint: &Checkpoint,
        warn: &mut dyn FnMut(Warning),
    ) -> Result<Trainer<'a>> {
        fits(spec, images)?;
        let metadata = &checkpoint.metadata;
        if metadata.run_id != spec.id() {
            return Err(crate::Error::Invalid(format!(
                "the checkpoint is of run {}, the spec of run {}",
                metadata.run_id,
                spec.id()
            )));
        }
        let here = sngan_tensor::instruction_set();
        if metadata.instruction_set != here {
            warn(Warning::InstructionSet { trained: metadata.instruction_set.clone(), here });
        }
        let draws = Draws::random(spec, images);
        let mut trainer = Trainer::on(backend, spec, draws, Start::At(checkpoint))?;
        trainer.gen_updates = checkpoint.gen_updates;
        Ok(trainer)
    }
}

/// One number of each layer's spectrum.
fn by_layer(
    spectra: &BTreeMap<String, Concentration>,
    of: impl Fn(&Concentration) -> f64,
) -> BTreeMap<String, Option<f64>> {
    spectra.iter().map(|(layer, s)| (layer.clone(), finite(of(s)))).collect()
}
