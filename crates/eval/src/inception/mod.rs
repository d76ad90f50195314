//! Inception-v3 of 2015-12-05, the network that defines the inception score and FID.
//!
//! It is TensorFlow's graph `classify_image_graph_def.pb`. PyTorch programs read it from one file
//! of converted weights, `pt_inception-2015-12-05-6726825d.pth`. It differs from later Inception-v3
//! networks in three ways: means over 3x3 pixels do not count pixels outside the plane, the last
//! block takes a maximum where the others take a mean, and there are 1008 classes. Batch
//! normalization is folded into the filters when they are loaded.
//!
//! The same image gives the same bits, whatever the other images, on any number of threads.

mod forward;
mod graph;
mod network;
mod resize;
mod weights;

pub use network::{LOGITS, POOL};
pub use resize::Preparation;

use crate::{Error, Graph, Result};
use forward::Grid;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use weights::Weights;

/// Pictures that [`Inception::pool`] takes at a time at best.
pub(crate) const TOGETHER: usize = BATCH;
/// Images per pass: enough rows for the products of the 8x8 maps.
const BATCH: usize = 24;
/// Images that go through the first layers at a time: an image's maps there are up to four times as large as the largest later ones.
const PART: usize = 8;

/// The network with its weights.
pub struct Inception {
    weights: Weights,
    path: PathBuf,
    preparation: Preparation,
}

/// The network's outputs for N images.
#[derive(Debug, Clone, PartialEq)]
pub struct InceptionFeatures {
    /// `[N, 2048]`, at least 0: the last map's mean over the plane, used for FID.
    pub pool: Vec<f32>,
    /// `[N, 1008]`: the dense layer's outputs without its bias, used for the inception score.
    pub logits: Vec<f32>,
}

/// Means over the plane of four maps, named by their channels as torch-fidelity names them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taps {
    /// `[N, 64]`, after the first maximum pool.
    pub tap64: Vec<f32>,
    /// `[N, 192]`, after the second.
    pub tap192: Vec<f32>,
    /// `[N, 768]`, after Mixed_6e.
    pub tap768: Vec<f32>,
    /// `[N, 2048]`, after Mixed_7c: [`InceptionFeatures::pool`].
    pub tap2048: Vec<f32>,
}

/// One picture as the network reads it, `[299, 299, 3]`.
pub(crate) struct Prepared(Grid);

impl Inception {
    /// The name under which protocols record the network.
    pub const NAME: &'static str = "inception-2015-12-05";

    /// Reads the weights of `path`: torch.save's older or zip format, or safetensors, told apart by their first bytes.
    ///
    /// # Errors
    /// A file that cannot be read or is none of these; a tensor that is missing, left over (except
    /// `num_batches_tracked`), of the wrong shape, not f32 or not finite. The message names it.
    pub fn load(path: &Path, preparation: Preparation) -> Result<Inception> {
        Ok(Inception { weights: weights::load(path)?, path: path.into(), preparation })
    }

    /// SHA-256 of the weights file, in hex. The published file's begins with 6726825d.
    pub fn sha256(&self) -> &str {
        &self.weights.sha256
    }

    /// How images become the network's input.
    pub fn preparation(&self) -> Preparation {
        self.preparation
    }

    /// `[1008]`: the dense layer's bias, which the logits leave out.
    pub fn logit_bias(&self) -> &[f32] {
        &self.weights.logit_bias
    }

    /// Every tensor of a weights file with its shape.
    pub fn tensor_shapes() -> Vec<(String, Vec<usize>)> {
        weights::shapes()
    }

    /// The network for another device. The file is read again: the weights here are packed for the CPU's kernels.
    ///
    /// # Errors
    /// As [`Inception::load`]; a file that has changed since.
    pub fn graph(&self) -> Result<Graph> {
        let (network, dense, sha256) = weights::folded(&self.path)?;
        if sha256 != self.weights.sha256 {
            let reason = "it has changed while it was used; start again";
            return Err(Error::inception(&self.path.display().to_string(), reason));
        }
        Ok(graph::of(network, dense))
    }

    /// `bytes`, `[N, 3, side, side]`, as another device reads them: `[N, 3, 299, 299]`.
    pub(crate) fn channels_first(&self, bytes: &[u8], side: usize) -> Vec<f32> {
        let n = bytes.len() / (3 * side * side);
        let prepared = resize::prepare(self.preparation, bytes, side, side);
        let plane = resize::SIDE * resize::SIDE;
        let mut input = vec![0.0; prepared.len()];
        input.par_chunks_mut(plane).enumerate().for_each(|(i, target)| {
            let source = prepared[i..].iter().step_by(3 * n);
            target.iter_mut().zip(source).for_each(|(target, source)| *target = *source);
        });
        input
    }

    /// Features and logits of `bytes`, `[N, 3, side, side]`.
    ///
    /// # Errors
    /// When the length is not a multiple of an image.
    pub fn features(&self, bytes: &[u8], side: usize) -> Result<InceptionFeatures> {
        self.features_while(bytes, side, &|_| Ok(()))
    }

    /// The same, asking `at` before each batch, with the number of images done, whether to go on.
    pub(crate) fn features_while(
        &self,
        bytes: &[u8],
        side: usize,
        at: &dyn Fn(usize) -> Result<()>,
    ) -> Result<InceptionFeatures> {
        let mut features = InceptionFeatures { pool: Vec::new(), logits: Vec::new() };
        for (i, batch) in batches(bytes, side)?.enumerate() {
            at(i * BATCH)?;
            let pool = forward::pool3(&self.weights.network, self.inputs(batch, side), |_, _| {});
            features.logits.extend(forward::logits(&self.weights, &pool));
            features.pool.extend(pool);
        }
        Ok(features)
    }

    /// Four maps' means of `bytes`, `[N, 3, side, side]`.
    ///
    /// # Errors
    /// As [`Inception::features`].
    pub fn taps(&self, bytes: &[u8], side: usize) -> Result<Taps> {
        let mut taps = Taps::default();
        for batch in batches(bytes, side)? {
            let mut targets = [&mut taps.tap64, &mut taps.tap192, &mut taps.tap768];
            let pool =
                forward::pool3(&self.weights.network, self.inputs(batch, side), |tap, means| {
                    targets[tap].extend(means())
                });
            taps.tap2048.extend(pool);
        }
        Ok(taps)
    }

    /// A picture of any size, `[3, height, width]`, as the network reads it.
    ///
    /// # Errors
    /// When the length is not that of such a picture.
    pub(crate) fn prepare(&self, planes: &[u8], height: usize, width: usize) -> Result<Prepared> {
        if planes.is_empty() || planes.len() != 3 * height * width {
            let reason = format!("{} bytes are no picture of [3, {height}, {width}]", planes.len());
            return Err(Error::input("picture", reason));
        }
        let input = resize::prepare(self.preparation, planes, height, width);
        Ok(Prepared(Grid::input(1, input)))
    }

    /// [`InceptionFeatures::pool`] of pictures, `[N, 2048]`.
    pub(crate) fn pool(&self, pictures: Vec<Prepared>) -> Vec<f32> {
        let (mut pool, mut rest) = (Vec::new(), pictures.into_iter().peekable());
        while rest.peek().is_some() {
            let batch: Vec<Grid> = rest.by_ref().take(BATCH).map(|p| p.0).collect();
            let mut batch = batch.into_iter().peekable();
            let parts = std::iter::from_fn(|| {
                batch.peek()?;
                Some(forward::beside(batch.by_ref().take(PART).collect()))
            });
            pool.extend(forward::pool3(&self.weights.network, parts, |_, _| {}));
        }
        pool
    }

    /// One batch as the network reads it, in parts.
    fn inputs(&self, batch: &[u8], side: usize) -> impl Iterator<Item = Grid> {
        let image = 3 * side * side;
        batch.chunks(PART * image).map(move |part| {
            Grid::input(part.len() / image, resize::prepare(self.preparation, part, side, side))
        })
    }
}

impl std::fmt::Debug for Inception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inception of weights {}, {}", self.weights.sha256, self.preparation.name())
    }
}

/// `bytes` in batches.
fn batches(bytes: &[u8], side: usize) -> Result<std::slice::Chunks<'_, u8>> {
    let image = 3 * side * side;
    if image == 0 || !bytes.len().is_multiple_of(image) {
        return Err(Error::input(
            "images",
            format!("{} bytes are not images of [3, {side}, {side}]", bytes.len()),
        ));
    }
    Ok(bytes.chunks(BATCH * image))
}
