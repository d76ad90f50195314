//! How even each row of a sweep is over its settings, which is what the paper asks about: the first thing that a reader sees.

use crate::ScoredSweep;
use crate::scored::Run;
use crate::statistics::{mean, prediction};
use sngan_experiment::records::Metric;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A row's scores over the settings of its sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Evenness {
    /// The row.
    pub label: String,
    /// The geometric mean of the settings' mean FIDs; `None` where a setting has none.
    pub level: Option<f64>,
    /// The best setting and its mean FID.
    pub best: (String, f64),
    /// The worst setting and its mean FID.
    pub worst: (String, f64),
    /// Settings that have an FID.
    pub settings: usize,
    /// Runs that have one.
    pub runs: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs whose critic is dead, or silent with its fate unknown.
    pub silent: usize,
}

/// Every row that has an FID, those with one in all settings first, the lowest level first.
pub fn evenness(c: &ScoredSweep) -> Vec<Evenness> {
    let mut rows: Vec<Evenness> = c.labels().into_iter().filter_map(|l| row(c, l)).collect();
    let key = |r: &Evenness| r.level.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
    rows
}

fn row(c: &ScoredSweep, label: &str) -> Option<Evenness> {
    let settings = c.settings();
    let of = |setting: &&str| {
        let values: Vec<f64> = c.cell(label, setting).filter_map(|r| r.last(Metric::Fid)).collect();
        (!values.is_empty()).then(|| (setting.to_string(), mean(&values)))
    };
    let means: Vec<(String, f64)> = settings.iter().filter_map(of).collect();
    let runs = || c.runs.iter().filter(|r| r.spec.label == label);
    let by_value = |a: &&(String, f64), b: &&(String, f64)| a.1.total_cmp(&b.1);
    let logs: Vec<f64> = means.iter().map(|(_, v)| v.ln()).collect();
    Some(Evenness {
        label: label.to_string(),
        level: (means.len() == settings.len()).then(|| mean(&logs).exp()),
        best: means.iter().min_by(by_value)?.clone(),
        worst: means.iter().max_by(by_value)?.clone(),
        settings: means.len(),
        runs: runs().filter(|r| r.last(Metric::Fid).is_some()).count(),
        diverged: runs().filter(|r| r.diverged()).count(),
        silent: runs().filter(|r| r.has_dead_critic() || r.may_have_dead_critic()).count(),
    })
}

/// What is said of numbers without repetitions.
pub(crate) const ONE_SEED: &str =
    "One seed: these numbers differ by chance too, and answer no claim.";

/// Number of different seeds.
pub(crate) fn seeds(c: &ScoredSweep) -> usize {
    c.runs.iter().map(|r| r.spec.seed).collect::<BTreeSet<_>>().len()
}

/// Heading and rows of [`evenness`] for a terminal of 80 columns; empty where no run has an FID.
pub fn evenness_lines(c: &ScoredSweep) -> Vec<String> {
    let rows = evenness(c);
    let Some(protocol) = c.protocol(Metric::Fid).filter(|_| !rows.is_empty()) else {
        return Vec::new();
    };
    let heading = |settings: String| {
        format!("FID over {settings} through {}, lower is better", protocol.backbone)
    };
    let named = heading(c.describe_settings());
    let counted = heading(format!("{} settings", c.settings().len()));
    let mut lines = vec![
        if named.chars().count() <= 80 { named } else { counted },
        format!("{:<26}{:>7}{:>11}{:>11}{:>12}", "", "level", "best", "worst", "worst/best"),
    ];
    for r in &rows {
        let level = r.level.map_or_else(|| "–".into(), |l| format!("{l:.1}"));
        let at = |(setting, value): &(String, f64)| {
            let setting: String = setting.chars().take(4).collect();
            format!("{value:.1} {setting}")
        };
        let label: String = r.label.chars().take(25).collect();
        let mut line = format!(
            "{label:<26}{level:>7}{:>11}{:>11}{:>12.1}",
            at(&r.best),
            at(&r.worst),
            r.worst.1 / r.best.1
        );
        for (count, what) in [(r.diverged, "diverged"), (r.silent, "silent")] {
            if count > 0 {
                let _ = write!(line, " {count} {what}");
            }
        }
        lines.push(line.chars().take(80).collect());
    }
    lines.push("level: the geometric mean over the settings".into());
    if seeds(c) == 1 {
        lines.push(ONE_SEED.into());
    }
    lines
}

/// How the runs of a sweep stand to those of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Equal in every score to the run of the same identity.
    pub equal: usize,
    /// Different in a score, with an FID inside the 95 % prediction interval of the other sweep's
    /// seeds in the same cell.
    pub inside: usize,
    /// Different, and outside of it.
    pub outside: usize,
    /// Different, in a cell without such an interval: it needs two seeds.
    pub different: usize,
    /// Without a run of the same identity.
    pub new: usize,
}

/// Holds a sweep's finished runs against those of another that have the same identity.
pub fn repeated(c: &ScoredSweep, committed: &ScoredSweep) -> Repeated {
    let mut found = Repeated::default();
    for run in c.runs.iter().filter(|r| !r.scores.is_empty()) {
        let same = |other: &&Run| other.records.spec.id() == run.records.spec.id();
        match committed.runs.iter().find(same) {
            None => found.new += 1,
            Some(other) if other.scores == run.scores => found.equal += 1,
            Some(_) => match lies_inside(run, committed) {
                Some(true) => found.inside += 1,
                Some(false) => found.outside += 1,
                None => found.different += 1,
            },
        }
    }
    found
}

/// Whether a run's ln FID is one that a further seed of the other sweep's cell would have in 95 of
/// 100 cases.
fn lies_inside(run: &Run, committed: &ScoredSweep) -> Option<bool> {
    let fid = run.last(Metric::Fid)?.ln();
    let cell = committed.cell(&run.spec.label, &run.spec.setting);
    let logs: Vec<f64> = cell.filter_map(|r| Some(r.last(Metric::Fid)?.ln())).collect();
    let interval = prediction(&logs)?;
    Some((interval.low..=interval.high).contains(&fid))
}
