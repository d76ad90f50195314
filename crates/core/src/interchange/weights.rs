//! A generator alone in half precision: a small file to draw images from, without a run.
//!
//! Names are those of the whole export ([`super`]): `generator.…`, the tensors that samples are drawn from (the moving average's, where the run
//! keeps one), and `check.z`, `check.images` and, of a conditional one, `check.y`. What has two dimensions or more is F16; vectors and the check
//! are F32. The check's images are those of the rounded weights, so that whoever reads the file right has them to f32's rounding.

use super::{
    Exchange, HEADER, Header, batches_tracked, bytes_of, check, file_of, generator_shapes,
    header_of, only_check_left, place_in_file, run_at, take, tensors_of, whole,
};
use crate::checkpoint::{self, Checkpoint};
use crate::ema::sampled;
use crate::model::{Generator, Place, TensorSource};
use crate::trainer::not_finite;
use crate::{Error, Result, Warning};
use candle_core::{DType, Device};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_experiment::atomic;
use sngan_experiment::records::FORMAT_VERSION;
use sngan_tensor::tensor_file::Types;
use std::collections::BTreeMap;
use std::path::Path;

/// What such a file says besides.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alone {
    /// Names of the classes, where the run knows them; a label is an index here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
    /// SHA-256 of all metadata with nothing in this place, and of each tensor, sorted by name: its name, type, shape and bytes.
    sha256: String,
}

/// A generator, and what else a file says of it.
#[derive(Debug, Clone)]
pub struct Weights {
    /// The run, whose checkpoint may hold the generator alone.
    pub exchange: Exchange,
    /// Names of its classes, where they are known; a label is an index here.
    pub classes: Vec<String>,
}

/// Writes the generator of the newest good checkpoint of the run folder `source`, or of the checkpoint file `source` inside a run folder, as
/// `out`; `warn` is told of newer checkpoints that are corrupt.
///
/// # Errors
/// When there is no checkpoint, it does not fit the run's spec, or a value is not finite or too large for half precision.
pub fn export(source: &Path, out: &Path, warn: &mut dyn FnMut(Warning)) -> Result<Exchange> {
    let (dir, exchange) = run_at(source, warn)?;
    let classes = dir.images()?.map(|images| images.classes).unwrap_or_default();
    let weights = Weights { exchange, classes };
    let bytes = encode(&weights)
        .map_err(|e| Error::Checkpoint { path: source.into(), reason: e.to_string() })?;
    atomic::write(out, &bytes)?;
    Ok(weights.exchange)
}

/// The file's bytes; the same checkpoint gives the same, up to the last bits of the check's images on another instruction set.
///
/// # Errors
/// When the checkpoint does not fit the spec, or a value is not finite or too large for half precision. What is too small becomes 0.
pub fn encode(weights: &Weights) -> Result<Vec<u8>> {
    let Exchange { spec, provenance, checkpoint } = &weights.exchange;
    let place = Place::new(&Device::Cpu);
    let drawn_from = sampled(&checkpoint.tensors);
    let drawn = Generator::new(spec, &TensorSource::given(&drawn_from, &place))?.state();
    if let Some(name) = not_finite(&drawn)? {
        return Err(Error::Invalid(format!("tensor `{name}` is not finite")));
    }
    let (mut named, mut rounded) = (BTreeMap::new(), BTreeMap::new());
    for (name, t) in drawn {
        let dtype = if t.rank() > 1 { DType::F16 } else { DType::F32 };
        let t = t.to_dtype(dtype)?;
        named.insert(place_in_file(spec, &name), t.clone());
        rounded.insert(name, t.to_dtype(DType::F32)?);
    }
    if let Some(name) = not_finite(&rounded)? {
        let reason = format!("tensor `{name}` has values that half precision cannot hold");
        return Err(Error::Invalid(reason));
    }
    let mut g = Generator::new(spec, &TensorSource::given(&rounded, &place))?;
    named.extend(check(spec, &mut g, None)?);
    named.extend(batches_tracked(spec, checkpoint.gen_updates, &named)?);

    let sealed = |sha256| {
        let header = Header {
            version: FORMAT_VERSION,
            spec: spec.clone(),
            provenance: provenance.clone(),
            checkpoint: checkpoint.metadata.clone(),
            generator: Some(Alone { classes: weights.classes.clone(), sha256 }),
        };
        file_of(&named, &header)
    };
    sealed(seal(&sealed(String::new())?, "")?)
}

/// The SHA-256 that a file should have in its metadata, where it has `found`.
fn seal(bytes: &[u8], found: &str) -> Result<String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(sngan_tensor::Error::from)?;
    let text = metadata.metadata().as_ref().and_then(|m| m.get(HEADER).cloned());
    let text = text.unwrap_or_default();
    let mut hash = Sha256::new();
    // With its length before it, nothing can look like the end of what is before it.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(if found.is_empty() { text } else { text.replace(found, "") }.as_bytes());
    let file = SafeTensors::deserialize(bytes).map_err(sngan_tensor::Error::from)?;
    let tensors: BTreeMap<_, _> = file.tensors().into_iter().collect();
    for (name, t) in tensors {
        part(name.as_bytes());
        part(format!("{:?} {:?}", t.dtype(), t.shape()).as_bytes());
        part(t.data());
    }
    Ok(hex::encode(hash.finalize()))
}

/// Reads the networks in `file`, of which the generator is there: of what [`export`] wrote it alone, of a whole export ([`super::export`])
/// everything.
///
/// # Errors
/// As [`decode`], and when the file cannot be read.
pub fn read(file: &Path) -> Result<Weights> {
    decode(file, &bytes_of(file)?)
}

/// Whether `file` is as [`export`] wrote it, or is a whole export that can be read, which has no seal; `None` of another program's file.
pub fn verify(file: &Path) -> Option<Result<()>> {
    let found = bytes_of(file).and_then(|bytes| of_this_program(file, &bytes));
    found.map(|weights| weights.map(drop)).transpose()
}

/// What [`read`] finds in `bytes`; a tensor in half precision is widened to f32.
///
/// # Errors
/// A file of another program; a missing, unknown or misshapen tensor, by name; anything that is not as it was written. Messages name `path`.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Weights> {
    of_this_program(path, bytes)?.ok_or_else(|| {
        let reason = "it is neither a generator's weights nor an export that was written here";
        Error::Invalid(format!("{}: its metadata has no `{HEADER}`: {reason}", path.display()))
    })
}

/// The same; `None` of another program's file.
fn of_this_program(path: &Path, bytes: &[u8]) -> Result<Option<Weights>> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let Some(mut header) = header_of(path, bytes)? else { return Ok(None) };
    let Some(Alone { classes, sha256 }) = header.generator.take() else {
        let exchange = whole(path, bytes, header)?;
        return Ok(Some(Weights { exchange, classes: Vec::new() }));
    };
    let Header { spec, provenance, checkpoint: metadata, .. } = header;
    checkpoint::holds_generator(bytes, &spec).map_err(refuse)?;
    if sha256.is_empty() || seal(bytes, &sha256)? != sha256 || metadata.run_id != spec.id() {
        return Err(refuse("is not as it was written; get it or export it again".into()));
    }
    let mut tensors = tensors_of(path, bytes, Types::F32AndF16)?;
    let mut state = BTreeMap::new();
    for (name, shape) in generator_shapes(&spec)? {
        let key = place_in_file(&spec, &name);
        state.insert(name, take(&mut tensors, &key, &shape).map_err(refuse)?);
    }
    only_check_left(&tensors).map_err(refuse)?;
    let checkpoint = Checkpoint { gen_updates: metadata.gen_updates, metadata, tensors: state };
    Ok(Some(Weights { exchange: Exchange { spec, provenance, checkpoint }, classes }))
}
