//! Exchange with PyTorch: a run's checkpoint as a state dict that plain `torch.nn` modules load, and back to the exact run.
//!
//! One safetensors file holds, by the names that docs/interchange.md lists:
//! - `generator.…`, `discriminator.…`: the state dicts. D's weights are the effective ones of an evaluation, γ·W̄.
//! - `state.<checkpoint name>`: what a state dict cannot say, such as raw weights, `u` and Adam's moments.
//! - `check.…`: noise and images with what G and D make of them, so that whoever loads the file can see that it was read right.
//!
//! The metadata key `sngan` holds spec, provenance and the checkpoint's metadata as JSON.
//!
//! [`weights`] are a generator alone, in half precision.

pub mod weights;

use crate::checkpoint::{self, Checkpoint, Metadata};
use crate::model::{
    Discriminator, DiscriminatorLayer, Generator, Labels, LayerWeights, Mode, Parameters, Place,
    TensorSource,
};
use crate::norm::Iterate;
use crate::{Error, Result, Warning};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use safetensors::tensor::SafeTensors;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sngan_experiment::arch::Z_DIM;
use sngan_experiment::method::ActsOn;
use sngan_experiment::records::{FORMAT_VERSION, Provenance, Record, Status};
use sngan_experiment::{FolderLock, RunDir, RunSpec, atomic, regular};
use sngan_tensor::rng::Streams;
use sngan_tensor::tensor_file::{self, Types};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The only metadata key: safetensors writes several in random order, and the same run shall give the same bytes.
const HEADER: &str = "sngan";
/// The last part of a counter's name.
const BATCHES_TRACKED: &str = "num_batches_tracked";
/// Images in the check.
const CHECKED: usize = 4;
/// How far an effective weight may be from the one that its raw weight gives, relative to the largest: f32 on another instruction set.
const EFFECTIVE: f32 = 1e-5;

/// A run at one of its checkpoints.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The run's spec.
    pub spec: RunSpec,
    /// Where it was trained.
    pub provenance: Provenance,
    /// Its whole state.
    pub checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    spec: RunSpec,
    #[serde(deserialize_with = "of_any_version")]
    provenance: Provenance,
    checkpoint: Metadata,
    /// Of a file of [`weights`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generator: Option<weights::Alone>,
}

fn of_any_version<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Provenance, D::Error> {
    let mut found =
        Provenance::read(Value::deserialize(deserializer)?).map_err(D::Error::custom)?;
    found.pop().ok_or_else(|| D::Error::custom("no provenance"))
}

/// Writes the newest good checkpoint of the run folder `source`, or the checkpoint file `source` inside a run folder, as `out`; `warn` is told
/// of newer ones that are corrupt.
///
/// # Errors
/// When there is no checkpoint, or it does not fit the run's spec.
pub fn export(source: &Path, out: &Path, warn: &mut dyn FnMut(Warning)) -> Result<Exchange> {
    let exchange = exchange_of(source, warn)?;
    atomic::write(out, &encode(&exchange)?)?;
    Ok(exchange)
}

/// Writes the generator of [`export`]'s `source` as an ONNX model ([`crate::onnx::encode`]).
///
/// # Errors
/// As [`export`].
pub fn export_onnx(source: &Path, out: &Path, warn: &mut dyn FnMut(Warning)) -> Result<Exchange> {
    let exchange = exchange_of(source, warn)?;
    atomic::write(out, &crate::onnx::encode(&exchange.spec, &exchange.checkpoint)?)?;
    Ok(exchange)
}

/// The run at its newest good checkpoint, or at the checkpoint file that is named.
fn exchange_of(source: &Path, warn: &mut dyn FnMut(Warning)) -> Result<Exchange> {
    run_at(source, warn).map(|(_, exchange)| exchange)
}

/// The same, with its folder.
fn run_at(source: &Path, warn: &mut dyn FnMut(Warning)) -> Result<(RunDir, Exchange)> {
    let refuse = |reason: &str| Error::Checkpoint { path: source.into(), reason: reason.into() };
    let (dir, checkpoint) = if source.is_dir() {
        let dir = RunDir::new(source);
        dir.check()?;
        let newest = checkpoint::latest(&dir, &dir.spec()?, &Device::Cpu, warn)?;
        (dir, newest.ok_or_else(|| refuse("the run has no good checkpoint"))?)
    } else {
        let run = source.parent().and_then(Path::parent).map(RunDir::new);
        let dir = run
            .filter(|dir| dir.spec_path().exists())
            .ok_or_else(|| refuse("does not lie in a run's folder `checkpoints`"))?;
        let checkpoint = checkpoint::load_of_run(source, &dir.spec()?, &Device::Cpu)?;
        (dir, checkpoint)
    };
    let checkpoint = Checkpoint { metadata: checkpoint.metadata.alone(), ..checkpoint };
    let exchange = Exchange { spec: dir.spec()?, provenance: dir.provenance()?, checkpoint };
    Ok((dir, exchange))
}

/// Reads what [`export`] wrote into the new run folder `out`: what scores, samples and spectra are made from, and what training continues
/// from, bit-identically.
///
/// # Errors
/// When `file` cannot be read as [`decode`] reads it, or `out` holds a run already or is in use.
pub fn import(file: &Path, out: &Path) -> Result<Exchange> {
    let exchange = decode(file, &bytes_of(file)?)?;
    create(&exchange, out)?;
    Ok(exchange)
}

fn bytes_of(file: &Path) -> Result<Vec<u8>> {
    regular::read(file)
        .map_err(|e| Error::Invalid(format!("{}: cannot be read: {e}", file.display())))
}

/// Makes the new run folder `out` of a run's spec, provenance and state.
///
/// # Errors
/// When `out` holds a run already or is in use.
pub(crate) fn create(exchange: &Exchange, out: &Path) -> Result<()> {
    let _lock = FolderLock::take(out)?;
    if RunDir::new(out).status()?.is_some() {
        return Err(Error::Invalid(format!(
            "{} holds a run already; import into a new folder",
            out.display()
        )));
    }
    let Exchange { spec, provenance, checkpoint } = exchange;
    let dir = RunDir::create(out, spec, provenance)?;
    checkpoint::save(&dir, checkpoint.metadata.clone(), &checkpoint.tensors)?;
    let status = if checkpoint.gen_updates >= spec.gen_updates {
        Status::Completed
    } else {
        Status::Interrupted
    };
    Ok(dir.write_status(status, checkpoint.gen_updates, Some("imported".into()))?)
}

/// Whether D's forward pass uses another weight than the stored one, in any layer.
fn has_raw_weights(spec: &RunSpec) -> bool {
    let multiplied = || {
        let corrections = spec.width_corrections();
        corrections.is_ok_and(|layers| layers.values().any(|layer| layer.forward != 1.0))
    };
    match spec.normalization.acts_on() {
        ActsOn::Weights => true,
        ActsOn::Nothing | ActsOn::Maps | ActsOn::Output => multiplied(),
    }
}

/// PyTorch's module for the normalization after D's layer: `bn<i>` or `ln<i>` after `conv<i>`, `<layer>.bn` or `<layer>.ln` in a block.
fn output_norm(spec: &RunSpec, layer: &str) -> String {
    let kind = spec.normalization.label().unwrap_or_default().to_lowercase();
    if layer.starts_with("conv") { layer.replace("conv", &kind) } else { format!("{layer}.{kind}") }
}

/// PyTorch's module for the batch normalization after G's layer.
fn generator_norm(layer: &str) -> String {
    if layer.starts_with("deconv") { layer.replace("deconv", "bn") } else { format!("{layer}.bn") }
}

/// Where a checkpoint's tensor stands in the file.
fn place_in_file(spec: &RunSpec, name: &str) -> String {
    let (network, path) = name.split_once('.').unwrap_or(("", name));
    if let ("generator", Some((layer, part))) = (network, path.split_once(".bn.")) {
        let part = match part {
            "gamma" => "weight",
            "beta" => "bias",
            running => running,
        };
        return format!("generator.{}.{part}", generator_norm(layer));
    }
    match (network, path.rsplit_once('.')) {
        ("discriminator", Some((layer, "beta"))) => {
            format!("discriminator.{}.bias", output_norm(spec, layer))
        }
        ("generator", Some((_, "weight" | "bias"))) | ("discriminator", Some((_, "bias"))) => {
            name.into()
        }
        ("discriminator", Some((_, "weight"))) if !has_raw_weights(spec) => name.into(),
        _ => format!("state.{name}"),
    }
}

/// Names and shapes of the tensors of a spec's networks: G's, and D's where there is one.
///
/// # Errors
/// When the spec's sizes do not fit its architecture.
pub(crate) fn state_shapes(spec: &RunSpec) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut shapes = generator_shapes(spec)?;
    if spec.has_discriminator() {
        let source = TensorSource::of(VarBuilder::zeros(DType::F32, &Device::Cpu));
        let state = Discriminator::new(spec, &source)?.state();
        shapes.extend(state.into_iter().map(|(k, t)| (k, t.dims().to_vec())));
    }
    Ok(shapes)
}

/// The same of its generator alone.
fn generator_shapes(spec: &RunSpec) -> Result<BTreeMap<String, Vec<usize>>> {
    let source = TensorSource::of(VarBuilder::zeros(DType::F32, &Device::Cpu));
    let state = Generator::new(spec, &source)?.state();
    Ok(state.into_iter().map(|(k, t)| (k, t.dims().to_vec())).collect())
}

/// The names of a checkpoint's tensors, with their shapes.
fn expected(spec: &RunSpec) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut shapes = state_shapes(spec)?;
    if spec.imported.is_some() {
        return Ok(shapes);
    }
    let source = TensorSource::of(VarBuilder::zeros(DType::F32, &Device::Cpu));
    let (g, d) = (Generator::new(spec, &source)?, Discriminator::new(spec, &source)?);
    if spec.gen_ema > 0.0 {
        shapes.extend(g.state().into_iter().map(|(k, t)| (format!("ema.{k}"), t.dims().to_vec())));
    }
    for (name, var) in g.vars().into_iter().chain(d.vars()) {
        for moment in ["m", "v"] {
            shapes.insert(format!("adam.{moment}.{name}"), var.dims().to_vec());
        }
    }
    Ok(shapes)
}

/// D, where the spec has one.
fn discriminator(spec: &RunSpec, source: &TensorSource) -> Result<Option<Discriminator>> {
    spec.has_discriminator().then(|| Discriminator::new(spec, source)).transpose()
}

/// What follows from the state but PyTorch's modules ask for: effective weights, and the multiplier 1 of D's output normalization.
fn derived(spec: &RunSpec, d: Option<&Discriminator>) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    let Some(d) = d else { return Ok(tensors) };
    let weights = d.clone().weights(Parameters::Frozen, Iterate::Frozen)?;
    if has_raw_weights(spec) {
        let named = |(layer, w): (&DiscriminatorLayer, LayerWeights)| {
            (format!("discriminator.{}.weight", layer.spec.name), w.effective)
        };
        tensors.extend(d.layers.iter().zip(weights.layers).map(named));
    }
    let places = d
        .layers
        .iter()
        .map(|l| (&l.spec.name, &l.post))
        .chain(d.points.iter().map(|p| (&p.spec.name, &p.post)));
    for (name, post) in places {
        if let Some(beta) = post.beta() {
            tensors.insert(
                format!("discriminator.{}.weight", output_norm(spec, name)),
                beta.ones_like()?,
            );
        }
    }
    Ok(tensors)
}

/// `check.z` `[4, 128]` and `check.images` = G(z) in evaluation mode; `check.x` `[4, 3, side, side]` in [−1, 1) and `check.outputs` = D(x),
/// where there is a D; for a conditional run with the classes `check.y` `[4]`.
fn check(
    spec: &RunSpec,
    g: &mut Generator,
    d: Option<&Discriminator>,
) -> Result<BTreeMap<String, Tensor>> {
    let (streams, side) = (Streams::new(spec.seed), spec.side);
    let place = Place::new(&Device::Cpu);
    let z = Tensor::from_vec(
        streams.normal("check.z", 0, CHECKED * Z_DIM),
        (CHECKED, Z_DIM),
        &Device::Cpu,
    )?;
    let classes: Vec<u32> = (0..CHECKED).map(|i| (i % spec.n_classes.max(1)) as u32).collect();
    let labels = if spec.n_classes > 0 {
        Some(Labels::new(classes.clone(), spec.n_classes, &place)?)
    } else {
        None
    };
    let images = g.forward(&z, labels.as_ref(), Parameters::Frozen, Mode::Eval)?;
    let mut named = vec![("z", z), ("images", images)];
    if let Some(d) = d {
        let uniform = streams.uniform("check.x", 0, CHECKED * 3 * side * side).into_iter();
        let x: Vec<f32> = uniform.map(|u| 2.0 * u - 1.0).collect();
        let x = Tensor::from_vec(x, (CHECKED, 3, side, side), &Device::Cpu)?;
        let weights = d.clone().weights(Parameters::Frozen, Iterate::Frozen)?;
        let outputs = d.forward(&weights, &x, labels.as_ref())?.outputs;
        named.extend([("x", x), ("outputs", outputs)]);
    }
    if labels.is_some() {
        named.push(("y", Tensor::from_vec(classes, CHECKED, &Device::Cpu)?.to_dtype(DType::F32)?));
    }
    Ok(named.into_iter().map(|(name, t)| (format!("check.{name}"), t)).collect())
}

/// The file's bytes; the same checkpoint gives the same.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn encode(exchange: &Exchange) -> Result<Vec<u8>> {
    let Exchange { spec, provenance, checkpoint } = exchange;
    let source = TensorSource::given(&checkpoint.tensors, &Place::new(&Device::Cpu));
    let mut g = Generator::new(spec, &source)?;
    let d = discriminator(spec, &source)?;
    let mut tensors: BTreeMap<_, _> =
        checkpoint.tensors.iter().map(|(name, t)| (place_in_file(spec, name), t.clone())).collect();
    tensors.extend(derived(spec, d.as_ref())?);
    tensors.extend(check(spec, &mut g, d.as_ref())?);

    let header = Header {
        version: FORMAT_VERSION,
        spec: spec.clone(),
        provenance: provenance.clone(),
        checkpoint: checkpoint.metadata.clone(),
        generator: None,
    };
    tensors.extend(batches_tracked(spec, checkpoint.gen_updates, &tensors)?);
    file_of(&tensors, &header)
}

/// The counters that PyTorch's batch normalization keeps beside each running mean among `tensors`: the batches it has seen.
fn batches_tracked(
    spec: &RunSpec,
    gen_updates: u64,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Vec<(String, Tensor)>> {
    // G sees n_dis + 1 batches in training mode per update, each in its pieces.
    let pieces = |batch: usize, micro: usize| batch.checked_div(micro).unwrap_or(1) as u64;
    let per_update = u64::from(spec.n_dis) * pieces(spec.batch, spec.dis_micro_batch)
        + pieces(spec.gen_batch, spec.gen_micro_batch);
    // Nothing is known of another program's batches.
    let updates = if spec.imported.is_some() { 0 } else { gen_updates };
    let batches = Tensor::new((updates * per_update) as i64, &Device::Cpu)?;
    let norms = tensors.keys().filter_map(|name| name.strip_suffix("running_mean"));
    Ok(norms.map(|name| (format!("{name}{BATCHES_TRACKED}"), batches.clone())).collect())
}

/// The file of these tensors, each of its own type.
fn file_of(tensors: &BTreeMap<String, Tensor>, header: &Header) -> Result<Vec<u8>> {
    let header =
        serde_json::to_string(header).map_err(|e| Error::Invalid(format!("metadata: {e}")))?;
    let file = safetensors::serialize(tensors, Some(HashMap::from([(HEADER.into(), header)])));
    Ok(file.map_err(sngan_tensor::Error::from)?)
}

/// The run in `bytes`, a file that [`encode`] made, or one that PyTorch wrote with the same names and metadata.
///
/// # Errors
/// A missing, unknown, misshapen or non-f32 tensor, by name; an effective weight of D that does not follow from its raw weight (a change
/// made in PyTorch would be lost). Messages name `path`.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<Exchange> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let header = header_of(path, bytes)?.ok_or_else(|| {
        refuse(format!("its metadata has no `{HEADER}`; pass it on when PyTorch writes the file, or give a map of another program's names by --map"))
    })?;
    if header.generator.is_some() {
        let reason = "holds a generator alone, from which images are drawn; a run needs the discriminator and Adam's moments too";
        return Err(refuse(reason.into()));
    }
    whole(path, bytes, header)
}

/// The run of [`decode`], whose metadata was read.
fn whole(path: &Path, bytes: &[u8], header: Header) -> Result<Exchange> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let Header { spec, provenance, checkpoint: metadata, .. } = header;
    checkpoint::holds_networks(bytes, &spec).map_err(refuse)?;
    let mut tensors = tensors_of(path, bytes, Types::F32)?;
    let mut state = BTreeMap::new();
    for (name, shape) in expected(&spec)? {
        let key = place_in_file(&spec, &name);
        // Versions that knew the correction, but not its place in a file, left it out of D's weights.
        let older = key != name
            && spec.normalization.acts_on() != ActsOn::Weights
            && tensors.contains_key(&name);
        if older && !tensors.contains_key(&key) {
            return Err(refuse(format!(
                "has no tensor `{key}`; its weights of D lack the width's correction: export the run again"
            )));
        }
        let t = take(&mut tensors, &key, &shape).map_err(refuse)?;
        state.insert(name, t);
    }
    let d = discriminator(&spec, &TensorSource::given(&state, &Place::new(&Device::Cpu)))?;
    for (key, follows) in derived(&spec, d.as_ref())? {
        let t = tensors.remove(&key).ok_or_else(|| refuse(format!("has no tensor `{key}`")))?;
        let far = t.dims() != follows.dims() || {
            let largest = follows.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
            let error = (t - follows)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
            error.is_nan() || error > EFFECTIVE * largest
        };
        if far {
            return Err(refuse(format!(
                "tensor `{key}` is not what the tensors under `state.` make of it; changes to it cannot be imported"
            )));
        }
    }
    only_check_left(&tensors).map_err(refuse)?;
    let checkpoint = Checkpoint { gen_updates: metadata.gen_updates, metadata, tensors: state };
    Ok(Exchange { spec, provenance, checkpoint })
}

/// Takes a tensor of this shape out of a file's.
fn take(
    tensors: &mut BTreeMap<String, Tensor>,
    key: &str,
    shape: &[usize],
) -> std::result::Result<Tensor, String> {
    let t = tensors.remove(key).ok_or_else(|| format!("has no tensor `{key}`"))?;
    if t.dims() != shape {
        return Err(format!("tensor `{key}` is {:?}; the spec needs {shape:?}", t.dims()));
    }
    Ok(t)
}

/// Refuses what no network takes.
fn only_check_left(tensors: &BTreeMap<String, Tensor>) -> std::result::Result<(), String> {
    match tensors.keys().find(|name| !name.starts_with("check.")) {
        Some(name) => Err(format!("tensor `{name}` is unknown")),
        None => Ok(()),
    }
}

/// Whether a tensor of a file is part of a network: of one that was written here, all but the check's and Adam's.
pub(crate) fn of_networks(bytes: &[u8]) -> impl Fn(&str) -> bool + use<> {
    let ours = SafeTensors::read_metadata(bytes).is_ok_and(|(_, about)| {
        about.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(HEADER))
    });
    move |name| !ours || !(name.starts_with("check.") || name.starts_with("state.adam."))
}

/// What the metadata says, of a spec that is valid; `None` of another program's file.
fn header_of(path: &Path, bytes: &[u8]) -> Result<Option<Header>> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let (_, metadata) = SafeTensors::read_metadata(bytes)
        .map_err(|e| refuse(format!("is no safetensors file, or not a whole one: {e}")))?;
    let Some(text) = metadata.metadata().as_ref().and_then(|m| m.get(HEADER)) else {
        return Ok(None);
    };
    let header: Header =
        serde_json::from_str(text).map_err(|e| refuse(format!("metadata `{HEADER}`: {e}")))?;
    if header.version != FORMAT_VERSION {
        return Err(refuse(format!(
            "has format version {}; this build reads {FORMAT_VERSION}",
            header.version
        )));
    }
    header.spec.validate().map_err(|e| refuse(format!("metadata `{HEADER}`: {e}")))?;
    Ok(Some(header))
}

/// The tensors but the counters of batches, which follow from the number of updates.
fn tensors_of(path: &Path, bytes: &[u8], types: Types) -> Result<BTreeMap<String, Tensor>> {
    tensor_file::decode(bytes, types, |name| !name.ends_with(BATCHES_TRACKED))
        .map_err(|e| Error::Invalid(format!("{}: {e}", path.display())))
}
