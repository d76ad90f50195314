//! What can be fetched: official addresses, sizes and checksums.

use crate::{Error, Result, cifar10, idx, stl10};
use std::path::Path;

/// A checksum, in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// MD5, if the publisher gives nothing better.
    Md5(&'static str),
    /// SHA-256.
    Sha256(&'static str),
    /// The first eight digits of the SHA-256, if the publisher put no more into the file's name.
    Sha256Prefix(&'static str),
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Checksum::Md5(hex) => write!(f, "md5 {hex}"),
            Checksum::Sha256(hex) => write!(f, "sha256 {hex}"),
            Checksum::Sha256Prefix(hex) => write!(f, "sha256 {hex}…"),
        }
    }
}

/// A file to download.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// Its name, here and below the source's address.
    pub name: &'static str,
    /// Size in bytes, if the publisher states it.
    pub bytes: Option<u64>,
    /// Any one of these must match.
    pub checksums: &'static [Checksum],
    /// Full addresses of the same bytes, tried in turn if the source's own gives nothing.
    pub mirrors: &'static [&'static str],
}

/// How an archive is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Unpack {
    /// Folder in the archive and below the data folder.
    pub folder: &'static str,
    /// The files taken from it; everything else in the archive is left out.
    pub files: &'static [&'static str],
    /// The largest size of one such file, bytes.
    pub limit: u64,
}

/// Reads the files below a data folder; returns a line about each part, or an error about one that is not whole.
pub type WellFormed = fn(&Path) -> Result<Vec<String>>;

/// A data set that can be fetched.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Name on the command line.
    pub name: &'static str,
    /// One line about content and license.
    pub about: &'static str,
    /// Address that file names are appended to.
    pub base: &'static str,
    /// Folder of the downloads, below the data folder; empty for the data folder itself.
    pub folder: &'static str,
    /// Files.
    pub files: &'static [Remote],
    /// Archives are unpacked.
    pub unpack: Option<Unpack>,
    /// What its reader says of the files below a data folder, a line each: that they are whole.
    /// Without it nothing but their checksums can be checked.
    pub well_formed: Option<WellFormed>,
}

/// Every data set that can be fetched.
pub fn sources() -> &'static [Source] {
    SOURCES
}

const SOURCES: &[Source] = &[
    Source {
        name: "cifar10",
        well_formed: Some(cifar10::check),
        about: "CIFAR-10, binary version: 60,000 32x32 images in 10 classes (Krizhevsky 2009)",
        base: "https://www.cs.toronto.edu/~kriz/",
        folder: "",
        files: &[Remote {
            name: "cifar-10-binary.tar.gz",
            bytes: Some(170_052_171),
            checksums: &[Checksum::Sha256(
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            )],
            mirrors: &[],
        }],
        unpack: Some(Unpack {
            folder: cifar10::FOLDER,
            files: &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
                "test_batch.bin",
            ],
            limit: 30_730_000,
        }),
    },
    Source {
        name: "stl10",
        well_formed: Some(stl10::check),
        about: "STL-10, binary version: 100,000 unlabeled and 13,000 labeled 96x96 images (Coates et al. 2011); 2.6 GB, 3.1 GB unpacked",
        base: "http://ai.stanford.edu/~acoates/stl10/",
        folder: "",
        files: &[Remote {
            name: "stl10_binary.tar.gz",
            bytes: None,
            checksums: &[Checksum::Md5("91f7769df0f17e558f3565bffb0c7dfb")],
            mirrors: &[],
        }],
        unpack: Some(Unpack {
            folder: stl10::FOLDER,
            files: &["unlabeled_X.bin", "train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"],
            limit: 2_764_800_000,
        }),
    },
    Source {
        name: "fashion-mnist",
        well_formed: Some(idx::check_fashion_mnist),
        about: "Fashion-MNIST: 70,000 grey 28x28 images in 10 classes (Zalando, MIT license); needed only to train a scorer",
        base: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        folder: "fashion-mnist",
        // The first checksum is the publisher's, the second that of the recompressed copy in Debian's package dataset-fashion-mnist.
        files: &[
            Remote {
                name: "train-images-idx3-ubyte.gz",
                bytes: None,
                checksums: &[
                    Checksum::Md5("8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                    Checksum::Md5("cf8536b0aa1a6ac5fa3f23001093305c"),
                ],
                mirrors: &[],
            },
            Remote {
                name: "train-labels-idx1-ubyte.gz",
                bytes: None,
                checksums: &[
                    Checksum::Md5("25c81989df183df01b3e8a0aad5dffbe"),
                    Checksum::Md5("10bea18fdb374794d4bb42e356e600c9"),
                ],
                mirrors: &[],
            },
            Remote {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: None,
                checksums: &[
                    Checksum::Md5("bef4ecab320f06d8554ea6380940ec79"),
                    Checksum::Md5("f78720b4224f21cce2f2ccf2d7a94c9a"),
                ],
                mirrors: &[],
            },
            Remote {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: None,
                checksums: &[
                    Checksum::Md5("bb300cfdad3c16e7a12a480ee83cd310"),
                    Checksum::Md5("0d30e22e447f3c33dab9ed536400ac01"),
                ],
                mirrors: &[],
            },
        ],
        unpack: None,
    },
    Source {
        name: "inception",
        well_formed: None,
        about: "weights of Inception-v3 of 2015-12-05 (TensorFlow's graph, Apache License 2.0), as pytorch-fid converted them; 96 MB",
        base: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/",
        folder: "inception",
        files: &[Remote {
            name: "pt_inception-2015-12-05-6726825d.pth",
            bytes: None,
            checksums: &[Checksum::Sha256Prefix("6726825d")],
            mirrors: &[
                "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
            ],
        }],
        unpack: None,
    },
];

/// The data set of this name.
///
/// # Errors
/// An unknown set; ImageNet, which is not fetched.
pub(crate) fn source(name: &str) -> Result<&'static Source> {
    if name == "imagenet" {
        return Err(Error::Invalid(
            "ImageNet cannot be fetched without an account at image-net.org; unpack it as train/<synset>/*.JPEG and val/<synset>/*.JPEG, then \
             run `sngan data pack imagenet`"
                .into(),
        ));
    }
    SOURCES.iter().find(|s| s.name == name).ok_or_else(|| {
        let known: Vec<_> = SOURCES.iter().map(|s| s.name).collect();
        Error::Invalid(format!("unknown data set `{name}`; known: {}", known.join(", ")))
    })
}
