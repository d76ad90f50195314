//! Snapshots of the paper's authors' Chainer code: which networks an archive holds, and the key of each of their tensors.
//!
//! The ResNets are those of their `sngan_projection`, the standard CNN that of `chainer-gan-lib`. A file holds one network (`l1/W`, …), or,
//! as a trainer's snapshot, several with their optimizers (`updater/model:gen/l1/W`, …).

use super::weights::WeightsFile;
use crate::{Error, Result};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Normalization;
use sngan_experiment::{Imported, Latent, RunSpec};
use std::collections::{BTreeMap, BTreeSet};

/// Keys of D's seven convolutions in the standard CNN, for the methods but WGAN-GP, and for that one.
const CONVOLUTIONS: [[&str; 7]; 2] = [
    ["c0_0", "c0_1", "c1_0", "c1_1", "c2_0", "c2_1", "c3_0"],
    ["c0", "c1", "c1_0", "c2", "c2_0", "c3", "c3_0"],
];

/// A network of a snapshot: the beginning of its keys, with its last slash.
pub(super) struct Place {
    pub(super) prefix: String,
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// A ResNet with so many blocks.
    ResNet(usize),
    /// The standard CNN; for D, by the row of [`CONVOLUTIONS`].
    StandardCnn(usize),
}

/// The places of G and D in a file, of which either may be missing. `prefix` narrows them to keys that begin so.
///
/// # Errors
/// Several of a kind.
pub(super) fn places(
    file: &WeightsFile,
    prefix: Option<&str>,
) -> Result<(Option<Place>, Option<Place>)> {
    let (mut generators, mut discriminators) = (Vec::new(), Vec::new());
    let given = prefix.map(|prefix| format!("{}/", prefix.trim_end_matches('/')));
    let under = |key: &&String| given.as_ref().is_none_or(|given| key.starts_with(given.as_str()));
    for key in file.shapes.keys().filter(under) {
        let first = |name: &str| {
            let before = key.strip_suffix(name)?;
            (before.is_empty() || before.ends_with('/')).then(|| before.to_string())
        };
        let blocks = |prefix: &str, from: usize| {
            (from..).take_while(|i| has(file, prefix, &format!("block{i}/c1/W"))).count()
        };
        if let Some(prefix) = first("l1/W") {
            let family = Family::ResNet(blocks(&prefix, 2));
            generators.push(Place { prefix, family });
        } else if let Some(prefix) = first("dc1/W") {
            generators.push(Place { prefix, family: Family::StandardCnn(0) });
        } else if let Some(prefix) = first("block1/c1/W") {
            let family = Family::ResNet(blocks(&prefix, 1));
            discriminators.push(Place { prefix, family });
        } else if let Some(prefix) = first("c3_0/W") {
            let row = usize::from(!has(file, &prefix, "c0_0/W"));
            discriminators.push(Place { prefix, family: Family::StandardCnn(row) });
        }
    }
    let one = |mut places: Vec<Place>, what: &str| match places.len() {
        0 | 1 => Ok(places.pop()),
        _ => {
            let listed: Vec<String> =
                places.into_iter().map(|p| format!("`{}`", p.prefix)).collect();
            let reason = format!(
                "holds several {what}s, under {}; name one by --state-dict",
                listed.join(", ")
            );
            Err(file.refuse(reason))
        }
    };
    Ok((one(generators, "generator")?, one(discriminators, "discriminator")?))
}

fn has(file: &WeightsFile, prefix: &str, key: &str) -> bool {
    file.shapes.contains_key(&format!("{prefix}{key}"))
}

/// The sizes of `key` below `place`, `N` of them.
fn shape<const N: usize>(file: &WeightsFile, place: &Place, key: &str) -> Result<[usize; N]> {
    let key = format!("{}{key}", place.prefix);
    let Some(found) = file.shapes.get(&key) else {
        return Err(file.refuse(format!("has no tensor `{key}`")));
    };
    <[usize; N]>::try_from(found.as_slice()).map_err(|_| {
        file.refuse(format!("tensor `{key}` is {found:?}; it should have {N} dimensions"))
    })
}

/// What the shapes say of G: architecture, side, divisor of widths, classes.
struct Generator {
    architecture: Architecture,
    side: usize,
    width_divisor: usize,
    n_classes: usize,
}

fn generator(file: &WeightsFile, place: &Place) -> Result<Generator> {
    let under = match place.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" under `{prefix}`"),
    };
    let unknown = |reason: String| file.refuse(format!("the generator{under} {reason}"));
    // Channels of the first map, and the logarithm of what the side grows by.
    let (architecture, full, dense, next, doublings) = match place.family {
        Family::StandardCnn(_) => (Architecture::StandardCnnCgl, 512, "l0/W", "dc1/W", 3),
        Family::ResNet(blocks) => {
            let (architecture, full) = match blocks {
                3 => (Architecture::ResnetCifar10, 256),
                4 => (Architecture::Resnet64, 1024),
                5 => (Architecture::ResnetImagenet, 1024),
                n => {
                    let reason = format!(
                        "has {n} residual blocks; those of the authors' networks for 32, 64 and 128 pixels have 3, 4 and 5"
                    );
                    return Err(unknown(reason));
                }
            };
            (architecture, full, "l1/W", "block2/c1/W", blocks)
        }
    };
    let [outputs, _] = shape(file, place, dense)?;
    let channels = match place.family {
        // A transposed convolution has its input's channels first.
        Family::StandardCnn(_) => shape::<4>(file, place, next)?[0],
        Family::ResNet(_) => shape::<4>(file, place, next)?[1],
    };
    if channels == 0 || full % channels != 0 || outputs % channels != 0 {
        return Err(unknown(format!(
            "begins with {outputs} features in {channels} channels; that is no part of {full}"
        )));
    }
    let pixels = outputs / channels;
    let first = pixels.isqrt();
    if first * first != pixels || first == 0 || first > 64 {
        return Err(unknown(format!("begins with a map of {pixels} pixels, which is no square")));
    }
    let n_classes = match place.family {
        Family::ResNet(_) if has(file, &place.prefix, "block2/b1/gammas/W") => {
            shape::<2>(file, place, "block2/b1/gammas/W")?[0]
        }
        Family::ResNet(_) | Family::StandardCnn(_) => 0,
    };
    let (side, width_divisor) = (first << doublings, full / channels);
    Ok(Generator { architecture, side, width_divisor, n_classes })
}

/// How labels enter D, and its normalization.
fn discriminator(
    file: &WeightsFile,
    place: &Place,
    of: &Generator,
) -> Result<(Conditioning, Normalization)> {
    let first = |key: &str| has(file, &place.prefix, key);
    match (place.family, of.architecture) {
        (Family::StandardCnn(row), Architecture::StandardCnnCgl) => {
            // Their spectral normalization keeps no u in a snapshot; only WGAN-GP's D has neither it nor batch normalization.
            let normalization = match (first("bn0_1/beta"), row) {
                (true, _) => Normalization::Batch,
                (false, 0) => Normalization::Spectral,
                (false, _) => Normalization::None,
            };
            Ok((Conditioning::None, normalization))
        }
        (
            Family::ResNet(_),
            Architecture::ResnetCifar10 | Architecture::Resnet64 | Architecture::ResnetImagenet,
        ) => {
            let conditioning = if !first("l_y/W") {
                Conditioning::None
            } else {
                // An embedding that is appended makes the fourth block's input wider than the third's output.
                let [wide, ..] = shape::<4>(file, place, "block3/c2/W")?;
                let [_, next, ..] = shape::<4>(file, place, "block4/c1/W")?;
                if next > wide { Conditioning::Concat } else { Conditioning::Projection }
            };
            let normalization =
                if first("block1/c1/u") { Normalization::Spectral } else { Normalization::None };
            Ok((conditioning, normalization))
        }
        (Family::ResNet(_) | Family::StandardCnn(_), other) => Err(file.refuse(format!(
            "the discriminator under `{}` does not belong to a generator that is {}",
            place.prefix,
            other.name()
        ))),
    }
}

/// The spec of the networks at `g` and `d`, each of a file.
///
/// # Errors
/// Networks that are none of the authors', or do not belong together.
pub(super) fn spec(
    g: (&WeightsFile, &Place),
    d: Option<(&WeightsFile, &Place)>,
) -> Result<RunSpec> {
    let generator = generator(g.0, g.1)?;
    let imported = Imported::new(g.0.sha256.clone(), d.map(|(file, _)| file.sha256.clone()));
    let mut spec = RunSpec {
        architecture: generator.architecture,
        side: generator.side,
        width_divisor: generator.width_divisor,
        // As their code draws z.
        latent: match generator.architecture {
            Architecture::StandardCnnCgl => Latent::Uniform,
            Architecture::StandardCnn
            | Architecture::ResnetCifar10
            | Architecture::ResnetStl10
            | Architecture::ResnetImagenet
            | Architecture::Resnet64
            | Architecture::ResnetGulrajani => Latent::Normal,
        },
        ..RunSpec::of_imported(imported, generator.n_classes)
    };
    if let Some((file, place)) = d {
        let (conditioning, normalization) = discriminator(file, place, &generator)?;
        if (conditioning == Conditioning::None) != (generator.n_classes == 0) {
            let of = |labels: bool| if labels { "a conditional" } else { "an unconditional" };
            return Err(file.refuse(format!(
                "holds {} discriminator, but {} {} generator",
                of(conditioning != Conditioning::None),
                g.0.path.display(),
                of(generator.n_classes > 0)
            )));
        }
        (spec.conditioning, spec.normalization) = (conditioning, normalization);
        spec.imported = spec.imported.map(Imported::knowing_discriminator);
    }
    Ok(spec)
}

/// The key of a tensor of G, by its name in a checkpoint without `generator.`.
pub(super) fn generator_key(place: &Place, name: &str, n_classes: usize) -> Option<String> {
    let (layer, part) = name.split_once(".bn.").map_or_else(
        || name.rsplit_once('.').map(|(layer, part)| (layer, Part::Weight(part))),
        |(layer, part)| Some((layer, Part::Norm(part))),
    )?;
    let module = match place.family {
        Family::StandardCnn(_) => standard_cnn_module(layer, &part)?,
        Family::ResNet(blocks) => resnet_module(layer, &part, blocks)?,
    };
    // The last normalization is unconditional.
    let labels = n_classes > 0 && layer != "output";
    Some(format!("{}{module}/{}", place.prefix, part.key(labels)?))
}

/// A tensor's part of a layer or of the normalization after it.
enum Part<'a> {
    Weight(&'a str),
    Norm(&'a str),
}

impl Part<'_> {
    fn key(&self, labels: bool) -> Option<&'static str> {
        Some(match (self, labels) {
            (Part::Weight("weight"), _) => "W",
            (Part::Weight("bias"), _) => "b",
            (Part::Weight("u"), _) => "u",
            (Part::Norm("gamma"), true) => "gammas/W",
            (Part::Norm("gamma"), false) => "gamma",
            (Part::Norm("beta"), true) => "betas/W",
            (Part::Norm("beta"), false) => "beta",
            (Part::Norm("running_mean"), _) => "avg_mean",
            (Part::Norm("running_var"), _) => "avg_var",
            (Part::Weight(_) | Part::Norm(_), _) => return None,
        })
    }
}

fn standard_cnn_module(layer: &str, part: &Part<'_>) -> Option<String> {
    let of_norm = match part {
        Part::Norm(_) => true,
        Part::Weight(_) => false,
    };
    if layer == "dense" {
        return Some(if of_norm { "bn0".into() } else { "l0".into() });
    }
    let number = layer.strip_prefix("deconv")?.parse::<usize>().ok()? + 1;
    Some(if of_norm { format!("bn{number}") } else { format!("dc{number}") })
}

fn resnet_module(layer: &str, part: &Part<'_>, blocks: usize) -> Option<String> {
    if let Some((block, layer)) = layer.split_once('.') {
        let number = block.strip_prefix("block")?.parse::<usize>().ok()? + 2;
        let module = match (layer, part) {
            ("input", Part::Norm(_)) => "b1",
            ("conv1", Part::Norm(_)) => "b2",
            ("conv1", Part::Weight(_)) => "c1",
            ("conv2", Part::Weight(_)) => "c2",
            ("shortcut", Part::Weight(_)) => "c_sc",
            _ => return None,
        };
        return Some(format!("block{number}/{module}"));
    }
    let last = blocks + 2;
    Some(match layer {
        "dense" => "l1".into(),
        "output" => format!("b{last}"),
        // Only the network for 32 pixels calls its last convolution one.
        "conv" if blocks == 3 => format!("c{last}"),
        "conv" => format!("l{last}"),
        _ => return None,
    })
}

/// The key of a tensor of D, by its name in a checkpoint without `discriminator.`.
pub(super) fn discriminator_key(place: &Place, name: &str) -> Option<String> {
    let (layer, part) = name.rsplit_once('.')?;
    let beta = part == "beta";
    let module = match place.family {
        Family::StandardCnn(row) => match layer {
            "dense" => "l4".into(),
            _ => {
                let number: usize = layer.strip_prefix("conv")?.parse().ok()?;
                let module = CONVOLUTIONS.get(row)?.get(number)?;
                if beta { module.replacen('c', "bn", 1) } else { (*module).to_string() }
            }
        },
        Family::ResNet(blocks) => match layer.split_once('.') {
            Some((block, layer)) => {
                let number = block.strip_prefix("block")?.parse::<usize>().ok()? + 1;
                let layer = match layer {
                    "conv1" => "c1",
                    "conv2" => "c2",
                    "shortcut" => "c_sc",
                    _ => return None,
                };
                format!("block{number}/{layer}")
            }
            None => match layer {
                "dense" => format!("l{}", blocks + 1),
                "embedding" => "l_y".into(),
                _ => return None,
            },
        },
    };
    let part = if beta { "beta" } else { Part::Weight(part).key(false)? };
    Some(format!("{}{module}/{part}", place.prefix))
}

/// Refuses keys of the network that were not taken and mean something: another network than this one has them.
///
/// # Errors
/// The first of them, by name.
pub(super) fn check_taken(
    file: &WeightsFile,
    place: &Place,
    taken: &BTreeSet<String>,
) -> Result<()> {
    let means_nothing = |key: &str| {
        // D always uses its batch's statistics.
        key.ends_with("/avg_mean") || key.ends_with("/avg_var")
    };
    let left = file
        .shapes
        .keys()
        .find(|key| key.starts_with(&place.prefix) && !taken.contains(*key) && !means_nothing(key));
    // A snapshot of a trainer has optimizers beside the networks, never below them.
    match left {
        Some(key) => Err(Error::Invalid(format!(
            "{}: tensor `{key}` belongs to no layer of this network; it is another network",
            file.path.display()
        ))),
        None => Ok(()),
    }
}

/// Generator updates by the file: a trainer's snapshot counts them, and the authors' code ends a network's file name with them.
pub(super) fn updates(file: &mut WeightsFile) -> Option<u64> {
    let counted = ["updater/iteration", "iteration"];
    if let Some(updates) = counted.into_iter().find_map(|key| file.counter(key)) {
        return Some(updates);
    }
    let name = file.name();
    let stem = name.strip_suffix(".npz").unwrap_or(&name);
    stem.rsplit_once('_')?.1.parse().ok()
}

/// Names of the tensors that a network needs, each with its key; what has none is an error.
///
/// # Errors
/// A tensor that the authors' networks do not have.
pub(super) fn keys(
    file: &WeightsFile,
    names: impl Iterator<Item = String>,
    key: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>> {
    names
        .map(|name| match key(&name) {
            Some(key) => Ok((name, key)),
            None => Err(file.refuse(format!("the authors' networks have no `{name}`"))),
        })
        .collect()
}
