//! Wall time of single updates, for benchmarks.

use super::{Details, Trainer, Update};
use crate::model::Place;
use crate::rng::Streams;
use crate::{Error, Result};
use sngan_data::{ImageSource, Images};
use sngan_experiment::RunSpec;
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
}

/// Made-up training images of a side.
///
/// # Errors
/// Never for a side above 0.
pub fn made_up_images(side: usize) -> Result<Images> {
    let pixels = Streams::new(0).uniform("images", 0, IMAGES * 3 * side * side).into_iter().map(|u| (u * 256.0) as u8).collect();
    Images::new("made-up".into(), side, pixels, vec![0; IMAGES], vec!["only".into()]).map_err(Error::Data)
}

/// A training whose updates are made one at a time, in any order.
pub struct SingleUpdates<'a> {
    trainer: Trainer<'a>,
    update: Update,
    details: Details,
}

impl<'a> SingleUpdates<'a> {
    /// A training at its start.
    ///
    /// # Errors
    /// When the spec is out of range, or the images have another side.
    pub fn new(spec: &RunSpec, images: &'a dyn ImageSource, place: &Place) -> Result<SingleUpdates<'a>> {
        Ok(SingleUpdates { trainer: Trainer::new(spec, images, place)?, update: Update::default(), details: Details::default() })
    }

    /// One update of D.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn discriminator(&mut self) -> Result<()> {
        self.trainer.discriminator_update(0, &mut self.update, false, &mut self.details).map(drop)
    }

    /// One update of G.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn generator(&mut self) -> Result<()> {
        self.trainer.generator_update(&mut self.update, false).map(drop)
    }
}

/// Runs `repeats` updates of D and then as many of G on made-up images, after `warm_up` of each that are not counted, on the current rayon
/// pool.
///
/// # Errors
/// When the spec is out of range.
pub fn measure(spec: &RunSpec, place: &Place, warm_up: usize, repeats: usize) -> Result<UpdateTimes> {
    let images = made_up_images(spec.side)?;
    let mut updates = SingleUpdates::new(spec, &images, place)?;
    let mut timed = |f: fn(&mut SingleUpdates<'_>) -> Result<()>| {
        let times = (0..warm_up + repeats).map(|_| {
            let start = Instant::now();
            f(&mut updates)?;
            Ok(start.elapsed().as_secs_f64())
        });
        times.skip(warm_up).collect::<Result<Vec<f64>>>()
    };
    Ok(UpdateTimes { discriminator: timed(|u| u.discriminator())?, generator: timed(|u| u.generator())? })
}
