//! The training algorithm: one generator update and its rounds of discriminator updates.

mod critic;
mod measure;
mod run;
mod updates;

pub use critic::CriticLoss;
pub use measure::{Cost, SingleUpdates, UpdateTimes, cost, made_up_images, measure};
pub use run::{Event, Observer, Outcome, Progress, TrainOptions, train, train_locked};

use crate::batch::Draws;
use crate::checkpoint::{Checkpoint, Metadata};
use crate::ema::{Ema, sampled};
use crate::generate::{self, Sampler};
use crate::model::{Discriminator, Generator, Parameters, Place, TensorSource};
use crate::norm::Iterate;
use crate::spectrum::Concentration;
use crate::{Result, Warning};
use candle_core::{DType, Tensor};
use critic::Critic;
use sngan_data::{ImageSource, Images};
use sngan_experiment::records::{FORMAT_VERSION, finite};
use sngan_experiment::{AdamEpsilon, RunSpec};
use sngan_tensor::adam::{Adam, AdamConfig, Epsilon};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

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

/// Networks, optimizers and streams of one run.
pub struct Trainer<'a> {
    spec: RunSpec,
    place: Place,
    generator: Generator,
    discriminator: Discriminator,
    adam_g: Adam,
    adam_d: Adam,
    draws: Draws<'a>,
    critic: Option<Critic<'a>>,
    ema: Option<Ema>,
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
    pub fn new(spec: &RunSpec, images: &'a dyn ImageSource, place: &Place) -> Result<Trainer<'a>> {
        fits(spec, images)?;
        let source = TensorSource::fresh(Streams::new(spec.seed), place);
        Trainer::with_source(spec, Draws::random(spec, images), &source)
    }

    /// Measures D's loss on `held_out` images too, at the cadence of the detailed measurements ([`Details::critic`]); no bits of the
    /// training change.
    ///
    /// # Errors
    /// When the held-out images have another side or other classes.
    pub fn watch(&mut self, images: &'a dyn ImageSource, held_out: &'a Images) -> Result<()> {
        self.critic = Some(Critic::new(&self.spec, images, held_out)?);
        Ok(())
    }

    /// A run with given initial state and inputs, for [`crate::replay`].
    pub(crate) fn replaying(
        spec: &RunSpec,
        tensors: BTreeMap<String, Tensor>,
        place: &Place,
    ) -> Result<Trainer<'static>> {
        spec.validate()?;
        let recorded = Draws::Recorded(tensors.clone());
        Trainer::with_source(spec, recorded, &TensorSource::given(&tensors, place))
    }

    /// A run whose networks are those of `source`, with an optimizer at its start.
    fn with_source(spec: &RunSpec, draws: Draws<'a>, source: &TensorSource) -> Result<Trainer<'a>> {
        let generator = Generator::new(spec, source)?;
        let discriminator = Discriminator::new(spec, source)?;
        let RunSpec { lr, beta1, beta2, adam_eps: eps, adam_epsilon, .. } = *spec;
        let epsilon = match adam_epsilon {
            AdamEpsilon::Corrected => Epsilon::Corrected,
            AdamEpsilon::Chainer => Epsilon::Chainer,
        };
        let config = AdamConfig { lr, beta1, beta2, eps, epsilon };
        Ok(Trainer {
            adam_g: Adam::new(config, generator.vars())?,
            adam_d: Adam::new(config, discriminator.vars())?,
            ema: Ema::new(spec.gen_ema, &generator)?,
            critic: None,
            generator,
            discriminator,
            draws,
            place: source.place().clone(),
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
        let lr = self.spec.lr_at(self.gen_updates);
        self.adam_g.set_lr(lr);
        self.adam_d.set_lr(lr);
        let grad_norm_g = self.generator_update(&mut update, detailed)?;
        let mut details = Details { grad_norm_g, ..Details::default() };
        for round in 0..self.spec.n_dis {
            let last = round + 1 == self.spec.n_dis;
            self.discriminator_update(round, &mut update, detailed && last, &mut details)?;
            if detailed && last {
                details.sigma_fig9 = self.sigma_fig9().unwrap_or_default();
            }
        }
        if let Some(ema) = &mut self.ema {
            ema.step(&self.generator)?;
        }
        if detailed {
            details.critic = self.critic_loss()?;
        }
        update.details = detailed.then_some(details);
        self.gen_updates += 1;
        Ok(update)
    }

    /// σ(W̄) as Figure 9 has it: a copy of D makes one more power iteration, which is not kept.
    fn sigma_fig9(&self) -> Result<BTreeMap<String, Option<f64>>> {
        let mut copy = self.discriminator.clone();
        let weights = copy.weights(Parameters::Frozen, Iterate::Once)?;
        Ok(by_layer(&copy.spectra(&weights)?, |s| s.sigma))
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
        match &self.ema {
            None => Ok(Sampler::lent(&mut self.generator, &self.spec, &self.place)),
            Some(ema) => {
                let average = sampled(&ema.state().collect());
                Sampler::new(&self.spec, &TensorSource::given(&average, &self.place))
            }
        }
    }

    /// Every tensor of the state: both networks, both Adams, `u`, G's moving average.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.generator.state();
        state.extend(self.discriminator.state());
        state.extend(self.adam_g.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        state.extend(self.adam_d.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        state.extend(self.ema.iter().flat_map(Ema::state));
        Ok(state)
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
        if self.spec.n_classes > 0 {
            streams.extend([("y.generator", self.gen_updates), ("y.discriminator", d)]);
        }
        Metadata {
            version: FORMAT_VERSION,
            gen_updates: self.gen_updates,
            adam_steps: [self.adam_g.steps(), self.adam_d.steps()],
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
        place: &Place,
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
        let source = TensorSource::given(&checkpoint.tensors, place);
        let mut trainer = Trainer::with_source(spec, Draws::random(spec, images), &source)?;
        if let Some(ema) = &mut trainer.ema {
            ema.load(&source)?;
        }
        let moments = checkpoint
            .tensors
            .iter()
            .filter_map(|(k, t)| Some((k.strip_prefix("adam.")?.to_string(), t.clone())))
            .collect();
        trainer.adam_g.restore(metadata.adam_steps[0], &moments)?;
        trainer.adam_d.restore(metadata.adam_steps[1], &moments)?;
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
