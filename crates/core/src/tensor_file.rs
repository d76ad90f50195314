//! Tensors to safetensors bytes and back, for checkpoints, replay and interchange.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sngan_experiment::RunSpec;
use std::collections::BTreeMap;

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// F32 alone.
    F32,
    /// F32 and F64, each as it is.
    F32AndF64,
}

/// For what safetensors refuses to write.
pub(crate) fn refused(e: SafeTensorError) -> Error {
    Error::Invalid(format!("safetensors: {e}"))
}

/// The values of `t` as little-endian f32 or f64.
pub(crate) fn values(t: &Tensor, dtype: DType) -> Result<Vec<u8>> {
    let flat = t.to_dtype(dtype)?.to_device(&Device::Cpu)?.flatten_all()?;
    Ok(match dtype {
        DType::F64 => flat.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
    })
}

/// A file of `tensors` as f32 or f64: sorted by name, no metadata, so the same tensors give the same bytes.
pub(crate) fn encode(tensors: &BTreeMap<String, Tensor>, dtype: DType) -> Result<Vec<u8>> {
    let stored = if dtype == DType::F64 { Dtype::F64 } else { Dtype::F32 };
    let buffers: Vec<_> = tensors
        .iter()
        .map(|(name, t)| Ok((name, t.dims().to_vec(), values(t, dtype)?)))
        .collect::<Result<_>>()?;
    let views = buffers
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((name.as_str(), TensorView::new(stored, shape.clone(), bytes).map_err(refused)?))
        })
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, None).map_err(refused)
}

/// Whether a file is large enough for the networks of `spec`, asked before they are made: a spec in a file's metadata may promise anything.
pub(crate) fn holds_networks(bytes: &[u8], spec: &RunSpec) -> std::result::Result<(), String> {
    let layers = spec.layers().map_err(|e| e.to_string())?;
    let parameters = layers.generator_parameters() + layers.discriminator_parameters();
    if bytes.len() / size_of::<f32>() < parameters {
        return Err(format!(
            "has {} bytes, too few for the {parameters} parameters of its spec's networks",
            bytes.len()
        ));
    }
    Ok(())
}

/// The tensors of a file whose names pass `wanted`, on the CPU; the reason where it cannot be read, for the caller to name the file.
pub(crate) fn decode(
    bytes: &[u8],
    types: Types,
    wanted: impl Fn(&str) -> bool,
) -> std::result::Result<BTreeMap<String, Tensor>, String> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|e| format!("is no safetensors file: {e}"))?;
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
            (other, Types::F32) => {
                return Err(format!("tensor `{name}` is {other:?}; only F32 is read"));
            }
            (other, Types::F32AndF64) => {
                return Err(format!("tensor `{name}` is {other:?}; F32 and F64 are read"));
            }
        };
        tensors.insert(name, t.map_err(|e| e.to_string())?);
    }
    Ok(tensors)
}
