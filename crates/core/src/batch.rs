//! What an update draws: noise, real batches, and how their bytes become D's inputs.

use crate::model::Place;
use crate::rng::Streams;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use sngan_data::Images;
use sngan_experiment::arch::Z_DIM;
use sngan_experiment::{Pixels, RunSpec};
use std::collections::BTreeMap;

/// Where an update's inputs come from. Generator updates and D's rounds are counted from 0.
pub(crate) enum Draws<'a> {
    /// Training: random streams and a data set.
    Random(Streams, Batches<'a>),
    /// Replay: tensors by name, `z.generator.<update>`, and `real.<round>`, `z.discriminator.<round>`, `epsilon.<round>` with rounds
    /// counted through the whole run.
    Recorded(BTreeMap<String, Tensor>),
}

impl<'a> Draws<'a> {
    /// The random inputs of `spec`.
    pub(crate) fn random(spec: &RunSpec, images: &'a Images) -> Draws<'a> {
        let streams = Streams::new(spec.seed);
        Draws::Random(streams, Batches::new(images, streams, spec.pixels))
    }

    /// z of a stream, `[n, 128]`.
    pub(crate) fn noise(&self, stream: &str, index: u64, n: usize, place: &Place) -> Result<Tensor> {
        match self {
            Draws::Random(streams, _) => place.tensor(streams.normal(stream, index, n * Z_DIM), (n, Z_DIM)),
            Draws::Recorded(tensors) => recorded(tensors, stream, index, &[n, Z_DIM], place),
        }
    }

    /// The penalty's ε, `[n]` in [0, 1).
    pub(crate) fn epsilon(&self, index: u64, n: usize, place: &Place) -> Result<Tensor> {
        match self {
            Draws::Random(streams, _) => place.tensor(streams.uniform("epsilon", index, n), n),
            Draws::Recorded(tensors) => recorded(tensors, "epsilon", index, &[n], place),
        }
    }

    /// A real batch, `[n, 3, side, side]` in [−1, 1].
    pub(crate) fn real(&mut self, index: u64, n: usize, side: usize, place: &Place) -> Result<Tensor> {
        match self {
            Draws::Random(_, batches) => batches.get(index, n, &place.device, place.dtype),
            Draws::Recorded(tensors) => recorded(tensors, "real", index, &[n, 3, side, side], place),
        }
    }
}

fn recorded(tensors: &BTreeMap<String, Tensor>, name: &str, index: u64, shape: &[usize], place: &Place) -> Result<Tensor> {
    let key = format!("{name}.{index}");
    match tensors.get(&key) {
        Some(t) if t.dims() == shape => Ok(t.to_device(&place.device)?.to_dtype(place.dtype)?),
        Some(t) => Err(Error::Invalid(format!("input `{key}` is {:?}; the spec needs {shape:?}", t.dims()))),
        None => Err(Error::Invalid(format!("the case has no input `{key}`"))),
    }
}

/// Draws real batches. Epoch after epoch in fresh order; a batch may span two epochs (as Chainer's iterator).
pub(crate) struct Batches<'a> {
    images: &'a Images,
    streams: Streams,
    pixels: Pixels,
    epoch: Option<(u64, Vec<u32>)>,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(images: &'a Images, streams: Streams, pixels: Pixels) -> Batches<'a> {
        Batches { images, streams, pixels, epoch: None }
    }

    /// The batch with number `index` (0-based, counting D updates), `[batch, 3, side, side]` in [−1, 1].
    pub(crate) fn get(&mut self, index: u64, batch: usize, device: &Device, dtype: DType) -> Result<Tensor> {
        let n = self.images.len() as u64;
        let side = self.images.side;
        let mut bytes = Vec::with_capacity(batch * 3 * side * side);
        for position in index * batch as u64..(index + 1) * batch as u64 {
            let image = self.order(position / n)[(position % n) as usize];
            bytes.extend_from_slice(self.images.image(image as usize));
        }
        let values = self.to_inputs(&bytes, index);
        Ok(Tensor::from_vec(values, (batch, 3, side, side), device)?.to_dtype(dtype)?)
    }

    fn order(&mut self, epoch: u64) -> &[u32] {
        if self.epoch.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.epoch = Some((epoch, self.streams.permutation("data", epoch, self.images.len())));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }

    fn to_inputs(&self, bytes: &[u8], index: u64) -> Vec<f32> {
        match self.pixels {
            Pixels::Plain => bytes.iter().map(|b| f32::from(*b) / 127.5 - 1.0).collect(),
            Pixels::Dequantized => {
                let noise = self.streams.uniform("dequantize", index, bytes.len());
                bytes.iter().zip(noise).map(|(b, u)| (f32::from(*b) + u) / 128.0 - 1.0).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five() -> Images {
        let pixels = (0..5u8).flat_map(|i| vec![i * 60; 3]).collect();
        Images { name: "five".into(), side: 1, pixels, labels: vec![0; 5], classes: vec!["a".into()] }
    }

    #[test]
    fn an_epoch_shows_every_image_once_and_a_batch_depends_on_its_index_alone() {
        let images = five();
        let mut batches = Batches::new(&images, Streams::new(3), Pixels::Plain);
        let mut get = |i| batches.get(i, 2, &Device::Cpu, DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let two_epochs: Vec<f32> = (0..5).flat_map(&mut get).collect();
        for value in images.pixels.iter().step_by(3) {
            let value = f32::from(*value) / 127.5 - 1.0;
            assert_eq!(two_epochs.iter().filter(|x| **x == value).count(), 6);
        }
        assert_eq!(get(1), two_epochs[6..12].to_vec());
    }

    #[test]
    fn dequantized_inputs_stay_in_range() {
        let images = five();
        let mut batches = Batches::new(&images, Streams::new(3), Pixels::Dequantized);
        let x = batches.get(0, 5, &Device::Cpu, DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(x.iter().all(|v| (-1.0..1.0).contains(v)));
    }
}
