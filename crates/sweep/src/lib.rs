//! Sweeps: a plan's runs side by side in one process, each scored when it is done, restartable at any moment.
//!
//! The output folder holds `plan.json`, `ceiling.jsonl` (the real data's own scores) and `runs/<run>/`. Everything that is there and fits is
//! kept; what is missing is done.
//!
//! ```no_run
//! use sngan_sweep::{Devices, Shard, SweepOptions};
//! use std::{path::Path, sync::atomic::AtomicBool};
//!
//! let plan = sngan_experiment::built_in("table1").expect("an experiment of that name")?.plan("smoke")?;
//! let options = SweepOptions {
//!     threads: 2,
//!     retry_failed: false,
//!     memory: u64::MAX,
//!     shard: Shard::WHOLE,
//!     source: Default::default(),
//!     extend: false,
//! };
//! let (out, stop) = (Path::new("runs/table1-smoke"), AtomicBool::new(false));
//! let cpu = sngan_core::model::Place::new(&sngan_tensor::Device::Cpu);
//! let devices = Devices { backends: &[&cpu], backbone: &Ok };
//! let summary =
//!     sngan_sweep::run(&plan, out, &Default::default(), &devices, &options, &stop, &|_| ())?;
//! println!("{} runs completed", summary.completed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod evaluator;
mod event;
mod images;
mod plan;
mod run;
mod samples;
mod score;
mod shard;
mod status;
mod verify;
mod workers;

pub use error::{Error, Result};
pub use evaluator::evaluator_for;
pub use event::{Event, Summary};
pub use images::ImageSets;
pub use run::{Devices, SweepOptions, dir_of_run, is_busy, run};
pub use score::{score_during, score_run, spectra_of_run};
pub use shard::Shard;
pub use status::{RunState, status, status_of_run};
pub use verify::{Verified, verify_run};
pub use workers::runs_of;
