//! Images in memory.

use crate::{Error, Reading, Result};
use image::imageops::{self, FilterType};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Byte images with labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Data set and split, such as `fashion-mnist:train`.
    pub name: String,
    /// Height and width, pixels.
    pub side: usize,
    /// `[N, 3, side, side]`, RGB planes, 0–255.
    pub pixels: Vec<u8>,
    /// Class of each image, an index into `classes`.
    pub labels: Vec<u32>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// How they were read, if they were pictures.
    pub reading: Reading,
}

impl Images {
    /// Checks that pixels, labels and classes belong together.
    ///
    /// # Errors
    /// When the lengths differ, or a label has no class.
    pub fn new(
        name: String,
        side: usize,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Images> {
        if side == 0 || pixels.len() != labels.len() * 3 * side * side {
            return Err(Error::Invalid(format!(
                "{name}: {} bytes are not {} images of 3x{side}x{side}",
                pixels.len(),
                labels.len()
            )));
        }
        if let Some(label) = labels.iter().find(|l| **l as usize >= classes.len()) {
            return Err(Error::Invalid(format!(
                "{name}: label {label} among {} classes",
                classes.len()
            )));
        }
        Ok(Images { name, side, pixels, labels, classes, reading: Reading::NONE })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image `i`, `[3, side, side]`.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn image(&self, i: usize) -> &[u8] {
        let size = 3 * self.side * self.side;
        &self.pixels[i * size..(i + 1) * size]
    }

    /// SHA-256 of side, labels and pixels, in hex: the identity of a training set or reference.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.side as u64).to_le_bytes());
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        hash.update(&self.pixels);
        hex::encode(hash.finalize())
    }

    /// Images of another side, by antialiased bilinear interpolation.
    pub fn resize(&self, side: usize) -> Images {
        if side == self.side {
            return self.clone();
        }
        Images {
            name: self.name.clone(),
            side,
            pixels: resize(&self.pixels, self.side, side),
            labels: self.labels.clone(),
            classes: self.classes.clone(),
            reading: self.reading.clone(),
        }
    }

    /// The images in `range`, as a separate set.
    ///
    /// # Panics
    /// When the range is out of bounds.
    pub fn range(&self, range: Range<usize>) -> Images {
        let size = 3 * self.side * self.side;
        Images {
            name: self.name.clone(),
            side: self.side,
            pixels: self.pixels[range.start * size..range.end * size].to_vec(),
            labels: self.labels[range].to_vec(),
            classes: self.classes.clone(),
            reading: self.reading.clone(),
        }
    }
}

/// Images `[N, 3, from, from]` of bytes as `[N, 3, to, to]`, by antialiased bilinear interpolation.
pub fn resize(pixels: &[u8], from: usize, to: usize) -> Vec<u8> {
    if from == to || from == 0 {
        return pixels.to_vec();
    }
    let mut resized = vec![0; pixels.len() / (from * from) * to * to];
    pixels
        .par_chunks_exact(3 * from * from)
        .zip(resized.par_chunks_exact_mut((3 * to * to).max(1)))
        .for_each(|(planes, place)| place.copy_from_slice(&resize_one(planes, from, to)));
    resized
}

pub(crate) fn resize_one(planes: &[u8], from: usize, to: usize) -> Vec<u8> {
    let area = from * from;
    let rgb = image::RgbImage::from_fn(from as u32, from as u32, |x, y| {
        let p = y as usize * from + x as usize;
        image::Rgb([planes[p], planes[area + p], planes[2 * area + p]])
    });
    to_planes(&imageops::resize(&rgb, to as u32, to as u32, FilterType::Triangle))
}

/// Interleaved RGB to planes `[3, H, W]`.
pub(crate) fn to_planes(rgb: &image::RgbImage) -> Vec<u8> {
    (0..3).flat_map(|c| rgb.pixels().map(move |p| p.0[c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_keeps_flat_images_flat_and_averages_checkers() {
        let flat = Images::new(
            "flat".into(),
            4,
            [[10u8; 16], [20; 16], [30; 16]].concat(),
            vec![0],
            vec!["x".into()],
        )
        .unwrap();
        assert_eq!(flat.resize(8).pixels, [[10u8; 64], [20; 64], [30; 64]].concat());
        let checker: Vec<u8> = (0..3)
            .flat_map(|_| (0..64).map(|p| if (p / 8 + p % 8) % 2 == 0 { 0 } else { 200 }))
            .collect();
        let small =
            Images::new("c".into(), 8, checker, vec![0], vec!["x".into()]).unwrap().resize(2);
        assert!(small.pixels.iter().all(|p| (90..=110).contains(p)), "{:?}", small.pixels);
    }

    /// Levels by which Pillow's resize, which rounds between its two passes, may differ.
    const PILLOW: u8 = 1;

    #[test]
    fn resizing_is_pillows_bilinear() {
        let mut rest = &include_bytes!("../tests/fixtures/resize.bin")[..];
        while let [before, after, pixels @ ..] = rest {
            let (before, after) = (usize::from(*before), usize::from(*after));
            let (grey, pixels) = pixels.split_at(before * before);
            let (expected, next) = pixels.split_at(after * after);
            let found = resize_one(&[grey, grey, grey].concat(), before, after);
            for (found, expected) in found.iter().zip(expected.iter().cycle()) {
                assert!(
                    found.abs_diff(*expected) <= PILLOW,
                    "{before} → {after}: {found} instead of {expected}"
                );
            }
            rest = next;
        }
    }

    #[test]
    fn identity_depends_on_pixels_and_labels() {
        let a = Images::new("a".into(), 1, vec![1, 2, 3], vec![0], vec!["x".into(), "y".into()])
            .unwrap();
        let b = Images { labels: vec![1], ..a.clone() };
        let c = Images { name: "c".into(), ..a.clone() };
        assert_ne!(a.sha256(), b.sha256());
        assert_eq!(a.sha256(), c.sha256());
        assert!(Images::new("a".into(), 1, vec![1, 2], vec![0], vec!["x".into()]).is_err());
    }
}
