//! The seam between a training and what makes its updates: the networks here on the CPU, or the same updates as a program on a GPU
//! (`sngan_cuda`). Inputs, schedule, log and checkpoints are the training's, so they are the same whatever makes the updates.

use super::{Copies, Details, Networks, Update};
use crate::Result;
use crate::batch::Real;
use crate::checkpoint::Checkpoint;
use crate::generate::Sampler;
use crate::model::{Discriminator, Generator, Labels, Place, TensorSource};
use candle_core::{DType, Tensor};
use sngan_experiment::RunSpec;
use sngan_experiment::records::Accelerator;
use std::collections::BTreeMap;

/// Where a run's networks start from.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Their initial draws.
    Fresh,
    /// A checkpoint, with its moments.
    At(&'a Checkpoint),
    /// Tensors by checkpoint name; the optimizers are at their start.
    Given(&'a BTreeMap<String, Tensor>),
}

/// What a generator update is given.
pub struct GeneratorInputs {
    /// z, `[gen_batch, 128]`.
    pub z: Tensor,
    /// The class of each, where the networks read them.
    pub labels: Option<Labels>,
    /// As many real images, for a loss of pairs.
    pub real: Option<Real>,
    /// Adam's α of this update.
    pub lr: f64,
}

/// What a round of D is given.
pub struct DiscriminatorInputs {
    /// Real images, with their classes.
    pub real: Real,
    /// z, `[batch, 128]`.
    pub z: Tensor,
    /// Classes of the generated images.
    pub fake_labels: Option<Labels>,
    /// The penalty's ε, `[batch]`.
    pub epsilon: Option<Tensor>,
    /// The penalty's noise in [0, 1), `[batch, 3, side, side]`.
    pub noise: Option<Tensor>,
    /// Adam's α of this update.
    pub lr: f64,
}

/// What makes updates, before a run is chosen.
pub trait Backend: Sync {
    /// Its name, as `--device` takes it: `cpu`, `cuda:0`.
    fn name(&self) -> String;

    /// Where inputs are drawn, and networks built that are looked at between updates.
    fn place(&self) -> Place;

    /// What the provenance holds of it besides its name.
    fn accelerator(&self) -> Option<Accelerator> {
        None
    }

    /// The networks and optimizers of `spec` at their start.
    ///
    /// # Errors
    /// A spec that is out of range, a missing tensor; those of the device.
    fn engine(&self, spec: &RunSpec, start: Start<'_>) -> Result<Box<dyn Engine>>;

    /// What samples are drawn with from a generator's tensors by checkpoint name.
    ///
    /// # Errors
    /// A missing tensor; those of the device.
    fn sampler<'a>(
        &self,
        spec: &RunSpec,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Sampler<'a>> {
        Sampler::new(spec, &TensorSource::given(tensors, &self.place()))
    }
}

/// The networks here, on the CPU.
impl Backend for Place {
    fn name(&self) -> String {
        "cpu".into()
    }

    fn place(&self) -> Place {
        self.clone()
    }

    fn engine(&self, spec: &RunSpec, start: Start<'_>) -> Result<Box<dyn Engine>> {
        Ok(Box::new(Networks::start(spec, self, start)?))
    }
}

/// What is done with networks that are lent, in evaluation.
pub type Look<'f> = dyn FnMut(&mut Generator, &Discriminator) -> Result<()> + 'f;

/// Waits for copies that were begun; any thread may.
pub type Receipt = Box<dyn FnOnce() -> Result<Copies> + Send>;

/// The networks and optimizers of one run.
pub trait Engine: Send {
    /// One generator update: its numbers go to `update`. Returns the norm of its gradient, where `detailed` and known by now
    /// ([`Engine::copies`]).
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn generator_update(
        &mut self,
        inputs: &GeneratorInputs,
        update: &mut Update,
        detailed: bool,
    ) -> Result<f64>;

    /// One update of D: its numbers go to `update`, its measurements to `details`, where they are wanted and known by now
    /// ([`Engine::copies`]). The numbers may be those of an earlier update ([`Update::lag`]), so that nobody has to wait for a GPU.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn discriminator_update(
        &mut self,
        inputs: &DiscriminatorInputs,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> Result<()>;

    /// After an update whose last round of D was measured: begins to copy what its measurements are made of, where they are made beside the
    /// updates that follow. `None` where the update has made them itself.
    ///
    /// # Errors
    /// Those of the device.
    fn copies(&mut self) -> Result<Option<Receipt>> {
        Ok(None)
    }

    /// Waits until what was begun is done; for measuring times.
    ///
    /// # Errors
    /// Those of the device.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// Bytes of an accelerator's memory that the run holds, from beginning to end; `None` on the CPU.
    fn device_bytes(&self) -> Option<u64> {
        None
    }

    /// A step of G's moving average, where the spec has one.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn average(&mut self) -> Result<()>;

    /// Both networks' parameters, running averages and `u` by checkpoint name.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn networks(&self) -> Result<BTreeMap<String, Tensor>>;

    /// The same with both Adams' moments and G's moving average: what a checkpoint holds.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn state(&self) -> Result<BTreeMap<String, Tensor>>;

    /// Steps of G's and D's Adam.
    fn steps(&self) -> [u64; 2];

    /// What samples are drawn with: G, or its moving average.
    ///
    /// # Errors
    /// Those of the tensor library or the device.
    fn sampler(&mut self) -> Result<Sampler<'_>>;

    /// Lends the networks as they are now. In evaluation mode nothing of the training changes.
    ///
    /// # Errors
    /// Those of `look`, the tensor library or the device.
    fn look(&mut self, look: &mut Look<'_>) -> Result<()>;
}

/// The first tensor that is not finite.
pub(crate) fn not_finite(tensors: &BTreeMap<String, Tensor>) -> Result<Option<String>> {
    for (name, t) in tensors {
        // A sum is finite only if every term is (up to overflow, which is divergence too).
        if !t.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?.is_finite() {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}
