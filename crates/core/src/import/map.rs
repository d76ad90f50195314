//! A map from this project's names to those of another program's state dict (docs/interchange.md describes the file).

use super::weights::WeightsFile;
use crate::model::NORM_EPS;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Normalization;
use sngan_experiment::{Imported, Latent, RunSpec, regular};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A longer map is a mistake.
const LONGEST: u64 = 1 << 20;
/// `{i}` stands for numbers below this.
const NUMBERS: usize = 16;
const EPS: std::ops::RangeInclusive<f64> = 0.0..=0.1;

/// A map as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    architecture: Architecture,
    side: usize,
    latent: Latent,
    batch_norm_eps: f64,
    #[serde(default = "one")]
    width_divisor: usize,
    #[serde(default)]
    n_classes: usize,
    #[serde(default = "no_labels")]
    conditioning: Conditioning,
    normalization: Option<Normalization>,
    #[serde(default = "as_the_table")]
    dis_width_factor: f64,
    #[serde(default = "as_the_table")]
    last_conv_factor: f64,
    generator: BTreeMap<String, Entry>,
    discriminator: Option<BTreeMap<String, Entry>>,
}

fn one() -> usize {
    1
}

fn no_labels() -> Conditioning {
    Conditioning::None
}

fn as_the_table() -> f64 {
    1.0
}

/// What an entry names: a module or tensor of the file, or a number that all elements have.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Entry {
    Key(String),
    Number(f64),
}

/// A map that was read, and what it says of the networks.
#[derive(Debug)]
pub(super) struct Map {
    path: PathBuf,
    file: File,
    generator: BTreeMap<String, Entry>,
    discriminator: Option<BTreeMap<String, Entry>>,
}

/// Which network a tensor is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Generator,
    Discriminator,
}

/// Where a tensor of ours comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// The file's tensor of this name.
    Key(String),
    /// Every element is this number.
    Number(f64),
}

impl Map {
    /// Reads a map.
    ///
    /// # Errors
    /// A file that is no map; values that make no sense.
    pub(super) fn read(path: &Path) -> Result<Map> {
        let wrong = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
        let io = |e| sngan_experiment::Error::io("read", path)(e);
        if regular::open(path).and_then(|file| file.metadata()).map_err(io)?.len() > LONGEST {
            return Err(wrong(format!("is longer than {LONGEST} bytes; it is no map of names")));
        }
        let text = String::from_utf8(regular::read(path).map_err(io)?)
            .map_err(|e| wrong(format!("is no text: {e}")))?;
        let file: File = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if !EPS.contains(&file.batch_norm_eps) {
            return Err(wrong(format!("`batch_norm_eps` is {}", file.batch_norm_eps)));
        }
        // Of the others a state dict does not tell enough.
        let supported = matches!(
            file.normalization,
            None | Some(Normalization::Spectral | Normalization::None)
        );
        if !supported {
            let reason = "`normalization`: of discriminators, those with `spectral` normalization or `none` can be mapped";
            return Err(wrong(reason.into()));
        }
        let expand = |entries| expanded(entries).map_err(&wrong);
        let generator = expand(&file.generator)?;
        let discriminator = file.discriminator.as_ref().map(expand).transpose()?;
        if discriminator.is_some() && file.normalization.is_none() {
            let reason =
                "has a [discriminator], but no `normalization`; write \"spectral\" or \"none\"";
            return Err(wrong(reason.into()));
        }
        Ok(Map { path: path.into(), file, generator, discriminator })
    }

    /// Whether it maps a D.
    pub(super) fn has_discriminator(&self) -> bool {
        self.discriminator.is_some()
    }

    /// The spec of the networks, from files of these hashes.
    pub(super) fn spec(&self, generator: &str, discriminator: Option<&str>) -> RunSpec {
        let imported = Imported::new(generator.into(), discriminator.map(String::from));
        let file = &self.file;
        let spec = RunSpec {
            architecture: file.architecture,
            side: file.side,
            latent: file.latent,
            width_divisor: file.width_divisor,
            ..RunSpec::of_imported(imported, file.n_classes)
        };
        if discriminator.is_none() {
            return spec;
        }
        RunSpec {
            conditioning: file.conditioning,
            normalization: file.normalization.unwrap_or(Normalization::None),
            dis_width_factor: file.dis_width_factor,
            last_conv_factor: file.last_conv_factor,
            imported: spec.imported.clone().map(Imported::knowing_discriminator),
            ..spec
        }
    }

    /// Refuses entries of names that the networks do not have, but for those that `{i}` stood in.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn check_names(&self, network: Network, names: &BTreeSet<String>) -> Result<()> {
        let written = match network {
            Network::Generator => Some(&self.file.generator),
            Network::Discriminator => self.file.discriminator.as_ref(),
        };
        let of_none = |entry: &&String| {
            !entry.contains('{')
                && !names.iter().any(|name| {
                    name.strip_prefix(entry.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
        };
        match written.and_then(|entries| entries.keys().find(of_none)) {
            None => Ok(()),
            Some(entry) => Err(Error::Invalid(format!(
                "{}: `{entry}` names nothing in {}; `sngan model summary --architecture {0}` lists its layers",
                self.path.display(),
                self.file.architecture.name()
            ))),
        }
    }

    /// Where the tensor `name` of a network comes from, in `file`.
    ///
    /// # Errors
    /// A tensor that the map does not reach, or the file does not have.
    pub(super) fn origin(
        &self,
        network: Network,
        name: &str,
        file: &WeightsFile,
    ) -> Result<Origin> {
        let entries = match network {
            Network::Generator => &self.generator,
            Network::Discriminator => match &self.discriminator {
                Some(entries) => entries,
                None => &self.generator,
            },
        };
        match entries.get(name) {
            Some(Entry::Key(key)) => return Ok(Origin::Key(key.clone())),
            Some(Entry::Number(x)) => return Ok(Origin::Number(*x)),
            None => {}
        }
        let (module, part) = name.rsplit_once('.').unwrap_or((name, ""));
        let Some(Entry::Key(module)) = entries.get(module) else {
            return Err(Error::Invalid(format!(
                "{}: nothing is mapped to `{name}`; add a line \"{module}\" = \"its module in the file\"",
                self.path.display()
            )));
        };
        let parts: &[&str] = match part {
            "gamma" => &["weight"],
            "beta" => &["bias"],
            "weight" => &["weight_orig", "parametrizations.weight.original", "weight"],
            "u" => &["weight_u", "parametrizations.weight.0._u"],
            part => &[part],
        };
        let keys: Vec<String> = parts.iter().map(|part| format!("{module}.{part}")).collect();
        match keys.iter().find(|key| file.shapes.contains_key(*key)) {
            Some(key) => Ok(Origin::Key(key.clone())),
            None => {
                let known = if keys.len() == 1 { "" } else { ", nor another of its names" };
                Err(file.refuse(format!(
                    "has no tensor `{}`{known}, for `{name}`; {} maps it so",
                    keys.last().map_or("", String::as_str),
                    self.path.display()
                )))
            }
        }
    }

    /// A tensor of G as our networks have it: ε of batch normalization is theirs, and what is one number a channel before the first
    /// map may be one a feature here. `shape` is ours.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub(super) fn adapted(&self, name: &str, t: Tensor, shape: &[usize]) -> Result<Tensor> {
        let t = spread(name, t, shape)?;
        // γ/√(v + ε): with v shifted by the difference of the two ε it is the same.
        let shift = self.file.batch_norm_eps - NORM_EPS;
        if name.ends_with(".bn.running_var") && shift != 0.0 {
            return Ok((t.to_dtype(DType::F64)? + shift)?.to_dtype(DType::F32)?);
        }
        Ok(t)
    }
}

/// G's first layer as a transposed convolution of z, `[128, C, m, m]`, as ours, `[C·m·m, 128]`; what its channels have, for each of their
/// pixels.
fn spread(name: &str, t: Tensor, shape: &[usize]) -> Result<Tensor> {
    if !name.starts_with("dense.") {
        return Ok(t);
    }
    match (t.dims(), shape) {
        (&[z, c, h, w], &[outputs, inputs]) if z == inputs && c * h * w == outputs => {
            Ok(t.permute((1, 2, 3, 0))?.reshape((outputs, inputs))?.contiguous()?)
        }
        (&[channels], &[features]) if channels != features && features % channels.max(1) == 0 => {
            let pixels = features / channels.max(1);
            Ok(t.unsqueeze(1)?.broadcast_as((channels, pixels))?.reshape(features)?.contiguous()?)
        }
        _ => Ok(t),
    }
}

/// A tensor of one number.
pub(super) fn filled(x: f64, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::full(x as f32, shape, &Device::Cpu)?)
}

/// Entries with `{i}` written out, and `{i+1}` beside it.
fn expanded(
    entries: &BTreeMap<String, Entry>,
) -> std::result::Result<BTreeMap<String, Entry>, String> {
    let mut all = BTreeMap::new();
    for (name, entry) in entries {
        if !name.contains('{') {
            all.insert(name.clone(), entry.clone());
            continue;
        }
        for i in 0..NUMBERS {
            let entry = match entry {
                Entry::Key(key) => Entry::Key(numbered(key, i)?),
                Entry::Number(x) => Entry::Number(*x),
            };
            // A name that is written out counts more than a pattern.
            let name = numbered(name, i)?;
            if !entries.contains_key(&name) {
                all.insert(name, entry);
            }
        }
    }
    Ok(all)
}

/// `text` with `{i}`, or `{i+N}`, replaced by a number.
fn numbered(text: &str, i: usize) -> std::result::Result<String, String> {
    let wrong = || format!("`{text}`: write {{i}}, or {{i+1}} for the next number");
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(wrong)?;
        let plus = match inside.strip_prefix('i').ok_or_else(wrong)? {
            "" => 0,
            plus => {
                let plus = plus.strip_prefix('+').and_then(|n| n.parse::<u8>().ok());
                usize::from(plus.ok_or_else(wrong)?)
            }
        };
        out += before;
        out += &(i + plus).to_string();
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_numbered() {
        assert_eq!(numbered("blocks.{i}.b{i+2}", 3).unwrap(), "blocks.3.b5");
        for wrong in ["a{j}", "a{i", "a{i-1}", "a{i+}"] {
            assert!(numbered(wrong, 0).unwrap_err().contains(wrong), "{wrong}");
        }
        let entries = BTreeMap::from([
            ("block{i}.conv1".to_string(), Entry::Key("b{i+1}.c1".into())),
            ("block1.conv1".to_string(), Entry::Key("other".into())),
            ("block{i}.conv1.bias".to_string(), Entry::Number(0.0)),
        ]);
        let all = expanded(&entries).unwrap();
        assert_eq!(all["block0.conv1"], Entry::Key("b1.c1".into()));
        assert_eq!(all["block1.conv1"], Entry::Key("other".into()));
        assert_eq!(all["block7.conv1.bias"], Entry::Number(0.0));
    }

    #[test]
    fn a_transposed_convolution_of_z_is_a_dense_layer() {
        // One input of z, two channels of 2x2 pixels: outputs are ordered by channel, then pixel.
        let t = Tensor::arange(0f32, 8.0, &Device::Cpu).unwrap().reshape((1, 2, 2, 2)).unwrap();
        let dense = spread("dense.weight", t, &[8, 1]).unwrap();
        assert_eq!(dense.flatten_all().unwrap().to_vec1::<f32>().unwrap()[5], 5.0);
        let bias = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let each = spread("dense.bn.gamma", bias, &[8]).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(each, [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
    }
}
