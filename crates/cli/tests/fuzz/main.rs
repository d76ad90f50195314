//! Feeds every reader of the workspace inputs that nobody meant to write: no panic, bounded memory, bounded time.
//!
//! Input `i` of a target is a function of the target's name and `i` alone, so that a failure is found again: it is written to
//! `target/fuzz/`, and `--from i --inputs 1` repeats it. Under nextest or `cargo test` each target is a test with few inputs; `just fuzz` runs
//! more. A new reader is one line in `targets.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may")]

mod allocator; // counts what is allocated
mod bombs; // small files that claim much
mod engine; // runs a target on inputs
mod mutate;
mod networks; // makes inputs from seeds
mod seeds; // valid inputs
mod targets; // the readers
mod wrap; // lengths and checksums made right, so that changes reach what lies behind them

use engine::{Budget, Outcome};
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// Inputs of each target where no number is given.
const INPUTS: u64 = 2_000;

/// What the command line asks for: our own options, and those that nextest and libtest know.
#[derive(Default)]
struct Arguments {
    list: bool,
    ignored: bool,
    exact: bool,
    inputs: Option<u64>,
    seconds: Option<u64>,
    from: u64,
    names: Vec<String>,
}

impl Arguments {
    fn parse() -> Arguments {
        let mut parsed = Arguments::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                arguments
                    .next()
                    .and_then(|n| n.replace('_', "").parse().ok())
                    .expect("a number after the option")
            };
            match argument.as_str() {
                "--list" => parsed.list = true,
                "--ignored" => parsed.ignored = true,
                "--exact" => parsed.exact = true,
                "--inputs" => parsed.inputs = Some(number()),
                "--seconds" => parsed.seconds = Some(number()),
                "--from" => parsed.from = number(),
                "--format" | "--test-threads" | "--skip" => drop(arguments.next()),
                name if !name.starts_with('-') => parsed.names.push(name.into()),
                _ => {}
            }
        }
        parsed
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|n| if self.exact { n == name } else { name.contains(n.as_str()) })
    }

    fn budget(&self) -> Budget {
        let seconds = self.seconds.map(Duration::from_secs);
        let inputs = self.inputs.unwrap_or(if seconds.is_some() { u64::MAX } else { INPUTS });
        Budget { from: self.from, inputs, seconds }
    }
}

/// The harness's test of itself: without it, one that sees nothing would pass.
const SELF_TEST: &str = "the_harness_notices";

/// The small files that claim much.
const BOMBS: &str = "bombs_take_little_memory";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let targets = targets::all();
    if arguments.list {
        if !arguments.ignored {
            targets
                .iter()
                .map(|t| t.name)
                .chain([SELF_TEST, BOMBS])
                .for_each(|name| println!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    engine::silence_panics();
    let mut good = true;
    if arguments.wants(SELF_TEST) {
        engine::self_test();
        println!(
            "{SELF_TEST}: a panic, a large allocation, a slow input and a refused seed are each found"
        );
    }
    if arguments.wants(BOMBS) {
        let faults = bombs::run();
        faults.iter().for_each(|fault| println!("{BOMBS}: {fault}"));
        good &= faults.is_empty();
    }
    for target in targets.iter().filter(|t| arguments.wants(t.name)) {
        match engine::run(target, arguments.budget()) {
            Outcome::Good(report) => println!("{:<16} {report}", target.name),
            Outcome::Bad(failure) => {
                println!("{:<16} {failure}", target.name);
                good = false;
            }
        }
    }
    targets::clean_up();
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
