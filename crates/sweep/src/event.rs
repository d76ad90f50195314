//! What a sweep tells while it is at work, and at its end.

use sngan_core::Warning;
use sngan_experiment::records::{ScoreRecord, Status};

/// What happened, told from the thread it happened in.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Pictures of a set were left out, or read in a way that may surprise.
    Pictures {
        /// The set's name.
        set: String,
        /// What happened to which.
        remark: String,
    },
    /// What runs will be scored through.
    Scoring {
        /// The network's name; none where nothing is scored.
        backbone: Option<String>,
    },
    /// Runs that were planned before are not part of the experiment any more: they stay in their folders and count no longer.
    Dropped {
        /// Folder names.
        runs: Vec<String>,
    },
    /// A run begins or continues.
    Started {
        /// Folder name.
        run: String,
    },
    /// Something about a run is not as it should be, and it goes on.
    Warning {
        /// Folder name.
        run: String,
        /// What.
        warning: Warning,
    },
    /// A generator update is done.
    Progress {
        /// Folder name.
        run: String,
        /// Generator updates done.
        gen_update: u64,
        /// Of so many.
        total: u64,
        /// D's loss.
        loss_d: f64,
        /// G's loss.
        loss_g: f64,
    },
    /// A run ended.
    Ended {
        /// Folder name.
        run: String,
        /// How.
        status: Status,
        /// The reason for divergence or failure.
        reason: Option<String>,
        /// Its scores, where there are any.
        scores: Vec<ScoreRecord>,
    },
}

/// How many runs ended how, those that were done before included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Reached their horizon (and were scored).
    pub completed: usize,
    /// Diverged.
    pub diverged: usize,
    /// Failed.
    pub failed: usize,
    /// Stopped, or not begun because the sweep was stopped.
    pub interrupted: usize,
    /// Left to another sweep that is at them.
    pub elsewhere: usize,
}

impl Summary {
    pub(crate) fn count(&mut self, status: Status) {
        match status {
            Status::Completed => self.completed += 1,
            Status::Diverged => self.diverged += 1,
            Status::Failed => self.failed += 1,
            Status::Interrupted => self.interrupted += 1,
            Status::Running => self.elsewhere += 1,
        }
    }
}
