//! Tables that fit the terminal, with no word broken.

use std::fmt::Write as _;
use std::io::IsTerminal;
use textwrap::Options;
use textwrap::core::display_width;

/// Columns where standard output is no terminal.
const USUAL: usize = 80;
/// Narrower terminals wrap by themselves.
const NARROWEST: usize = 20;
/// Between two columns.
const GAP: usize = 2;
/// What stands below a row's first cell begins here.
const INDENT: &str = "    ";

/// Columns of the terminal that standard output is, else 80.
pub(crate) fn width() -> usize {
    let terminal = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(USUAL, |(width, _)| usize::from(width.0).max(NARROWEST))
}

/// A line as lines that fit, the later ones indented.
pub(crate) fn wrap(line: &str) -> String {
    wrapped(line, "", INDENT, width())
}

fn wrapped(line: &str, first: &str, indent: &str, width: usize) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(indent)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(line, options).join("\n")
}

/// Markdown as lines that fit: tables as [`Table`], their first two columns in one.
pub(crate) fn of_markdown(markdown: &str, width: usize) -> String {
    let (mut text, mut table): (String, Option<Table>) = (String::new(), None);
    for line in markdown.lines().map(|line| line.replace('*', "")).chain([String::new()]) {
        let Some(cells) = line.strip_prefix('|') else {
            text += &table.take().map_or_else(String::new, |table| table.text(width));
            let indent = if line.starts_with("- ") { "  " } else { "" };
            let _ = writeln!(text, "{}", wrapped(&line, "", indent, width));
            continue;
        };
        let cells: Vec<&str> = cells.trim_end_matches('|').split('|').map(str::trim).collect();
        let lead =
            cells.iter().take(2).filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
        let cells: Vec<String> = [lead.join(" ")]
            .into_iter()
            .chain(cells.iter().skip(2).map(|cell| (*cell).to_string()))
            .collect();
        match &mut table {
            None => {
                let heads: Vec<(&str, Align)> =
                    cells.iter().map(|head| (head.as_str(), Align::Left)).collect();
                table = Some(Table::new(&heads));
            }
            Some(_) if cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c))) => {}
            Some(table) => {
                let mut cells = cells;
                cells.resize(table.heads.len(), String::new());
                table.row(cells);
            }
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Where a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table: rows of cells, each with a note that may stand below.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<(Vec<String>, String)>,
}

impl Table {
    pub(crate) fn new(heads: &[(&str, Align)]) -> Table {
        let heads = heads.iter().map(|(head, align)| ((*head).to_string(), *align)).collect();
        Table { heads, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push((cells, String::new()));
    }

    /// Adds a row with a note below.
    pub(crate) fn row_with(&mut self, cells: Vec<String>, note: String) {
        self.rows.push((cells, note));
    }

    /// The table in `width` columns: with a line for each row where these fit, if need be after what
    /// all rows share has been said once; else with each row's first cell on a line of its own and the
    /// others named below it.
    pub(crate) fn text(&self, width: usize) -> String {
        if self.natural() > width
            && let Some((shared, rest)) = self.shared()
            && rest.natural() <= width
        {
            let said = if shared.is_empty() {
                String::new()
            } else {
                wrapped(&format!("all with {shared}"), "", INDENT, width) + "\n"
            };
            return said + &rest.plain(width);
        }
        self.plain(width)
    }

    /// Whether a line for each row fits.
    pub(crate) fn fits(&self, width: usize) -> bool {
        self.natural() <= width
    }

    /// What all rows share, in words, and the table without it; `None` if that is nothing.
    fn shared(&self) -> Option<(String, Table)> {
        let first = &self.rows.first()?.0;
        let same = |i: usize| i > 0 && self.rows.iter().all(|(cells, _)| cells[i] == first[i]);
        let (shared, own): (Vec<usize>, Vec<usize>) = (0..self.heads.len()).partition(|i| same(*i));
        let said = shared.iter().filter(|i| !["", "–"].contains(&first[**i].as_str()));
        let said: Vec<String> =
            said.map(|i| format!("{} {}", self.heads[*i].0, first[*i])).collect();
        let pick = |cells: &[String]| own.iter().map(|i| cells[*i].clone()).collect();
        let table = Table {
            heads: own.iter().map(|i| self.heads[*i].clone()).collect(),
            rows: self.rows.iter().map(|(cells, note)| (pick(cells), note.clone())).collect(),
        };
        (!shared.is_empty() && self.rows.len() > 1).then(|| (said.join(" · "), table))
    }

    fn natural(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    fn plain(&self, width: usize) -> String {
        let (widths, natural) = (self.widths(), self.natural());
        let mut text = String::new();
        if natural <= width {
            let heads: Vec<&str> = self.heads.iter().map(|(head, _)| head.as_str()).collect();
            self.line(&mut text, &heads, &widths);
        }
        for (cells, note) in &self.rows {
            if natural <= width {
                let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
                self.line(&mut text, &cells, &widths);
            } else {
                self.stacked(&mut text, cells, width);
            }
            if !note.is_empty() {
                let _ = writeln!(text, "{}", wrapped(note, INDENT, INDENT, width));
            }
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let of = |i: usize| {
            let cells = self.rows.iter().filter_map(|(cells, _)| cells.get(i));
            cells.chain([&self.heads[i].0]).map(|cell| display_width(cell)).max().unwrap_or(0)
        };
        (0..self.heads.len()).map(of).collect()
    }

    fn line(&self, text: &mut String, cells: &[&str], widths: &[usize]) {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.heads) {
            let room = " ".repeat(width - display_width(cell));
            line += &match align {
                Align::Left => format!("{cell}{room}"),
                Align::Right => format!("{room}{cell}"),
            };
            line += &" ".repeat(GAP);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }

    fn stacked(&self, text: &mut String, cells: &[String], width: usize) {
        let mut cells = cells.iter().zip(&self.heads);
        if let Some((first, _)) = cells.next().filter(|(first, _)| !first.is_empty()) {
            let _ = writeln!(text, "{}", wrapped(first, "", INDENT, width));
        }
        let mut line = String::new();
        for (cell, (head, _)) in cells.filter(|(cell, _)| !cell.is_empty()) {
            let item = format!("{head} {cell}");
            let begun = if line.is_empty() { String::new() } else { format!("{line} · ") };
            if !line.is_empty()
                && display_width(&begun) + display_width(&item) + INDENT.len() > width
            {
                let _ = writeln!(text, "{}", wrapped(&line, INDENT, INDENT, width));
                line = item;
            } else {
                line = begun + &item;
            }
        }
        if !line.is_empty() {
            let _ = writeln!(text, "{}", wrapped(&line, INDENT, INDENT, width));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::new(&[("run", Align::Left), ("updates", Align::Right), ("left", Align::Right)]);
        table.row_with(
            vec!["sn-c-s0".into(), "6/6".into(), "3 min 2 s".into()],
            "fid 3.2  is 1.1".into(),
        );
        table.row(vec!["wgan-gp-uncorrected".into(), "1/6".into(), String::new()]);
        table
    }

    #[test]
    fn a_table_has_a_line_a_row_where_they_fit() {
        let expected = "\
run                  updates       left
sn-c-s0                  6/6  3 min 2 s
    fid 3.2  is 1.1
wgan-gp-uncorrected      1/6
";
        assert_eq!(table().text(80), expected);
    }

    #[test]
    fn a_narrow_table_stands_below_its_first_column_and_breaks_no_word() {
        let expected = "\
sn-c-s0
    updates 6/6
    left 3 min 2 s
    fid 3.2  is 1.1
wgan-gp-uncorrected
    updates 1/6
";
        assert_eq!(table().text(24), expected);
        assert!(table().text(5).contains("wgan-gp-uncorrected"));
    }

    #[test]
    fn what_all_rows_share_is_said_once_where_that_makes_room() {
        let mut table =
            Table::new(&[("run", Align::Left), ("dataset", Align::Right), ("lr", Align::Right)]);
        for lr in ["1", "2"] {
            table.row(vec![format!("run-{lr}"), "fashion-mnist@16".into(), lr.into()]);
        }
        let expected = "\
all with dataset fashion-mnist@16
run    lr
run-1   1
run-2   2
";
        // One column less than the whole takes.
        assert_eq!(table.text(26), expected.replace("dataset fashion", "dataset\n    fashion"));
    }

    #[test]
    fn a_markdown_table_becomes_one_that_fits() {
        let markdown = "Before.\n\n| | claim | answer | p |\n|---|---|---|---|\n| 1 | SN keeps a good score | **no** | 0.1 |\n|  |  |  | 0.2 |\n\n- a list of words that is wrapped\n";
        let expected = "\
Before.

1 SN keeps a good
    score
    answer no · p 0.1
    p 0.2

- a list of words
  that is wrapped
";
        assert_eq!(of_markdown(markdown, 21), expected);
    }
}
