//! The kinds of tests. experiments/claims.toml says what each one decides.

use super::best::{self, Pair};
use super::definitions::Score;
use super::evidence::{Evidence, Found};
use super::finding::Finding;
use super::trend::{self, Key};
use super::{costs, level, logs, spectra};
use serde::Deserialize;
use sngan_experiment::method::Method;

/// How a part of a claim is decided.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Test {
    Level(Level),
    Fails(Fails),
    Beats { row: String, others: Vec<String>, metric: Option<Score> },
    Unbeaten { row: String, others: Vec<String>, metric: Option<Score> },
    GainsAtMost { row: String, against: String, metric: Option<Score>, factor: f64 },
    Concentrates(Concentrates),
    NearOne { row: String, setting: String, within: f64, share: f64, until: u64 },
    Exceeds { row: String, setting: String, layers: Vec<String>, above: f64, until: u64 },
    Settles { row: String, setting: String, layers: Vec<String>, within: f64, from: u64, to: u64 },
    Costs { method: Method, against: Method, side: usize, from: f64, to: f64 },
    Degrades { row: String, key: Key, metric: Option<Score> },
    Holds { row: String, key: Key, metric: Option<Score> },
    OverfitsLess { row: String, against: String, from: u64, to: u64 },
}

/// A row's level over settings against each of others'.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    pub(super) row: String,
    pub(super) others: Vec<String>,
    pub(super) settings: Vec<String>,
    metric: Option<Score>,
}

/// A row in single settings against another's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fails {
    pub(super) row: String,
    pub(super) against: String,
    pub(super) settings: Vec<String>,
    pub(super) factor: f64,
    metric: Option<Score>,
}

/// Stable ranks of a row against another's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Concentrates {
    pub(super) row: String,
    pub(super) weights: String,
    pub(super) against: String,
    pub(super) layers: Vec<String>,
    pub(super) factor: f64,
    metric: Option<Score>,
}

impl Test {
    /// The rows or methods that it compares.
    #[cfg(test)]
    pub(super) fn rows(&self) -> Vec<&str> {
        match self {
            Test::Level(Level { row, others, .. })
            | Test::Beats { row, others, .. }
            | Test::Unbeaten { row, others, .. } => {
                std::iter::once(row.as_str()).chain(others.iter().map(String::as_str)).collect()
            }
            Test::Fails(Fails { row, against, .. })
            | Test::Concentrates(Concentrates { row, against, .. })
            | Test::GainsAtMost { row, against, .. }
            | Test::OverfitsLess { row, against, .. } => vec![row, against],
            Test::NearOne { row, .. }
            | Test::Exceeds { row, .. }
            | Test::Settles { row, .. }
            | Test::Degrades { row, .. }
            | Test::Holds { row, .. } => vec![row],
            Test::Costs { method, against, .. } => vec![method.name(), against.name()],
        }
    }

    /// The finding from the records.
    pub(super) fn decide(&self, e: &Evidence<'_>) -> Found<Finding> {
        let twice = |metric: &Option<Score>, of: &dyn Fn(Score, bool) -> Found<Finding>| {
            let score = metric.unwrap_or(e.definitions.metric);
            Ok(of(score, false)?.repeated(&of(score, true)?))
        };
        let margin = |score: Score| e.definitions.margin.of(score).ln();
        match self {
            Test::Level(t) => twice(&t.metric, &|s, d| level::level(e, t, s, d)),
            Test::Fails(t) => twice(&t.metric, &|s, d| level::fails(e, t, s, d)),
            Test::Beats { row, others, metric } => {
                twice(metric, &|s, d| best::below(e, &Pair::each(row, others), s, d, 0.0))
            }
            Test::Unbeaten { row, others, metric } => {
                twice(metric, &|s, d| best::below(e, &Pair::each(row, others), s, d, margin(s)))
            }
            Test::GainsAtMost { row, against, metric, factor } => twice(metric, &|s, d| {
                best::above(e, &Pair { row, other: against }, s, d, -factor.ln())
            }),
            Test::Concentrates(t) => twice(&t.metric, &|s, d| spectra::concentrates(e, t, s, d)),
            Test::NearOne { row, setting, within, share, until } => {
                logs::near_one(e, (row, setting), *within, *share, *until)
            }
            Test::Exceeds { row, setting, layers, above, until } => {
                logs::exceeds(e, (row, setting), layers, *above, *until)
            }
            Test::Settles { row, setting, layers, within, from, to } => {
                logs::settles(e, (row, setting), layers, *within, *from..=*to)
            }
            Test::Costs { method, against, side, from, to } => {
                costs::costs(e, *method, *against, *side, *from..=*to)
            }
            Test::Degrades { row, key, metric } => {
                twice(metric, &|s, d| trend::degrades(e, row, *key, s, d))
            }
            Test::Holds { row, key, metric } => {
                twice(metric, &|s, d| trend::holds(e, row, *key, s, d, margin(s)))
            }
            Test::OverfitsLess { row, against, from, to } => {
                logs::overfits_less(e, (row, against), *from..=*to)
            }
        }
    }
}
