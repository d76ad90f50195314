//! What an experiment reproduces of the paper.

use crate::Dataset;
use crate::protocol::ProtocolName;
use serde::{Deserialize, Serialize};

/// An experiment's `[paper]`: which of the paper's artefacts its runs are for, and what the paper's
/// own runs are. A file without it is your own experiment: no numbers of the paper are shown beside
/// its scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// The paper's data.
    pub dataset: Dataset,
    /// Side of its images, pixels.
    pub side: usize,
    /// Generator updates of its runs.
    pub gen_updates: u64,
    /// Whether these are twice those of the artefact's other rows: Table 2's rows of 2x updates.
    #[serde(default)]
    pub twice: bool,
    /// The paper's feature extractor.
    pub backbone: String,
    /// How the paper scores.
    pub protocols: Vec<ProtocolName>,
    /// The tables and figures that the runs are for. A report shows the paper's numbers of the
    /// first.
    pub artefacts: Vec<String>,
    /// Ends the file names of artefacts that several experiments share: `stl10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

impl Paper {
    /// Whether the runs are for a table or figure, by its short name.
    pub fn has(&self, artefact: &str) -> bool {
        self.artefacts.iter().any(|a| a == artefact)
    }
}
