//! `figure` and `table`.

use clap::Args;
use std::path::PathBuf;

/// Which table or figure, and its records.
#[derive(Debug, Args)]
pub(crate) struct Draw {
    /// Its id, such as fig11 or table7; for an unknown one, all ids are listed
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Folders of records [default: EXPERIMENT-SCALE in --records of each experiment that it shows; for fig10 figure10]
    #[arg(long, value_name = "OUT", num_args = 1.., conflicts_with = "records")]
    pub(crate) from: Vec<PathBuf>,
    /// Where the default folders are: runs, or results for the committed ones
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) records: PathBuf,
    /// The scale of the default folders
    #[arg(long, default_value = "quick")]
    pub(crate) scale: String,
    /// Folder that the files go to
    #[arg(long, value_name = "DIR", default_value = "runs/drawn")]
    pub(crate) out: PathBuf,
    /// Put the paper's published numbers beside ours, if there are any
    #[arg(long)]
    pub(crate) compare: bool,
}
