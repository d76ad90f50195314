//! The paper's claims and their answers on the page.

use super::html::{escape, paragraph};
use crate::claims::{Answer, Answers, PartAnswer, comparison_text, notes, part_text};
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
    for answer in &answers.answers {
        claim(&mut text, answer);
    }
    text += &notes(answers).iter().map(|line| paragraph(line)).collect::<String>();
    text
}

fn claim(text: &mut String, answer: &Answer) {
    let class = answer.verdict.word();
    let _ = write!(
        text,
        "<div class=\"claim {class}\"><p>{}. {}</p><p class=\"verdict {class}\">{}</p><ul>",
        answer.number,
        escape(&answer.text),
        answer.verdict_text()
    );
    for part in &answer.parts {
        part_lines(text, part);
    }
    *text += "</ul></div>\n";
}

fn part_lines(text: &mut String, part: &PartAnswer) {
    let _ = write!(
        text,
        "<li>{} — <span class=\"verdict {}\">{}</span>",
        escape(&part.says),
        part.verdict.word(),
        escape(&part_text(part))
    );
    let Some(finding) = &part.finding else {
        *text += "</li>";
        return;
    };
    let further = finding.comparisons.iter().skip(1).map(comparison_text);
    let lines: Vec<String> = further.chain(finding.beside.iter().cloned()).collect();
    if !lines.is_empty() {
        let items: String = lines.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
        let _ = write!(text, "<details><summary>Beside it</summary><ul>{items}</ul></details>");
    }
    *text += "</li>";
}
