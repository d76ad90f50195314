//! Tensors to safetensors bytes and back, strictly: exactly the requested tensors, f32, finite.

use crate::{Error, Result};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// Names and shapes of the tensors of a file.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// Key of the only metadata entry that [`encode`] may write.
const NOTE: &str = "training";

/// A file of `tensors`, with `note` in its header. The header has at most one entry, because
/// safetensors writes several in no fixed order. So equal arguments give equal bytes.
///
/// # Errors
/// Those of the tensor library.
pub fn encode(tensors: &Tensors, note: Option<String>) -> Result<Vec<u8>> {
    let refused = |e: safetensors::SafeTensorError| Error::weights("memory", e);
    let mut raw = Vec::new();
    for (name, t) in tensors {
        let data: Vec<u8> =
            t.flatten_all()?.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect();
        raw.push((name, t.dims().to_vec(), data));
    }
    let mut views = Vec::new();
    for (name, shape, data) in &raw {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), data).map_err(refused)?));
    }
    safetensors::serialize(views, note.map(|n| HashMap::from([(NOTE.to_string(), n)])))
        .map_err(refused)
}

/// Every tensor of a file, checked against `shapes`; `origin` is for messages.
///
/// # Errors
/// [`Error::Weights`] naming the tensor that is missing, left over, misshapen or not finite.
pub fn decode(origin: &str, bytes: &[u8], shapes: &Shapes) -> Result<Tensors> {
    let cut = |e| {
        Error::weights(
            origin,
            format!(
                "is no whole safetensors file ({e}); copy it again, or make it with `sngan scorer train`"
            ),
        )
    };
    let file = SafeTensors::deserialize(bytes).map_err(cut)?;
    if let Some(extra) =
        file.names().into_iter().find(|name| shapes.iter().all(|(known, _)| known != name))
    {
        return Err(Error::weights(
            origin,
            format!("tensor `{extra}` does not belong to the scorer"),
        ));
    }
    let mut tensors = BTreeMap::new();
    for (name, shape) in shapes {
        let view = file
            .tensor(name)
            .map_err(|_| Error::weights(origin, format!("tensor `{name}` is missing")))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            return Err(Error::weights(
                origin,
                format!("tensor `{name}` is {found}; the scorer needs F32 {shape:?}"),
            ));
        }
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::weights(
                origin,
                format!("tensor `{name}` has a value that is not finite"),
            ));
        }
        tensors.insert(name.clone(), Tensor::from_vec(values, shape.as_slice(), &Device::Cpu)?);
    }
    Ok(tensors)
}

/// The note that [`encode`] wrote; `origin` is for messages.
///
/// # Errors
/// A file that is damaged or has no note.
pub fn note(origin: &str, bytes: &[u8]) -> Result<String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| Error::weights(origin, e))?;
    let note = header.metadata().as_ref().and_then(|entries| entries.get(NOTE)).cloned();
    note.ok_or_else(|| Error::weights(origin, format!("its header has no entry `{NOTE}`")))
}
