//! Tests on logs: σ(W̄) of D's layers, and D's losses on held-out images.

use super::best::shared;
use super::evidence::{Evidence, Found, Stop};
use super::finding::{Comparison, Finding};
use crate::statistics::{Cell, Claimed, Estimate, Procedure, mean, welch};
use sngan_experiment::records::LogRecord;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The mean of values over seeds; without an error if all are the same. `None` for one value.
pub(super) fn estimate(values: &[f64]) -> Option<Estimate> {
    let cell = Cell::of(values, 0.0)?;
    let exact = Estimate { value: cell.mean(), standard_error: 0.0, df: cell.df() };
    Some(cell.estimate().unwrap_or(exact))
}

/// Welch's difference of means; without an error if neither row varies.
pub(super) fn difference(a: &[f64], b: &[f64]) -> Option<Estimate> {
    let (a, b) = (Cell::of(a, 0.0)?, Cell::of(b, 0.0)?);
    let (value, df) = (a.mean() - b.mean(), a.df() + b.df());
    Some(welch(&a, &b).unwrap_or(Estimate { value, standard_error: 0.0, df }))
}

/// The σ(W̄) of the matching layers in a window of updates. The first update is left out, because
/// there u comes from a random vector and every layer exceeds 1.
fn sigmas(
    log: &[LogRecord],
    window: &RangeInclusive<u64>,
    fits: impl Fn(&str) -> bool,
) -> Vec<f64> {
    log.iter()
        .filter(|r| r.gen_update > 1 && window.contains(&r.gen_update))
        .flat_map(|r| &r.sigma_fig9)
        .filter(|(layer, _)| fits(layer))
        .filter_map(|(_, sigma)| *sigma)
        .collect()
}

/// One number for each seed, computed from its σ(W̄) in a window.
fn of_seeds(
    e: &Evidence<'_>,
    (row, setting): (&str, &str),
    window: &RangeInclusive<u64>,
    fits: impl Fn(&str) -> bool,
    of: impl Fn(&[f64]) -> f64,
) -> Found<Vec<f64>> {
    let row = e.row(row)?.at(setting)?;
    let logs = e.logs(&row, *window.end())?;
    let found = logs.values().map(|log| sigmas(log, window, &fits)).collect::<Vec<_>>();
    if found.iter().any(Vec::is_empty) {
        return Err(Stop::Missing(format!("{} has no logged σ(W̄) there", row.label)));
    }
    Ok(found.iter().map(|sigmas| of(sigmas)).collect())
}

/// The share of σ(W̄) near 1 is above a given share.
pub(super) fn near_one(
    e: &Evidence<'_>,
    run: (&str, &str),
    within: f64,
    least: f64,
    until: u64,
) -> Found<Finding> {
    let share = |s: &[f64]| {
        let near = s.iter().filter(|s| (*s - 1.0).abs() <= within).count();
        near as f64 / s.len() as f64
    };
    let shares = of_seeds(e, run, &(1..=until), |layer| layer.starts_with("conv"), share)?;
    let name = format!("share of σ(W̄) within {within} of 1");
    let needs = Claimed::Above(least);
    let comparison = Comparison::new(name, estimate(&shares), needs, shares.len());
    Ok(Finding::all(vec![comparison], &[]))
}

/// In each layer the largest σ(W̄) is more than `above` over 1.
pub(super) fn exceeds(
    e: &Evidence<'_>,
    run: (&str, &str),
    layers: &[String],
    above: f64,
    until: u64,
) -> Found<Finding> {
    let largest = |s: &[f64]| s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let needs = Claimed::Above(1.0 + above);
    in_each(e, run, layers, &(1..=until), needs, "largest σ(W̄)", largest)
}

/// In each layer the mean σ(W̄) is near 1.
pub(super) fn settles(
    e: &Evidence<'_>,
    run: (&str, &str),
    layers: &[String],
    within: f64,
    window: RangeInclusive<u64>,
) -> Found<Finding> {
    let needs = Claimed::Within(1.0 - within, 1.0 + within);
    in_each(e, run, layers, &window, needs, "mean σ(W̄)", mean)
}

fn in_each(
    e: &Evidence<'_>,
    run: (&str, &str),
    layers: &[String],
    window: &RangeInclusive<u64>,
    needs: Claimed,
    what: &str,
    of: impl Fn(&[f64]) -> f64,
) -> Found<Finding> {
    let mut comparisons = Vec::new();
    for layer in layers {
        let values = of_seeds(e, run, window, |name| name == layer, &of)?;
        let name = format!("{layer}: {what}");
        comparisons.push(Comparison::new(name, estimate(&values), needs, values.len()));
    }
    Ok(Finding::all(comparisons, &[]))
}

/// The mean held-out minus training loss of D in a window, by seed.
fn gaps(
    e: &Evidence<'_>,
    row: &super::evidence::Row<'_>,
    window: &RangeInclusive<u64>,
) -> Found<BTreeMap<u64, f64>> {
    let gap = |log: &[LogRecord]| {
        let inside = log.iter().filter(|r| window.contains(&r.gen_update));
        let gaps: Vec<f64> =
            inside.filter_map(|r| Some(r.critic_held_out? - r.critic_train?)).collect();
        mean(&gaps)
    };
    let logs = e.logs(row, *window.end())?;
    let gaps: BTreeMap<u64, f64> = logs
        .iter()
        .map(|(seed, log)| (*seed, gap(log)))
        .filter(|(_, gap)| gap.is_finite())
        .collect();
    if gaps.is_empty() {
        return Err(Stop::Missing(format!(
            "{} has not logged D's loss on held-out images",
            row.label
        )));
    }
    Ok(gaps)
}

/// A row's gap is below that of another row.
pub(super) fn overfits_less(
    e: &Evidence<'_>,
    (row, against): (&str, &str),
    window: RangeInclusive<u64>,
) -> Found<Finding> {
    let (row, against) = (e.row(row)?, e.row(against)?);
    row.comparable(&against)?;
    let [a, b] = [&row, &against].map(|r| gaps(e, r, &window));
    let (a, b) = (a?, b?);
    let (a_seeds, a): (Vec<u64>, Vec<f64>) = a.into_iter().unzip();
    let (b_seeds, b): (Vec<u64>, Vec<f64>) = b.into_iter().unzip();
    let pairs = row.begins_as(&against);
    let found = if pairs {
        let (a, b) = shared((&a_seeds, &a), (&b_seeds, &b));
        estimate(&a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>())
    } else {
        difference(&a, &b)
    };
    let how = if pairs { ", by pairs" } else { "" };
    let name = format!("{} − {}, held-out less training loss{how}", row.label, against.label);
    let comparison = Comparison::new(name, found, Claimed::BEATS, a.len().min(b.len()));
    let procedures: &[Procedure] = if pairs { &[] } else { &[Procedure::Welch] };
    Ok(Finding::all(vec![comparison], procedures))
}
