//! `train`, `plan`, `sweep`: which runs, and how they are made.

use super::{DataFolder, Machine};
use clap::Args;
use sngan_experiment::SetKey;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// An experiment's name or file, a run's folder, or a spec.toml; not needed with --data
    #[arg(value_name = "EXPERIMENT_OR_RUN", required_unless_present = "folder")]
    pub(crate) experiment: Option<String>,
    /// Which sizes: of the experiment file, or of scales.toml with --data
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// The row with this label or method (such as SN or weight-clipping) [with --data: SN]
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// The setting (such as C) [with --data: C]
    #[arg(long)]
    pub(crate) setting: Option<String>,
    /// The seed, whichever the experiment has
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Change a value of the spec (lr=0.001, loss=hinge, gen_updates=2000); may be repeated. For an
    /// unknown key, all keys are listed
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<SetKey>,
    #[command(flatten)]
    pub(crate) own: OwnImages,
    /// Run folder [default: runs/RUN, or the run that is named]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continue from the newest good checkpoint in the run folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Generator updates between sample grids; 0 for the last only
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) sample_every: u64,
    /// Generator updates between scores [default: the experiment's]; 0 for none
    #[arg(long, value_name = "N")]
    pub(crate) eval_every: Option<u64>,
    /// Generator updates between lines of the log [default: the experiment's, else 10]
    #[arg(long, value_name = "N")]
    pub(crate) log_every: Option<u64>,
    /// Generator updates between checkpoints [default: the experiment's, else 500]
    #[arg(long, value_name = "N")]
    pub(crate) checkpoint_every: Option<u64>,
    /// Keep an event file for TensorBoard in the run's folder up to date
    #[arg(long)]
    pub(crate) tensorboard: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// A run's own images, and what follows from them.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OwnImages {
    /// Train on the pictures of this folder: flat, or one folder a class (docs/data.md)
    #[arg(long = "data", value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Side that the pictures are brought to, pixels; it decides the networks [default: 32, or the experiment's]
    #[arg(long, value_name = "N", requires = "folder")]
    pub(crate) side: Option<usize>,
    /// How the folder's classes enter the networks: none, concat, projection, ac-gan
    #[arg(long, value_name = "NAME", requires = "folder")]
    pub(crate) conditioning: Option<String>,
}

/// Seeds on the command line: `0,3,4`, or `0..5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

impl std::str::FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let wrong = || format!("`{text}` is no list of seeds; write 0,3,4 or 0..5");
        let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong());
        let mut seeds: Vec<u64> = match text.split_once("..") {
            Some((from, to)) => (number(from)?..number(to)?).take(MOST_SEEDS + 1).collect(),
            None => text.split(',').map(number).collect::<Result<_, _>>()?,
        };
        seeds.sort_unstable();
        seeds.dedup();
        match seeds.len() {
            0 => Err(wrong()),
            1..=MOST_SEEDS => Ok(Seeds(seeds)),
            _ => Err(format!("`{text}` are more than {MOST_SEEDS} seeds")),
        }
    }
}

/// A mistyped range must not plan forever.
const MOST_SEEDS: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// An experiment's name or file; with --data alone, the paper's ten methods in each of its ten settings
    #[arg(value_name = "EXPERIMENT", required_unless_present = "folder")]
    pub(crate) experiment: Option<String>,
    #[command(flatten)]
    pub(crate) own: OwnImages,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Other seeds than the experiment's: a list such as 0,3,4 or a range such as 0..5, its end left out
    #[arg(long, value_name = "LIST")]
    pub(crate) seeds: Option<Seeds>,
    /// Change a value of every run's spec; a list or range makes a run of each value (lr=[1e-4,4e-4], seed=0..5). May be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<SetKey>,
    /// Only rows with this label or method (such as SN or weight-clipping); may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Vec<String>,
    /// Only this setting (such as C); may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) setting: Vec<String>,
    /// List the runs without measuring what they cost
    #[arg(long)]
    pub(crate) no_measure: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Print every spec as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// An experiment's name or file; with --data alone, the paper's ten methods in each of its ten settings
    #[arg(value_name = "EXPERIMENT", required_unless_present = "folder")]
    pub(crate) experiment: Option<String>,
    #[command(flatten)]
    pub(crate) own: OwnImages,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Output folder [default: runs/EXPERIMENT-SCALE]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Retry runs that failed before
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Other seeds than the experiment's: a list such as 0,3,4 or a range such as 0..5, its end left out. Runs planned before stay planned
    #[arg(long, value_name = "LIST")]
    pub(crate) seeds: Option<Seeds>,
    /// Change a value of every run's spec; a list or range makes a run of each value (lr=[1e-4,4e-4], seed=0..5). May be repeated. Runs planned
    /// before stay planned
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<SetKey>,
    /// Only rows with this label or method (such as SN or weight-clipping); may be repeated. Runs planned before stay planned
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Vec<String>,
    /// Only this setting (such as C); may be repeated. Runs planned before stay planned
    #[arg(long, value_name = "NAME")]
    pub(crate) setting: Vec<String>,
    /// Memory that runs side by side may need, in MB; with less, fewer go at a time [default: three
    /// quarters of the free memory]
    #[arg(long, value_name = "MB")]
    pub(crate) memory: Option<u64>,
    /// Only this part of the runs, such as 2/4 (counted from 1); several parts may work in one folder at once (docs/sweeps.md)
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub(crate) shard: sngan_sweep::Shard,
    /// Keep an event file for TensorBoard in each run's folder up to date
    #[arg(long)]
    pub(crate) tensorboard: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_lists_or_ranges() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|s| s.0);
        assert_eq!(seeds("0..3"), Ok(vec![0, 1, 2]));
        assert_eq!(seeds("4, 1,4"), Ok(vec![1, 4]));
        for wrong in ["", "3..3", "a", "1..", "0..1000000000000"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
