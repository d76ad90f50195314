//! How broad the spectra of D's layers are.

use super::best::Best;
use super::definitions::Score;
use super::evidence::{Evidence, Found, Stop};
use super::finding::{Comparison, Finding};
use super::logs::difference;
use super::test::Concentrates;
use crate::statistics::{Claimed, Procedure};
use sngan_experiment::records::stable_rank;

/// In each layer a row's stable rank is under a factor of another's, both at their best settings.
pub(super) fn concentrates(
    e: &Evidence<'_>,
    t: &Concentrates,
    score: Score,
    doubled: bool,
) -> Found<Finding> {
    let scale = e.scale(score, doubled)?;
    let row = Best::of(e, &t.row, score, scale)?;
    let against = Best::of(e, &t.against, score, scale)?;
    row.row.comparable(&against.row)?;
    let needs = Claimed::Below(t.factor.ln());
    let mut comparisons = Vec::new();
    for layer in &t.layers {
        let ranks = [ranks(e, &row, &t.weights, layer)?, ranks(e, &against, "normalized", layer)?];
        let name = format!("{layer}: stable rank, {} over {}", row.row.label, against.row.label);
        let n = ranks[0].len().min(ranks[1].len());
        let estimate = difference(&ranks[0], &ranks[1]);
        comparisons.push(Comparison::new(name, estimate, needs, n).shown_as_ratio());
    }
    let mut finding = Finding::all(comparisons, &[Procedure::Welch]);
    finding.beside = vec![row.describe(), against.describe()];
    Ok(finding)
}

/// ln of a layer's stable rank, for each seed in its setting.
fn ranks(e: &Evidence<'_>, best: &Best<'_>, weights: &str, layer: &str) -> Found<Vec<f64>> {
    let mut ranks = Vec::new();
    for (seed, setting) in best.seeds.iter().zip(&best.settings) {
        let here = best.row.at(setting)?;
        let Some(run) = here.runs.iter().find(|r| r.spec.seed == *seed) else { continue };
        let updates = e.updates(run)?;
        let found = run.records.spectra.iter().rev().find(|s| {
            (s.layer.as_str(), s.weights.as_str(), s.gen_updates) == (layer, weights, updates)
        });
        let rank = found.and_then(|s| stable_rank(&s.squared)).ok_or_else(|| {
            Stop::Missing(format!(
                "no {weights} spectrum of {layer} of {} in setting {setting}, seed {seed}",
                best.row.label
            ))
        })?;
        ranks.push(rank.ln());
    }
    if ranks.is_empty() {
        return Err(Stop::Missing(format!(
            "{} has too few seeds to choose its best setting by",
            best.row.label
        )));
    }
    Ok(ranks)
}
