//! What a run's folder says of its state, and of where its pictures are.

use super::Record;
use crate::Extent;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a run ended, or that it has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Under way, or killed without a chance to record it.
    Running,
    /// Reached its horizon.
    Completed,
    /// A loss or a weight stopped being finite: a result.
    Diverged,
    /// Stopped by a signal after writing a checkpoint.
    Interrupted,
    /// An error ended it.
    Failed,
}

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusRecord {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub version: u32,
    /// The status.
    pub status: Status,
    /// Generator updates done.
    pub gen_updates: u64,
    /// What diverged or failed.
    pub reason: Option<String>,
    /// The identity of the run ([`RunSpec::id`](crate::RunSpec::id)); absent in older folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// How far each file of records went when this was written, by its name; empty in older
    /// folders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, Extent>,
}

/// `images.json`, of a run on an image folder: where its pictures are on this machine, and what they
/// were, so that later commands find them. It is not collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagesRecord {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub version: u32,
    /// The folder, absolute.
    pub folder: PathBuf,
    /// Name of the training images, as in the provenance.
    pub name: String,
    /// Number of training images.
    pub n: usize,
    /// Names of their classes; a label is an index here.
    pub classes: Vec<String>,
    /// SHA-256 of the training images at the run's side, as in the provenance.
    pub sha256: String,
}

impl Record for StatusRecord {}
impl Record for ImagesRecord {}
