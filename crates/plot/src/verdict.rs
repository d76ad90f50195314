//! What a sweep with several seeds shows, in three sentences: for the end of a command and the top of a report.

use crate::claims::{Verdict, answer, claims};
use crate::evenness::{Evenness, evenness, seeds};
use crate::{Result, ScoredSweep};
use sngan_experiment::method::Method;

/// How even SN's row is beside the others', how good, and what the paper's claims about this
/// experiment come to. Empty where there is one seed, or no row with an FID in every setting.
///
/// # Errors
/// Malformed records.
pub fn verdict(c: &ScoredSweep) -> Result<Vec<String>> {
    let mut rows = evenness(c);
    rows.retain(|r| r.level.is_some());
    if seeds(c) < 2 || rows.len() < 2 {
        return Ok(Vec::new());
    }
    let shown = rows.iter().position(|r| c.method(&r.label) == Some(Method::Sn)).unwrap_or(0);
    let shown = rows.remove(shown);
    Ok([evenness_sentence(c, &shown, &rows), level_sentence(&shown, &rows), claims_sentence(c)?]
        .into_iter()
        .flatten()
        .collect())
}

fn factor(r: &Evenness) -> f64 {
    r.worst.1 / r.best.1
}

fn evenness_sentence(c: &ScoredSweep, shown: &Evenness, others: &[Evenness]) -> Option<String> {
    let by_factor = |a: &&Evenness, b: &&Evenness| factor(a).total_cmp(&factor(b));
    let least = others.iter().min_by(by_factor)?;
    let most = others.iter().max_by(by_factor)?;
    Some(format!(
        "Over {}, {}'s FID goes from {:.1} at {} to {:.1} at {}, a factor of {:.1}; of the other rows it is {:.1} ({}) to {:.1} ({}).",
        c.describe_settings(),
        shown.label,
        shown.best.1,
        shown.best.0,
        shown.worst.1,
        shown.worst.0,
        factor(shown),
        factor(least),
        least.label,
        factor(most),
        most.label,
    ))
}

fn level_sentence(shown: &Evenness, others: &[Evenness]) -> Option<String> {
    let levels = || others.iter().filter_map(|r| Some((r.level?, r.label.as_str())));
    let (lowest, best) = levels().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let (highest, worst) = levels().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!(
        "The geometric mean over them is {:.1} for {}, and {lowest:.1} ({best}) to {highest:.1} ({worst}) for the others.",
        shown.level?, shown.label
    ))
}

/// How many parts of the claims about this experiment hold.
fn claims_sentence(c: &ScoredSweep) -> Result<Option<String>> {
    let answers = answer(&claims()?, std::slice::from_ref(c), None)?.about(&c.plan.name);
    let parts = || answers.answers.iter().flat_map(|a| &a.parts);
    let count = |fits: fn(&Verdict) -> bool| parts().filter(|p| fits(&p.verdict)).count();
    let yes = count(|v| *v == Verdict::Yes);
    let no = count(|v| *v == Verdict::No);
    let open = count(|v| *v == Verdict::Open);
    let tested = yes + no + open;
    Ok((tested > 0).then(|| {
        format!(
            "Of the {tested} parts of the paper's claims that were tested on these runs: {yes} yes, {no} no, {open} open."
        )
    }))
}
