//! Features on disk: an interrupted scoring continues from them, and the same images never go
//! through a network twice.
//!
//! A file holds the features of one block of images. Its name is the SHA-256 of the images' bytes
//! and of everything else that the features depend on. So it serves any later scoring of the same
//! block, wherever the images come from.

use crate::backbone::{Backbone, BackboneFeatures};
use crate::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use sngan_experiment::{atomic, regular};
use std::path::{Path, PathBuf};

/// A folder of features.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    folder: PathBuf,
}

impl FeatureCache {
    /// A cache in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> FeatureCache {
        FeatureCache { folder: folder.into() }
    }

    /// [`Backbone::features`], read from the folder if they are there, else computed and stored. A
    /// damaged file is computed again.
    ///
    /// # Errors
    /// As [`Backbone::features`]; a file that cannot be written.
    pub fn features(
        &self,
        backbone: &Backbone,
        bytes: &[u8],
        side: usize,
    ) -> Result<BackboneFeatures> {
        let mut key = Key::new(backbone, side);
        key.update(bytes);
        let images = bytes.len() / (3 * side * side).max(1);
        self.kept(key, backbone, images, || backbone.features(bytes, side))
    }

    /// The features of `images` images with this key, or what `compute` makes of them.
    pub(crate) fn kept(
        &self,
        key: Key,
        backbone: &Backbone,
        images: usize,
        compute: impl FnOnce() -> Result<BackboneFeatures>,
    ) -> Result<BackboneFeatures> {
        let path = self.folder.join(format!("{}.safetensors", key.name()));
        if let Some(found) = read(&path, images, backbone) {
            return Ok(found);
        }
        let features = compute()?;
        atomic::write(&path, &encode(&features, images)?)?;
        Ok(features)
    }
}

/// What a file's name is made from: the images' bytes, which may come one after the other, and all
/// else that the features depend on. What decoded the images shows in their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Key(Sha256);

impl Key {
    pub(crate) fn new(backbone: &Backbone, side: usize) -> Key {
        let mut hash = Sha256::new();
        let stamp = backbone.logit_stamp().unwrap_or_default();
        for part in
            [backbone.name(), backbone.sha256(), &backbone.resize(side), stamp, &side.to_string()]
        {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Key(hash)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn name(self) -> String {
        hex::encode(self.0.finalize())
    }
}

fn encode(features: &BackboneFeatures, images: usize) -> Result<Vec<u8>> {
    let refused = |e: safetensors::SafeTensorError| Error::input("feature cache", e.to_string());
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (pool, logits) = (bytes(&features.pool), bytes(&features.logits));
    let view = |values: &[f32], data| {
        TensorView::new(Dtype::F32, vec![images, values.len() / images.max(1)], data)
    };
    let sum = checksum(&pool, &logits);
    let sum_view = TensorView::new(Dtype::U8, vec![sum.len()], &sum).map_err(refused)?;
    let views = [
        (CHECKSUM, sum_view),
        ("pool", view(&features.pool, &pool).map_err(refused)?),
        ("logits", view(&features.logits, &logits).map_err(refused)?),
    ];
    safetensors::serialize(views, None).map_err(refused)
}

/// The tensor with the SHA-256 of the others: a value that was changed on disk must not become a score.
const CHECKSUM: &str = "sha256";

fn checksum(pool: &[u8], logits: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(pool).chain_update(logits).finalize().into()
}

/// Whether the features in a file are those that were written.
fn is_whole(file: &SafeTensors<'_>) -> bool {
    let data = |name: &str| file.tensor(name).map(|view| view.data()).ok();
    let sums = data("pool").zip(data("logits")).map(|(pool, logits)| checksum(pool, logits));
    sums.is_some_and(|sum| data(CHECKSUM) == Some(&sum[..]))
}

/// Whether a file's name is that of features in a cache.
pub fn is_features(path: &Path) -> bool {
    let is_key = |name: &str| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    path.extension().is_some_and(|e| e == "safetensors")
        && path.file_stem().and_then(|name| name.to_str()).is_some_and(is_key)
}

/// Checks every file of features in a cache's folder; returns what is damaged, with the reason. A damaged file is not used: its features
/// are computed again when they are needed.
///
/// # Errors
/// A folder that cannot be listed.
pub fn verify(folder: &Path) -> Result<Vec<String>> {
    let io = |e| Error::from(sngan_experiment::Error::io("list", folder)(e));
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if !is_features(&path) {
            continue;
        }
        let bytes = regular::read(&path).map_err(sngan_experiment::Error::io("read", &path))?;
        if !SafeTensors::deserialize(&bytes).is_ok_and(|file| is_whole(&file)) {
            faults.push(format!("{}: does not have the checksum in it", path.display()));
        }
    }
    Ok(faults)
}

/// The features in a file, if it is whole and of this network.
fn read(path: &Path, images: usize, backbone: &Backbone) -> Option<BackboneFeatures> {
    let bytes = regular::read(path).ok()?;
    let file = SafeTensors::deserialize(&bytes).ok().filter(is_whole)?;
    let tensor = |name: &str, dim: usize| {
        let view = file.tensor(name).ok()?;
        let fits = view.dtype() == Dtype::F32 && view.shape() == [images, dim];
        fits.then(|| {
            view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        })
    };
    Some(BackboneFeatures {
        pool: tensor("pool", backbone.pool_dim())?,
        logits: tensor("logits", backbone.classes())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SCORERS, Scorer};

    #[test]
    fn features_are_taken_up_again_and_damaged_ones_computed_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(folder.path().join("features"));
        let backbone = Backbone::Scorer(Scorer::embedded(SCORERS[0].name).unwrap());
        let images: Vec<u8> = (0..2 * 3 * 16 * 16).map(|i| (i * 31 % 251) as u8).collect();
        let first = cache.features(&backbone, &images, 16).unwrap();
        let files = || {
            std::fs::read_dir(folder.path().join("features"))
                .unwrap()
                .map(|e| e.unwrap().path())
                .collect::<Vec<_>>()
        };
        assert_eq!(files().len(), 1);

        // The features read are those in the file.
        let other = BackboneFeatures { pool: vec![7.0; first.pool.len()], ..first.clone() };
        std::fs::write(&files()[0], encode(&other, 2).unwrap()).unwrap();
        assert_eq!(cache.features(&backbone, &images, 16).unwrap(), other);
        // A value that was changed is noticed.
        let mut bytes = std::fs::read(&files()[0]).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&files()[0], bytes).unwrap();
        assert_eq!(verify(&folder.path().join("features")).unwrap().len(), 1);
        assert_eq!(cache.features(&backbone, &images, 16).unwrap(), first);
        assert_eq!(verify(&folder.path().join("features")).unwrap(), Vec::<String>::new());
        std::fs::write(&files()[0], b"cut").unwrap();
        assert_eq!(cache.features(&backbone, &images, 16).unwrap(), first);
        cache.features(&backbone, &images[..3 * 16 * 16], 16).unwrap();
        assert_eq!(files().len(), 2);
    }
}
