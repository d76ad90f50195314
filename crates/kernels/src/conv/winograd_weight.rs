//! The weight gradient by Winograd's adjoint form: the tiles of both sides are transformed to
//! points, with one product per point.

use super::maps::{Direction, Maps};
use super::tiling::{Forward, both_ways};
use super::winograd::{Blocks, PAD, ROWS, TilePixels, transform_input};
use crate::isa::Kernel;
use crate::product::Product;
use crate::shared::SharedMut;
use crate::simd::Simd;
use crate::{Buffer, ConvShape, Isa, Real};
use rayon::prelude::*;
use std::marker::PhantomData;

/// How the sum over tiles and images is divided, by shape alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Private sums over parts of the tiles.
    pub(super) parts: usize,
    /// Panels of target channels that one task computes from the same transformed source.
    pub(super) panels: usize,
    /// Tiles transformed together: rows of a product are ROWS images of this many tiles.
    pub(super) tiles: usize,
}

/// A part of the tiles for some panels: `du[part][panel][source point][from channel][width]`.
struct Task<'a, T, K> {
    maps: Maps,
    blocks: Blocks,
    x: &'a [T],
    dy: &'a [T],
    /// (tile, chunk of images) pairs, a tile's chunks next to each other.
    units: std::ops::Range<usize>,
    panels: std::ops::Range<usize>,
    tiles: usize,
    /// `[panel][point²][from][width]` of this task's part.
    du: SharedMut<T>,
    scratch: &'a mut [T],
    kind: PhantomData<K>,
}

/// Images of a unit.
#[derive(Clone, Copy)]
struct Unit {
    ty: usize,
    tx: usize,
    image: usize,
    rows: usize,
}

impl<T: Real, K: Forward> Task<'_, T, K> {
    fn scratch(from: usize, width: usize, tiles: usize) -> usize {
        let rows = ROWS * tiles;
        K::SOURCE_POINTS * K::SOURCE_POINTS * (from * rows + PAD)
            + K::POINTS * K::POINTS * (rows * width + PAD)
    }

    fn unit(&self, i: usize) -> Unit {
        let (images, wide) = (self.maps.shape.batch, self.maps.to.width / K::OUTPUT);
        let chunks = images.div_ceil(ROWS);
        let image = i % chunks * ROWS;
        Unit { ty: i / chunks / wide, tx: i / chunks % wide, image, rows: ROWS.min(images - image) }
    }
}

impl<T: Real, K: Forward> Kernel<T> for Task<'_, T, K> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (images, from) = (self.maps.shape.batch, self.maps.from);
        let Blocks { depth, width } = self.blocks;
        let (capacity, points) = (ROWS * self.tiles, K::SOURCE_POINTS * K::SOURCE_POINTS);
        let (v_plane, e_plane) = (from.channels * capacity + PAD, capacity * width + PAD);
        let v = self.scratch.as_mut_ptr();
        // SAFETY: the scratch holds the points of both sides.
        let e = unsafe { v.add(points * v_plane) };
        let mut first = true;
        for start in self.units.clone().step_by(self.tiles) {
            let units = start..(start + self.tiles).min(self.units.end);
            let mut rows = 0;
            for unit in units.clone().map(|i| self.unit(i)) {
                let tile = TilePixels::new::<K>(from.height, from.width, unit.ty, unit.tx);
                let place = (rows, capacity);
                // SAFETY: `v` holds `capacity` rows a point, of which this unit's begin at `rows`.
                unsafe {
                    transform_input::<S, K>(
                        self.x,
                        &tile,
                        (images, from.channels, depth),
                        unit.image,
                        unit.rows,
                        v,
                        place,
                        v_plane,
                    );
                }
                rows += unit.rows;
            }
            for panel in self.panels.clone() {
                let mut row = 0;
                for unit in units.clone().map(|i| self.unit(i)) {
                    // SAFETY: `e` holds `capacity` rows a point.
                    unsafe {
                        self.transform_dy::<S>(unit, panel * width, e.add(row * width), e_plane)
                    };
                    row += unit.rows;
                }
                for (a, b) in (0..K::POINTS).flat_map(|a| (0..K::POINTS).map(move |b| (a, b))) {
                    for (py, px) in (0..K::PHASES).flat_map(|y| (0..K::PHASES).map(move |x| (y, x)))
                    {
                        let point = (py * K::POINTS + a) * K::SOURCE_POINTS + px * K::POINTS + b;
                        for block in 0..from.channels / depth {
                            let du =
                                ((panel * points + point) * from.channels + block * depth) * width;
                            // SAFETY: planes lie as computed; only this task writes its panels of its part.
                            unsafe {
                                let a_block =
                                    v.add(point * v_plane + block * capacity * depth).cast_const();
                                S::product_transposed(&Product {
                                    rows: depth,
                                    width,
                                    depth: rows,
                                    blocks: &[(
                                        a_block,
                                        e.add((a * K::POINTS + b) * e_plane).cast_const(),
                                    )],
                                    a_row: depth,
                                    b_row: width,
                                    c_row: width,
                                    c: self.du.pointer().add(du),
                                    add: !first,
                                });
                            }
                        }
                    }
                }
            }
            first = false;
        }
    }
}

impl<T: Real, K: Forward> Task<'_, T, K> {
    /// One unit's dy, transformed to points: `e[point][row][width]`.
    #[inline(always)]
    unsafe fn transform_dy<S: Simd<T = T>>(
        &self,
        unit: Unit,
        first: usize,
        e: *mut T,
        plane: usize,
    ) {
        let (images, to, width) = (self.maps.shape.batch, self.maps.to, self.blocks.width);
        for row in 0..unit.rows {
            for c in (0..width).step_by(S::LANES) {
                // SAFETY: pixels, images and channels lie within dy.
                unsafe {
                    both_ways!(
                        K::OUTPUT,
                        K::POINTS,
                        K::output_adjoint::<S>,
                        load(i, j): {
                            let pixel = (unit.ty * K::OUTPUT + i) * to.width + unit.tx * K::OUTPUT + j;
                            S::load(self.dy.as_ptr().add((pixel * images + unit.image + row) * to.channels + first + c))
                        },
                        store(i, j, value): S::store(e.add((i * K::POINTS + j) * plane + row * width + c), value),
                    );
                }
            }
        }
    }
}

/// Adds up the parts of one from-channel and transforms its points to taps, `dw[out][in][tap]`.
struct Finish<'a, T, K> {
    maps: Maps,
    width: usize,
    parts: usize,
    channel: usize,
    du: &'a [T],
    dw: SharedMut<T>,
    kind: PhantomData<K>,
}

impl<T: Real, K: Forward> Kernel<T> for Finish<'_, T, K> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let (from, to, points) = (self.maps.from.channels, self.maps.to.channels, K::SOURCE_POINTS);
        let taps = K::TAPS * K::TAPS;
        let part = points * points * from * to;
        let mut gathered = [T::ZERO; 16 * 16];
        for first in (0..to).step_by(S::LANES) {
            let (panel, column) = (first / self.width, first % self.width);
            // SAFETY: `du` holds the parts; `gathered` holds taps vectors; only this task writes this from-channel of `dw`.
            unsafe {
                both_ways!(
                    points,
                    K::TAPS,
                    K::weight_adjoint::<S>,
                    load(a, b): {
                        let at = ((panel * points * points + a * points + b) * from + self.channel) * self.width + column;
                        let mut sum = S::load(self.du.as_ptr().add(at));
                        for p in 1..self.parts {
                            sum = S::add(sum, S::load(self.du.as_ptr().add(p * part + at)));
                        }
                        sum
                    },
                    store(a, b, v): S::store(gathered.as_mut_ptr().add((a * K::TAPS + b) * S::LANES), v),
                );
                for lane in 0..S::LANES {
                    let target =
                        self.dw.pointer().add(((first + lane) * from + self.channel) * taps);
                    for tap in 0..taps {
                        *target.add(tap) = gathered[tap * S::LANES + lane];
                    }
                }
            }
        }
    }
}

/// The weight gradient of `shape` with tiling K; slices have been checked, and [`super::table`] found that K fits.
pub(super) fn grad_weight<T: Real, K: Forward>(
    isa: Isa,
    shape: &ConvShape,
    cut: Cut,
    x: &[T],
    dy: &[T],
    dw: &mut [T],
) {
    let maps = Maps::new(shape, Direction::Forward);
    let isa = T::isa(isa);
    let Some(blocks) = Blocks::of(maps.from.channels, maps.to.channels, isa.lanes()) else {
        unreachable!("the table chose Winograd for channels that vectors do not divide")
    };
    let panels = maps.to.channels / blocks.width;
    let units =
        maps.to.height / K::OUTPUT * (maps.to.width / K::OUTPUT) * shape.batch.div_ceil(ROWS);
    let parts = cut.parts.min(units);
    let groups = panels.div_ceil(cut.panels);
    let part = K::SOURCE_POINTS * K::SOURCE_POINTS * shape.in_channels * shape.out_channels;
    let mut du = Buffer::<T>::arbitrary(parts * part);
    let shared = SharedMut::new(&mut du);
    (0..parts * groups).into_par_iter().with_max_len(1).for_each(|i| {
        let (p, group) = (i / groups, i % groups);
        let size = Task::<T, K>::scratch(maps.from.channels, blocks.width, cut.tiles);
        T::with_scratch(size, |scratch| {
            let task = Task {
                maps,
                blocks,
                x,
                dy,
                units: p * units / parts..(p + 1) * units / parts,
                panels: group * cut.panels..((group + 1) * cut.panels).min(panels),
                tiles: cut.tiles,
                du: shared.offset(p * part),
                scratch,
                kind: PhantomData::<K>,
            };
            T::run(isa, task);
        });
    });
    let dw = SharedMut::new(dw);
    (0..shape.in_channels).into_par_iter().with_min_len(4).for_each(|channel| {
        T::run(
            isa,
            Finish {
                maps,
                width: blocks.width,
                parts,
                channel,
                du: &du,
                dw,
                kind: PhantomData::<K>,
            },
        );
    });
}
