//! What an update draws: noise, labels, real batches, and how their bytes become D's inputs.

use crate::model::{Labels, Place};
use crate::{Error, Result};
use candle_core::Tensor;
use sngan_data::ImageSource;
use sngan_experiment::arch::Z_DIM;
use sngan_experiment::{Latent, Pixels, RunSpec};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// Where an update's inputs come from. Generator updates and D's rounds are counted from 0.
pub(crate) enum Draws<'a> {
    /// Training: random streams and a data set.
    Random(Noise, RealBatches<'a>),
    /// Replay: tensors by name, `z.generator.<update>`, and `real.<round>`, `z.discriminator.<round>`, `epsilon.<round>`, `noise.<round>` with
    /// rounds counted through the whole run; with labels, `y.generator.<update>`, `y.real.<round>`, `y.discriminator.<round>`; for a loss of
    /// pairs `real.generator.<update>`, `y.real.generator.<update>`.
    Recorded(BTreeMap<String, Tensor>),
}

/// Whose update real images are for; each has an order and streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A round of D.
    Discriminator,
    /// An update of G, whose loss is of pairs.
    Generator,
}

/// Real batches of either update.
pub(crate) struct RealBatches<'a> {
    discriminator: Batches<'a>,
    generator: Batches<'a>,
}

/// G's random inputs: z and, for a conditional G, classes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    streams: Streams,
    latent: Latent,
    n_classes: usize,
}

impl Noise {
    /// The inputs of `spec`'s G, from the streams of `seed`.
    pub(crate) fn new(spec: &RunSpec, seed: u64) -> Noise {
        Noise { streams: Streams::new(seed), latent: spec.latent, n_classes: spec.n_classes }
    }

    /// z of a stream, `[n, 128]`.
    pub(crate) fn z(&self, stream: &str, index: u64, n: usize, place: &Place) -> Result<Tensor> {
        let draws = match self.latent {
            Latent::Normal => self.streams.normal(stream, index, n * Z_DIM),
            Latent::Uniform => self
                .streams
                .uniform(stream, index, n * Z_DIM)
                .into_iter()
                .map(|u| 2.0 * u - 1.0)
                .collect(),
        };
        place.tensor(draws, (n, Z_DIM))
    }

    /// `n` classes of a stream, each as likely; `None` without classes.
    pub(crate) fn labels(
        &self,
        stream: &str,
        index: u64,
        n: usize,
        place: &Place,
    ) -> Result<Option<Labels>> {
        if self.n_classes == 0 {
            return Ok(None);
        }
        Labels::new(self.streams.below(stream, index, n, self.n_classes), self.n_classes, place)
            .map(Some)
    }
}

/// A batch of real images.
pub struct Real {
    /// `[N, 3, side, side]` in [−1, 1].
    pub images: Tensor,
    /// Their classes, for a conditional D.
    pub labels: Option<Labels>,
}

impl<'a> Draws<'a> {
    /// The random inputs of `spec`.
    pub(crate) fn random(spec: &RunSpec, images: &'a dyn ImageSource) -> Draws<'a> {
        let batches = Batches::new(images, Streams::new(spec.seed), spec.pixels);
        let generator =
            Batches { names: ["data.generator", "dequantize.generator"], ..batches.clone() };
        let batches = RealBatches { discriminator: batches, generator };
        Draws::Random(Noise::new(spec, spec.seed), batches)
    }

    /// z of the stream `z.<stream>`, `[n, 128]`.
    pub(crate) fn noise(
        &self,
        stream: &str,
        index: u64,
        n: usize,
        place: &Place,
    ) -> Result<Tensor> {
        match self {
            Draws::Random(noise, _) => noise.z(&format!("z.{stream}"), index, n, place),
            Draws::Recorded(tensors) => {
                recorded(tensors, &format!("z.{stream}"), index, &[n, Z_DIM], place)
            }
        }
    }

    /// Classes for a conditional G from the stream `y.<stream>`, `[n]`.
    pub(crate) fn labels(
        &self,
        stream: &str,
        index: u64,
        n: usize,
        n_classes: usize,
        place: &Place,
    ) -> Result<Option<Labels>> {
        match self {
            Draws::Random(noise, _) => noise.labels(&format!("y.{stream}"), index, n, place),
            Draws::Recorded(tensors) => {
                recorded_labels(tensors, stream, index, n, n_classes, place)
            }
        }
    }

    /// The penalty's ε, `[n]` in [0, 1).
    pub(crate) fn epsilon(&self, index: u64, n: usize, place: &Place) -> Result<Tensor> {
        match self {
            Draws::Random(noise, _) => place.tensor(noise.streams.uniform("epsilon", index, n), n),
            Draws::Recorded(tensors) => recorded(tensors, "epsilon", index, &[n], place),
        }
    }

    /// A penalty's noise for the pixels of `n` images of `side` pixels, in [0, 1).
    pub(crate) fn pixel_noise(
        &self,
        index: u64,
        (n, side): (usize, usize),
        place: &Place,
    ) -> Result<Tensor> {
        let shape = [n, 3, side, side];
        match self {
            Draws::Random(noise, _) => {
                let draws = noise.streams.uniform("noise", index, shape.iter().product());
                place.tensor(draws, shape.to_vec())
            }
            Draws::Recorded(tensors) => recorded(tensors, "noise", index, &shape, place),
        }
    }

    /// A real batch of `n` images of `side` pixels, with labels where there are `n_classes`.
    pub(crate) fn real(
        &mut self,
        whose: For,
        index: u64,
        n: usize,
        side: usize,
        n_classes: usize,
        place: &Place,
    ) -> Result<Real> {
        match self {
            Draws::Random(_, batches) => match whose {
                For::Discriminator => batches.discriminator.get(index, n, n_classes, place),
                For::Generator => batches.generator.get(index, n, n_classes, place),
            },
            Draws::Recorded(tensors) => {
                let name = match whose {
                    For::Discriminator => "real",
                    For::Generator => "real.generator",
                };
                Ok(Real {
                    images: recorded(tensors, name, index, &[n, 3, side, side], place)?,
                    labels: recorded_labels(tensors, name, index, n, n_classes, place)?,
                })
            }
        }
    }
}

fn recorded_labels(
    tensors: &BTreeMap<String, Tensor>,
    name: &str,
    index: u64,
    n: usize,
    n_classes: usize,
    place: &Place,
) -> Result<Option<Labels>> {
    if n_classes == 0 {
        return Ok(None);
    }
    let values =
        recorded(tensors, &format!("y.{name}"), index, &[n], &Place::oracle())?.to_vec1::<f64>()?;
    // Whole numbers; anything else becomes a class that does not exist.
    let classes = values
        .into_iter()
        .map(|y| if y >= 0.0 && y.fract() == 0.0 { y as u32 } else { u32::MAX })
        .collect();
    Labels::new(classes, n_classes, place).map(Some)
}

fn recorded(
    tensors: &BTreeMap<String, Tensor>,
    name: &str,
    index: u64,
    shape: &[usize],
    place: &Place,
) -> Result<Tensor> {
    let key = format!("{name}.{index}");
    match tensors.get(&key) {
        Some(t) if t.dims() == shape => Ok(t.to_device(&place.device)?.to_dtype(place.dtype)?),
        Some(t) => Err(Error::Invalid(format!(
            "input `{key}` is {:?}; the spec needs {shape:?}",
            t.dims()
        ))),
        None => Err(Error::Invalid(format!("the case has no input `{key}`"))),
    }
}

/// Draws real batches. Epoch after epoch in fresh order; a batch may span two epochs (as Chainer's iterator).
#[derive(Clone)]
pub(crate) struct Batches<'a> {
    images: &'a dyn ImageSource,
    streams: Streams,
    /// Those of the order and of dequantization.
    names: [&'static str; 2],
    pixels: Pixels,
    epoch: Option<(u64, Vec<u32>)>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(
        images: &'a dyn ImageSource,
        streams: Streams,
        pixels: Pixels,
    ) -> Batches<'a> {
        Batches { images, streams, names: ["data", "dequantize"], pixels, epoch: None }
    }

    /// The batch with number `index` (0-based, counting D updates).
    pub(crate) fn get(
        &mut self,
        index: u64,
        batch: usize,
        n_classes: usize,
        place: &Place,
    ) -> Result<Real> {
        let n = self.images.len() as u64;
        let positions = index * batch as u64..(index + 1) * batch as u64;
        let chosen: Vec<u32> =
            positions.map(|position| self.order(position / n)[(position % n) as usize]).collect();
        self.of(&chosen, self.names[1], index, n_classes, place)
    }

    /// The images `chosen`, with noise from `stream` where pixels are dequantized.
    pub(crate) fn of(
        &self,
        chosen: &[u32],
        stream: &str,
        index: u64,
        n_classes: usize,
        place: &Place,
    ) -> Result<Real> {
        let side = self.images.side();
        let mut bytes = Vec::with_capacity(chosen.len() * 3 * side * side);
        chosen.iter().try_for_each(|image| self.images.read(*image as usize, &mut bytes))?;
        let images =
            place.tensor(self.to_inputs(&bytes, stream, index), (chosen.len(), 3, side, side))?;
        let classes = || chosen.iter().map(|image| self.images.labels()[*image as usize]).collect();
        let labels =
            if n_classes > 0 { Some(Labels::new(classes(), n_classes, place)?) } else { None };
        Ok(Real { images, labels })
    }

    fn order(&mut self, epoch: u64) -> &[u32] {
        if self.epoch.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.epoch =
                Some((epoch, self.streams.permutation(self.names[0], epoch, self.images.len())));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }

    fn to_inputs(&self, bytes: &[u8], stream: &str, index: u64) -> Vec<f32> {
        match self.pixels {
            Pixels::Plain => bytes.iter().map(|b| f32::from(*b) / 127.5 - 1.0).collect(),
            Pixels::Dequantized => {
                let noise = self.streams.uniform(stream, index, bytes.len());
                bytes.iter().zip(noise).map(|(b, u)| (f32::from(*b) + u) / 128.0 - 1.0).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_data::Images;

    fn five() -> Images {
        let pixels = (0..5u8).flat_map(|i| vec![i * 60; 3]).collect();
        Images {
            name: "five".into(),
            side: 1,
            pixels,
            labels: vec![0, 1, 2, 3, 4],
            classes: ["a", "b", "c", "d", "e"].map(String::from).into(),
            reading: Default::default(),
        }
    }

    fn values(real: Real) -> Vec<f32> {
        real.images.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn cpu() -> Place {
        Place::new(&candle_core::Device::Cpu)
    }

    #[test]
    fn an_epoch_shows_every_image_once_and_a_batch_depends_on_its_index_alone() {
        let images = five();
        let mut batches = Batches::new(&images, Streams::new(3), Pixels::Plain);
        let mut get = |i| values(batches.get(i, 2, 0, &cpu()).unwrap());
        let two_epochs: Vec<f32> = (0..5).flat_map(&mut get).collect();
        for value in images.pixels.iter().step_by(3) {
            let value = f32::from(*value) / 127.5 - 1.0;
            assert_eq!(two_epochs.iter().filter(|x| **x == value).count(), 6);
        }
        assert_eq!(get(1), two_epochs[6..12].to_vec());
    }

    #[test]
    fn labels_are_those_of_the_images() {
        let images = five();
        let real =
            Batches::new(&images, Streams::new(3), Pixels::Plain).get(0, 5, 5, &cpu()).unwrap();
        let classes = real.labels.as_ref().unwrap().classes().to_vec();
        for (class, x) in classes.into_iter().zip(values(real).chunks(3)) {
            assert_eq!(f32::from(images.pixels[3 * class as usize]) / 127.5 - 1.0, x[0]);
        }
    }

    #[test]
    fn dequantized_inputs_stay_in_range() {
        let images = five();
        let mut batches = Batches::new(&images, Streams::new(3), Pixels::Dequantized);
        let x = values(batches.get(0, 5, 0, &cpu()).unwrap());
        assert!(x.iter().all(|v| (-1.0..1.0).contains(v)));
    }
}
