//! Wall time of single updates, for benchmarks.

use super::{Details, Trainer, Update};
use crate::model::Place;
use crate::rng::Streams;
use crate::{Error, Result};
use sngan_data::Images;
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

/// Runs `repeats` updates of D and then as many of G on made-up images, after `warm_up` of each that are not counted, on the current rayon
/// pool.
///
/// # Errors
/// When the spec is out of range.
pub fn measure(spec: &RunSpec, place: &Place, warm_up: usize, repeats: usize) -> Result<UpdateTimes> {
    let pixels = Streams::new(0).uniform("images", 0, IMAGES * 3 * spec.side * spec.side).into_iter().map(|u| (u * 256.0) as u8).collect();
    let images = Images::new("made-up".into(), spec.side, pixels, vec![0; IMAGES], vec!["only".into()]).map_err(Error::Data)?;
    let mut trainer = Trainer::new(spec, &images, place)?;
    let mut times = UpdateTimes::default();
    let (mut update, mut details) = (Update::default(), Details::default());
    for i in 0..warm_up + repeats {
        let start = Instant::now();
        trainer.discriminator_update(0, &mut update, false, &mut details)?;
        if i >= warm_up {
            times.discriminator.push(start.elapsed().as_secs_f64());
        }
    }
    for i in 0..warm_up + repeats {
        let start = Instant::now();
        trainer.generator_update(&mut update, false)?;
        if i >= warm_up {
            times.generator.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}
