//! The sets of training images, by name; the crate `data` reads them.

use serde::{Deserialize, Serialize};

/// Where the training images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// The embedded 10,000 Fashion-MNIST test images: 8,000 to train on, 2,000 as reference.
    FashionMnist,
    /// CIFAR-10's binary files in the data folder.
    Cifar10,
    /// STL-10's binary files in the data folder: 100,000 unlabeled images to train on.
    Stl10,
    /// ImageNet, packed at the spec's side by `sngan data pack imagenet`.
    #[serde(rename = "imagenet")]
    ImageNet,
    /// A folder of pictures, flat or with class subfolders; its path is none of the spec's.
    Folder,
}

impl Dataset {
    /// Every one.
    pub const ALL: [Dataset; 5] = [
        Dataset::FashionMnist,
        Dataset::Cifar10,
        Dataset::Stl10,
        Dataset::ImageNet,
        Dataset::Folder,
    ];

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Dataset::FashionMnist => "fashion-mnist",
            Dataset::Cifar10 => "cifar10",
            Dataset::Stl10 => "stl10",
            Dataset::ImageNet => "imagenet",
            Dataset::Folder => "folder",
        }
    }

    /// Whether its images are pictures of your own, in any folder.
    pub fn is_own(self) -> bool {
        match self {
            Dataset::Folder => true,
            Dataset::FashionMnist | Dataset::Cifar10 | Dataset::Stl10 | Dataset::ImageNet => false,
        }
    }

    /// The name in the paper, and in captions.
    pub fn title(self) -> &'static str {
        match self {
            Dataset::FashionMnist => "Fashion-MNIST",
            Dataset::Cifar10 => "CIFAR-10",
            Dataset::Stl10 => "STL-10",
            Dataset::ImageNet => "ImageNet",
            Dataset::Folder => "image folder",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::variants;

    #[test]
    fn every_data_set_is_listed_by_the_name_that_serde_reads() {
        assert_eq!(Dataset::ALL.map(Dataset::name).to_vec(), variants::<Dataset>());
    }
}
