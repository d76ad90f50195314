//! How even each row of a sweep is over its settings, which is what the paper asks about: the first thing that a reader sees.

use crate::ScoredSweep;
use crate::scored::{Run, compares_with_others};
use crate::statistics::{mean, prediction};
use sngan_experiment::records::Metric;
use std::collections::BTreeSet;

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

/// Number of different seeds with an FID.
pub(crate) fn seeds(c: &ScoredSweep) -> usize {
    let scored = c.runs.iter().filter(|r| r.last(Metric::Fid).is_some());
    scored.map(|r| r.spec.seed).collect::<BTreeSet<_>>().len()
}

/// Heading and rows of [`evenness`] for a terminal of 80 columns; empty where no run has an FID. Names of rows
/// and settings stand in full: where a line of columns has no room for them, each row has several lines.
pub fn evenness_lines(c: &ScoredSweep) -> Vec<String> {
    let rows = evenness(c);
    let Some(protocol) = c.protocol(Metric::Fid).filter(|_| !rows.is_empty()) else {
        return Vec::new();
    };
    let heading = |settings: String| {
        let others = protocol.reference.as_ref().filter(|_| compares_with_others(protocol));
        let against = others.map_or_else(String::new, |r| format!(", against {}", r.name));
        format!("FID over {settings} through {}{against}, lower is better", protocol.backbone)
    };
    let named = heading(c.describe_settings());
    let counted = heading(format!("{} settings", c.settings().len()));
    let mut lines = vec![if fits(&named) { named } else { counted }];
    lines.extend(table(&rows).unwrap_or_else(|| rows.iter().flat_map(stacked).collect()));
    lines.push("level: the geometric mean over the settings".into());
    if seeds(c) == 1 {
        lines.push(ONE_SEED.into());
    }
    lines
}

/// Columns of the terminal.
const COLUMNS: usize = 80;
/// The least columns of the names of rows, and of a score with its setting.
const NAME: usize = 26;
const SCORE: usize = 11;

fn fits(line: &str) -> bool {
    line.chars().count() <= COLUMNS
}

/// A heading and a line for each row, with columns as wide as their names; `None` where that is too wide.
fn table(rows: &[Evenness]) -> Option<Vec<String>> {
    let at = |(setting, value): &(String, f64)| format!("{value:.1} {setting}");
    let best: Vec<String> = rows.iter().map(|r| at(&r.best)).collect();
    let worst: Vec<String> = rows.iter().map(|r| at(&r.worst)).collect();
    let longest = |cells: &[String]| cells.iter().map(|c| c.chars().count()).max().unwrap_or(0);
    let [b, w] = [&best, &worst].map(|cells| SCORE.max(longest(cells) + 2));
    let lines = |n: usize| -> Vec<String> {
        let heads =
            format!("{:<n$}{:>7}{:>b$}{:>w$}{:>12}", "", "level", "best", "worst", "worst/best");
        let line = |(i, r): (usize, &Evenness)| {
            let lost: String = lost(r).iter().map(|said| format!(" {said}")).collect();
            format!(
                "{:<n$}{:>7}{:>b$}{:>w$}{:>12.1}{lost}",
                r.label,
                level(r),
                best[i],
                worst[i],
                r.worst.1 / r.best.1
            )
        };
        std::iter::once(heads).chain(rows.iter().enumerate().map(line)).collect()
    };
    let names = rows.iter().map(|r| r.label.chars().count() + 1).max().unwrap_or(0);
    [NAME.max(names), names].into_iter().map(lines).find(|all| all.iter().all(|line| fits(line)))
}

/// A row's name, and below it what it reaches, each number with its name.
fn stacked(r: &Evenness) -> Vec<String> {
    let at = |(setting, value): &(String, f64)| format!("{value:.1} at {setting}");
    let mut items = vec![
        format!("level {}", level(r)),
        format!("best {}", at(&r.best)),
        format!("worst {}", at(&r.worst)),
        format!("worst/best {:.1}", r.worst.1 / r.best.1),
    ];
    items.extend(lost(r));
    let (mut lines, mut line) = (Vec::new(), r.label.clone());
    for item in items {
        let longer = format!("{line} · {item}");
        if lines.is_empty() || !fits(&longer) {
            lines.push(std::mem::replace(&mut line, format!("    {item}")));
        } else {
            line = longer;
        }
    }
    lines.push(line);
    lines
}

fn level(r: &Evenness) -> String {
    r.level.map_or_else(|| "–".into(), |level| format!("{level:.1}"))
}

/// How many of a row's runs diverged or are silent, if any.
fn lost(r: &Evenness) -> Vec<String> {
    let counts = [(r.diverged, "diverged"), (r.silent, "silent")];
    let some = counts.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect()
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
