//! `fid`.

use super::DataFolder;
use super::score::{Axes, Bounds};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Two sets of images.
#[derive(Debug, Args)]
pub(crate) struct Fid {
    /// A folder of JPEG or PNG files; a .npy, .npz or .safetensors file of images; an .npz with mu and sigma; or a data set's images, such as
    /// cifar10:test
    #[arg(value_name = "A")]
    pub(crate) a: String,
    /// The same of the other set; the distance is symmetric
    #[arg(value_name = "B")]
    pub(crate) b: String,
    /// Resize as pytorch-fid, in place of TensorFlow 1's interpolation, which torch-fidelity has
    #[arg(long)]
    pub(crate) half_pixel: bool,
    /// How pictures of folders are taken whose sizes differ, or that are no squares
    #[arg(long, value_enum, default_value_t = Pictures::Same)]
    pub(crate) pictures: Pictures,
    /// Side that a data set's images are loaded at, and that --pictures crop brings pictures to, pixels [default: 32]
    #[arg(long, value_name = "N", value_parser = super::count)]
    pub(crate) side: Option<usize>,
    /// The network: inception, or a small built-in classifier, scorer-fashion or scorer-cifar10, whose numbers compare with its own alone
    #[arg(long, value_name = "NAME", default_value = sngan_eval::Backbone::INCEPTION)]
    pub(crate) backbone: String,
    /// Its weights file [default: Inception's in the data folder, or the embedded one of a scorer]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Axes of an array of images, if their sizes leave them open
    #[arg(long, value_enum)]
    pub(crate) layout: Option<Axes>,
    /// Black and white of an array of floats [default: -1..1 where the values can be nothing else; others are refused]
    #[arg(long, value_enum, allow_hyphen_values = true)]
    pub(crate) range: Option<Bounds>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads; 0 for one per core. Bits do not depend on it
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = super::threads)]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The way of pictures to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pictures {
    /// All of both sets have one size, square or not, from which they are resized; others are refused
    Same,
    /// Each from its own size, without regard to its proportions; through Inception alone
    Each,
    /// The center square of each, first resized to --side as for training
    Crop,
}

impl Pictures {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Pictures::Same => "same",
            Pictures::Each => "each",
            Pictures::Crop => "crop",
        }
    }
}
