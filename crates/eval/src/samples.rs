//! The source of scored images, block by block.

use crate::Result;
use rayon::prelude::*;
use sngan_data::ImageSource;
use sngan_experiment::ProtocolName;
use sngan_tensor::rng::Streams;

/// Byte images `[3, side, side]` in a fixed order.
pub trait Samples {
    /// Their name in messages.
    fn name(&self) -> &str;

    /// Height and width, pixels.
    fn side(&self) -> usize;

    /// Number of classes by which images can be requested; 0 if images have none.
    fn classes(&self) -> usize;

    /// The classes' names; `None` if classes are only numbers, which are then the data set's own.
    fn class_names(&self) -> Option<&[String]>;

    /// The number of images, only of `class` if given; `None` if any number can be made.
    fn available(&self, class: Option<u32>) -> Option<usize>;

    /// How floats became bytes, as protocols record it: `truncate`, or `given` if images were
    /// bytes.
    fn bytes(&self) -> &'static str;

    /// The decoder of those that are JPEGs ([`sngan_data::JPEG_DECODER`]); `None` if none is.
    fn decoder(&self) -> Option<&str> {
        None
    }

    /// Images are read from multiples of this on; it divides [`BLOCK`].
    fn step(&self) -> usize;

    /// Images `first..first + n`, only of `class` if given. `first` is a multiple of
    /// [`Samples::step`].
    ///
    /// # Errors
    /// Images that cannot be read or made.
    fn read(&mut self, first: usize, n: usize, class: Option<u32>) -> Result<Vec<u8>>;
}

/// Images per block: a multiple of the number that every network takes at a time, so that an
/// image's features do not depend on the caller.
pub const BLOCK: usize = 500;

/// Bytes of images that are held a second time while a piece is put together.
const TWICE_BYTES: usize = 4 << 20;

/// Images are read in pieces of at most so many bytes, or of [`Samples::step`] images.
pub(crate) const PIECE_BYTES: usize = 32 << 20;

/// The images of `side` pixels that are read at a time: a multiple of `step`, at
/// most [`BLOCK`].
pub(crate) fn piece(side: usize, step: usize) -> usize {
    let fit = PIECE_BYTES / (3 * side * side).max(1);
    (fit / step * step).clamp(step, BLOCK)
}

/// Stream of the order in which given images are taken; part of the protocol.
const GIVEN: &str = "given";

/// Images of a data set, folder or file, in an order or a selection.
#[derive(Debug)]
pub struct SourceSamples<'a> {
    source: &'a dyn ImageSource,
    order: Vec<u32>,
    bytes: &'static str,
    decoder: Option<&'a str>,
}

impl<'a> SourceSamples<'a> {
    /// All images in the source's order; `bytes` as [`Samples::bytes`].
    pub fn all(source: &'a dyn ImageSource, bytes: &'static str) -> SourceSamples<'a> {
        SourceSamples::ordered(source, (0..source.len() as u32).collect(), bytes)
    }

    /// `n` images by a seeded choice from `stream`, in the source's order.
    pub fn choice(source: &'a dyn ImageSource, n: usize, stream: &str) -> SourceSamples<'a> {
        let mut order = Streams::new(0).permutation(stream, 0, source.len());
        order.truncate(n);
        order.sort_unstable();
        SourceSamples::ordered(source, order, "given")
    }

    /// All images in a seeded order from `stream`, so that the first ones are a random choice among
    /// all; `bytes` as [`Samples::bytes`].
    pub fn shuffled(
        source: &'a dyn ImageSource,
        bytes: &'static str,
        stream: &str,
    ) -> SourceSamples<'a> {
        SourceSamples::ordered(source, Streams::new(0).permutation(stream, 0, source.len()), bytes)
    }

    fn ordered(
        source: &'a dyn ImageSource,
        order: Vec<u32>,
        bytes: &'static str,
    ) -> SourceSamples<'a> {
        SourceSamples { source, order, bytes, decoder: source.reading().jpeg.as_deref() }
    }

    /// The same images as if a generator had drawn them: recorded without a decoder.
    pub(crate) fn into_generated(self) -> SourceSamples<'a> {
        SourceSamples { decoder: None, ..self }
    }

    /// Images as protocols of these names take them: all of them in the source's order; in a seeded
    /// order if a protocol takes some of them or uses parts, because files may be sorted by class.
    pub fn given(
        source: &'a dyn ImageSource,
        bytes: &'static str,
        names: &[ProtocolName],
    ) -> SourceSamples<'a> {
        let whole = |name: &ProtocolName| name.samples() == source.len() && !name.uses_parts();
        if names.iter().all(whole) {
            SourceSamples::all(source, bytes)
        } else {
            SourceSamples::shuffled(source, bytes, GIVEN)
        }
    }

    /// The number of images of the smallest class.
    pub(crate) fn smallest_class(&self) -> usize {
        let (mut sizes, labels) = (vec![0; self.source.classes().len()], self.source.labels());
        self.order.iter().for_each(|i| sizes[labels[*i as usize] as usize] += 1);
        sizes.into_iter().min().unwrap_or(0)
    }

    fn of_class(&self, class: u32) -> impl Iterator<Item = u32> {
        let labels = self.source.labels();
        self.order.iter().copied().filter(move |i| labels[*i as usize] == class)
    }
}

impl Samples for SourceSamples<'_> {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn side(&self) -> usize {
        self.source.side()
    }

    fn classes(&self) -> usize {
        if self.source.classes().len() > 1 { self.source.classes().len() } else { 0 }
    }

    fn class_names(&self) -> Option<&[String]> {
        Some(self.source.classes())
    }

    fn available(&self, class: Option<u32>) -> Option<usize> {
        Some(class.map_or(self.order.len(), |class| self.of_class(class).count()))
    }

    fn bytes(&self) -> &'static str {
        self.bytes
    }

    fn decoder(&self) -> Option<&str> {
        self.decoder
    }

    fn step(&self) -> usize {
        1
    }

    fn read(&mut self, first: usize, n: usize, class: Option<u32>) -> Result<Vec<u8>> {
        let chosen: Vec<u32> = match class {
            None => self.order[first..first + n].to_vec(),
            Some(class) => self.of_class(class).skip(first).take(n).collect(),
        };
        let read = |i: &u32| {
            let mut image = Vec::new();
            self.source.read(*i as usize, &mut image).map(|()| image)
        };
        let size = 3 * self.side() * self.side();
        let mut bytes = Vec::with_capacity(n * size);
        // Only a few images are there twice.
        let at_once = (TWICE_BYTES / size.max(1)).max(rayon::current_num_threads());
        for part in chosen.chunks(at_once) {
            let images: Vec<Vec<u8>> =
                part.par_iter().map(read).collect::<sngan_data::Result<_>>()?;
            images.iter().for_each(|image| bytes.extend_from_slice(image));
        }
        Ok(bytes)
    }
}
