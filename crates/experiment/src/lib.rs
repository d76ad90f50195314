//! Experiments without tensors: files that name methods, settings and sizes ([`ExperimentFile`]),
//! the complete [`RunSpec`]s they expand to, and the [`RunDir`] that holds each run's records. All
//! other crates of the workspace but `kernels` and `tensor` build on this one.
//!
//! ```
//! use sngan_experiment::{built_in, method::Method};
//!
//! let table1 = built_in("table1").expect("an experiment of that name")?;
//! let plan = table1.plan("quick")?;
//! assert_eq!(plan.specs.len(), 8 * 6);
//! let sn = plan.specs.iter().filter(|spec| spec.method == Method::Sn);
//! assert!(sn.clone().all(|spec| spec.width_divisor == 8));
//! # Ok::<(), sngan_experiment::Error>(())
//! ```

pub mod arch;
pub mod atomic;
pub mod benchmark;
mod dataset;
mod error;
mod extent;
mod file;
mod lock;
pub mod machine;
pub mod method;
mod plain;
pub mod protobuf;
pub mod protocol;
pub mod records;
pub mod regular;
pub mod run_dir;
mod spec;
#[cfg(test)]
mod variants;

pub use dataset::Dataset;
pub use error::{Error, Result};
pub use extent::Extent;
pub use file::{
    Changes, ExperimentFile, Given, Keys, MethodRow, Paper, Plan, Scale, ScorePlan, SetKey,
    built_in, built_in_names, experiments_of, former_scale, settings, todays_scale,
};
pub use lock::{FolderLock, one_at_a_time};
pub use plain::{Slash, plain};
pub use protocol::ProtocolName;
pub use run_dir::RunDir;
pub use spec::{
    AdamEpsilon, CUSTOM, ClipCorrection, ClipScope, Latent, LayerCorrection, LrDecay, Names,
    Pixels, PowerIteration, RunSpec, WidthCorrection,
};
