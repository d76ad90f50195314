//! Runs a target on inputs and watches it.

use crate::allocator::{INPUT, peak_of};
use crate::mutate::Mutator;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// An input may take this long: a hundred times what the slowest takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A reader, and what it may cost.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Inputs that the reader accepts; all others are made from them.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the format.
    pub(crate) dictionary: &'static [&'static str],
    /// Reads the bytes; whether it accepted them.
    pub(crate) read: fn(&[u8]) -> bool,
    /// Memory: so many MiB, and [`PER_BYTE`] bytes for each byte of the input.
    pub(crate) mebibytes: usize,
}

/// Bytes of memory allowed for each byte of input.
const PER_BYTE: usize = 16;

/// Which inputs to run.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) from: u64,
    pub(crate) inputs: u64,
    pub(crate) seconds: Option<Duration>,
}

/// What a run found.
pub(crate) enum Outcome {
    Good(Report),
    Bad(Failure),
}

/// A run without a failure.
pub(crate) struct Report {
    inputs: u64,
    seconds: f64,
    accepted: u64,
    peak: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { inputs, seconds, accepted, peak } = self;
        let (rate, share) = (
            *inputs as f64 / seconds.max(1e-9),
            100.0 * *accepted as f64 / (*inputs).max(1) as f64,
        );
        let peak = *peak as f64 / (1 << 20) as f64;
        write!(
            f,
            "{inputs:>8} inputs in {seconds:>6.1} s ({rate:.0}/s), {share:.1} % accepted, peak {peak:.2} MiB"
        )
    }
}

/// An input that a reader did not survive as it should.
pub(crate) struct Failure {
    index: u64,
    what: What,
    kept: Option<PathBuf>,
}

/// What happened.
#[derive(Debug, PartialEq)]
pub(crate) enum What {
    Panic(String),
    Memory { peak: usize, allowed: usize },
    Slow,
    SeedRefused,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Panic(message) => write!(f, "input {}: panic: {message}", self.index)?,
            What::Memory { peak, allowed } => {
                write!(f, "input {}: {peak} bytes in use; {allowed} are allowed", self.index)?
            }
            What::Slow => {
                write!(f, "input {}: took more than {} s", self.index, PATIENCE.as_secs())?
            }
            What::SeedRefused => write!(f, "seed {} is refused by its own reader", self.index)?,
        }
        self.kept.as_ref().map_or(Ok(()), |path| write!(f, "; the input is {}", path.display()))
    }
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps messages of panics for the report instead of printing them.
pub(crate) fn silence_panics() {
    std::panic::set_hook(Box::new(|info| PANIC.with(|p| *p.borrow_mut() = info.to_string())));
}

/// Whether the target accepted the input, and its peak memory.
fn one(target: &Target, input: &[u8], patience: Duration) -> Result<(bool, usize), What> {
    let start = Instant::now();
    let (result, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| (target.read)(input))));
    let accepted =
        result.map_err(|_| What::Panic(PANIC.with(|p| p.borrow().replace('\n', " "))))?;
    let allowed = (target.mebibytes << 20) + PER_BYTE * input.len();
    if peak > allowed {
        return Err(What::Memory { peak, allowed });
    }
    if start.elapsed() > patience {
        return Err(What::Slow);
    }
    Ok((accepted, peak))
}

/// Runs the target's seeds, then the inputs of the budget.
pub(crate) fn run(target: &Target, budget: Budget) -> Outcome {
    let seeds = (target.seeds)();
    for (index, seed) in (0..).zip(&seeds) {
        let what = match one(target, seed, PATIENCE) {
            Ok((true, _)) => continue,
            Ok((false, _)) => What::SeedRefused,
            Err(what) => what,
        };
        return Outcome::Bad(Failure { index, what, kept: keep(target, "seed", index, seed) });
    }
    let mutator = Mutator::new(target.name, &seeds, target.dictionary);
    let (start, mut report) =
        (Instant::now(), Report { inputs: 0, seconds: 0.0, accepted: 0, peak: 0 });
    for index in (budget.from..).take(usize::try_from(budget.inputs).unwrap_or(usize::MAX)) {
        if budget.seconds.is_some_and(|s| start.elapsed() >= s) {
            break;
        }
        let input = mutator.input(index);
        INPUT.store(index, Ordering::Relaxed);
        match one(target, &input, PATIENCE) {
            Ok((accepted, peak)) => {
                report.inputs += 1;
                report.accepted += u64::from(accepted);
                report.peak = report.peak.max(peak);
            }
            Err(what) => {
                return Outcome::Bad(Failure {
                    index,
                    what,
                    kept: keep(target, "input", index, &input),
                });
            }
        }
    }
    report.seconds = start.elapsed().as_secs_f64();
    Outcome::Good(report)
}

/// Writes an input to `target/fuzz/`.
fn keep(target: &Target, kind: &str, index: u64, input: &[u8]) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent()?.join("fuzz");
    let path = folder.join(format!("{}-{kind}-{index}", target.name));
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input)).ok()?;
    Some(path)
}

/// Readers with each fault must be found out, one without must not.
pub(crate) fn self_test() {
    fn seeds() -> Vec<Vec<u8>> {
        vec![vec![0; 8]]
    }
    let what = |read: fn(&[u8]) -> bool, seeds: fn() -> Vec<Vec<u8>>| {
        let target = Target { name: "self-test", seeds, dictionary: &["x"], read, mebibytes: 1 };
        match run(&target, Budget { from: 0, inputs: 2_000, seconds: None }) {
            Outcome::Good(_) => None,
            Outcome::Bad(failure) => Some(failure.what),
        }
    };
    assert_eq!(what(|b| b.len() > 3, seeds), None);
    assert!(
        matches!(what(|b| b[5] < 200, seeds), Some(What::Panic(m)) if m.contains("out of bounds"))
    );
    let large =
        |b: &[u8]| b.first() != Some(&0) || Vec::<u8>::with_capacity(2 << 20).capacity() > 0;
    assert!(matches!(what(large, seeds), Some(What::Memory { peak, .. }) if peak >= 2 << 20));
    assert_eq!(what(|_| false, seeds), Some(What::SeedRefused));
    let slow = Target { name: "self-test", seeds, dictionary: &[], read: |_| true, mebibytes: 1 };
    assert_eq!(one(&slow, &[], Duration::ZERO), Err(What::Slow));
}
