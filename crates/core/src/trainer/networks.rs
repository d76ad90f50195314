//! The engine of the CPU: the networks under Candle's autograd, with their optimizers.

use super::engine::{DiscriminatorInputs, Engine, GeneratorInputs, Look, Start};
use super::{Details, Update};
use crate::Result;
use crate::ema::{Ema, sampled};
use crate::generate::Sampler;
use crate::model::{Discriminator, Generator, Place, TensorSource};
use candle_core::Tensor;
use sngan_experiment::{AdamEpsilon, RunSpec};
use sngan_tensor::adam::{Adam, AdamConfig, Epsilon};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// Both networks, both optimizers and the moving average of a run, in a place of the tensor library's.
pub struct Networks {
    pub(super) spec: RunSpec,
    pub(super) place: Place,
    pub(super) generator: Generator,
    pub(super) discriminator: Discriminator,
    pub(super) adam_g: Adam,
    pub(super) adam_d: Adam,
    ema: Option<Ema>,
}

impl Networks {
    /// The networks of `spec` in `place`.
    ///
    /// # Errors
    /// When the spec's sizes do not fit the architecture; a tensor that is missing or misshapen.
    pub fn start(spec: &RunSpec, place: &Place, start: Start<'_>) -> Result<Networks> {
        match start {
            Start::Fresh => {
                Networks::of(spec, &TensorSource::fresh(Streams::new(spec.seed), place))
            }
            Start::Given(tensors) => Networks::of(spec, &TensorSource::given(tensors, place)),
            Start::At(checkpoint) => {
                let source = TensorSource::given(&checkpoint.tensors, place);
                let mut networks = Networks::of(spec, &source)?;
                if let Some(ema) = &mut networks.ema {
                    ema.load(&source)?;
                }
                let moments = checkpoint
                    .tensors
                    .iter()
                    .filter_map(|(k, t)| Some((k.strip_prefix("adam.")?.to_string(), t.clone())))
                    .collect();
                let [steps_g, steps_d] = checkpoint.metadata.adam_steps;
                networks.adam_g.restore(steps_g, &moments)?;
                networks.adam_d.restore(steps_d, &moments)?;
                Ok(networks)
            }
        }
    }

    /// The networks of `source`, with optimizers at their start.
    fn of(spec: &RunSpec, source: &TensorSource) -> Result<Networks> {
        let generator = Generator::new(spec, source)?;
        let discriminator = Discriminator::new(spec, source)?;
        let RunSpec { lr, beta1, beta2, adam_eps: eps, adam_epsilon, .. } = *spec;
        let epsilon = match adam_epsilon {
            AdamEpsilon::Corrected => Epsilon::Corrected,
            AdamEpsilon::Chainer => Epsilon::Chainer,
        };
        let config = AdamConfig { lr, beta1, beta2, eps, epsilon };
        Ok(Networks {
            adam_g: Adam::new(config, generator.vars())?,
            adam_d: Adam::new(config, discriminator.vars())?,
            ema: Ema::new(spec.gen_ema, &generator)?,
            generator,
            discriminator,
            place: source.place().clone(),
            spec: spec.clone(),
        })
    }

    /// G and D themselves.
    pub fn into_parts(self) -> (Generator, Discriminator) {
        (self.generator, self.discriminator)
    }
}

impl Engine for Networks {
    fn generator_update(
        &mut self,
        inputs: &GeneratorInputs,
        update: &mut Update,
        detailed: bool,
    ) -> Result<f64> {
        self.adam_g.set_lr(inputs.lr);
        self.update_generator(inputs, update, detailed)
    }

    fn discriminator_update(
        &mut self,
        inputs: &DiscriminatorInputs,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> Result<()> {
        self.adam_d.set_lr(inputs.lr);
        self.update_discriminator(inputs, update, details)
    }

    fn average(&mut self) -> Result<()> {
        match &mut self.ema {
            Some(ema) => ema.step(&self.generator),
            None => Ok(()),
        }
    }

    fn networks(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.generator.state();
        state.extend(self.discriminator.state());
        Ok(state)
    }

    fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.networks()?;
        state.extend(self.adam_g.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        state.extend(self.adam_d.state()?.into_iter().map(|(k, t)| (format!("adam.{k}"), t)));
        state.extend(self.ema.iter().flat_map(Ema::state));
        Ok(state)
    }

    fn steps(&self) -> [u64; 2] {
        [self.adam_g.steps(), self.adam_d.steps()]
    }

    fn sampler(&mut self) -> Result<Sampler<'_>> {
        match &self.ema {
            None => Ok(Sampler::lent(&mut self.generator, &self.spec, &self.place)),
            Some(ema) => {
                let average = sampled(&ema.state().collect());
                Sampler::new(&self.spec, &TensorSource::given(&average, &self.place))
            }
        }
    }

    fn look(&mut self, look: &mut Look<'_>) -> Result<()> {
        look(&mut self.generator, &self.discriminator)
    }
}
