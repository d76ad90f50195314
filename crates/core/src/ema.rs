//! An exponential moving average of the generator, from which samples are drawn where a run asks for it.

use crate::Result;
use crate::model::{Generator, TensorSource};
use candle_core::Tensor;
use candle_nn::init::ZERO;
use std::collections::BTreeMap;

/// What its tensors' names begin with in a checkpoint: `ema.generator.…`.
const PREFIX: &str = "ema.";

/// The average of G's parameters and running averages, `e ← decay·e + (1 − decay)·w` after each generator update with its rounds of D.
/// It starts from G's initial state and reads the training without changing it.
pub(crate) struct Ema {
    decay: f64,
    tensors: BTreeMap<String, Tensor>,
}

impl Ema {
    /// The average at the start; `None` without a decay.
    pub(crate) fn new(decay: f64, generator: &Generator) -> Result<Option<Ema>> {
        if decay == 0.0 {
            return Ok(None);
        }
        // A variable's tensor is changed in place.
        let tensors = generator
            .state()
            .into_iter()
            .map(|(k, t)| Ok((k, t.copy()?)))
            .collect::<Result<_>>()?;
        Ok(Some(Ema { decay, tensors }))
    }

    /// Moves towards G.
    pub(crate) fn step(&mut self, generator: &Generator) -> Result<()> {
        for (name, now) in generator.state() {
            if let Some(t) = self.tensors.get_mut(&name) {
                *t = ((&*t * self.decay)? + (now * (1.0 - self.decay))?)?.detach();
            }
        }
        Ok(())
    }

    /// Its tensors by checkpoint name.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.tensors.iter().map(|(k, t)| (format!("{PREFIX}{k}"), t.clone()))
    }

    /// Puts back what [`Ema::state`] gave.
    pub(crate) fn load(&mut self, source: &TensorSource) -> Result<()> {
        for (name, t) in &mut self.tensors {
            *t = source.get(t.shape(), &format!("{PREFIX}{name}"), ZERO)?;
        }
        Ok(())
    }
}

/// Of a checkpoint's tensors, those that samples are drawn from: the average's, by the generator's own names, where there is one.
pub(crate) fn sampled(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let average: BTreeMap<_, _> = tensors
        .iter()
        .filter_map(|(k, t)| Some((k.strip_prefix(PREFIX)?.to_string(), t.clone())))
        .collect();
    if average.is_empty() { tensors.clone() } else { average }
}
