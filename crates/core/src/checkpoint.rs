//! Checkpoints: one safetensors file with every tensor of the state, and a JSON file beside it that holds its checksum and is written last.
//!
//! A checkpoint exists when its JSON does. What is not a tensor follows from the number of generator updates: random streams are
//! counter-based ([`sngan_tensor::rng`]), so their positions are recorded for people, not needed to resume.

use crate::{Error, Result, Warning};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_experiment::records::Record;
use sngan_experiment::{Extent, RunDir, RunSpec};
use sngan_experiment::{atomic, regular, run_dir};
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What stands in a checkpoint's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Format version of the run directory.
    pub version: u32,
    /// Generator updates done.
    pub gen_updates: u64,
    /// Adam steps of G and of D.
    pub adam_steps: [u64; 2],
    /// The run's identity.
    pub run_id: String,
    /// SHA-256 of the safetensors file.
    pub sha256: String,
    /// Instruction set it was trained with; bits are promised within one.
    pub instruction_set: String,
    /// Index of the next draw of each random stream.
    pub streams: BTreeMap<String, u64>,
    /// Whether this is a horizon that a spec asked for; such a checkpoint is kept.
    pub horizon: bool,
    /// How far the log went then; absent in older checkpoints. Nothing is said of scores: whether they were taken before depends on where a
    /// run was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Extent>,
    /// SHA-256 of this metadata as JSON without it; absent in older checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl Metadata {
    /// The metadata of a checkpoint that leaves its run's folder: without what concerns the files there.
    pub(crate) fn alone(self) -> Metadata {
        Metadata { log: None, checksum: None, ..self }
    }

    /// The metadata with its checksum.
    fn sealed(self) -> Result<Metadata> {
        let bare = Metadata { checksum: None, ..self };
        let text = serde_json::to_vec(&bare).map_err(|e| Error::Invalid(e.to_string()))?;
        Ok(Metadata { checksum: Some(hex::encode(Sha256::digest(text))), ..bare })
    }

    /// Whether it is as it was written: those of older versions have no checksum.
    fn is_whole(&self) -> Result<bool> {
        Ok(self.checksum.is_none() || self.clone().sealed()?.checksum == self.checksum)
    }
}

impl Record for Metadata {}

/// A checkpoint in memory.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Generator updates done.
    pub gen_updates: u64,
    /// Everything else about it.
    pub metadata: Metadata,
    /// Tensors by name, f32.
    pub tensors: BTreeMap<String, Tensor>,
}

/// How many checkpoints besides the horizons are kept: the newest, and the one before it in case the newest is corrupt.
const KEPT: usize = 2;

/// `checkpoints/NNNNNNNN.json` and `.safetensors`.
fn paths(dir: &RunDir, gen_updates: u64) -> (PathBuf, PathBuf) {
    paths_of(&dir.checkpoints().join("any"), gen_updates)
}

/// The same, in the folder that `other` is in.
fn paths_of(other: &Path, gen_updates: u64) -> (PathBuf, PathBuf) {
    let stem = other.with_file_name(format!("{gen_updates:08}"));
    (stem.with_extension("json"), stem.with_extension("safetensors"))
}

/// Encodes tensors as f32 safetensors: sorted by name, no metadata, so the same state gives the same bytes.
///
/// # Errors
/// Those of the tensor library.
pub fn encode(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
    Ok(tensor_file::encode(tensors, DType::F32)?)
}

/// Decodes what [`encode`] wrote.
///
/// # Errors
/// When `bytes` are no safetensors or hold another type than f32; the message names `path`.
pub fn decode(path: &Path, bytes: &[u8], device: &Device) -> Result<BTreeMap<String, Tensor>> {
    let tensors = tensor_file::decode(bytes, Types::F32, |_| true);
    let tensors =
        tensors.map_err(|e| Error::Checkpoint { path: path.into(), reason: e.to_string() })?;
    tensors.into_iter().map(|(name, t)| Ok((name, t.to_device(device)?))).collect()
}

/// Whether a file of f32 is large enough for the networks of `spec`, asked before they are made: a spec in a file's metadata may promise
/// anything.
pub(crate) fn holds_networks(bytes: &[u8], spec: &RunSpec) -> std::result::Result<(), String> {
    let layers = spec.layers().map_err(|e| e.to_string())?;
    let of_d = if spec.has_discriminator() { layers.discriminator_parameters() } else { 0 };
    let parameters = layers.generator_parameters() + of_d;
    holds(bytes, parameters, size_of::<f32>(), "networks")
}

/// The same of a generator alone in half precision.
pub(crate) fn holds_generator(bytes: &[u8], spec: &RunSpec) -> std::result::Result<(), String> {
    let layers = spec.layers().map_err(|e| e.to_string())?;
    holds(bytes, layers.generator_parameters(), size_of::<u16>(), "generator")
}

fn holds(
    bytes: &[u8],
    parameters: usize,
    size: usize,
    of: &str,
) -> std::result::Result<(), String> {
    if bytes.len() / size < parameters {
        return Err(format!(
            "has {} bytes, too few for the {parameters} parameters of its spec's {of}",
            bytes.len()
        ));
    }
    Ok(())
}

/// Writes a checkpoint; `metadata.sha256`, `log` and `checksum` are filled in. Older ones beyond the newest two and the horizons are removed.
///
/// # Errors
/// Any I/O error; nothing half-written is then visible.
pub fn save(
    dir: &RunDir,
    mut metadata: Metadata,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    let (json, file) = paths(dir, metadata.gen_updates);
    let bytes = encode(tensors)?;
    metadata.sha256 = hex::encode(Sha256::digest(&bytes));
    metadata.log = Extent::of(&dir.log_path())?;
    atomic::write(&file, &bytes)?;
    atomic::write_json(&json, &metadata.sealed()?)?;
    prune(dir)
}

/// The JSON files of a run's checkpoints, newest first.
fn newest_first(dir: &RunDir) -> Result<Vec<PathBuf>> {
    let folder = dir.checkpoints();
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let io = |source| Error::Checkpoint {
        path: folder.clone(),
        reason: format!("cannot be listed: {source}"),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

fn prune(dir: &RunDir) -> Result<()> {
    for json in newest_first(dir)?.into_iter().skip(KEPT) {
        if run_dir::read_json::<Metadata>(&json).is_ok_and(|m| !m.horizon) {
            // The JSON goes first: without it the checkpoint does not exist. A file that cannot be removed does no harm.
            let _ = std::fs::remove_file(&json)
                .and_then(|()| std::fs::remove_file(json.with_extension("safetensors")));
        }
    }
    Ok(())
}

/// Loads the checkpoint whose JSON or safetensors file is `path`.
///
/// # Errors
/// When either file is missing, malformed, or the checksum differs.
pub fn load(path: &Path, device: &Device) -> Result<Checkpoint> {
    let (json, file) = (path.with_extension("json"), path.with_extension("safetensors"));
    let metadata: Metadata = run_dir::read_json(&json)?;
    if !metadata.is_whole()? {
        let reason = "does not have the checksum in it; it was altered".into();
        return Err(Error::Checkpoint { path: json, reason });
    }
    if paths_of(&json, metadata.gen_updates).0 != json {
        let reason =
            format!("is named otherwise than a checkpoint of {} updates", metadata.gen_updates);
        return Err(Error::Checkpoint { path: json, reason });
    }
    let corrupt = |reason: String| Error::Checkpoint { path: file.clone(), reason };
    let bytes = regular::read(&file).map_err(|e| corrupt(format!("cannot be read: {e}")))?;
    if hex::encode(Sha256::digest(&bytes)) != metadata.sha256 {
        return Err(corrupt("does not have the checksum in its JSON file; it is corrupt".into()));
    }
    Ok(Checkpoint {
        gen_updates: metadata.gen_updates,
        tensors: decode(&file, &bytes, device)?,
        metadata,
    })
}

/// Whether a run has any checkpoint, good or corrupt.
///
/// # Errors
/// When the folder cannot be listed.
pub fn any(dir: &RunDir) -> Result<bool> {
    Ok(!newest_first(dir)?.is_empty())
}

/// Loads the checkpoint whose JSON or safetensors file is `path`, of the run of `spec`.
///
/// # Errors
/// As [`load`]; [`OtherRun`](sngan_experiment::Error::OtherRun) for one of another run; counters that no run of the spec has.
pub fn load_of_run(path: &Path, spec: &RunSpec, device: &Device) -> Result<Checkpoint> {
    let checkpoint = load(path, device)?;
    let Metadata { run_id, adam_steps, gen_updates, .. } = &checkpoint.metadata;
    let asked = spec.id();
    if *run_id != asked {
        let (path, found) = (path.with_extension("json"), run_id.clone());
        return Err(sngan_experiment::Error::OtherRun { path, found, asked }.into());
    }
    let expected = match &spec.imported {
        // Nothing is known of the steps that another program took.
        Some(_) => [Some(0); 2],
        None => [Some(*gen_updates), gen_updates.checked_mul(u64::from(spec.n_dis))],
    };
    if adam_steps.map(Some) != expected {
        let reason = format!(
            "after {gen_updates} updates with n_dis {} Adam cannot have taken {adam_steps:?} steps",
            spec.n_dis
        );
        return Err(Error::Checkpoint { path: path.with_extension("json"), reason });
    }
    Ok(checkpoint)
}

/// The newest good checkpoint of a run; `warn` is told of each corrupt one that is skipped.
///
/// # Errors
/// When the folder cannot be listed; a checkpoint of another run than the spec's.
pub fn latest(
    dir: &RunDir,
    spec: &RunSpec,
    device: &Device,
    warn: &mut dyn FnMut(Warning),
) -> Result<Option<Checkpoint>> {
    latest_that(dir, spec, device, warn, |checkpoint, _| Ok(checkpoint))
}

/// What `take` makes of the newest good checkpoint that it does not refuse; `warn` is told of each that is skipped, and is handed to `take`.
///
/// # Errors
/// As [`latest`].
pub fn latest_that<T>(
    dir: &RunDir,
    spec: &RunSpec,
    device: &Device,
    warn: &mut dyn FnMut(Warning),
    mut take: impl FnMut(Checkpoint, &mut dyn FnMut(Warning)) -> Result<T>,
) -> Result<Option<T>> {
    for json in newest_first(dir)? {
        let taken = load_of_run(&json, spec, device).and_then(|checkpoint| take(checkpoint, warn));
        match taken {
            Ok(taken) => return Ok(Some(taken)),
            // The spec is not that of any of them.
            Err(Error::Experiment(e @ sngan_experiment::Error::OtherRun { .. })) => {
                return Err(e.into());
            }
            Err(e) => warn(Warning::Checkpoint { reason: e.to_string() }),
        }
    }
    Ok(None)
}

/// Every checkpoint of a run, newest first: its JSON file, and its metadata or what is wrong with it.
///
/// # Errors
/// When the folder cannot be listed.
pub fn all(dir: &RunDir, spec: &RunSpec) -> Result<Vec<(PathBuf, Result<Metadata>)>> {
    let load = |json: PathBuf| {
        let loaded = load_of_run(&json, spec, &Device::Cpu).map(|c| c.metadata);
        (json, loaded)
    };
    Ok(newest_first(dir)?.into_iter().map(load).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    fn spec() -> RunSpec {
        RunSpec { n_dis: 2, ..RunSpec::paper(Method::Sn) }
    }

    fn metadata(gen_updates: u64, horizon: bool) -> Metadata {
        Metadata {
            version: Metadata::VERSION,
            gen_updates,
            adam_steps: [gen_updates, 2 * gen_updates],
            run_id: spec().id(),
            sha256: String::new(),
            instruction_set: "x".into(),
            streams: BTreeMap::new(),
            horizon,
            log: None,
            checksum: None,
        }
    }

    fn state(v: f32) -> BTreeMap<String, Tensor> {
        BTreeMap::from([("a".to_string(), Tensor::new(&[v, 2.0], &Device::Cpu).unwrap())])
    }

    #[test]
    fn keeps_two_and_the_horizons_and_falls_back_from_a_corrupt_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::new(folder.path());
        for k in 1..=5 {
            save(&dir, metadata(k, k == 1), &state(k as f32)).unwrap();
        }
        let kept: Vec<_> = newest_first(&dir).unwrap();
        assert_eq!(kept.len(), 3);
        let mut warnings = Vec::new();
        let mut latest =
            || latest(&dir, &spec(), &Device::Cpu, &mut |w| warnings.push(w)).unwrap().unwrap();
        let newest = latest();
        assert_eq!(newest.gen_updates, 5);
        assert_eq!(newest.tensors["a"].to_vec1::<f32>().unwrap(), [5.0, 2.0]);

        let file = kept[0].with_extension("safetensors");
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(load(&file, &Device::Cpu).unwrap_err().to_string().contains("checksum"));
        assert_eq!(latest().gen_updates, 4);
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        let text = warning.to_string();
        assert!(text.contains("checksum") && text.ends_with("trying the one before it"), "{text}");
    }

    #[test]
    fn altered_metadata_are_damage_and_another_run_s_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::new(folder.path());
        for k in 1..=2 {
            save(&dir, metadata(k, false), &state(k as f32)).unwrap();
        }
        let newest = || latest(&dir, &spec(), &Device::Cpu, &mut |_| ());
        let (json, _) = paths(&dir, 2);
        let written = std::fs::read_to_string(&json).unwrap();
        let altered = |from: &str, to: &str| {
            assert!(written.contains(from), "{written}");
            std::fs::write(&json, written.replacen(from, to, 1)).unwrap();
            (newest().unwrap().unwrap().gen_updates, load(&json, &Device::Cpu).unwrap_err())
        };
        for (from, to) in [
            ("\"gen_updates\": 2", "\"gen_updates\": 3"),
            ("\"horizon\": false", "\"horizon\": true"),
            (&spec().id(), "another"),
        ] {
            let (taken, error) = altered(from, to);
            assert_eq!(taken, 1, "{error}");
            assert!(error.to_string().contains("it was altered"), "{error}");
        }
        std::fs::write(&json, &written).unwrap();
        let other = RunSpec { seed: 5, ..spec() };
        let message = latest(&dir, &other, &Device::Cpu, &mut |_| ()).unwrap_err().to_string();
        assert!(message.contains(&spec().id()) && message.contains(&other.id()), "{message}");
        // Whole, and yet no run has these counters.
        save(&dir, Metadata { adam_steps: [3, 3], ..metadata(3, false) }, &state(3.0)).unwrap();
        assert_eq!(newest().unwrap().unwrap().gen_updates, 2);
        // A copy under another name.
        let (json, file) = paths(&dir, 9);
        std::fs::copy(paths(&dir, 2).0, &json).unwrap();
        std::fs::copy(paths(&dir, 2).1, &file).unwrap();
        let damaged = all(&dir, &spec()).unwrap().into_iter().filter(|(_, m)| m.is_err());
        assert_eq!(damaged.count(), 2);
        assert_eq!(newest().unwrap().unwrap().gen_updates, 2);
    }

    #[test]
    fn the_same_state_gives_the_same_bytes() {
        let t = |v: f32| Tensor::new(&[v], &Device::Cpu).unwrap();
        let state = BTreeMap::from([("b".to_string(), t(1.0)), ("a".to_string(), t(f32::NAN))]);
        assert_eq!(encode(&state).unwrap(), encode(&state.clone()).unwrap());
        let back = decode(Path::new("x"), &encode(&state).unwrap(), &Device::Cpu).unwrap();
        assert!(back["a"].to_vec1::<f32>().unwrap()[0].is_nan());
    }
}
