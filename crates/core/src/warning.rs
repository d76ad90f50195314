//! What is not as it should be though the work goes on; whoever called decides how it is told.

use std::fmt;

/// Something that a person should know about a run that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A checkpoint cannot be used; the one before it is taken.
    Checkpoint {
        /// What is wrong with it; names the file.
        reason: String,
    },
    /// No checkpoint can be used; the run begins again at its start.
    Anew {
        /// The run's folder.
        run: String,
    },
    /// From here on, other things make the run's updates.
    Segment {
        /// The run's folder.
        run: String,
        /// What changed, such as `device: cpu → cuda:0`.
        changes: String,
    },
    /// A run is resumed on another instruction set than it was trained on: it continues, but not bit-identically.
    InstructionSet {
        /// What it was trained on.
        trained: String,
        /// That of this machine.
        here: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Checkpoint { reason } => write!(f, "{reason}; trying the one before it"),
            Warning::Anew { run } => {
                write!(f, "{run}: no checkpoint can be used; training begins again at its start")
            }
            Warning::Segment { run, changes } => {
                write!(
                    f,
                    "{run} goes on otherwise than before ({changes}); provenance.json says from where"
                )
            }
            Warning::InstructionSet { trained, here } => write!(
                f,
                "resuming on {here} a run trained on {trained}: it continues, but not bit-identically"
            ),
        }
    }
}
