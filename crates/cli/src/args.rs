//! The command line.

pub(crate) mod score;

use crate::command::{Draw, Figure10};
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
    /// Say what the command would write, and write nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
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
    /// Show where a sweep stands: updates, rate, time left and newest scores of every run
    Status {
        /// The sweep's folder
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// Show it again every so many seconds, as long as a sweep is at work
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
        watch: Option<u64>,
    },
    /// Score a run's newest checkpoint and append the records, or score images of any origin
    Score(score::Score),
    /// Write reference statistics of images, as pytorch-fid reads them
    Stats(score::Stats),
    /// Draw samples from a run's newest checkpoint
    Generate(Generate),
    /// Write a sweep's tables and figures from its records
    Figures {
        /// The sweep's folder
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// Put the paper's published numbers beside ours, where there are any
        #[arg(long)]
        compare: bool,
    },
    /// Draw one figure of the paper; without records, says which commands make them
    Figure(Draw),
    /// Write one table of the paper; without records, says which commands make them
    Table(Draw),
    /// Answer the paper's claims from records: yes, no or not tested, with the statistic and its interval
    Claims {
        /// Folders of sweeps, and of timings
        #[arg(value_name = "OUT", required = true)]
        out: Vec<PathBuf>,
        /// Only the claim with this number; may be repeated
        #[arg(long, value_name = "N")]
        only: Vec<u32>,
    },
    /// Write OUT/report.html: claims, figures, scores beside the paper's, specs and provenance on one page
    Report {
        /// The sweep's folder
        #[arg(value_name = "OUT")]
        out: PathBuf,
        /// Further folders that claims may be answered from
        #[arg(long, value_name = "OUT", num_args = 1..)]
        also: Vec<PathBuf>,
    },
    /// Gather the records of sweeps into tables for other programs: Parquet and CSV (docs/records.md)
    Collect {
        /// Sweeps' folders
        #[arg(value_name = "OUT", required = true)]
        outs: Vec<PathBuf>,
        /// Folder for the tables [default: records/ in the first OUT]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Record and print the singular values of a run's discriminator
    Spectra {
        /// Run folders
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
    },
    /// Analyse the weights of a discriminator, or of anybody's file: singular values, operator norms, bounds on the Lipschitz constant
    Spectrum(SpectrumOf),
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
    /// The classifiers behind is[scorer-fashion], fid[scorer-fashion] and the like
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
    /// Time one update of D and one of G, on made-up images
    Update(BenchUpdate),
    /// Time a generator update of a run with its rounds of D, plain and logged, on made-up images; prints JSON, as `plan` reads it
    Run {
        /// Run folder; only its spec.toml is read
        #[arg(value_name = "RUN")]
        run: PathBuf,
        #[command(flatten)]
        machine: Machine,
    },
    /// Time the updates that Figure 10 compares, and leave a record that it is drawn from
    Figure10(Figure10),
    /// Time Inception's features of made-up images
    Inception(BenchInception),
    /// Time FID of two files of statistics
    Fid(BenchFid),
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
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Print every layer with shapes and parameter counts
    Summary {
        /// The networks, such as standard-cnn or resnet-cifar10
        #[arg(long, default_value = "standard-cnn")]
        architecture: String,
        /// Image side, pixels [default: the paper's]
        #[arg(long)]
        side: Option<usize>,
        /// Every width is divided by this
        #[arg(long, default_value_t = 1, value_name = "N")]
        width_divisor: usize,
        /// How labels enter: none, concat, projection, ac-gan
        #[arg(long, default_value = "none")]
        conditioning: String,
        /// Number of classes
        #[arg(long, default_value_t = 0, value_name = "N")]
        n_classes: usize,
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
    /// Generator updates between scores [default: the experiment's]; 0 for none. Of a spec.toml: is_2k_split5 and fid_2k_ref2k through the data
    /// set's scorer
    #[arg(long, value_name = "N")]
    pub(crate) eval_every: Option<u64>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
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

/// A mistyped range must not plan for ever.
const MOST_SEEDS: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// An experiment's name or file
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiment: String,
    /// Which sizes of the experiment file
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Other seeds than the experiment's: a list such as 0,3,4 or a range such as 0..5, its end left out
    #[arg(long, value_name = "LIST")]
    pub(crate) seeds: Option<Seeds>,
    /// List the runs without measuring what they cost
    #[arg(long)]
    pub(crate) no_measure: bool,
    #[command(flatten)]
    pub(crate) machine: Machine,
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
    /// Other seeds than the experiment's: a list such as 0,3,4 or a range such as 0..5, its end left out. Runs planned before stay planned
    #[arg(long, value_name = "LIST")]
    pub(crate) seeds: Option<Seeds>,
    /// Memory that runs side by side may need, in MB; with less, fewer go at a time [default: three quarters of what is free]
    #[arg(long, value_name = "MB")]
    pub(crate) memory: Option<u64>,
    /// Only this part of the runs, such as 2/4 (counted from 1); several parts may work in one folder at once (docs/sweeps.md)
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    pub(crate) shard: sngan_sweep::Shard,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct SpectrumOf {
    /// A run folder, one of its checkpoint files, or another program's safetensors or .pth
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Of a .pth that nests several, the dictionary to take
    #[arg(long, value_name = "NAME")]
    pub(crate) state_dict: Option<String>,
    /// Images of a run's data set whose input gradients bound the Lipschitz constant from below; 0 for none
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub(crate) images: usize,
    /// Print one JSON object with every singular value
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Run folder, or one of its checkpoint files
    #[arg(value_name = "RUN_OR_CHECKPOINT", required_unless_present = "checkpoint", conflicts_with = "checkpoint")]
    pub(crate) source: Option<PathBuf>,
    /// The same, by name
    #[arg(long, value_name = "RUN_OR_CHECKPOINT")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Images, or rows of an interpolation
    #[arg(short, long, default_value_t = 64)]
    pub(crate) n: usize,
    /// Only this class, of a conditional generator
    #[arg(long, value_name = "N")]
    pub(crate) class: Option<u32>,
    /// Let each row go from one z to another (latent), or from --class to --to-class (class)
    #[arg(long, value_enum)]
    pub(crate) interpolate: Option<Interpolate>,
    /// The class at the right end of each row
    #[arg(long, value_name = "N", requires = "class")]
    pub(crate) to_class: Option<u32>,
    /// Images in a row
    #[arg(long, default_value_t = 8)]
    pub(crate) columns: usize,
    /// Enlarge each pixel so many times
    #[arg(long, default_value_t = 1)]
    pub(crate) zoom: usize,
    /// Seed of z and of the classes
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A grid (FILE.png), an array of bytes [N, H, W, 3] (FILE.npy), or a folder for one PNG each
    #[arg(long, value_name = "FILE_OR_DIR", default_value = "samples.png")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) machine: Machine,
}

/// What changes along a row of an interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Interpolate {
    /// z
    Latent,
    /// The class
    Class,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List what can be fetched
    List,
    /// Download, check and unpack a data set; a cut download resumes
    Fetch(DataSet),
    /// Check a data set's files
    Verify(DataSet),
    /// Decode, crop and resize an image folder once, for training to read from; a pack that was cut is taken up where it was
    Pack(Pack),
}

#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// The data set
    pub(crate) name: PackName,
    /// Folder with train/SYNSET/*.JPEG and, where there are validation images, val/SYNSET/*.JPEG
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Side of the packed images, pixels
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub(crate) side: usize,
    /// Folder of the packs [default: imagenet-SIDE in --data-dir, where training looks for it]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder of data sets
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// Leave out images with a shorter side than this, pixels; the authors' preprocessing has 256
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) min_side: u32,
    /// End with an error at the first file that cannot be decoded, instead of listing it in rejected.json
    #[arg(long)]
    pub(crate) strict: bool,
    /// Threads; 0 for one per core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
}

/// What can be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackName {
    Imagenet,
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
    /// Train a scorer and write its weights; run it again to continue one that was cut off
    Train(TrainScorer),
    /// Print the embedded scorers' hashes, and their accuracies on images that no training saw
    Check(CheckScorer),
}

#[derive(Debug, Args)]
pub(crate) struct TrainScorer {
    /// The data set to learn: fashion-mnist (its 60,000 training images) or cifar10
    #[arg(value_name = "DATASET", default_value = "fashion-mnist")]
    pub(crate) dataset: String,
    /// Weights file to write [default: SCORER.safetensors]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Hold out the last N training images, and print the accuracy on them after each epoch; the test images then stay unread
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) hold_out: usize,
    /// Passes over the training images [default: the scorer's own]
    #[arg(long)]
    pub(crate) epochs: Option<usize>,
    /// Adam's step size at the start [default: the scorer's own]
    #[arg(long)]
    pub(crate) lr: Option<f64>,
    /// Decoupled weight decay [default: the scorer's own]
    #[arg(long)]
    pub(crate) weight_decay: Option<f64>,
    /// Share of the target probability spread over all classes [default: the scorer's own]
    #[arg(long)]
    pub(crate) label_smoothing: Option<f64>,
    /// Seed
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Threads; 0 for one per core
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct CheckScorer {
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
