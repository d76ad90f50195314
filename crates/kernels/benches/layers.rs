//! Wall time of every pass over the paper's layers by every algorithm: what `conv::Choice` is decided from.
//! `cargo bench -p sngan-kernels --bench layers -- [threads] [batch] [width divisor] [side]`

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use sngan_kernels::conv::{self, Algorithm, Choice, Epilogue, Pass};
use sngan_kernels::{Buffer, ConvShape, Isa};
use std::time::Instant;

const ROUNDS: usize = 9;

/// (name, in, out, kernel, stride, image side divided by): D's layers, then G's as the convolutions they are adjoints of.
const LAYERS: [(&str, usize, usize, usize, usize, usize); 11] = [
    ("D conv0", 3, 64, 3, 1, 1),
    ("D conv1", 64, 64, 4, 2, 1),
    ("D conv2", 64, 128, 3, 1, 2),
    ("D conv3", 128, 128, 4, 2, 2),
    ("D conv4", 128, 256, 3, 1, 4),
    ("D conv5", 256, 256, 4, 2, 4),
    ("D conv6", 256, 512, 3, 1, 8),
    ("G deconv0", 256, 512, 4, 2, 4),
    ("G deconv1", 128, 256, 4, 2, 2),
    ("G deconv2", 64, 128, 4, 2, 1),
    ("G conv", 64, 3, 3, 1, 1),
];

fn draws(n: usize) -> Buffer<f32> {
    let mut state = n as u64;
    let values: Vec<f32> = (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    Buffer::of(&values)
}

fn median(mut f: impl FnMut()) -> f64 {
    f();
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            f();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let get = |i: usize, default: usize| numbers.get(i).copied().unwrap_or(default);
    let (threads, batch, divisor, side) = (get(0, 2), get(1, 128), get(2, 1), get(3, 32));
    println!(
        "{} threads {threads} batch {batch} width/{divisor} side {side}; ms (GFLOP/s), * is the table's choice",
        Isa::best().name()
    );
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut totals = [0.0; 3];
    for (name, c, o, kernel, stride, scale) in LAYERS {
        let narrow = |n: usize| if n == 3 { 3 } else { n / divisor };
        let s = ConvShape {
            batch,
            in_channels: narrow(c),
            out_channels: narrow(o),
            in_h: side / scale,
            in_w: side / scale,
            kernel,
            stride,
            padding: 1,
        }
        .checked()
        .unwrap();
        let x = draws(batch * s.in_channels * s.in_h * s.in_w);
        let dy = draws(batch * s.out_channels * s.out_h() * s.out_w());
        let w = draws(s.in_channels * s.out_channels * kernel * kernel);
        let (mut y, mut dx, mut dw) = (draws(dy.len()), draws(x.len()), draws(w.len()));
        let flops = 2.0 * (dy.len() * s.in_channels * kernel * kernel) as f64;
        let mut line = format!("{name:<10}");
        for (i, pass) in [Pass::Forward, Pass::GradInput, Pass::GradWeight].into_iter().enumerate()
        {
            for algorithm in [Algorithm::Winograd, Algorithm::Stacked, Algorithm::Direct] {
                let chosen = Choice::of(&s, pass);
                let choice = Choice { algorithm, isa: chosen.isa };
                if !choice.fits(&s, pass) {
                    continue;
                }
                let ms = pool.install(|| {
                    median(|| match pass {
                        Pass::Forward => {
                            conv::forward_by(choice, &s, &x, &w, Epilogue::None, &mut y)
                        }
                        Pass::GradInput => {
                            conv::grad_input_by(choice, &s, &dy, &w, Epilogue::None, &mut dx)
                        }
                        Pass::GradWeight => conv::grad_weight_by(choice, &s, &x, &dy, &mut dw),
                    })
                });
                let mark = if choice == chosen { "*" } else { " " };
                if choice == chosen {
                    totals[i] += ms;
                }
                line +=
                    &format!("  {pass:?} {algorithm:?}{mark} {ms:.2} ({:.0})", flops / ms / 1e6);
            }
        }
        println!("{line}");
    }
    println!(
        "chosen: forward {:.1}, input gradient {:.1}, weight gradient {:.1} ms",
        totals[0], totals[1], totals[2]
    );
}
