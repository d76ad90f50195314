//! Features of a block of images. The images are read piece by piece, so that memory does not grow
//! with their side.

use crate::Result;
use crate::backbone::{Backbone, BackboneFeatures};
use crate::cache::{FeatureCache, Key};
use crate::samples::{Samples, piece};
use std::ops::Range;

/// Features of `samples`' images `first..first + n`, of only one class if `class` is given. The
/// block is what counts: pieces change no bit. `at` is told, more than once a block, of how many of
/// its images are done.
///
/// # Errors
/// What `at` returns; images that cannot be read or made; as [`Backbone::features`] and [`FeatureCache::features`].
pub(crate) fn features(
    backbone: &Backbone,
    cache: Option<&FeatureCache>,
    samples: &mut dyn Samples,
    images: Range<usize>,
    class: Option<u32>,
    at: &dyn Fn(usize) -> Result<()>,
) -> Result<BackboneFeatures> {
    let side = samples.side();
    let piece = piece(side, samples.step());
    let mut block = Block::new(backbone, cache, side, at);
    for start in images.clone().step_by(piece) {
        at(start - images.start)?;
        block.add(samples.read(start, piece.min(images.end - start), class)?)?;
    }
    block.finish()
}

/// What was read of a block.
struct Block<'a> {
    backbone: &'a Backbone,
    cache: Option<&'a FeatureCache>,
    side: usize,
    key: Key,
    /// Images that wait for the rest of the block, and their side.
    waiting: (Vec<u8>, usize),
    /// Images that went through the network.
    done: usize,
    at: &'a dyn Fn(usize) -> Result<()>,
    features: BackboneFeatures,
}

impl<'a> Block<'a> {
    fn new(
        backbone: &'a Backbone,
        cache: Option<&'a FeatureCache>,
        side: usize,
        at: &'a dyn Fn(usize) -> Result<()>,
    ) -> Block<'a> {
        Block {
            backbone,
            cache,
            side,
            key: Key::new(backbone, side),
            waiting: (Vec::new(), side),
            done: 0,
            at,
            features: BackboneFeatures { pool: Vec::new(), logits: Vec::new() },
        }
    }

    /// Networks that mind the places of images wait for the whole block, at their own small side.
    /// The others take each piece at once.
    fn add(&mut self, bytes: Vec<u8>) -> Result<()> {
        if self.cache.is_some() {
            self.key.update(&bytes);
        }
        let (images, side) =
            self.backbone.at_own_side(&bytes, self.side).unwrap_or((bytes, self.side));
        if self.waiting.0.is_empty() {
            self.waiting = (images, side);
        } else {
            self.waiting.0.extend(images);
        }
        if self.backbone.minds_places() { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let (images, side) = std::mem::replace(&mut self.waiting, (Vec::new(), self.side));
        let key = std::mem::replace(&mut self.key, Key::new(self.backbone, self.side));
        if images.is_empty() {
            return Ok(());
        }
        let n = images.len() / (3 * side * side).max(1);
        let (done, at) = (self.done, self.at);
        let compute = || self.backbone.features_while(&images, side, &|n| at(done + n));
        self.done += n;
        let found = match self.cache {
            Some(cache) => cache.kept(key, self.backbone, n, compute)?,
            None => compute()?,
        };
        self.features.pool.extend(found.pool);
        self.features.logits.extend(found.logits);
        Ok(())
    }

    fn finish(mut self) -> Result<BackboneFeatures> {
        self.flush()?;
        Ok(self.features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{BLOCK, SourceSamples};
    use crate::{SCORERS, Scorer};
    use sngan_data::{Images, Reading};

    #[test]
    fn pieces_change_no_bit_and_no_name_in_the_cache() {
        let backbone = Backbone::Scorer(Scorer::embedded(SCORERS[0].name).unwrap());
        // Large enough for several pieces of a size that divides no batch.
        let (n, side) = (130, 320);
        let pixels = (0..n * 3 * side * side).map(|i| (i * 31 / 7 % 251) as u8).collect();
        let images = Images {
            name: "given".into(),
            side,
            pixels,
            labels: vec![0; n],
            classes: vec!["all".into()],
            reading: Reading::NONE,
        };
        assert!(piece(side, 1) < n && !piece(side, 1).is_multiple_of(100));
        let whole = backbone.features(&images.pixels, side).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::new(folder.path());
        cache.features(&backbone, &images.pixels, side).unwrap();
        for cache in [None, Some(&cache)] {
            let mut samples = SourceSamples::all(&images, "given");
            let found = features(&backbone, cache, &mut samples, 0..n, None, &|_| Ok(())).unwrap();
            assert_eq!(found, whole);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn pieces_are_bounded_and_start_where_images_can_be_read_from() {
        assert_eq!((piece(32, 100), piece(128, 1)), (BLOCK, BLOCK));
        assert_eq!((piece(256, 1), piece(256, 100), piece(1024, 1)), (170, 100, 10));
        assert_eq!((piece(8192, 1), piece(8192, 100)), (1, 100));
    }
}
