//! The one error of this crate.

use std::path::{Path, PathBuf};

/// What can go wrong while scoring images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a record.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// Operations of the networks, and PyTorch files.
    #[error(transparent)]
    Tensor(#[from] sngan_tensor::Error),
    /// Images of a data set.
    #[error(transparent)]
    Data(#[from] sngan_data::Error),
    /// Candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The source of the scored images failed.
    #[error(transparent)]
    Samples(Box<dyn std::error::Error + Send + Sync>),
    /// The device that runs a backbone failed.
    #[error(transparent)]
    Inference(Box<dyn std::error::Error + Send + Sync>),
    /// A score plan names a backbone that does not exist.
    #[error("unknown backbone `{name}`; known: {}", crate::Backbone::names().join(", "))]
    UnknownBackbone {
        /// The name given.
        name: String,
    },
    /// A weights file does not fit the network.
    #[error("failed to load scorer weights from {origin}: {reason}")]
    Weights {
        /// The file, or for example `the embedded scorer-fashion`.
        origin: String,
        /// The tensor concerned and what is wrong with it.
        reason: String,
    },
    /// A weights file is not Inception's of 2015-12-05.
    #[error("failed to load Inception weights from {origin}: {reason}")]
    Inception {
        /// The file.
        origin: String,
        /// The tensor concerned and what is wrong with it.
        reason: String,
    },
    /// Fewer samples than a covariance of this dimension needs.
    #[error("{of}: {}", too_few(*n, *dim))]
    TooFewSamples {
        /// The images or the protocol concerned.
        of: String,
        /// Samples given.
        n: usize,
        /// Feature dimension.
        dim: usize,
    },
    /// A file with images or statistics is not valid.
    #[error("{path}: {reason}")]
    File {
        /// The file or folder concerned.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Whoever watched the scoring asked it to stop.
    #[error("interrupted after {done} of {total} images")]
    Interrupted {
        /// Images that had gone through the network.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// An input with a wrong size, or with numbers that are not finite.
    #[error("{what}: {reason}")]
    Input {
        /// The input concerned.
        what: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// What too few samples lack: two have a covariance, but one of more than `dim` is needed where few are not allowed.
fn too_few(n: usize, dim: usize) -> String {
    let needed = dim + 1;
    if n > 1 {
        return format!(
            "{n} samples are too few for the covariance of {dim} features: FID needs at least {needed}; give more, or allow few"
        );
    }
    let samples = if n == 1 { "1 sample has" } else { "0 samples have" };
    format!(
        "{samples} no covariance: FID needs at least {needed}, or 2 where few are allowed; give more"
    )
}

impl Error {
    /// An [`Error::File`] of `path`.
    pub(crate) fn file(path: &Path, reason: impl Into<String>) -> Error {
        Error::File { path: path.into(), reason: reason.into() }
    }

    /// An [`Error::Input`].
    pub(crate) fn input(what: &'static str, reason: impl Into<String>) -> Error {
        Error::Input { what, reason: reason.into() }
    }

    /// An [`Error::Inception`] of `origin`.
    pub(crate) fn inception(origin: &str, reason: impl std::fmt::Display) -> Error {
        Error::Inception { origin: origin.to_string(), reason: reason.to_string() }
    }

    /// An [`Error::Weights`] of `origin`.
    pub(crate) fn weights(origin: &str, reason: impl std::fmt::Display) -> Error {
        Error::Weights { origin: origin.to_string(), reason: reason.to_string() }
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_is_told_the_least_number_and_more_how_to_allow_few() {
        let said = |n| Error::TooFewSamples { of: "a".into(), n, dim: 128 }.to_string();
        assert!(said(1).starts_with("a: 1 sample has no covariance: FID needs at least 129, or 2"));
        assert!(said(2).starts_with("a: 2 samples are too few") && said(2).ends_with("allow few"));
    }
}
