//! Wall time of single updates, for benchmarks.

use super::{Backend, Trainer, Update};
use crate::{Error, Result};
use sngan_data::{ImageSource, Images};
use sngan_experiment::RunSpec;
use sngan_tensor::rng::Streams;
use std::time::Instant;

/// Made-up training images to measure with; a time does not depend on what they show.
const IMAGES: usize = 256;

/// Seconds of each measured update, in the order they ran.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateTimes {
    /// Updates of D.
    pub discriminator: Vec<f64>,
    /// Updates of G.
    pub generator: Vec<f64>,
    /// Bytes of an accelerator's memory that they needed; `None` on the CPU.
    pub device_bytes: Option<u64>,
}

/// What a run costs, measured on this machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Seconds of a generator update with its rounds of D.
    pub update: f64,
    /// Seconds that logging adds to one: exact singular values, gradient norms. Of a GPU's updates, beside which they are computed, at most.
    pub logging: f64,
    /// Bytes of a checkpoint.
    pub checkpoint: u64,
}

/// Made-up training images of a side, in `classes` classes.
///
/// # Errors
/// Never for a side and a number of classes above 0.
pub fn made_up_images(side: usize, classes: usize) -> Result<Images> {
    let pixels = Streams::new(0)
        .uniform("images", 0, IMAGES * 3 * side * side)
        .into_iter()
        .map(|u| (u * 256.0) as u8)
        .collect();
    let labels = (0..IMAGES as u32).map(|i| i % classes.max(1) as u32).collect();
    let names = (0..classes.max(1)).map(|c| c.to_string()).collect();
    Images::new("made-up".into(), side, pixels, labels, names).map_err(Error::Data)
}

/// Seconds from which on one update is measurement enough.
const LONG: f64 = 10.0;

/// Measures what a run of `spec` costs, on made-up images and the current rayon pool: after one update that is not counted, the least of
/// three plain ones and one that is logged. Where an update is long, the first one is all, its logging included; of more than two
/// micro-batches two are measured and the others counted like them.
///
/// # Errors
/// When the spec is out of range.
pub fn cost(spec: &RunSpec, backend: &dyn Backend) -> Result<Cost> {
    let images = made_up_images(spec.side, spec.n_classes)?;
    let (spec, times) = two_pieces(spec);
    let mut trainer = Trainer::new(&spec, &images, backend)?;
    let mut timed = |detailed| {
        let start = Instant::now();
        trainer.update(detailed)?;
        Ok::<_, Error>(start.elapsed().as_secs_f64() * times)
    };
    let (mut update, mut logging) = (timed(true)?, 0.0);
    if update < LONG {
        update = f64::INFINITY;
        for _ in 0..3 {
            update = update.min(timed(false)?);
        }
        logging = (timed(true)? - update).max(0.0);
    }
    Ok(Cost {
        update,
        logging,
        checkpoint: crate::checkpoint::encode(&trainer.state()?)?.len() as u64,
    })
}

/// The spec with two micro-batches a batch, which need as much memory as more of them, and how many times as long the whole takes.
fn two_pieces(spec: &RunSpec) -> (RunSpec, f64) {
    let pieces = |batch: usize, micro: usize| batch.checked_div(micro).unwrap_or(1);
    let n = pieces(spec.batch, spec.dis_micro_batch);
    if n <= 2 || pieces(spec.gen_batch, spec.gen_micro_batch) != n {
        return (spec.clone(), 1.0);
    }
    (
        RunSpec {
            batch: 2 * spec.dis_micro_batch,
            gen_batch: 2 * spec.gen_micro_batch,
            ..spec.clone()
        },
        n as f64 / 2.0,
    )
}

/// A training whose updates are made one at a time, in any order.
pub struct SingleUpdates<'a> {
    trainer: Trainer<'a>,
    update: Update,
}

impl<'a> SingleUpdates<'a> {
    /// A training at its start.
    ///
    /// # Errors
    /// When the spec is out of range, or the images have another side.
    pub fn new(
        spec: &RunSpec,
        images: &'a dyn ImageSource,
        backend: &dyn Backend,
    ) -> Result<SingleUpdates<'a>> {
        Ok(SingleUpdates {
            trainer: Trainer::new(spec, images, backend)?,
            update: Update::default(),
        })
    }

    /// One update of D.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn discriminator(&mut self) -> Result<()> {
        self.trainer.discriminator_update(0, &mut self.update, None)?;
        self.trainer.engine.finish()
    }

    /// One update of G.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn generator(&mut self) -> Result<()> {
        self.trainer.generator_update(&mut self.update, false)?;
        self.trainer.engine.finish()
    }
}

/// Runs `repeats` updates of D and then as many of G on made-up images, after `warm_up` of each that are not counted, on the current rayon
/// pool.
///
/// # Errors
/// When the spec is out of range.
pub fn measure(
    spec: &RunSpec,
    backend: &dyn Backend,
    warm_up: usize,
    repeats: usize,
) -> Result<UpdateTimes> {
    let images = made_up_images(spec.side, spec.n_classes)?;
    let mut updates = SingleUpdates::new(spec, &images, backend)?;
    let mut timed = |f: fn(&mut SingleUpdates<'_>) -> Result<()>| {
        let times = (0..warm_up + repeats).map(|_| {
            let start = Instant::now();
            f(&mut updates)?;
            Ok(start.elapsed().as_secs_f64())
        });
        times.skip(warm_up).collect::<Result<Vec<f64>>>()
    };
    let (discriminator, generator) = (timed(|u| u.discriminator())?, timed(|u| u.generator())?);
    let device_bytes = updates.trainer.engine.device_bytes();
    Ok(UpdateTimes { discriminator, generator, device_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    #[test]
    fn two_micro_batches_stand_for_as_many_as_there_are() {
        let whole = RunSpec::paper(Method::Sn);
        assert_eq!(two_pieces(&whole), (whole.clone(), 1.0));
        let parts = RunSpec {
            batch: 64,
            gen_batch: 128,
            dis_micro_batch: 16,
            gen_micro_batch: 32,
            ..whole.clone()
        };
        assert_eq!(
            two_pieces(&parts),
            (RunSpec { batch: 32, gen_batch: 64, ..parts.clone() }, 2.0)
        );
        let uneven = RunSpec { gen_micro_batch: 16, ..parts };
        assert_eq!(two_pieces(&uneven), (uneven.clone(), 1.0));
    }
}
