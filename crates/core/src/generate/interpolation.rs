//! Images between two points: of z, or of a conditional generator's classes.

use super::check_classes;
use crate::batch::Noise;
use crate::checkpoint::Checkpoint;
use crate::ema::sampled;
use crate::model::{Generator, Labels, Mode, Parameters, Place, TensorSource};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use sngan_experiment::RunSpec;
use sngan_tensor::bytes::to_bytes;
use std::collections::BTreeMap;

/// What changes along a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// z, on the straight line from one draw to another; the class stays that of the row, drawn or this one.
    Latent {
        /// The class of every row.
        class: Option<u32>,
    },
    /// Conditional batch normalization's γ and β, on the straight line between two classes; z stays that of the row.
    Class {
        /// At the row's left end.
        from: u32,
        /// At its right end.
        to: u32,
    },
}

/// A grid of images, each row a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interpolation {
    /// Rows.
    pub rows: usize,
    /// Images in a row, its ends among them; at least 2.
    pub steps: usize,
    /// Seed of the streams `interpolate.z` and `interpolate.y`.
    pub seed: u64,
    /// What changes.
    pub path: Path,
}

/// The grid's images, `[rows·steps, 3, side, side]`, row by row; G in evaluation mode, or its moving average, where the run keeps one.
///
/// # Errors
/// Fewer than two steps; a class that does not exist, or classes of a generator that has none.
pub fn interpolate(
    spec: &RunSpec,
    checkpoint: &Checkpoint,
    device: &Device,
    request: &Interpolation,
) -> Result<Vec<u8>> {
    if request.steps < 2 {
        return Err(Error::Invalid(format!(
            "{} steps have no two ends; at least 2 are needed",
            request.steps
        )));
    }
    let place = Place::new(device);
    let noise = Noise::new(spec, request.seed);
    let tensors = sampled(&checkpoint.tensors);
    let ends = noise.z("interpolate.z", 0, 2 * request.rows, &place)?;
    match request.path {
        Path::Latent { class } => {
            let drawn = noise.labels("interpolate.y", 0, request.rows, &place)?;
            check_classes(spec, class)?;
            let classes = match class {
                Some(class) => Some(vec![class; request.rows]),
                None => drawn.map(|labels| labels.classes().to_vec()),
            };
            let mut g = Generator::new(spec, &TensorSource::given(&tensors, &place))?;
            rows(request, |row| {
                let z = between(
                    &ends.narrow(0, 2 * row, 1)?,
                    &ends.narrow(0, 2 * row + 1, 1)?,
                    request.steps,
                )?;
                let labels = classes
                    .as_ref()
                    .map(|c| Labels::new(vec![c[row]; request.steps], spec.n_classes, &place))
                    .transpose()?;
                let images = g.forward(&z, labels.as_ref(), Parameters::Frozen, Mode::Eval)?;
                Ok(to_bytes(&images)?)
            })
        }
        Path::Class { from, to } => {
            let tables = class_tables(spec, &tensors, [from, to], request.steps)?;
            // Each step is a class of its own to a generator with as many classes as there are steps.
            let spec = RunSpec { n_classes: request.steps, ..spec.clone() };
            let mut g = Generator::new(&spec, &TensorSource::given(&tables, &place))?;
            let labels = Labels::new((0..request.steps as u32).collect(), request.steps, &place)?;
            rows(request, |row| {
                let z = ends.narrow(0, 2 * row, 1)?.repeat((request.steps, 1))?;
                let images = g.forward(&z, Some(&labels), Parameters::Frozen, Mode::Eval)?;
                Ok(to_bytes(&images)?)
            })
        }
    }
}

fn rows(request: &Interpolation, mut row: impl FnMut(usize) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for i in 0..request.rows {
        bytes.extend(row(i)?);
    }
    Ok(bytes)
}

/// `[steps, …]` on the straight line from `a` to `b`, both `[1, …]`.
fn between(a: &Tensor, b: &Tensor, steps: usize) -> Result<Tensor> {
    let points = (0..steps).map(|i| {
        let t = i as f64 / (steps - 1) as f64;
        Ok((a * (1.0 - t))?.add(&(b * t)?)?)
    });
    Ok(Tensor::cat(&points.collect::<Result<Vec<_>>>()?, 0)?)
}

/// A generator's tensors with every table of classes `[classes, C]` replaced by one of steps from one class to another.
fn class_tables(
    spec: &RunSpec,
    tensors: &BTreeMap<String, Tensor>,
    [from, to]: [u32; 2],
    steps: usize,
) -> Result<BTreeMap<String, Tensor>> {
    check_classes(spec, [from, to])?;
    let is_table = |name: &str, t: &Tensor| {
        (name.ends_with("bn.gamma") || name.ends_with("bn.beta")) && t.rank() == 2
    };
    let replaced = tensors.iter().map(|(name, t)| {
        let t = if is_table(name, t) {
            between(&t.narrow(0, from as usize, 1)?, &t.narrow(0, to as usize, 1)?, steps)?
        } else {
            t.clone()
        };
        Ok((name.clone(), t))
    });
    replaced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{SampleRequest, images_of};
    use crate::trainer::{Trainer, made_up_images};
    use sngan_experiment::arch::{Architecture, Conditioning};
    use sngan_experiment::method::Method;

    fn trained(conditioning: Conditioning, n_classes: usize) -> (RunSpec, Checkpoint) {
        let spec = RunSpec {
            architecture: Architecture::ResnetCifar10,
            conditioning,
            n_classes,
            side: 8,
            width_divisor: 32,
            batch: 4,
            gen_batch: 4,
            lr: 0.05,
            ..RunSpec::paper(Method::Sn)
        };
        let images = made_up_images(spec.side, n_classes).unwrap();
        let mut trainer = Trainer::new(&spec, &images, &Place::new(&Device::Cpu)).unwrap();
        for _ in 0..3 {
            trainer.update(false).unwrap();
        }
        let checkpoint = Checkpoint {
            gen_updates: 3,
            metadata: trainer.metadata(),
            tensors: trainer.state().unwrap(),
        };
        (spec, checkpoint)
    }

    fn grid(run: &(RunSpec, Checkpoint), path: Path) -> Result<Vec<Vec<u8>>> {
        let request = Interpolation { rows: 2, steps: 5, seed: 1, path };
        let bytes = interpolate(&run.0, &run.1, &Device::Cpu, &request)?;
        Ok(bytes.chunks_exact(3 * run.0.side * run.0.side).map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn rows_of_classes_end_in_the_classes_themselves() {
        let run = trained(Conditioning::Projection, 3);
        let there = grid(&run, Path::Class { from: 0, to: 2 }).unwrap();
        let back = grid(&run, Path::Class { from: 2, to: 0 }).unwrap();
        assert_eq!(there.len(), 10);
        for row in [0, 5] {
            for step in 0..5 {
                assert_eq!(there[row + step], back[row + 4 - step]);
            }
            assert_ne!(there[row], there[row + 4]);
        }
        assert_ne!(there[0], there[5]);
        // The same z and class, without any interpolation.
        let latent = grid(&run, Path::Latent { class: Some(2) }).unwrap();
        assert_eq!((&latent[0], &latent[5]), (&there[4], &there[9]));
    }

    #[test]
    fn rows_of_z_change_step_by_step() {
        let run = trained(Conditioning::None, 0);
        let images = grid(&run, Path::Latent { class: None }).unwrap();
        let distance = |a: &[u8], b: &[u8]| {
            a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>()
        };
        assert!(distance(&images[0], &images[1]) < distance(&images[0], &images[4]));
        assert_eq!(images, grid(&run, Path::Latent { class: None }).unwrap());
    }

    #[test]
    fn what_cannot_be_interpolated_is_said() {
        let (plain, classes) =
            (trained(Conditioning::None, 0), trained(Conditioning::Projection, 3));
        let message = |run, path| grid(run, path).unwrap_err().to_string();
        assert!(message(&plain, Path::Class { from: 0, to: 1 }).contains("not conditional"));
        assert!(message(&plain, Path::Latent { class: Some(0) }).contains("not conditional"));
        assert!(
            message(&classes, Path::Class { from: 0, to: 3 })
                .contains("class 3: the classes are 0 to 2")
        );
        let one = Interpolation { rows: 1, steps: 1, seed: 0, path: Path::Latent { class: None } };
        assert!(interpolate(&plain.0, &plain.1, &Device::Cpu, &one).is_err());
        let request = SampleRequest { first: 0, n: 1, seed: 0, class: Some(5) };
        assert!(images_of(&classes.0, &classes.1, &Device::Cpu, request).is_err());
    }
}
