//! Feature maps `[H, W, N, C]`, or some adjacent channels of wider ones.

use crate::shared::SharedMut;

/// Sizes of a map without its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
    /// N.
    pub images: usize,
}

impl Plane {
    /// H·W.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// H·W·N: the rows of channels.
    pub fn rows(self) -> usize {
        self.pixels() * self.images
    }

    /// Whether `len` numbers hold this plane with rows `pitch` apart, the last of `channels`.
    fn fits(self, channels: usize, pitch: usize, len: usize) -> bool {
        self.rows() > 0
            && channels > 0
            && channels <= pitch
            && (self.rows() - 1) * pitch + channels <= len
    }
}

/// A map to read.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    pub(crate) plane: Plane,
    pub(crate) channels: usize,
    /// Elements from one row of channels to the next.
    pub(crate) pitch: usize,
    pub(crate) data: &'a [f32],
}

impl<'a> Map<'a> {
    /// A whole map.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn new(plane: Plane, channels: usize, data: &'a [f32]) -> Map<'a> {
        Map::some(plane, channels, channels, data)
    }

    /// `channels` channels of a map whose rows are `pitch` apart, from the first of `data` on.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn some(plane: Plane, channels: usize, pitch: usize, data: &'a [f32]) -> Map<'a> {
        assert!(
            plane.fits(channels, pitch, data.len()),
            "{channels} of {pitch} channels over {plane:?} in {} numbers",
            data.len()
        );
        Map { plane, channels, pitch, data }
    }
}

/// A map to write.
#[derive(Debug)]
pub struct MapMut<'a> {
    plane: Plane,
    channels: usize,
    pitch: usize,
    data: &'a mut [f32],
}

impl<'a> MapMut<'a> {
    /// A whole map.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn new(plane: Plane, channels: usize, data: &'a mut [f32]) -> MapMut<'a> {
        MapMut::some(plane, channels, channels, data)
    }

    /// `channels` channels of a map whose rows are `pitch` apart, from the first of `data` on.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn some(plane: Plane, channels: usize, pitch: usize, data: &'a mut [f32]) -> MapMut<'a> {
        assert!(
            plane.fits(channels, pitch, data.len()),
            "{channels} of {pitch} channels over {plane:?} in {} numbers",
            data.len()
        );
        MapMut { plane, channels, pitch, data }
    }

    pub(crate) fn plane(&self) -> Plane {
        self.plane
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// The map for several tasks, each of which writes its own rows.
    pub(crate) fn share(&mut self) -> Target {
        Target { plane: self.plane, pitch: self.pitch, data: SharedMut::new(self.data) }
    }
}

/// A [`MapMut`] that tasks share.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) plane: Plane,
    pub(crate) pitch: usize,
    pub(crate) data: SharedMut<f32>,
}

impl Target {
    /// The first channel of row `row` in the order `[H, W, N]`.
    ///
    /// Safety: the row lies within the plane, and no other task writes it at the same time.
    pub(crate) unsafe fn row(&self, row: usize) -> *mut f32 {
        // SAFETY: guaranteed by the caller; the map was checked when it was made.
        unsafe { self.data.pointer().add(row * self.pitch) }
    }
}
