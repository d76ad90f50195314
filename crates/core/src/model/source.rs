//! Where a network's tensors come from: drawn afresh, or given. Each network is built from one such source, and from nothing else.

use super::Place;
use crate::fresh::Fresh;
use crate::{Error, Result};
use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use sngan_tensor::ops::Arm;
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// A network's source of tensors by checkpoint name (`discriminator.conv1.weight`), and where they live.
#[derive(Clone)]
pub struct TensorSource<'a> {
    tensors: VarBuilder<'a>,
    origin: Origin,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Drawn,
    Given,
}

impl<'a> TensorSource<'a> {
    /// A fresh network's: weights from the streams `init.<network>.<layer>`, SN's u from `u.<layer>`, constants, and what follows from the
    /// drawn weights (γ).
    pub fn fresh(streams: Streams, place: &Place) -> TensorSource<'static> {
        let backend: Box<dyn SimpleBackend> = Box::new(Fresh::new(streams));
        TensorSource {
            tensors: VarBuilder::from_backend(backend, place.dtype, place.device.clone()),
            origin: Origin::Drawn,
            place: place.clone(),
        }
    }

    /// A checkpoint's tensors, such as `state` of a network gave; copied to `place` where they change in place.
    pub fn given(tensors: &'a BTreeMap<String, Tensor>, place: &Place) -> TensorSource<'a> {
        let backend: Box<dyn SimpleBackend + 'a> = Box::new(Given(tensors));
        TensorSource {
            tensors: VarBuilder::from_backend(backend, place.dtype, place.device.clone()),
            origin: Origin::Given,
            place: place.clone(),
        }
    }

    /// Whatever a `VarBuilder` of candle-nn's holds, such as a safetensors file, on its device and in its type, with the default arm there.
    /// It must hold every tensor. Variables, such as a `VarMap`'s, are shared and not copied.
    pub fn of(tensors: VarBuilder<'a>) -> TensorSource<'a> {
        let (device, dtype) = (tensors.device().clone(), tensors.dtype());
        let ours = device.is_cpu() && dtype == DType::F32;
        let arm = if ours { Arm::Ours } else { Arm::Candle };
        TensorSource { tensors, origin: Origin::Given, place: Place { device, dtype, arm } }
    }

    /// Where the network's tensors are to live.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The source of what lies below `name`.
    pub(crate) fn at(&self, name: impl ToString) -> TensorSource<'a> {
        TensorSource { tensors: self.tensors.pp(name), ..self.clone() }
    }

    /// The tensor `part`, in a fresh network as `init` says.
    pub(crate) fn get(&self, shape: impl Into<Shape>, part: &str, init: Init) -> Result<Tensor> {
        self.check(part)?;
        Ok(self.tensors.get_with_hints(shape, part, init)?)
    }

    /// The tensor `part`, in a fresh network what `fresh` makes: nothing is drawn or computed where it is given.
    pub(super) fn get_or(
        &self,
        shape: impl Into<Shape>,
        part: &str,
        fresh: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self.origin {
            Origin::Drawn => fresh(),
            Origin::Given => self.get(shape, part, Init::default()),
        }
    }

    /// Refuses a given network that lacks `part`: a `VarMap` would make one up.
    fn check(&self, part: &str) -> Result<()> {
        if self.origin == Origin::Given && !self.tensors.contains_tensor(part) {
            let path = self.tensors.pp(part).prefix();
            return Err(Error::Invalid(format!("the checkpoint has no tensor `{path}`")));
        }
        Ok(())
    }

    /// [`TensorSource::get`] as a variable.
    pub(super) fn var(&self, shape: impl Into<Shape>, part: &str, init: Init) -> Result<Var> {
        Ok(Var::from_tensor(&self.get(shape, part, init)?)?)
    }

    /// [`TensorSource::get_or`] as a variable.
    pub(super) fn var_or(
        &self,
        shape: impl Into<Shape>,
        part: &str,
        fresh: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Var> {
        Ok(Var::from_tensor(&self.get_or(shape, part, fresh)?)?)
    }
}

/// A checkpoint's tensors.
struct Given<'a>(&'a BTreeMap<String, Tensor>);

impl SimpleBackend for Given<'_> {
    fn get(
        &self,
        s: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        dev: &Device,
    ) -> candle_core::Result<Tensor> {
        let t = self.get_unchecked(name, dtype, dev)?;
        if t.shape() != &s {
            let (found, dims) = (t.dims(), s.dims());
            candle_core::bail!(
                "the checkpoint's `{name}` is {found:?}; the network needs {dims:?}"
            );
        }
        Ok(t)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, dev: &Device) -> candle_core::Result<Tensor> {
        let Some(t) = self.0.get(name) else {
            candle_core::bail!("the checkpoint has no tensor `{name}`");
        };
        t.to_device(dev)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
