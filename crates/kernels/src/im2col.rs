//! Images to matrices of taps and back.

use crate::{ConvShape, Real};

/// Fills `columns` `[taps, images·out_pixels]` from `images` images of `x`.
pub(crate) fn gather<T: Real>(s: &ConvShape, x: &[T], images: usize, columns: &mut [T]) {
    let pixels = s.out_pixels();
    for_each_tap(s, images, |row, image, channel, ky, kx| {
        let plane = &x[image * s.in_size() + channel * s.in_h * s.in_w..][..s.in_h * s.in_w];
        let out = &mut columns[row * images * pixels + image * pixels..][..pixels];
        let (ys, xs) = (s.reach(ky, s.in_h, s.out_h()), s.reach(kx, s.in_w, s.out_w()));
        for (oy, line) in out.chunks_exact_mut(s.out_w()).enumerate() {
            if !ys.contains(&oy) {
                line.fill(T::ZERO);
                continue;
            }
            line[..xs.start].fill(T::ZERO);
            line[xs.end..].fill(T::ZERO);
            if xs.is_empty() {
                continue;
            }
            let source = &plane[(oy * s.stride + ky - s.padding) * s.in_w + xs.start * s.stride + kx - s.padding..];
            if s.stride == 1 {
                line[xs.clone()].copy_from_slice(&source[..xs.len()]);
            } else {
                for (to, from) in line[xs.clone()].iter_mut().zip(source.iter().step_by(s.stride)) {
                    *to = *from;
                }
            }
        }
    });
}

/// The adjoint of [`gather`]: overwrites `images` images of `x` with the sums of their taps.
pub(crate) fn scatter<T: Real>(s: &ConvShape, columns: &[T], images: usize, x: &mut [T]) {
    let pixels = s.out_pixels();
    x.fill(T::ZERO);
    for_each_tap(s, images, |row, image, channel, ky, kx| {
        let plane = &mut x[image * s.in_size() + channel * s.in_h * s.in_w..][..s.in_h * s.in_w];
        let values = &columns[row * images * pixels + image * pixels..][..pixels];
        let xs = s.reach(kx, s.in_w, s.out_w());
        if xs.is_empty() {
            return;
        }
        for oy in s.reach(ky, s.in_h, s.out_h()) {
            let line = &values[oy * s.out_w()..][xs.clone()];
            let target = &mut plane[(oy * s.stride + ky - s.padding) * s.in_w + xs.start * s.stride + kx - s.padding..];
            for (to, from) in target.iter_mut().step_by(s.stride).zip(line) {
                *to += *from;
            }
        }
    });
}

/// Calls `f(row, image, channel, ky, kx)` for every row of the tap matrix and every image, in a fixed order.
fn for_each_tap(s: &ConvShape, images: usize, mut f: impl FnMut(usize, usize, usize, usize, usize)) {
    let mut row = 0;
    for channel in 0..s.in_channels {
        for ky in 0..s.kernel {
            for kx in 0..s.kernel {
                for image in 0..images {
                    f(row, image, channel, ky, kx);
                }
                row += 1;
            }
        }
    }
}
