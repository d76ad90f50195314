//! Arguments of `sngan score` and `sngan reference`.

use super::{DataFolder, Machine};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum};
use sngan_eval::input::{ArrayOptions, Layout, Range};
use sngan_eval::{Backbone, BackboneOptions, FeatureCache, Few, Logits, Preparation};
use sngan_experiment::records::Metric;
use sngan_experiment::{Dataset, ProtocolName};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("scored").required(true).args(["runs", "images"])))]
pub(crate) struct Score {
    /// Run folders, or sweeps, which stand for their runs: of each, the newest checkpoint is scored and the records appended
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// Images instead: a folder of JPEG or PNG files (class subfolders for scores within classes), a .npy, .npz or .safetensors file, a run, or
    /// a data set's, such as cifar10:train
    #[arg(long, value_name = "IMAGES")]
    pub(crate) images: Option<String>,
    /// Side that a data set's images are loaded at, pixels
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub(crate) side: usize,
    /// Real images: DATASET or DATASET:ref, :test, :train; a folder or file of images; or an .npz file with mu and sigma. For a run, pictures of any size are brought to its side as those it trains on [default: the run's]
    #[arg(long, value_name = "REAL")]
    pub(crate) reference: Option<String>,
    /// What to measure on all images [default: is,fid; is without a reference]
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = metric())]
    pub(crate) metrics: Option<Vec<Metric>>,
    /// Exact protocols instead, such as is_5k_x10,fid_5k_test10k (docs/evaluation-protocol.md)
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with = "metrics")]
    pub(crate) protocols: Option<Vec<ProtocolName>>,
    /// Generated images of a run [default: 2000]; of given images, a seeded choice of this many
    /// [default: all]
    #[arg(long, value_name = "N", conflicts_with = "protocols", value_parser = super::count)]
    pub(crate) samples: Option<usize>,
    /// Splits of the inception score
    #[arg(long, default_value_t = 5, value_name = "N", conflicts_with = "protocols", value_parser = super::count)]
    pub(crate) splits: usize,
    /// Print each record as JSON, one per line
    #[arg(long)]
    pub(crate) json: bool,
    /// The image folder of runs on own images [default: where it was]
    #[arg(long = "data", value_name = "DIR", requires = "runs")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// DATASET or DATASET:ref, :test, :train; or a folder or file of images
    #[arg(value_name = "IMAGES")]
    pub(crate) images: String,
    /// The .npz file to write, with mu and sigma; a .json beside it describes their images
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Side that a data set's images are loaded at, pixels
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub(crate) side: usize,
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) machine: Machine,
    #[command(flatten)]
    pub(crate) data: DataFolder,
}

/// The network that images go through, and how.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// inception, inception-or-scorer, or a scorer such as scorer-fashion [default: inception-or-scorer for a run, else inception]
    #[arg(long, value_name = "NAME")]
    pub(crate) backbone: Option<String>,
    /// Its weights file [default: the embedded one, or Inception's in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// How images become Inception's input: as TensorFlow 1 and torch-fidelity, or as pytorch-fid
    #[arg(long, value_enum, default_value_t = Resize::Tf1)]
    pub(crate) resize: Resize,
    /// Take the inception score on logits with bias; the score is stamped
    #[arg(long)]
    pub(crate) logit_bias: bool,
    /// Axes of an array of images, if their sizes leave them open
    #[arg(long, value_enum)]
    pub(crate) layout: Option<Axes>,
    /// Black and white of an array of floats [default: -1..1 where the values can be nothing else; others are refused]
    #[arg(long, value_enum, allow_hyphen_values = true)]
    pub(crate) range: Option<Bounds>,
    /// Allow FID of no more images than features; the score is stamped
    #[arg(long)]
    pub(crate) allow_few: bool,
    /// Keep features in this folder: an interrupted scoring continues, and nothing is computed
    /// twice
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

/// Reads a metric by its name in records.
fn metric() -> impl TypedValueParser<Value = Metric> {
    PossibleValuesParser::new(Metric::ALL.map(Metric::name)).try_map(|name| {
        let found = Metric::ALL.into_iter().find(|metric| metric.name() == name);
        found.ok_or("no metric has this name")
    })
}

/// Inception's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resize {
    Tf1,
    HalfPixel,
}

/// Order of an array's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Axes {
    Nhwc,
    Nchw,
}

/// Black and white of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bounds {
    #[value(name = "0..1")]
    Unit,
    #[value(name = "-1..1")]
    Symmetric,
    #[value(name = "0..255")]
    Bytes,
}

/// What was said of an array.
pub(crate) fn array(layout: Option<Axes>, range: Option<Bounds>) -> ArrayOptions {
    ArrayOptions {
        layout: layout.map(|axes| match axes {
            Axes::Nhwc => Layout::Nhwc,
            Axes::Nchw => Layout::Nchw,
        }),
        range: range.map(|bounds| match bounds {
            Bounds::Unit => Range::Unit,
            Bounds::Symmetric => Range::Symmetric,
            Bounds::Bytes => Range::Bytes,
        }),
    }
}

impl Network {
    /// What arrays of images do not say themselves.
    pub(crate) fn array(&self) -> ArrayOptions {
        array(self.layout, self.range)
    }

    pub(crate) fn few(&self) -> Few {
        if self.allow_few { Few::Allowed } else { Few::Refused }
    }

    pub(crate) fn cache(&self) -> Option<FeatureCache> {
        self.cache.as_ref().map(FeatureCache::new)
    }

    /// The network itself; `default` is the name used if none was given.
    pub(crate) fn load(
        &self,
        default: &str,
        dataset: Dataset,
        data: &DataFolder,
    ) -> anyhow::Result<Backbone> {
        let options = BackboneOptions {
            weights: self.weights.clone(),
            data_dir: Some(data.data_dir.clone()),
            preparation: match self.resize {
                Resize::Tf1 => Preparation::LegacyBilinear,
                Resize::HalfPixel => Preparation::HalfPixelBilinear,
            },
            logits: if self.logit_bias { Logits::Biased } else { Logits::Unbiased },
        };
        let name = self.backbone.as_deref().unwrap_or(default);
        Backbone::named(name, dataset, &options)?.ok_or_else(|| match name {
            Backbone::INCEPTION_OR_SCORER => anyhow::anyhow!(
                "there are no Inception weights in {}, and no scorer is known to go with these images; `sngan data fetch inception` gets the \
                 former, --backbone names one of {}",
                data.data_dir.display(),
                Backbone::names().join(", ")
            ),
            name => anyhow::anyhow!("--backbone {name} is for ms-ssim alone; the others are taken through a network"),
        })
    }
}
