//! Each kernel's own source, run on the CPU, against the host interpreter: at odd sizes by itself, and in whole updates.

use crate::replay::{cases, discriminator_update, error, generator_update, values};
use crate::shim::{Shimmed, shim};
use sngan_core::replay::Case;
use sngan_cuda::host::Host;
use sngan_cuda::machine::{Machine, Training};
use sngan_cuda::op::{
    BatchNorm, LayerNorm, Op, PARTS, Product, Rows, Sizes, Spectral, Target, View, Window,
};
use sngan_cuda::program::{Layout, Program};
use sngan_experiment::arch::Activation;
use sngan_experiment::method::Loss;
use std::collections::BTreeMap;

/// Sums of up to some thousand numbers of size 1 in f32 against f64, relative to the largest.
const F32: f64 = 2e-5;
/// A gradient through G and D in f32 against f64, relative to its largest element: the bound of core's tests for the worst of its networks,
/// whose last layers normalize two values a channel.
const F32_GRADIENT: f64 = 5e-4;

/// Buffers in the making.
#[derive(Default)]
struct Buffers(Vec<usize>);

impl Buffers {
    fn view(&mut self, len: usize) -> View {
        self.0.push(len);
        View { buffer: self.0.len() - 1, offset: 0, len }
    }
}

/// Numbers in [−1, 1) that look random, the same each time.
fn noise(i: usize) -> f64 {
    let x = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    let x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 40) as f64 / f64::from(1u32 << 23) - 1.0
}

/// Runs one operation by kernels, in two orders of blocks and threads, and by the host, all from the same memory; `prepare` sets what must
/// not be random.
fn check(op: &Op, buffers: &Buffers, prepare: impl Fn(&mut Host<f32>)) {
    let Some(shim) = shim() else { return };
    let layout = Layout::sequential(&buffers.0);
    let mut host = Host::<f32>::new(&layout);
    host.memory_mut().iter_mut().enumerate().for_each(|(i, x)| *x = noise(i) as f32);
    prepare(&mut host);
    let of_kernels = [0, 1].map(|order| {
        let mut shimmed = Shimmed::new(&layout, shim, order);
        shimmed.host = host.clone();
        shimmed.op(op);
        shimmed.host
    });
    host.op(op);
    let bits = |host: &Host<f32>| host.memory().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert!(bits(&of_kernels[0]) == bits(&of_kernels[1]), "{op:?} depends on the order of threads");
    // What a kernel may leave in its room for partial sums is its own.
    let own: Vec<View> = if let Op::SquareSum { parts, .. } = op {
        vec![*parts]
    } else if let Op::PowerIteration { layers, .. } = op {
        layers.iter().map(|l| l.parts).collect()
    } else if let Op::DivideBySigmaBackward { layers } = op {
        layers.iter().map(|(l, _)| l.parts).collect()
    } else {
        Vec::new()
    };
    for (buffer, len) in buffers.0.iter().enumerate() {
        let view = View { buffer, offset: 0, len: *len };
        if !own.contains(&view) {
            let error = error(&of_kernels[0].read(view), &host.read(view));
            assert!(error < F32, "{op:?}, buffer {buffer}: {error}");
        }
    }
}

fn plain(op: &Op, buffers: &Buffers) {
    check(op, buffers, |_| ());
}

const ACTIVATIONS: [Activation; 4] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.1 },
    Activation::Tanh,
];

/// Odd sizes, fewer and more elements than a block has threads.
const SIZES: [Sizes; 3] = [
    Sizes { n: 1, channels: 1, plane: 1 },
    Sizes { n: 3, channels: 5, plane: 49 },
    Sizes { n: 7, channels: 3, plane: 121 },
];

#[test]
fn pointwise() {
    for len in [1, 255, 1000] {
        for add in [false, true] {
            let mut b = Buffers::default();
            let [x, y, z] = [b.view(len), b.view(len), b.view(len)];
            plain(&Op::Fill { out: x, value: 0.25 }, &b);
            plain(&Op::Copy { x, out: y, add }, &b);
            plain(&Op::Scale { x, factor: -1.5, out: y, add }, &b);
            plain(&Op::Add { a: x, b: y, y: z }, &b);
            plain(&Op::Average { e: x, w: y, decay: 0.9 }, &b);
            for activation in ACTIVATIONS {
                plain(&Op::Activate { x, y, activation }, &b);
                plain(&Op::Mask { x, of: y, activation, y: z, add }, &b);
                plain(&Op::Mask { x, of: y, activation, y: x, add: false }, &b);
            }
        }
    }
    let mut b = Buffers::default();
    let [real, fake, out, epsilon] = [b.view(300), b.view(300), b.view(300), b.view(3)];
    plain(&Op::Interpolate { real, fake, epsilon, out }, &b);
}

#[test]
fn finishing() {
    for sizes in SIZES {
        for activation in ACTIVATIONS {
            let mut b = Buffers::default();
            let [y, dy] = [b.view(sizes.len()), b.view(sizes.len())];
            let [bias, dbias] = [b.view(sizes.channels), b.view(sizes.channels)];
            for bias in [None, Some(bias)] {
                plain(&Op::Finish { y, bias, sizes, activation }, &b);
            }
            for dbias in [None, Some((dbias, false)), Some((dbias, true))] {
                plain(&Op::FinishBackward { y, dy, sizes, activation, dbias }, &b);
            }
        }
    }
}

#[test]
fn batch_normalization() {
    const CLASSES: usize = 3;
    for sizes in SIZES {
        let mut b = Buffers::default();
        let [x, y, dy, dx] = [sizes.len(); 4].map(|len| b.view(len));
        let c = sizes.channels;
        let [mean, inv_std, running_mean, running_var] = [c; 4].map(|len| b.view(len));
        let [gamma, beta, dgamma, dbeta] = [c; 4].map(|len| b.view(len));
        let by_class = [c * CLASSES; 4].map(|len| b.view(len));
        let labels = b.view(sizes.n);
        let prepare = |host: &mut Host<f32>| {
            host.write(inv_std, &vec![1.7; c]);
            host.write(labels, &(0..sizes.n).map(|i| (i * 2 % CLASSES) as f64).collect::<Vec<_>>());
        };
        let unconditional = (Some(gamma), beta, None, dgamma, dbeta);
        let without_gamma = (None, beta, None, dgamma, dbeta);
        let conditional = (Some(by_class[0]), by_class[1], Some(labels), by_class[2], by_class[3]);
        for (gamma, beta, labels, dgamma, dbeta) in [unconditional, without_gamma, conditional] {
            for activation in [Activation::Relu, Activation::Identity] {
                let norm =
                    BatchNorm { x, sizes, gamma, beta, labels, y, mean, inv_std, activation };
                for running in [None, Some((running_mean, running_var))] {
                    // One value has no variance: 1/√ε would magnify the rounding of nothing.
                    if sizes.n > 1 {
                        check(&Op::BatchNorm { norm, running }, &b, prepare);
                    }
                }
                for add in [false, true] {
                    let dgamma = gamma.map(|_| (dgamma, add));
                    let (dx, dbeta) = (Some((dx, add)), Some((dbeta, add)));
                    check(&Op::BatchNormBackward { norm, dy, dx, dgamma, dbeta }, &b, prepare);
                    let op = Op::BatchNormBackward { norm, dy, dx, dgamma: None, dbeta: None };
                    check(&op, &b, prepare);
                    let op = Op::BatchNormBackward { norm, dy, dx: None, dgamma, dbeta };
                    check(&op, &b, prepare);
                }
            }
        }
    }
}

#[test]
fn batch_normalization_by_running_averages() {
    const CLASSES: usize = 3;
    for sizes in SIZES {
        let (mut b, c) = (Buffers::default(), sizes.channels);
        let [x, y] = [sizes.len(); 2].map(|len| b.view(len));
        let [mean, var, gamma, beta] = [c; 4].map(|len| b.view(len));
        let by_class = [c * CLASSES; 2].map(|len| b.view(len));
        let labels = b.view(sizes.n);
        let prepare = |host: &mut Host<f32>| {
            host.write(var, &(0..c).map(|i| 0.2 + noise(i).abs()).collect::<Vec<_>>());
            host.write(labels, &(0..sizes.n).map(|i| (i * 2 % CLASSES) as f64).collect::<Vec<_>>());
        };
        let conditional = (by_class[0], by_class[1], Some(labels));
        for (gamma, beta, labels) in [(gamma, beta, None), conditional] {
            for activation in ACTIVATIONS {
                let op =
                    Op::BatchNormEval { x, sizes, gamma, beta, labels, mean, var, y, activation };
                check(&op, &b, prepare);
            }
        }
    }
}

#[test]
fn windows_and_their_places() {
    for (n, channels, side) in [(1, 1, 3), (2, 5, 7), (3, 2, 12)] {
        for (stride, padding) in [(2, 0), (1, 1)] {
            let out = (side + 2 * padding - 3) / stride + 1;
            let mut b = Buffers::default();
            let x = b.view(n * channels * side * side);
            let y = b.view(n * channels * out * out);
            for of in [Window::Maximum, Window::Mean] {
                plain(&Op::Windows { x, y, side, out, stride, padding, of }, &b);
            }
        }
        let sizes = Sizes { n, channels, plane: side * side };
        let all = channels + 4;
        let mut b = Buffers::default();
        let (x, y) = (b.view(sizes.len()), b.view(n * all * sizes.plane));
        let bias = b.view(channels);
        for (bias, activation) in [(None, Activation::Identity), (Some(bias), Activation::Relu)] {
            for first in [0, 1, 4] {
                plain(&Op::Place { x, bias, sizes, activation, y, channels: all, first }, &b);
            }
        }
    }
}

#[test]
fn layer_normalization() {
    for sizes in SIZES {
        let mut b = Buffers::default();
        let [x, y, dy, dx] = [sizes.len(); 4].map(|len| b.view(len));
        let [beta, dbeta] = [sizes.channels; 2].map(|len| b.view(len));
        let [mean, inv_std] = [sizes.n; 2].map(|len| b.view(len));
        let prepare = |host: &mut Host<f32>| host.write(inv_std, &vec![1.7; sizes.n]);
        for activation in [Activation::LeakyRelu { slope: 0.1 }, Activation::Identity] {
            let norm = LayerNorm { x, sizes, beta, y, mean, inv_std, activation };
            if sizes.len() > 1 {
                check(&Op::LayerNorm { norm }, &b, prepare);
            }
            for add in [false, true] {
                for (dx, dbeta) in [(Some((dx, add)), Some((dbeta, add))), (Some((dx, add)), None)]
                {
                    check(&Op::LayerNormBackward { norm, dy, dx, dbeta }, &b, prepare);
                }
            }
        }
    }
}

#[test]
fn resampling() {
    for (maps, side) in [(1, 1), (5, 3), (7, 8)] {
        let (small, large) = (maps * side * side, 4 * maps * side * side);
        let mut b = Buffers::default();
        let [s, l, sums] = [b.view(small), b.view(large), b.view(maps)];
        let plane = 4 * side * side;
        plain(&Op::Pool { x: l, y: sums, plane, factor: 0.5 }, &b);
        for add in [false, true] {
            plain(&Op::Spread { dy: sums, dx: l, plane, factor: 0.5, add }, &b);
            plain(&Op::Upsample { x: s, y: l, side, factor: 0.25, add }, &b);
            plain(&Op::Downsample { x: l, y: s, side, factor: 0.25, add }, &b);
        }
    }
}

#[test]
fn labels() {
    const CLASSES: usize = 4;
    for sizes in SIZES {
        for dim in [1, 6, 300] {
            let mut b = Buffers::default();
            let (x, y) = (b.view(sizes.len()), b.view(sizes.len() + sizes.n * dim * sizes.plane));
            let [table, dtable] = [CLASSES * dim; 2].map(|len| b.view(len));
            let [features, dfeatures] = [sizes.n * dim; 2].map(|len| b.view(len));
            let [labels, out] = [sizes.n; 2].map(|len| b.view(len));
            let prepare = |host: &mut Host<f32>| {
                let classes: Vec<f64> = (0..sizes.n).map(|i| (i * 3 % CLASSES) as f64).collect();
                host.write(labels, &classes);
            };
            for table in [None, Some((table, labels))] {
                check(&Op::Append { x, sizes, table, dim, y }, &b, prepare);
            }
            check(&Op::Project { features, table, labels, dim, y: out }, &b, prepare);
            for add in [false, true] {
                let (dx, rows) = (Some((x, add)), Some((dtable, labels, add)));
                check(&Op::AppendBackward { dy: y, sizes, dim, dx, dtable: rows }, &b, prepare);
                check(&Op::AppendBackward { dy: y, sizes, dim, dx, dtable: None }, &b, prepare);
                let (dfeatures, dtable) = (Some((dfeatures, add)), Some((dtable, add)));
                let op = Op::ProjectBackward {
                    features,
                    table,
                    labels,
                    dim,
                    dy: out,
                    dfeatures,
                    dtable,
                };
                check(&op, &b, prepare);
            }
        }
    }
}

#[test]
fn weights() {
    // Matrices narrower and wider than a block, in one batch.
    let shapes = [(1, 1), (5, 27), (300, 7), (3, 1000)];
    let mut b = Buffers::default();
    let (mut spectral, mut rows, mut outs) = (Vec::new(), Vec::new(), Vec::new());
    for (r, columns) in shapes {
        let len = r * columns;
        let (w, state, u, v) = (b.view(len), b.view(r), b.view(r), b.view(columns));
        let (sigma, parts, norms) = (b.view(1), b.view(PARTS), b.view(r));
        spectral.push(Spectral { w, rows: r, columns, state, u, v, sigma, parts });
        rows.push(Rows { w, rows: r, columns, norms });
        let (y, dy, dw) = (b.view(len), b.view(len), b.view(len));
        outs.push((y, [false, true].map(|add| Target { dy, dw, add })));
    }
    let prepare = |host: &mut Host<f32>| {
        for s in &spectral {
            host.write(s.sigma, &[1.3]);
        }
        for r in &rows {
            host.write(r.norms, &vec![2.1; r.rows]);
        }
    };
    for iterate in [false, true] {
        check(&Op::PowerIteration { layers: spectral.clone(), iterate }, &b, prepare);
    }
    let with = |i: usize| outs.iter().map(move |(_, targets)| targets[i]);
    let ys = || outs.iter().map(|(y, _)| *y);
    check(&Op::DivideBySigma { layers: spectral.iter().copied().zip(ys()).collect() }, &b, prepare);
    check(&Op::NormalizeRows { layers: rows.iter().copied().zip(ys()).collect() }, &b, prepare);
    for i in [0, 1] {
        let layers = spectral.iter().copied().zip(with(i)).collect();
        check(&Op::DivideBySigmaBackward { layers }, &b, prepare);
        let layers = rows.iter().copied().zip(with(i)).collect();
        check(&Op::NormalizeRowsBackward { layers }, &b, prepare);
    }
    for gammas in [1, 5] {
        let mut b = Buffers::default();
        let [x, y, dx] = [5 * 301; 3].map(|len| b.view(len));
        let [gamma, dgamma] = [gammas; 2].map(|len| b.view(len));
        plain(&Op::ScaleRows { x, gamma, y }, &b);
        for add in [false, true] {
            let op =
                Op::ScaleRowsBackward { x, gamma, dy: y, dx: (dx, add), dgamma: (dgamma, add) };
            plain(&op, &b);
        }
    }
}

#[test]
fn losses() {
    for n in [1, 64, 300] {
        let mut b = Buffers::default();
        let [real, fake, dreal, dfake, norms] = [n; 5].map(|len| b.view(len));
        let [value, d_real, d_fake] = [1; 3].map(|len| b.view(len));
        let image = 300;
        let [g, c] = [n * image; 2].map(|len| b.view(len));
        let classes = 7;
        let [logits, dlogits] = [n * classes; 2].map(|len| b.view(len));
        let labels = b.view(n);
        let prepare = |host: &mut Host<f32>| {
            let of: Vec<f64> = (0..n).map(|i| (i * 3 % classes) as f64).collect();
            host.write(labels, &of);
            // Outputs on both sides of the hinge's corners.
            for (view, shift) in [(real, 7), (fake, 77)] {
                let d: Vec<f64> = (0..n).map(|i| 3.0 * noise(i + shift)).collect();
                host.write(view, &d);
            }
        };
        for add in [false, true] {
            let share = 0.5;
            for loss in [Loss::Standard, Loss::Hinge, Loss::Wasserstein] {
                let op = Op::DiscriminatorLoss {
                    loss,
                    real,
                    fake,
                    dreal,
                    dfake,
                    share,
                    value,
                    d_real,
                    d_fake,
                    add,
                };
                check(&op, &b, prepare);
                let op = Op::GeneratorLoss { loss, fake, dfake, share, value, add };
                check(&op, &b, prepare);
            }
            let op = Op::CrossEntropy { logits, labels, dlogits, weight: 0.1, share, value, add };
            check(&op, &b, prepare);
            let (lambda, mean_norm) = (10.0, d_real);
            let op = Op::Penalty { g, n, lambda, c, norms, share, value, mean_norm, add };
            check(&op, &b, prepare);
        }
    }
    for m in [1, 5, 40] {
        let mut b = Buffers::default();
        let (p, value) = (b.view(m * m), b.view(1));
        for add in [false, true] {
            let op = Op::GramLoss { p, m, weight: 0.3, difference: 7.0, value, add };
            plain(&op, &b);
        }
    }
}

#[test]
fn steps() {
    let mut b = Buffers::default();
    let [w, g, m, v] = [1000; 4].map(|len| b.view(len));
    let (scalars, parts, out) = (b.view(2), b.view(PARTS), b.view(1));
    let prepare = |host: &mut Host<f32>| {
        host.write(scalars, &[4e-4, 900.0]);
        host.write(v, &(0..1000).map(|i| noise(i).abs()).collect::<Vec<_>>());
    };
    let op = Op::Adam { w, g, m, v, scalars, beta1: 0.5, beta2: 0.999, eps: 1e-8 };
    check(&op, &b, prepare);
    plain(&Op::Clip { views: vec![(w.narrow(3, 500), 0.1), (g, 0.5)] }, &b);
    for len in [1, 999] {
        plain(&Op::SquareSum { x: w.narrow(0, len), parts, out }, &b);
    }
}

/// The gradients of one update of G and one of D from a case's first inputs, as Adam's first moments by name.
fn gradients<M: Machine>(
    case: &Case,
    machine: impl Fn(&Layout) -> M,
) -> BTreeMap<String, Vec<f64>> {
    let mut found = BTreeMap::new();
    for network in ["generator", "discriminator"] {
        let program = Program::of(&case.spec).unwrap();
        let machine = machine(&program.layout);
        let mut training = Training::new(program, machine);
        training.load([0, 0], |name| case.tensors.get(name).map(values)).unwrap();
        match network {
            "generator" => generator_update(&mut training, case, 0),
            _ => discriminator_update(&mut training, case, 0, 0),
        }
        let state = training.state().unwrap().into_iter();
        let moments = state.filter(|(name, _)| name.starts_with(&format!("adam.m.{network}")));
        found.extend(moments.map(|(name, (_, values))| (name, values)));
        let n = training.numbers().unwrap();
        let numbers = [n.loss_d, n.loss_reg, n.loss_g, n.d_real, n.d_fake, n.loss_class_d];
        found.insert(format!("{network}: losses"), numbers.to_vec());
        found.insert(format!("{network}: norms"), vec![n.grad_norm_d, n.grad_norm_g]);
    }
    found
}

#[test]
fn gradients_of_every_method_and_network() {
    let Some(shim) = shim() else { return };
    for (name, case) in cases() {
        let by_host = gradients(&case, Host::<f64>::new);
        let by_kernels = gradients(&case, |layout| Shimmed::new(layout, shim, 0));
        let largest = by_host.values().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
        for (key, expected) in &by_host {
            // A gradient that is 0 but for rounding has the rounding of what it is summed from.
            let own = expected.iter().fold(1e-4 * largest, |m, x| m.max(x.abs()));
            let pairs = by_kernels[key].iter().zip(expected);
            let error = pairs.fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / own;
            assert!(error < F32_GRADIENT, "{name}, {key}: {error}");
        }
    }
}

/// Two dimensions of products that libraries make on a GPU: the interpreter's are checked by hand.
#[test]
fn a_product_of_transposed_factors() {
    let mut b = Buffers::default();
    let (a, c) = (b.view(6), b.view(4));
    let mut host = Host::<f64>::new(&Layout::sequential(&b.0));
    host.write(a, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // a as [2, 3]: a·aᵀ; as [3, 2] transposed: aᵀ·a.
    let product = Product { m: 2, n: 2, k: 3, transpose_a: false, transpose_b: true, alpha: 1.0 };
    host.op(&Op::Product { a, b: a, c, product, add: false });
    assert_eq!(host.read(c), [14.0, 32.0, 32.0, 77.0]);
    let product = Product { transpose_a: true, transpose_b: false, alpha: 2.0, ..product };
    host.op(&Op::Product { a, b: a, c, product, add: true });
    assert_eq!(host.read(c), [14.0 + 70.0, 32.0 + 88.0, 32.0 + 88.0, 77.0 + 112.0]);
}
