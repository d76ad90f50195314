//! Where data sets are on this machine.

use crate::{ImageSource, Images, Result, Split, folder, load, open};
use sngan_experiment::Dataset;
use std::path::{Path, PathBuf};

/// The folders that images are read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Folder of data sets, of Inception's weights and of kept statistics.
    pub data_dir: Option<PathBuf>,
    /// The image folder of [`Dataset::Folder`], flat or with a folder for each class; without it,
    /// `data_dir` is one with `train/` and `test/`.
    pub images: Option<PathBuf>,
}

impl Places {
    /// A folder of data sets alone.
    pub fn new(data_dir: impl Into<PathBuf>) -> Places {
        Places { data_dir: Some(data_dir.into()), images: None }
    }

    /// The folder of data sets.
    pub fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Loads a split into memory, at `side` pixels.
    ///
    /// # Errors
    /// Missing or malformed files, each named, with what to do.
    pub fn load(&self, dataset: Dataset, split: Split, side: usize) -> Result<Images> {
        match self.own(dataset) {
            Some(root) => folder::load_own(root, split, side),
            None => load(dataset, split, side, self.data_dir()),
        }
    }

    /// A split to train from, at `side` pixels: in memory, or from a pack.
    ///
    /// # Errors
    /// As [`Places::load`].
    pub fn open(
        &self,
        dataset: Dataset,
        split: Split,
        side: usize,
    ) -> Result<Box<dyn ImageSource>> {
        match self.own(dataset) {
            Some(root) => Ok(Box::new(folder::load_own(root, split, side)?)),
            None => open(dataset, split, side, self.data_dir()),
        }
    }

    /// Your own image folder, if the data set is one.
    fn own(&self, dataset: Dataset) -> Option<&Path> {
        self.images.as_deref().filter(|_| dataset.is_own())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: PathBuf, value: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(9, 5, image::Rgb([value; 3])).save(path).unwrap();
    }

    #[test]
    fn an_own_folder_is_flat_or_has_classes_and_says_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("pets");
        png(root.join("a.png"), 1);
        let places = Places { data_dir: None, images: Some(root.clone()) };
        let train = |split| places.load(Dataset::Folder, split, 8);
        let flat = train(Split::Train).unwrap();
        assert_eq!((flat.name.as_str(), flat.classes.len(), flat.len()), ("folder:pets", 1, 1));
        assert_eq!(flat.reading.folder, Some(root.canonicalize().unwrap()));
        std::fs::remove_file(root.join("a.png")).unwrap();
        png(root.join("cat/a.png"), 1);
        png(root.join("dog/a.png"), 2);
        let classes = train(Split::Train).unwrap();
        assert_eq!(classes.classes, ["cat", "dog"]);
        assert_eq!(train(Split::Reference).unwrap().sha256(), classes.sha256());
        let message = train(Split::HeldOut).unwrap_err().to_string();
        assert!(message.contains("others into test/"), "{message}");
        std::fs::create_dir(root.join("train")).unwrap();
        std::fs::rename(root.join("cat"), root.join("train/cat")).unwrap();
        std::fs::rename(root.join("dog"), root.join("test")).unwrap();
        let split = train(Split::Train).unwrap();
        assert_eq!(
            (split.name.as_str(), split.classes.as_slice()),
            ("folder:train", &["cat".to_string()][..])
        );
        assert_eq!(train(Split::HeldOut).unwrap().len(), 1);
        // Other data sets are where they were.
        assert_eq!(places.load(Dataset::FashionMnist, Split::HeldOut, 8).unwrap().len(), 2000);
        assert!(places.load(Dataset::Cifar10, Split::Train, 8).is_err());
    }
}
