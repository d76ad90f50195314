//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Reproduces "Spectral Normalization for Generative Adversarial Networks" (Miyato et al., ICLR 2018).
///
/// Experiments are found in --experiments, ./experiments, or else among those built into this binary.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done · 1 error, or a run of a sweep failed · 2 wrong usage · 3 the run diverged · 130 interrupted, checkpoints written"
)]
pub(crate) struct Arguments {
    /// Folder with experiment files [default: ./experiments, then those built in]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) experiments: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train one run of an experiment
    Train(Train),
    /// Print the runs of an experiment, complete and with their cost, without training
    Plan(Plan),
    /// Train and score every run of an experiment, side by side; run it again to continue
    Sweep(Sweep),
    /// Show where a sweep stands
    Status {
        /// The sweep's folder
        #[arg(value_name = "OUT")]
        out: PathBuf,
    },
    /// Score a run's newest checkpoint and append the record
    Score(Score),
    /// Draw samples from a run's newest checkpoint
    Generate(Generate),
    /// Write a sweep's tables and figures from its records
    Figures {
        /// The sweep's folder
        #[arg(value_name = "OUT")]
        out: PathBuf,
    },
    /// Record and print the singular values of a run's discriminator
    Spectra {
        /// Run folders
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
    },
    /// Print the range of the logged sigma_forward, the exact largest singular value of each normalized layer
    Sigma {
        /// Run folders
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
        /// Only from this generator update on
        #[arg(long, default_value_t = 1, value_name = "N")]
        from: u64,
    },
    /// Repeat a training from given weights, images and noise (docs/replay.md)
    Replay {
        /// The case, a safetensors file
        #[arg(value_name = "CASE")]
        case: PathBuf,
        /// Where the final state goes, f64 safetensors
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Candle's operations in f64, or this project's kernels in f32
        #[arg(long, value_enum, default_value_t = Precision::F64)]
        precision: Precision,
    },
    /// Write a run's networks and state for another program (docs/interchange.md)
    Export {
        /// Run folder, or one of its checkpoint files
        #[arg(value_name = "RUN_OR_CHECKPOINT")]
        source: PathBuf,
        /// Whose names and layouts
        #[arg(long, value_enum, default_value_t = Format::Pytorch)]
        format: Format,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Measure this machine
    #[command(subcommand)]
    Bench(Bench),
    /// Make a run folder of what `export` wrote
    Import {
        /// A file that `export` wrote, or PyTorch with the same names and metadata
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// New run folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// The networks themselves
    #[command(subcommand)]
    Model(Model),
    /// Fetch, verify or list data sets
    #[command(subcommand)]
    Data(Data),
    /// The classifier behind is[scorer-fashion] and fid[scorer-fashion]
    #[command(subcommand)]
    Scorer(Scorer),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Time one update of D and one of G of the standard CNN, on made-up images
    Update(BenchUpdate),
    /// Time Inception's features of made-up images
    Inception(BenchInception),
}

#[derive(Debug, Args)]
pub(crate) struct BenchInception {
    /// Weights: torch.save's file or safetensors
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: PathBuf,
    /// Images a measurement takes
    #[arg(long, default_value_t = 48)]
    pub(crate) images: usize,
    /// Image side, pixels
    #[arg(long, default_value_t = 32)]
    pub(crate) size: usize,
    /// Measurements
    #[arg(long, default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Threads; 0 is one per core
    #[arg(long, default_value_t = 0)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Print every layer with shapes and parameter counts
    Summary {
        /// Image side, pixels
        #[arg(long, default_value_t = 32)]
        side: usize,
        /// Every width is divided by this
        #[arg(long, default_value_t = 1, value_name = "N")]
        width_divisor: usize,
    },
}

/// What `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// State dicts that plain torch.nn modules load
    Pytorch,
}

/// The numbers that a replay computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

/// Where and with what a command computes.
#[derive(Debug, Args)]
pub(crate) struct Machine {
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Threads; 0 for one per core. Bits do not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
}

/// Where images come from.
#[derive(Debug, Args)]
pub(crate) struct DataFolder {
    /// Folder of data sets that are not built in; for an image folder, the one that holds train/ and test/
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// An experiment's name, an experiment file, or a run's spec.toml
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: String,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Of the experiment's rows, the one with this label or method (such as SN or weight-clipping)
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Of the settings, this one (such as C)
    #[arg(long)]
    pub(crate) setting: Option<String>,
    /// Of the seeds, this one
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Change a value of the spec (lr=0.001, loss=hinge, dataset=folder); may be repeated. A wrong key is answered with all keys
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run folder [default: runs/RUN]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continue from the newest good checkpoint in the run folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Generator updates between sample grids; 0 for the last only
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) sample_every: u64,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// An experiment's name or file
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: String,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Print every spec as JSON, one a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// An experiment's name or file
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: String,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Output folder [default: runs/EXPERIMENT-SCALE]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Try runs again that failed before
    #[arg(long)]
    pub(crate) retry_failed: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// Run folder
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Feature extractor
    #[arg(long, default_value = "scorer-fashion")]
    pub(crate) backbone: String,
    /// Generated images
    #[arg(long, default_value_t = 2000)]
    pub(crate) samples: usize,
    /// Splits of the inception score
    #[arg(long, default_value_t = 5)]
    pub(crate) splits: usize,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Run folder
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Images
    #[arg(short, long, default_value_t = 64)]
    pub(crate) n: usize,
    /// Images in a row
    #[arg(long, default_value_t = 8)]
    pub(crate) columns: usize,
    /// Enlarge each pixel so many times
    #[arg(long, default_value_t = 1)]
    pub(crate) zoom: usize,
    /// Seed of z
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The PNG to write
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List what can be fetched
    List,
    /// Download, check and unpack a data set; a cut download resumes
    Fetch(DataSet),
    /// Check a data set's files
    Verify(DataSet),
}

#[derive(Debug, Args)]
pub(crate) struct DataSet {
    /// Name, as `sngan data list` prints it
    pub(crate) name: String,
    /// Folder of data sets
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scorer {
    /// Train the scorer on Fashion-MNIST's 60,000 training images
    Train(TrainScorer),
    /// Print the embedded scorer's hash and its accuracy on the 2,000 held-out images
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct TrainScorer {
    /// Weights file to write
    #[arg(long, value_name = "FILE", default_value = "scorer-fashion.safetensors")]
    pub(crate) out: PathBuf,
    /// Passes over the training images
    #[arg(long, default_value_t = 24)]
    pub(crate) epochs: usize,
    /// Seed
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads; 0 for one per core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
    /// Folder of data sets; the files are in its subfolder fashion-mnist
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
}
