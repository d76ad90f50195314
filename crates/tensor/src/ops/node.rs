//! Operations of ours as nodes of Candle's graph.
//!
//! Candle's backward pass makes a zero tensor and adds for every gradient, on one thread. For large values that costs more than the
//! operations themselves, so a feature map is in the graph by a tensor of one element, its handle: Candle orders the backward pass by the
//! handles, and the gradients go through [`super::feature_map`]'s own slots. Weights and their gradients are ordinary tensors.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use std::sync::{Mutex, PoisonError};

/// The gradients of a node's three inputs, those that were asked for.
pub(super) type Gradients = [Option<Tensor>; 3];

/// A node whose value has been computed already.
struct Node<F> {
    name: &'static str,
    value: Mutex<Option<(CpuStorage, Shape)>>,
    backward: F,
}

impl<F: Fn([&Tensor; 3], &Tensor) -> Result<Gradients> + Send + Sync> CustomOp3 for Node<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| candle_core::Error::Msg(format!("{} was applied twice", self.name)))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = (self.backward)([a, b, c], grad)?;
        Ok((a, b, c))
    }
}

/// Puts `value` into the graph as a function of `inputs`; `backward(inputs, gradient of value)` gives theirs.
pub(super) fn record(
    name: &'static str,
    inputs: [&Tensor; 3],
    value: (CpuStorage, Shape),
    backward: impl Fn([&Tensor; 3], &Tensor) -> Result<Gradients> + Send + Sync + 'static,
) -> Result<Tensor> {
    inputs[0].apply_op3(
        inputs[1],
        inputs[2],
        Node { name, value: Mutex::new(Some(value)), backward },
    )
}

/// The value of a handle.
pub(super) fn handle_value() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), 1.into())
}

/// A handle that depends on nothing; also the place holder of an input that an operation does not have.
pub(super) fn no_input() -> Result<Tensor> {
    Tensor::zeros(1, candle_core::DType::F32, &candle_core::Device::Cpu)
}

/// The gradient of a handle, which only says that its slot has been served.
pub(super) fn served(handle: &Tensor) -> Result<Option<Tensor>> {
    if handle.track_op() { handle.zeros_like().map(Some) } else { Ok(None) }
}
