//! Lines of the log whose measurements are being made beside the updates: known in any order, written in that of their updates.

use super::measuring::{Measured, Measuring};
use crate::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread::{Scope, ScopedJoinHandle};

/// Lines that wait at a time: each holds a copy of both networks. With more the updates would wait in any case, for the cores.
const MOST: usize = 8;

/// Which lines are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// None, unless there are too many.
    No,
    /// Those of updates up to this one; no later one is taken.
    Until(u64),
}

/// A line whose numbers are known.
pub(super) struct Line<M> {
    pub(super) gen_update: u64,
    /// When its update was made, seconds since the session began.
    pub(super) seconds: f64,
    pub(super) measured: M,
}

/// Lines in the order of their updates.
pub(super) struct Pending<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    pool: &'env OnceLock<ThreadPool>,
    threads: usize,
    lines: VecDeque<Line<ScopedJoinHandle<'scope, Result<Measured>>>>,
}

impl<'scope, 'env> Pending<'scope, 'env> {
    /// No lines. Their measurements will be made by `threads` threads, those of `pool`, which is filled when the first line comes.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        pool: &'env OnceLock<ThreadPool>,
        threads: usize,
    ) -> Pending<'scope, 'env> {
        Pending { scope, pool, threads, lines: VecDeque::new() }
    }

    /// Begins the line of an update that is later than all others.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub(super) fn begin(
        &mut self,
        gen_update: u64,
        seconds: f64,
        measuring: Measuring<'env>,
    ) -> Result<()> {
        if self.pool.get().is_none() {
            let pool = ThreadPoolBuilder::new().num_threads(self.threads.max(1)).build();
            let pool =
                pool.map_err(|e| Error::Invalid(format!("no threads to measure on: {e}")))?;
            self.pool.get_or_init(|| pool);
        }
        let pool = self.pool;
        let measure = move || match pool.get() {
            Some(pool) => pool.install(|| measuring.measured()),
            None => measuring.measured(),
        };
        let measured = self.scope.spawn(measure);
        self.lines.push_back(Line { gen_update, seconds, measured });
        Ok(())
    }

    /// The first line, if it is known or waited for.
    ///
    /// # Errors
    /// Those of its measurements.
    pub(super) fn next(&mut self, wait: Wait) -> Result<Option<Line<Measured>>> {
        let Some(first) = self.lines.front() else { return Ok(None) };
        let take = match wait {
            Wait::No => first.measured.is_finished() || self.lines.len() > MOST,
            Wait::Until(gen_update) => first.gen_update <= gen_update,
        };
        let Some(line) = self.lines.pop_front_if(|_| take) else { return Ok(None) };
        let Line { gen_update, seconds, measured } = line;
        let measured = measured.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(Some(Line { gen_update, seconds, measured }))
    }
}
