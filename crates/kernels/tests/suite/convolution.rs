use crate::support::{F32_ROUNDING, F64_ROUNDING, distance, dot, draw, same_bits_on_any_threads, widen};
use proptest::prelude::*;
use sngan_kernels::{ConvShape, Real, conv};

fn sizes(s: &ConvShape) -> [usize; 3] {
    let x = s.batch * s.in_channels * s.in_h * s.in_w;
    let w = s.out_channels * s.in_channels * s.kernel * s.kernel;
    [x, w, s.batch * s.out_channels * s.out_h() * s.out_w()]
}

/// The definition: calls `f(offset in x, offset in w, offset in y)` for every product that a convolution adds up.
fn for_each_product(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let (out_h, out_w, k) = (s.out_h(), s.out_w(), s.kernel);
    for n in 0..s.batch {
        for (o, c) in (0..s.out_channels).flat_map(|o| (0..s.in_channels).map(move |c| (o, c))) {
            for (oy, ox) in (0..out_h).flat_map(|y| (0..out_w).map(move |x| (y, x))) {
                for (ky, kx) in (0..k).flat_map(|y| (0..k).map(move |x| (y, x))) {
                    let (y, x) = (oy * s.stride + ky, ox * s.stride + kx);
                    let inside = |v: usize, size: usize| v >= s.padding && v < size + s.padding;
                    if inside(y, s.in_h) && inside(x, s.in_w) {
                        let at_x = ((n * s.in_channels + c) * s.in_h + y - s.padding) * s.in_w + x - s.padding;
                        let at_w = ((o * s.in_channels + c) * k + ky) * k + kx;
                        f(at_x, at_w, ((n * s.out_channels + o) * out_h + oy) * out_w + ox);
                    }
                }
            }
        }
    }
}

/// Largest errors of forward, input gradient and weight gradient against the definition in f64.
fn errors<T: Real>(s: &ConvShape) -> [f64; 3] {
    let [nx, nw, ny] = sizes(s);
    let (x, w, dy) = (draw::<T>(1, nx), draw::<T>(2, nw), draw::<T>(3, ny));
    let (x64, w64, dy64) = (widen(&x), widen(&w), widen(&dy));
    let (mut y64, mut dx64, mut dw64) = (vec![0.0; ny], vec![0.0; nx], vec![0.0; nw]);
    for_each_product(s, |i, j, k| {
        y64[k] += x64[i] * w64[j];
        dx64[i] += dy64[k] * w64[j];
        dw64[j] += dy64[k] * x64[i];
    });
    // What was there before must not matter.
    let (mut y, mut dx, mut dw) = (draw::<T>(4, ny), draw::<T>(5, nx), draw::<T>(6, nw));
    conv::forward(s, &x, &w, &mut y);
    conv::grad_input(s, &dy, &w, &mut dx);
    conv::grad_weight(s, &x, &dy, &mut dw);
    [distance(&y, &y64), distance(&dx, &dx64), distance(&dw, &dw64)]
}

fn shapes() -> impl Strategy<Value = ConvShape> {
    let sizes = (1usize..=5, 1usize..=7, 1usize..=7, 1usize..=9, 1usize..=9);
    (sizes, 1usize..=5, 1usize..=3, 0usize..=2).prop_filter_map("the kernel fits", |((n, c, o, h, w), kernel, stride, padding)| {
        ConvShape::new(n, c, o, h, w, kernel, stride, padding).ok()
    })
}

proptest! {
    #[test]
    fn equals_the_definition_in_f64(s in shapes()) {
        for error in errors::<f64>(&s) {
            prop_assert!(error < F64_ROUNDING, "{s:?}: {error}");
        }
    }

    #[test]
    fn equals_the_definition_in_f32(s in shapes()) {
        for error in errors::<f32>(&s) {
            prop_assert!(error < F32_ROUNDING, "{s:?}: {error}");
        }
    }

    #[test]
    fn gradients_are_adjoints(s in shapes()) {
        let [nx, nw, ny] = sizes(&s);
        let (x, w, dy) = (draw::<f64>(1, nx), draw::<f64>(2, nw), draw::<f64>(3, ny));
        let (mut y, mut dx, mut dw) = (vec![0.0; ny], vec![0.0; nx], vec![0.0; nw]);
        conv::forward(&s, &x, &w, &mut y);
        conv::grad_input(&s, &dy, &w, &mut dx);
        conv::grad_weight(&s, &x, &dy, &mut dw);
        let (a, b, c) = (dot(&y, &dy), dot(&x, &dx), dot(&w, &dw));
        let scale = F64_ROUNDING * (1.0 + dot(&y, &y).sqrt() * dot(&dy, &dy).sqrt());
        prop_assert!((a - b).abs() < scale && (a - c).abs() < scale, "{s:?}: {a} {b} {c}");
    }
}

/// The paper's layers at a quarter of the width: many blocks of images, one image larger than a block, and the 3-channel ends.
fn layers() -> Vec<ConvShape> {
    [(9, 3, 16, 32, 3, 1), (40, 16, 16, 16, 4, 2), (70, 32, 64, 4, 3, 1), (3, 16, 3, 32, 3, 1)]
        .into_iter()
        .map(|(n, c, o, side, kernel, stride)| ConvShape::new(n, c, o, side, side, kernel, stride, 1).unwrap())
        .collect()
}

#[test]
fn the_papers_layers_equal_the_definition() {
    for s in layers() {
        for error in errors::<f32>(&s) {
            assert!(error < F32_ROUNDING, "{s:?}: {error}");
        }
    }
}

#[test]
fn same_bits_on_any_number_of_threads() {
    for s in layers() {
        let [nx, nw, ny] = sizes(&s);
        let (x, w, dy) = (draw::<f32>(1, nx), draw::<f32>(2, nw), draw::<f32>(3, ny));
        same_bits_on_any_threads(|| {
            let (mut y, mut dx, mut dw) = (vec![0.0; ny], vec![0.0; nx], vec![0.0; nw]);
            conv::forward(&s, &x, &w, &mut y);
            conv::grad_input(&s, &dy, &w, &mut dx);
            conv::grad_weight(&s, &x, &dy, &mut dw);
            [y, dx, dw].concat()
        });
    }
}

#[test]
fn impossible_shapes_are_refused_by_name() {
    let refuse = |n, k, p| ConvShape::new(n, 1, 1, 4, 4, k, 1, p).unwrap_err().to_string();
    assert!(refuse(0, 3, 1).contains("batch"));
    assert!(refuse(1, 7, 1).contains('7'));
    assert!(ConvShape::new(1, 1, 1, 4, 4, 6, 1, 1).is_ok());
}
