//! What was run, on what, and how to run it again.

use super::html::{escape, paragraph, table};
use crate::table::{Cell, Grid};
use crate::{Result, ScoredSweep};
use serde_json::Value;
use sngan_experiment::{Changes, RunSpec, built_in};
use std::collections::{BTreeMap, BTreeSet};

/// The specs' values, with those that all runs share first; the machines; the command.
pub(super) fn body(c: &ScoredSweep) -> Result<String> {
    let (shared, differing) = specs(c);
    let mut text = again(c);
    text += &differing_from_today(c).map_or_else(String::new, |line| paragraph(&line));
    text += &table(&machines(c));
    text += &format!(
        "<details open><summary>Keys in which the runs differ</summary>{}</details>\n",
        table(&differing)
    );
    text += &format!(
        "<details><summary>Keys that all runs share</summary>{}</details>\n",
        table(&shared)
    );
    Ok(text)
}

/// What makes these runs again. Of an experiment of one's own nothing says whether a file, images or changes of
/// keys made it: only the specs are there.
fn again(c: &ScoredSweep) -> String {
    let command = |line: String| format!("<pre>{}</pre>\n", escape(&line));
    let imported = c.runs.iter().filter(|r| r.spec.imported.is_some()).count();
    if imported > 0 && imported == c.runs.len() {
        return paragraph(
            "Another program trained these networks, and `sngan import` read them from its files: no command here trains them again.",
        );
    }
    if !c.is_built_in() {
        let said = match c.scale() {
            Some(_) => {
                "These are not the runs of a built-in experiment. Neither the command that made all of them is \
                 recorded, nor the experiment's file, if it has one; a run's own spec makes that run again:"
            }
            None => "A run's own spec makes it again:",
        };
        let others = match imported {
            0 => String::new(),
            n => format!(
                "Another program trained the networks of {n} of these {} runs: no command here trains them again. Of the others: ",
                c.runs.len()
            ),
        };
        return paragraph(&(others + said))
            + &command("sngan train RUN/spec.toml --out FOLDER".into());
    }
    let seeds: BTreeSet<u64> = c.runs.iter().map(|r| r.spec.seed).collect();
    let seeds = seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let (name, scale) = (&c.plan.name, &c.plan.scale);
    paragraph("To run it again:")
        + &command(format!("sngan sweep {name} --scale {scale} --seeds {seeds}"))
}

/// How many of the runs the command no longer makes, if it is for a built-in experiment.
fn differing_from_today(c: &ScoredSweep) -> Option<String> {
    let file = built_in(&c.plan.name).filter(|_| c.is_built_in())?.ok()?;
    let seeds: BTreeSet<u64> = c.runs.iter().map(|r| r.spec.seed).collect();
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let today = file.plan_with(&c.plan.scale, &Changes::seeds(&seeds)).ok()?;
    let today: BTreeSet<String> = today.specs.iter().map(RunSpec::id).collect();
    let others = c.runs.iter().filter(|r| !today.contains(&r.records.spec.id())).count();
    (others > 0).then(|| {
        format!(
            "It makes other runs today than {others} of these {}: the experiment's values have changed since, or these were set by hand. Their \
             own stand in their specs, and `sngan train` repeats one with `--set`.",
            c.runs.len()
        )
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn specs(c: &ScoredSweep) -> (Grid, Grid) {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for run in &c.runs {
        if let Ok(Value::Object(map)) = serde_json::to_value(&run.spec) {
            for (key, value) in map {
                values.entry(key).or_default().insert(text_of(&value));
            }
        }
    }
    let (mut shared, mut differing) =
        (Grid::new("", &["key", "value"]), Grid::new("", &["key", "values"]));
    for (key, values) in values {
        let grid = if values.len() == 1 { &mut shared } else { &mut differing };
        grid.rows.push(vec![
            Cell::text(key),
            Cell::parsed(values.into_iter().collect::<Vec<_>>().join(", ")),
        ]);
    }
    (shared, differing)
}

/// What produced the runs, each distinct maker once; a run with several makers counts for each.
fn machines(c: &ScoredSweep) -> Grid {
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for p in c.runs.iter().filter_map(|r| r.records.provenance.as_ref()) {
        for s in p.segments.clone() {
            let source = match (s.commit, s.dirty) {
                (Some(commit), Some(true)) => format!("{commit}, changed"),
                (Some(commit), _) => commit,
                (None, _) => "unknown".into(),
            };
            let row = vec![
                s.sngan,
                source,
                s.device,
                s.threads.to_string(),
                s.cpu,
                s.instruction_set,
                p.dataset.clone(),
                p.dataset_sha256.clone(),
            ];
            *counts.entry(row).or_default() += 1;
        }
    }
    let header = [
        "runs",
        "sngan",
        "commit",
        "device",
        "threads",
        "CPU",
        "instruction set",
        "training images",
        "their SHA-256",
    ];
    let mut grid = Grid::new("", &header);
    for (row, count) in counts {
        let cells = row.into_iter().map(Cell::parsed);
        grid.rows.push(std::iter::once(Cell::number(count as f64, 0)).chain(cells).collect());
    }
    grid
}
