//! D's loss on images that it is trained on and on images that it is not: Figure 15 (a).

use super::scores;
use crate::batch::{Batches, Noise};
use crate::model::{Discriminator, Generator, Labels, Mode, Parameters, Place, Weights};
use crate::norm::Iterate;
use crate::{Error, Result, loss};
use candle_core::Tensor;
use sngan_data::{ImageSource, Images};
use sngan_experiment::RunSpec;
use sngan_tensor::rng::Streams;

/// Training images, held-out ones and generated ones, as many of each; fewer where a set is smaller. The gap between the first two is small
/// beside the spread of D's outputs, so a few hundred images would show mostly which ones were drawn.
const SIZE: usize = 2000;
/// Images per forward pass; the last may have fewer.
const CHUNK: usize = 64;

/// D's adversarial loss on the two kinds of real images, each with the same generated ones.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CriticLoss {
    /// On images of the training set.
    pub train: f64,
    /// On held-out images.
    pub held_out: f64,
    /// Images of each kind, and generated ones.
    pub images: usize,
}

/// The images and noise of the measurement, the same at every update: drawn from streams of their own, so that the training does not
/// depend on whether it is watched.
pub(super) struct Critic<'a> {
    train: Batches<'a>,
    held_out: Batches<'a>,
    /// As many of either set.
    chosen: [Vec<u32>; 2],
    noise: Noise,
}

/// Whether D's loss on `held_out` says something of a run of `spec` on `images`.
///
/// # Errors
/// When the held-out images have another side or other classes.
pub(super) fn fits(spec: &RunSpec, images: &dyn ImageSource, held_out: &Images) -> Result<()> {
    if held_out.side != spec.side || held_out.is_empty() {
        let (name, n, side) = (&held_out.name, held_out.len(), held_out.side);
        return Err(Error::Invalid(format!(
            "the held-out images `{name}` do not fit the spec: {n} of side {side}"
        )));
    }
    // A label is a place among the classes: one class more or less would shift all that follow.
    if spec.n_classes > 0 && held_out.classes != images.classes() {
        let ours = images.classes();
        let other = ours.iter().zip(&held_out.classes).find(|(a, b)| a != b);
        let what = match other {
            Some((a, b)) => format!("`{b}` stands where the training images have `{a}`"),
            None => format!(
                "they have {} classes, the training images {}",
                held_out.classes.len(),
                ours.len()
            ),
        };
        return Err(Error::Invalid(format!(
            "the held-out images `{}` have other classes: {what}",
            held_out.name
        )));
    }
    Ok(())
}

impl<'a> Critic<'a> {
    /// The measurement of `spec`'s run.
    ///
    /// # Errors
    /// When the held-out images have another side or other classes.
    pub(super) fn new(
        spec: &RunSpec,
        images: &'a dyn ImageSource,
        held_out: &'a Images,
    ) -> Result<Critic<'a>> {
        fits(spec, images, held_out)?;
        let streams = Streams::new(spec.seed);
        let n = SIZE.min(images.len()).min(held_out.len());
        let choose = |stream: &str, set: &dyn ImageSource| {
            let mut order = streams.permutation(stream, 0, set.len());
            order.truncate(n);
            order
        };
        let chosen = [choose("critic.train", images), choose("critic.held-out", held_out)];
        let batches = |set: &'a dyn ImageSource| Batches::new(set, streams, spec.pixels);
        Ok(Critic {
            train: batches(images),
            held_out: batches(held_out),
            chosen,
            noise: Noise::new(spec, spec.seed),
        })
    }

    /// The losses of `discriminator`, with `generator` in evaluation mode. Changes no state.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub(super) fn losses(
        &self,
        spec: &RunSpec,
        place: &Place,
        generator: &mut Generator,
        discriminator: &Discriminator,
    ) -> Result<CriticLoss> {
        let weights = discriminator.clone().weights(Parameters::Frozen, Iterate::Frozen)?;
        Judge { critic: self, spec, place, discriminator, weights: &weights }.losses(generator)
    }
}

/// D as the measurement reads it.
struct Judge<'a> {
    critic: &'a Critic<'a>,
    spec: &'a RunSpec,
    place: &'a Place,
    discriminator: &'a Discriminator,
    weights: &'a Weights,
}

impl Judge<'_> {
    fn losses(&self, generator: &mut Generator) -> Result<CriticLoss> {
        let [train, held_out] = &self.critic.chosen;
        let images = train.len();
        let fake = self.on_fake(generator, images)?;
        let of = |batches: &Batches<'_>, chosen: &[u32], stream: &str| {
            let mut real = Vec::with_capacity(images);
            for (i, part) in chosen.chunks(CHUNK).enumerate() {
                let part = batches.of(part, stream, i as u64, self.spec.n_classes, self.place)?;
                real.extend(self.outputs(&part.images, part.labels.as_ref())?);
            }
            Ok::<_, Error>(loss::discriminator(self.spec.loss, &real, &fake).value)
        };
        Ok(CriticLoss {
            train: of(&self.critic.train, train, "critic.dequantize.train")?,
            held_out: of(&self.critic.held_out, held_out, "critic.dequantize.held-out")?,
            images,
        })
    }

    fn outputs(&self, images: &Tensor, labels: Option<&Labels>) -> Result<Vec<f64>> {
        scores::values(self.spec, self.discriminator, self.weights, images, labels)
    }

    /// D's outputs on `n` generated images, the same for both kinds of real ones.
    fn on_fake(&self, generator: &mut Generator, n: usize) -> Result<Vec<f64>> {
        let (noise, mut fake) = (self.critic.noise, Vec::with_capacity(n));
        for (chunk, first) in (0..n).step_by(CHUNK).enumerate() {
            let (size, chunk) = (CHUNK.min(n - first), chunk as u64);
            let z = noise.z("critic.z", chunk, size, self.place)?;
            let labels = noise.labels("critic.y", chunk, size, self.place)?;
            let images = generator.forward(&z, labels.as_ref(), Parameters::Frozen, Mode::Eval)?;
            fake.extend(self.outputs(&images, labels.as_ref())?);
        }
        Ok(fake)
    }
}
