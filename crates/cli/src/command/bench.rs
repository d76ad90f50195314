//! `sngan bench`.

use super::device::backend;
use super::{Job, figure10};
use crate::Ended;
use crate::args::{Bench, BenchFid, BenchInception, BenchUpdate, Machine};
use crate::say::say;
use anyhow::Result;
use serde_json::json;
use sngan_core::trainer::{cost, measure};
use sngan_cuda::launch::launches;
use sngan_eval::fid::frechet_distance;
use sngan_eval::{Inception, Moments, Preparation, Statistics};
use sngan_experiment::method::Method;
use sngan_experiment::{RunDir, RunSpec, machine};
use sngan_tensor::rng::Streams;
use std::path::Path;
use std::time::Instant;

/// Warm-up updates of each kind.
const WARM_UP: usize = 2;

pub(crate) fn job(arguments: Bench) -> Job {
    match arguments {
        Bench::Update(a) => {
            let threads = a.machine.threads;
            Job::that_reads(move || update(&a)).on(threads)
        }
        Bench::Run { run: folder, machine } => {
            let threads = machine.threads;
            Job::that_reads(move || run(&folder, &machine)).on(threads)
        }
        Bench::Figure10(a) => figure10::job(a),
        Bench::Inception(a) => {
            let threads = a.threads;
            Job::that_reads(move || inception(&a)).on(threads)
        }
        Bench::Fid(a) => {
            let threads = a.threads;
            Job::that_reads(move || fid(&a)).on(threads)
        }
    }
}

fn update(arguments: &BenchUpdate) -> Result<Ended> {
    let threads = rayon::current_num_threads();
    let mut spec = RunSpec::paper(Method::Sn);
    for (key, value) in [
        ("method", arguments.method.clone()),
        ("architecture", arguments.architecture.clone()),
        ("side", arguments.size.to_string()),
        ("batch", arguments.batch.to_string()),
        ("gen_batch", arguments.batch.to_string()),
        ("width_divisor", arguments.width_divisor.to_string()),
    ] {
        spec.set(key, &value)?;
    }
    let backend = backend(&arguments.machine)?;
    let times = measure(&spec, backend.as_ref(), WARM_UP, arguments.repeat.max(1))?;
    let result = json!({
        "sngan": env!("CARGO_PKG_VERSION"),
        "instruction_set": sngan_tensor::instruction_set(),
        "threads": threads,
        "device": backend.name(),
        "accelerator": backend.accelerator(),
        // Of an update of G and of one of D.
        "launches": backend.accelerator().map(|_| launches(&spec)).transpose()?,
        "size": arguments.size,
        "batch": arguments.batch,
        "width_divisor": arguments.width_divisor,
        "method": arguments.method,
        "architecture": arguments.architecture,
        "d_update": summary(&times.discriminator),
        "g_update": summary(&times.generator),
        "peak_rss_mb": peak_rss_mb(),
        "device_mib": times.device_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20)),
    });
    if arguments.json {
        say!("{result}");
    } else {
        for kind in ["d_update", "g_update"] {
            say!(
                "{kind}: median {:.4} s, least {:.4} s",
                number(&result[kind]["median_s"]),
                number(&result[kind]["min_s"])
            );
        }
        say!("peak memory: {:.0} MB", number(&result["peak_rss_mb"]));
        if let Some(mib) = result["device_mib"].as_f64() {
            say!("memory on the GPU: {mib:.0} MiB");
        }
    }
    Ok(Ended::Well)
}

/// The cost of the run in folder `run`, as one JSON object.
fn run(run: &Path, machine: &Machine) -> Result<Ended> {
    let spec = RunDir::new(run).spec()?;
    let cost = cost(&spec, backend(machine)?.as_ref())?;
    say!(
        "{}",
        json!({
            "update_s": cost.update, "logging_s": cost.logging, "checkpoint_bytes": cost.checkpoint, "peak_rss_mb": peak_rss_mb(),
            "threads": rayon::current_num_threads(), "instruction_set": sngan_tensor::instruction_set(),
        })
    );
    Ok(Ended::Well)
}

/// Median and minimum.
fn summary(times: &[f64]) -> serde_json::Value {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    json!({ "median_s": sorted[sorted.len() / 2], "min_s": sorted[0] })
}

fn inception(arguments: &BenchInception) -> Result<Ended> {
    let inception = Inception::load(&arguments.weights, Preparation::default())?;
    let n = arguments.images.max(1) * 3 * arguments.size * arguments.size;
    let images: Vec<u8> =
        Streams::new(0).uniform("bench", 0, n).into_iter().map(|u| (256.0 * u) as u8).collect();
    let mut times = Vec::new();
    // The first one warms up.
    for _ in 0..=arguments.repeat.max(1) {
        let start = Instant::now();
        inception.features(&images, arguments.size)?;
        times.push(start.elapsed().as_secs_f64());
    }
    let result = json!({
        "sngan": env!("CARGO_PKG_VERSION"),
        "instruction_set": sngan_tensor::instruction_set(),
        "threads": rayon::current_num_threads(),
        "size": arguments.size,
        "images": arguments.images,
        "features": summary(&times[1..]),
        "peak_rss_mb": peak_rss_mb(),
    });
    if arguments.json {
        say!("{result}");
    } else {
        let rate = arguments.images as f64 / number(&result["features"]["median_s"]);
        say!("{rate:.2} images/s; peak memory: {:.0} MB", number(&result["peak_rss_mb"]));
    }
    Ok(Ended::Well)
}

/// Times FID of two files of statistics, as one JSON object.
fn fid(arguments: &BenchFid) -> Result<Ended> {
    let moments = arguments
        .statistics
        .iter()
        .map(|path| Ok(Statistics::read(path)?.moments))
        .collect::<Result<Vec<Moments>>>()?;
    let mut times = Vec::new();
    let mut distance = 0.0;
    // The first one warms up.
    for _ in 0..=arguments.repeat.max(1) {
        let start = Instant::now();
        distance = frechet_distance(&moments[0], &moments[1])?;
        times.push(start.elapsed().as_secs_f64());
    }
    say!(
        "{}",
        json!({
            "distance": distance,
            "dim": moments[0].dim(),
            "threads": rayon::current_num_threads(),
            "fid": summary(&times[1..]),
            "peak_rss_mb": peak_rss_mb(),
        })
    );
    Ok(Ended::Well)
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Peak memory of this process, in MB of 2²⁰ bytes; `None` if the system does not report it.
fn peak_rss_mb() -> Option<f64> {
    machine::peak_memory().map(|bytes| bytes as f64 / (1024.0 * 1024.0))
}
