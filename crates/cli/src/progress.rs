//! Progress on a terminal as a bar, elsewhere as plain lines; both say the same.

use crate::say::say;
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Parts of a bar.
const STEPS: f64 = 1000.0;

/// The progress of something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    /// Pieces done.
    pub(crate) done: u64,
    /// Total number of pieces, if known.
    pub(crate) total: Option<u64>,
    /// Share of the work that is done, in [0, 1]: pieces may differ in cost.
    pub(crate) share: f64,
}

impl Position {
    /// Pieces of equal cost.
    pub(crate) fn even(done: u64, total: Option<u64>) -> Position {
        let share = total.filter(|t| *t > 0).map_or(0.0, |t| done as f64 / t as f64);
        Position { done, total, share }
    }
}

/// Counts pieces of work, such as `updates` or `bytes`.
pub(crate) struct Meter {
    bar: Option<ProgressBar>,
    unit: &'static str,
    /// Whether plain lines go to standard error, because standard output is for another program.
    beside: bool,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    /// Where this process started or resumed the work: work done before says nothing about its
    /// speed.
    first: Option<Position>,
    last_line: Instant,
}

impl Meter {
    pub(crate) fn new(unit: &'static str) -> Meter {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(STEPS as u64);
            bar.set_style(
                ProgressStyle::with_template("{wide_bar} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        let now = Instant::now();
        Meter {
            bar,
            unit,
            beside: false,
            started: now,
            state: Mutex::new(State { first: None, last_line: now }),
        }
    }

    /// The same with plain lines on standard error.
    pub(crate) fn beside_the_output(unit: &'static str) -> Meter {
        Meter { beside: true, ..Meter::new(unit) }
    }

    /// The first call sets where the work is resumed; `message` is only computed when it is shown.
    pub(crate) fn set(&self, at: Position, message: impl FnOnce() -> String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.first.get_or_insert(at);
        if let Some(bar) = &self.bar {
            bar.set_position((at.share * STEPS) as u64);
            bar.set_message(self.line(at, first, &message()));
        } else if state.last_line.elapsed() >= LINE_EVERY {
            state.last_line = Instant::now();
            let line = self.line(at, first, &message());
            if self.beside { eprintln!("{line}") } else { say!("{line}") }
        }
    }

    fn line(&self, at: Position, first: Position, message: &str) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = at.done.saturating_sub(first.done) as f64 / seconds;
        let speed = (at.share - first.share) / seconds;
        let left = (speed > 0.0).then(|| (1.0 - at.share).max(0.0) / speed).filter(|s| *s < 1e9);
        let left = left.map_or_else(String::new, |s| {
            format!(", {} left", HumanDuration(Duration::from_secs_f64(s)))
        });
        let number =
            |n: u64| if self.unit == "bytes" { HumanBytes(n).to_string() } else { n.to_string() };
        let total = at.total.map_or_else(String::new, |t| format!("/{}", number(t)));
        let unit = if self.unit == "bytes" { String::new() } else { format!(" {}", self.unit) };
        let rate = if self.unit == "bytes" {
            HumanBytes(rate as u64).to_string()
        } else {
            format!("{rate:.1}")
        };
        format!("{}{total}{unit}, {rate}/s{left}  {message}", number(at.done))
    }

    /// Prints a line above the bar.
    pub(crate) fn println(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{line}")),
            None => say!("{line}"),
        }
    }

    /// Prints a warning above the bar, on standard error.
    pub(crate) fn warn(&self, warning: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("warning: {warning}")),
            None => eprintln!("warning: {warning}"),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_count_only_what_this_process_did() {
        let mut progress = Meter::new("updates");
        progress.started = Instant::now() - Duration::from_secs(10);
        let first = Position::even(50, Some(200));
        let line = progress.line(Position::even(100, Some(200)), first, "x");
        assert!(
            line.starts_with("100/200 updates, 5.0/s, 20 seconds left") && line.ends_with("  x"),
            "{line}"
        );
        // A tenth of the work, in half of the pieces: the rest is expensive.
        let line = progress.line(
            Position { done: 100, total: Some(200), share: 0.1 },
            Position::even(0, None),
            "",
        );
        assert!(
            line.starts_with("100/200 updates, 10.0/s, 90 seconds left")
                || line.contains("2 minutes"),
            "{line}"
        );
        assert!(!progress.line(first, first, "").contains("left"));
    }

    #[test]
    fn bytes_are_shown_for_people() {
        let progress = Meter::new("bytes");
        let line =
            progress.line(Position::even(1 << 20, Some(3 << 20)), Position::even(0, None), "");
        assert!(line.starts_with("1.00 MiB/3.00 MiB, "), "{line}");
    }
}
