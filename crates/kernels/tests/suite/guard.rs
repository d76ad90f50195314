//! Kernels between pages that may not be touched: a read or write beyond a buffer ends the process.

use crate::support::draw;
use sngan_kernels::adam::{AdamStep, step};
use sngan_kernels::batch_norm::{self, NormalizedBy};
use sngan_kernels::conv::{self, Algorithm, Choice, Epilogue, Pass};
use sngan_kernels::filter::pool::{self, Windows};
use sngan_kernels::filter::{Filter, FilterShape, Finish, Map, MapMut, Method, Plane};
use sngan_kernels::{ConvShape, Isa, activation, matvec, sums};
use std::ops::{Deref, DerefMut};

/// Numbers that end (or begin) exactly at a page without access.
struct Guarded {
    map: *mut libc::c_void,
    length: usize,
    data: *mut f32,
    len: usize,
}

const PAGE: usize = 4096;

impl Guarded {
    /// A copy of `values` right before a guard page, or right after one.
    fn new(values: &[f32], before: bool) -> Guarded {
        let size = std::mem::size_of_val(values).next_multiple_of(PAGE);
        let length = size + 2 * PAGE;
        // SAFETY: a fresh anonymous mapping; the two protected pages lie at its ends.
        let (map, data) = unsafe {
            let map = libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(map, libc::MAP_FAILED);
            assert_eq!(libc::mprotect(map, PAGE, libc::PROT_NONE), 0);
            assert_eq!(libc::mprotect(map.byte_add(PAGE + size), PAGE, libc::PROT_NONE), 0);
            let offset = if before { PAGE + size - std::mem::size_of_val(values) } else { PAGE };
            (map, map.byte_add(offset).cast::<f32>())
        };
        let mut guarded = Guarded { map, length, data, len: values.len() };
        guarded.copy_from_slice(values);
        guarded
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made.
        unsafe { libc::munmap(self.map, self.length) };
    }
}

impl Deref for Guarded {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` numbers lie between the guard pages.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }
}

/// Tails in batch and channels, whole tiles, and the 3-channel ends.
fn shapes() -> Vec<ConvShape> {
    [
        (5, 3, 16, 8, 3, 1),
        (5, 16, 3, 8, 3, 1),
        (66, 16, 32, 8, 4, 2),
        (7, 32, 16, 4, 3, 1),
        (3, 8, 24, 8, 4, 2),
        (3, 5, 7, 5, 3, 2),
        (2, 20, 19, 6, 5, 1),
    ]
    .into_iter()
    .map(crate::support::padded_by_one)
    .collect()
}

#[test]
fn convolutions_stay_within_their_buffers() {
    for s in shapes() {
        let x = draw::<f32>(1, s.batch * s.in_channels * s.in_h * s.in_w);
        let w = draw::<f32>(2, s.in_channels * s.out_channels * s.kernel * s.kernel);
        let y = draw::<f32>(3, s.batch * s.out_channels * s.out_h() * s.out_w());
        let bias = draw::<f32>(4, s.out_channels);
        for before in [true, false] {
            let [x, w, y, bias, mask, mut dx, mut dw, mut out] =
                [&x, &w, &y, &bias, &x, &x, &w, &y].map(|v| Guarded::new(v, before));
            for algorithm in [Algorithm::Direct, Algorithm::Stacked, Algorithm::Winograd] {
                for choice in Isa::available().iter().map(|isa| Choice { algorithm, isa: *isa }) {
                    if choice.fits(&s, Pass::Forward) {
                        conv::forward_by(
                            choice,
                            &s,
                            &x,
                            &w,
                            Epilogue::BiasActivation { bias: Some(&bias), slope: 0.1 },
                            &mut out,
                        );
                    }
                    if choice.fits(&s, Pass::GradInput) {
                        conv::grad_input_by(
                            choice,
                            &s,
                            &y,
                            &w,
                            Epilogue::Mask { of: &mask, slope: 0.1 },
                            &mut dx,
                        );
                    }
                    if choice.fits(&s, Pass::GradWeight) {
                        conv::grad_weight_by(choice, &s, &x, &y, &mut dw);
                    }
                }
            }
            assert!(dx.iter().chain(dw.iter()).chain(out.iter()).all(|v| v.is_finite()), "{s:?}");
        }
    }
}

#[test]
fn filters_and_pools_stay_within_their_buffers() {
    let kernels = [
        ((1, 1), 1, (0, 0)),
        ((3, 3), 2, (0, 0)),
        ((3, 3), 1, (1, 1)),
        ((5, 5), 1, (2, 2)),
        ((1, 7), 1, (0, 3)),
        ((7, 1), 1, (3, 0)),
    ];
    for ((kernel, stride, padding), images) in kernels.into_iter().flat_map(|k| [(k, 1), (k, 3)]) {
        let shape = FilterShape { in_channels: 16, out_channels: 48, kernel, stride, padding };
        let plane = Plane { height: 7, width: 6, images };
        let (to, pooled) = (shape.output(plane), Windows { stride: 2, padding: 1 }.output(plane));
        let w = draw::<f32>(2, shape.in_channels * shape.out_channels * shape.taps());
        for before in [true, false] {
            let x = Guarded::new(&draw::<f32>(1, plane.rows() * 16), before);
            let [mut y, mut largest] = [to.rows() * 48, pooled.rows() * 16]
                .map(|n| Guarded::new(&draw::<f32>(3, n), before));
            for (method, isa) in [Method::Direct, Method::Winograd]
                .into_iter()
                .flat_map(|m| Isa::available().iter().map(move |isa| (m, *isa)))
            {
                // Winograd does not know strides and single pixels.
                let Ok(filter) = Filter::with(method, isa, shape, &w, &draw::<f32>(4, 48)) else {
                    continue;
                };
                filter.apply(
                    Map::new(plane, 16, &x),
                    Finish::BiasRelu,
                    MapMut::new(to, 48, &mut y),
                );
            }
            pool::maximum(
                Windows { stride: 2, padding: 1 },
                Map::new(plane, 16, &x),
                MapMut::new(pooled, 16, &mut largest),
            );
            assert!(y.iter().chain(largest.iter()).all(|v| v.is_finite()), "{shape:?}");
        }
    }
}

#[test]
fn row_kernels_stay_within_their_buffers() {
    for (rows, columns) in [(7, 5), (33, 16), (3, 40), (1, 1)] {
        let n = rows * columns;
        for before in [true, false] {
            let guarded = |seed, len| Guarded::new(&draw::<f32>(seed, len), before);
            let (x, dy, beta) = (guarded(1, n), guarded(2, n), guarded(3, columns));
            let [mut y, mut m, mut v] = [4, 5, 6].map(|seed| guarded(seed, n));
            let [mut mean, mut var, mut dg, mut db] =
                [7, 8, 9, 10].map(|seed| guarded(seed, columns));
            let mut u = guarded(11, rows);
            batch_norm::statistics(&x, &mut mean, &mut var);
            batch_norm::normalize(&x, Some(&beta), &beta, &mean, &var, 2e-5, 0.1, &mut y);
            batch_norm::backward(
                &x,
                &dy,
                Some(&beta),
                (&mean, &var, NormalizedBy::OfBatch),
                2e-5,
                &mut y,
                &mut dg,
                &mut db,
            );
            activation::mask(&x, &dy, 0.1, &mut y);
            sums::columns(&x, &mut db);
            matvec::multiply(&x, &beta, &mut u);
            matvec::multiply_transposed(&x, &u, &mut db);
            v.iter_mut().for_each(|v| *v = v.abs());
            step(&mut y, &mut m, &mut v, &dy, &AdamStep::new(1e-3, 0.5, 0.9, 1e-8, 1, false));
            assert!(y.iter().chain(db.iter()).all(|v| v.is_finite()));
        }
    }
}
