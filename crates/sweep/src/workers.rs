//! Which runs go side by side, and in which order.

use crate::{Error, Result, Shard, SweepOptions};
use sngan_core::trainer::Backend;
use sngan_experiment::{Plan, RunSpec};

/// The plan's runs, the longest first, so that the last to end is a short one.
fn longest_first(plan: &Plan) -> Vec<&RunSpec> {
    let mut order: Vec<&RunSpec> = plan.specs.iter().collect();
    order.sort_by_key(|s| std::cmp::Reverse(s.multiply_adds().unwrap_or(0.0) as u64));
    order
}

/// The runs of one part of a plan, in the order in which they are begun.
pub fn runs_of(plan: &Plan, shard: Shard) -> Vec<&RunSpec> {
    shard.of(&longest_first(plan))
}

/// Runs side by side on one GPU: a batch of the paper's leaves it room, and one run's host work fills another's waiting.
const RUNS_PER_GPU: usize = 2;

/// How many runs go at a time: as threads and memory allow, and on GPUs a few on each.
pub(crate) fn workers(
    runs: &[&RunSpec],
    backends: &[&dyn Backend],
    options: &SweepOptions,
) -> Result<usize> {
    if backends.is_empty() {
        return Err(Error::Invalid("a sweep needs a device".into()));
    }
    let fit = side_by_side(runs, options)?;
    let gpus = backends.iter().filter(|b| b.accelerator().is_some()).count();
    Ok(if gpus == 0 { fit } else { fit.min(RUNS_PER_GPU * gpus) })
}

/// How many of `runs` go at a time: one a thread, as long as the most demanding ones fit into memory together.
fn side_by_side(runs: &[&RunSpec], options: &SweepOptions) -> Result<usize> {
    let mut needs =
        runs.iter().map(|spec| spec.memory()).collect::<std::result::Result<Vec<u64>, _>>()?;
    needs.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0u64;
    let fit = needs.iter().take_while(|need| {
        sum = sum.saturating_add(**need);
        sum <= options.memory
    });
    // One goes in any case: whether it really fits, the system decides.
    Ok(fit.count().min(options.threads).max(1))
}

/// Threads of their own.
pub(crate) fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Invalid(format!("failed to start threads: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;
    use sngan_experiment::records::Source;

    #[test]
    fn no_more_runs_go_at_a_time_than_memory_and_threads_allow() {
        let spec = RunSpec::paper(Method::Sn);
        let need = spec.memory().unwrap();
        let runs = vec![&spec; 5];
        let with = |threads, memory| {
            let options = SweepOptions {
                threads,
                retry_failed: false,
                memory,
                shard: Shard::WHOLE,
                source: Source::default(),
                extend: false,
            };
            side_by_side(&runs, &options).unwrap()
        };
        assert_eq!(
            [with(4, u64::MAX), with(8, u64::MAX), with(4, 2 * need), with(4, need / 2)],
            [4, 5, 2, 1]
        );
    }
}
