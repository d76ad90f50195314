//! The answers in words: what was run, a table, and how often its intervals cover.

use super::definitions::ClaimsFile;
use super::evidence::TIMINGS;
use super::finding::Comparison;
use super::{Answer, Answers};
use crate::ScoredSweep;
use crate::statistics::{COVERED, PValues, Procedure};
use sngan_experiment::benchmark::UpdateTimings;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The conditions of the records behind the answers: one line if they are the same for all
/// experiments, else a line for each different condition, with its experiments.
pub(super) fn conditions(
    file: &ClaimsFile,
    sweeps: &[ScoredSweep],
    timings: Option<&UpdateTimings>,
) -> Vec<String> {
    let parts = || file.claims.iter().flat_map(|c| &c.parts);
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for c in sweeps.iter().filter(|c| parts().any(|p| file.asks(c, &p.experiment))) {
        groups.entry(c.conditions()).or_default().push(&c.plan.name);
    }
    let alone = groups.len() == 1;
    let line = |(conditions, names): (String, Vec<&str>)| {
        if alone {
            format!("At {conditions}.")
        } else {
            format!("{}: {conditions}.", names.join(", "))
        }
    };
    let mut lines: Vec<String> = groups.into_iter().map(line).collect();
    if let Some(t) = timings.filter(|_| parts().any(|p| p.experiment == TIMINGS)) {
        let threads = if t.threads == 1 { "thread" } else { "threads" };
        lines.push(format!(
            "Timings: {}, {} {threads}, width/{}, batch {}.",
            t.cpu, t.threads, t.width_divisor, t.batch
        ));
    }
    lines
}

/// A number with three digits after the point, or with three significant digits if it is small.
fn number(x: f64) -> String {
    match x.abs() {
        0.0 | 0.1.. => format!("{x:.3}"),
        0.01.. => format!("{x:.4}"),
        _ => format!("{x:.2e}"),
    }
}

/// A threshold, with as many digits as it has, but four at most.
pub(super) fn bound(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// `0.012 for yes`: the smaller of the two.
fn p_text(p: PValues) -> String {
    let (p, what) = if p.yes <= p.no { (p.yes, "yes") } else { (p.no, "no") };
    let shown = if p < 0.0005 { "< 0.001".into() } else { format!("{p:.3}") };
    format!("{shown} for {what}")
}

fn interval_text(c: &Comparison) -> String {
    let (_, interval) = c.shown();
    interval.map_or_else(String::new, |i| format!("{} to {}", number(i.low), number(i.high)))
}

fn value_text(c: &Comparison) -> String {
    match c.shown().0 {
        Some(value) => format!("{}: {}", c.name, number(value)),
        None => c.name.clone(),
    }
}

/// Statistic, what it must be, its interval, n.
pub(crate) fn columns(c: &Comparison) -> [String; 4] {
    [value_text(c), c.needs_text(), interval_text(c), c.n.to_string()]
}

/// What the answers mean and how often their intervals cover, said once for all of them.
pub(crate) fn notes(answers: &Answers) -> Vec<String> {
    let adjusted = answers.answers.iter().any(|a| a.adjusted);
    let holm = if adjusted {
        "p-values of claims at the primary scale are adjusted for the number of claims (Holm); no \
         others are, nor are intervals."
    } else {
        "No p-value is adjusted for the number of claims: that is done at the primary scale alone."
    };
    let mut notes = vec![
        "A part is answered where its 95 % interval leaves out what it needs, and is open where it \
         does not: other seeds might answer either way. Of several comparisons all must hold, and \
         the one that decides comes first. y is lower where a score is better."
            .to_string(),
        holm.to_string(),
    ];
    let findings = answers.answers.iter().flat_map(|a| &a.parts).filter_map(|p| p.finding.as_ref());
    let used: Vec<Procedure> = findings.flat_map(|f| f.procedures.iter().copied()).collect();
    let lines = COVERED.iter().filter(|c| used.contains(&c.procedure)).map(ToString::to_string);
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        notes.push("What nominal 95 % intervals cover, simulated:".into());
        notes.extend(lines.into_iter().map(|line| format!("- {line}")));
    }
    notes
}

/// One row of the table.
fn row(text: &mut String, cells: [&str; 8]) {
    let cells = cells.map(crate::table::marked);
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The conditions, the table and the notes.
pub(super) fn markdown(answers: &Answers) -> String {
    let mut text = String::new();
    for line in &answers.conditions {
        let _ = writeln!(text, "{line}\n");
    }
    text += "| | claim | answer | statistic | needs | 95 % interval | p | n |\n";
    text += "|---|---|---|---|---|---|---|---|\n";
    for answer in &answers.answers {
        claim_rows(&mut text, answer);
    }
    text.push('\n');
    for note in notes(answers) {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn claim_rows(text: &mut String, answer: &Answer) {
    let p = answer.p.map_or_else(String::new, p_text);
    let verdict = format!("**{}**", answer.verdict_text());
    row(text, [&answer.number.to_string(), &answer.text, &verdict, "", "", "", &p, ""]);
    for part in &answer.parts {
        let (says, verdict) = (format!("– {}", part.says), part.verdict.to_string());
        let Some(finding) = &part.finding else {
            row(text, ["", &says, &verdict, "", "", "", "", ""]);
            continue;
        };
        for (i, c) in finding.comparisons.iter().enumerate() {
            let (says, verdict) = if i == 0 { (says.as_str(), verdict.as_str()) } else { ("", "") };
            let p = c.p.map_or_else(String::new, p_text);
            let n = c.n.to_string();
            let needs = c.needs_text();
            row(text, ["", says, verdict, &value_text(c), &needs, &interval_text(c), &p, &n]);
        }
        if finding.comparisons.is_empty() {
            row(text, ["", &says, &verdict, "", "", "", "", ""]);
        }
        for line in &finding.beside {
            row(text, ["", "", "", &format!("*{line}*"), "", "", "", ""]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_bounds_exact() {
        assert_eq!(
            [0.0, -0.25, 0.0123, 0.0012].map(number),
            ["0.000", "-0.250", "0.0123", "1.20e-3"]
        );
        assert_eq!([0.0, 1.1_f64.ln().exp(), 0.5, 1000.0].map(bound), ["0", "1.1", "0.5", "1000"]);
        assert_eq!(p_text(PValues { yes: 0.0001, no: 0.9999 }), "< 0.001 for yes");
        assert_eq!(p_text(PValues { yes: 0.7, no: 0.3 }), "0.300 for no");
    }
}
