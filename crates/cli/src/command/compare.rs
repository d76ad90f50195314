//! `sngan compare`.

use super::records::warn_of_damaged;
use super::status::to_score;
use super::{Change, Job};
use crate::Ended;
use crate::args::Compare;
use crate::say::say;
use crate::table::{Align, Table, width, wrap};
use anyhow::{Result, bail};
use sngan_plot::{Comparison, Rendered};

/// Prints what differs between runs, and draws their curves on one axis.
pub(crate) fn job(arguments: Compare) -> Job {
    let change = Change::into(&arguments.out, "compare.png and compare.svg, the runs' curves");
    Job::that_changes([change], move || run(&arguments))
}

fn run(arguments: &Compare) -> Result<Ended> {
    let comparison = Comparison::read(&arguments.runs)?;
    warn_of_damaged(&comparison.damaged);
    if comparison.runs.len() < 2 {
        bail!("one run alone cannot be compared; name another one, or a sweep");
    }
    let differences = comparison.differences();
    if differences.is_empty() {
        say!("The specs of these {} runs are the same.", comparison.runs.len());
    }
    crate::say::write(format_args!("{}", text(&comparison, width())));
    match comparison.draw(&arguments.out)? {
        Rendered::Written(files) => files.iter().for_each(|file| say!("{}", file.display())),
        Rendered::Skipped(reason) => say!("no curves: {reason}"),
    }
    if comparison.scores().is_empty() {
        let next = match &comparison.runs[..] {
            [first, second] => to_score(&[&first.place, &second.place]),
            _ => "sngan score RUN…".into(),
        };
        say!("{}", wrap(&format!("Next: `{next}` takes scores to compare")));
    }
    Ok(Ended::Well)
}

/// What differs, line by line, with a column for each run where these fit beside each other; else a
/// row for each run.
fn text(comparison: &Comparison, width: usize) -> String {
    let mut lines = comparison.differences();
    lines.extend(comparison.states());
    lines.extend(comparison.scores());
    let names = comparison.names();
    let numbers: Vec<String> = (1..=names.len()).map(|n| n.to_string()).collect();
    let beside = table("", &numbers, lines.iter().cloned());
    if beside.fits(width) {
        let legend = names.iter().zip(&numbers).map(|(name, n)| format!("{n}: {name}\n"));
        return legend.collect::<String>() + &beside.text(width);
    }
    let heads: Vec<String> = lines.iter().map(|(head, _)| head.clone()).collect();
    let of_run = |(i, name): (usize, String)| {
        (name, lines.iter().map(|(_, values)| values[i].clone()).collect())
    };
    table("run", &heads, names.into_iter().enumerate().map(of_run)).text(width)
}

fn table(
    first: &str,
    heads: &[String],
    rows: impl Iterator<Item = (String, Vec<String>)>,
) -> Table {
    let others = heads.iter().map(|head| (head.as_str(), Align::Right));
    let heads: Vec<(&str, Align)> = [(first, Align::Left)].into_iter().chain(others).collect();
    let mut table = Table::new(&heads);
    rows.for_each(|(name, cells)| table.row([name].into_iter().chain(cells).collect()));
    table
}
