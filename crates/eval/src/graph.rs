//! A backbone's network as steps on maps: what another device than the CPU needs to run it, and the seam to what does.

use crate::{BackboneFeatures, Error, Result};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// Sizes of a map `[N, channels, side, side]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapSizes {
    /// Channels.
    pub channels: usize,
    /// Height and width, pixels.
    pub side: usize,
}

/// Channels of a map, from `first` on; as many as the step that writes them makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The map's number.
    pub map: usize,
    /// The first of its channels.
    pub first: usize,
}

/// A convolution's filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// `[outputs, inputs, height, width]`, one after the other.
    pub weights: Vec<f32>,
    /// `[outputs]`, added to each pixel.
    pub bias: Option<Vec<f32>>,
    /// Channels that it makes.
    pub outputs: usize,
    /// Height and width.
    pub kernel: (usize, usize),
    /// Distance between windows.
    pub stride: usize,
    /// Zeros above and below, and at the left and right.
    pub padding: (usize, usize),
    /// Whether what is below 0 becomes 0, last.
    pub relu: bool,
}

/// A step. It reads a whole map and writes all images and pixels of some channels of another.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A convolution (a correlation: filters are not mirrored).
    Convolve {
        /// The map that is read.
        from: usize,
        /// What is written.
        to: Part,
        /// The filters.
        filters: Filters,
    },
    /// The largest value of each window of 3x3 pixels; those outside the plane do not count.
    Maximum {
        /// The map that is read.
        from: usize,
        /// What is written: as many channels.
        to: Part,
        /// Distance between windows.
        stride: usize,
        /// Lines and columns outside the plane at each border: 0 or 1.
        padding: usize,
    },
    /// `max(mean + bias, 0)` over each window of 3x3 pixels at stride 1, with one line and column outside the plane, which do not count.
    Mean {
        /// The map that is read.
        from: usize,
        /// What is written: as many channels.
        to: Part,
        /// A number for each channel.
        bias: Vec<f32>,
    },
}

/// A network for inference. Its features are a map's means over the plane; its logits are a dense layer of these.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Images of a pass.
    pub batch: usize,
    /// The maps by number; 0 is the input.
    pub maps: Vec<MapSizes>,
    /// In order.
    pub steps: Vec<Step>,
    /// The map of the features.
    pub output: usize,
    /// `[classes, features]`.
    pub dense: Vec<f32>,
    /// `[classes]`.
    pub dense_bias: Option<Vec<f32>>,
}

impl Graph {
    /// No steps: an input alone.
    pub(crate) fn new(batch: usize, input: MapSizes) -> Graph {
        let (maps, steps) = (vec![input], Vec::new());
        Graph { batch, maps, steps, output: 0, dense: Vec::new(), dense_bias: None }
    }

    /// A new map, by number.
    pub(crate) fn map(&mut self, channels: usize, side: usize) -> usize {
        self.maps.push(MapSizes { channels, side });
        self.maps.len() - 1
    }

    /// Appends a convolution into a map of its own; its number.
    pub(crate) fn convolve(&mut self, from: usize, filters: Filters) -> usize {
        let side = self.maps[from].side + 2 * filters.padding.0 - filters.kernel.0;
        let map = self.map(filters.outputs, side / filters.stride + 1);
        self.steps.push(Step::Convolve { from, to: Part { map, first: 0 }, filters });
        map
    }

    /// Features of an image.
    pub fn features(&self) -> usize {
        self.maps[self.output].channels
    }

    /// Logits of an image.
    pub fn classes(&self) -> usize {
        self.dense.len() / self.features().max(1)
    }
}

/// A [`Graph`] on the device that runs it.
pub trait Inference: Debug + Send {
    /// Features and logits of the graph's `batch` images, `[batch, channels, side, side]`.
    ///
    /// # Errors
    /// Those of the device.
    fn features(
        &mut self,
        input: &[f32],
    ) -> std::result::Result<BackboneFeatures, Box<dyn std::error::Error + Send + Sync>>;
}

/// A graph's device with the number of images that it takes at a time.
#[derive(Debug)]
pub struct Elsewhere {
    batch: usize,
    inference: Mutex<Box<dyn Inference>>,
}

impl Elsewhere {
    pub(crate) fn new(batch: usize, inference: Box<dyn Inference>) -> Elsewhere {
        Elsewhere { batch, inference: Mutex::new(inference) }
    }

    /// Features of images of so many bytes, which `prepared` makes inputs of, a batch at a time; the last is filled up with zeros. `at` is asked
    /// before each batch.
    pub(crate) fn features(
        &self,
        bytes: &[u8],
        image: usize,
        prepared: impl Fn(&[u8]) -> Vec<f32>,
        at: &dyn Fn(usize) -> Result<()>,
    ) -> Result<BackboneFeatures> {
        let mut all = BackboneFeatures { pool: Vec::new(), logits: Vec::new() };
        for (i, part) in bytes.chunks(self.batch * image).enumerate() {
            at(i * self.batch)?;
            let (mut input, n) = (prepared(part), part.len() / image);
            input.resize(input.len() / n * self.batch, 0.0);
            let mut inference = self.inference.lock().unwrap_or_else(PoisonError::into_inner);
            let found = inference.features(&input).map_err(Error::Inference)?;
            drop(inference);
            let rows = |values: &[f32]| values[..values.len() / self.batch * n].to_vec();
            all.pool.extend(rows(&found.pool));
            all.logits.extend(rows(&found.logits));
        }
        Ok(all)
    }
}
