//! The paper's claims and what the records say about them: yes, no, or not tested, each with its statistic and interval.
//! experiments/claims.toml defines every claim.

mod evidence;
mod needs;
mod test;

use crate::statistics::{COVERAGE, Coverage, Interval};
use crate::{Collected, Error, Result};
use evidence::{Evidence, Stop};
pub use needs::Needs;
use serde::Deserialize;
use sngan_experiment::benchmark::UpdateTimings;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use test::Test;

/// Fewer runs that differ in their seed alone answer nothing.
pub const LEAST_SEEDS: usize = 3;

/// The embedded experiments/claims.toml.
const CLAIMS: &str = include_str!("../../../../experiments/claims.toml");

/// A claim of the paper.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its number in the list.
    pub number: u32,
    /// What the paper says.
    pub text: String,
    /// Generator updates of the paper's runs: fewer answer for their scale alone.
    pub min_updates: u64,
    /// What must all hold.
    pub parts: Vec<Part>,
}

/// A part of a claim.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The part in words.
    pub says: String,
    /// The experiment whose runs decide it; `figure10` for timings.
    pub experiment: String,
    /// How.
    test: Test,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claims: Vec<Claim>,
}

/// What the records say.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// The records are not enough, and why.
    NotTested(String),
}

/// A number with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistic {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its 95 % interval over seeds; [`COVERAGE`] says how much of that it covers.
    pub interval: Option<Interval>,
    /// What decides.
    pub needs: Needs,
}

/// The answer to a part.
#[derive(Debug, Clone, PartialEq)]
pub struct PartAnswer {
    /// The part in words.
    pub says: String,
    /// The answer.
    pub verdict: Verdict,
    /// Whether the interval reaches to both sides of what is needed, so that other seeds might answer otherwise.
    pub open: bool,
    /// What decided it.
    pub statistic: Option<Statistic>,
    /// Seeds of the row that has fewest, or rounds of timings; 0 where it was not tested.
    pub repeats: usize,
    /// Whether it was decided from timings.
    pub timed: bool,
    /// The scale, data and backbone that the answer holds for; `None`: the paper's.
    pub conditions: Option<String>,
}

/// The answer to a claim: no, if a part's is no; else not tested, if a part is not; else yes.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The claim's number.
    pub number: u32,
    /// What the paper says.
    pub text: String,
    /// The answer.
    pub verdict: Verdict,
    /// Its parts'.
    pub parts: Vec<PartAnswer>,
}

/// The paper's claims.
///
/// # Errors
/// Never in a released build: the file is embedded.
pub fn claims() -> Result<Vec<Claim>> {
    parse(Path::new("experiments/claims.toml"), CLAIMS)
}

/// Reads a file of claims; `path` is for messages.
///
/// # Errors
/// [`Error::Claims`] naming line and key.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Claim>> {
    let file: File = toml::from_str(text)
        .map_err(|e| Error::Claims { path: path.into(), reason: e.to_string() })?;
    Ok(file.claims)
}

/// What the sweeps and timings say to each claim.
///
/// # Errors
/// Malformed records.
pub fn answer(
    claims: &[Claim],
    sweeps: &[Collected],
    timings: Option<&UpdateTimings>,
) -> Result<Vec<Answer>> {
    claims.iter().map(|claim| claim.answer(sweeps, timings)).collect()
}

impl Claim {
    fn answer(&self, sweeps: &[Collected], timings: Option<&UpdateTimings>) -> Result<Answer> {
        let parts = self
            .parts
            .iter()
            .map(|p| p.answer(self, sweeps, timings))
            .collect::<Result<Vec<_>>>()?;
        let reasons: BTreeSet<&str> = parts
            .iter()
            .filter_map(|p| {
                if let Verdict::NotTested(why) = &p.verdict { Some(why.as_str()) } else { None }
            })
            .collect();
        let verdict = if parts.iter().any(|p| p.verdict == Verdict::No) {
            Verdict::No
        } else if reasons.is_empty() {
            Verdict::Yes
        } else {
            Verdict::NotTested(reasons.into_iter().collect::<Vec<_>>().join("; "))
        };
        Ok(Answer { number: self.number, text: self.text.clone(), verdict, parts })
    }
}

impl Part {
    fn answer(
        &self,
        claim: &Claim,
        sweeps: &[Collected],
        timings: Option<&UpdateTimings>,
    ) -> Result<PartAnswer> {
        let name = format!("claim {}: {}", claim.number, self.says);
        let evidence = Evidence {
            name: &name,
            sweep: sweeps.iter().find(|c| c.plan.name == self.experiment),
            timings,
        };
        let (verdict, statistic, repeats) = match self.test.decide(&evidence) {
            Ok(d) if d.seeds < LEAST_SEEDS => {
                let seeds = format!(
                    "{} seed{}, {LEAST_SEEDS} are needed",
                    d.seeds,
                    if d.seeds == 1 { "" } else { "s" }
                );
                (Verdict::NotTested(seeds), Some(d.statistic), d.seeds)
            }
            Ok(d) => (
                if d.statistic.meets_needs() { Verdict::Yes } else { Verdict::No },
                Some(d.statistic),
                d.seeds,
            ),
            Err(Stop::Missing(why)) => (Verdict::NotTested(why), None, 0),
            Err(Stop::Failed(e)) => return Err(e),
        };
        let open = statistic.as_ref().is_some_and(|s| s.needs.left_open(s.interval));
        let conditions =
            evidence.conditions(&self.experiment, self.test.metric(), claim.min_updates);
        let timed = self.experiment == evidence::TIMINGS;
        Ok(PartAnswer {
            says: self.says.clone(),
            verdict,
            open,
            statistic,
            repeats,
            timed,
            conditions,
        })
    }
}

impl PartAnswer {
    /// `yes`, `no (open) at scale quick, on Fashion-MNIST in place of CIFAR-10`, `not tested: 1 seed, 3 are needed`.
    pub fn verdict_text(&self) -> String {
        verdict_text(&self.verdict, self.open, self.conditions.iter())
    }

    /// `3 seeds` or `5 rounds`; nothing where it was not tested.
    pub fn repeats_text(&self) -> String {
        match (self.repeats, if self.timed { "round" } else { "seed" }) {
            (0, _) => String::new(),
            (1, what) => format!("1 {what}"),
            (n, what) => format!("{n} {what}s"),
        }
    }

    /// The statistic in words, or a dash.
    pub fn statistic_text(&self) -> String {
        self.statistic.as_ref().map_or_else(|| "–".into(), Statistic::text)
    }
}

impl Answer {
    /// As [`PartAnswer::verdict_text`], under the conditions of the parts that decided it.
    pub fn verdict_text(&self) -> String {
        verdict_text(
            &self.verdict,
            self.open(),
            self.decided().filter_map(|p| p.conditions.as_ref()),
        )
    }

    /// The parts that the answer rests on: of a no, those that say no.
    fn decided(&self) -> impl Iterator<Item = &PartAnswer> {
        self.parts.iter().filter(|p| self.verdict != Verdict::No || p.verdict == Verdict::No)
    }

    /// Whether other seeds might answer otherwise: a no stands where one part's no does, a yes where each part's yes does.
    pub fn open(&self) -> bool {
        match self.verdict {
            Verdict::No => self.decided().all(|p| p.open),
            Verdict::Yes => self.decided().any(|p| p.open),
            Verdict::NotTested(_) => false,
        }
    }
}

fn verdict_text<'a>(
    verdict: &Verdict,
    open: bool,
    conditions: impl Iterator<Item = &'a String>,
) -> String {
    let mut distinct: BTreeSet<&str> = conditions.map(String::as_str).collect();
    // A part without scores names no backbone: what another part says holds for it too.
    let all = distinct.clone();
    distinct.retain(|short| {
        !all.iter().any(|long| long.strip_prefix(short).is_some_and(|rest| rest.starts_with(',')))
    });
    let at = if distinct.is_empty() {
        String::new()
    } else {
        format!(" {}", distinct.into_iter().collect::<Vec<_>>().join(" and "))
    };
    let open = if open { " (open)" } else { "" };
    match verdict {
        Verdict::Yes => format!("yes{open}{at}"),
        Verdict::No => format!("no{open}{at}"),
        Verdict::NotTested(why) => format!("not tested: {why}"),
    }
}

impl Statistic {
    fn meets_needs(&self) -> bool {
        self.needs.met(self.value, self.interval)
    }

    /// `difference of means 0.41, 95 % interval 0.12 to 0.63; needs interval above 0`.
    pub fn text(&self) -> String {
        let interval = self.interval.map_or_else(String::new, |i| {
            format!(", 95 % interval {} to {}", shown(i.low), shown(i.high))
        });
        format!("{} {}{interval}; needs {}", self.name, shown(self.value), self.needs)
    }
}

/// A number with three digits after the point, or with three in all where it is small.
fn shown(x: f64) -> String {
    match x.abs() {
        0.0 | 0.1.. => format!("{x:.3}"),
        0.01.. => format!("{x:.4}"),
        _ => format!("{x:.2e}"),
    }
}

/// What `open` means and what an interval over so few seeds is worth.
pub fn notes() -> String {
    let of = |c: &Coverage| {
        format!("{:.0} % and {:.0} % at {} seeds", 100.0 * c.mean, 100.0 * c.difference, c.n)
    };
    format!(
        "Open: the interval reaches to both sides of what is needed, so other seeds might answer otherwise. Intervals, but those of slopes (Student's t), are percentile bootstraps over seeds, which over so few are too short for their 95 %: \
         of normal values they cover a mean and a difference of two means in {}.",
        COVERAGE.iter().map(of).collect::<Vec<_>>().join(", in ")
    )
}

/// The claims with these numbers, or all where none is named.
///
/// # Errors
/// [`Error::UnknownClaim`] with all numbers and claims.
pub fn numbered(only: &[u32]) -> Result<Vec<Claim>> {
    let all = claims()?;
    if let Some(number) = only.iter().find(|n| all.iter().all(|c| c.number != **n)) {
        let known = all.iter().map(|c| format!("\n  {}: {}", c.number, c.text)).collect();
        return Err(Error::UnknownClaim { number: *number, known });
    }
    Ok(all.into_iter().filter(|c| only.is_empty() || only.contains(&c.number)).collect())
}

/// The answers as Markdown: a line for each claim, then one for each of its parts; below, what the intervals are worth.
pub fn markdown(answers: &[Answer]) -> String {
    let mut text = "| | claim | answer | statistic | over |\n|---|---|---|---|---|\n".to_string();
    for answer in answers {
        let _ = writeln!(
            text,
            "| {} | {} | **{}** | | |",
            answer.number,
            answer.text,
            answer.verdict_text()
        );
        for part in &answer.parts {
            let _ = writeln!(
                text,
                "| | – {} | {} | {} | {} |",
                part.says,
                part.verdict_text(),
                part.statistic_text(),
                part.repeats_text()
            );
        }
    }
    let _ = writeln!(text, "\n{}", notes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_twelve_claims_parse_and_name_experiments_that_are_there() {
        let claims = claims().unwrap();
        assert_eq!(
            claims.iter().map(|c| c.number).collect::<Vec<_>>(),
            (1..=12).collect::<Vec<_>>()
        );
        let experiments =
            std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        for part in claims.iter().flat_map(|c| &c.parts).filter(|p| p.experiment != "figure10") {
            assert!(
                experiments.join(format!("{}.toml", part.experiment)).exists(),
                "{}",
                part.experiment
            );
        }
    }

    #[test]
    fn a_wrong_key_is_named() {
        let text = CLAIMS.replacen("min_updates =", "min_update =", 1);
        assert!(parse(Path::new("c.toml"), &text).unwrap_err().to_string().contains("min_update"));
        let text = CLAIMS.replacen("factor = 0.5", "factr = 0.5", 1);
        assert!(parse(Path::new("c.toml"), &text).unwrap_err().to_string().contains("factr"));
    }
}
