//! The paper's claims and their answers on the page: one table, a claim's parts below it.

use super::html::{escape, paragraph};
use crate::claims::{Answer, Answers, Comparison, PartAnswer, columns, notes};
use std::fmt::Write;

/// What was run, every claim with its parts, and how often the intervals cover.
pub(super) fn body(answers: &Answers) -> String {
    if answers.answers.is_empty() {
        return paragraph("No claim of the paper is about this experiment.");
    }
    let mut text: String = answers.conditions.iter().map(|line| paragraph(line)).collect();
    text += &paragraph(
        "A claim holds where all its parts do; how each is decided stands in \
         experiments/claims.toml.",
    );
    text += "<div class=\"scroll\"><table class=\"claims\"><thead><tr>";
    for name in ["", "claim", "answer", "statistic", "needs", "95 % interval", "n"] {
        let _ = write!(text, "<th scope=\"col\">{name}</th>");
    }
    text += "</tr></thead><tbody>\n";
    for answer in &answers.answers {
        claim(&mut text, answer);
    }
    text += "</tbody></table></div>\n";
    text += &notes(answers).iter().map(|line| paragraph(line)).collect::<String>();
    text
}

fn claim(text: &mut String, answer: &Answer) {
    let class = answer.verdict.word();
    let _ = writeln!(
        text,
        "<tr class=\"claim\"><td>{}</td><td>{}</td><td class=\"verdict {class}\">{}</td><td></td><td></td><td></td><td></td></tr>",
        answer.number,
        escape(&answer.text),
        answer.verdict_text()
    );
    answer.parts.iter().for_each(|part| part_row(text, part));
}

fn part_row(text: &mut String, part: &PartAnswer) {
    let comparisons = part.finding.as_ref().map_or(&[][..], |f| f.comparisons.as_slice());
    let first = comparisons.first().map(columns).unwrap_or_default();
    let [statistic, needs, interval, n] = first.map(|cell| escape(&cell));
    let class = part.verdict.word();
    let _ = writeln!(
        text,
        "<tr><td></td><td>{}</td><td class=\"verdict {class}\">{}</td><td>{statistic}{}</td><td>{needs}</td>\
         <td class=\"number\">{interval}</td><td class=\"number\">{n}</td></tr>",
        escape(&part.says),
        escape(&part.verdict.to_string()),
        beside(part, comparisons)
    );
}

/// The other comparisons and what is said beside them, folded away.
fn beside(part: &PartAnswer, comparisons: &[Comparison]) -> String {
    let further = comparisons.iter().skip(1).map(|c| {
        let [statistic, needs, interval, n] = columns(c);
        let interval = if interval.is_empty() { interval } else { format!(", {interval}") };
        format!("{statistic} (needs {needs}){interval}, n = {n}")
    });
    let said = part.finding.iter().flat_map(|f| f.beside.iter().cloned());
    let items: String =
        further.chain(said).map(|line| format!("<li>{}</li>", escape(&line))).collect();
    if items.is_empty() {
        return String::new();
    }
    format!("<details><summary>more</summary><ul>{items}</ul></details>")
}
