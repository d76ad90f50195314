//! Kernels one at a time at the sizes of a full-width update, on one thread. `cargo bench -p sngan-kernels`; `layers` beside it compares the
//! algorithms of each convolution.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use divan::Bencher;
use sngan_kernels::adam::{AdamStep, step};
use sngan_kernels::batch_norm::{self, NormalizedBy};
use sngan_kernels::conv::{self, Epilogue};
use sngan_kernels::{Buffer, ConvShape, activation};

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(divan::main);
}

/// Input and output channels, side, kernel, stride; batch 128.
type Layer = (usize, usize, usize, usize, usize);

const LAYERS: [Layer; 5] = [
    (3, 64, 32, 3, 1),
    (64, 64, 32, 4, 2),
    (64, 128, 16, 3, 1),
    (256, 256, 8, 4, 2),
    (256, 512, 4, 3, 1),
];

fn numbers(n: usize) -> Buffer<f32> {
    let mut buffer = Buffer::zeros(n);
    buffer.iter_mut().enumerate().for_each(|(i, x)| *x = (i % 251) as f32 / 125.0 - 1.0);
    buffer
}

struct Operands {
    shape: ConvShape,
    x: Buffer<f32>,
    w: Buffer<f32>,
    y: Buffer<f32>,
}

fn operands((input, output, side, kernel, stride): Layer) -> Operands {
    let shape = ConvShape {
        batch: 128,
        in_channels: input,
        out_channels: output,
        in_h: side,
        in_w: side,
        kernel,
        stride,
        padding: 1,
    };
    let shape = shape.checked().unwrap();
    let x = numbers(128 * input * side * side);
    let y = numbers(128 * output * shape.out_h() * shape.out_w());
    Operands { shape, x, w: numbers(input * output * kernel * kernel), y }
}

#[divan::bench(args = LAYERS, sample_count = 10)]
fn conv_forward(bencher: Bencher<'_, '_>, layer: Layer) {
    let Operands { shape, x, w, mut y } = operands(layer);
    bencher.bench_local(|| {
        conv::forward(&shape, &x, &w, Epilogue::BiasActivation { bias: None, slope: 0.1 }, &mut y)
    });
}

#[divan::bench(args = LAYERS, sample_count = 10)]
fn conv_grad_input(bencher: Bencher<'_, '_>, layer: Layer) {
    let Operands { shape, mut x, w, y } = operands(layer);
    bencher.bench_local(|| conv::grad_input(&shape, &y, &w, Epilogue::None, &mut x));
}

#[divan::bench(args = LAYERS, sample_count = 10)]
fn conv_grad_weight(bencher: Bencher<'_, '_>, layer: Layer) {
    let Operands { shape, x, mut w, y } = operands(layer);
    bencher.bench_local(|| conv::grad_weight(&shape, &x, &y, &mut w));
}

/// G's last feature map of 64 images.
const MAP: usize = 64 * 64 * 32 * 32;

#[divan::bench(sample_count = 20)]
fn batch_norm_forward(bencher: Bencher<'_, '_>) {
    let (x, mut y, [mut mean, mut var, one, zero]) =
        (numbers(MAP), numbers(MAP), [0.0, 0.0, 1.0, 0.0].map(|v| vec![v; 64]));
    bencher.bench_local(|| {
        batch_norm::statistics(&x, &mut mean, &mut var);
        batch_norm::normalize(&x, Some(&one), &zero, &mean, &var, 2e-5, 0.0, &mut y);
    });
}

#[divan::bench(sample_count = 20)]
fn batch_norm_backward(bencher: Bencher<'_, '_>) {
    let (x, dy, mut dx, [mean, var, one, mut dg, mut db]) =
        (numbers(MAP), numbers(MAP), numbers(MAP), [0.0, 1.0, 1.0, 0.0, 0.0].map(|v| vec![v; 64]));
    let statistics = (&mean[..], &var[..], NormalizedBy::OfBatch);
    bencher.bench_local(|| {
        batch_norm::backward(&x, &dy, Some(&one), statistics, 2e-5, &mut dx, &mut dg, &mut db)
    });
}

#[divan::bench(sample_count = 20)]
fn tanh(bencher: Bencher<'_, '_>) {
    let (x, mut y) = (numbers(64 * 3 * 32 * 32), numbers(64 * 3 * 32 * 32));
    bencher.bench_local(|| activation::tanh(&x, &mut y));
}

/// D's parameters.
#[divan::bench(sample_count = 20)]
fn adam(bencher: Bencher<'_, '_>) {
    const N: usize = 2_935_873;
    let [mut w, mut m, mut v, g] = [(); 4].map(|()| numbers(N));
    v.iter_mut().for_each(|v| *v = v.abs());
    bencher.bench_local(|| {
        step(&mut w, &mut m, &mut v, &g, &AdamStep::new(2e-4, 0.5, 0.999, 1e-8, 10, false))
    });
}
