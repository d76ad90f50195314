//! `sngan tensorboard`, and `--tensorboard` of trainings: event files from the records of runs.

use super::status::{Found, gather};
use super::{Change, Job};
use crate::args::TensorBoard;
use crate::say::{counted, say};
use crate::table::wrap;
use crate::{Ended, signals};
use anyhow::{Result, bail};
use sngan_experiment::{RunDir, run_dir};
use sngan_plot::records::{RunRecords, SweepRecords};
use sngan_plot::tensorboard::Board;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

/// Records are looked at again after this time, and after as many times what reading them took: it shall not cost a training more than 5 %.
const PAUSE: (Duration, u32) = (Duration::from_secs(2), 20);
/// A run's records may be read while they are cut back for a resumption. An error that stays so long is told.
const TRIES: u32 = 3;

/// Event files of runs, by the runs' folders.
#[derive(Default)]
struct Boards {
    /// Where the event files go, each into a folder of its run's name; else into the runs' own folders.
    into: Option<PathBuf>,
    runs: BTreeMap<PathBuf, Followed>,
}

#[derive(Default)]
struct Followed {
    board: Option<Board>,
    /// The files of records as they were when they were last read.
    seen: Vec<Option<(u64, SystemTime)>>,
    /// Passes in a row that failed.
    failures: u32,
}

impl Boards {
    /// Brings the event file of the run in `folder` up to date.
    fn follow(&mut self, folder: &Path) -> Result<()> {
        let dir = RunDir::new(folder);
        let samples = dir.sample_path(0);
        let samples = samples.parent().unwrap_or(folder);
        let state = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.len(), file.modified().ok()?))
        };
        let seen = vec![state(&dir.log_path()), state(&dir.scores_path()), state(samples)];
        let followed = self.runs.entry(folder.into()).or_default();
        if followed.board.is_some() && followed.seen == seen {
            return Ok(());
        }
        let run = RunRecords::read(folder)?;
        match &mut followed.board {
            Some(board) => board.follow(&run)?,
            None => {
                let into = self.into.as_ref().map_or(folder.into(), |into| into.join(&run.name));
                followed.board = Some(Board::begin(&run, &into)?);
            }
        }
        followed.seen = seen;
        followed.failures = 0;
        Ok(())
    }

    /// [`Boards::follow`] for each run; what fails [`TRIES`] times in a row, or at the end, is told once.
    fn follow_all(&mut self, folders: &[PathBuf], at_the_end: bool) {
        for folder in folders {
            let Err(e) = self.follow(folder) else { continue };
            let followed = self.runs.entry(folder.clone()).or_default();
            followed.failures += 1;
            if followed.failures == TRIES || (at_the_end && followed.failures < TRIES) {
                eprintln!("warning: TensorBoard's file is not up to date: {e}");
            }
        }
    }
}

/// Does `work`, and beside it keeps the event files of the runs in those of `folders` that are there up to date.
pub(super) fn beside<T>(folders: &[PathBuf], work: impl FnOnce() -> T) -> T {
    let (working, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (mut boards, mut pause) = (Boards::default(), PAUSE.0);
            loop {
                // Dropped when the work has ended, well or not.
                let at_the_end = ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout);
                let started = Instant::now();
                let there = |folder: &&PathBuf| RunDir::new(*folder).log_path().exists();
                let there: Vec<PathBuf> = folders.iter().filter(there).cloned().collect();
                boards.follow_all(&there, at_the_end);
                pause = PAUSE.0.max(started.elapsed() * PAUSE.1);
                if at_the_end {
                    return;
                }
            }
        });
        let result = work();
        drop(working);
        result
    })
}

pub(crate) fn job(arguments: TensorBoard) -> Result<Job> {
    let TensorBoard { paths, follow, out } = arguments;
    let found = gather(&paths)?;
    if let (Some(collection), None) = (found.collections.first(), &out) {
        bail!("{} is a collection, not a folder of runs; add --out DIR", collection.display());
    }
    let change = match &out {
        Some(out) => Change::into(out, "an event file a run"),
        None => Change::said("write an event file into the folder of each run".into()),
    };
    Ok(Job::that_changes([change], move || run(&paths, &found, follow, out.as_deref())))
}

fn run(paths: &[PathBuf], found: &Found, follow: bool, out: Option<&Path>) -> Result<Ended> {
    let mut n = 0;
    for (collection, out) in found.collections.iter().filter_map(|c| Some((c, out?))) {
        for run in &SweepRecords::read(collection)?.runs {
            Board::begin(run, &out.join(&run.name))?;
            n += 1;
        }
    }
    let mut boards = Boards { into: out.map(Path::to_path_buf), ..Boards::default() };
    for folder in runs_of(found)? {
        boards.follow(&folder)?;
        n += 1;
    }
    if n == 0 && !follow {
        bail!("none of the runs has a log or scores yet");
    }
    let first = paths.first().map_or_else(|| Path::new("."), PathBuf::as_path);
    say!("{}", counted(n, "event file"));
    let place = out.unwrap_or(first).display();
    say!("{}", wrap(&format!("Next: `tensorboard --logdir {place}` shows them")));
    if !follow {
        return Ok(Ended::Well);
    }
    let stop = signals::stop_flag()?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE.0);
        boards.follow_all(&runs_of(found)?, false);
    }
    Ok(Ended::Interrupted)
}

/// The folders of runs that have begun.
fn runs_of(found: &Found) -> Result<Vec<PathBuf>> {
    let mut runs = found.runs.clone();
    for sweep in &found.sweeps {
        let begun = run_dir::run_dirs(&sweep.join("runs"))?;
        runs.extend(begun.iter().map(|run| run.path().to_path_buf()));
    }
    let has_records = |dir: RunDir| dir.log_path().exists() || dir.scores_path().exists();
    runs.retain(|run| has_records(RunDir::new(run)));
    Ok(runs)
}
