//! A training's engine that runs the updates as programs: on a GPU, or by the interpreter on the host.

#[cfg(feature = "cuda")]
use crate::device::{Device, Installed, Math};
use crate::host::Host;
use crate::inference::{self, Inferring};
use crate::machine::{
    Copied, DiscriminatorBatch, GeneratorBatch, Lists, Machine, Numbers, Slice, Training, Values,
};
use crate::program::Program;
use candle_core::{DType, Tensor};
use sngan_core::generate::Sampler;
use sngan_core::model::{Discriminator, Generator, Labels, Place};
use sngan_core::trainer::{
    Backend, Copies, Details, DiscriminatorInputs, Engine, GeneratorInputs, Look, Networks,
    Receipt, Start, Update,
};
#[cfg(feature = "cuda")]
use sngan_eval::Backbone;
use sngan_experiment::RunSpec;
use sngan_experiment::arch::Conditioning;
use std::collections::BTreeMap;

type Result<T> = sngan_core::Result<T>;

/// This crate's error as a training's.
pub(crate) fn wrapped(e: crate::Error) -> sngan_core::Error {
    sngan_core::Error::Backend(Box::new(e))
}

/// The programs run by the interpreter on the host: slow, for comparison with the networks and with a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interpreter {
    /// f64, as the oracle of the networks is; f32 otherwise.
    pub double: bool,
}

impl Backend for Interpreter {
    fn name(&self) -> String {
        "program".into()
    }

    fn place(&self) -> Place {
        if self.double { Place::oracle() } else { Place::new(&candle_core::Device::Cpu) }
    }

    fn engine(&self, spec: &RunSpec, start: Start<'_>) -> Result<Box<dyn Engine>> {
        let program = Program::of(spec).map_err(wrapped)?;
        let place = self.place();
        Ok(if self.double {
            let host = Host::<f64>::new(&program.layout);
            Box::new(Programmed::new(spec, place, program, host, start)?)
        } else {
            let host = Host::<f32>::new(&program.layout);
            Box::new(Programmed::new(spec, place, program, host, start)?)
        })
    }

    fn sampler<'a>(
        &self,
        spec: &RunSpec,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Sampler<'a>> {
        let place = self.place();
        Ok(if self.double {
            let open = |lists: &dyn Lists| Ok(Host::<f64>::new(lists.layout()));
            inference::sampler(spec, &place, Inferring::of_generator(spec, tensors, open)?)
        } else {
            let open = |lists: &dyn Lists| Ok(Host::<f32>::new(lists.layout()));
            inference::sampler(spec, &place, Inferring::of_generator(spec, tensors, open)?)
        })
    }
}

/// GPU number `ordinal`.
#[cfg(feature = "cuda")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuda {
    installed: Installed,
    math: Math,
}

#[cfg(feature = "cuda")]
impl Cuda {
    /// The GPU, with the versions of its libraries.
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// GPU number `ordinal`, with the libraries that it needs.
    ///
    /// # Errors
    /// A library or GPU that is not there.
    pub fn new(ordinal: usize, math: Math) -> crate::Result<Cuda> {
        Ok(Cuda { installed: crate::device::require(ordinal)?, math })
    }
}

#[cfg(feature = "cuda")]
impl Backend for Cuda {
    fn name(&self) -> String {
        format!("cuda:{}", self.installed.gpu.ordinal)
    }

    fn place(&self) -> Place {
        Place::new(&candle_core::Device::Cpu)
    }

    fn accelerator(&self) -> Option<sngan_experiment::records::Accelerator> {
        use sha2::{Digest, Sha256};
        let Installed { gpu, driver, cudnn, cublas } = self.installed.clone();
        Some(sngan_experiment::records::Accelerator {
            model: gpu.name,
            driver,
            cudnn,
            cublas,
            kernels: hex::encode(Sha256::digest(crate::kernels::PTX)),
            math: self.math.name().into(),
        })
    }

    fn engine(&self, spec: &RunSpec, start: Start<'_>) -> Result<Box<dyn Engine>> {
        let program = Program::of(spec).map_err(wrapped)?;
        let device = Device::open(&self.installed, &program, self.math).map_err(wrapped)?;
        Ok(Box::new(Programmed::new(spec, self.place(), program, device, start)?))
    }

    fn sampler<'a>(
        &self,
        spec: &RunSpec,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Sampler<'a>> {
        let open = |lists: &dyn Lists| Device::open(&self.installed, lists, Math::F32);
        let generator = Inferring::of_generator(spec, tensors, open)?;
        Ok(inference::sampler(spec, &self.place(), generator))
    }
}

/// A backbone run by a GPU, in f32.
///
/// # Errors
/// As [`Backbone::graph`]; too little memory, those of the device.
#[cfg(feature = "cuda")]
pub fn on_gpu(installed: &Installed, backbone: Backbone) -> sngan_eval::Result<Backbone> {
    let failed = |e: crate::Error| sngan_eval::Error::Inference(Box::new(e));
    let Some(graph) = backbone.graph()? else { return Ok(backbone) };
    let open = |lists: &dyn Lists| Device::open(installed, lists, Math::F32);
    let inference = Inferring::of_graph(&graph, open).map_err(failed)?;
    Ok(backbone.elsewhere(graph.batch, Box::new(inference)))
}

/// A run's updates as programs on a machine.
struct Programmed<M> {
    spec: RunSpec,
    place: Place,
    training: Training<M>,
}

impl<M: Machine + Send> Programmed<M> {
    /// The networks are made on the host, from the same draws, and carried over.
    fn new(
        spec: &RunSpec,
        place: Place,
        program: Program,
        machine: M,
        start: Start<'_>,
    ) -> Result<Programmed<M>> {
        let networks = Networks::start(spec, &place, start)?;
        let state = networks.state()?;
        let mut training = Training::new(program, machine);
        let mut failed = None;
        let loaded = training.load(networks.steps(), |name| {
            let values = state.get(name).map(values)?;
            values.map_err(|e| failed = Some(e)).ok()
        });
        match failed {
            Some(e) => Err(e),
            None => {
                loaded.map_err(wrapped)?;
                Ok(Programmed { spec: spec.clone(), place, training })
            }
        }
    }

    /// A state's tensors by name.
    fn tensors(
        &self,
        state: crate::Result<BTreeMap<String, Values>>,
    ) -> Result<BTreeMap<String, Tensor>> {
        tensors(&self.place, state.map_err(wrapped)?)
    }

    /// The networks as they are now, on the host.
    fn on_the_host(&self) -> Result<(Generator, Discriminator)> {
        let state = self.networks()?;
        Ok(Networks::start(&self.spec, &self.place, Start::Given(&state))?.into_parts())
    }
}

/// Tensors of values in a place.
fn tensors(place: &Place, values: BTreeMap<String, Values>) -> Result<BTreeMap<String, Tensor>> {
    let tensor =
        |(name, (shape, values)): (String, Values)| Ok((name, tensors_of(place, shape, values)?));
    values.into_iter().map(tensor).collect()
}

/// A tensor of values in a place.
pub(crate) fn tensors_of(place: &Place, shape: Vec<usize>, values: Vec<f64>) -> Result<Tensor> {
    let tensor = Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?;
    Ok(tensor.to_dtype(place.dtype)?)
}

/// Puts what an update of `spec` found out into `update`.
fn fill(update: &mut Update, spec: &RunSpec, n: &Numbers) {
    (update.loss_d, update.loss_reg, update.loss_g) = (n.loss_d, n.loss_reg, n.loss_g);
    (update.d_real, update.d_fake) = (n.d_real, n.d_fake);
    if spec.conditioning == Conditioning::AcGan {
        update.loss_class_d = Some(n.loss_class_d);
        update.loss_class_g = Some(n.loss_class_g);
    }
    let penalized = spec.regularizer.penalizes_gradient();
    update.grad_norm_x_hat = penalized.then_some(n.grad_norm_x_hat);
}

/// A tensor's values.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// An input's values, in its own type.
pub(crate) enum Input {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Input {
    pub(crate) fn of(tensor: &Tensor) -> Result<Input> {
        let flat = tensor.flatten_all()?;
        Ok(if flat.dtype() == DType::F32 {
            Input::F32(flat.to_vec1()?)
        } else {
            Input::F64(values(&flat)?)
        })
    }

    pub(crate) fn classes(labels: &Labels) -> Input {
        Input::F64(labels.classes().iter().map(|class| f64::from(*class)).collect())
    }

    pub(crate) fn slice(&self) -> Slice<'_> {
        match self {
            Input::F32(values) => Slice::F32(values),
            Input::F64(values) => Slice::F64(values),
        }
    }
}

impl<M: Machine + Send> Engine for Programmed<M> {
    fn generator_update(
        &mut self,
        inputs: &GeneratorInputs,
        _: &mut Update,
        detailed: bool,
    ) -> Result<f64> {
        let (z, labels) = (Input::of(&inputs.z)?, inputs.labels.as_ref().map(Input::classes));
        let batch = GeneratorBatch { z: z.slice(), labels: labels.as_ref().map(Input::slice) };
        // The loss is read with the numbers of D's round, which comes next; the gradient's norm is among the copies.
        self.training.generator_update(batch, inputs.lr, detailed).map_err(wrapped)?;
        Ok(0.0)
    }

    fn discriminator_update(
        &mut self,
        inputs: &DiscriminatorInputs,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> Result<()> {
        let (real, z) = (Input::of(&inputs.real.images)?, Input::of(&inputs.z)?);
        let real_labels = inputs.real.labels.as_ref().map(Input::classes);
        let fake_labels = inputs.fake_labels.as_ref().map(Input::classes);
        let epsilon = inputs.epsilon.as_ref().map(Input::of).transpose()?;
        let batch = DiscriminatorBatch {
            real: real.slice(),
            real_labels: real_labels.as_ref().map(Input::slice),
            z: z.slice(),
            fake_labels: fake_labels.as_ref().map(Input::slice),
            epsilon: epsilon.as_ref().map(Input::slice),
        };
        let detailed = details.is_some();
        self.training.discriminator_update(batch, inputs.lr, detailed).map_err(wrapped)?;
        // Asked for at every round, so that they are never of more than a round before.
        let (numbers, lag) = self.training.numbers_so_far().map_err(wrapped)?;
        // After an update's last round, the round before is the same update's where there are several.
        let rounds = u64::from(self.spec.n_dis.max(1));
        update.lag = lag.saturating_sub(rounds - 1).div_ceil(rounds);
        fill(update, &self.spec, &numbers);
        Ok(())
    }

    fn copies(&mut self) -> Result<Option<Receipt>> {
        let receipt = self.training.copies().map_err(wrapped)?;
        let (spec, place) = (self.spec.clone(), self.place.clone());
        Ok(Some(Box::new(move || {
            let Copied { numbers, normalized, networks } = receipt().map_err(wrapped)?;
            let mut update = Update::default();
            fill(&mut update, &spec, &numbers);
            Ok(Copies {
                update,
                grad_norm_d: numbers.grad_norm_d,
                grad_norm_g: numbers.grad_norm_g,
                normalized: tensors(&place, normalized)?,
                networks: tensors(&place, networks)?,
            })
        })))
    }

    fn finish(&mut self) -> Result<()> {
        self.training.finish().map_err(wrapped)
    }

    fn device_bytes(&self) -> Option<u64> {
        self.training.device_bytes()
    }

    fn average(&mut self) -> Result<()> {
        self.training.average().map_err(wrapped)
    }

    fn networks(&self) -> Result<BTreeMap<String, Tensor>> {
        self.tensors(self.training.networks())
    }

    fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        self.tensors(self.training.state())
    }

    fn steps(&self) -> [u64; 2] {
        self.training.steps()
    }

    fn sampler(&mut self) -> Result<Sampler<'_>> {
        let Programmed { spec, place, training } = self;
        let (side, of) = (spec.side, place.clone());
        let images = move |z: &Tensor, labels: Option<&Labels>| {
            let (n, z, labels) = (z.dim(0)?, Input::of(z)?, labels.map(Input::classes));
            let labels = labels.as_ref().map(Input::slice);
            let values = training.images(n, z.slice(), labels).map_err(wrapped)?;
            tensors_of(&of, vec![n, 3, side, side], values)
        };
        Ok(Sampler::elsewhere(spec, place, Box::new(images)))
    }

    fn look(&mut self, look: &mut Look<'_>) -> Result<()> {
        let (mut generator, discriminator) = self.on_the_host()?;
        look(&mut generator, &discriminator)
    }
}
