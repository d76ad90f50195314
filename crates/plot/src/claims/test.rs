//! The kinds of tests. experiments/claims.toml says what each one decides.

use super::Statistic;
use super::evidence::{Evidence, Found, Stop, Which, completed};
use super::needs::Needs;
use crate::collect::Run;
use crate::statistics::{effective_rank, mean, slope};
use serde::Deserialize;
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::{LogRecord, Metric};

/// How a part of a claim is decided.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Test {
    Keeps { row: String, metric: Metric, factor: f64 },
    SmallestSpread { row: String, metric: Metric },
    Fails { row: String, against: String, settings: Vec<String>, metric: Metric, factor: f64 },
    Beats { row: String, others: Vec<String>, metric: Metric },
    Unbeaten { row: String, others: Vec<String>, metric: Metric },
    GainsAtMost { row: String, against: String, metric: Metric, factor: f64 },
    Concentrates { row: String, weights: String, against: String, layers: Vec<String>, factor: f64 },
    NearOne { row: String, setting: String, within: f64, share: f64 },
    Exceeds { row: String, setting: String, layers: Vec<String>, above: f64, early: f64 },
    Settles { row: String, setting: String, layers: Vec<String>, within: f64, late: f64 },
    Costs { method: Method, against: Method, side: usize, from: f64, to: f64 },
    Degrades { row: String, key: Key, metric: Metric },
    Holds { row: String, key: Key, metric: Metric },
    OverfitsLess { row: String, against: String },
}

/// The key of a spec that a slope is taken against, on a logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// D updates for one of G.
    NDis,
    /// Size of the standard CNN's last convolution.
    LastConvFactor,
}

/// What a test found.
pub(super) struct Decided {
    pub(super) statistic: Statistic,
    /// Seeds of the row with fewest.
    pub(super) seeds: usize,
}

impl Key {
    fn of(self, spec: &RunSpec) -> f64 {
        match self {
            Key::NDis => f64::from(spec.n_dis),
            Key::LastConvFactor => spec.last_conv_factor,
        }
    }
}

fn fewest(groups: &[Vec<f64>]) -> usize {
    groups.iter().map(Vec::len).min().unwrap_or(0)
}

/// Means of groups.
fn means(groups: &[Vec<f64>]) -> Vec<f64> {
    groups.iter().map(|g| mean(g)).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// How good `a` is as a share of `b`: at most 1 where `a` is not better.
fn share(metric: Metric, a: f64, b: f64) -> f64 {
    if metric.higher_is_better() { a / b } else { b / a }
}

impl Test {
    /// The answer.
    pub(super) fn decide(&self, e: &Evidence<'_>) -> Found<Decided> {
        match self {
            Test::Keeps { row, metric, factor } => keeps(e, row, *metric, *factor),
            Test::SmallestSpread { row, metric } => smallest_spread(e, row, *metric),
            Test::Fails { row, against, settings, metric, factor } => {
                fails(e, (row, against), settings, *metric, *factor)
            }
            Test::Beats { row, others, metric } => {
                least_margin(e, (row, others), *metric, Needs::IntervalAbove0)
            }
            Test::Unbeaten { row, others, metric } => {
                least_margin(e, (row, others), *metric, Needs::IntervalNotBelow0)
            }
            Test::GainsAtMost { row, against, metric, factor } => {
                gains_at_most(e, (row, against), *metric, *factor)
            }
            Test::Concentrates { row, weights, against, layers, factor } => {
                concentrates(e, (row, weights), against, layers, *factor)
            }
            Test::NearOne { row, setting, within, share } => {
                near_one(e, row, setting, *within, *share)
            }
            Test::Exceeds { row, setting, layers, above, early } => {
                exceeds(e, (row, setting), layers, *above, *early)
            }
            Test::Settles { row, setting, layers, within, late } => {
                settles(e, (row, setting), layers, *within, *late)
            }
            Test::Costs { method, against, side, from, to } => {
                costs(e, *method, *against, *side, *from..=*to)
            }
            Test::Degrades { row, key, metric } => trend(e, row, *key, *metric, true),
            Test::Holds { row, key, metric } => trend(e, row, *key, *metric, false),
            Test::OverfitsLess { row, against } => overfits_less(e, row, against),
        }
    }

    /// The metric whose scores decide, if any do.
    pub(super) fn metric(&self) -> Option<Metric> {
        match self {
            Test::Keeps { metric, .. }
            | Test::SmallestSpread { metric, .. }
            | Test::Fails { metric, .. }
            | Test::Beats { metric, .. }
            | Test::Unbeaten { metric, .. }
            | Test::GainsAtMost { metric, .. }
            | Test::Degrades { metric, .. }
            | Test::Holds { metric, .. } => Some(*metric),
            // It chooses the settings that are looked at.
            Test::Concentrates { .. } => Some(Metric::Is),
            Test::NearOne { .. }
            | Test::Exceeds { .. }
            | Test::Settles { .. }
            | Test::Costs { .. }
            | Test::OverfitsLess { .. } => None,
        }
    }
}

/// A row's best scores, one group a setting.
fn by_setting(e: &Evidence<'_>, row: &str, metric: Metric) -> Found<Vec<Vec<f64>>> {
    let runs = e.row(row)?;
    Evidence::settings(&runs)
        .into_iter()
        .map(|s| Evidence::scores(&runs, s, metric, Which::Best))
        .collect()
}

fn keeps(e: &Evidence<'_>, row: &str, metric: Metric, factor: f64) -> Found<Decided> {
    let groups = by_setting(e, row, metric)?;
    let worst_share = |g: &[Vec<f64>]| {
        let m = means(g);
        let (low, high) = (smallest(&m), largest(&m));
        if metric.higher_is_better() { share(metric, low, high) } else { share(metric, high, low) }
    };
    let name = format!("worst over best setting's mean ({})", e.best_score(metric)?);
    let statistic = e.statistic(&name, Needs::AtLeast(factor), &groups, worst_share);
    Ok(Decided { statistic, seeds: fewest(&groups) })
}

fn smallest_spread(e: &Evidence<'_>, row: &str, metric: Metric) -> Found<Decided> {
    let own = e.row(row)?;
    let label = own.first().map_or(row, |r| r.spec.label.as_str());
    let others: Vec<&str> = e.sweep()?.labels().into_iter().filter(|l| *l != label).collect();
    if others.is_empty() {
        return Err(Stop::Missing("there is no other method".into()));
    }
    let rows = std::iter::once(label).chain(others);
    let by_row = rows.map(|r| by_setting(e, r, metric)).collect::<Found<Vec<_>>>()?;
    if by_row.iter().any(|g| g.len() < 2) {
        return Err(Stop::Missing("there is only one setting".into()));
    }
    let sizes: Vec<usize> = by_row.iter().map(Vec::len).collect();
    let groups: Vec<Vec<f64>> = by_row.into_iter().flatten().collect();
    // A row that diverges somewhere has no finite spread under FID and cannot have the smallest.
    let difference = |g: &[Vec<f64>]| {
        let (mut start, mut spreads) = (0, Vec::new());
        for size in &sizes {
            let m = means(&g[start..start + size]);
            spreads.push(largest(&m) - smallest(&m));
            start += size;
        }
        spreads[0] - smallest(&spreads[1..])
    };
    let name = format!("spread over settings ({}) minus the next smallest", e.best_score(metric)?);
    let statistic = e.statistic(&name, Needs::IntervalBelow0, &groups, difference);
    Ok(Decided { statistic, seeds: fewest(&groups) })
}

fn fails(
    e: &Evidence<'_>,
    (row, against): (&str, &str),
    settings: &[String],
    metric: Metric,
    factor: f64,
) -> Found<Decided> {
    let (runs, others) = (e.row(row)?, e.row(against)?);
    let mut groups = Vec::new();
    for setting in settings {
        groups.push(Evidence::scores(&runs, setting, metric, Which::Best)?);
        groups.push(Evidence::scores(&others, setting, metric, Which::Best)?);
    }
    let largest_share = |g: &[Vec<f64>]| {
        largest(&g.chunks(2).map(|p| share(metric, mean(&p[0]), mean(&p[1]))).collect::<Vec<_>>())
    };
    let name = format!("largest share of the other's mean ({})", e.best_score(metric)?);
    let statistic = e.statistic(&name, Needs::Below(factor), &groups, largest_share);
    Ok(Decided { statistic, seeds: fewest(&groups) })
}

/// By how much `a` is better than `b`, over seeds at each one's best setting.
fn margin(
    e: &Evidence<'_>,
    (a, b): (&str, &str),
    metric: Metric,
    needs: Needs,
) -> Found<(Statistic, usize)> {
    let groups = [e.best_setting(a, metric, Which::Last)?, e.best_setting(b, metric, Which::Last)?];
    let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
    let name = format!("margin of the last score over {b}");
    Ok((
        e.statistic(&name, needs, &groups, |g| sign * (mean(&g[0]) - mean(&g[1]))),
        fewest(&groups),
    ))
}

/// Of the margins over all others the one that decides: where one's interval is wholly below 0, that which is so most clearly, for no other
/// can take it back; else that whose interval reaches lowest. A margin without an interval goes first.
fn least_margin(
    e: &Evidence<'_>,
    (row, others): (&str, &[String]),
    metric: Metric,
    needs: Needs,
) -> Found<Decided> {
    let found =
        others.iter().map(|o| margin(e, (row, o), metric, needs)).collect::<Found<Vec<_>>>()?;
    let seeds = found.iter().map(|f| f.1).min().unwrap_or(0);
    let key = |s: &Statistic| match &s.interval {
        None => (0, s.value),
        Some(i) if i.below(0.0) => (1, i.high),
        Some(i) => (2, i.low),
    };
    let order =
        |a: &Statistic, b: &Statistic| key(a).0.cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1));
    let statistic = found
        .into_iter()
        .map(|f| f.0)
        .min_by(order)
        .ok_or_else(|| Stop::Missing("there is no other method".into()))?;
    Ok(Decided { statistic, seeds })
}

fn gains_at_most(
    e: &Evidence<'_>,
    (row, against): (&str, &str),
    metric: Metric,
    factor: f64,
) -> Found<Decided> {
    let groups =
        [e.best_setting(row, metric, Which::Last)?, e.best_setting(against, metric, Which::Last)?];
    let name = format!("last score over that of {against}");
    let gain = |g: &[Vec<f64>]| share(metric, mean(&g[0]), mean(&g[1]));
    Ok(Decided {
        statistic: e.statistic(&name, Needs::AtMost(factor), &groups, gain),
        seeds: fewest(&groups),
    })
}

/// Effective ranks of a layer, one a run, in the row's best setting by inception score.
fn ranks(e: &Evidence<'_>, row: &str, weights: &str, layer: &str) -> Found<Vec<f64>> {
    let runs: Vec<&Run> = e.row(row)?.into_iter().filter(|r| completed(r)).collect();
    let mean_score = |setting: &str| {
        let scores: Vec<f64> = runs
            .iter()
            .filter(|r| r.spec.setting == setting)
            .filter_map(|r| r.last(Metric::Is))
            .collect();
        mean(&scores)
    };
    let settings = Evidence::settings(&runs).into_iter().filter(|s| mean_score(s).is_finite());
    let setting = settings.max_by(|a, b| mean_score(a).total_cmp(&mean_score(b)));
    let mut ranks = Vec::new();
    for run in runs.iter().filter(|r| setting.is_none_or(|s| r.spec.setting == s)) {
        let spectra = run.dir.spectra()?;
        let found = spectra.iter().find(|s| {
            s.layer == layer && s.weights == weights && s.gen_updates == run.spec.gen_updates
        });
        ranks.extend(found.and_then(|s| effective_rank(&s.squared)));
    }
    if ranks.is_empty() {
        Err(Stop::Missing(format!("no run of {row} has a spectrum of {layer}")))
    } else {
        Ok(ranks)
    }
}

fn concentrates(
    e: &Evidence<'_>,
    (row, weights): (&str, &str),
    against: &str,
    layers: &[String],
    factor: f64,
) -> Found<Decided> {
    let mut groups = Vec::new();
    for layer in layers {
        groups.push(ranks(e, row, weights, layer)?);
        groups.push(ranks(e, against, "normalized", layer)?);
    }
    let largest_ratio = |g: &[Vec<f64>]| {
        largest(&g.chunks(2).map(|p| mean(&p[0]) / mean(&p[1])).collect::<Vec<_>>())
    };
    let statistic = e.statistic(
        "largest ratio of effective ranks",
        Needs::Below(factor),
        &groups,
        largest_ratio,
    );
    Ok(Decided { statistic, seeds: fewest(&groups) })
}

/// The σ(W̄) of D's convolutions that a log holds, with the share of the updates done. The first update's are left out: there u comes from a
/// random vector, and every layer exceeds 1.
fn sigmas<'a>(
    log: &'a [LogRecord],
    layers: Option<&'a [String]>,
) -> impl Iterator<Item = (f64, &'a str, f64)> {
    let last = log.last().map_or(1, |r| r.gen_update.max(1)) as f64;
    let wanted = move |layer: &str| {
        layers.map_or(layer.starts_with("conv"), |l| l.iter().any(|x| x == layer))
    };
    log.iter().filter(|r| r.gen_update > 1).flat_map(move |r| {
        let values = r.sigma_fig9.iter().filter(move |(layer, _)| wanted(layer));
        values
            .filter_map(move |(layer, v)| Some((r.gen_update as f64 / last, layer.as_str(), (*v)?)))
    })
}

fn near_one(
    e: &Evidence<'_>,
    row: &str,
    setting: &str,
    within: f64,
    least_share: f64,
) -> Found<Decided> {
    let shares = |log: &Vec<LogRecord>| {
        let all: Vec<f64> = sigmas(log, None)
            .map(|(_, _, s)| f64::from(u8::from((s - 1.0).abs() <= within)))
            .collect();
        mean(&all)
    };
    let groups = [e
        .logs(row, Some(setting))?
        .iter()
        .map(shares)
        .filter(|s| s.is_finite())
        .collect::<Vec<_>>()];
    if groups[0].is_empty() {
        return Err(Stop::Missing(format!("{row} has no logged σ(W̄)")));
    }
    let statistic = e.statistic(
        &format!("share of values within {within} of 1"),
        Needs::AtLeast(least_share),
        &groups,
        |g| mean(&g[0]),
    );
    Ok(Decided { statistic, seeds: groups[0].len() })
}

/// Of each seed the σ(W̄) of each layer at the shares of the updates that `when` keeps.
fn sigmas_by_layer(
    e: &Evidence<'_>,
    (row, setting): (&str, &str),
    layers: &[String],
    when: impl Fn(f64) -> bool,
) -> Found<Vec<Vec<Vec<f64>>>> {
    let logs = e.logs(row, Some(setting))?;
    let of = |log: &Vec<LogRecord>, layer: &String| -> Vec<f64> {
        sigmas(log, Some(std::slice::from_ref(layer)))
            .filter(|(t, ..)| when(*t))
            .map(|(_, _, sigma)| sigma)
            .collect()
    };
    let found: Vec<Vec<Vec<f64>>> =
        logs.iter().map(|log| layers.iter().map(|layer| of(log, layer)).collect()).collect();
    if found.iter().flatten().any(Vec::is_empty) {
        return Err(Stop::Missing(format!("{row} has no logged σ(W̄) of {}", layers.join(", "))));
    }
    Ok(found)
}

fn exceeds(
    e: &Evidence<'_>,
    run: (&str, &str),
    layers: &[String],
    above: f64,
    early: f64,
) -> Found<Decided> {
    let seeds = sigmas_by_layer(e, run, layers, |t| t <= early)?;
    let excess = |layers: &Vec<Vec<f64>>| {
        smallest(&layers.iter().map(|l| largest(l) - 1.0).collect::<Vec<_>>())
    };
    let groups = [seeds.iter().map(excess).collect::<Vec<_>>()];
    let statistic = e.statistic(
        "least early excess over 1 of these layers",
        Needs::Above(above),
        &groups,
        |g| mean(&g[0]),
    );
    Ok(Decided { statistic, seeds: seeds.len() })
}

fn settles(
    e: &Evidence<'_>,
    run: (&str, &str),
    layers: &[String],
    within: f64,
    late: f64,
) -> Found<Decided> {
    let seeds = sigmas_by_layer(e, run, layers, |t| t > 1.0 - late)?;
    let distance = |layers: &Vec<Vec<f64>>| {
        largest(&layers.iter().map(|l| (mean(l) - 1.0).abs()).collect::<Vec<_>>())
    };
    let groups = [seeds.iter().map(distance).collect::<Vec<_>>()];
    let statistic = e.statistic(
        "largest late distance from 1 of these layers",
        Needs::AtMost(within),
        &groups,
        |g| mean(&g[0]),
    );
    Ok(Decided { statistic, seeds: seeds.len() })
}

fn costs(
    e: &Evidence<'_>,
    method: Method,
    against: Method,
    side: usize,
    range: std::ops::RangeInclusive<f64>,
) -> Found<Decided> {
    let timings = e
        .timings
        .ok_or_else(|| Stop::Missing("no timings were given (`sngan bench figure10`)".into()))?;
    let groups = [timings.seconds_per_100(method, side), timings.seconds_per_100(against, side)];
    if groups.iter().any(Vec::is_empty) {
        return Err(Stop::Missing(format!(
            "no timings of {} and {} at side {side}",
            method.name(),
            against.name()
        )));
    }
    let needs = Needs::Within(*range.start(), *range.end());
    let statistic = e.statistic("ratio of seconds", needs, &groups, |g| mean(&g[0]) / mean(&g[1]));
    Ok(Decided { statistic, seeds: fewest(&groups) })
}

fn trend(e: &Evidence<'_>, row: &str, key: Key, metric: Metric, degrading: bool) -> Found<Decided> {
    let runs = e.row(row)?;
    let mut keys: Vec<f64> = runs.iter().map(|r| key.of(&r.spec)).collect();
    keys.sort_by(f64::total_cmp);
    keys.dedup();
    let (mut points, mut seeds) = (Vec::new(), usize::MAX);
    for x in keys {
        let at: Vec<&Run> = runs.iter().filter(|r| key.of(&r.spec) == x).copied().collect();
        let setting = at.first().map_or("", |r| r.spec.setting.as_str());
        let values = Evidence::scores(&at, setting, metric, Which::Last)?;
        seeds = seeds.min(values.len());
        points.extend(values.into_iter().map(|y| (x.ln(), y)));
    }
    let name = "slope against the logarithm";
    let Some(s) = slope(&points).filter(|s| s.value.is_finite()) else {
        return Err(Stop::Missing("a slope needs three runs of at least two sizes".into()));
    };
    let needs = match (metric.higher_is_better(), degrading) {
        (true, true) => Needs::IntervalBelow0,
        (true, false) => Needs::IntervalNotBelow0,
        (false, true) => Needs::IntervalAbove0,
        (false, false) => Needs::IntervalNotAbove0,
    };
    Ok(Decided {
        statistic: Statistic {
            name: name.into(),
            value: s.value,
            interval: Some(s.interval()),
            needs,
        },
        seeds,
    })
}

/// Held-out minus training loss of D over the last tenth of each run's log.
fn gaps(e: &Evidence<'_>, row: &str) -> Found<Vec<f64>> {
    let gap = |log: &Vec<LogRecord>| {
        let from = log.last().map_or(0.0, |r| 0.9 * r.gen_update as f64);
        let late = log.iter().filter(|r| r.gen_update as f64 >= from);
        let gaps: Vec<f64> =
            late.filter_map(|r| Some(r.critic_held_out? - r.critic_train?)).collect();
        mean(&gaps)
    };
    let gaps: Vec<f64> = e.logs(row, None)?.iter().map(gap).filter(|g| g.is_finite()).collect();
    if gaps.is_empty() {
        Err(Stop::Missing(format!("{row} has not logged D's loss on held-out images")))
    } else {
        Ok(gaps)
    }
}

fn overfits_less(e: &Evidence<'_>, row: &str, against: &str) -> Found<Decided> {
    let groups = [gaps(e, row)?, gaps(e, against)?];
    let statistic = e.statistic("difference of the gaps", Needs::IntervalBelow0, &groups, |g| {
        mean(&g[0]) - mean(&g[1])
    });
    Ok(Decided { statistic, seeds: fewest(&groups) })
}
