//! Reading a pack: labels and checksums in memory, images from disk one at a time.

use super::header::Header;
use super::{HEADER, INDEX, PIXELS, RECORD};
use crate::{Error, ImageSource, Images, Reading, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A larger file is not a header: ImageNet's has 20 kB.
const HEADER_LIMIT: u64 = 16 << 20;

/// A pack, opened.
#[derive(Debug)]
pub struct Packed {
    header: Header,
    labels: Vec<u32>,
    digests: Vec<[u8; 32]>,
    pixels: File,
    pixels_path: PathBuf,
    reading: Reading,
}

impl Packed {
    /// Opens the pack in `folder` and checks its header, labels and sizes; pixels are checked when they are read.
    ///
    /// # Errors
    /// A missing, malformed or cut file, named.
    pub fn open(folder: &Path) -> Result<Packed> {
        let path = folder.join(HEADER);
        let header = Header::parse(&path, &read_up_to(&path, HEADER_LIMIT)?)?;
        let path = folder.join(INDEX);
        // The file's length is compared with the header before memory is allocated.
        let (length, expected) = (length(&path)?, header.images * RECORD as u64);
        if length != expected {
            return Err(Error::malformed(
                &path,
                length.min(expected),
                format!("the file has {length} bytes instead of {expected}"),
            ));
        }
        let (labels, digests) = header.parse_index(&path, &read_up_to(&path, expected)?)?;
        let pixels_path = folder.join(PIXELS);
        let pixels = File::open(&pixels_path).map_err(Error::io("read", &pixels_path))?;
        let length = pixels.metadata().map_err(Error::io("read", &pixels_path))?.len();
        let expected = header.images * header.image_bytes() as u64;
        if length != expected {
            return Err(Error::malformed(
                &pixels_path,
                length.min(expected),
                format!("the file has {length} bytes instead of {expected}"),
            ));
        }
        let reading = Reading { jpeg: header.plan.decoder.clone(), ..Reading::NONE };
        Ok(Packed { header, labels, digests, pixels, pixels_path, reading })
    }

    /// The same with what packing left out.
    pub(super) fn with_remarks(mut self, remarks: Vec<String>) -> Packed {
        self.reading.remarks = remarks;
        self
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Classes without an image.
    pub fn classes_without_images(&self) -> Vec<&str> {
        self.header.classes_without_images(&self.labels)
    }

    /// Reads every image; returns what is wrong with each that is not what was packed. `progress` gets
    /// the images so far and the total.
    pub fn damaged(&self, progress: &mut dyn FnMut(u64, u64)) -> Vec<Error> {
        let mut faults = Vec::new();
        let mut image = Vec::new();
        for i in 0..self.len() {
            image.clear();
            faults.extend(self.read(i, &mut image).err());
            progress(i as u64 + 1, self.header.images);
        }
        faults
    }

    /// Reads every image and checks it; `progress` gets the images so far and the total.
    ///
    /// # Errors
    /// The first image that differs from what was packed.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let mut image = Vec::new();
        for i in 0..self.len() {
            image.clear();
            self.read(i, &mut image)?;
            progress(i as u64 + 1, self.header.images);
        }
        Ok(())
    }

    /// All images in memory, as a set of the same name.
    ///
    /// # Errors
    /// As [`ImageSource::read`].
    pub fn load(&self) -> Result<Images> {
        let mut pixels = Vec::with_capacity(self.len() * self.header.image_bytes());
        (0..self.len()).try_for_each(|i| self.read(i, &mut pixels))?;
        let images = Images::new(
            self.header.plan.name.clone(),
            self.header.plan.side,
            pixels,
            self.labels.clone(),
            self.header.plan.classes.clone(),
        )?;
        Ok(Images { reading: self.reading.clone(), ..images })
    }
}

impl ImageSource for Packed {
    fn name(&self) -> &str {
        &self.header.plan.name
    }

    fn side(&self) -> usize {
        self.header.plan.side
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn classes(&self) -> &[String] {
        &self.header.plan.classes
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> Result<()> {
        let (start, size) = (out.len(), self.header.image_bytes());
        let offset = i as u64 * size as u64;
        out.resize(start + size, 0);
        let image = &mut out[start..];
        read_exact_at(&self.pixels, image, offset).map_err(Error::io("read", &self.pixels_path))?;
        if <[u8; 32]>::from(Sha256::digest(&*image)) != self.digests[i] {
            let reason = format!(
                "image {i} does not have the checksum in the index; run `sngan data pack` into another folder"
            );
            return Err(Error::malformed(&self.pixels_path, offset, reason));
        }
        Ok(())
    }

    fn sha256(&self) -> String {
        self.header.sha256.clone()
    }

    fn reading(&self) -> &Reading {
        &self.reading
    }
}

fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io("read", path))?.len())
}

fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::malformed(path, limit, format!("the file has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Fills `buffer` from `offset` on without moving the file's position, which several threads share.
#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` from `offset` on; every read gives its offset, so the moved position does not
/// matter.
#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}
