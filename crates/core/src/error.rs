//! The one error of this crate.

use sngan_experiment::records::Status;
use std::path::PathBuf;

/// What can go wrong in networks, training and checkpoints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// An operation, decomposition, optimizer or file of the tensor floor failed.
    #[error(transparent)]
    Tensor(#[from] sngan_tensor::Error),
    /// A spec, record or run directory was refused.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// Training data could not be read.
    #[error(transparent)]
    Data(#[from] sngan_data::Error),
    /// A checkpoint is corrupt or of another run.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What makes a run's updates failed, such as a GPU.
    #[error(transparent)]
    Backend(Box<dyn std::error::Error + Send + Sync>),
    /// Whoever watches a training failed, such as at scoring its samples.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
    /// Whoever watches a training was told to stop before it had done with an update.
    #[error("was told to stop")]
    Stopped,
    /// A file could not be encoded or written.
    #[error("failed to write {path}: {reason}")]
    Write {
        /// The file concerned.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Shapes, sizes or numbers that make no sense together.
    #[error("{0}")]
    Invalid(String),
}

impl From<Error> for candle_core::Error {
    /// For what implements Candle's traits, whose errors are Candle's.
    fn from(error: Error) -> candle_core::Error {
        if let Error::Candle(error) = error { error } else { candle_core::Error::wrap(error) }
    }
}

/// The status of a run that an error ended: `failed`, but `interrupted` where a file or disk that failed is at the root, rather than what a file
/// holds or a number, for then another try may succeed, and where it was told to stop.
pub fn status_after(error: &(dyn std::error::Error + 'static)) -> Status {
    let stopped = |e: &(dyn std::error::Error + 'static)| {
        e.is::<std::io::Error>() || matches!(e.downcast_ref(), Some(Error::Stopped))
    };
    if std::iter::successors(Some(error), |e| e.source()).any(stopped) {
        Status::Interrupted
    } else {
        Status::Failed
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_wrong_value_through_every_wrapper() {
        let full = || sngan_experiment::Error::Io {
            action: "write",
            path: "log.jsonl".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        };
        for error in
            [Error::Experiment(full()), Error::Observer(Box::new(Error::Experiment(full())))]
        {
            assert_eq!(status_after(&error), Status::Interrupted);
        }
        assert_eq!(status_after(&full()), Status::Interrupted);
        assert_eq!(status_after(&Error::Invalid("a weight is not finite".into())), Status::Failed);
    }
}
