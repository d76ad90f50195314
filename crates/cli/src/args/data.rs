//! `data`, and the scorers that are trained on it.

use super::DataFolder;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List what can be fetched
    List,
    /// Download, check and unpack a data set; an interrupted download resumes
    Fetch(DataSet),
    /// Check a data set's files
    Verify(DataSet),
    /// Decode, crop and resize an image folder once, for training to read from; an interrupted pack
    /// continues where it stopped
    Pack(Pack),
}

#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// The data set
    pub(crate) name: PackName,
    /// Folder with train/SYNSET/*.JPEG and, if there are validation images, val/SYNSET/*.JPEG
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
    /// Leave out images with a shorter side than this, pixels; the authors' preprocessing uses 256
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) min_side: u32,
    /// End with an error at the first file that cannot be decoded, instead of listing it in rejected.json
    #[arg(long)]
    pub(crate) strict: bool,
    /// Threads; 0 for one per core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::threads)]
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
    /// Train a scorer and write its weights; run it again to continue after an interruption
    Train(TrainScorer),
    /// Print the embedded scorers' hashes, and their accuracies on images that were not trained on
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
    /// Hold out the last N training images, and print the accuracy on them after each epoch; the
    /// test images are then not read
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) hold_out: usize,
    /// Passes over the training images [default: the scorer's own]
    #[arg(long)]
    pub(crate) epochs: Option<usize>,
    /// Adam's initial learning rate [default: the scorer's own]
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
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::threads)]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct CheckScorer {
    #[command(flatten)]
    pub(crate) data: DataFolder,
}
