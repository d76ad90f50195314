//! Tensors to safetensors bytes and back.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// F32 alone.
    F32,
    /// F32 and F64, each as it is.
    F32AndF64,
    /// F32, and F16 widened to it.
    F32AndF16,
}

impl Types {
    /// The end of a message about a tensor of another type.
    fn read(self) -> &'static str {
        match self {
            Types::F32 => "only F32 is read",
            Types::F32AndF64 => "F32 and F64 are read",
            Types::F32AndF16 => "F32 and F16 are read",
        }
    }
}

/// The values of `t` as little-endian f32 or f64.
///
/// # Errors
/// Those of the tensor library.
pub fn values(t: &Tensor, dtype: DType) -> Result<Vec<u8>> {
    let flat = t.to_dtype(dtype)?.to_device(&Device::Cpu)?.flatten_all()?;
    Ok(if dtype == DType::F64 {
        flat.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()
    } else {
        flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect()
    })
}

/// A file of `tensors` as f32 or f64: sorted by name, no metadata, so the same tensors give the same bytes.
///
/// # Errors
/// Those of the tensor library.
pub fn encode(tensors: &BTreeMap<String, Tensor>, dtype: DType) -> Result<Vec<u8>> {
    let stored = if dtype == DType::F64 { Dtype::F64 } else { Dtype::F32 };
    let buffers: Vec<_> = tensors
        .iter()
        .map(|(name, t)| Ok((name, t.dims().to_vec(), values(t, dtype)?)))
        .collect::<Result<_>>()?;
    let views = buffers
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(stored, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// The tensors of a file whose names pass `wanted`, on the CPU. Messages do not name the file; the caller does.
///
/// # Errors
/// [`Error::Decode`], or [`Error::NumberType`] of a tensor that was wanted.
pub fn decode(
    bytes: &[u8],
    types: Types,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Tensor>> {
    let file = SafeTensors::deserialize(bytes).map_err(Error::Decode)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors().into_iter().filter(|(name, _)| wanted(name)) {
        let t = match (view.dtype(), types) {
            (Dtype::F32, _) => {
                let values =
                    view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                Tensor::from_vec::<_, f32>(values, view.shape(), &Device::Cpu)
            }
            (Dtype::F64, Types::F32AndF64) => {
                let values =
                    view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
                Tensor::from_vec::<_, f64>(values, view.shape(), &Device::Cpu)
            }
            (Dtype::F16, Types::F32AndF16) => {
                Tensor::from_raw_buffer(view.data(), DType::F16, view.shape(), &Device::Cpu)
                    .and_then(|t| t.to_dtype(DType::F32))
            }
            (other, _) => {
                let found = format!("{other:?}");
                return Err(Error::NumberType { name, found, read: types.read() });
            }
        };
        tensors.insert(name, t?);
    }
    Ok(tensors)
}
