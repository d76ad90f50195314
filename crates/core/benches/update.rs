//! Wall time of one training update (n_dis 1) of SN at several sizes: medians over rounds in one process. `cargo bench -p sngan-core`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use sngan_core::Device;
use sngan_core::model::Place;
use sngan_core::rng::Streams;
use sngan_core::trainer::Trainer;
use sngan_data::Images;
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use std::time::Instant;

const ROUNDS: usize = 7;

fn made_up(side: usize) -> Images {
    let pixels = Streams::new(0).uniform("images", 0, 256 * 3 * side * side).into_iter().map(|u| (u * 256.0) as u8).collect();
    Images::new("made-up".into(), side, pixels, vec![0; 256], vec!["only".into()]).unwrap()
}

fn main() {
    // As the binary does: Candle's own pool would spin beside ours.
    // SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    println!("{} · median ms of {ROUNDS} updates (one of G, one of D), first left out", sngan_kernels::Isa::best().name());
    for (side, width_divisor, batch) in [(16, 8, 32), (16, 4, 32), (32, 4, 64), (32, 1, 64)] {
        let images = made_up(side);
        for threads in [1, 2] {
            let spec = RunSpec { side, width_divisor, batch, gen_batch: batch, ..RunSpec::paper(Method::Sn) };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let median = pool.install(|| {
                let mut trainer = Trainer::new(&spec, &images, &Place::new(&Device::Cpu)).unwrap();
                trainer.update(false).unwrap();
                let mut times: Vec<f64> = (0..ROUNDS)
                    .map(|_| {
                        let start = Instant::now();
                        trainer.update(false).unwrap();
                        start.elapsed().as_secs_f64() * 1e3
                    })
                    .collect();
                times.sort_by(f64::total_cmp);
                times[ROUNDS / 2]
            });
            let flops = 2.0 * spec.multiply_adds().unwrap() / spec.gen_updates as f64;
            println!(
                "side {side:>2} width/{width_divisor} batch {batch:>2} threads {threads}: {median:>8.1} ms, {:>6.1} GFLOP/s",
                flops / median / 1e6
            );
        }
    }
}
