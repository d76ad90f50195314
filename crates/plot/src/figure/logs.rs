//! The logs of a setting's runs, row by row: the data of figures over the updates.

use crate::scored::{Run, ScoredSweep};
use sngan_experiment::records::LogRecord;

/// A row's runs in one setting, with the log of each.
pub(super) struct Logs<'a> {
    pub(super) label: &'a str,
    pub(super) runs: Vec<(&'a Run, &'a [LogRecord])>,
}

/// A number that a log record may hold.
pub(super) type Value<'f> = &'f dyn Fn(&LogRecord) -> Option<f64>;

impl<'a> Logs<'a> {
    /// Every row that has a run in `setting`.
    pub(super) fn of(c: &'a ScoredSweep, setting: &'a str) -> Vec<Logs<'a>> {
        let row = |label: &'a str| {
            let runs = c.cell(label, setting).map(|run| (run, run.records.log.as_slice()));
            Logs { label, runs: runs.collect() }
        };
        c.labels().into_iter().map(row).filter(|row| !row.runs.is_empty()).collect()
    }

    /// All records of all seeds.
    pub(super) fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.runs.iter().flat_map(|(_, log)| *log)
    }

    /// The points (update, value) of each seed.
    pub(super) fn seeds(&self, value: Value<'_>) -> Vec<Vec<(u64, f64)>> {
        let points = |log: &[LogRecord]| {
            log.iter().filter_map(|r| Some((r.gen_update, value(r)?))).collect()
        };
        self.runs.iter().map(|(_, log)| points(log)).collect()
    }

    /// `SN (2 of 3 runs)` where some of the runs that `concerns` names have a log, but none of `kept` in it.
    pub(super) fn without(
        &self,
        concerns: impl Fn(&Run) -> bool,
        kept: impl Fn(&LogRecord) -> bool,
    ) -> Option<String> {
        let logged = || self.runs.iter().filter(|(run, log)| concerns(run) && !log.is_empty());
        let lacking = logged().filter(|(_, log)| !log.iter().any(&kept)).count();
        (lacking > 0).then(|| format!("{} ({lacking} of {} runs)", self.label, logged().count()))
    }
}
