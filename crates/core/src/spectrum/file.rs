//! Spectra of anybody's weights: safetensors, or what `torch.save` wrote.

use super::Spectrum;
use crate::torch_file::{TorchData, TorchFile};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use std::path::Path;

/// A weight of a file.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NamedSpectrum {
    /// Its name in the file.
    pub name: String,
    /// Its shape; the matrix is the first dimension by the others.
    pub shape: Vec<usize>,
    /// Its singular values.
    pub spectrum: Spectrum,
}

/// The spectra of every tensor with two or more dimensions larger than 1, in the order of their names. `state_dict` names the dictionary to
/// take from a `torch.save` file that nests several.
///
/// # Errors
/// A file that is neither format, is cut or corrupt, or holds a weight that is not finite; the message names it.
pub fn of_file(path: &Path, state_dict: Option<&str>) -> Result<Vec<NamedSpectrum>> {
    let bytes = std::fs::read(path).map_err(sngan_experiment::Error::io("read", path))?;
    let tensors = if TorchFile::recognizes(&bytes) { torch(path, bytes, state_dict)? } else { safetensors(path, &bytes)? };
    let spectra = tensors.into_iter().map(|(name, t)| match Spectrum::of(&t) {
        Ok(spectrum) => Ok(NamedSpectrum { shape: t.dims().to_vec(), name, spectrum }),
        Err(e) => Err(Error::Invalid(format!("{}: tensor `{name}`: {e}", path.display()))),
    });
    spectra.collect()
}

/// Whether a tensor is a matrix in any sense.
fn is_weight(shape: &[usize]) -> bool {
    shape.iter().filter(|d| **d > 1).count() >= 2 && shape.iter().all(|d| *d > 0)
}

fn torch(path: &Path, bytes: Vec<u8>, state_dict: Option<&str>) -> Result<Vec<(String, Tensor)>> {
    let file = TorchFile::from_bytes(path, bytes, state_dict)?;
    let names: Vec<String> = file.names().filter(|n| file.shape(n).is_some_and(is_weight)).map(str::to_string).collect();
    let mut tensors = Vec::new();
    for name in names {
        let found = file.tensor(&name)?;
        let t = match found.data {
            TorchData::F32(values) => Tensor::from_vec(values, found.shape, &Device::Cpu)?,
            TorchData::F64(values) => Tensor::from_vec(values, found.shape, &Device::Cpu)?,
            TorchData::I64(_) => continue,
        };
        tensors.push((name, t));
    }
    Ok(tensors)
}

fn safetensors(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let wrong = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let file = SafeTensors::deserialize(bytes).map_err(|e| wrong(format!("is neither a safetensors file ({e}) nor one of torch.save")))?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors().into_iter().filter(|(_, view)| is_weight(view.shape())) {
        let t = match view.dtype() {
            safetensors::Dtype::F32 => {
                let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
                Tensor::from_vec::<_, f32>(values, view.shape(), &Device::Cpu)?
            }
            safetensors::Dtype::F64 => {
                let eight = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
                Tensor::from_vec(view.data().chunks_exact(8).map(eight).collect(), view.shape(), &Device::Cpu)?
            }
            _ => continue,
        };
        tensors.push((name, t));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tensors)
}
