//! The one error of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong between a file and images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("failed to {action} {path}: {source}")]
    Io {
        /// The verb, such as `read`.
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file's content does not fit its format.
    #[error("{path}, offset {offset}: {reason}")]
    Malformed {
        /// The file concerned.
        path: PathBuf,
        /// Byte offset in the (decompressed) file.
        offset: u64,
        /// What was found, and what was expected.
        reason: String,
    },
    /// An image could not be decoded.
    #[error("{path}, offset {offset}: unreadable image: {reason}")]
    Image {
        /// The file concerned.
        path: PathBuf,
        /// How far the decoder had read, bytes.
        offset: u64,
        /// The decoder's reason.
        reason: String,
    },
    /// A data set is not in its place.
    #[error("{what} is not in {path}: {remedy}")]
    Missing {
        /// The data set.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// A download failed or gave the wrong bytes.
    #[error(
        "failed to fetch {url}: {reason}. Offline, put the file at {path} by hand, then run the same `sngan data fetch {name}` again, which checks and unpacks it"
    )]
    Fetch {
        /// The address.
        url: String,
        /// The reason.
        reason: String,
        /// Where the file belongs.
        path: PathBuf,
        /// The data set.
        name: String,
    },
    /// A file does not have the checksum it should have.
    #[error("{path}: {reason}; move the file away and fetch it again (`sngan data fetch {name}`)")]
    Checksum {
        /// The file concerned.
        path: PathBuf,
        /// What was found, and what was expected.
        reason: String,
        /// The data set.
        name: String,
    },
    /// A record or file of the workspace.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// An argument makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// An [`Error::Io`] for `path`, to be used with `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn malformed(path: &Path, offset: u64, reason: impl Into<String>) -> Error {
        Error::Malformed { path: path.into(), offset, reason: reason.into() }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
