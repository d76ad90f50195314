//! The piecewise linear functions that follow a layer.

use super::feature_map::Data;
use std::sync::Arc;

/// A function of every value with at most one kink, at 0. There its derivative is that of the negative side, as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// x where it is positive, else so much of it.
    LeakyRelu(f64),
}

impl Activation {
    /// What a value that is not positive is multiplied by.
    pub(super) fn slope(self) -> f64 {
        self.kink().unwrap_or(1.0)
    }

    /// The slope on the negative side, of a function that has two.
    pub(super) fn kink(self) -> Option<f64> {
        match self {
            Activation::Identity => None,
            Activation::Relu => Some(0.0),
            Activation::LeakyRelu(slope) => Some(slope),
        }
    }

    /// The derivative at the values whose result is `data`, as a map keeps it.
    pub(super) fn mask(self, data: &Arc<Data>) -> Option<(Arc<Data>, f64)> {
        self.kink().map(|slope| (data.clone(), slope))
    }
}
