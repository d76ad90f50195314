//! A command that is ready to run: what it will change on disk, and the work that does it.

use crate::Ended;
use anyhow::{Context, Result};
use std::fmt;
use std::path::Path;

/// One change on disk, as `--dry-run` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change(String);

impl Change {
    /// The file `path` is written, or replaced where it is there.
    pub(crate) fn file(path: &Path, what: &str) -> Change {
        let verb = if path.exists() { "replace" } else { "write" };
        Change(format!("{verb} {}: {what}", path.display()))
    }

    /// Files in `folder` are written.
    pub(crate) fn into(folder: &Path, what: &str) -> Change {
        Change(format!("write into {}: {what}", folder.display()))
    }

    /// The file `path` gets longer.
    pub(crate) fn append(path: &Path, what: &str) -> Change {
        Change(format!("append to {}: {what}", path.display()))
    }

    /// Any other change, in words.
    pub(crate) fn said(line: String) -> Change {
        Change(line)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Work = Box<dyn FnOnce() -> Result<Ended> + Send>;

/// A command whose arguments have been checked. Its changes and its work come from the same values,
/// so that a dry run cannot tell another story than the run.
pub(crate) struct Job {
    changes: Option<Vec<Change>>,
    threads: Option<usize>,
    work: Work,
}

impl Job {
    /// One that makes `changes`, of which there may be none with these arguments.
    pub(crate) fn that_changes(
        changes: impl IntoIterator<Item = Change>,
        work: impl FnOnce() -> Result<Ended> + Send + 'static,
    ) -> Job {
        Job { changes: Some(changes.into_iter().collect()), threads: None, work: Box::new(work) }
    }

    /// One that never changes anything: a dry run of it is the run itself.
    pub(crate) fn that_reads(work: impl FnOnce() -> Result<Ended> + Send + 'static) -> Job {
        Job { changes: None, threads: None, work: Box::new(work) }
    }

    /// The job inside one pool of `threads` threads, 0 for one per core. Entering the pool once costs
    /// nothing; entering it for every kernel costs two context switches each.
    pub(crate) fn on(self, threads: usize) -> Job {
        Job { threads: Some(threads), ..self }
    }

    /// What will change, or `None` for a job that only reads.
    pub(crate) fn changes(&self) -> Option<&[Change]> {
        self.changes.as_deref()
    }

    pub(crate) fn run(self) -> Result<Ended> {
        let Some(threads) = self.threads else { return (self.work)() };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(super::threads(threads))
            .build()
            .context("failed to start threads")?;
        pool.install(self.work)
    }
}
