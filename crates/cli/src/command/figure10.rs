//! `sngan bench figure10`: the times that Figure 10 shows.

use super::device::backend;
use super::{Change, Job, records};
use crate::Ended;
use crate::args::Figure10;
use crate::say::say;
use anyhow::{Result, bail};
use sngan_core::trainer::measure;
use sngan_experiment::benchmark::{UpdateTiming, UpdateTimings};
use sngan_experiment::method::Method;
use sngan_experiment::records::FORMAT_VERSION;
use sngan_experiment::{RunSpec, atomic, machine};
use std::path::Path;

/// The figure's methods.
const METHODS: [Method; 4] = [Method::WganGp, Method::WeightNorm, Method::Sn, Method::Vanilla];
/// Updates of D per update of G in the figure.
const N_DIS: u32 = 5;
/// Warm-up updates of each kind.
const WARM_UP: usize = 1;

pub(super) fn job(arguments: Figure10) -> Job {
    let path = arguments.out.join(records::TIMINGS);
    let threads = arguments.machine.threads;
    Job::that_changes([Change::file(&path, "timings")], move || run(&arguments, &path)).on(threads)
}

fn run(arguments: &Figure10, path: &Path) -> Result<Ended> {
    if arguments.rounds == 0 || arguments.sizes.is_empty() {
        bail!("nothing to measure; give at least one of --rounds and one of --sizes");
    }
    let given = !arguments.methods.is_empty();
    let methods = if given { &arguments.methods[..] } else { &METHODS };
    let backend = backend(&arguments.machine)?;
    let mut entries = Vec::new();
    for side in &arguments.sizes {
        let empty = |method| UpdateTiming {
            method,
            side: *side,
            discriminator: Vec::new(),
            generator: Vec::new(),
        };
        let mut of_side: Vec<UpdateTiming> = methods.iter().copied().map(empty).collect();
        for round in 1..=arguments.rounds {
            for entry in &mut of_side {
                let spec = RunSpec {
                    side: *side,
                    batch: arguments.batch,
                    gen_batch: arguments.batch,
                    width_divisor: arguments.width_divisor,
                    n_dis: N_DIS,
                    ..RunSpec::paper(entry.method)
                };
                spec.validate()?;
                let times = measure(&spec, backend.as_ref(), WARM_UP, arguments.repeat.max(1))?;
                entry.discriminator.push(median(times.discriminator));
                entry.generator.push(median(times.generator));
            }
            say!("{side}x{side}: round {round} of {}", arguments.rounds);
        }
        entries.extend(of_side);
    }
    let record = UpdateTimings {
        version: FORMAT_VERSION,
        sngan: env!("CARGO_PKG_VERSION").into(),
        cpu: machine::cpu_model(),
        instruction_set: sngan_tensor::instruction_set().to_string(),
        threads: rayon::current_num_threads(),
        batch: arguments.batch,
        width_divisor: arguments.width_divisor,
        n_dis: N_DIS,
        entries,
    };
    atomic::write_json(path, &record)?;
    say!("{}", path.display());
    Ok(Ended::Well)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
