//! The cost of an update.

use super::evidence::{Evidence, Found, Stop};
use super::finding::{Comparison, Finding};
use super::logs::estimate;
use crate::statistics::Claimed;
use sngan_experiment::method::Method;
use std::ops::RangeInclusive;

/// The ratio of two methods' seconds lies in a range. Methods take turns in each round, so rounds
/// are pairs.
pub(super) fn costs(
    e: &Evidence<'_>,
    method: Method,
    against: Method,
    side: usize,
    range: RangeInclusive<f64>,
) -> Found<Finding> {
    let timings = e
        .timings
        .ok_or_else(|| Stop::Missing("no timings were given (`sngan bench figure10`)".into()))?;
    let [a, b] = [method, against].map(|m| timings.seconds_per_100(m, side));
    if a.is_empty() || b.is_empty() {
        return Err(Stop::Missing(format!(
            "no timings of {} and {} at side {side}",
            method.name(),
            against.name()
        )));
    }
    let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a / b).ln()).collect();
    let needs = Claimed::Within(range.start().ln(), range.end().ln());
    let name = format!("seconds, {} over {}", method.label(), against.label());
    let comparison = Comparison::new(name, estimate(&ratios), needs, ratios.len());
    Ok(Finding::all(vec![comparison.shown_as_ratio()], &[]))
}
