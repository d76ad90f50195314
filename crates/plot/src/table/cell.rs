//! Cells of tables of scores, and tables as Markdown and CSV.

use crate::scored::Run;
use crate::statistics::summary;
use crate::{Rendered, Result};
use sngan_experiment::atomic;
use sngan_experiment::records::{Metric, Status};
use std::path::Path;

/// A cell: its text, and the number it is sorted by.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) value: Option<f64>,
    /// Whether it is the best of its column: bold.
    pub(crate) best: bool,
}

/// A table with a header.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Grid {
    pub(crate) caption: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// Which of a run's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// At the horizon.
    Last,
    /// The best up to the horizon.
    Best,
}

impl Cell {
    /// A cell of words.
    pub(crate) fn text(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A cell of words or of one number, by which it is then sorted.
    pub(crate) fn parsed(text: String) -> Cell {
        Cell { value: text.parse().ok().filter(|v: &f64| v.is_finite()), text, best: false }
    }

    /// A dash.
    pub(crate) fn none() -> Cell {
        Cell::text("–")
    }

    /// A number.
    pub(crate) fn number(value: f64, digits: usize) -> Cell {
        Cell { text: format!("{value:.digits$}"), value: Some(value), best: false }
    }

    /// The scores of a row's seeds: mean ± standard error (n), or why there are none.
    pub(crate) fn scores(runs: &[&Run], metric: Metric, which: Which) -> Cell {
        let value = |r: &&&Run| match which {
            Which::Last => r.last(metric),
            Which::Best => r.best(metric),
        };
        let values: Vec<f64> = runs.iter().filter_map(|r| value(&r)).collect();
        let Some(s) = summary(&values) else { return Cell::status(runs) };
        let dead = runs.iter().filter(|r| r.has_dead_critic()).count();
        let silent = runs.iter().filter(|r| r.may_have_dead_critic()).count();
        let without = runs.len() - values.len();
        let lost = if without > 0 {
            format!(", {without} of {} without score", runs.len())
        } else {
            String::new()
        };
        Cell {
            text: beside_n(&beside_n(&s.text(2), dead, "dead"), silent, "silent") + &lost,
            value: Some(s.mean),
            best: false,
        }
    }

    /// The status of a row's runs.
    pub(crate) fn status(runs: &[&Run]) -> Cell {
        let words = |r: &&Run| if r.has_dead_critic() { "dead critic".into() } else { status(r) };
        let mut all: Vec<String> = runs.iter().map(words).collect();
        all.dedup();
        Cell::text(if all.is_empty() { "not begun".into() } else { all.join(", ") })
    }
}

/// Counts the runs with a dead or a silent critic beside n: `20.00 ± 1.00 (n = 3, 1 dead)`.
fn beside_n(text: &str, count: usize, what: &str) -> String {
    match text.strip_suffix(')') {
        Some(open) if count > 0 => format!("{open}, {count} {what})"),
        _ => text.to_string(),
    }
}

/// One run's status in words.
pub(crate) fn status(run: &Run) -> String {
    match &run.records.status {
        None if run.records.log.is_empty() => "not begun".into(),
        None => "begun without a checkpoint".into(),
        Some(s) => match s.status {
            Status::Diverged => format!("diverged at {}", s.gen_updates),
            Status::Failed => "failed".into(),
            Status::Running | Status::Interrupted => format!("at {}", s.gen_updates),
            Status::Completed => "completed".into(),
        },
    }
}

impl Grid {
    /// An empty table.
    pub(crate) fn new(caption: impl Into<String>, header: &[&str]) -> Grid {
        Grid {
            caption: caption.into(),
            header: header.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Marks the best numbers of a column, where two rows or more have one.
    pub(crate) fn mark_best(&mut self, column: usize, higher_is_better: bool) {
        let sign = if higher_is_better { -1.0 } else { 1.0 };
        let values = self.rows.iter().filter_map(|row| Some(sign * row.get(column)?.value?));
        let values: Vec<f64> = values.collect();
        let best = values.iter().copied().fold(f64::INFINITY, f64::min);
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            cell.best = values.len() > 1 && cell.value.is_some_and(|v| sign * v == best);
        }
    }

    /// As Markdown, with its caption above.
    pub(crate) fn markdown(&self) -> String {
        let bold =
            |c: &Cell| if c.best { format!("**{}**", marked(&c.text)) } else { marked(&c.text) };
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = if self.caption.is_empty() {
            String::new()
        } else {
            format!("**{}**\n\n", marked(&self.caption))
        };
        text += &line(self.header.iter().map(|h| marked(h)).collect());
        text += &format!("|{}\n", "---|".repeat(self.header.len()));
        for row in &self.rows {
            text += &line(row.iter().map(bold).collect());
        }
        text
    }

    /// As CSV, every number at full precision.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: Vec<String>| text += &format!("{}\n", cells.join(","));
        line(self.header.iter().map(|h| quoted(h)).collect());
        for row in &self.rows {
            line(
                row.iter()
                    .map(|c| c.value.map_or_else(|| quoted(&c.text), |v| v.to_string()))
                    .collect(),
            );
        }
        text
    }
}

/// A text in CSV: quoted if it holds a comma, quote or line break, and behind an apostrophe if a
/// spreadsheet would take it for a formula.
pub(crate) fn quoted(name: &str) -> String {
    let formula = name.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let name = if formula { format!("'{name}") } else { name.to_string() };
    if name.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name
    }
}

/// A text in Markdown, where it is a cell or a caption: no line break, no end of a cell, and no `<`
/// that would begin HTML.
pub(crate) fn marked(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = |next: &char| next.is_alphabetic() || ['/', '!', '?'].contains(next);
        match c {
            '|' => marked += "\\|",
            '\n' | '\r' => marked.push(' '),
            '<' if rest.peek().is_some_and(begins) => marked += "&lt;",
            c => marked.push(c),
        }
    }
    marked
}

/// Lines as a Markdown list.
pub(crate) fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

/// Writes `stem.md` and `stem.csv`.
pub(crate) fn write(folder: &Path, stem: &str, markdown: &str, csv: &str) -> Result<Rendered> {
    let paths = [("md", markdown), ("csv", csv)]
        .map(|(extension, text)| (folder.join(format!("{stem}.{extension}")), text));
    for (path, text) in &paths {
        atomic::write(path, text.as_bytes())?;
    }
    Ok(Rendered::Written(paths.map(|(path, _)| path).to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_from_a_file_stays_a_text() {
        assert_eq!(quoted("=HYPERLINK(1,2)"), "\"'=HYPERLINK(1,2)\"");
        assert_eq!((quoted("-1"), quoted("SN")), ("'-1".into(), "SN".into()));
        assert_eq!(marked("<b>|\nx < 1"), "&lt;b>\\| x < 1");
    }

    #[test]
    fn cells_keep_their_bars_and_commas() {
        let mut grid = Grid::new("c", &["a", "b,c"]);
        grid.rows.push(vec![Cell::text("x|y"), Cell::number(1.0 / 3.0, 2)]);
        assert_eq!(grid.markdown(), "**c**\n\n| a | b,c |\n|---|---|\n| x\\|y | 0.33 |\n");
        assert_eq!(grid.csv(), "a,\"b,c\"\nx|y,0.3333333333333333\n");
    }

    #[test]
    fn the_best_of_a_column_is_bold_if_it_has_company() {
        let mut grid = Grid::new("", &["a", "b"]);
        grid.rows.push(vec![Cell::number(1.0, 0), Cell::number(1.0, 0)]);
        grid.rows.push(vec![Cell::number(2.0, 0), Cell::none()]);
        for (column, higher) in [(0, true), (1, false)] {
            grid.mark_best(column, higher);
        }
        assert_eq!(grid.markdown(), "| a | b |\n|---|---|\n| 1 | 1 |\n| **2** | – |\n");
    }
}
