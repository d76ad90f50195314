//! A generator alone in half precision: a small file to draw images from, without a run.
//!
//! Names are those of the whole export ([`super`]): `generator.…`, the tensors that samples are drawn from (the moving average's, where the run
//! keeps one), and `check.z`, `check.images`. Matrices and filters are F16; vectors, such as biases and all of batch normalization, and the
//! check are F32. The check's images are those of the rounded weights, so that whoever reads the file right has them to f32's rounding.

use super::{
    BATCHES_TRACKED, Exchange, Header, batches_tracked, check, exchange_of, file_of, header_of,
    place_in_file, tensors_of,
};
use crate::checkpoint::{self, Checkpoint};
use crate::ema::sampled;
use crate::model::{Generator, Place, TensorSource};
use crate::trainer::not_finite;
use crate::{Error, Result, Warning};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_experiment::RunSpec;
use sngan_experiment::records::FORMAT_VERSION;
use sngan_experiment::{atomic, regular};
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;
use std::path::Path;

/// What such a file says besides: that its tensors and the names of their run are as they were written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    /// SHA-256 of the run's identity, the number of updates, and each tensor's name and values in f32, sorted by name.
    sha256: String,
}

impl Seal {
    fn of(run: &str, gen_updates: u64, tensors: &BTreeMap<String, Tensor>) -> Result<Seal> {
        let mut hash = Sha256::new();
        hash.update(run);
        hash.update(gen_updates.to_le_bytes());
        for (name, t) in tensors.iter().filter(|(name, _)| !name.ends_with(BATCHES_TRACKED)) {
            hash.update(name);
            hash.update(tensor_file::values(t, DType::F32)?);
        }
        Ok(Seal { sha256: hex::encode(hash.finalize()) })
    }
}

/// Writes the generator of the newest good checkpoint of the run folder `source`, or of the checkpoint file `source` inside a run folder, as
/// `out`; `warn` is told of newer checkpoints that are corrupt.
///
/// # Errors
/// When there is no checkpoint, it does not fit the run's spec, or a weight is too large for half precision.
pub fn export(source: &Path, out: &Path, warn: &mut dyn FnMut(Warning)) -> Result<Exchange> {
    let exchange = exchange_of(source, warn)?;
    atomic::write(out, &encode(&exchange)?)?;
    Ok(exchange)
}

/// The file's bytes; the same checkpoint gives the same, up to the last bits of the check's images on another instruction set.
///
/// # Errors
/// When the checkpoint does not fit the spec, or a weight is too large for half precision.
pub fn encode(exchange: &Exchange) -> Result<Vec<u8>> {
    let Exchange { spec, provenance, checkpoint } = exchange;
    let drawn_from = sampled(&checkpoint.tensors);
    let mut tensors = BTreeMap::new();
    for name in shapes(spec)?.into_keys() {
        let t = drawn_from
            .get(&name)
            .ok_or_else(|| Error::Invalid(format!("the checkpoint has no tensor `{name}`")))?;
        let dtype = if t.rank() > 1 { DType::F16 } else { DType::F32 };
        tensors.insert(name, t.to_dtype(dtype)?);
    }
    let rounded: BTreeMap<_, _> = tensors
        .iter()
        .map(|(name, t)| Ok((name.clone(), t.to_dtype(DType::F32)?)))
        .collect::<Result<_>>()?;
    if let Some(name) = not_finite(&rounded)? {
        return Err(Error::Invalid(format!("`{name}` has values that half precision cannot hold")));
    }
    let mut g = Generator::new(spec, &TensorSource::given(&rounded, &Place::new(&Device::Cpu)))?;
    let mut named: BTreeMap<_, _> =
        tensors.into_iter().map(|(name, t)| (place_in_file(spec, &name), t)).collect();
    named.extend(check(spec, &mut g, None)?);
    named.extend(batches_tracked(spec, checkpoint.gen_updates, &named)?);
    let metadata = checkpoint.metadata.clone();
    let header = Header {
        version: FORMAT_VERSION,
        spec: spec.clone(),
        provenance: provenance.clone(),
        generator: Some(Seal::of(&metadata.run_id, metadata.gen_updates, &named)?),
        checkpoint: metadata,
    };
    file_of(&named, &header)
}

/// Reads the networks in `file`, of which the generator is there: of what [`export`] wrote it alone, of a whole export ([`super::export`])
/// everything.
///
/// # Errors
/// As [`decode`], and when the file cannot be read.
pub fn read(file: &Path) -> Result<Exchange> {
    let bytes = regular::read(file)
        .map_err(|e| Error::Invalid(format!("{}: cannot be read: {e}", file.display())))?;
    decode(file, &bytes)
}

/// Whether `file` is as [`export`] wrote it; `None` of a file that it did not write.
pub fn verify(file: &Path) -> Option<Result<()>> {
    let bytes = regular::read(file).ok()?;
    header_of(file, &bytes).ok()?.generator?;
    Some(decode(file, &bytes).map(drop))
}

/// What [`read`] finds in `bytes`; a tensor in half precision is widened to f32.
///
/// # Errors
/// A missing, unknown or misshapen tensor, by name; values that are not those that were written. Messages name `path`.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Exchange> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let Header { spec, provenance, checkpoint: metadata, generator, .. } = header_of(path, bytes)?;
    let Some(seal) = generator else { return super::decode(path, bytes) };
    checkpoint::holds_generator(bytes, &spec).map_err(refuse)?;
    let mut tensors = tensors_of(path, bytes, Types::F32AndF16)?;
    if metadata.run_id != spec.id()
        || Seal::of(&metadata.run_id, metadata.gen_updates, &tensors)?.sha256 != seal.sha256
    {
        return Err(refuse(
            "is not as it was written: its tensors or the run's spec were altered; get it again"
                .into(),
        ));
    }
    let mut state = BTreeMap::new();
    for (name, shape) in shapes(&spec)? {
        let key = place_in_file(&spec, &name);
        let t = tensors.remove(&key).ok_or_else(|| refuse(format!("has no tensor `{key}`")))?;
        if t.dims() != shape {
            let found = t.dims();
            return Err(refuse(format!("tensor `{key}` is {found:?}; the spec needs {shape:?}")));
        }
        state.insert(name, t);
    }
    if let Some(name) = tensors.keys().find(|name| !name.starts_with("check.")) {
        return Err(refuse(format!("tensor `{name}` is unknown")));
    }
    let checkpoint = Checkpoint { gen_updates: metadata.gen_updates, metadata, tensors: state };
    Ok(Exchange { spec, provenance, checkpoint })
}

/// Names and shapes of the tensors of a spec's generator.
fn shapes(spec: &RunSpec) -> Result<BTreeMap<String, Vec<usize>>> {
    let source = TensorSource::of(VarBuilder::zeros(DType::F32, &Device::Cpu));
    let state = Generator::new(spec, &source)?.state();
    Ok(state.into_iter().map(|(name, t)| (name, t.dims().to_vec())).collect())
}
