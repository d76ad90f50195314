//! A run's generator, made once for all samples that are drawn from it.

use super::{SampleRequest, check_classes};
use crate::batch::Noise;
use crate::checkpoint::Checkpoint;
use crate::ema::sampled;
use crate::model::{Generator, Labels, Mode, Parameters, Place, TensorSource};
use crate::trainer::Backend;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sngan_experiment::RunSpec;
use sngan_tensor::bytes::to_bytes;
use sngan_tensor::rng::Streams;

/// Images per forward pass: fixed, so that memory is bounded and bits do not depend on how many are asked for.
pub const CHUNK: usize = 100;

/// A run's generator as samples are drawn from it: in evaluation mode, so that drawing changes nothing.
pub struct Sampler<'a> {
    generator: Held<'a>,
    spec: RunSpec,
    place: Place,
}

enum Held<'a> {
    Own(Box<Generator>),
    Lent(&'a mut Generator),
    Elsewhere(Box<Images<'a>>),
}

/// Makes a generator's images `[n, 3, side, side]` of z `[n, 128]`, and of classes where it reads them, in evaluation mode; n is at most
/// [`CHUNK`].
pub type Images<'a> = dyn FnMut(&Tensor, Option<&Labels>) -> Result<Tensor> + Send + 'a;

impl Held<'_> {
    fn images(&mut self, z: &Tensor, labels: Option<&Labels>) -> Result<Tensor> {
        let generator = match self {
            Held::Own(generator) => generator.as_mut(),
            Held::Lent(generator) => generator,
            Held::Elsewhere(images) => return images(z, labels),
        };
        generator.forward(z, labels, Parameters::Frozen, Mode::Eval)
    }
}

impl<'a> Sampler<'a> {
    /// G of `spec` with the tensors of `source`.
    ///
    /// # Errors
    /// As [`Generator::new`].
    pub fn new(spec: &RunSpec, source: &TensorSource) -> Result<Sampler<'a>> {
        let generator = Held::Own(Box::new(Generator::new(spec, source)?));
        Ok(Sampler { generator, spec: spec.clone(), place: source.place().clone() })
    }

    /// G of a checkpoint, or its moving average, where the run keeps one.
    ///
    /// # Errors
    /// When the checkpoint does not fit the spec.
    pub fn of_checkpoint(
        spec: &RunSpec,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Sampler<'a>> {
        let tensors = sampled(&checkpoint.tensors);
        Sampler::new(spec, &TensorSource::given(&tensors, &Place::new(device)))
    }

    /// The same, drawn by what trains.
    ///
    /// # Errors
    /// When the checkpoint does not fit the spec; those of the device.
    pub fn by(
        backend: &dyn Backend,
        spec: &RunSpec,
        checkpoint: &Checkpoint,
    ) -> Result<Sampler<'a>> {
        backend.sampler(spec, &sampled(&checkpoint.tensors))
    }

    /// A generator of `spec` that is elsewhere; z and classes are drawn in `place`.
    pub fn elsewhere(spec: &RunSpec, place: &Place, images: Box<Images<'a>>) -> Sampler<'a> {
        Sampler { generator: Held::Elsewhere(images), spec: spec.clone(), place: place.clone() }
    }

    /// The run's G before its first update.
    ///
    /// # Errors
    /// When the spec's sizes do not fit its architecture.
    pub fn untrained(spec: &RunSpec, device: &Device) -> Result<Sampler<'a>> {
        Sampler::new(spec, &TensorSource::fresh(Streams::new(spec.seed), &Place::new(device)))
    }

    /// A generator in training.
    pub(crate) fn lent(generator: &'a mut Generator, spec: &RunSpec, place: &Place) -> Sampler<'a> {
        Sampler { generator: Held::Lent(generator), spec: spec.clone(), place: place.clone() }
    }

    /// The images `[n, 3, side, side]` of `request` as bytes.
    ///
    /// # Errors
    /// A first sample that is no multiple of 100; a class that there is not.
    pub fn draw(&mut self, request: SampleRequest) -> Result<Vec<u8>> {
        let (spec, place) = (&self.spec, &self.place);
        check_classes(spec, request.class)?;
        if !request.first.is_multiple_of(CHUNK) {
            return Err(Error::Invalid(format!(
                "samples were asked for from number {}; it must be a multiple of {CHUNK}",
                request.first
            )));
        }
        let noise = Noise::new(spec, request.seed);
        let mut bytes = Vec::with_capacity(request.n.saturating_mul(3 * spec.side * spec.side));
        for (i, start) in (0..request.n).step_by(CHUNK).enumerate() {
            let (chunk, count) = ((request.first / CHUNK + i) as u64, CHUNK.min(request.n - start));
            let z = noise.z("sample", chunk, count, place)?;
            let labels = match request.class {
                Some(class) => Some(Labels::new(vec![class; count], spec.n_classes, place)?),
                None => noise.labels("sample.y", chunk, count, place)?,
            };
            let images = self.generator.images(&z, labels.as_ref())?;
            bytes.extend(to_bytes(&images)?);
        }
        Ok(bytes)
    }
}
