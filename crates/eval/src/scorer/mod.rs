//! Scorers: small classifiers whose features and class probabilities stand in for Inception's if
//! its weights are absent.

mod spec;
pub mod weights;

pub use spec::{Convolution, Input, Recipe, SCORERS, ScorerSpec};

use crate::graph::{Filters, MapSizes};
use crate::{Error, Graph, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use sngan_data::Images;
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};
use std::path::Path;

/// Images per forward pass. Every pass has exactly this number, so an image's features do not
/// depend on how many are scored after it or on the number of threads.
const BATCH: usize = 100;

/// The outputs of a scorer for N images.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// `[N, features]`, at least 0: the last convolution's mean over the plane.
    pub pool: Vec<f64>,
    /// `[N, classes]`: unnormalized log-probabilities of the classes.
    pub logits: Vec<f64>,
    /// N.
    pub n: usize,
}

/// A network with its weights. It works at its own side; images of other sides are resized to that first.
#[derive(Debug)]
pub struct Scorer {
    spec: &'static ScorerSpec,
    convolutions: Vec<(Tensor, Tensor)>,
    dense: (Tensor, Tensor),
    sha256: String,
}

impl Scorer {
    /// The scorer of this name, with the embedded weights.
    ///
    /// # Errors
    /// [`Error::UnknownBackbone`], or [`Error::Weights`] when the program was built with another file than the released one.
    pub fn embedded(name: &str) -> Result<Scorer> {
        let spec = ScorerSpec::named(name)?;
        let scorer = Scorer::from_bytes(spec, &format!("the embedded {name}"), spec.weights)?;
        scorer.check_released()?;
        Ok(scorer)
    }

    /// Checks that the weights are the released ones of the network.
    fn check_released(&self) -> Result<()> {
        if self.sha256 == self.spec.sha256 {
            return Ok(());
        }
        let reason = format!(
            "its SHA-256 is {}, that of the released file {}; put back crates/eval/assets/{}.safetensors and build again",
            self.sha256, self.spec.sha256, self.spec.name
        );
        Err(Error::weights(&format!("{}.safetensors", self.spec.name), reason))
    }

    /// Checks a file that has the name of a released scorer's weights, and so should be them; `None` for one with another name.
    ///
    /// # Errors
    /// Another file than the released one.
    pub fn verify_released(path: &Path) -> Option<Result<()>> {
        let name = path.file_stem()?.to_str()?;
        let spec = SCORERS.into_iter().find(|s| s.name == name)?;
        Some(Scorer::load(spec, path).and_then(|scorer| scorer.check_released()))
    }

    /// Reads a safetensors file as `sngan scorer train` writes it.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the tensor that is missing, left over, misshapen or not finite.
    pub fn load(spec: &'static ScorerSpec, path: &Path) -> Result<Scorer> {
        let bytes = sngan_experiment::regular::read(path)
            .map_err(sngan_experiment::Error::io("read", path))?;
        Scorer::from_bytes(spec, &path.display().to_string(), &bytes)
    }

    /// A scorer from the bytes of a safetensors file; `origin` is for messages.
    ///
    /// # Errors
    /// As [`Scorer::load`].
    pub fn from_bytes(spec: &'static ScorerSpec, origin: &str, bytes: &[u8]) -> Result<Scorer> {
        let mut tensors = weights::decode(origin, bytes, &spec.tensor_shapes())?;
        let mut take = |name: String| {
            tensors
                .remove(&name)
                .ok_or_else(|| Error::weights(origin, format!("tensor `{name}` is missing")))
        };
        let mut convolutions = Vec::new();
        for layer in spec.convolutions {
            convolutions.push((
                take(format!("{}.weight", layer.name))?,
                take(format!("{}.bias", layer.name))?,
            ));
        }
        let dense = (take("dense.weight".into())?, take("dense.bias".into())?);
        Ok(Scorer { spec, convolutions, dense, sha256: hex::encode(Sha256::digest(bytes)) })
    }

    /// The network that these weights belong to.
    pub fn spec(&self) -> &'static ScorerSpec {
        self.spec
    }

    /// SHA-256 of the weights file, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How images of `side` are brought to the scorer's own side, as recorded in protocols.
    pub fn resize(&self, side: usize) -> String {
        if side == self.spec.side {
            "none".into()
        } else {
            format!("triangle {side}→{}", self.spec.side)
        }
    }

    /// Features and logits of `bytes`, `[N, 3, side, side]`. The same images in the same order give
    /// the same bits on any number of threads, and an image's features do not depend on the images
    /// after it. Its place in a batch may change the last digit.
    ///
    /// # Errors
    /// When the length is not a multiple of an image, or a kernel fails.
    pub fn features(&self, bytes: &[u8], side: usize) -> Result<Features> {
        let image = 3 * side * side;
        if image == 0 || !bytes.len().is_multiple_of(image) {
            return Err(Error::input(
                "images",
                format!("{} bytes are not images of [3, {side}, {side}]", bytes.len()),
            ));
        }
        let n = bytes.len() / image;
        if side == self.spec.side {
            return self.features_at_own_side(bytes, n);
        }
        self.features_at_own_side(&sngan_data::resize(bytes, side, self.spec.side), n)
    }

    /// The network for another device.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub(crate) fn graph(&self) -> Result<Graph> {
        let values = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1()?) };
        let (channels, side) = (self.spec.input.channels(), self.spec.side);
        let mut graph = Graph::new(BATCH, MapSizes { channels, side });
        let mut from = 0;
        for (layer, (weight, bias)) in self.spec.convolutions.iter().zip(&self.convolutions) {
            let filters = Filters {
                weights: values(weight)?,
                bias: Some(values(bias)?),
                outputs: layer.output,
                kernel: (layer.kernel, layer.kernel),
                stride: layer.stride,
                padding: (1, 1),
                relu: true,
            };
            from = graph.convolve(from, filters);
        }
        graph.output = from;
        (graph.dense, graph.dense_bias) = (values(&self.dense.0)?, Some(values(&self.dense.1)?));
        Ok(graph)
    }

    /// `bytes`, `[N, 3, side, side]`, as the network reads them.
    pub(crate) fn inputs(&self, bytes: &[u8], side: usize) -> Vec<f32> {
        let (own, input) = (self.spec.side, self.spec.input);
        if side == own {
            return input.floats(bytes, own * own);
        }
        input.floats(&sngan_data::resize(bytes, side, own), own * own)
    }

    /// Share of `images` whose largest logit is their label's.
    ///
    /// # Errors
    /// As [`Scorer::features`].
    pub fn accuracy(&self, images: &Images) -> Result<f64> {
        let features = self.features(&images.pixels, images.side)?;
        let predicted = features.logits.chunks_exact(self.spec.classes).map(arg_max);
        let right = predicted.zip(&images.labels).filter(|(p, l)| *p == **l as usize).count();
        Ok(right as f64 / images.len().max(1) as f64)
    }

    /// Features of `n` images of the scorer's side.
    fn features_at_own_side(&self, bytes: &[u8], n: usize) -> Result<Features> {
        let batch = BATCH * 3 * self.spec.side * self.spec.side;
        let passes: Vec<(Vec<f32>, Vec<f32>)> =
            bytes.par_chunks(batch).map(|part| self.pass(part)).collect::<Result<_>>()?;
        let (pool, logits): (Vec<_>, Vec<_>) = passes.into_iter().unzip();
        let widen = |parts: Vec<Vec<f32>>| parts.into_iter().flatten().map(f64::from).collect();
        Ok(Features { pool: widen(pool), logits: widen(logits), n })
    }

    /// One forward pass of at most [`BATCH`] images, padded with blank ones to exactly that many.
    fn pass(&self, bytes: &[u8]) -> Result<(Vec<f32>, Vec<f32>)> {
        let (side, input) = (self.spec.side, self.spec.input);
        let n = bytes.len() / (3 * side * side);
        let mut padded = input.floats(bytes, side * side);
        padded.resize(BATCH * input.channels() * side * side, input.blank());
        let images = Tensor::from_vec(padded, (BATCH, input.channels(), side, side), &Device::Cpu)?;
        let arm = Arm::of(&images);
        let mut x = FeatureMap::of(arm, &images)?;
        for (layer, (weight, bias)) in self.spec.convolutions.iter().zip(&self.convolutions) {
            x = layer.apply(&x, weight, Finish::BiasActivation(bias, Activation::Relu))?;
        }
        let pool = ops::mean_pool(&x)?;
        let logits = ops::dense(arm, &pool, &self.dense.0, &self.dense.1)?;
        let rows =
            |t: &Tensor| -> Result<Vec<f32>> { Ok(t.narrow(0, 0, n)?.flatten_all()?.to_vec1()?) };
        Ok((rows(&pool)?, rows(&logits)?))
    }
}

/// Index of the largest value; the first of equal ones.
fn arg_max(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::weights::{Tensors, encode};
    use super::*;
    use sngan_tensor::rng::Streams;

    fn spec() -> &'static ScorerSpec {
        SCORERS[0]
    }

    fn parameters(spec: &ScorerSpec) -> Tensors {
        let streams = Streams::new(3);
        let draw = |(name, shape): (String, Vec<usize>)| {
            let fan_in: usize = shape[1..].iter().product();
            let values = streams.normal(&name, 0, shape.iter().product());
            let values: Vec<f32> = values.into_iter().map(|v| v / (fan_in as f32).sqrt()).collect();
            (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        };
        spec.tensor_shapes().into_iter().map(draw).collect()
    }

    fn random(spec: &'static ScorerSpec) -> Scorer {
        Scorer::from_bytes(spec, "x", &encode(&parameters(spec), None).unwrap()).unwrap()
    }

    fn bytes(n: usize, side: usize) -> Vec<u8> {
        Streams::new(4)
            .uniform("images", 0, n * 3 * side * side)
            .into_iter()
            .map(|u| (255.0 * u) as u8)
            .collect()
    }

    fn error(bytes: &[u8]) -> String {
        Scorer::from_bytes(spec(), "x.safetensors", bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_written_file_loads_and_repeats_its_bytes() {
        for spec in SCORERS {
            let file = encode(&parameters(spec), None).unwrap();
            assert_eq!(file, encode(&parameters(spec), None).unwrap());
            assert!(file.len() < 4_000_000, "{}", spec.name);
            Scorer::from_bytes(spec, "x", &file).unwrap();
        }
    }

    #[test]
    fn a_file_named_like_a_released_scorer_must_be_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{}.safetensors", spec().name));
        std::fs::write(&path, spec().weights).unwrap();
        Scorer::verify_released(&path).unwrap().unwrap();
        let mut other = spec().weights.to_vec();
        *other.last_mut().unwrap() ^= 1;
        std::fs::write(&path, other).unwrap();
        let message = Scorer::verify_released(&path).unwrap().unwrap_err().to_string();
        assert!(message.contains(spec().sha256) && message.contains("put back"), "{message}");
        assert!(Scorer::verify_released(Path::new("mine.safetensors")).is_none());
    }

    #[test]
    fn loading_is_strict_and_names_the_tensor() {
        let mut missing = parameters(spec());
        missing.remove("conv3.bias");
        assert!(error(&encode(&missing, None).unwrap()).contains("`conv3.bias` is missing"));

        let mut infinite = parameters(spec());
        infinite
            .insert("dense.bias".into(), Tensor::new(&[f32::INFINITY; 10], &Device::Cpu).unwrap());
        assert!(
            error(&encode(&infinite, None).unwrap())
                .contains("`dense.bias` has a value that is not finite")
        );

        let file = encode(&parameters(spec()), None).unwrap();
        let renamed = |from: &str, to: &str| {
            let at = file.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            [&file[..at], to.as_bytes(), &file[at + from.len()..]].concat()
        };
        assert!(
            error(&renamed("conv0.bias", "conv9.bias")).contains("`conv9.bias` does not belong")
        );
        assert!(
            error(&renamed("[64,32,4,4]", "[32,64,4,4]")).contains(
                "`conv1.weight` is F32 [32, 64, 4, 4]; the scorer needs F32 [64, 32, 4, 4]"
            )
        );
        assert!(
            error(&file[..file.len() - 1])
                .starts_with("failed to load scorer weights from x.safetensors")
        );
        assert!(error(b"not a file").contains("x.safetensors"));
    }

    #[test]
    fn features_depend_neither_on_later_images_nor_on_threads() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        for spec in SCORERS {
            let (scorer, side, features) = (random(spec), spec.side, spec.features());
            let all = bytes(230, side);
            let together = scorer.features(&all, side).unwrap();
            assert_eq!(together, pool.install(|| scorer.features(&all, side)).unwrap());
            assert_eq!(
                (together.n, together.pool.len(), together.logits.len()),
                (230, 230 * features, 230 * spec.classes)
            );
            for n in [1, 100, 101, 229] {
                let fewer = scorer.features(&all[..n * 3 * side * side], side).unwrap();
                assert_eq!(fewer.pool, together.pool[..n * features], "{}: {n} images", spec.name);
                assert_eq!(
                    fewer.logits,
                    together.logits[..n * spec.classes],
                    "{}: {n} images",
                    spec.name
                );
            }
        }
    }

    #[test]
    fn images_of_other_sides_are_resized_and_cut_ones_refused() {
        for spec in SCORERS {
            let scorer = random(spec);
            let (own, twice) = (
                scorer.features(&vec![90; 3 * spec.side * spec.side], spec.side),
                vec![90; 12 * spec.side * spec.side],
            );
            assert_eq!(
                own.unwrap(),
                scorer.features(&twice, 2 * spec.side).unwrap(),
                "{}",
                spec.name
            );
            assert_eq!(scorer.resize(spec.side), "none");
            assert_eq!(scorer.resize(48), format!("triangle 48→{}", spec.side));
            let message = scorer.features(&[0; 3 * 16 * 16 + 1], 16).unwrap_err().to_string();
            assert!(message.contains("[3, 16, 16]"), "{message}");
        }
    }
}
