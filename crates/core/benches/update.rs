//! Single updates of the standard CNN and what they are made of. `cargo bench -p sngan-core`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use divan::Bencher;
use sngan_core::model::Place;
use sngan_core::trainer::{SingleUpdates, made_up_images};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_tensor::Device;
use sngan_tensor::ops::{self, Arm};
use sngan_tensor::rng::Streams;

fn main() {
    // As the binary does: Candle's own pool would spin beside ours.
    // SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    divan::main();
}

/// Method, image side, width divisor, threads.
type Case = (Method, usize, usize, usize);

const CASES: [Case; 6] = [
    (Method::Sn, 32, 1, 2),
    (Method::Sn, 32, 1, 1),
    (Method::Sn, 32, 4, 1),
    (Method::Sn, 16, 8, 1),
    (Method::WganGp, 32, 1, 2),
    (Method::Vanilla, 32, 1, 2),
];

fn updates(
    bencher: Bencher<'_, '_>,
    (method, side, width_divisor, threads): Case,
    f: fn(&mut SingleUpdates<'_>),
) {
    let spec = RunSpec { side, width_divisor, ..RunSpec::paper(method) };
    let images = made_up_images(side, 1).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut updates = SingleUpdates::new(&spec, &images, &Place::new(&Device::Cpu)).unwrap();
    pool.install(|| f(&mut updates));
    bencher.bench_local(|| pool.install(|| f(&mut updates)));
}

#[divan::bench(args = CASES, sample_count = 10)]
fn d_update(bencher: Bencher<'_, '_>, case: Case) {
    updates(bencher, case, |u| u.discriminator().unwrap());
}

#[divan::bench(args = CASES, sample_count = 10)]
fn g_update(bencher: Bencher<'_, '_>, case: Case) {
    updates(bencher, case, |u| u.generator().unwrap());
}

/// All weights of D at full width, one iteration each.
#[divan::bench(sample_count = 20)]
fn power_iteration(bencher: Bencher<'_, '_>) {
    let tensor = |name: &str, shape: &[usize]| {
        let draws = Streams::new(0).normal(name, 0, shape.iter().product());
        sngan_tensor::Tensor::from_vec(draws, shape, &Device::Cpu).unwrap()
    };
    let table = RunSpec { side: 32, ..RunSpec::paper(Method::Sn) }.layers().unwrap();
    let weights: Vec<_> = table
        .discriminator_layers()
        .into_iter()
        .map(|layer| {
            let rows = layer.kind.outputs();
            let columns = layer.kind.weights() / rows;
            (tensor(&layer.name, &[rows, columns]), tensor("u", &[rows]))
        })
        .collect();
    bencher.bench(|| {
        for (w, u) in &weights {
            divan::black_box(ops::power_iteration(Arm::Ours, w, u, true, 1e-12).unwrap());
        }
    });
}
