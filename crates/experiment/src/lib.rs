//! Experiments without tensors: files that name methods, settings and sizes ([`ExperimentFile`]), the complete [`RunSpec`]s
//! they expand to, and the [`RunDir`] that holds each run's records. Every other crate of the workspace stands on this one.

pub mod arch;
pub mod atomic;
pub mod benchmark;
mod error;
mod file;
mod lock;
pub mod machine;
pub mod method;
pub mod protocol;
pub mod records;
pub mod run_dir;
mod spec;

pub use error::{Error, Result};
pub use file::{
    ExperimentFile, MethodRow, Paper, Plan, Scale, ScorePlan, built_in, built_in_names,
    experiments_of, former_scale, settings, todays_scale,
};
pub use lock::{FolderLock, one_at_a_time};
pub use protocol::ProtocolName;
pub use run_dir::RunDir;
pub use spec::{
    AdamEpsilon, CUSTOM, ClipCorrection, ClipScope, Dataset, Latent, LayerCorrection, LrDecay,
    Names, Pixels, PowerIteration, RunSpec, WidthCorrection,
};
