//! From Candle's CPU storage to slices and back, for f32 and f64.

use candle_core::{CpuStorage, Layout, Result, Tensor, WithDType, bail};

/// A type that both Candle and the kernels know.
pub(super) trait Element: WithDType + sngan_kernels::Real {}
impl Element for f32 {}
impl Element for f64 {}

/// A constant of an element type.
pub(super) fn number<T: Element>(x: f64) -> T {
    <T as WithDType>::from_f64(x)
}

/// A fresh output buffer.
pub(super) fn zeros<T: Element>(n: usize) -> Vec<T> {
    vec![number(0.0); n]
}

/// The elements of a contiguous tensor's storage.
pub(super) fn slice<'a, T: Element>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("a kernel needs contiguous tensors; got strides {:?}", layout.stride()),
    }
}

/// Calls `f` with the elements of a CPU tensor, made contiguous first.
pub(super) fn with_slice<T: Element, R>(t: &Tensor, f: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(cpu) => f(slice(cpu, layout)?),
        _ => bail!("a CPU kernel was given a tensor on another device"),
    }
}

/// Runs `$body` with `$t` bound to f32 or f64 by the storage's type.
macro_rules! by_type {
    ($storage:expr, $t:ident, $body:expr) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => {
                type $t = f32;
                $body
            }
            candle_core::CpuStorage::F64(_) => {
                type $t = f64;
                $body
            }
            _ => candle_core::bail!("kernels know f32 and f64 only"),
        }
    };
}
pub(super) use by_type;
