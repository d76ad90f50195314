//! Scores against a key of the spec.

use super::definitions::Score;
use super::evidence::{BySeed, Evidence, Found, Row, Stop, failures};
use super::finding::{Comparison, Finding};
use crate::scored::repetitions;
use crate::statistics::{Claimed, Estimate, slope};
use serde::Deserialize;
use sngan_experiment::RunSpec;

/// The spec key that a slope is taken against, on a logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// D updates per G update.
    NDis,
    /// Size of the standard CNN's last convolution.
    LastConvFactor,
}

impl Key {
    fn of(self, spec: &RunSpec) -> f64 {
        match self {
            Key::NDis => f64::from(spec.n_dis),
            Key::LastConvFactor => spec.last_conv_factor,
        }
    }

    /// The key's name in a spec.
    fn field(self) -> &'static str {
        match self {
            Key::NDis => "n_dis",
            Key::LastConvFactor => "last_conv_factor",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Key::NDis => "n_dis",
            Key::LastConvFactor => "the last layer's size",
        }
    }
}

/// A row's slope of y against the logarithm of a key.
struct Trend<'a> {
    row: Row<'a>,
    slope: Estimate,
    /// ln of the largest over the smallest value of the key.
    range: f64,
    /// Number of seeds of the value that has fewest.
    seeds: usize,
}

fn trend<'a>(
    e: &Evidence<'a>,
    name: &str,
    key: Key,
    score: Score,
    doubled: bool,
) -> Found<Trend<'a>> {
    let scale = e.scale(score, doubled)?;
    let row = e.all_of(name)?;
    let runs = repetitions(row.runs.iter().copied(), &[key.field()])
        .map_err(|e| Stop::Missing(e.to_string()))?;
    let row = Row { runs, ..row };
    let mut sizes: Vec<f64> = row.runs.iter().map(|r| key.of(&r.spec)).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let (mut points, mut groups) = (Vec::new(), Vec::<BySeed>::new());
    for size in &sizes {
        let runs: Vec<_> = row.runs.iter().filter(|r| key.of(&r.spec) == *size).copied().collect();
        let at = Row { label: row.label.clone(), runs };
        for setting in at.settings() {
            let scores = e.scores(&at, setting, score, scale)?;
            points.extend(scores.values().map(|s| (size.ln(), s.y)));
            groups.push(scores);
        }
    }
    if failures(&groups).all() {
        return Err(Stop::Missing(format!("all runs of {} failed", row.label)));
    }
    let slope = slope(&points)
        .ok_or_else(|| Stop::Missing("a slope needs three runs of at least two sizes".into()))?;
    let range = sizes.last().zip(sizes.first()).map_or(0.0, |(most, least)| (most / least).ln());
    let seeds = groups.iter().map(BySeed::len).min().unwrap_or(0);
    Ok(Trend { row, slope, range, seeds })
}

impl Trend<'_> {
    fn finding(self, what: String, estimate: Estimate, needs: Claimed) -> Finding {
        let comparison = Comparison::new(what, Some(estimate), needs, self.seeds);
        let mut finding = Finding::all(vec![comparison], &[]);
        let losses = self.row.losses().map(|l| format!("{}: {l}", self.row.label));
        finding.beside = losses.into_iter().collect();
        finding
    }
}

/// y grows, so the score gets worse.
pub(super) fn degrades(
    e: &Evidence<'_>,
    row: &str,
    key: Key,
    score: Score,
    doubled: bool,
) -> Found<Finding> {
    let trend = trend(e, row, key, score, doubled)?;
    let what = format!("{}: slope of {} against ln of {}", trend.row.label, score.y(), key.name());
    let slope = trend.slope;
    Ok(trend.finding(what, slope, Claimed::Above(0.0)))
}

/// Over the whole range y does not grow by the margin.
pub(super) fn holds(
    e: &Evidence<'_>,
    row: &str,
    key: Key,
    score: Score,
    doubled: bool,
    margin: f64,
) -> Found<Finding> {
    let trend = trend(e, row, key, score, doubled)?;
    let what =
        format!("{}: {} gained from least to largest {}", trend.row.label, score.y(), key.name());
    let Estimate { value, standard_error, df } = trend.slope;
    let range = trend.range;
    let over = Estimate { value: value * range, standard_error: standard_error * range, df };
    Ok(trend.finding(what, over, Claimed::unbeaten(margin)))
}
