//! `bench`.

use super::Machine;
use clap::{Args, Subcommand};
use sngan_experiment::method::Method;
use std::path::PathBuf;

/// A method by its name in files.
fn method(name: &str) -> Result<Method, String> {
    let known = || Method::ALL.map(Method::name).join(", ");
    let found = Method::ALL.into_iter().find(|m| m.name() == name);
    found.ok_or_else(|| format!("there is no such method; known: {}", known()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Time one update of D and one of G, on synthetic images
    Update(BenchUpdate),
    /// Time a generator update of a run with its rounds of D, plain and logged, on synthetic
    /// images; prints JSON, as `plan` reads it
    Run {
        /// Run folder; only its spec.toml is read
        #[arg(value_name = "RUN")]
        run: PathBuf,
        #[command(flatten)]
        machine: Machine,
    },
    /// Time the updates that Figure 10 compares, and write the record that it is drawn from
    Figure10(Figure10),
    /// Time Inception's features of synthetic images
    Inception(BenchInception),
    /// Time FID of two files of statistics
    Fid(BenchFid),
}

/// What is measured for Figure 10.
#[derive(Debug, Args)]
pub(crate) struct Figure10 {
    /// Folder of the record
    #[arg(long, value_name = "DIR", default_value = "runs/figure10")]
    pub(crate) out: PathBuf,
    /// Methods, by the names of experiment files; the figure's if none is given
    #[arg(long, value_delimiter = ',', value_name = "METHOD", value_parser = method)]
    pub(crate) methods: Vec<Method>,
    /// Image sides, pixels: 32 is CIFAR-10's, 48 STL-10's
    #[arg(long, value_delimiter = ',', default_values_t = [32, 48])]
    pub(crate) sizes: Vec<usize>,
    /// Images per update
    #[arg(long, default_value_t = 64)]
    pub(crate) batch: usize,
    /// Every width is divided by this
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) width_divisor: usize,
    /// Rounds in which the methods take turns, so that other load on the machine affects all of
    /// them
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Measured updates of each kind in a round; their median counts
    #[arg(long, default_value_t = 5)]
    pub(crate) repeat: usize,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Debug, Args)]
pub(crate) struct BenchFid {
    /// Two .npz files with mu and sigma
    #[arg(value_name = "FILE", num_args = 2, required = true)]
    pub(crate) statistics: Vec<PathBuf>,
    /// Measurements
    #[arg(long, default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Threads; 0 is one per core
    #[arg(long, default_value_t = 0, value_parser = super::threads)]
    pub(crate) threads: usize,
}

#[derive(Debug, Args)]
pub(crate) struct BenchInception {
    /// Weights: torch.save's file or safetensors
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: PathBuf,
    /// Images per measurement
    #[arg(long, default_value_t = 48)]
    pub(crate) images: usize,
    /// Image side, pixels
    #[arg(long, default_value_t = 32)]
    pub(crate) size: usize,
    /// Measurements
    #[arg(long, default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Threads; 0 is one per core
    #[arg(long, default_value_t = 0, value_parser = super::threads)]
    pub(crate) threads: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchUpdate {
    /// The method, by its name in experiment files
    #[arg(long, default_value = "sn")]
    pub(crate) method: String,
    /// The networks, by their name in experiment files
    #[arg(long, default_value = "standard-cnn")]
    pub(crate) architecture: String,
    /// Image side, pixels
    #[arg(long, default_value_t = 32)]
    pub(crate) size: usize,
    /// Images per update
    #[arg(long, default_value_t = 64)]
    pub(crate) batch: usize,
    /// Every width is divided by this
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) width_divisor: usize,
    /// Measured updates of each kind
    #[arg(long, default_value_t = 10)]
    pub(crate) repeat: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
}
