//! `export` and `import`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What is written for another program.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Run folder, or one of its checkpoint files
    #[arg(value_name = "RUN_OR_CHECKPOINT")]
    pub(crate) source: PathBuf,
    /// The program whose names and layouts are used
    #[arg(long, value_enum, default_value_t = Format::Pytorch)]
    pub(crate) format: Format,
    /// The file to write: safetensors for pytorch and weights, .onnx for onnx
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// What `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// State dicts of both networks that plain torch.nn modules load
    Pytorch,
    /// The generator as an ONNX model
    Onnx,
    /// The generator alone in half precision, for `generate --weights`, PyTorch and Candle
    Weights,
}

/// What is read of another program.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file that `export` wrote; a snapshot of the paper's authors' Chainer code (.npz); with --map a state dict of PyTorch
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// New run folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The discriminator's file, where it is another
    #[arg(long, value_name = "FILE")]
    pub(crate) discriminator: Option<PathBuf>,
    /// Which names of the state dict are which layers (docs/interchange.md)
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) map: Option<PathBuf>,
    /// The dictionary to take from a .pth that nests several, or the beginning of a snapshot's keys
    #[arg(long, value_name = "NAME")]
    pub(crate) state_dict: Option<String>,
    /// Generator updates that the networks were trained for [default: as a snapshot or its name says, else unknown]
    #[arg(long, value_name = "N")]
    pub(crate) updates: Option<u64>,
    /// The run's name in tables [default: the file's]
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
}
