//! Under which protocols scores are shown beside each other.

use super::Run;
use crate::records::RunRecords;
use sngan_experiment::ProtocolName;
use sngan_experiment::protocol::ReferenceKind;
use sngan_experiment::records::{Metric, Protocol, ScoreRecord};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The untrained generator's score to compare this one with: the newest in the same metric under
/// the same protocol.
pub(crate) fn untrained_score(untrained: &[ScoreRecord], score: &ScoreRecord) -> Option<f64> {
    let fits = |s: &&ScoreRecord| (s.metric, &s.protocol) == (score.metric, &score.protocol);
    untrained.iter().rev().find(fits)?.value
}

/// Keeps only each metric's most frequent protocol in learning curves, because a curve under two
/// protocols would have a step.
pub(super) fn keep_commonest_protocol(runs: &mut [Run]) {
    let mut counts: BTreeMap<(Metric, Protocol), usize> = BTreeMap::new();
    for score in runs.iter().flat_map(|r| &r.curve) {
        *counts.entry((score.metric, score.protocol.clone())).or_default() += 1;
    }
    let mut commonest: BTreeMap<Metric, (usize, Protocol)> = BTreeMap::new();
    for ((metric, protocol), count) in counts {
        let entry = commonest.entry(metric).or_insert((0, protocol.clone()));
        if count > entry.0 {
            *entry = (count, protocol);
        }
    }
    for run in runs {
        run.curve.retain(|s| commonest.get(&s.metric).is_some_and(|(_, p)| *p == s.protocol));
    }
}

/// Whether a protocol compares with images or statistics that a command line named, and not with the runs' own data.
pub fn compares_with_others(protocol: &Protocol) -> bool {
    let name = protocol.name.parse::<ProtocolName>().ok();
    let part = name.and_then(|name| name.against()).map(|against| against.part);
    matches!(part, Some(ReferenceKind::Images | ReferenceKind::Statistics))
}

/// Runs scored under a protocol, whether it compares with their own images, its samples, and the line of its newest score.
type Rank = (usize, bool, usize, usize);

/// The protocol of each metric that most runs were scored under at their horizon; of several, the one that compares with the runs' own
/// images, then the one of most samples, then that of the newest score.
pub(super) fn shared_protocols(runs: &[Arc<RunRecords>]) -> BTreeMap<Metric, Protocol> {
    let mut taken: BTreeMap<(Metric, &Protocol), (BTreeSet<usize>, usize)> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        let at_horizon = run.scores.iter().filter(|s| s.gen_updates == run.spec.gen_updates);
        for (line, score) in at_horizon.enumerate() {
            let (of, newest) = taken.entry((score.metric, &score.protocol)).or_default();
            of.insert(i);
            *newest = line.max(*newest);
        }
    }
    let mut best: BTreeMap<Metric, (Rank, &Protocol)> = BTreeMap::new();
    for ((metric, protocol), (of, newest)) in taken {
        let rank = (of.len(), !compares_with_others(protocol), protocol.n_samples, newest);
        let entry = best.entry(metric).or_insert((rank, protocol));
        if rank > entry.0 {
            *entry = (rank, protocol);
        }
    }
    best.into_iter().map(|(metric, (_, protocol))| (metric, protocol.clone())).collect()
}

/// `key: a's → b's` for every key in which two protocols differ.
pub(crate) fn differences(a: &Protocol, b: &Protocol) -> String {
    let reference = |p: &Protocol| {
        p.reference
            .as_ref()
            .map_or_else(|| "none".into(), |r| format!("{} {} {}", r.n, r.name, r.sha256))
    };
    let pairs = [
        ("name", a.name.clone(), b.name.clone()),
        ("backbone", a.backbone.clone(), b.backbone.clone()),
        ("backbone_sha256", a.backbone_sha256.clone(), b.backbone_sha256.clone()),
        ("n_samples", a.n_samples.to_string(), b.n_samples.to_string()),
        ("n_splits", a.n_splits.to_string(), b.n_splits.to_string()),
        ("reference", reference(a), reference(b)),
        ("resize", a.resize.clone(), b.resize.clone()),
        ("bytes", a.bytes.clone(), b.bytes.clone()),
        ("stamps", a.stamps.join(" "), b.stamps.join(" ")),
    ];
    let differing: Vec<_> = pairs
        .into_iter()
        .filter(|(_, a, b)| a != b)
        .map(|(key, a, b)| format!("{key}: {a} → {b}"))
        .collect();
    differing.join("; ")
}
