//! A file of weights that another program wrote: names and shapes first, then one tensor after another.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sha2::{Digest, Sha256};
use sngan_experiment::regular;
use sngan_tensor::npz::NpzFile;
use sngan_tensor::torch_file::{TorchData, TorchFile};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes hashed at a time.
const PIECE: usize = 1 << 16;

/// A file's tensors: their names and shapes, and their numbers one tensor at a time, as f32.
pub(super) struct WeightsFile {
    pub(super) path: PathBuf,
    /// SHA-256 of its bytes.
    pub(super) sha256: String,
    /// Shapes of the tensors of floating-point numbers.
    pub(super) shapes: BTreeMap<String, Vec<usize>>,
    /// Why tensors cannot be read.
    unreadable: BTreeMap<String, String>,
    content: Content,
    /// Bytes that its tensors may still take: an archive can inflate to a thousand times its size, and many names view one storage.
    left: usize,
}

enum Content {
    Chainer(NpzFile),
    Torch(TorchFile),
    Safetensors(Vec<u8>),
}

impl WeightsFile {
    /// Reads names and shapes. `state_dict` names the dictionary of a `torch.save` file, or the beginning of an archive's names.
    ///
    /// # Errors
    /// A file that is none of the formats, is cut, or has no tensor there.
    pub(super) fn open(path: &Path, state_dict: Option<&str>) -> Result<WeightsFile> {
        let io = |e| sngan_experiment::Error::io("read", path)(e);
        let mut file = regular::open(path).map_err(io)?;
        let (mut hash, mut piece, mut length) = (Sha256::new(), vec![0; PIECE], 0);
        loop {
            let read = file.read(&mut piece).map_err(io)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            length += read;
        }
        let (mut shapes, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        let content = if let Some(archive) = NpzFile::recognized(path)? {
            for name in archive.names() {
                let header = archive.header(name)?;
                if header.numbers.is_float() {
                    let shape = header.shape.iter().map(|n| *n as usize).collect();
                    shapes.insert(name.to_string(), shape);
                }
            }
            let refused = archive.unreadable().map(|(name, why)| (name.into(), why.into()));
            unreadable.extend(refused);
            Content::Chainer(archive)
        } else {
            let bytes = regular::read(path).map_err(io)?;
            if TorchFile::recognizes(&bytes) {
                let file = TorchFile::from_bytes(path, bytes, state_dict)?;
                for name in file.names().filter(|name| file.is_float(name)) {
                    shapes.insert(name.into(), file.shape(name).unwrap_or_default().to_vec());
                }
                let refused = file.unreadable().map(|(name, why)| (name.into(), why.into()));
                unreadable.extend(refused);
                Content::Torch(file)
            } else {
                let header = SafeTensors::deserialize(&bytes).map_err(|e| {
                    let reason = format!(
                        "is neither a safetensors file ({e}), nor one of torch.save or of Chainer's save_npz"
                    );
                    Error::Invalid(format!("{}: {reason}", path.display()))
                })?;
                for (name, view) in header.tensors() {
                    if is_float(view.dtype()) {
                        shapes.insert(name, view.shape().to_vec());
                    }
                }
                Content::Safetensors(bytes)
            }
        };
        let sha256 = hex::encode(hash.finalize());
        let left = allowed(length);
        Ok(WeightsFile { path: path.into(), sha256, shapes, unreadable, content, left })
    }

    /// The program that writes such files, as provenance names it.
    pub(super) fn format(&self) -> &'static str {
        match &self.content {
            Content::Chainer(_) => "chainer",
            Content::Torch(_) => "pytorch",
            Content::Safetensors(_) => "safetensors",
        }
    }

    /// Whether it is an archive of arrays, as Chainer writes it.
    pub(super) fn is_chainers(&self) -> bool {
        matches!(self.content, Content::Chainer(_))
    }

    /// Its name, without its place on the machine.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// An error about the file.
    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> Error {
        Error::Invalid(format!("{}: {reason}", self.path.display()))
    }

    /// Whether tensors of so many numbers can be what it holds.
    pub(super) fn check_room(&self, numbers: usize) -> Result<()> {
        if numbers.saturating_mul(size_of::<f32>()) > self.left {
            return Err(self.refuse(format!("is too small for networks of {numbers} parameters")));
        }
        Ok(())
    }

    /// The tensor `key` as f32.
    ///
    /// # Errors
    /// One that is not there, cannot be read, or holds a number that is not finite.
    pub(super) fn tensor(&mut self, key: &str) -> Result<Tensor> {
        let Some(shape) = self.shapes.get(key) else {
            return Err(self.refuse(match self.unreadable.get(key) {
                Some(reason) => format!("tensor `{key}` {reason}"),
                None => format!("has no tensor `{key}`"),
            }));
        };
        let numbers = shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
        let size = numbers.and_then(|n| n.checked_mul(size_of::<f32>())).unwrap_or(usize::MAX);
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            self.refuse(format!(
                "tensor `{key}` and those before it are more than the file can hold"
            ))
        })?;
        let t = match &mut self.content {
            Content::Chainer(archive) => archive.tensor(key)?,
            Content::Torch(file) => {
                let tensor = file.tensor(key)?;
                match tensor.data {
                    TorchData::F32(values) | TorchData::Half(values) => {
                        Tensor::from_vec(values, tensor.shape, &Device::Cpu)?
                    }
                    TorchData::F64(values) => Tensor::from_vec(values, tensor.shape, &Device::Cpu)?,
                    TorchData::I64(values) => Tensor::from_vec(values, tensor.shape, &Device::Cpu)?,
                }
            }
            Content::Safetensors(bytes) => {
                use candle_core::safetensors::Load;
                let file = SafeTensors::deserialize(bytes).map_err(sngan_tensor::Error::from)?;
                let view = file.tensor(key).map_err(sngan_tensor::Error::from)?;
                view.load(&Device::Cpu)?
            }
        };
        let t = t.to_dtype(DType::F32)?;
        let finite = t.flatten_all()?.to_vec1::<f32>()?.iter().all(|x| x.is_finite());
        if !finite {
            return Err(self.refuse(format!("tensor `{key}` holds a number that is not finite")));
        }
        Ok(t)
    }

    /// The whole number `key`, such as a counter, if it is there.
    pub(super) fn counter(&mut self, key: &str) -> Option<u64> {
        let Content::Chainer(archive) = &mut self.content else { return None };
        if !archive.header(key).ok()?.shape.is_empty() {
            return None;
        }
        let t = archive.tensor(key).ok()?.to_dtype(DType::I64).ok()?;
        u64::try_from(t.to_scalar::<i64>().ok()?).ok()
    }
}

/// What the tensors of a file may take, bytes: half numbers are widened, and numbers that are alike are packed well.
fn allowed(length: usize) -> usize {
    2 * length + (8 << 20)
}

fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}
