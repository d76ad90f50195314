//! `sngan status`.

use super::plan::time;
use super::sweep::{describe, status_name};
use crate::Ended;
use anyhow::Result;
use sngan_sweep::RunState;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Prints a table of the planned runs, once or as long as a sweep is running.
pub(crate) fn run(out: &Path, watch: Option<u64>) -> Result<Ended> {
    loop {
        let busy = sngan_sweep::is_busy(out);
        let text = table(out, busy)?;
        let Some(seconds) = watch.filter(|_| busy) else {
            crate::say::write(format_args!("{text}"));
            return Ok(Ended::Well);
        };
        // Clears the screen and starts at its top.
        crate::say::write(format_args!("\x1b[2J\x1b[H{text}"));
        std::thread::sleep(Duration::from_secs(seconds.max(1)));
    }
}

fn table(out: &Path, busy: bool) -> Result<String> {
    let (plan, runs) = sngan_sweep::status(out)?;
    let dead = sngan_plot::dead_critics(out)?;
    let work = if busy { "a sweep is at work" } else { "no sweep is at work" };
    let mut text = format!("{} at scale {}: {} runs; {work}\n", plan.name, plan.scale, runs.len());
    let _ = writeln!(
        text,
        "{:<40} {:<12} {:>17} {:>10} {:>14}  newest scores",
        "run", "status", "updates", "rate", "left"
    );
    for run in &runs {
        let updates =
            if run.total > 0 { format!("{}/{}", run.done, run.total) } else { "–".into() };
        let rate = run.rate.map_or_else(|| "–".into(), |r| format!("{r:.1}/s"));
        let left = run.seconds_left().map_or_else(|| "–".into(), time);
        let reason = run.status.as_ref().and_then(|s| s.reason.clone());
        let reason = run.damage.clone().or(reason).unwrap_or_default();
        let scores = describe(&run.scores);
        let gap = if scores.is_empty() || reason.is_empty() { "" } else { "  " };
        let _ = writeln!(
            text,
            "{:<40} {:<12} {updates:>17} {rate:>10} {left:>14}  {scores}{gap}{reason}",
            run.name,
            word(run, dead.contains(&run.name))
        );
    }
    Ok(text)
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
