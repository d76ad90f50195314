//! Spectra of anybody's weights: safetensors, or what `torch.save` or Chainer's `save_npz` wrote.

use super::Spectrum;
use crate::interchange;
use crate::{Error, Result};
use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use sngan_experiment::regular;
use sngan_tensor::decomposition::matrix;
use sngan_tensor::npy::Numbers;
use sngan_tensor::npz::NpzFile;
use sngan_tensor::torch_file::{TorchData, TorchFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A weight of a file.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NamedSpectrum {
    /// Its name in the file; of a weight divided by σ the layer's.
    pub name: String,
    /// Its shape; the matrix is the first dimension by the others, but for a weight divided by σ, where u says which dimension comes first.
    pub shape: Vec<usize>,
    /// Whether this is W/σ, with σ = uᵀWv by the vectors that PyTorch's spectral normalization keeps in the file, or, as its authors' code
    /// in Chainer takes it, by those of one iteration from the u that it keeps.
    pub normalized: bool,
    /// Its singular values.
    pub spectrum: Spectrum,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FileSpectra {
    /// Of every tensor of two or more dimensions, in the order of their names.
    pub spectra: Vec<NamedSpectrum>,
    /// Tensors of two or more dimensions whose numbers are no floating-point ones, with their type, and tensors that cannot be read, with the
    /// reason.
    pub left_out: Vec<String>,
}

/// A file's tensors by name.
#[derive(Default)]
struct Found {
    floats: BTreeMap<String, Tensor>,
    left_out: Vec<String>,
}

/// The spectra of every tensor with two or more dimensions. `state_dict` names the dictionary to take from a file that nests several: of
/// `torch.save` or, by their keys' beginning, of Chainer.
///
/// # Errors
/// A file that is none of the formats, is cut or corrupt, has no such tensor, or holds a weight that is not finite; the message names it.
pub fn of_file(path: &Path, state_dict: Option<&str>) -> Result<FileSpectra> {
    let io = |e| sngan_experiment::Error::io("read", path)(e);
    drop(regular::open(path).map_err(io)?);
    // First, because files of torch.save may be archives too, but without arrays.
    let found = if let Some(file) = NpzFile::recognized(path)? {
        let length = std::fs::metadata(path).map_err(io)?.len();
        arrays(file, state_dict, allowed(length as usize))?
    } else {
        let bytes = regular::read(path).map_err(io)?;
        if TorchFile::recognizes(&bytes) {
            torch(path, bytes, state_dict)?
        } else {
            safetensors(path, &bytes)?
        }
    };
    spectra(path, found)
}

fn spectra(path: &Path, found: Found) -> Result<FileSpectra> {
    let mut spectra = Vec::new();
    for (name, weight) in found.floats.iter().filter(|(_, t)| is_weight(t.dims())) {
        let of = |name: &str, normalized: bool, w: &Tensor| match Spectrum::of(w) {
            Ok(spectrum) => Ok(NamedSpectrum {
                name: name.into(),
                shape: weight.dims().to_vec(),
                normalized,
                spectrum,
            }),
            Err(e) => Err(Error::Invalid(format!("{}: tensor `{name}`: {e}", path.display()))),
        };
        spectra.push(of(name, false, weight)?);
        if let Some((layer, w)) = normalized(name, weight, &found.floats)? {
            spectra.push(of(&layer, true, &w)?);
        }
    }
    if spectra.is_empty() {
        let others = if found.left_out.is_empty() {
            String::new()
        } else {
            format!(" but {}", found.left_out.join(", "))
        };
        return Err(Error::Invalid(format!(
            "{} has no floating-point tensor of two or more dimensions{others}",
            path.display()
        )));
    }
    Ok(FileSpectra { spectra, left_out: found.left_out })
}

/// Whether a tensor is a matrix in any sense.
fn is_weight(shape: &[usize]) -> bool {
    shape.len() >= 2 && !shape.contains(&0)
}

/// W/σ and the layer's name, where `name` is a raw weight that spectral normalization divides.
fn normalized(
    name: &str,
    weight: &Tensor,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Option<(String, Tensor)>> {
    match name.strip_suffix("/W") {
        Some(layer) => normalized_by_chainer(layer, weight, tensors.get(&format!("{layer}/u"))),
        None => normalized_by_torch(name, weight, tensors),
    }
}

/// The same of a layer of the paper's authors' code in Chainer, which keeps `[1, d_out]` for u and takes σ after one iteration from it.
fn normalized_by_chainer(
    layer: &str,
    weight: &Tensor,
    u: Option<&Tensor>,
) -> Result<Option<(String, Tensor)>> {
    let w = matrix(weight)?.to_dtype(DType::F64)?;
    let Some(u) = u.filter(|u| u.elem_count() == w.dims()[0]) else { return Ok(None) };
    let unit = |x: Tensor| -> Result<Tensor> {
        let norm = x.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
        Ok((x / (norm + 1e-12))?)
    };
    let v = unit(u.to_dtype(DType::F64)?.reshape((1, ()))?.matmul(&w)?)?;
    let forward = w.matmul(&v.t()?)?;
    let sigma = (unit(forward.clone())? * forward)?.sum_all()?.to_scalar::<f64>()?;
    Ok(Some((layer.into(), (w / sigma)?)))
}

/// The same of PyTorch's `spectral_norm`, of either of its two ways to name things.
fn normalized_by_torch(
    name: &str,
    weight: &Tensor,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<Option<(String, Tensor)>> {
    let (layer, vectors) = if let Some(layer) = name.strip_suffix("_orig") {
        (layer, format!("{layer}_"))
    } else if let Some(layer) = name.strip_suffix(".original") {
        (layer, format!("{layer}.0._"))
    } else {
        return Ok(None);
    };
    let (Some(u), Some(v)) = (tensors.get(&(vectors.clone() + "u")), tensors.get(&(vectors + "v")))
    else {
        return Ok(None);
    };
    let (u, v) = (u.flatten_all()?.to_dtype(DType::F64)?, v.flatten_all()?.to_dtype(DType::F64)?);
    // Transposed convolutions have their output channels second; where both dimensions have the length of u, it fits the one better that it
    // was iterated for.
    let mut best: Option<(f64, Tensor)> = None;
    for first in 0..2 {
        let w = matrix(&weight.transpose(0, first)?.contiguous()?)?.to_dtype(DType::F64)?;
        if w.dims() != [u.elem_count(), v.elem_count()] {
            continue;
        }
        let product = w.matmul(&v.unsqueeze(1)?)?.squeeze(1)?;
        let sum = |t: Tensor| Ok::<f64, Error>(t.sum_all()?.to_scalar::<f64>()?);
        let (sigma, norm) = (sum((&product * &u)?)?, sum(product.sqr()?)?.sqrt());
        // cos of the angle between Wv and u: 1 right after PyTorch's iteration.
        let fit = if norm > 0.0 { sigma / norm } else { 0.0 };
        if best.as_ref().is_none_or(|(other, _)| fit > *other) {
            best = Some((fit, (w / sigma)?));
        }
    }
    Ok(best.map(|(_, w)| (layer.into(), w)))
}

/// What the tensors of a file may take, bytes: many names may view one storage, and an archive inflate to a thousand times its size.
fn allowed(length: usize) -> usize {
    2 * length + (64 << 20)
}

/// Why a tensor was left out that may be a good one.
const FULL: &str = "the tensors before it hold all that the file can";

/// The arrays of an archive whose names begin with `prefix/`, or all.
fn arrays(mut file: NpzFile, prefix: Option<&str>, mut left: usize) -> Result<Found> {
    let inner = |name: &str| match prefix {
        None => Some(name.to_string()),
        Some(prefix) => Some(name.strip_prefix(prefix)?.strip_prefix('/')?.to_string()),
    };
    let mut found = Found::default();
    for name in file.names().map(str::to_string).collect::<Vec<_>>() {
        let Some(shown) = inner(&name) else { continue };
        let header = file.header(&name)?;
        let shape: Vec<usize> = header.shape.iter().map(|n| *n as usize).collect();
        if !header.numbers.is_float() {
            found.leave_out(&shown, &shape, header.numbers.name());
            continue;
        }
        // Half numbers are widened.
        let widened = 1 + u64::from(header.numbers == Numbers::F16);
        let size = header.bytes().unwrap_or(u64::MAX).saturating_mul(widened);
        // While it is read, its bytes stand beside the tensor.
        let fits = |size: &usize| size.saturating_mul(2) <= left;
        let Some(size) = usize::try_from(size).ok().filter(fits) else {
            found.leave_out(&shown, &shape, FULL);
            continue;
        };
        left -= size;
        match file.tensor(&name) {
            Ok(tensor) => drop(found.floats.insert(shown, tensor)),
            Err(e) => found.left_out.push(format!("`{shown}` ({e})")),
        }
    }
    let unreadable = file.unreadable().filter_map(|(name, reason)| Some((inner(name)?, reason)));
    found.left_out.extend(unreadable.map(|(name, reason)| format!("`{name}` ({reason})")));
    if let Some(prefix) = prefix.filter(|_| found.floats.is_empty() && found.left_out.is_empty()) {
        let first = |name: &str| name.split_once('/').map(|(first, _)| first.to_string());
        let beginnings: BTreeSet<String> = file.names().filter_map(first).collect();
        let listed = beginnings.into_iter().take(8).collect::<Vec<_>>().join(", ");
        return Err(Error::Invalid(format!(
            "no array's name begins with `{prefix}/`; there are {listed}"
        )));
    }
    Ok(found)
}

fn torch(path: &Path, bytes: Vec<u8>, state_dict: Option<&str>) -> Result<Found> {
    let mut left = allowed(bytes.len());
    let file = TorchFile::from_bytes(path, bytes, state_dict)?;
    let mut found = Found::default();
    for name in file.names().map(str::to_string).collect::<Vec<_>>() {
        if !file.is_float(&name) {
            found.leave_out(
                &name,
                file.shape(&name).unwrap_or_default(),
                file.storage(&name).unwrap_or_default(),
            );
            continue;
        }
        let shape = file.shape(&name).unwrap_or_default();
        let size = shape.iter().product::<usize>().saturating_mul(size_of::<f64>());
        let Some(rest) = left.checked_sub(size) else {
            found.leave_out(&name, shape, FULL);
            continue;
        };
        left = rest;
        let tensor = file.tensor(&name)?;
        let t = match tensor.data {
            TorchData::F32(values) | TorchData::Half(values) => {
                Tensor::from_vec(values, tensor.shape, &Device::Cpu)?
            }
            TorchData::F64(values) => Tensor::from_vec(values, tensor.shape, &Device::Cpu)?,
            TorchData::I64(_) => continue,
        };
        found.floats.insert(name, t);
    }
    found.left_out.extend(file.unreadable().map(|(name, reason)| format!("`{name}` ({reason})")));
    Ok(found)
}

fn safetensors(path: &Path, bytes: &[u8]) -> Result<Found> {
    use safetensors::Dtype;
    let wrong = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let file = SafeTensors::deserialize(bytes).map_err(|e| {
        wrong(format!("is neither a safetensors file ({e}), nor one of torch.save or numpy.savez"))
    })?;
    let mut found = Found::default();
    let of_networks = interchange::of_networks(bytes);
    for (name, view) in file.tensors().into_iter().filter(|(name, _)| of_networks(name)) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "safetensors' types, of which few are read"
        )]
        match view.dtype() {
            Dtype::F64 => drop(found.floats.insert(name, view.load(&Device::Cpu)?)),
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => {
                drop(found.floats.insert(name, view.load(&Device::Cpu)?.to_dtype(DType::F32)?))
            }
            other => found.leave_out(&name, view.shape(), &format!("{other:?}")),
        }
    }
    Ok(found)
}

impl Found {
    fn leave_out(&mut self, name: &str, shape: &[usize], dtype: &str) {
        if is_weight(shape) {
            self.left_out.push(format!("`{name}` ({dtype})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::safetensors::save;
    use std::collections::HashMap;

    fn saved(tensors: &[(&str, Tensor)]) -> Result<FileSpectra> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        save(
            &tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect::<HashMap<_, _>>(),
            &path,
        )
        .unwrap();
        of_file(&path, None)
    }

    fn diagonal() -> Tensor {
        Tensor::new(&[[3.0f32, 0.0, 0.0], [0.0, 4.0, 0.0]], &Device::Cpu).unwrap()
    }

    #[test]
    fn every_floating_point_type_is_read_and_others_are_named() {
        let of = |dtype| diagonal().to_dtype(dtype).unwrap();
        let tensors = [
            ("half", of(DType::F16)),
            ("brain", of(DType::BF16)),
            ("double", of(DType::F64)),
            ("whole", of(DType::I64)),
        ];
        let found = saved(&tensors).unwrap();
        assert_eq!(
            found.spectra.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["brain", "double", "half"]
        );
        assert!(found.spectra.iter().all(|s| (s.spectrum.sigma() - 4.0).abs() < 1e-12));
        assert_eq!(found.left_out, ["`whole` (I64)"]);
        let dense = Tensor::new(&[[3.0f32, 4.0]], &Device::Cpu).unwrap();
        assert!(
            (saved(&[("head", dense)]).unwrap().spectra[0].spectrum.sigma() - 5.0).abs() < 1e-12
        );
    }

    #[test]
    fn sigma_of_a_square_transposed_convolution_is_that_of_its_output_channels() {
        // u is e₁ of the second dimension, v that of the first, with W = 3·e₁e₁ᵀ + 4·e₀e₁ᵀ there: as PyTorch leaves them, u ≈ Wv/‖Wv‖.
        let w = Tensor::new(&[[0.0f32, 3.0], [0.0, 4.0]], &Device::Cpu).unwrap();
        let vector = |x: &[f32]| Tensor::new(x, &Device::Cpu).unwrap();
        let (u, v) = (vector(&[0.0, 1.0]), vector(&[0.6, 0.8]));
        let found = saved(&[("t.weight_orig", w.clone()), ("t.weight_u", u), ("t.weight_v", v)])
            .unwrap()
            .spectra;
        let normalized: Vec<_> = found.iter().filter(|s| s.normalized).collect();
        assert!((normalized[0].spectrum.sigma() - 1.0).abs() < 1e-6, "{normalized:?}");
        // The same weight as a dense layer's, its vectors the other way round.
        let (u, v) = (vector(&[0.6, 0.8]), vector(&[0.0, 1.0]));
        let found =
            saved(&[("d.weight_orig", w), ("d.weight_u", u), ("d.weight_v", v)]).unwrap().spectra;
        assert!((found.iter().find(|s| s.normalized).unwrap().spectrum.sigma() - 1.0).abs() < 1e-6);
    }

    /// A snapshot as Chainer writes it, of the arrays' names, types, shapes and numbers.
    fn snapshot(path: &Path, arrays: &[(&str, &str, &str, Vec<u8>)]) {
        use std::io::Write;
        let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
        for (name, descr, shape, numbers) in arrays {
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(format!("{name}.npy"), options).unwrap();
            let header =
                format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
            archive.write_all(b"\x93NUMPY\x01\x00\x76\x00").unwrap();
            archive.write_all(format!("{header:<117}\n").as_bytes()).unwrap();
            archive.write_all(numbers).unwrap();
        }
        archive.finish().unwrap();
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn chainers_snapshots_are_read_and_what_is_left_out_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("D_1000.npz");
        let w = floats(&[3.0, 0.0, 0.0, 0.0, 4.0, 0.0]);
        snapshot(
            &path,
            &[
                // One iteration from (1, 1) leads to (9, 16) and v = (3, 4, 0)/5; σ = ‖Wv‖ = √(81 + 256)/5.
                ("block1/c1/W", "<f4", "(2, 3, 1, 1)", w.clone()),
                ("block1/c1/b", "<f4", "(2,)", floats(&[0.0, 0.0])),
                ("block1/c1/u", "<f4", "(1, 2)", floats(&[1.0, 1.0])),
                ("l5/W", "<f4", "(2, 3)", w.clone()),
                ("half/W", "<f2", "(1, 2)", vec![0, 0x42, 0, 0x44]),
                ("counts", "<i4", "(1, 2)", vec![0; 8]),
                ("none", "|O", "()", vec![0; 4]),
                ("short/W", "<f4", "(2, 3)", w[..23].to_vec()),
                ("block1/b1/N", "<i8", "()", vec![0; 8]),
            ],
        );
        let found = of_file(&path, None).unwrap();
        let names: Vec<_> = found.spectra.iter().map(|s| (s.name.as_str(), s.normalized)).collect();
        assert_eq!(
            names,
            [
                ("block1/c1/W", false),
                ("block1/c1", true),
                ("block1/c1/u", false),
                ("half/W", false),
                ("l5/W", false)
            ]
        );
        let sigma = 337f64.sqrt() / 5.0;
        let of = |i: usize| found.spectra[i].spectrum.sigma();
        assert!((of(1) - 4.0 / sigma).abs() < 1e-9, "{}", of(1));
        assert!((of(3) - 5.0).abs() < 1e-9 && (of(4) - 4.0).abs() < 1e-6);
        let left_out = found.left_out.join("; ");
        assert!(
            left_out.contains("`counts` (int32)")
                && left_out.contains("`none` (holds |O")
                && left_out.contains(
                    "`short/W` (has 151 bytes in the archive, but its header promises 152"
                ),
            "{left_out}"
        );
        let block = of_file(&path, Some("block1")).unwrap();
        assert_eq!(block.spectra[0].name, "c1/W");
        let message = of_file(&path, Some("gen")).unwrap_err().to_string();
        assert!(message.contains("begins with `gen/`") && message.contains("block1"), "{message}");
    }

    #[test]
    fn a_snapshot_that_would_inflate_to_all_memory_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.npz");
        // Zeros of 24 MB each from 24 kB: the second has no room to be read.
        let zeros = vec![0; 24 << 20];
        let shape = "(1, 6291456)";
        snapshot(&path, &[("a", "<f4", shape, zeros.clone()), ("b", "<f4", shape, zeros)]);
        let file = NpzFile::open(&path).unwrap();
        let found = arrays(file, None, allowed(80_000)).unwrap();
        assert_eq!(found.floats.len(), 1);
        assert_eq!(found.left_out, [format!("`b` ({FULL})")]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let message = of_file(Path::new("/dev/zero"), None).unwrap_err().to_string();
        assert!(message.contains("no regular file"), "{message}");
    }

    #[test]
    fn a_file_without_weights_is_an_error() {
        let bias = Tensor::new(&[1.0f32, 2.0], &Device::Cpu).unwrap();
        let refused = saved(&[("bias", bias), ("steps", diagonal().to_dtype(DType::I64).unwrap())])
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("no floating-point tensor") && refused.contains("`steps` (I64)"),
            "{refused}"
        );
    }

    #[test]
    fn weights_of_pytorchs_spectral_norm_are_divided_by_its_sigma() {
        let vector = |x: &[f32]| Tensor::new(x, &Device::Cpu).unwrap();
        let (u, v) = (vector(&[0.0, 1.0]), vector(&[0.0, 1.0, 0.0]));
        let transposed = diagonal().t().unwrap().contiguous().unwrap();
        let tensors = [
            ("a.weight_orig", diagonal()),
            ("a.weight_u", u.clone()),
            ("a.weight_v", v.clone()),
            ("b.parametrizations.weight.original", transposed),
            ("b.parametrizations.weight.0._u", u),
            ("b.parametrizations.weight.0._v", v),
        ];
        let found = saved(&tensors).unwrap().spectra;
        assert_eq!(found.iter().filter(|s| !s.normalized).count(), 2);
        let normalized: Vec<_> = found.iter().filter(|s| s.normalized).collect();
        assert_eq!(
            normalized.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["a.weight", "b.parametrizations.weight"]
        );
        assert!(normalized.iter().all(|s| (s.spectrum.sigma() - 1.0).abs() < 1e-7
            && (s.spectrum.singular_values[1] - 0.75).abs() < 1e-7));
    }
}
