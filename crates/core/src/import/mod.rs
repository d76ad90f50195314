//! Networks that other programs trained, as a run folder: snapshots of the paper's authors' Chainer code, and state dicts of PyTorch by a
//! map of names.
//!
//! The run's spec says what the files tell, and which keys are unknown ([`sngan_experiment::Imported`]). It is sampled, scored and analysed
//! like any other; it cannot be trained further, for nobody knows Adam's moments.

mod chainer;
mod map;
mod weights;

use crate::Result;
use crate::checkpoint::{Checkpoint, Metadata};
use crate::interchange::{self, Exchange};
use crate::norm;
use candle_core::{Device, Tensor};
use map::{Map, Network, Origin};
use sngan_experiment::method::Normalization;
use sngan_experiment::records::{ImportedFile, Provenance, Record};
use sngan_experiment::{RunSpec, regular};
use sngan_tensor::decomposition::first_left_vector;
use sngan_tensor::torch_file::TorchFile;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use weights::WeightsFile;

/// What is imported, and how.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The file with G; D may be in it.
    pub file: PathBuf,
    /// The file with D, if it is another.
    pub discriminator: Option<PathBuf>,
    /// The map of names; needed for all but Chainer's snapshots.
    pub map: Option<PathBuf>,
    /// The dictionary to take from a `torch.save` file that nests several, or the beginning of a snapshot's keys.
    pub state_dict: Option<String>,
    /// Generator updates that the networks were trained for, where their file does not say.
    pub gen_updates: Option<u64>,
    /// The run's label; else the name of G's file.
    pub label: Option<String>,
}

/// Networks of another program.
#[derive(Debug, Clone)]
pub struct Import {
    /// Spec, provenance and state, as a run folder gets them.
    pub exchange: Exchange,
    /// What a user should know beyond them.
    pub remarks: Vec<String>,
}

/// Whether `file` begins like one of another program: an archive, such as a snapshot, or a file of `torch.save`.
///
/// # Errors
/// A file that cannot be read.
pub fn is_of_another(file: &Path) -> Result<bool> {
    /// Bytes by which they are told.
    const HEAD: u64 = 4096;
    let io = |e| sngan_experiment::Error::io("read", file)(e);
    let mut head = Vec::new();
    regular::open(file).map_err(io)?.take(HEAD).read_to_end(&mut head).map_err(io)?;
    Ok(head.starts_with(b"PK") || TorchFile::recognizes(&head))
}

/// Reads the networks of `request` into the new run folder `out`.
///
/// # Errors
/// As [`read`]; `out` holds a run already or is in use.
pub fn import(request: &Request, out: &Path) -> Result<Import> {
    let import = read(request)?;
    interchange::create(&import.exchange, out)?;
    Ok(import)
}

/// Reads the networks of `request`.
///
/// # Errors
/// A file that cannot be read or holds other networks; a tensor that is missing, left over, misshapen or not finite, by its name there.
pub fn read(request: &Request) -> Result<Import> {
    let state_dict = request.state_dict.as_deref();
    let mut files = Files {
        generator: WeightsFile::open(&request.file, state_dict)?,
        discriminator: match &request.discriminator {
            Some(path) => Some(WeightsFile::open(path, state_dict)?),
            None => None,
        },
    };
    let mut read = match &request.map {
        Some(map) => by_map(&mut files, &Map::read(map)?)?,
        None => chainers(&mut files, state_dict)?,
    };
    let spec = &mut read.spec;
    spec.label = request.label.clone().unwrap_or_else(|| label(&request.file));
    let counted = if files.generator.is_chainers() && request.map.is_none() {
        chainer::updates(&mut files.generator)
    } else {
        None
    };
    if let Some(updates) = request.gen_updates.or(counted) {
        spec.gen_updates = updates;
        spec.imported = spec.imported.take().map(|imported| imported.knowing(&["gen_updates"]));
    }
    spec.validate()?;
    Ok(read.finish(&files))
}

/// The files of a request.
struct Files {
    generator: WeightsFile,
    discriminator: Option<WeightsFile>,
}

impl Files {
    /// The file with D, where it has one.
    fn of_discriminator(&mut self) -> &mut WeightsFile {
        self.discriminator.as_mut().unwrap_or(&mut self.generator)
    }
}

/// What was read of them.
struct Networks {
    spec: RunSpec,
    tensors: BTreeMap<String, Tensor>,
    remarks: Vec<String>,
}

impl Networks {
    fn finish(self, files: &Files) -> Import {
        let Networks { spec, tensors, remarks } = self;
        let (mut of_g, mut imported) = (vec!["generator".to_string()], Vec::new());
        let record = |file: &WeightsFile, networks: Vec<String>| ImportedFile {
            name: file.name(),
            sha256: file.sha256.clone(),
            format: file.format().into(),
            networks,
        };
        let of_d = spec.has_discriminator().then(|| "discriminator".to_string());
        match (&files.discriminator, of_d) {
            (Some(file), Some(d)) => imported.push(record(file, vec![d])),
            (_, of_d) => of_g.extend(of_d),
        }
        imported.insert(0, record(&files.generator, of_g));
        let provenance = Provenance {
            version: Provenance::VERSION,
            dataset: String::new(),
            dataset_sha256: String::new(),
            log_every: 0,
            segments: Vec::new(),
            imported,
        };
        let metadata = Metadata {
            version: Metadata::VERSION,
            gen_updates: spec.gen_updates,
            adam_steps: [0; 2],
            run_id: spec.id(),
            sha256: String::new(),
            instruction_set: "unknown".into(),
            streams: BTreeMap::new(),
            horizon: true,
            log: None,
            checksum: None,
        };
        let checkpoint = Checkpoint { gen_updates: spec.gen_updates, metadata, tensors };
        Import { exchange: Exchange { spec, provenance, checkpoint }, remarks }
    }
}

/// A run's label by the name of its file.
fn label(file: &Path) -> String {
    let stem =
        file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '-' };
    let label: String = stem.chars().map(plain).take(64).collect();
    let label = label.trim();
    if label.is_empty() { "imported".into() } else { label.into() }
}

/// Names and shapes of a network's tensors, without the network's own name.
fn wanted(spec: &RunSpec, network: &str) -> Result<BTreeMap<String, Vec<usize>>> {
    let prefix = format!("{network}.");
    let shapes = interchange::state_shapes(spec)?;
    let own = |(name, shape): (String, Vec<usize>)| {
        Some((name.strip_prefix(&prefix)?.to_string(), shape))
    };
    Ok(shapes.into_iter().filter_map(own).collect())
}

/// `t` in the shape `wanted`, from which it may differ by axes of one.
fn shaped(file: &WeightsFile, key: &str, t: Tensor, wanted: &[usize]) -> Result<Tensor> {
    let longer = |dims: &[usize]| dims.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
    if longer(t.dims()) != longer(wanted) {
        return Err(
            file.refuse(format!("tensor `{key}` is {:?}; the network needs {wanted:?}", t.dims()))
        );
    }
    Ok(t.reshape(wanted)?)
}

/// SN's u as our networks have it: of length 1.
fn unit(file: &WeightsFile, key: &str, u: &Tensor) -> Result<Tensor> {
    let length = u.sqr()?.sum_all()?.to_scalar::<f32>()?.sqrt();
    if length < 1e-6 {
        return Err(file.refuse(format!("tensor `{key}` is 0; u must have a direction")));
    }
    norm::unit(u)
}

/// Checks, before anything is built, that the networks of a spec fit into a file.
fn check_room(spec: &RunSpec, file: &WeightsFile) -> Result<()> {
    let layers = spec.layers()?;
    file.check_room(layers.generator_parameters())?;
    if spec.has_discriminator() {
        return file.check_room(layers.discriminator_parameters());
    }
    Ok(())
}

/// Networks of the authors' code.
fn chainers(files: &mut Files, prefix: Option<&str>) -> Result<Networks> {
    let file = &files.generator;
    if !file.is_chainers() {
        return Err(file.refuse(
            "only Chainer's snapshots say which networks they hold; give a map of names by --map (docs/interchange.md)",
        ));
    }
    let (g, mut d) = chainer::places(file, prefix)?;
    let holds_d = d.is_some();
    if let Some(other) = &files.discriminator {
        let there = chainer::places(other, prefix)?;
        let first = Held { g: g.is_some(), d: holds_d };
        let second = Held { g: there.0.is_some(), d: there.1.is_some() };
        if let Some(reason) = misplaced(first, second, &other.path) {
            return Err(file.refuse(reason));
        }
        d = there.1;
        if d.is_none() {
            return Err(other.refuse("holds no discriminator of the authors' code"));
        }
    }
    let Some(g) = g else {
        return Err(file.refuse(match holds_d {
            true => "holds a discriminator alone; give the generator's file, and this one as the discriminator's (`sngan spectrum` takes it as it is)",
            false => "holds no generator of the authors' code; its keys would be l1/W and block2/c1/W, or l0/W and dc1/W",
        }));
    };
    let spec = {
        let of_d = files.discriminator.as_ref().unwrap_or(file);
        chainer::spec((file, &g), d.as_ref().map(|d| (of_d, d)))?
    };
    // As it will be called, so that messages speak of what is there.
    check_room(&spec, file)?;
    let (mut tensors, mut remarks) = (BTreeMap::new(), Vec::new());
    let shapes = wanted(&spec, "generator")?;
    let keys = chainer::keys(file, shapes.keys().cloned(), |name| {
        chainer::generator_key(&g, name, spec.n_classes)
    })?;
    let taken = keys.values().cloned().collect();
    chainer::check_taken(file, &g, &taken)?;
    for (name, key) in keys {
        let t = files.generator.tensor(&key)?;
        let t = shaped(&files.generator, &key, t, &shapes[&name])?;
        tensors.insert(format!("generator.{name}"), t);
    }
    if let Some(d) = d {
        let (found, remark) = chainers_discriminator(files.of_discriminator(), &d, &spec)?;
        tensors.extend(found);
        remarks.extend(remark);
    }
    Ok(Networks { spec, tensors, remarks })
}

/// Whether a file holds G, and whether D.
#[derive(Clone, Copy)]
struct Held {
    g: bool,
    d: bool,
}

/// What is wrong with the file given for G, if it holds D and `other` was given for that.
fn misplaced(first: Held, second: Held, other: &Path) -> Option<String> {
    if !first.d {
        return None;
    }
    let other = other.display();
    Some(match (first.g, second.g, second.d) {
        (true, _, _) => format!("holds a discriminator too; leave {other} out"),
        (false, true, false) => format!(
            "holds a discriminator alone, and {other} a generator alone: the two are swapped; give {other} as the generator's file and this one as the discriminator's"
        ),
        (false, true, true) => {
            format!("holds a discriminator alone, and {other} both networks; give that one alone")
        }
        (false, false, _) => {
            format!(
                "holds a discriminator alone, and {other} no generator; give the generator's file"
            )
        }
    })
}

fn chainers_discriminator(
    file: &mut WeightsFile,
    d: &chainer::Place,
    spec: &RunSpec,
) -> Result<(BTreeMap<String, Tensor>, Option<String>)> {
    let mut shapes = wanted(spec, "discriminator")?;
    let first = chainer::discriminator_key(d, "conv0.u");
    let lacks_u = spec.normalization == Normalization::Spectral
        && first.is_some_and(|key| !file.shapes.contains_key(&key));
    if lacks_u {
        shapes.retain(|name, _| !name.ends_with(".u"));
    }
    let keys =
        chainer::keys(file, shapes.keys().cloned(), |name| chainer::discriminator_key(d, name))?;
    let taken: BTreeSet<String> = keys.values().cloned().collect();
    chainer::check_taken(file, d, &taken)?;
    let mut tensors = BTreeMap::new();
    for (name, key) in keys {
        let t = file.tensor(&key)?;
        let mut t = shaped(file, &key, t, &shapes[&name])?;
        if name.ends_with(".u") {
            t = unit(file, &key, &t)?;
        }
        if let Some(layer) = name.strip_suffix(".weight").filter(|_| lacks_u) {
            let u: Vec<f32> = first_left_vector(&t)?.into_iter().map(|x| x as f32).collect();
            let u = Tensor::new(u, &Device::Cpu)?;
            tensors.insert(format!("discriminator.{layer}.u"), u);
        }
        tensors.insert(format!("discriminator.{name}"), t);
    }
    let remark = lacks_u.then(|| {
        format!(
            "{} keeps no u of its spectral normalization: D's weights are divided by their exact largest singular values",
            file.name()
        )
    });
    Ok((tensors, remark))
}

/// Networks by a map.
fn by_map(files: &mut Files, map: &Map) -> Result<Networks> {
    if files.discriminator.is_some() && !map.has_discriminator() {
        return Err(files.generator.refuse("the map has no [discriminator] for --discriminator"));
    }
    let d = map.has_discriminator().then(|| files.of_discriminator().sha256.clone());
    let spec = map.spec(&files.generator.sha256, d.as_deref());
    spec.validate()?;
    match &files.discriminator {
        None => check_room(&spec, &files.generator)?,
        Some(file) => {
            let layers = spec.layers()?;
            files.generator.check_room(layers.generator_parameters())?;
            file.check_room(layers.discriminator_parameters())?;
        }
    }
    let mut tensors = BTreeMap::new();
    let (mut taken, mut left) = (BTreeSet::new(), Vec::new());
    let networks = [Network::Generator, Network::Discriminator];
    for network in networks.into_iter().take(1 + usize::from(map.has_discriminator())) {
        let (name, file) = match network {
            Network::Generator => ("generator", &mut files.generator),
            Network::Discriminator => ("discriminator", files.of_discriminator()),
        };
        let shapes = wanted(&spec, name)?;
        map.check_names(network, &shapes.keys().cloned().collect())?;
        for (part, shape) in shapes {
            let t = match map.origin(network, &part, file)? {
                Origin::Number(x) => map::filled(x, &shape)?,
                Origin::Key(key) => {
                    taken.insert((file.path.clone(), key.clone()));
                    let t = map.adapted(&part, file.tensor(&key)?, &shape)?;
                    let t = shaped(file, &key, t, &shape)?;
                    if part.ends_with(".u") { unit(file, &key, &t)? } else { t }
                }
            };
            tensors.insert(format!("{name}.{part}"), t);
        }
    }
    for file in [Some(&files.generator), files.discriminator.as_ref()].into_iter().flatten() {
        let is_taken = |key: &str| taken.contains(&(file.path.clone(), key.to_string()));
        // σ needs u alone: v follows from it.
        let follows = |key: &str| key.ends_with(".weight_v") || key.ends_with(".0._v");
        left.extend(file.shapes.keys().filter(|key| !is_taken(key) && !follows(key)));
    }
    let listed: Vec<&str> = left.iter().take(8).map(|key| key.as_str()).collect();
    let more = if left.len() > listed.len() { ", …" } else { "" };
    let remarks = (!left.is_empty())
        .then(|| format!("left out of the files: {}{more}", listed.join(", ")))
        .into_iter()
        .collect();
    Ok(Networks { spec, tensors, remarks })
}
