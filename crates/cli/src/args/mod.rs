//! The command line.

mod bench;
mod data;
mod exchange;
pub(crate) mod fid;
mod figure;
mod runs;
pub(crate) mod score;

pub(crate) use bench::{Bench, BenchFid, BenchInception, BenchUpdate, Figure10};
pub(crate) use data::{CheckScorer, Data, DataSet, Pack, PackName, Scorer, TrainScorer};
pub(crate) use exchange::{Export, Format, Import};
pub(crate) use figure::Draw;
pub(crate) use runs::{OwnImages, PlanArguments, Sweep, Train};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Reproduces "Spectral Normalization for Generative Adversarial Networks" (Miyato et al., ICLR 2018).
///
/// Experiments are looked up in --experiments, then in ./experiments, then among those built into
/// this binary.
#[derive(Debug, Parser)]
#[command(
    name = "sngan",
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
    Plan(PlanArguments),
    /// Train and score every run of an experiment, side by side; run it again to continue
    Sweep(Sweep),
    /// Show where runs stand: updates, rate, time left and newest scores
    Status {
        /// Folders of sweeps or of runs, or that hold such
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Show it again every this many seconds, as long as a sweep or run is at work
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
        watch: Option<u64>,
    },
    /// Score a run's newest checkpoint and append the records, or score images of any origin
    Score(score::Score),
    /// Write reference statistics of images, as pytorch-fid reads them
    #[command(name = "reference", alias = "stats")]
    Stats(score::Stats),
    /// Print the FID of two sets of images: folders, arrays, statistics or data sets (docs/fid.md)
    Fid(fid::Fid),
    /// Draw samples from a run's newest checkpoint, or from published weights
    Generate(Generate),
    /// Write the tables and figures of a sweep, or of any runs, from their records
    #[command(name = "draw", alias = "figures")]
    Figures {
        /// The sweep's folder, or run folders
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Folder that tables/ and figures/ go to [default: PATH itself; runs/drawn for several]
        #[arg(long = "out", value_name = "DIR")]
        into: Option<PathBuf>,
        /// Put the paper's published numbers beside ours, if there are any
        #[arg(long)]
        compare: bool,
    },
    /// Draw one figure of the paper; without records, says which commands make them
    Figure(Draw),
    /// Write one table of the paper; without records, says which commands make them
    Table(Draw),
    /// Answer the paper's claims from records: yes, no, open or not tested, with statistics and intervals
    Claims {
        /// Folders of sweeps, and of timings
        #[arg(value_name = "OUT", required = true)]
        out: Vec<PathBuf>,
        /// Only the claim with this number; may be repeated
        #[arg(long, value_name = "N")]
        only: Vec<u32>,
        /// As one Markdown table, for a file
        #[arg(long)]
        markdown: bool,
        /// Other claims than the paper's: a file such as experiments/claims-since-2018.toml
        #[arg(long, value_name = "FILE")]
        claims: Option<PathBuf>,
    },
    /// Show runs beside each other: what differs in their specs, their scores, their curves on one axis
    Compare(Compare),
    /// Write report.html of a sweep, or of any runs: claims, figures, scores beside the paper's, specs and provenance on one page
    Report {
        /// The sweep's folder, or run folders
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Folder that the report goes to [default: PATH itself; runs/drawn for several]
        #[arg(long = "out", value_name = "DIR")]
        into: Option<PathBuf>,
        /// Further folders with records for the claims
        #[arg(long, value_name = "OUT", num_args = 1..)]
        also: Vec<PathBuf>,
    },
    /// Gather the records of sweeps or runs into Parquet files, for other programs and in place of run folders (docs/records.md)
    Collect {
        /// Folders of sweeps or runs
        #[arg(value_name = "OUT", required = true)]
        outs: Vec<PathBuf>,
        /// Each sweep's tables go to DIR/NAME, by the name of its folder [default: OUT/records]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Also write the tables as CSV
        #[arg(long)]
        csv: bool,
        /// Leave these out of the collection, for its size
        #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(sngan_plot::records::MAY_LACK))]
        without: Vec<String>,
    },
    /// Write event files for TensorBoard from the records of runs, sweeps or collections
    #[command(name = "tensorboard")]
    TensorBoard(TensorBoard),
    /// Check runs, sweeps, collections, packs, caches, statistics, weights, downloads and scorers against their checksums; names every damaged file and
    /// exits with 1
    Verify(Verify),
    /// Restore the folders of a sweep's runs from a collection, without checkpoints
    Unpack {
        /// The collection's folder
        #[arg(value_name = "COLLECTION")]
        collection: PathBuf,
        /// The sweep's folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Record and print the singular values of a run's discriminator
    #[command(name = "record-spectrum", alias = "spectra")]
    Spectra {
        /// Run folders
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
    },
    /// Analyze the weights of a discriminator, or of any file: singular values, operator norms,
    /// bounds on the Lipschitz constant
    Spectrum(SpectrumOf),
    /// Print the range of the logged sigma_forward, the exact largest singular value of each normalized layer
    #[command(name = "sigma-range", alias = "sigma")]
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
        /// Where to write the final state, f64 safetensors
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Candle's operations in f64, or this project's kernels in f32
        #[arg(long, value_enum, default_value_t = Precision::F64)]
        precision: Precision,
        /// What makes the updates: cuda or cuda:N, a GPU in f32; or program, a GPU's operations by an interpreter on the CPU
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
    /// List the GPUs and what they need (docs/gpu.md)
    Devices {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a run's networks and state for another program (docs/interchange.md)
    Export(Export),
    /// Measure this machine
    #[command(subcommand)]
    Bench(Bench),
    /// Make a run folder from a file that `export` wrote, or of networks that another program trained (docs/interchange.md)
    Import(Import),
    /// The networks themselves
    #[command(subcommand)]
    Model(Model),
    /// Fetch, verify or list data sets
    #[command(subcommand)]
    Data(Data),
    /// The classifiers behind is[scorer-fashion], fid[scorer-fashion] and the like
    #[command(subcommand)]
    Scorer(Scorer),
    /// Print the licenses of everything that this program links and holds
    Licenses,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// Print every layer with shapes and parameter counts
    Summary(Networks),
}

/// Networks by their shape.
#[derive(Debug, Args)]
pub(crate) struct Networks {
    /// The networks, such as standard-cnn or resnet-cifar10
    #[arg(long, default_value = "standard-cnn")]
    pub(crate) architecture: String,
    /// Image side, pixels [default: the paper's]
    #[arg(long)]
    pub(crate) side: Option<usize>,
    /// Every width is divided by this
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) width_divisor: usize,
    /// Every width of D is multiplied by this: 1.5 in Tables 7 and 8
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub(crate) dis_width_factor: f64,
    /// Channels around the standard CNN's last convolution are multiplied by this: Figure 4
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub(crate) last_conv_factor: f64,
    /// How labels enter: none, concat, projection, ac-gan
    #[arg(long, default_value = "none")]
    pub(crate) conditioning: String,
    /// Number of classes
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) n_classes: usize,
}

/// The numbers that a replay computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

/// More threads than this are a typing error, and would take longer to start than the work.
const MOST_THREADS: usize = 1024;

/// A number of threads.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| *n <= MOST_THREADS);
    number.ok_or_else(|| format!("it is no number of threads from 0 to {MOST_THREADS}"))
}

/// A count of at least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "it is no count of at least 1".into())
}

/// The device and threads of a command.
#[derive(Debug, Args)]
pub(crate) struct Machine {
    /// What trains, draws and scores: cpu, cuda, cuda:N, or auto: a GPU where there is one. A sweep takes several: cuda:0,cuda:1
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Round the factors of products to TF32 on a GPU: faster, other numbers
    #[arg(long)]
    pub(crate) tf32: bool,
    /// Threads; 0 for one per core. Bits do not depend on it
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = threads)]
    pub(crate) threads: usize,
}

/// The source of images.
#[derive(Debug, Args)]
pub(crate) struct DataFolder {
    /// Folder of data sets that are not built in, and of Inception
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data_dir: PathBuf,
}

/// What is compared.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Run folders, or sweeps for all of their runs
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Folder that compare.png and compare.svg go to
    #[arg(long, value_name = "DIR", default_value = "runs/drawn")]
    pub(crate) out: PathBuf,
}

/// What TensorBoard shall show.
#[derive(Debug, Args)]
pub(crate) struct TensorBoard {
    /// Folders of sweeps, runs or collections, or that hold such
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Add what the records gain, until it is interrupted
    #[arg(long)]
    pub(crate) follow: bool,
    /// Each run's event file goes to DIR/RUN [default: the run's own folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What is checked.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Folders of runs, sweeps, collections, packs or cached features, files of statistics, weights,
    /// downloads or scorers, or folders that hold such
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// List what older versions put no checksum to
    #[arg(long)]
    pub(crate) details: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SpectrumOf {
    /// A run folder, one of its checkpoint files, or another program's safetensors, .pth or .npz
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The dictionary to take from a .pth that nests several, or the beginning of the names to take
    /// from an .npz
    #[arg(long, value_name = "NAME")]
    pub(crate) state_dict: Option<String>,
    /// Images of a run's data set whose input gradients bound the Lipschitz constant from below; 0 for none
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub(crate) images: usize,
    /// Print one JSON object with every singular value
    #[arg(long)]
    pub(crate) json: bool,
    /// The image folder of a run on own images [default: where it was]
    #[arg(long = "data", value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Run folder, or one of its checkpoint files
    #[arg(
        value_name = "RUN_OR_CHECKPOINT",
        required_unless_present_any = ["checkpoint", "weights"],
        conflicts_with_all = ["checkpoint", "weights"]
    )]
    pub(crate) source: Option<PathBuf>,
    /// The same, by name
    #[arg(long, value_name = "RUN_OR_CHECKPOINT", conflicts_with = "weights")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// In place of a run a generator's weights, such as weights/*.safetensors, or an export to PyTorch
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) weights: Option<PathBuf>,
    /// Images, or rows of an interpolation
    #[arg(short, long, default_value_t = 64)]
    pub(crate) n: usize,
    /// Only this class, of a conditional generator: its number, or its folder's name
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<String>,
    /// Make each row go from one z to another (latent), or from --class to --to-class (class)
    #[arg(long, value_enum)]
    pub(crate) interpolate: Option<Interpolate>,
    /// The class at the right end of each row
    #[arg(long, value_name = "CLASS", requires = "class")]
    pub(crate) to_class: Option<String>,
    /// Images in a row
    #[arg(long, default_value_t = 8)]
    pub(crate) columns: usize,
    /// Enlarge each pixel this many times
    #[arg(long, default_value_t = 1)]
    pub(crate) zoom: usize,
    /// Seed of z and of the classes
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A grid (FILE.png) or an array of bytes [N, H, W, 3] (FILE.npy); an existing file is
    /// replaced. Any other name: a new folder with one PNG per image
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
