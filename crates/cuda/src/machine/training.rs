//! A run's networks and optimizers on a machine, and what goes in and out at an update.

use super::{Machine, Part};
use crate::op::View;
use crate::program::{Network, Program, Record};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Numbers of either type, which no machine needs converted twice.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'a> {
    /// Those of a training.
    F32(&'a [f32]),
    /// Those of an oracle.
    F64(&'a [f64]),
}

impl<'a> Slice<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Slice::F32(values) => values.len(),
            Slice::F64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The numbers in f64.
    pub(crate) fn to_vec(self) -> Vec<f64> {
        match self {
            Slice::F32(values) => values.iter().map(|x| f64::from(*x)).collect(),
            Slice::F64(values) => values.to_vec(),
        }
    }

    /// Numbers `start..start + len`; none where there are fewer.
    fn narrow(self, start: usize, len: usize) -> Slice<'a> {
        match self {
            Slice::F32(values) => Slice::F32(values.get(start..start + len).unwrap_or_default()),
            Slice::F64(values) => Slice::F64(values.get(start..start + len).unwrap_or_default()),
        }
    }
}

/// What a generator update is given.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorBatch<'a> {
    /// z, `[gen_batch, 128]`.
    pub z: Slice<'a>,
    /// The class of each, where the networks read them.
    pub labels: Option<Slice<'a>>,
}

/// What a round of D is given.
#[derive(Debug, Clone, Copy)]
pub struct DiscriminatorBatch<'a> {
    /// Real images, `[batch, 3, side, side]` in [−1, 1].
    pub real: Slice<'a>,
    /// Their classes.
    pub real_labels: Option<Slice<'a>>,
    /// z, `[batch, 128]`.
    pub z: Slice<'a>,
    /// Classes of the generated images.
    pub fake_labels: Option<Slice<'a>>,
    /// The penalty's ε, `[batch]`.
    pub epsilon: Option<Slice<'a>>,
}

/// Numbers of an update, as [`Record`] names them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are Record's")]
pub struct Numbers {
    pub loss_d: f64,
    pub loss_reg: f64,
    pub loss_g: f64,
    pub d_real: f64,
    pub d_fake: f64,
    pub loss_class_d: f64,
    pub loss_class_g: f64,
    pub grad_norm_x_hat: f64,
    /// ℓ2 norm of D's gradient, where measured.
    pub grad_norm_d: f64,
    /// Of G's.
    pub grad_norm_g: f64,
}

/// A run's networks and optimizers on a machine.
#[derive(Debug)]
pub struct Training<M> {
    program: Program,
    machine: M,
    steps: [u64; 2],
}

/// A tensor of the state: shape and values.
pub type Values = (Vec<usize>, Vec<f64>);

/// What a measured update leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Copied {
    /// Its numbers.
    pub numbers: Numbers,
    /// W̄ by layer, as D's last forward used it; each `[d_out, rest]`.
    pub normalized: BTreeMap<String, Values>,
    /// As [`Training::networks`] after the update.
    pub networks: BTreeMap<String, Values>,
}

impl<M: Machine> Training<M> {
    /// [`Machine::device_bytes`].
    pub fn device_bytes(&self) -> Option<u64> {
        self.machine.device_bytes()
    }

    /// The run of `program` on `machine`, whose memory must be the program's; its state is 0 until it is loaded.
    pub fn new(program: Program, machine: M) -> Training<M> {
        Training { program, machine, steps: [0, 0] }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Adam's steps so far, G's and D's.
    pub fn steps(&self) -> [u64; 2] {
        self.steps
    }

    /// Every tensor's name in a checkpoint and place.
    fn tensors(&self) -> Vec<(String, &[usize], View)> {
        let mut all = Vec::new();
        for network in [&self.program.generator, &self.program.discriminator] {
            for stored in network.parameters.iter().chain(&network.state) {
                all.push((stored.name.clone(), &stored.shape[..], stored.view));
            }
            for (prefix, whole) in [("adam.m", network.m), ("adam.v", network.v)] {
                for p in &network.parameters {
                    all.push((
                        format!("{prefix}.{}", p.name),
                        &p.shape[..],
                        network.part(whole, p),
                    ));
                }
            }
        }
        for stored in self.program.average.iter().flat_map(|a| &a.tensors) {
            all.push((format!("ema.{}", stored.name), &stored.shape[..], stored.view));
        }
        all
    }

    /// Takes a state: `get` gives a tensor's values by its name in a checkpoint, `None` for one that is at its start, which only moments
    /// (0) and the moving average (G's own values) may be.
    ///
    /// # Errors
    /// A tensor that is missing or has another length.
    pub fn load(
        &mut self,
        steps: [u64; 2],
        mut get: impl FnMut(&str) -> Option<Vec<f64>>,
    ) -> Result<()> {
        let tensors: Vec<(String, View)> =
            self.tensors().into_iter().map(|(name, _, view)| (name, view)).collect();
        for (name, view) in tensors {
            let values = match (get(&name), name.strip_prefix("ema.")) {
                (Some(values), _) => values,
                (None, Some(own)) => get(own).ok_or_else(|| Error::Missing(own.into()))?,
                (None, None) if name.starts_with("adam.") => vec![0.0; view.len],
                (None, None) => return Err(Error::Missing(name)),
            };
            if values.len() != view.len {
                return Err(Error::Length { name, found: values.len(), expected: view.len });
            }
            self.machine.write(view, &values)?;
        }
        self.steps = steps;
        Ok(())
    }

    /// A view's values.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn read(&self, view: View) -> Result<Vec<f64>> {
        self.machine.read(view)
    }

    fn named(&self, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Values>> {
        let tensors = self.tensors().into_iter().filter(|(name, ..)| wanted(name));
        let tensor = |(name, shape, view): (String, &[usize], View)| {
            Ok((name, (shape.to_vec(), self.machine.read(view)?)))
        };
        tensors.map(tensor).collect()
    }

    /// Every tensor by its name in a checkpoint.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn state(&self) -> Result<BTreeMap<String, Values>> {
        self.named(|_| true)
    }

    /// The networks' parameters, running averages and u.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn networks(&self) -> Result<BTreeMap<String, Values>> {
        self.named(|name| !name.starts_with("adam.") && !name.starts_with("ema."))
    }

    /// G's tensors that samples are drawn from, under G's own names: its average's, where there is one.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn sampled(&self) -> Result<BTreeMap<String, Values>> {
        let Some(_) = &self.program.average else {
            return self.named(|name| name.starts_with("generator."));
        };
        let average = self.named(|name| name.starts_with("ema."))?.into_iter();
        let own = |name: String| name.trim_start_matches("ema.").to_string();
        Ok(average.map(|(name, tensor)| (own(name), tensor)).collect())
    }

    fn write(&mut self, name: &str, view: View, values: Slice<'_>) -> Result<()> {
        if values.len() != view.len {
            let (found, expected) = (values.len(), view.len);
            return Err(Error::Length { name: name.into(), found, expected });
        }
        match values {
            Slice::F32(values) => self.machine.write_f32(view, values),
            Slice::F64(values) => self.machine.write(view, values),
        }
    }

    fn optional(
        &mut self,
        name: &str,
        view: Option<View>,
        values: Option<Slice<'_>>,
    ) -> Result<()> {
        match (view, values) {
            (Some(view), Some(values)) => self.write(name, view, values),
            (Some(_), None) => Err(Error::Missing(name.into())),
            (None, _) => Ok(()),
        }
    }

    /// `values` in equal parts to `views`.
    fn in_parts(&mut self, name: &str, views: &[View], values: Option<Slice<'_>>) -> Result<()> {
        let Some(first) = views.first() else { return Ok(()) };
        let values = values.ok_or_else(|| Error::Missing(name.into()))?;
        let expected = first.len * views.len();
        if values.len() != expected {
            return Err(Error::Length { name: name.into(), found: values.len(), expected });
        }
        for (i, view) in views.iter().enumerate() {
            self.write(name, *view, values.narrow(i * first.len, first.len))?;
        }
        Ok(())
    }

    fn begin_step(&mut self, network: usize, lr: f64) -> Result<()> {
        self.steps[network] += 1;
        let scalars = self.program.adam_scalars(lr, self.steps[network]);
        let place = self.both()[network].scalars;
        self.machine.write(place, &scalars)
    }

    fn both(&self) -> [&Network; 2] {
        [&self.program.generator, &self.program.discriminator]
    }

    /// One generator update with the rate `lr`.
    ///
    /// # Errors
    /// An input of another length; those of the machine.
    pub fn generator_update(
        &mut self,
        batch: GeneratorBatch<'_>,
        lr: f64,
        detailed: bool,
    ) -> Result<()> {
        let inputs = self.program.generator_inputs.clone();
        self.write("z.generator", inputs.z, batch.z)?;
        self.optional("y.generator", inputs.labels, batch.labels)?;
        self.begin_step(0, lr)?;
        self.machine.run(&self.program, Part::Generator { detailed })
    }

    /// One round of D with the rate `lr`.
    ///
    /// # Errors
    /// As [`Training::generator_update`].
    pub fn discriminator_update(
        &mut self,
        batch: DiscriminatorBatch<'_>,
        lr: f64,
        detailed: bool,
    ) -> Result<()> {
        let inputs = self.program.discriminator_inputs.clone();
        self.in_parts("real", &inputs.real, Some(batch.real))?;
        self.in_parts("y.real", &inputs.real_labels, batch.real_labels)?;
        self.in_parts("y.discriminator", &inputs.fake_labels, batch.fake_labels)?;
        self.write("z.discriminator", inputs.z, batch.z)?;
        self.optional("epsilon", inputs.epsilon, batch.epsilon)?;
        self.begin_step(1, lr)?;
        self.machine.run(&self.program, Part::Discriminator { detailed })
    }

    /// A step of G's moving average, where the spec has one.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn average(&mut self) -> Result<()> {
        self.machine.run(&self.program, Part::Average)
    }

    /// G's images of `n` z `[n, 128]`, or its average's, in evaluation mode: `[n, 3, side, side]`. At most as many as are recorded
    /// ([`crate::program::Sampling`]).
    ///
    /// # Errors
    /// Too many, or a missing class; those of the machine.
    pub fn images(
        &mut self,
        n: usize,
        z: Slice<'_>,
        labels: Option<Slice<'_>>,
    ) -> Result<Vec<f64>> {
        let sampling = self.program.sampling.clone();
        let whole = |values: Slice<'_>, len: usize| -> Vec<f64> {
            let mut values = values.to_vec();
            values.resize(len.max(values.len()), 0.0);
            values
        };
        let z = whole(z, sampling.z.len);
        self.write("z", sampling.z, Slice::F64(&z))?;
        let labels = sampling.labels.and_then(|view| labels.map(|labels| whole(labels, view.len)));
        self.optional("labels", sampling.labels, labels.as_deref().map(Slice::F64))?;
        self.machine.run(&self.program, Part::Samples)?;
        let mut images = self.machine.read(sampling.images)?;
        images.truncate(n * 3 * self.program.spec.side.pow(2));
        Ok(images)
    }

    /// What the last updates found out.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn numbers(&self) -> Result<Numbers> {
        // All at once: each reading waits for a GPU.
        let all = self.machine.read(self.program.record.whole)?;
        Ok(self.named_numbers(&all))
    }

    /// The same without waiting, and from how many calls ago they are.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn numbers_so_far(&mut self) -> Result<(Numbers, u64)> {
        let (all, lag) = self.machine.peek(self.program.record.whole)?;
        Ok((self.named_numbers(&all), lag))
    }

    /// Waits until everything that was begun is done.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn finish(&mut self) -> Result<()> {
        self.machine.finish()
    }

    fn named_numbers(&self, all: &[f64]) -> Numbers {
        Numbers::of(&self.program.record, all)
    }

    /// Begins to copy what the last update, whose last round of D was measured, left to be measured. Waits for nothing.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn copies(&mut self) -> Result<impl FnOnce() -> Result<Copied> + Send + 'static> {
        self.machine.run(&self.program, Part::Copies)?;
        let copies = self.program.copies.clone();
        let record = self.program.record;
        let receipt = self.machine.copy_out(copies.whole)?;
        Ok(move || {
            let all = receipt()?;
            // The copies are parts of one buffer.
            let part = |view: View| {
                let start = view.offset - copies.whole.offset;
                all.get(start..start + view.len).unwrap_or_default().to_vec()
            };
            let normalized = copies.normalized.iter().map(|snapshot| {
                let (rows, columns) = snapshot.shape;
                (snapshot.layer.clone(), (vec![rows, columns], part(snapshot.view)))
            });
            let networks = copies
                .networks
                .iter()
                .map(|stored| (stored.name.clone(), (stored.shape.clone(), part(stored.view))));
            Ok(Copied {
                numbers: Numbers::of(&record, &part(copies.record)),
                normalized: normalized.collect(),
                networks: networks.collect(),
            })
        })
    }
}

impl Numbers {
    /// Those of a whole record.
    fn of(record: &Record, all: &[f64]) -> Numbers {
        let number = |view: View| all.get(view.offset).copied().unwrap_or(f64::NAN);
        Numbers {
            loss_d: number(record.loss_d),
            loss_reg: number(record.loss_reg),
            loss_g: number(record.loss_g),
            d_real: number(record.d_real),
            d_fake: number(record.d_fake),
            loss_class_d: number(record.loss_class_d),
            loss_class_g: number(record.loss_class_g),
            grad_norm_x_hat: number(record.grad_norm_x_hat),
            grad_norm_d: number(record.grad_square_d).sqrt(),
            grad_norm_g: number(record.grad_square_g).sqrt(),
        }
    }
}
