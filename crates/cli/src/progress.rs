//! Progress on a terminal as a bar, elsewhere as plain lines.

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts work of a known (or unknown) size.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    unit: &'static str,
    total: Option<u64>,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    first: Option<u64>,
    last_line: Instant,
}

impl Progress {
    /// `total` pieces of `unit` (`None`: unknown).
    pub(crate) fn new(total: Option<u64>, unit: &'static str) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total.unwrap_or(0));
            let template = format!("{{wide_bar}} {{pos}}/{{len}} {unit}  {{per_sec}}  {{eta}} left  {{msg}}");
            bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Progress { bar, unit, total, started: now, state: Mutex::new(State { first: None, last_line: now }) }
    }

    /// `done` pieces so far; `message` is only made when it is shown.
    pub(crate) fn set(&self, done: u64, message: impl FnOnce() -> String) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.first.get_or_insert(done.saturating_sub(1));
        if let Some(bar) = &self.bar {
            if bar.position() == 0 && first > 0 {
                bar.reset_eta();
            }
            bar.set_position(done);
            bar.set_message(message());
        } else if state.last_line.elapsed() >= LINE_EVERY {
            state.last_line = Instant::now();
            println!("{}", self.line(done, first, &message()));
        }
    }

    fn line(&self, done: u64, first: u64, message: &str) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = (done - first) as f64 / seconds.max(1e-9);
        let left = self.total.filter(|t| *t >= done && rate > 0.0).map(|t| Duration::from_secs_f64((t - done) as f64 / rate));
        let left = left.map_or_else(String::new, |d| format!(", {} left", HumanDuration(d)));
        let total = self.total.map_or_else(String::new, |t| format!("/{t}"));
        format!("{done}{total} {}, {rate:.1}/s{left}  {message}", self.unit)
    }

    /// Prints a line above the bar.
    pub(crate) fn println(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
