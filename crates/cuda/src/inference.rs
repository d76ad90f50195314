//! Programs without gradients on a machine: a generator's images, a backbone's features.

use crate::engine::{Input, tensors_of, wrapped};
use crate::machine::{Lists, Machine, Part, Slice};
use crate::op::View;
use crate::program::{Inference, Stored};
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_core::generate::Sampler;
use sngan_core::model::{Labels, Place};
use sngan_eval::BackboneFeatures;
use sngan_eval::graph::Graph;
use sngan_experiment::RunSpec;
use std::collections::BTreeMap;

/// A program on the machine that runs it.
#[derive(Debug)]
pub struct Inferring<M> {
    program: Inference,
    machine: M,
}

impl<M: Machine> Inferring<M> {
    /// A backbone's network on the machine that `open` makes for it.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn of_graph(
        graph: &Graph,
        open: impl FnOnce(&dyn Lists) -> Result<M>,
    ) -> Result<Inferring<M>> {
        let (program, constants) = Inference::of_graph(graph);
        let mut machine = open(&program)?;
        for (view, values) in constants {
            machine.write_f32(view, values)?;
        }
        Ok(Inferring { program, machine })
    }

    /// The generator of `spec` with tensors by checkpoint name.
    ///
    /// # Errors
    /// A spec that is out of range, a missing tensor, those of the machine.
    pub fn of_generator(
        spec: &RunSpec,
        tensors: &BTreeMap<String, Tensor>,
        open: impl FnOnce(&dyn Lists) -> Result<M>,
    ) -> sngan_core::Result<Inferring<M>> {
        let (program, stored) = Inference::of_generator(spec).map_err(wrapped)?;
        let mut machine = open(&program).map_err(wrapped)?;
        for Stored { name, view, .. } in stored {
            let tensor = tensors.get(&name).ok_or_else(|| wrapped(Error::Missing(name.clone())))?;
            let values = crate::engine::values(tensor)?;
            if values.len() != view.len {
                let (found, expected) = (values.len(), view.len);
                return Err(wrapped(Error::Length { name, found, expected }));
            }
            machine.write(view, &values).map_err(wrapped)?;
        }
        Ok(Inferring { program, machine })
    }

    /// Writes each input, filled up with zeros, and runs the list; the first `n` of `whole` rows of each output.
    fn run(&mut self, inputs: &[Slice<'_>]) -> Result<Vec<Vec<f64>>> {
        for (view, values) in self.program.inputs.iter().zip(inputs) {
            match values {
                Slice::F32(values) if values.len() == view.len => {
                    self.machine.write_f32(*view, values)?;
                }
                Slice::F32(_) | Slice::F64(_) => {
                    let mut whole = values.to_vec();
                    whole.resize(view.len, 0.0);
                    self.machine.write(*view, &whole)?;
                }
            }
        }
        self.machine.run(&self.program, Part::Inference)?;
        self.program.outputs.iter().map(|view: &View| self.machine.read(*view)).collect()
    }
}

impl<M: Machine + Send + std::fmt::Debug> sngan_eval::Inference for Inferring<M> {
    fn features(
        &mut self,
        input: &[f32],
    ) -> std::result::Result<BackboneFeatures, Box<dyn std::error::Error + Send + Sync>> {
        let mut outputs = self.run(&[Slice::F32(input)])?.into_iter();
        let mut next = || -> Vec<f32> {
            outputs.next().unwrap_or_default().into_iter().map(|x| x as f32).collect()
        };
        Ok(BackboneFeatures { pool: next(), logits: next() })
    }
}

/// A sampler of a generator on a machine.
pub(crate) fn sampler<'a, M: Machine + Send + 'a>(
    spec: &RunSpec,
    place: &Place,
    mut generator: Inferring<M>,
) -> Sampler<'a> {
    let (side, of) = (spec.side, place.clone());
    let images = move |z: &Tensor, labels: Option<&Labels>| {
        let (n, z, labels) = (z.dim(0)?, Input::of(z)?, labels.map(Input::classes));
        let inputs: Vec<Slice<'_>> =
            [z.slice()].into_iter().chain(labels.as_ref().map(Input::slice)).collect();
        let mut values =
            generator.run(&inputs).map_err(wrapped)?.into_iter().next().unwrap_or_default();
        values.truncate(n * 3 * side * side);
        tensors_of(&of, vec![n, 3, side, side], values)
    };
    Sampler::elsewhere(spec, place, Box::new(images))
}
