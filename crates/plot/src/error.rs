//! The one error of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong between records and figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// A sweep's `plan.json` that is missing or malformed.
    #[error(
        "no whole plan in {path}: {reason}; `sngan sweep` into this folder writes one, and keeps finished runs; move away what is left of this one first"
    )]
    Plan {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Scores that must not share an axis or a column.
    #[error(
        "{run} was scored under another protocol than most runs here: {differences}; score all of them alike, against the same images through the same network, or draw them apart"
    )]
    MixedProtocols {
        /// The run's folder.
        run: PathBuf,
        /// `key: the sweep's → the run's`.
        differences: String,
    },
    /// Runs that would share a cell of a table, though they are not repetitions of each other.
    #[error(
        "{run} and {other} are both `{label}` in setting {setting}, {why}; give one of them a label of its own (the key `label`), or keep them in different folders"
    )]
    MixedRuns {
        /// A run's folder.
        run: PathBuf,
        /// Another's.
        other: PathBuf,
        /// The label of both.
        label: String,
        /// The setting of both.
        setting: String,
        /// `with the same seed`, or the values that differ.
        why: String,
    },
    /// Runs that a table or figure would pool as repetitions of one row, though they have other labels and other values.
    #[error(
        "{run} and {other} would be pooled as repetitions of one row, but differ in {differences}; keep them in different folders"
    )]
    MixedRow {
        /// A run's folder.
        run: PathBuf,
        /// Another's.
        other: PathBuf,
        /// `key: the one's → the other's`.
        differences: String,
    },
    /// A sample grid that cannot be read.
    #[error("{path}: unreadable image: {reason}; draw it again with `sngan generate`")]
    Image {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
    /// Records that cannot be made into a table, or read from one.
    #[error("failed to write the table {path}: {reason}")]
    Table {
        /// The file, or the table's name.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A collection that cannot be read, or whose files do not belong together.
    #[error(
        "{path}: {reason}; gather the records again (`sngan collect`), or take the collection's files from where they came"
    )]
    Collection {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A folder that should be a run's.
    #[error("{path} is no run: it holds no spec.toml")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of nothing that is looked for.
    #[error(
        "{path} is no sweep, no run and no collection: it has no plan.json, spec.toml or collection.json"
    )]
    NoSweep {
        /// The folder.
        path: PathBuf,
    },
    /// A file where the folder of a sweep or a collection is expected.
    #[error("{path} is a file; name the folder that it is in")]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// A collection that would go into the folder that holds the runs themselves.
    #[error("{path} is a sweep's folder; gather its records in another")]
    SweepFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A folder to be made that already exists.
    #[error("{path} is there already; name a folder that is not")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Drawing failed.
    #[error("failed to draw {what}: {reason}")]
    Draw {
        /// The figure.
        what: String,
        /// The reason.
        reason: String,
    },
    /// No table or figure has this id.
    #[error("unknown table or figure `{id}`; known: {known}")]
    Unknown {
        /// The id given.
        id: String,
        /// All ids.
        known: String,
    },
    /// No claim has this number.
    #[error("no claim has the number {number}; the claims are:{known}")]
    UnknownClaim {
        /// The number given.
        number: u32,
        /// A line for each claim.
        known: String,
    },
    /// The claims' file does not parse, or names what does not exist.
    #[error("failed to parse {path}: {reason}")]
    Claims {
        /// The file.
        path: PathBuf,
        /// The reason, with the claim's number where known.
        reason: String,
    },
    /// The paper's numbers, which are embedded, do not parse.
    #[error("{file}: {source}")]
    Reference {
        /// The embedded file.
        file: &'static str,
        /// Which line and column, and what is wrong with it.
        source: csv::Error,
    },
}

impl Error {
    /// An [`Error::Collection`] for `path`.
    pub(crate) fn collection(path: &Path, reason: impl std::fmt::Display) -> Error {
        Error::Collection { path: path.into(), reason: reason.to_string() }
    }

    /// An [`Error::Table`] for `path`.
    pub(crate) fn table(path: &Path, reason: impl std::fmt::Display) -> Error {
        Error::Table { path: path.into(), reason: reason.to_string() }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
