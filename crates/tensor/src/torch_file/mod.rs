//! Tensors out of files that `torch.save` wrote, in the zip format and in the older one without zip, with no Python and nothing executed.
//!
//! Such a file is a pickle, a program for a stack machine, and the storages that its tensors view. Here run the few
//! instructions that build plain values; a class or function that the program names is a name to us and no more: what the program would
//! call becomes a tensor, where the name is PyTorch's for one, or an inert value. Instructions are counted, values borrow the file's own
//! bytes, and a tensor is copied out one at a time, so no file can ask for more memory than its own size times a small constant.

mod build;
mod old;
mod pickle;
mod zipped;

use crate::{Error, Result};
use build::Layout;
use pickle::{Id, Node, Pickle};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where in a file something is wrong, and what.
#[derive(Debug)]
struct Fault {
    offset: usize,
    reason: String,
}

/// A `Result` before the file's name is added.
type Parsed<T> = std::result::Result<T, Fault>;

/// A [`Fault`] as an error.
fn fault<T>(offset: usize, reason: impl Into<String>) -> Parsed<T> {
    Err(Fault { offset, reason: reason.into() })
}

/// The numbers of a tensor, in the type the file has them in.
#[derive(Debug, Clone, PartialEq)]
pub enum TorchData {
    /// `torch.float32`.
    F32(Vec<f32>),
    /// `torch.float64`.
    F64(Vec<f64>),
    /// `torch.float16` or `torch.bfloat16`, widened.
    Half(Vec<f32>),
    /// `torch.int64`.
    I64(Vec<i64>),
}

/// One tensor, dense and row-major whatever its strides in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct TorchTensor {
    /// Sizes, outermost first; empty for a single number.
    pub shape: Vec<usize>,
    /// As many numbers as the sizes' product.
    pub data: TorchData,
}

/// A file's dictionary of tensors, or its one tensor, then called `tensor`. Those of dictionaries one or two levels further in are named by
/// path, such as `netD/conv1.weight`. It holds the file's bytes; [`TorchFile::tensor`] copies one
/// tensor out of them.
#[derive(Debug)]
pub struct TorchFile {
    path: PathBuf,
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Layout>,
    unreadable: BTreeMap<String, String>,
    others: BTreeSet<String>,
}

impl TorchFile {
    /// Whether `bytes` begin like a file of `torch.save`, in either format.
    pub fn recognizes(bytes: &[u8]) -> bool {
        zipped::recognizes(bytes) || old::recognizes(bytes)
    }

    /// Reads a file. `state_dict` names the dictionary to take where the file nests several, such as `generator` or, level by level,
    /// `ema/generator`; `None` takes the outermost, with those in it. A tensor that cannot be read does not keep the others from being read.
    ///
    /// # Errors
    /// A file that cannot be read, that is no `torch.save` file, is cut or corrupt, or has no tensor there that can be read; the message then
    /// says why, and lists the dictionaries that have some.
    pub fn read(path: &Path, state_dict: Option<&str>) -> Result<TorchFile> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            action: "read",
            path: path.into(),
            source,
        })?;
        TorchFile::from_bytes(path, bytes, state_dict)
    }

    /// [`TorchFile::read`] for a file already in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`TorchFile::read`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>, state_dict: Option<&str>) -> Result<TorchFile> {
        let found = dictionary(&bytes, state_dict).map_err(|f| error(path, f))?;
        let Found { tensors, unreadable, others } = found;
        Ok(TorchFile { path: path.into(), bytes, tensors, unreadable, others })
    }

    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Names of the tensors that cannot be read, sorted, each with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unreadable.iter().map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// Keys of the dictionary whose values are no tensors, and no dictionaries of tensors, sorted.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(String::as_str)
    }

    /// The sizes of `name`, if the file has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|layout| layout.shape.as_slice())
    }

    /// The class of the storage that holds the numbers of `name`, such as `FloatStorage`, if the file has it.
    pub fn storage(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|layout| layout.class.as_str())
    }

    /// Whether the file has floating-point numbers under `name`, of any width.
    pub fn is_float(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(Layout::is_float)
    }

    /// Copies out a tensor.
    ///
    /// # Errors
    /// When there is none of that name, or its numbers are neither floating-point nor i64.
    pub fn tensor(&self, name: &str) -> Result<TorchTensor> {
        let missing = || Fault { offset: 0, reason: format!("tensor `{name}` is missing") };
        let layout =
            self.tensors.get(name).ok_or_else(missing).map_err(|f| error(&self.path, f))?;
        let data = layout.copy(&self.bytes).map_err(|f| {
            error(&self.path, Fault { reason: format!("tensor `{name}` {}", f.reason), ..f })
        })?;
        Ok(TorchTensor { shape: layout.shape.clone(), data })
    }
}

/// A [`Fault`] of `path` as the crate's error.
fn error(path: &Path, fault: Fault) -> Error {
    Error::TorchFile { path: path.into(), offset: fault.offset as u64, reason: fault.reason }
}

/// What a dictionary of the file holds.
#[derive(Default)]
struct Found {
    tensors: BTreeMap<String, Layout>,
    unreadable: BTreeMap<String, String>,
    others: BTreeSet<String>,
}

/// Finds the dictionary `state_dict` and where its tensors' numbers lie.
fn dictionary(bytes: &[u8], state_dict: Option<&str>) -> Parsed<Found> {
    let (pickle, storages) = if zipped::recognizes(bytes) {
        zipped::parts(bytes)?
    } else if old::recognizes(bytes) {
        old::parts(bytes)?
    } else {
        return fault(
            0,
            "is no file of torch.save: it begins neither like a zip archive nor with torch's magic number",
        );
    };
    let mut at = pickle.root;
    for key in state_dict.into_iter().flat_map(|path| path.split('/')) {
        let next = entries(&pickle, at).find(|(k, _)| *k == key).map(|(_, value)| value);
        at = match next {
            Some(value) if matches!(pickle.node(value), Node::Dict(_)) => value,
            _ => {
                return fault(
                    pickle.offset,
                    format!("has no dictionary `{key}`{}", candidates(&pickle)),
                );
            }
        };
    }
    let mut found = Found::default();
    let single = matches!(pickle.node(at), Node::Tensor(_)).then_some((Cow::Borrowed(SINGLE), at));
    for (name, value) in single.into_iter().chain(entries(&pickle, at)) {
        found.take(&pickle, &storages, name.into_owned(), value, NESTED)?;
    }
    if found.tensors.is_empty() {
        let place = state_dict.unwrap_or("its outermost value");
        let candidates = candidates(&pickle) + &found.reasons();
        let remedy = if candidates.is_empty() {
            "; dense tensors in a dictionary are read, such as torch.save(module.state_dict(), FILE) writes"
        } else {
            ""
        };
        return fault(
            pickle.offset,
            format!("has no dictionary of tensors in {place}{candidates}{remedy}"),
        );
    }
    Ok(found)
}

/// Levels of dictionaries that are looked into besides the one that is asked for: an optimizer's state lies deeper.
const NESTED: usize = 2;

impl Found {
    /// Takes the entry `name`, and what is in it if it is a dictionary and `levels` are left.
    fn take(
        &mut self,
        pickle: &Pickle<'_>,
        storages: &build::Storages,
        name: String,
        value: Id,
        levels: usize,
    ) -> Parsed<()> {
        let known = [
            self.tensors.contains_key(&name),
            self.unreadable.contains_key(&name),
            self.others.contains(&name),
        ];
        if known.contains(&true) {
            return fault(pickle.offset, format!("has `{name}` twice"));
        }
        if let Node::Tensor(view) = pickle.node(value) {
            match storages.layout(view) {
                Ok(layout) => drop(self.tensors.insert(name, layout)),
                Err(f) => {
                    let reason = format!("{} (offset {})", f.reason, f.offset);
                    self.unreadable.insert(name, reason);
                }
            }
            return Ok(());
        }
        let before = self.tensors.len() + self.unreadable.len();
        if levels > 0 {
            for (inner, value) in entries(pickle, value) {
                if matches!(pickle.node(value), Node::Tensor(_) | Node::Dict(_)) {
                    self.take(pickle, storages, format!("{name}/{inner}"), value, levels - 1)?;
                }
            }
        }
        if self.tensors.len() + self.unreadable.len() == before && levels == NESTED {
            self.others.insert(name);
        }
        Ok(())
    }

    /// The end of a message: why tensors cannot be read.
    fn reasons(&self) -> String {
        let of = |(name, reason): (&String, &String)| format!("; tensor `{name}` {reason}");
        self.unreadable.iter().take(LISTED).map(of).collect()
    }
}

/// What the tensor of a file that holds one alone is called.
const SINGLE: &str = "tensor";

/// The entries of the dictionary at `id` whose keys are text or whole numbers; none where it is no dictionary.
fn entries<'p>(pickle: &'p Pickle<'_>, id: Id) -> impl Iterator<Item = (Cow<'p, str>, Id)> {
    let pairs = if let Node::Dict(pairs) = pickle.node(id) { pairs.as_slice() } else { &[] };
    let name = |id: Id| match pickle.node(id) {
        Node::Text(text) => Some(Cow::Borrowed(*text)),
        Node::Int(number) => Some(Cow::Owned(number.to_string())),
        Node::Inert
        | Node::Bool(_)
        | Node::Global(..)
        | Node::Tuple(_)
        | Node::List(_)
        | Node::Dict(_)
        | Node::Storage(_)
        | Node::Tensor(_) => None,
    };
    pairs.iter().filter_map(move |(key, value)| Some((name(*key)?, *value)))
}

/// Entries of a dictionary that a message looks at, and dictionaries that it lists.
const LOOKED_AT: usize = 64;
const LISTED: usize = 8;

/// The end of a message: the dictionaries with tensors, one or two levels down.
fn candidates(pickle: &Pickle<'_>) -> String {
    let first = |id: Id| entries(pickle, id).take(LOOKED_AT);
    let has_tensors =
        |id: Id| first(id).any(|(_, value)| matches!(pickle.node(value), Node::Tensor(_)));
    let outer =
        first(pickle.root).filter(|(_, value)| has_tensors(*value)).map(|(key, _)| key.to_string());
    let inner = first(pickle.root).flat_map(|(key, value)| {
        let nested = first(value).filter(|(_, inner)| has_tensors(*inner));
        nested.map(move |(name, _)| format!("{key}/{name}"))
    });
    let names: Vec<_> = outer.chain(inner).take(LISTED).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; there are tensors in: {}", names.join(", "))
    }
}
