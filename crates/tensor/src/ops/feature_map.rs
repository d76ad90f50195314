//! What flows from layer to layer.

use super::Arm;
use super::node::{self, Gradients, Values};
use crate::Result;
use candle_core::{CpuStorage, DType, Layout, Tensor, WithDType, bail};
use sngan_kernels::plane::{self, MapSize};
use sngan_kernels::{Buffer, matvec};
use std::sync::{Arc, Mutex, PoisonError};

/// A type that both Candle and the kernels know.
pub(super) trait Element: WithDType + sngan_kernels::Real {
    fn data(buffer: Buffer<Self>) -> Data;
    fn values(data: &Data) -> candle_core::Result<&[Self]>;
}

/// A feature map's numbers, `[H, W, N, C]`.
#[derive(Debug)]
pub(super) enum Data {
    F32(Buffer<f32>),
    F64(Buffer<f64>),
}

macro_rules! element {
    ($t:ty, $variant:ident) => {
        impl Element for $t {
            fn data(buffer: Buffer<$t>) -> Data {
                Data::$variant(buffer)
            }
            fn values(data: &Data) -> candle_core::Result<&[$t]> {
                match data {
                    Data::$variant(b) => Ok(b),
                    _ => bail!("feature maps of different types were mixed"),
                }
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);

/// Runs `$body` with `$t` bound to the Rust type of a [`DType`].
macro_rules! by_dtype {
    ($dtype:expr, $t:ident, $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $t = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $t = f64;
                $body
            }
            other => {
                return Err(candle_core::Error::Msg(format!(
                    "kernels know f32 and f64 only, not {other:?}"
                ))
                .into())
            }
        }
    };
}
pub(super) use by_dtype;

/// A constant of an element type.
pub(super) fn number<T: Element>(x: f64) -> T {
    <T as WithDType>::from_f64(x)
}

/// The elements of a contiguous tensor's storage.
pub(super) fn slice<'a, T: Element>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("a kernel needs contiguous tensors; got strides {:?}", layout.stride()),
    }
}

/// Calls `f` with the elements of a CPU tensor, made contiguous first.
pub(super) fn with_slice<T: Element, R>(
    t: &Tensor,
    f: impl FnOnce(&[T]) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(cpu) => f(slice(cpu, layout)?),
        candle_core::Storage::Cuda(_) | candle_core::Storage::Metal(_) => {
            bail!("a CPU kernel was given a tensor on another device")
        }
    }
}

/// [`with_slice`] of a tensor that may be absent.
pub(super) fn with_optional<T: Element, R>(
    t: Option<&Tensor>,
    f: impl FnOnce(Option<&[T]>) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    match t {
        None => f(None),
        Some(t) => with_slice(t, |s| f(Some(s))),
    }
}

/// Where the backward pass collects a feature map's gradient: that of its values *before* the activation, which each consumer has applied.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Data>>>);

impl Slot {
    /// Adds a consumer's share.
    pub(super) fn add<T: Element>(&self, share: Buffer<T>) -> candle_core::Result<()> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(match slot.take() {
            None => T::data(share),
            Some(sum) => {
                let mut total = Buffer::arbitrary(share.len());
                let one = number::<T>(1.0);
                matvec::combine(one, T::values(&sum)?, one, &share, &mut total);
                T::data(total)
            }
        });
        Ok(())
    }

    /// The sum of all shares; `None` where there was no consumer.
    pub(super) fn take(&self) -> Option<Data> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A feature map in our kernels' layout, with its place in Candle's graph.
#[derive(Clone, Debug)]
pub struct Map {
    /// `[N, C, H, W]`.
    pub(super) dims: [usize; 4],
    pub(super) dtype: DType,
    pub(super) data: Arc<Data>,
    /// The derivative of the activation that made `data`: 1 where this is positive, else the slope. `None`: the identity.
    pub(super) mask: Option<(Arc<Data>, f64)>,
    pub(super) handle: Tensor,
    pub(super) gradient: Slot,
}

/// A feature map `[N, C, H, W]` between two layers of a network, in the form that its arm works on.
#[derive(Clone, Debug)]
pub enum FeatureMap {
    /// Candle's own tensor.
    Candle(Tensor),
    /// Our kernels' buffer, a node of Candle's graph by its handle.
    Ours(Map),
}

impl Map {
    pub(super) fn size(&self) -> MapSize {
        let [images, channels, height, width] = self.dims;
        MapSize { pixels: height * width, images, channels }
    }
}

impl FeatureMap {
    /// A map of images `[N, C, H, W]`, differentiable in them.
    ///
    /// # Errors
    /// When `images` has another rank.
    pub fn of(arm: Arm, images: &Tensor) -> Result<FeatureMap> {
        if arm == Arm::Candle {
            return Ok(FeatureMap::Candle(images.clone()));
        }
        by_dtype!(images.dtype(), T, from_images::<T>(images))
    }

    /// `[N, C, H, W]` as a tensor, differentiable.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            FeatureMap::Candle(t) => Ok(t.clone()),
            FeatureMap::Ours(map) => by_dtype!(map.dtype, T, to_images::<T>(map)),
        }
    }

    /// `[N, C, H, W]`.
    ///
    /// # Errors
    /// When a tensor has another rank.
    pub fn dims(&self) -> Result<[usize; 4]> {
        match self {
            FeatureMap::Candle(t) => {
                let (n, c, h, w) = t.dims4()?;
                Ok([n, c, h, w])
            }
            FeatureMap::Ours(map) => Ok(map.dims),
        }
    }
}

fn from_images<T: Element>(images: &Tensor) -> Result<FeatureMap> {
    let (n, c, h, w) = images.dims4()?;
    let size = MapSize { pixels: h * w, images: n, channels: c };
    let mut data = Buffer::<T>::arbitrary(size.len());
    with_slice(images, |x| {
        plane::from_images(size, x, &mut data);
        Ok(())
    })?;
    let values = Values { dims: [n, c, h, w], data: Arc::new(T::data(data)), mask: None };
    node::map::<T, _, 0, 1>("from-images", [], [images], values, move |call| {
        let gradient = || {
            let mut dx = vec![number::<T>(0.0); call.dy.len()];
            plane::to_images(size, call.dy, &mut dx);
            dx
        };
        Ok(Gradients { maps: [], tensors: [call.asks_tensor[0].then(gradient)] })
    })
}

fn to_images<T: Element>(map: &Map) -> Result<Tensor> {
    let size = map.size();
    let mut images = vec![number::<T>(0.0); size.len()];
    plane::to_images(size, T::values(&map.data)?, &mut images);
    node::unary_to_tensor::<T>("to-images", map, (images, map.dims.to_vec()), move |_, dy| {
        let mut dx = Buffer::<T>::arbitrary(size.len());
        plane::from_images(size, dy, &mut dx);
        Ok(dx)
    })
}

impl Map {
    /// A consumer's gradient of this map's values; the activation's derivative is applied here.
    pub(super) fn receive<T: Element>(&self, mut dx: Buffer<T>) -> candle_core::Result<()> {
        if let Some((of, slope)) = &self.mask {
            let unmasked = std::mem::replace(&mut dx, Buffer::arbitrary(self.size().len()));
            sngan_kernels::activation::mask(
                T::values(of)?,
                &unmasked,
                number::<T>(*slope),
                &mut dx,
            );
        }
        self.gradient.add(dx)
    }
}
