//! The scorer: a small classifier of Fashion-MNIST whose features and class probabilities stand in for Inception's.

use crate::network::{self, CLASSES, CONVOLUTIONS, SIDE};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use sngan_core::ops::{self, Arm, FeatureMap, Finish};
use sngan_data::Images;
use std::collections::BTreeMap;
use std::path::Path;

/// The committed weights; assets/README.md tells how they were made.
const EMBEDDED: &[u8] = include_bytes!("../assets/scorer-fashion.safetensors");

/// Images a forward pass takes. Every pass has exactly this shape, so an image's features depend neither on how many are scored after it
/// nor on the number of threads.
const BATCH: usize = 100;

/// Parameters by tensor name, each flat in row-major order.
pub(crate) type Parameters = BTreeMap<String, Vec<f32>>;

/// What the scorer says about N images.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// `[N, 64]`, at least 0: the last convolution's mean over the plane.
    pub pool: Vec<f64>,
    /// `[N, 10]`: unnormalized log-probabilities of the classes.
    pub logits: Vec<f64>,
    /// N.
    pub n: usize,
}

/// The network with its weights. It works at side 16; images of other sides are resized to it first.
#[derive(Debug)]
pub struct Scorer {
    convolutions: Vec<(Tensor, Tensor)>,
    dense: (Tensor, Tensor),
    sha256: String,
}

impl Scorer {
    /// The name under which protocols record it.
    pub const NAME: &'static str = "scorer-fashion";

    /// The scorer whose weights are part of the program.
    ///
    /// # Errors
    /// [`Error::Weights`] when the program was built with a file of another network.
    pub fn embedded() -> Result<Scorer> {
        Scorer::from_bytes("the embedded scorer-fashion", EMBEDDED)
    }

    /// Reads a safetensors file as [`train_scorer`](crate::train_scorer) writes it.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the tensor that is missing, left over, misshapen or not finite.
    pub fn load(path: &Path) -> Result<Scorer> {
        let bytes = std::fs::read(path).map_err(sngan_experiment::Error::io("read", path))?;
        Scorer::from_bytes(&path.display().to_string(), &bytes)
    }

    /// A scorer from the bytes of a safetensors file; `origin` is for messages.
    pub(crate) fn from_bytes(origin: &str, bytes: &[u8]) -> Result<Scorer> {
        let mut tensors = parse(origin, bytes)?;
        let mut take = |name: String| tensors.remove(&name).ok_or_else(|| Error::weights(origin, format!("tensor `{name}` is missing")));
        let mut convolutions = Vec::new();
        for layer in &CONVOLUTIONS {
            convolutions.push((take(format!("{}.weight", layer.name))?, take(format!("{}.bias", layer.name))?));
        }
        let dense = (take("dense.weight".into())?, take("dense.bias".into())?);
        Ok(Scorer { convolutions, dense, sha256: hex(&Sha256::digest(bytes)) })
    }

    /// SHA-256 of the weights file, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Features and logits of `bytes`, `[N, 3, side, side]`. The same images in the same order give the same bits however many threads
    /// work, and an image's do not depend on those after it; its place in a batch may change the last digit.
    ///
    /// # Errors
    /// When the length is no multiple of an image, or a kernel fails.
    pub fn features(&self, bytes: &[u8], side: usize) -> Result<Features> {
        let image = 3 * side * side;
        if image == 0 || !bytes.len().is_multiple_of(image) {
            return Err(Error::input("images", format!("{} bytes are not images of [3, {side}, {side}]", bytes.len())));
        }
        if side == SIDE {
            return self.features_of_grey(&network::grey(bytes));
        }
        let n = bytes.len() / image;
        let images = Images { name: "scored".into(), side, pixels: bytes.to_vec(), labels: vec![0; n], classes: Vec::new() };
        self.features_of_grey(&network::grey(&images.resize(SIDE).pixels))
    }

    /// Share of `images` whose largest logit is their label's.
    ///
    /// # Errors
    /// As [`Scorer::features`].
    pub fn accuracy(&self, images: &Images) -> Result<f64> {
        let features = self.features(&images.pixels, images.side)?;
        let predicted = features.logits.chunks_exact(CLASSES).map(arg_max);
        let right = predicted.zip(&images.labels).filter(|(p, l)| *p == **l as usize).count();
        Ok(right as f64 / images.len().max(1) as f64)
    }

    /// Features of grey images, `[N, 1, 16, 16]`.
    fn features_of_grey(&self, grey: &[f32]) -> Result<Features> {
        const IMAGE: usize = SIDE * SIDE;
        let passes: Vec<(Vec<f32>, Vec<f32>)> = grey.par_chunks(BATCH * IMAGE).map(|batch| self.pass(batch)).collect::<Result<_>>()?;
        let (pool, logits): (Vec<_>, Vec<_>) = passes.into_iter().unzip();
        let widen = |parts: Vec<Vec<f32>>| parts.into_iter().flatten().map(f64::from).collect();
        Ok(Features { pool: widen(pool), logits: widen(logits), n: grey.len() / IMAGE })
    }

    /// One forward pass of at most [`BATCH`] images, padded with blank ones to exactly that many.
    fn pass(&self, grey: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let n = grey.len() / (SIDE * SIDE);
        let mut padded = grey.to_vec();
        padded.resize(BATCH * SIDE * SIDE, -1.0);
        let images = Tensor::from_vec(padded, (BATCH, 1, SIDE, SIDE), &Device::Cpu)?;
        let arm = Arm::of(&images);
        let mut x = FeatureMap::of(arm, &images)?;
        for (layer, (weight, bias)) in CONVOLUTIONS.iter().zip(&self.convolutions) {
            x = layer.apply(&x, weight, Finish::BiasActivation(bias, 0.0))?;
        }
        let pool = ops::mean_pool(&x)?;
        let logits = ops::dense(arm, &pool, &self.dense.0, &self.dense.1)?;
        let rows = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.narrow(0, 0, n)?.flatten_all()?.to_vec1()?) };
        Ok((rows(&pool)?, rows(&logits)?))
    }
}

/// Index of the largest value, the first among equals.
fn arg_max(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Every tensor of a weights file, checked against the network.
fn parse(origin: &str, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| Error::weights(origin, e))?;
    let shapes = network::tensor_shapes();
    if let Some(extra) = file.names().into_iter().find(|name| shapes.iter().all(|(known, _)| known != name)) {
        return Err(Error::weights(origin, format!("tensor `{extra}` does not belong to the scorer")));
    }
    let mut tensors = BTreeMap::new();
    for (name, shape) in shapes {
        let view = file.tensor(&name).map_err(|_| Error::weights(origin, format!("tensor `{name}` is missing")))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            return Err(Error::weights(origin, format!("tensor `{name}` is {found}; the scorer needs F32 {shape:?}")));
        }
        let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::weights(origin, format!("tensor `{name}` has a value that is not finite")));
        }
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(tensors)
}

/// The weights file of `parameters`. It carries no metadata, so equal parameters give equal bytes.
pub(crate) fn serialize(parameters: &Parameters) -> Result<Vec<u8>> {
    let shapes: BTreeMap<String, Vec<usize>> = network::tensor_shapes().into_iter().collect();
    let mut raw = BTreeMap::new();
    for (name, values) in parameters {
        let shape = shapes.get(name).ok_or_else(|| Error::weights("memory", format!("tensor `{name}` does not belong to the scorer")))?;
        raw.insert(name, (shape, values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()));
    }
    let mut views = Vec::new();
    for (name, (shape, data)) in &raw {
        views.push((name, TensorView::new(Dtype::F32, shape.to_vec(), data).map_err(|e| Error::weights("memory", e))?));
    }
    safetensors::serialize(views, None).map_err(|e| Error::weights("memory", e))
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FEATURES;
    use sngan_core::rng::Streams;

    fn parameters() -> Parameters {
        let streams = Streams::new(3);
        let draw = |(name, shape): (String, Vec<usize>)| {
            let fan_in: usize = shape[1..].iter().product();
            let values = streams.normal(&name, 0, shape.iter().product());
            (name, values.into_iter().map(|v| v / (fan_in as f32).sqrt()).collect())
        };
        network::tensor_shapes().into_iter().map(draw).collect()
    }

    fn bytes(n: usize) -> Vec<u8> {
        Streams::new(4).uniform("images", 0, n * 3 * SIDE * SIDE).into_iter().map(|u| (255.0 * u) as u8).collect()
    }

    fn error(bytes: &[u8]) -> String {
        Scorer::from_bytes("x.safetensors", bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_written_file_loads_and_repeats_its_bytes() {
        let file = serialize(&parameters()).unwrap();
        assert_eq!(file, serialize(&parameters()).unwrap());
        assert!(file.len() < 1 << 20);
        Scorer::from_bytes("x", &file).unwrap();
    }

    #[test]
    fn loading_is_strict_and_names_the_tensor() {
        let mut missing = parameters();
        missing.remove("conv3.bias");
        assert!(error(&serialize(&missing).unwrap()).contains("`conv3.bias` is missing"));

        let mut infinite = parameters();
        infinite.insert("dense.bias".into(), vec![f32::INFINITY; CLASSES]);
        assert!(error(&serialize(&infinite).unwrap()).contains("`dense.bias` has a value that is not finite"));

        let file = serialize(&parameters()).unwrap();
        let renamed = |from: &str, to: &str| {
            let at = file.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            [&file[..at], to.as_bytes(), &file[at + from.len()..]].concat()
        };
        assert!(error(&renamed("conv0.bias", "conv9.bias")).contains("`conv9.bias` does not belong"));
        assert!(
            error(&renamed("[64,32,4,4]", "[32,64,4,4]"))
                .contains("`conv1.weight` is F32 [32, 64, 4, 4]; the scorer needs F32 [64, 32, 4, 4]")
        );
        assert!(error(&file[..file.len() - 1]).starts_with("failed to load scorer weights from x.safetensors"));
        assert!(error(b"not a file").contains("x.safetensors"));
    }

    #[test]
    fn features_depend_neither_on_later_images_nor_on_threads() {
        let scorer = Scorer::from_bytes("x", &serialize(&parameters()).unwrap()).unwrap();
        let all = bytes(230);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let together = scorer.features(&all, SIDE).unwrap();
        assert_eq!(together, pool.install(|| scorer.features(&all, SIDE)).unwrap());
        assert_eq!((together.n, together.pool.len(), together.logits.len()), (230, 230 * FEATURES, 230 * CLASSES));
        for n in [1, 100, 101, 229] {
            let fewer = scorer.features(&all[..n * 3 * SIDE * SIDE], SIDE).unwrap();
            assert_eq!(fewer.pool, together.pool[..n * FEATURES], "{n} images");
            assert_eq!(fewer.logits, together.logits[..n * CLASSES], "{n} images");
        }
    }

    #[test]
    fn refuses_cut_images() {
        let scorer = Scorer::from_bytes("x", &serialize(&parameters()).unwrap()).unwrap();
        assert!(scorer.features(&[0; 3 * SIDE * SIDE + 1], SIDE).unwrap_err().to_string().contains("[3, 16, 16]"));
    }
}
