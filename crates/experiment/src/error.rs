//! The one error of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong with an experiment file, a run's spec or its records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("failed to {action} {path}: {source}")]
    Io {
        /// The verb, such as `read` or `write`.
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file was read but its content is not valid.
    #[error("failed to parse {path}: {reason}")]
    Parse {
        /// The file concerned.
        path: PathBuf,
        /// The reason, with line or key where known.
        reason: String,
    },
    /// A value of a spec is out of its range, or contradicts another.
    #[error("key `{key}`: {reason}")]
    Invalid {
        /// The key of the spec.
        key: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A folder that a run was looked for in.
    #[error("{} is no run: it has no spec.toml{}", .path.display(), of_a_sweep(.path))]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A run directory holds another spec than the one asked for.
    #[error(
        "{path} holds a run of another spec; differing keys: {differences}. Use another folder"
    )]
    SpecChanged {
        /// The run directory.
        path: PathBuf,
        /// `key: stored → asked` for each key that differs.
        differences: String,
    },
    /// A run directory's run was trained on other images than the present ones.
    #[error(
        "{path} was trained on {found}; here is {asked}. Continue it with its own images, or use another folder"
    )]
    OtherImages {
        /// The run directory.
        path: PathBuf,
        /// Its images: name and SHA-256.
        found: String,
        /// The present ones.
        asked: String,
    },
    /// A file is not what its own record says that was written.
    #[error(
        "{path} has been cut or altered: {reason}. Put a good copy of it back; `sngan verify` names all that is damaged"
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// A spec stands beside the records or weights of another run.
    #[error(
        "{path} is of run {found}, and the spec beside it of run {asked}; put the spec back that it was written with"
    )]
    OtherRun {
        /// The record or weights.
        path: PathBuf,
        /// The run that they are of.
        found: String,
        /// The run that the spec describes.
        asked: String,
    },
    /// A lock, or the folder that it protects, is not there any more, or another is in its place.
    #[error(
        "{path} was removed, renamed or replaced while a run worked there; the run stops so that no two write to one place. Its checkpoints are whole: run the same command again"
    )]
    LockLost {
        /// The folder.
        path: PathBuf,
    },
    /// Another run or sweep works in the folder.
    #[error("{path} is in use by another run or sweep; wait for it, or choose another folder")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A name that is not in its list.
    #[error("unknown {what} `{name}`; known: {known}")]
    Unknown {
        /// What kind of name, such as `scale`.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names that exist.
        known: String,
    },
}

/// Where the runs are, if the folder is a sweep's.
fn of_a_sweep(path: &Path) -> String {
    if !path.join("plan.json").is_file() {
        return if path.exists() { String::new() } else { "; it does not exist".into() };
    }
    format!("; it is a sweep, and its runs are in {}", path.join("runs").display())
}

impl Error {
    /// An [`Error::Io`] for `path`, to be used with `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// An [`Error::Parse`] for `path`.
    pub fn parse(path: &Path, reason: impl std::fmt::Display) -> Error {
        Error::Parse { path: path.to_path_buf(), reason: reason.to_string() }
    }

    /// An [`Error::Invalid`] for `key`.
    pub fn invalid(key: &'static str, reason: impl Into<String>) -> Error {
        Error::Invalid { key, reason: reason.into() }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
