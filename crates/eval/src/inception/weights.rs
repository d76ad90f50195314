//! Weights files: torch.save's in either format or safetensors, all 472 tensors and no others.

use super::network::{LOGITS, Layer, Network, POOL, table};
use crate::{Error, Result};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use sngan_kernels::filter::{Filter, FilterShape};
use sngan_tensor::torch_file::{TorchData, TorchFile};
use std::collections::BTreeSet;
use std::path::Path;

/// What batch normalization adds to the variance, in this graph.
const EPSILON: f64 = 1e-3;
/// A tensor that PyTorch's batch normalization keeps and inference does not need.
const COUNTER: &str = ".bn.num_batches_tracked";

/// A loaded network.
pub(super) struct Weights {
    pub(super) network: Network<Filter>,
    /// `[1008, 2048]` as a 1x1 filter without its bias.
    pub(super) dense: Filter,
    /// `[1008]`.
    pub(super) logit_bias: Vec<f32>,
    /// SHA-256 of the file, in hex.
    pub(super) sha256: String,
}

/// A layer's filter with its batch normalization folded in.
pub(super) struct Folded {
    pub(super) shape: FilterShape,
    /// `[out, in, height, width]`.
    pub(super) weights: Vec<f32>,
    /// `[out]`.
    pub(super) bias: Vec<f32>,
}

/// An open file of either kind.
enum Source<'a> {
    Torch(TorchFile),
    Safetensors(SafeTensors<'a>),
}

impl Source<'_> {
    fn names(&self) -> BTreeSet<String> {
        match self {
            Source::Torch(file) => file.names().chain(file.others()).map(str::to_string).collect(),
            Source::Safetensors(file) => file.names().into_iter().map(str::to_string).collect(),
        }
    }

    /// The sizes and numbers of an f32 tensor, or what is wrong with it.
    fn tensor(&self, name: &str) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
        match self {
            Source::Torch(file) => {
                let tensor = file.tensor(name).map_err(|e| e.to_string())?;
                let TorchData::F32(values) = tensor.data else {
                    return Err(format!("tensor `{name}` is not f32"));
                };
                Ok((tensor.shape, values))
            }
            Source::Safetensors(file) => {
                let view = file.tensor(name).map_err(|_| format!("tensor `{name}` is missing"))?;
                if view.dtype() != Dtype::F32 {
                    return Err(format!("tensor `{name}` is {:?}, not F32", view.dtype()));
                }
                let values =
                    view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                Ok((view.shape().to_vec(), values))
            }
        }
    }
}

/// Reads, checks, folds and packs the weights of `path`.
pub(super) fn load(path: &Path) -> Result<Weights> {
    opened(path, build)
}

/// Reads, checks and folds them: the layers, the dense layer's weight, and the file's SHA-256.
pub(super) fn folded(path: &Path) -> Result<(Network<Folded>, Vec<f32>, String)> {
    opened(path, |origin, source, sha256| {
        let network = layers(origin, source, Ok)?;
        Ok((network, tensor(origin, source, "fc.weight", &[LOGITS, POOL])?, sha256))
    })
}

/// Opens the file of `path`; its name, its tensors and its SHA-256 go to `read`.
fn opened<T>(path: &Path, read: impl Fn(&str, &Source<'_>, String) -> Result<T>) -> Result<T> {
    let bytes =
        sngan_experiment::regular::read(path).map_err(sngan_experiment::Error::io("read", path))?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let origin = path.display().to_string();
    if TorchFile::recognizes(&bytes) {
        return read(&origin, &Source::Torch(TorchFile::from_bytes(path, bytes, None)?), sha256);
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| {
        Error::inception(
            &origin,
            format!("is no whole file of torch.save or safetensors ({e}); fetch it again"),
        )
    })?;
    read(&origin, &Source::Safetensors(file), sha256)
}

/// Every tensor of a layer, with its shape.
fn tensors(layer: &Layer) -> Vec<(String, Vec<usize>)> {
    let FilterShape { in_channels, out_channels, kernel, .. } = layer.shape;
    let weight = (
        format!("{}.conv.weight", layer.name),
        vec![out_channels, in_channels, kernel.0, kernel.1],
    );
    let normalization = ["weight", "bias", "running_mean", "running_var"];
    let normalization =
        normalization.map(|part| (format!("{}.bn.{part}", layer.name), vec![out_channels]));
    std::iter::once(weight).chain(normalization).collect()
}

/// Every tensor of a file, with its shape.
pub(super) fn shapes() -> Vec<(String, Vec<usize>)> {
    let dense =
        [("fc.weight".to_string(), vec![LOGITS, POOL]), ("fc.bias".to_string(), vec![LOGITS])];
    table().layers().into_iter().flat_map(tensors).chain(dense).collect()
}

/// The layers from a file's tensors, which must be exactly the network's, each as `make` makes it.
fn layers<L: Send>(
    origin: &str,
    source: &Source<'_>,
    make: impl Fn(Folded) -> Result<L> + Sync,
) -> Result<Network<L>> {
    let table = table();
    let names = source.names();
    let known: BTreeSet<String> = shapes().into_iter().map(|(name, _)| name).collect();
    if let Some(name) = known.iter().find(|name| !names.contains(*name)) {
        return Err(Error::inception(origin, format!("tensor `{name}` is missing")));
    }
    let layer_of =
        |name: &str| name.strip_suffix(COUNTER).map(|layer| format!("{layer}.conv.weight"));
    let counts = |name: &&String| layer_of(name).is_some_and(|weight| known.contains(&weight));
    if let Some(name) = names.iter().find(|name| !known.contains(*name) && !counts(name)) {
        return Err(Error::inception(
            origin,
            format!("tensor `{name}` does not belong to the network of 2015-12-05"),
        ));
    }
    // In parallel: packing for Winograd takes longer than reading.
    let filters = table
        .layers()
        .into_par_iter()
        .map(|layer| make(filter(origin, source, layer)?))
        .collect::<Result<Vec<_>>>()?;
    let mut filters = filters.into_iter();
    table.map(|layer| {
        filters.next().ok_or_else(|| {
            Error::inception(origin, format!("layer `{}` was not built", layer.name))
        })
    })
}

/// The network for the CPU's kernels.
fn build(origin: &str, source: &Source<'_>, sha256: String) -> Result<Weights> {
    let network = layers(origin, source, |Folded { shape, weights, bias }| {
        Filter::new(shape, &weights, &bias).map_err(|e| Error::inception(origin, e))
    })?;
    let shape = FilterShape {
        in_channels: POOL,
        out_channels: LOGITS,
        kernel: (1, 1),
        stride: 1,
        padding: (0, 0),
    };
    let weight = tensor(origin, source, "fc.weight", &[LOGITS, POOL])?;
    let dense =
        Filter::new(shape, &weight, &vec![0.0; LOGITS]).map_err(|e| Error::inception(origin, e))?;
    Ok(Weights {
        network,
        dense,
        logit_bias: tensor(origin, source, "fc.bias", &[LOGITS])?,
        sha256,
    })
}

/// A tensor of the expected shape with finite numbers.
fn tensor(origin: &str, source: &Source<'_>, name: &str, expected: &[usize]) -> Result<Vec<f32>> {
    let (shape, values) = source.tensor(name).map_err(|reason| Error::inception(origin, reason))?;
    if shape != expected {
        return Err(Error::inception(
            origin,
            format!("tensor `{name}` is {shape:?}; the network needs {expected:?}"),
        ));
    }
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::inception(
            origin,
            format!("tensor `{name}` has a number that is not finite at index {i}"),
        ));
    }
    Ok(values)
}

/// A layer's filter with its batch normalization folded in: `γ/√(var + ε)` times the weights, and `β − mean·γ/√(var + ε)` as bias.
fn filter(origin: &str, source: &Source<'_>, layer: &Layer) -> Result<Folded> {
    let [mut weights, gamma, beta, mean, variance] = tensors(layer)
        .into_iter()
        .map(|(name, shape)| tensor(origin, source, &name, &shape))
        .collect::<Result<Vec<_>>>()?
        .try_into()
        .map_err(|_| {
            Error::inception(origin, format!("layer `{}` has not five tensors", layer.name))
        })?;
    if variance.iter().any(|v| *v < 0.0) {
        return Err(Error::inception(
            origin,
            format!("tensor `{}.bn.running_var` has a negative variance", layer.name),
        ));
    }
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(g, v)| f64::from(*g) / (f64::from(*v) + EPSILON).sqrt())
        .collect();
    let per_channel = layer.shape.in_channels * layer.shape.taps();
    for (channel, scale) in weights.chunks_exact_mut(per_channel).zip(&scale) {
        channel.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
    }
    let bias: Vec<f32> = beta
        .iter()
        .zip(&mean)
        .zip(&scale)
        .map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32)
        .collect();
    Ok(Folded { shape: layer.shape, weights, bias })
}
