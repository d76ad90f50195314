//! Winograd convolution over `[H, W, N, C]`: each transformed tile is a set of products over
//! channels with images as rows.

use super::epilogue::Step;
use super::maps::{Direction, Maps};
use super::tiling::{Tiling, both_ways};
use crate::isa::Kernel;
use crate::product::Product;
use crate::shared::SharedMut;
use crate::simd::Simd;
use crate::{Buffer, ConvShape, Isa, Real};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Images per task.
pub(super) const ROWS: usize = 64;
/// Padding between the planes of different points, in elements: equal powers of two would map to
/// the same cache sets.
pub(super) const PAD: usize = 80;

/// The widest of 64, 32, 16, 8 that divides `channels` and is a multiple of `lanes`.
pub(super) fn block_of(channels: usize, lanes: usize) -> Option<usize> {
    [64, 32, 16, 8].into_iter().find(|b| channels.is_multiple_of(*b) && b.is_multiple_of(lanes))
}

/// The layout of channels: a block of source channels is `depth` wide, a panel of target channels
/// `width`.
#[derive(Clone, Copy)]
pub(super) struct Blocks {
    pub(super) depth: usize,
    pub(super) width: usize,
}

impl Blocks {
    /// The layout, if whole vectors fill both sides.
    pub(super) fn of(from: usize, to: usize, lanes: usize) -> Option<Blocks> {
        Some(Blocks { depth: block_of(from, lanes)?, width: block_of(to, lanes)? })
    }
}

/// Transforms some target channels' weights: `[panel][point][from channel][width]`.
struct Weights<'a, T, K> {
    maps: Maps,
    w: &'a [T],
    width: usize,
    /// One from-channel of all panels and points.
    channel: usize,
    u: SharedMut<T>,
    kind: PhantomData<K>,
}

impl<T: Real, K: Tiling> Kernel<T> for Weights<'_, T, K> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (points, taps) = (K::WEIGHT_POINTS, K::TAPS * K::TAPS);
        let (from, to) = (self.maps.from.channels, self.maps.to.channels);
        let (to_stride, from_stride) = self.maps.weight_strides();
        // The adjoint of a stride-1 convolution reads its taps in reverse; `Up` has its own order built in.
        let reversed = self.maps.direction == Direction::Adjoint && K::TAPS == 3;
        let mut gathered = [T::ZERO; 16 * 16];
        for first in (0..to).step_by(S::LANES) {
            for lane in 0..S::LANES {
                let source =
                    &self.w[(first + lane) * to_stride + self.channel * from_stride..][..taps];
                for (tap, value) in source.iter().enumerate() {
                    gathered[(if reversed { taps - 1 - tap } else { tap }) * S::LANES + lane] =
                        *value;
                }
            }
            let (panel, column) = (first / self.width, first % self.width);
            // SAFETY: `gathered` holds taps vectors, and only this task writes this from-channel of `u`.
            unsafe {
                both_ways!(
                    K::TAPS,
                    points,
                    K::weight::<S>,
                    load(a, b): S::load(gathered.as_ptr().add((a * K::TAPS + b) * S::LANES)),
                    store(a, b, v): {
                        let at = ((panel * points * points + a * points + b) * from + self.channel) * self.width + column;
                        S::store(self.u.pointer().add(at), v);
                    },
                );
            }
        }
    }
}

/// Source pixels of a tile; [`OUTSIDE`] for pixels outside the map.
pub(super) struct TilePixels {
    pixels: [usize; 36],
}

/// No pixel.
const OUTSIDE: usize = usize::MAX;

impl TilePixels {
    #[inline(always)]
    pub(super) fn new<K: Tiling>(height: usize, width: usize, ty: usize, tx: usize) -> TilePixels {
        let mut pixels = [OUTSIDE; 36];
        for i in 0..K::INPUT {
            for j in 0..K::INPUT {
                // Padding is 1 in every tiling.
                let (y, x) =
                    ((ty * K::STEP + i).wrapping_sub(1), (tx * K::STEP + j).wrapping_sub(1));
                if y < height && x < width {
                    pixels[i * K::INPUT + j] = y * width + x;
                }
            }
        }
        TilePixels { pixels }
    }
}

/// Transforms a tile of `from`, images `image..image + rows`, to its points:
/// `v[point][block][v_rows][depth]`, rows from `v_row` on.
///
/// Safety: `v` holds the points, planes `plane` elements apart.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a tile's place in two layouts")]
pub(super) unsafe fn transform_input<S: Simd, K: Tiling>(
    from: &[S::T],
    tile: &TilePixels,
    (images, channels, depth): (usize, usize, usize),
    image: usize,
    rows: usize,
    v: *mut S::T,
    (v_row, v_rows): (usize, usize),
    plane: usize,
) {
    let zeros = [S::T::ZERO; 16];
    let mut pointers = [(zeros.as_ptr(), 0usize); 36];
    for (pointer, pixel) in pointers.iter_mut().zip(tile.pixels) {
        if pixel != OUTSIDE {
            // SAFETY: the pixel lies within the map.
            *pointer = (unsafe { from.as_ptr().add((pixel * images + image) * channels) }, 1);
        }
    }
    for row in 0..rows {
        for c in (0..channels).step_by(S::LANES) {
            let offset = row * channels + c;
            // SAFETY: row and channel lie within the map's pixel; `v` is as the caller guarantees.
            unsafe {
                let target = v.add((c / depth * v_rows + v_row + row) * depth + c % depth);
                both_ways!(
                    K::INPUT,
                    K::SOURCE_POINTS,
                    K::input::<S>,
                    load(i, j): {
                        let (pointer, inside) = pointers[i * K::INPUT + j];
                        S::load(pointer.add(offset * inside))
                    },
                    store(i, j, value): S::store(target.add((i * K::SOURCE_POINTS + j) * plane), value),
                );
            }
        }
    }
}

/// One tile of some images, for all target channels.
struct Tile<'a, T, K> {
    maps: Maps,
    blocks: Blocks,
    from: &'a [T],
    u: &'a [T],
    epilogue: Step<'a, T>,
    to: SharedMut<T>,
    ty: usize,
    tx: usize,
    image: usize,
    scratch: &'a mut [T],
    kind: PhantomData<K>,
}

impl<T: Real, K: Tiling> Tile<'_, T, K> {
    fn scratch(from: usize, rows: usize, width: usize) -> usize {
        K::SOURCE_POINTS * K::SOURCE_POINTS * (from * rows + PAD)
            + K::POINTS * K::POINTS * (rows * width + PAD)
    }
}

impl<T: Real, K: Tiling> Kernel<T> for Tile<'_, T, K> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, from, to) = (self.maps.shape.batch, self.maps.from, self.maps.to);
        let Blocks { depth, width } = self.blocks;
        let rows = ROWS.min(images - self.image);
        let (plane, m_plane) = (from.channels * rows + PAD, rows * width + PAD);
        let v = self.scratch.as_mut_ptr();
        // SAFETY: the scratch holds the points of the source and then those of the target.
        let m = unsafe { v.add(K::SOURCE_POINTS * K::SOURCE_POINTS * plane) };
        let tile = TilePixels::new::<K>(from.height, from.width, self.ty, self.tx);
        // SAFETY: `v` holds SOURCE_POINTS² planes.
        unsafe {
            transform_input::<S, K>(
                self.from,
                &tile,
                (images, from.channels, depth),
                self.image,
                rows,
                v,
                (0, rows),
                plane,
            );
        }
        let mut blocks = Vec::with_capacity(4 * from.channels / depth);
        let points = K::WEIGHT_POINTS;
        for panel in 0..to.channels / width {
            for a in 0..K::POINTS {
                for b in 0..K::POINTS {
                    blocks.clear();
                    for (py, px) in (0..K::PHASES).flat_map(|y| (0..K::PHASES).map(move |x| (y, x)))
                    {
                        let (wa, wb) = (py * K::POINTS + a, px * K::POINTS + b);
                        let source = K::source_of(wa) * K::SOURCE_POINTS + K::source_of(wb);
                        let u =
                            (panel * points * points + wa * points + wb) * from.channels * width;
                        for block in 0..from.channels / depth {
                            // SAFETY: planes and weights are laid out as computed here.
                            blocks.push(unsafe {
                                (
                                    v.cast_const().add(source * plane + block * rows * depth),
                                    self.u.as_ptr().add(u + block * depth * width),
                                )
                            });
                        }
                    }
                    // SAFETY: `m` holds POINTS² planes of rows · width.
                    unsafe {
                        S::product(&Product {
                            rows,
                            width,
                            depth,
                            blocks: &blocks,
                            a_row: depth,
                            b_row: width,
                            c_row: width,
                            c: m.add((a * K::POINTS + b) * m_plane),
                            add: false,
                        });
                    }
                }
            }
            // SAFETY: the planes were just written, and only this task writes this tile's pixels of `to`.
            unsafe { self.store::<S>(m, m_plane, rows, panel * width) }
        }
    }
}

impl<T: Real, K: Tiling> Tile<'_, T, K> {
    /// Transforms points to target pixels, through the epilogue.
    #[inline(always)]
    unsafe fn store<S: Simd<T = T>>(&self, m: *const T, plane: usize, rows: usize, first: usize) {
        let (images, to, width) = (self.maps.shape.batch, self.maps.to, self.blocks.width);
        for row in 0..rows {
            for c in (0..width).step_by(S::LANES) {
                // SAFETY: `m` holds POINTS² planes; only this task writes this tile's pixels of `to`.
                unsafe {
                    both_ways!(
                        K::POINTS,
                        K::OUTPUT,
                        K::output::<S>,
                        load(i, j): S::load(m.add((i * K::POINTS + j) * plane + row * width + c)),
                        store(i, j, value): {
                            let pixel = (self.ty * K::OUTPUT + i) * to.width + self.tx * K::OUTPUT + j;
                            let at = (pixel * images + self.image + row) * to.channels + first + c;
                            let value = self.epilogue.apply::<S>(value, first + c, at, S::LANES);
                            S::store(self.to.pointer().add(at), value);
                        },
                    );
                }
            }
        }
    }
}

/// The map of `shape` in `direction` with tiling K; slices have been checked, and [`super::table`] found that K fits.
pub(super) fn map<T: Real, K: Tiling>(
    isa: Isa,
    shape: &ConvShape,
    direction: Direction,
    from: &[T],
    w: &[T],
    epilogue: Step<'_, T>,
    to: &mut [T],
) {
    let maps = Maps::new(shape, direction);
    let isa = T::isa(isa);
    let Some(blocks) = Blocks::of(maps.from.channels, maps.to.channels, isa.lanes()) else {
        unreachable!("the table chose Winograd for channels that vectors do not divide")
    };
    let mut u = Buffer::<T>::arbitrary(
        K::WEIGHT_POINTS * K::WEIGHT_POINTS * maps.from.channels * maps.to.channels,
    );
    let shared = SharedMut::new(&mut u);
    (0..maps.from.channels).into_par_iter().with_min_len(4).for_each(|channel| {
        T::run(
            isa,
            Weights { maps, w, width: blocks.width, channel, u: shared, kind: PhantomData::<K> },
        );
    });

    let (tall, wide) = (maps.to.height / K::OUTPUT, maps.to.width / K::OUTPUT);
    let chunks = shape.batch.div_ceil(ROWS);
    let to = SharedMut::new(to);
    (0..tall * wide * chunks).into_par_iter().for_each(|i| {
        let (image, tx, ty) = (i % chunks * ROWS, i / chunks % wide, i / chunks / wide);
        let size =
            Tile::<T, K>::scratch(maps.from.channels, ROWS.min(shape.batch - image), blocks.width);
        T::with_scratch(size, |scratch| {
            T::run(
                isa,
                Tile {
                    maps,
                    blocks,
                    from,
                    u: &u,
                    epilogue,
                    to,
                    ty,
                    tx,
                    image,
                    scratch,
                    kind: PhantomData::<K>,
                },
            );
        });
    });
}
