//! Images from a generator: samples and interpolations as bytes, and the files they are written to.

mod interpolation;
mod output;
mod sampler;

pub use interpolation::{Interpolation, Path, interpolate};
pub use output::{check, write, write_grid};
pub use sampler::{CHUNK, Images, Sampler};

use crate::checkpoint::Checkpoint;
use crate::{Error, Result};
use candle_core::Device;
use sngan_experiment::RunSpec;

/// Which samples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRequest {
    /// The number of the first: a multiple of 100, for samples are drawn in hundreds. The same number is the same sample, however many are
    /// asked for at a time.
    pub first: usize,
    /// How many.
    pub n: usize,
    /// Seed of the streams `sample`, for z, and `sample.y`, for the classes of a conditional G.
    pub seed: u64,
    /// This class alone, of a conditional G; else each image's class is drawn, each as likely.
    pub class: Option<u32>,
}

/// `n` images `[n, 3, side, side]` as bytes from a checkpoint: z from the stream `sample` of `seed`, and classes, where G is conditional,
/// from the stream `sample.y`; G in evaluation mode, or its moving average, where the run keeps one.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn images(
    spec: &RunSpec,
    checkpoint: &Checkpoint,
    device: &Device,
    n: usize,
    seed: u64,
) -> Result<Vec<u8>> {
    images_of(spec, checkpoint, device, SampleRequest { first: 0, n, seed, class: None })
}

/// Whether the run's generator draws these classes; no class is asked of none.
///
/// # Errors
/// A class that there is not, or any of a generator without labels.
pub fn check_classes(spec: &RunSpec, classes: impl IntoIterator<Item = u32>) -> Result<()> {
    for class in classes {
        if spec.n_classes == 0 {
            return Err(Error::Invalid(
                "a class was asked for, but the run's generator is not conditional".into(),
            ));
        }
        if class as usize >= spec.n_classes {
            return Err(Error::Invalid(format!(
                "class {class}: the classes are 0 to {}",
                spec.n_classes - 1
            )));
        }
    }
    Ok(())
}

/// [`images`] of one class, where the request names one.
///
/// # Errors
/// When the checkpoint does not fit the spec, or there is no such class.
pub fn images_of(
    spec: &RunSpec,
    checkpoint: &Checkpoint,
    device: &Device,
    request: SampleRequest,
) -> Result<Vec<u8>> {
    Sampler::of_checkpoint(spec, checkpoint, device)?.draw(request)
}
