//! Winograd filters: tiles of all images are transformed to points, where a filter is one product
//! over channels per point.

use super::map::{Map, MapMut, Target};
use super::panels::{Panel, Panels, VECTOR, finish};
use super::tiling::{Column, F25, F43, F47, MOST, Row, Square, Tile};
use super::{Filter, FilterShape};
use crate::isa::Kernel;
use crate::product::Product;
use crate::real::sealed::Run;
use crate::simd::Simd;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Target number of rows of a task's product: images of enough tiles to make reading the weights
/// worthwhile.
const ROWS: usize = 48;
/// Padding between the planes of different points, in elements: equal powers of two would map to
/// the same cache sets.
const PAD: usize = 80;

/// The shapes that have a tiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winograd {
    Square3,
    Square5,
    Row3,
    Column3,
    Row7,
    Column7,
}

impl Winograd {
    /// The tiling for a shape, if there is one.
    pub(super) fn kind(shape: &FilterShape) -> Option<Winograd> {
        let fits = shape.stride == 1
            && shape.in_channels.is_multiple_of(VECTOR)
            && shape.out_channels.is_multiple_of(VECTOR);
        let kind = match shape.kernel {
            (3, 3) => Winograd::Square3,
            (5, 5) => Winograd::Square5,
            (1, 3) => Winograd::Row3,
            (3, 1) => Winograd::Column3,
            (1, 7) => Winograd::Row7,
            (7, 1) => Winograd::Column7,
            _ => return None,
        };
        fits.then_some(kind)
    }
}

/// `[panel][point][in][panel width]`, transformed in f64.
pub(super) fn pack(shape: &FilterShape, panels: &Panels, weights: &[f32]) -> Vec<f32> {
    match shape.kernel {
        (5, 5) => pack_by::<Square<F25>>(shape, panels, weights),
        (1, 3) => pack_by::<Row<F43>>(shape, panels, weights),
        (3, 1) => pack_by::<Column<F43>>(shape, panels, weights),
        (1, 7) => pack_by::<Row<F47>>(shape, panels, weights),
        (7, 1) => pack_by::<Column<F47>>(shape, panels, weights),
        _ => pack_by::<Square<F43>>(shape, panels, weights),
    }
}

fn pack_by<K: Tile>(shape: &FilterShape, panels: &Panels, weights: &[f32]) -> Vec<f32> {
    let (channels, taps) = (shape.in_channels, shape.taps());
    let mut packed = vec![0.0; K::POINTS * channels * shape.out_channels];
    for Panel { first, width } in panels.iter() {
        let panel = &mut packed[first * K::POINTS * channels..][..width * K::POINTS * channels];
        for (c, o) in (0..channels).flat_map(|c| (0..width).map(move |o| (c, o))) {
            let mut wide = [0.0; 25];
            let source = &weights[((first + o) * channels + c) * taps..][..taps];
            wide.iter_mut().zip(source).for_each(|(wide, w)| *wide = f64::from(*w));
            for (point, value) in K::weight(&wide[..taps]).into_iter().enumerate().take(K::POINTS) {
                panel[(point * channels + c) * width + o] = value as f32;
            }
        }
    }
    packed
}

/// Some tiles of all images, for all target channels.
struct Task<'a, K> {
    filter: &'a Filter,
    x: Map<'a>,
    bias: Option<&'a [f32]>,
    to: Target,
    /// Tiles, line by line.
    tiles: Range<usize>,
    /// Tiles per line.
    wide: usize,
    scratch: &'a mut [f32],
    kind: PhantomData<K>,
}

/// Elements of a task's scratch before and for its target points.
fn scratch<K: Tile>(channels: usize, rows: usize, width: usize) -> (usize, usize) {
    (K::POINTS * (channels * rows + PAD), K::POINTS * (rows * width + PAD))
}

impl<K: Tile> Task<'_, K> {
    /// The source of each of a tile's pixels: the place of its first image's channels, and 1;
    /// outside the map zeros, and 0.
    #[inline(always)]
    fn sources(&self, tile: usize, zeros: &[f32; VECTOR]) -> [(*const f32, usize); MOST] {
        let mut sources = [(zeros.as_ptr(), 0); MOST];
        let (top, left) = (tile / self.wide * K::TARGET.0, tile % self.wide * K::TARGET.1);
        let (plane, padding) = (self.x.plane, self.filter.shape.padding);
        for (i, j) in (0..K::SOURCE.0).flat_map(|i| (0..K::SOURCE.1).map(move |j| (i, j))) {
            let (y, x) = ((top + i).wrapping_sub(padding.0), (left + j).wrapping_sub(padding.1));
            if y < plane.height && x < plane.width {
                // SAFETY: the pixel lies within the map.
                let first = unsafe {
                    self.x.data.as_ptr().add((y * plane.width + x) * plane.images * self.x.pitch)
                };
                sources[i * K::SOURCE.1 + j] = (first, 1);
            }
        }
        sources
    }

    /// Transforms the tile to its points, `v[point][row][channel]`, rows from `row` on.
    ///
    /// Safety: `v` holds the points, planes `plane` elements apart.
    #[inline(always)]
    unsafe fn input<S: Simd<T = f32>>(&self, tile: usize, v: *mut f32, row: usize, plane: usize) {
        let zeros = [0.0; VECTOR];
        let sources = self.sources(tile, &zeros);
        let channels = self.x.channels;
        for image in 0..self.x.plane.images {
            for c in (0..channels).step_by(S::LANES) {
                let offset = image * self.x.pitch + c;
                // SAFETY: images and channels lie within the map; `v` is as the caller guarantees.
                unsafe {
                    let mut points = [S::zero(); MOST];
                    for (point, (source, inside)) in points.iter_mut().zip(sources).take(K::POINTS)
                    {
                        *point = S::load(source.add(offset * inside));
                    }
                    K::input::<S>(&mut points);
                    let target = v.add((row + image) * channels + c);
                    for (i, point) in points.into_iter().enumerate().take(K::POINTS) {
                        S::store(target.add(i * plane), point);
                    }
                }
            }
        }
    }

    /// Transforms points `m[point][row][column]`, rows from `row` on, to the tile's target pixels.
    ///
    /// Safety: `m` holds the points, planes `plane` elements apart, and no other task writes the tile.
    #[inline(always)]
    unsafe fn output<S: Simd<T = f32>>(
        &self,
        tile: usize,
        m: *const f32,
        row: usize,
        plane: usize,
        Panel { first, width }: Panel,
    ) {
        let (top, left) = (tile / self.wide * K::TARGET.0, tile % self.wide * K::TARGET.1);
        let (height, line) = (self.to.plane.height, self.to.plane.width);
        let (rows, columns) = (K::TARGET.0.min(height - top), K::TARGET.1.min(line - left));
        let images = self.to.plane.images;
        for image in 0..images {
            for c in (0..width).step_by(S::LANES) {
                // SAFETY: guaranteed by the caller; the tile's first `rows` and `columns` lie within the map.
                unsafe {
                    let source = m.add((row + image) * width + c);
                    let mut points = [S::zero(); MOST];
                    for (i, point) in points.iter_mut().enumerate().take(K::POINTS) {
                        *point = S::load(source.add(i * plane));
                    }
                    let target = K::output::<S>(&points);
                    for i in 0..rows {
                        for j in 0..columns {
                            let pixel = (top + i) * line + left + j;
                            let v = finish::<S>(target[i * K::TARGET.1 + j], self.bias, first + c);
                            S::store(self.to.row(pixel * images + image).add(first + c), v);
                        }
                    }
                }
            }
        }
    }
}

impl<K: Tile> Kernel<f32> for Task<'_, K> {
    #[inline(always)]
    fn run<S: Simd<T = f32>>(self) {
        let (images, channels) = (self.x.plane.images, self.x.channels);
        let rows = self.tiles.len() * images;
        let plane = channels * rows + PAD;
        let v = self.scratch.as_mut_ptr();
        // SAFETY: the scratch holds the points of the source and then those of the target.
        let m = unsafe { v.add(K::POINTS * plane) };
        for (i, tile) in self.tiles.clone().enumerate() {
            // SAFETY: `v` holds POINTS planes of `rows` rows.
            unsafe { self.input::<S>(tile, v, i * images, plane) };
        }
        for Panel { first, width } in self.filter.panels.iter() {
            let m_plane = rows * width + PAD;
            let weights = &self.filter.packed[first * K::POINTS * channels..];
            for point in 0..K::POINTS {
                // SAFETY: planes and packed weights lie as computed.
                unsafe {
                    let block = (
                        v.add(point * plane).cast_const(),
                        weights.as_ptr().add(point * channels * width),
                    );
                    S::product(&Product {
                        rows,
                        width,
                        depth: channels,
                        blocks: &[block],
                        a_row: channels,
                        b_row: width,
                        c_row: width,
                        c: m.add(point * m_plane),
                        add: false,
                    });
                }
            }
            for (i, tile) in self.tiles.clone().enumerate() {
                // SAFETY: the planes were just written, and only this task writes its tiles.
                unsafe { self.output::<S>(tile, m, i * images, m_plane, Panel { first, width }) };
            }
        }
    }
}

/// y from x; sizes have been checked, and the filter's weights were packed for K.
pub(super) fn apply<K: Tile>(
    filter: &Filter,
    x: Map<'_>,
    bias: Option<&[f32]>,
    y: &mut MapMut<'_>,
) {
    let to = y.share();
    let wide = to.plane.width.div_ceil(K::TARGET.1);
    let tiles = wide * to.plane.height.div_ceil(K::TARGET.0);
    let together = (ROWS / x.plane.images).max(1);
    (0..tiles.div_ceil(together)).into_par_iter().for_each(|i| {
        let tiles = i * together..((i + 1) * together).min(tiles);
        let (source, target) =
            scratch::<K>(x.channels, tiles.len() * x.plane.images, filter.panels.widest());
        f32::with_scratch(source + target, |scratch| {
            f32::run(
                filter.isa,
                Task { filter, x, bias, to, tiles, wide, scratch, kind: PhantomData::<K> },
            );
        });
    });
}
