//! The paper's claims and what the records say about them: yes, no, open or not tested, each with
//! its statistics and intervals. experiments/claims.toml defines every claim.

mod best;
mod costs;
mod definitions;
mod evidence;
mod finding;
mod grid;
mod level;
mod logs;
mod rows;
mod spectra;
mod test;
mod text;
mod trend;

pub use definitions::{
    Claim, ClaimsFile, Definitions, EachScore, Part, Score, Whose, claims, definitions, others,
    parse,
};
pub use finding::{Comparison, Finding};
pub(crate) use rows::{RowSummary, Score95, Summaries, summaries};
pub(crate) use text::{columns, notes};

use crate::statistics::{Decision, PValues, holm_claims};
use crate::{Error, Result, ScoredSweep};
use evidence::{Evidence, Stop, TIMINGS};
use sngan_experiment::benchmark::UpdateTimings;
use std::collections::BTreeSet;

/// The answer from the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// There are too few runs to tell: other seeds might give either answer.
    Open,
    /// The records are not enough, and why.
    NotTested(String),
}

/// The answer to a part, by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PartAnswer {
    /// The part in words.
    pub says: String,
    /// The experiment that it is about.
    pub experiment: String,
    /// The answer.
    pub verdict: Verdict,
    /// The results behind it; there may be some even if it was not tested.
    pub finding: Option<Finding>,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The claim's number.
    pub number: u32,
    /// What the paper says.
    pub text: String,
    /// The answer.
    pub verdict: Verdict,
    /// The p-values that decide it: the largest of its parts'. `None` if it was not tested.
    pub p: Option<PValues>,
    /// Whether they are adjusted for the number of claims: at the primary scale.
    pub adjusted: bool,
    /// The answers to its parts.
    pub parts: Vec<PartAnswer>,
}

/// The answers to claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// What was run, for all answers: a line for each different condition.
    pub conditions: Vec<String>,
    /// The answers.
    pub answers: Vec<Answer>,
}

/// The answer of the sweeps and timings to each claim.
///
/// # Errors
/// Malformed records.
pub fn answer(
    file: &ClaimsFile,
    sweeps: &[ScoredSweep],
    timings: Option<&UpdateTimings>,
) -> Result<Answers> {
    let definitions = &file.definitions;
    let is_primary = |c: &ScoredSweep| c.plan.scale == definitions.primary_scale;
    let mut answers = Vec::new();
    for claim in &file.claims {
        let of = |part: &Part| part.answer(file, sweeps, timings);
        let parts = claim.parts.iter().map(of).collect::<Result<Vec<_>>>()?;
        // Timings have no scale; they count with the given sweeps.
        let primary = |p: &PartAnswer| match sweeps.iter().find(|c| file.asks(c, &p.experiment)) {
            Some(sweep) => is_primary(sweep),
            None => p.experiment == TIMINGS && sweeps.iter().all(is_primary),
        };
        let p = p_of_all(&parts);
        answers.push(Answer {
            number: claim.number,
            text: claim.text.clone(),
            verdict: untested(&parts).map_or(Verdict::Open, Verdict::NotTested),
            p,
            adjusted: p.is_some() && parts.iter().all(primary),
            parts,
        });
    }
    adjust(&mut answers, definitions.claims);
    Ok(Answers { conditions: text::conditions(file, sweeps, timings), answers })
}

/// Which parts were not tested and why; each reason is listed once.
fn untested(parts: &[PartAnswer]) -> Option<String> {
    let reasons: BTreeSet<&str> = parts
        .iter()
        .filter_map(|p| match &p.verdict {
            Verdict::NotTested(why) => Some(why.as_str()),
            Verdict::Yes | Verdict::No | Verdict::Open => None,
        })
        .collect();
    (!reasons.is_empty()).then(|| reasons.into_iter().collect::<Vec<_>>().join("; "))
}

/// The largest p-values of the parts; `None` where one was not tested.
fn p_of_all(parts: &[PartAnswer]) -> Option<PValues> {
    if untested(parts).is_some() {
        return None;
    }
    PValues::largest(parts.iter().filter_map(|p| p.finding.as_ref()).map(|f| f.p))
}

/// Adjusts the answers at the primary scale for the number of claims, and decides all claims.
fn adjust(answers: &mut [Answer], claims: usize) {
    let of_primary: Vec<PValues> =
        answers.iter().filter(|a| a.adjusted).filter_map(|a| a.p).collect();
    let mut adjusted = holm_claims(&of_primary, claims).into_iter();
    for answer in answers {
        let Some(p) = answer.p else { continue };
        let p = if answer.adjusted { adjusted.next().unwrap_or(p) } else { p };
        answer.verdict = p.decision().into();
        answer.p = Some(p);
    }
}

impl ClaimsFile {
    /// Whether a part about `experiment` asks this sweep's records.
    fn asks(&self, sweep: &ScoredSweep, experiment: &str) -> bool {
        match self.whose {
            Whose::Papers => sweep.reproduces(experiment),
            Whose::Others => sweep.plan.name == experiment,
        }
    }
}

impl Part {
    fn answer(
        &self,
        file: &ClaimsFile,
        sweeps: &[ScoredSweep],
        timings: Option<&UpdateTimings>,
    ) -> Result<PartAnswer> {
        let definitions = &file.definitions;
        let sweep = sweeps.iter().find(|c| file.asks(c, &self.experiment));
        let (verdict, finding) = match self.test.decide(&Evidence { definitions, sweep, timings }) {
            Ok(found) => (verdict(&found, definitions.least_seeds, self.repeats()), Some(found)),
            Err(Stop::Missing(why)) => (Verdict::NotTested(why), None),
            Err(Stop::Failed(e)) => return Err(*e),
        };
        let (says, experiment) = (self.says.clone(), self.experiment.clone());
        Ok(PartAnswer { says, experiment, verdict, finding })
    }

    /// What its test needs several of: seeds or rounds.
    fn repeats(&self) -> &'static str {
        if self.experiment == TIMINGS { "round" } else { "seed" }
    }
}

/// The answer that follows from the results, if they are enough.
fn verdict(found: &Finding, least: usize, repeats: &str) -> Verdict {
    if !found.missing.is_empty() {
        let reasons: Vec<&str> = found.missing.iter().map(String::as_str).collect();
        return Verdict::NotTested(reasons.join("; "));
    }
    match found.n() {
        1 => Verdict::NotTested(format!("1 {repeats}, {least} are needed")),
        n if n < least => Verdict::NotTested(format!("{n} {repeats}s, {least} are needed")),
        _ => found.decision().into(),
    }
}

impl From<Decision> for Verdict {
    fn from(decision: Decision) -> Verdict {
        match decision {
            Decision::Yes => Verdict::Yes,
            Decision::No => Verdict::No,
            Decision::Open => Verdict::Open,
        }
    }
}

impl Verdict {
    /// `yes`, `no`, `open` or `untested`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Yes => "yes",
            Verdict::No => "no",
            Verdict::Open => "open",
            Verdict::NotTested(_) => "untested",
        }
    }
}

impl std::fmt::Display for Verdict {
    /// `yes`, `no`, `open`, or `not tested: 1 seed, 3 are needed`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::NotTested(why) => write!(f, "not tested: {why}"),
            answered @ Verdict::Yes | answered @ Verdict::No | answered @ Verdict::Open => {
                f.write_str(answered.word())
            }
        }
    }
}

impl Answer {
    /// The answer, without the reasons that are listed with its parts.
    pub fn verdict_text(&self) -> &'static str {
        let said = |word| self.parts.iter().any(|p| p.verdict.word() == word);
        match self.verdict {
            Verdict::NotTested(_) => "not tested",
            // More seeds might not make these agree.
            Verdict::Open if said("yes") && said("no") => "open: its parts disagree",
            Verdict::Yes | Verdict::No | Verdict::Open => self.verdict.word(),
        }
    }
}

impl Answers {
    /// The claims with these numbers, or all if none is given. Omitted claims still count in the
    /// adjustment for the number of claims.
    ///
    /// # Errors
    /// [`Error::UnknownClaim`] with all numbers and claims.
    pub fn only(mut self, numbers: &[u32]) -> Result<Answers> {
        if let Some(number) = numbers.iter().find(|n| self.answers.iter().all(|a| a.number != **n))
        {
            let lines = self.answers.iter().map(|a| format!("\n  {}: {}", a.number, a.text));
            return Err(Error::UnknownClaim { number: *number, known: lines.collect() });
        }
        self.answers.retain(|a| numbers.is_empty() || numbers.contains(&a.number));
        Ok(self)
    }

    /// The claims with a part about this experiment.
    #[must_use]
    pub fn about(mut self, experiment: &str) -> Answers {
        self.answers.retain(|a| a.parts.iter().any(|p| p.experiment == experiment));
        self
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        text::markdown(self)
    }
}
