//! `sngan status`.

use super::no_scores;
use super::plan::time;
use super::sweep::{describe, status_name};
use crate::Ended;
use crate::say::{counted, quoted};
use crate::table::{Align, Table, width, wrap};
use anyhow::{Context, Result, bail};
use sngan_experiment::records::Status;
use sngan_experiment::{Dataset, RunDir};
use sngan_plot::records::is_run;
use sngan_sweep::RunState;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is shown: sweeps with their runs, and runs alone.
struct Shown {
    text: String,
    at_work: bool,
}

/// Prints a table of the runs, once or as long as one is at work.
pub(crate) fn run(paths: &[PathBuf], watch: Option<u64>) -> Result<Ended> {
    loop {
        let Shown { text, at_work } = shown(paths)?;
        let Some(seconds) = watch.filter(|_| at_work) else {
            crate::say::write(format_args!("{text}"));
            return Ok(Ended::Well);
        };
        // On a terminal it clears the screen and starts at its top.
        let clear = if std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        crate::say::write(format_args!("{clear}{text}"));
        std::thread::sleep(Duration::from_secs(seconds.max(1)));
    }
}

fn shown(paths: &[PathBuf]) -> Result<Shown> {
    let Found { sweeps, collections, runs } = gather(paths)?;
    let mut shown = Shown { text: String::new(), at_work: false };
    for sweep in sweeps.iter().chain(&collections) {
        shown.sweep(sweep)?;
    }
    if !runs.is_empty() {
        shown.runs(&runs);
    }
    Ok(shown)
}

/// What paths on the command line name.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Folders of sweeps; what is none, and is not there, is answered as one.
    pub(super) sweeps: Vec<PathBuf>,
    pub(super) collections: Vec<PathBuf>,
    /// Folders of single runs.
    pub(super) runs: Vec<PathBuf>,
}

/// Sorts paths: sweeps, collections, runs, or folders that hold sweeps or runs.
pub(super) fn gather(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        found.add(path)?;
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, path: &Path) -> Result<()> {
        if is_collection(path) {
            self.collections.push(path.into());
        } else if path.join("plan.json").exists() || !path.is_dir() {
            self.sweeps.push(path.into());
        } else if is_run(path) {
            self.runs.push(path.into());
        } else {
            let list = std::fs::read_dir(path);
            let list = list.with_context(|| format!("failed to list {}", path.display()))?;
            let mut below: Vec<PathBuf> =
                list.filter_map(|entry| Some(entry.ok()?.path())).collect();
            below.sort();
            let before = self.sweeps.len() + self.runs.len();
            for path in below {
                if is_run(&path) {
                    self.runs.push(path);
                } else if path.join("plan.json").exists() && !is_collection(&path) {
                    self.sweeps.push(path);
                }
            }
            if self.sweeps.len() + self.runs.len() == before {
                bail!("{} is no sweep and no run, and holds none", path.display());
            }
        }
        Ok(())
    }
}

fn is_collection(path: &Path) -> bool {
    path.join(sngan_experiment::run_dir::COLLECTION).exists()
}

impl Shown {
    fn sweep(&mut self, out: &Path) -> Result<()> {
        let busy = sngan_sweep::is_busy(out);
        let (plan, runs) = sngan_sweep::status(out)?;
        let dead = sngan_plot::dead_critics(out)?;
        let work = if busy { "a sweep is at work" } else { "no sweep is at work" };
        self.text += &format!(
            "{}\n",
            wrap(&format!(
                "{} at scale {}: {}; {work}",
                plan.name,
                plan.scale,
                counted(runs.len(), "run")
            ))
        );
        self.text += &table(&runs, &dead).text(width());
        self.at_work |= busy;
        let next = if busy {
            format!("`sngan status {} --watch` shows it again and again", quoted(out))
        } else if runs.iter().all(|run| run.damage.is_none() && ended(run)) {
            format!("`sngan draw {0}`, or `sngan report {0}`", quoted(out))
        } else {
            "the same `sngan sweep` again continues it".into()
        };
        self.text += &format!("{}\n", wrap(&format!("Next: {next}")));
        Ok(())
    }

    fn runs(&mut self, paths: &[PathBuf]) {
        let states: Vec<RunState> =
            paths.iter().map(|path| sngan_sweep::status_of_run(&RunDir::new(path))).collect();
        self.text += &table(&states, &BTreeSet::new()).text(width());
        self.at_work |= states.iter().any(|state| state.at_work);
        let unfinished =
            paths.iter().zip(&states).find(|(_, s)| !s.at_work && s.damage.is_none() && !ended(s));
        let next = match (unfinished, paths) {
            (Some((path, _)), _) => {
                format!("`sngan train {} --resume` continues it", quoted(path))
            }
            (None, [one])
                if states.iter().all(|s| s.scores.iter().any(|x| x.gen_updates == s.done)) =>
            {
                format!("`sngan report {}`", quoted(one))
            }
            (None, [one]) => format!("`{}`, or `sngan report {}`", to_score(&[one]), quoted(one)),
            (None, [a, b]) => format!("`sngan compare {} {}`", quoted(a), quoted(b)),
            (None, _) => "`sngan compare RUN…` shows them beside each other".into(),
        };
        self.text += &format!("{}\n", wrap(&format!("Next: {next}")));
    }
}

/// The command that scores a run: of an imported one, the images that it is compared with have to be named; where no network is known to
/// go with its images, a scorer.
pub(super) fn to_score(runs: &[&Path]) -> String {
    let specs = runs.iter().filter_map(|run| RunDir::new(*run).spec().ok());
    let datasets = specs.map(|spec| spec.knows("dataset").then_some(spec.dataset));
    let datasets: Vec<Option<Dataset>> = datasets.collect();
    let paths: Vec<String> = runs.iter().map(|run| quoted(run)).collect();
    let reference = if datasets.contains(&None) { " --reference DIR" } else { "" };
    let backbone = datasets.iter().find_map(|d| no_scores::option(d.unwrap_or(Dataset::Folder)));
    format!("sngan score {}{reference}{}", paths.join(" "), backbone.unwrap_or_default())
}

/// Whether nothing is left to train.
fn ended(run: &RunState) -> bool {
    run.status.as_ref().is_some_and(|s| match s.status {
        Status::Completed | Status::Diverged => true,
        Status::Running | Status::Interrupted | Status::Failed => false,
    })
}

/// A line a run, its newest scores and the reason of its end below it.
fn table(runs: &[RunState], dead: &BTreeSet<String>) -> Table {
    let right = |head| (head, Align::Right);
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("status", Align::Left),
        right("updates"),
        right("rate"),
        right("left"),
    ]);
    for run in runs {
        let updates =
            if run.total > 0 { format!("{}/{}", run.done, run.total) } else { "–".into() };
        let rate = run.rate.map_or_else(|| "–".into(), |r| format!("{r:.1}/s"));
        let left = run.seconds_left().map_or_else(|| "–".into(), time);
        let reason = run.status.as_ref().and_then(|s| s.reason.clone());
        let newest = run.scores.iter().map(|s| s.gen_updates).max();
        // Scores of an earlier checkpoint say so.
        let earlier = newest.filter(|at| *at != run.done).map(|at| format!(" at {at}"));
        let scores = describe(&run.scores) + &earlier.unwrap_or_default();
        let notes = [scores, run.damage.clone().or(reason).unwrap_or_default()];
        let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        table.row_with(
            vec![run.name.clone(), word(run, dead.contains(&run.name)).into(), updates, rate, left],
            notes.join("  "),
        );
    }
    table
}

fn word(run: &RunState, dead_critic: bool) -> &'static str {
    match &run.status {
        _ if run.damage.is_some() => "damaged",
        _ if dead_critic => "dead critic",
        None if run.at_work => "starting",
        None => "not begun",
        // A killed process had no time to record it.
        Some(_) if run.killed() => "killed",
        Some(s) => status_name(s.status),
    }
}
