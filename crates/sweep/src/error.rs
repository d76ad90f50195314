//! The one error of this crate.

use std::path::PathBuf;

/// What can stop a sweep as a whole. What stops a single run is recorded in that run's status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record or folder.
    #[error(transparent)]
    Experiment(#[from] sngan_experiment::Error),
    /// Training or sampling.
    #[error(transparent)]
    Core(#[from] sngan_core::Error),
    /// Images.
    #[error(transparent)]
    Data(#[from] sngan_data::Error),
    /// Scores.
    #[error(transparent)]
    Eval(#[from] sngan_eval::Error),
    /// The folder holds another experiment.
    #[error("{path} holds experiment {found}; this is {asked}: choose another output folder")]
    OtherPlan {
        /// The output folder.
        path: PathBuf,
        /// `name at scale` in the folder.
        found: String,
        /// `name at scale` asked for.
        asked: String,
    },
    /// A run that is planned already, which the new ones would be pooled with, though they are no repetitions of it.
    #[error(
        "{run} is `{label}` in setting {setting} like runs that would be added, but differs in {differences}; give the new row a label of its own, or choose another output folder"
    )]
    OtherValues {
        /// The run's folder.
        run: PathBuf,
        /// The label of both.
        label: String,
        /// The setting of both.
        setting: String,
        /// `key: its → theirs`.
        differences: String,
    },
    /// Records without run folders, where these are needed.
    #[error("{path} is a collection of records, without run folders; `sngan unpack` makes them")]
    Collection {
        /// The collection's folder.
        path: PathBuf,
    },
    /// A scorer that learned other images than the runs train on: its scores would mean nothing.
    #[error(
        "backbone `{backbone}` is a classifier of {learned}, and the runs train on `{dataset}`: name `inception-or-scorer`, `inception` or `none` under `score`"
    )]
    OtherScorer {
        /// The scorer.
        backbone: String,
        /// What it learned.
        learned: &'static str,
        /// What the runs train on.
        dataset: &'static str,
    },
    /// A sweep of runs on the pictures of a folder, repeated without them: its runs would count no longer.
    #[error(
        "{path} holds runs on the pictures of a folder, and those asked for train on `{dataset}`: name the folder of pictures again, or another one for the runs"
    )]
    WithoutPictures {
        /// The sweep's folder.
        path: PathBuf,
        /// What the runs asked for train on.
        dataset: &'static str,
    },
    /// A plan that cannot be carried out.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// Whether this is no fault: a scoring was told to stop.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Error::Eval(sngan_eval::Error::Interrupted { .. }))
    }
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
