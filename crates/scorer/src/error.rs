//! The one error of this crate.

use std::path::PathBuf;

/// What can go wrong while a scorer is trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be written.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// The network or its weights file.
    #[error(transparent)]
    Eval(#[from] sngan_eval::Error),
    /// An operation or Adam.
    #[error(transparent)]
    Tensor(#[from] sngan_tensor::Error),
    /// Candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A recipe, or images, that nothing can be learned with.
    #[error("{what}: {reason}")]
    Input {
        /// The input concerned.
        what: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The loss stopped being finite.
    #[error("training: loss is not finite in epoch {epoch}, update {update}")]
    Diverged {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 0 within the epoch.
        update: usize,
    },
    /// The state of a training that was cut off cannot be taken up.
    #[error("{path}: {reason}; move the file away to train from the start")]
    State {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// An [`Error::Input`].
    pub(crate) fn input(what: &'static str, reason: impl Into<String>) -> Error {
        Error::Input { what, reason: reason.into() }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
