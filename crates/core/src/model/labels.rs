//! Classes of a batch.

use super::Place;
use crate::{Error, Result};
use candle_core::{Device, Tensor};

/// The class of each image of a batch.
#[derive(Debug, Clone)]
pub struct Labels {
    classes: Vec<u32>,
    /// The same, `[N]`, where the networks are.
    index: Tensor,
}

impl Labels {
    /// The classes of a batch, each below `n_classes`.
    ///
    /// # Errors
    /// When a class does not exist.
    pub fn new(classes: Vec<u32>, n_classes: usize, place: &Place) -> Result<Labels> {
        if let Some(class) = classes.iter().find(|c| **c as usize >= n_classes) {
            return Err(Error::Invalid(format!(
                "class {class}: the classes are 0 to {}",
                n_classes.saturating_sub(1)
            )));
        }
        Labels::on(classes, &place.device)
    }

    fn on(classes: Vec<u32>, device: &Device) -> Result<Labels> {
        let index = Tensor::from_slice(&classes, classes.len(), device)?;
        Ok(Labels { classes, index })
    }

    /// The classes.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// Rows of `table` `[classes, …]`, one for each image; differentiable in it.
    pub(super) fn rows(&self, table: &Tensor) -> Result<Tensor> {
        Ok(table.index_select(&self.index, 0)?)
    }

    /// Those of images `start..start + len`.
    ///
    /// # Errors
    /// When there are fewer images.
    pub fn narrow(&self, start: usize, len: usize) -> Result<Labels> {
        let part = self.classes.get(start..start + len);
        let part = part.ok_or_else(|| {
            Error::Invalid(format!(
                "{} labels have no {start}..{}",
                self.classes.len(),
                start + len
            ))
        })?;
        Labels::on(part.to_vec(), self.index.device())
    }

    /// These and then `other`'s.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn join(&self, other: &Labels) -> Result<Labels> {
        Labels::on([&self.classes[..], &other.classes].concat(), self.index.device())
    }
}

/// The labels that a conditional network cannot do without.
pub(super) fn needed(labels: Option<&Labels>) -> Result<&Labels> {
    labels.ok_or_else(|| Error::Invalid("a conditional network was given no labels".into()))
}
