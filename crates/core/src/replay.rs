//! Replaying a training from given weights, images and noise, to compare with an independent implementation. docs/replay.md.
//!
//! A case is one safetensors file: initial state by checkpoint name, the inputs of every update, and under the metadata key `spec` the
//! complete spec as JSON.

use crate::checkpoint;
use crate::trainer::{Backend, Trainer};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::SafeTensors;
use sngan_experiment::{RunSpec, atomic};
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;
use std::path::Path;

/// A spec with its initial state and inputs.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is replayed; `gen_updates` says how many updates.
    pub spec: RunSpec,
    /// Weights, γ, β, running averages and `u` by checkpoint name; inputs as `z.generator.<update>`, `real.<round>`,
    /// `z.discriminator.<round>`, `epsilon.<round>`; with labels `y.generator.<update>`, `y.real.<round>`, `y.discriminator.<round>`.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Reads a case file; tensors are f32 or f64.
///
/// # Errors
/// When the file is no safetensors, or its metadata holds no complete spec.
pub fn read(path: &Path) -> Result<Case> {
    let refuse = |reason: String| Error::Invalid(format!("{}: {reason}", path.display()));
    let bytes = sngan_experiment::regular::read(path)
        .map_err(|e| refuse(format!("cannot be read: {e}")))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)
        .map_err(|e| refuse(format!("is no safetensors file: {e}")))?;
    let text = header.metadata().as_ref().and_then(|m| m.get("spec"));
    let text = text.ok_or_else(|| refuse("its metadata has no `spec`".into()))?;
    let spec: RunSpec =
        serde_json::from_str(text).map_err(|e| refuse(format!("metadata `spec`: {e}")))?;
    spec.validate()?;
    checkpoint::holds_networks(&bytes, &spec).map_err(refuse)?;
    Ok(Case { spec, tensors: tensors(path, &bytes)? })
}

/// The tensors of a safetensors file, f32 or f64 as they are; `path` is for messages.
///
/// # Errors
/// When `bytes` are no safetensors, or a tensor has another type.
pub fn tensors(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let tensors = tensor_file::decode(bytes, Types::F32AndF64, |_| true);
    tensors.map_err(|e| Error::Invalid(format!("{}: {e}", path.display())))
}

/// Runs every update of `case` on `backend`. Returns the final state by checkpoint name, both Adams' moments (`adam.m.…`, `adam.v.…`), and
/// per update, `[gen_updates]`: `update.loss_d`, `.loss_reg`, `.loss_g`, `.d_real`, `.d_fake`, `.grad_norm_d`, `.grad_norm_g`; with a
/// classifier `.loss_class_d`, `.loss_class_g`.
///
/// # Errors
/// A missing or misshapen tensor.
pub fn run(case: &Case, backend: &dyn Backend) -> Result<BTreeMap<String, Tensor>> {
    let mut trainer = Trainer::replaying(&case.spec, case.tensors.clone(), backend)?;
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..case.spec.gen_updates {
        let update = trainer.update(true)?;
        let details = update.details.unwrap_or_default();
        let values = [
            ("loss_d", update.loss_d),
            ("loss_reg", update.loss_reg),
            ("loss_g", update.loss_g),
            ("d_real", update.d_real),
            ("d_fake", update.d_fake),
            ("grad_norm_d", details.grad_norm_d),
            ("grad_norm_g", details.grad_norm_g),
        ];
        let classifier =
            [("loss_class_d", update.loss_class_d), ("loss_class_g", update.loss_class_g)];
        let classifier = classifier.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (name, value) in values.into_iter().chain(classifier) {
            columns.entry(name).or_default().push(value);
        }
    }
    let mut out = trainer.state()?;
    for (name, column) in columns {
        let n = column.len();
        out.insert(format!("update.{name}"), Tensor::from_vec(column, n, &Device::Cpu)?);
    }
    Ok(out)
}

/// Writes tensors as f64 safetensors, sorted by name.
///
/// # Errors
/// Any I/O error.
pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    Ok(atomic::write(path, &tensor_file::encode(tensors, DType::F64)?)?)
}
