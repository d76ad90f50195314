use crate::support::{
    CONVOLUTION, F64_ROUNDING, distance, dot, draw, same_bits_on_any_threads, widen,
};
use proptest::prelude::*;
use sngan_kernels::conv::{self, Algorithm, Choice, Epilogue, Pass};
use sngan_kernels::{ConvShape, Isa, Real};

fn sizes(s: &ConvShape) -> [usize; 3] {
    let x = s.batch * s.in_channels * s.in_h * s.in_w;
    let w = s.out_channels * s.in_channels * s.kernel * s.kernel;
    [x, w, s.batch * s.out_channels * s.out_h() * s.out_w()]
}

const PASSES: [Pass; 3] = [Pass::Forward, Pass::GradInput, Pass::GradWeight];

/// `choice`, or the direct algorithm where it cannot do the pass.
fn in_pass(choice: Choice, s: &ConvShape, pass: Pass) -> Choice {
    if choice.fits(s, pass) { choice } else { Choice { algorithm: Algorithm::Direct, ..choice } }
}

/// The definition: calls `f(offset in x, offset in w, offset in y)` for every product that a convolution adds up.
fn for_each_product(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let (out_h, out_w, k) = (s.out_h(), s.out_w(), s.kernel);
    for (oy, ox) in (0..out_h).flat_map(|y| (0..out_w).map(move |x| (y, x))) {
        for (ky, kx) in (0..k).flat_map(|y| (0..k).map(move |x| (y, x))) {
            let (y, x) = (oy * s.stride + ky, ox * s.stride + kx);
            let inside = |v: usize, size: usize| v >= s.padding && v < size + s.padding;
            if !inside(y, s.in_h) || !inside(x, s.in_w) {
                continue;
            }
            let pixel = (y - s.padding) * s.in_w + x - s.padding;
            for n in 0..s.batch {
                for (o, c) in
                    (0..s.out_channels).flat_map(|o| (0..s.in_channels).map(move |c| (o, c)))
                {
                    let at_w = ((o * s.in_channels + c) * k + ky) * k + kx;
                    let at_y = ((oy * out_w + ox) * s.batch + n) * s.out_channels + o;
                    f((pixel * s.batch + n) * s.in_channels + c, at_w, at_y);
                }
            }
        }
    }
}

/// What the definition gives for the draws of [`Run::new`], in f64.
struct Expected {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

/// A shape with its draws.
struct Run<T> {
    shape: ConvShape,
    x: Vec<T>,
    w: Vec<T>,
    dy: Vec<T>,
}

impl<T: Real> Run<T> {
    fn new(shape: ConvShape) -> Run<T> {
        let [nx, nw, ny] = sizes(&shape);
        Run { shape, x: draw(1, nx), w: draw(2, nw), dy: draw(3, ny) }
    }

    fn expected(&self) -> Expected {
        let (x, w, dy) = (widen(&self.x), widen(&self.w), widen(&self.dy));
        let mut e =
            Expected { y: vec![0.0; dy.len()], dx: vec![0.0; x.len()], dw: vec![0.0; w.len()] };
        for_each_product(&self.shape, |i, j, k| {
            e.y[k] += x[i] * w[j];
            e.dx[i] += dy[k] * w[j];
            e.dw[j] += dy[k] * x[i];
        });
        e
    }

    /// y, dx and dw by `choice`, or by the table. What was in the outputs before must not matter.
    fn compute(&self, choice: Option<Choice>) -> [Vec<T>; 3] {
        let s = &self.shape;
        let of = |pass| in_pass(choice.unwrap_or(Choice::of(s, pass)), s, pass);
        let (mut y, mut dx, mut dw) =
            (draw(4, self.dy.len()), draw(5, self.x.len()), draw(6, self.w.len()));
        conv::forward_by(of(Pass::Forward), s, &self.x, &self.w, Epilogue::None, &mut y);
        conv::grad_input_by(of(Pass::GradInput), s, &self.dy, &self.w, Epilogue::None, &mut dx);
        conv::grad_weight_by(of(Pass::GradWeight), s, &self.x, &self.dy, &mut dw);
        [y, dx, dw]
    }

    /// Largest errors of y, dx, dw against the definition in f64.
    fn errors(&self, choice: Option<Choice>) -> [f64; 3] {
        let (e, [y, dx, dw]) = (self.expected(), self.compute(choice));
        [distance(&y, &e.y), distance(&dx, &e.dx), distance(&dw, &e.dw)]
    }
}

/// Everything that can compute `s` on this machine; a choice that cannot do a pass leaves it to the direct algorithm.
fn choices(s: &ConvShape) -> Vec<Choice> {
    let algorithms = [Algorithm::Direct, Algorithm::Stacked, Algorithm::Winograd];
    let all = algorithms.into_iter().flat_map(|algorithm| {
        Isa::available().iter().map(move |isa| Choice { algorithm, isa: *isa })
    });
    all.filter(|c| PASSES.iter().any(|pass| c.fits(s, *pass))).collect()
}

fn any_shape() -> impl Strategy<Value = ConvShape> {
    let sizes = (1usize..=5, 1usize..=20, 1usize..=20, 1usize..=7, 1usize..=7);
    (sizes, 1usize..=5, 1usize..=3, 0usize..=2).prop_filter_map(
        "the kernel fits",
        |((batch, in_channels, out_channels, in_h, in_w), kernel, stride, padding)| {
            let shape =
                ConvShape { batch, in_channels, out_channels, in_h, in_w, kernel, stride, padding };
            shape.checked().ok()
        },
    )
}

/// Shapes that Winograd can compute, with tails in batch, tiles and panels.
fn winograd_shape() -> impl Strategy<Value = ConvShape> {
    let channels = prop::sample::select(vec![8, 16, 24, 32, 48, 64, 80]);
    (1usize..=7, channels.clone(), channels, 1usize..=3, 1usize..=3, any::<bool>()).prop_map(
        |(n, c, o, h, w, down)| {
            let (kernel, stride, step) = if down { (4, 2, 4) } else { (3, 1, 2) };
            let shape = ConvShape {
                batch: n,
                in_channels: c,
                out_channels: o,
                in_h: h * step,
                in_w: w * step,
                kernel,
                stride,
                padding: 1,
            };
            shape.checked().unwrap()
        },
    )
}

proptest! {
    #[test]
    fn every_choice_equals_the_definition(s in any_shape()) {
        for choice in choices(&s) {
            for error in Run::<f32>::new(s).errors(Some(choice)) {
                prop_assert!(error < CONVOLUTION, "{s:?} {choice:?}: {error}");
            }
        }
        for error in Run::<f64>::new(s).errors(None) {
            prop_assert!(error < F64_ROUNDING, "{s:?}: {error}");
        }
    }

    #[test]
    fn winograd_equals_the_definition_on_every_instruction_set(s in winograd_shape()) {
        let winograd = choices(&s).into_iter().filter(|c| c.algorithm == Algorithm::Winograd).collect::<Vec<_>>();
        prop_assert!(!winograd.is_empty());
        for choice in winograd {
            for error in Run::<f32>::new(s).errors(Some(choice)) {
                prop_assert!(error < CONVOLUTION, "{s:?} {choice:?}: {error}");
            }
        }
        let portable = Choice { algorithm: Algorithm::Winograd, isa: Isa::Portable };
        for error in Run::<f64>::new(s).errors(Some(portable)) {
            prop_assert!(error < F64_ROUNDING, "{s:?}: {error}");
        }
    }

    #[test]
    fn gradients_are_adjoints(s in any_shape()) {
        let run = Run::<f64>::new(s);
        let [y, dx, dw] = run.compute(None);
        let (a, b, c) = (dot(&y, &run.dy), dot(&run.x, &dx), dot(&run.w, &dw));
        let scale = F64_ROUNDING * (1.0 + dot(&y, &y).sqrt() * dot(&run.dy, &run.dy).sqrt());
        prop_assert!((a - b).abs() < scale && (a - c).abs() < scale, "{s:?}: {a} {b} {c}");
    }

    #[test]
    fn epilogues_equal_their_definitions(s in any_shape(), slope in 0.0f32..=1.0) {
        let run = Run::<f32>::new(s);
        let bias = draw::<f32>(7, s.out_channels);
        let of = draw::<f32>(8, run.x.len());
        for choice in choices(&s) {
            let [y, dx, _] = run.compute(Some(choice));
            let (mut with_bias, mut masked) = (vec![0.0; y.len()], vec![0.0; dx.len()]);
            let of_pass = |pass| in_pass(choice, &s, pass);
            conv::forward_by(of_pass(Pass::Forward), &s, &run.x, &run.w, Epilogue::BiasActivation { bias: Some(&bias), slope }, &mut with_bias);
            conv::grad_input_by(of_pass(Pass::GradInput), &s, &run.dy, &run.w, Epilogue::Mask { of: &of, slope }, &mut masked);
            let act = |a: f32| if a > 0.0 { a } else { slope * a };
            let expected: Vec<f32> = y.iter().enumerate().map(|(i, y)| act(y + bias[i % bias.len()])).collect();
            prop_assert_eq!(with_bias, expected);
            let expected: Vec<f32> = dx.iter().zip(&of).map(|(d, of)| if *of > 0.0 { *d } else { d * slope }).collect();
            prop_assert_eq!(masked, expected);
        }
    }
}

/// The paper's layers at a quarter of the width, several chunks of images, and the 3-channel ends.
fn layers() -> Vec<ConvShape> {
    [
        (9, 3, 16, 32, 3, 1),
        (70, 16, 16, 16, 4, 2),
        (70, 32, 64, 4, 3, 1),
        (3, 16, 3, 32, 3, 1),
        (66, 64, 128, 8, 4, 2),
    ]
    .into_iter()
    .map(crate::support::padded_by_one)
    .collect()
}

#[test]
fn the_papers_layers_equal_the_definition() {
    for s in layers() {
        for choice in choices(&s) {
            for error in Run::<f32>::new(s).errors(Some(choice)) {
                assert!(error < CONVOLUTION, "{s:?} {choice:?}: {error}");
            }
        }
    }
}

#[test]
fn same_bits_on_any_number_of_threads_and_every_time() {
    for s in layers() {
        let run = Run::<f32>::new(s);
        for choice in choices(&s) {
            same_bits_on_any_threads(|| run.compute(Some(choice)).concat());
        }
    }
}

#[test]
fn impossible_shapes_are_refused_by_name() {
    let largest = ConvShape {
        batch: 1,
        in_channels: 1,
        out_channels: 1,
        in_h: 4,
        in_w: 4,
        kernel: 6,
        stride: 1,
        padding: 1,
    };
    assert!(largest.checked().is_ok());
    let refused = |shape: ConvShape| shape.checked().unwrap_err().to_string();
    assert!(refused(ConvShape { batch: 0, ..largest }).contains("batch"));
    assert!(refused(ConvShape { kernel: 7, ..largest }).contains('7'));
}
