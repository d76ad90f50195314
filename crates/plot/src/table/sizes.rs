//! Scores share a column only if their runs differ in nothing but what the rows name. Runs of other
//! widths, width corrections, batches or horizons have their own tables.

use super::cell::{Cell, Grid};
use crate::describe;
use crate::scored::{Run, ScoredSweep};
use sngan_experiment::{ClipCorrection, RunSpec, WidthCorrection};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Runs that may share columns.
pub(super) struct SizeGroup {
    /// Their sizes in words, for a heading.
    pub(super) sizes: String,
    /// The sweeps, with only these runs; sweeps without any are left out.
    pub(super) sweeps: Vec<ScoredSweep>,
}

/// What all runs of a column have in common. It orders the tables: the widest, longest runs first.
type Sizes = (usize, Reverse<usize>, Reverse<u64>);

/// Width divisor, batch and updates; a run of 2x updates counts with half of them.
fn sizes(run: &Run) -> Sizes {
    let spec = &run.spec;
    let updates = if run.twice { spec.gen_updates / 2 } else { spec.gen_updates };
    (spec.width_divisor, Reverse(spec.batch), Reverse(updates))
}

/// How a run's width is corrected, in words; `None` for a run that no correction changes, which can
/// share a column with any.
fn width_correction(spec: &RunSpec) -> Option<&'static str> {
    match spec.width_correction {
        WidthCorrection::None => spec.lacks_correction().then_some("uncorrected"),
        WidthCorrection::InitialStd => Some("corrected in the initial weights"),
        WidthCorrection::Multiplier => Some("corrected by a multiplier"),
    }
}

/// How the correction changes weight clipping's bound, in words; `None` if there is no such bound.
fn clip_correction(spec: &RunSpec) -> Option<&'static str> {
    match spec.clip_correction {
        ClipCorrection::None => None,
        ClipCorrection::Root => Some("clipping's bound times √k"),
        ClipCorrection::Full => Some("clipping's bound times k"),
    }
}

/// The sizes of a run that are not those of `other`, in words: `220 updates`.
pub(super) fn differing(run: &RunSpec, other: &RunSpec) -> String {
    let words = |s: &RunSpec| {
        [
            Some(describe::width(s.width_divisor)),
            width_correction(s).map(str::to_string),
            clip_correction(s).map(str::to_string),
            Some(format!("batch {}", s.batch)),
            Some(format!("{} updates", s.gen_updates)),
        ]
    };
    let pairs = words(run).into_iter().zip(words(other));
    let differing = pairs.filter(|(own, others)| own != others).filter_map(|(own, _)| own);
    differing.collect::<Vec<_>>().join(", ")
}

/// The runs of all sweeps by their sizes, which a column must not mix. Sweeps without runs are
/// kept.
pub(super) fn parts(sweeps: &[ScoredSweep]) -> Vec<SizeGroup> {
    let runs = || sweeps.iter().flat_map(|c| &c.runs);
    let mut parts = Vec::new();
    for these in runs().map(sizes).collect::<BTreeSet<Sizes>>() {
        let of_sizes = |r: &&Run| sizes(r) == these;
        for width in choices(runs().filter(of_sizes).map(|r| width_correction(&r.spec))) {
            let of_width = |s: &&RunSpec| fits(width_correction(s), width);
            let specs = runs().filter(of_sizes).map(|r| &r.spec);
            let clips = choices(specs.filter(of_width).map(clip_correction));
            for clip in clips {
                let member = |r: &Run| {
                    sizes(r) == these
                        && fits(width_correction(&r.spec), width)
                        && fits(clip_correction(&r.spec), clip)
                };
                parts.push(part(sweeps, (these, width, clip), member));
            }
        }
    }
    if parts.is_empty() {
        parts.push(SizeGroup { sizes: "no run has begun".into(), sweeps: sweeps.to_vec() });
    }
    parts
}

/// The different corrections among runs; none if no run has any.
fn choices(corrections: impl Iterator<Item = Option<&'static str>>) -> Vec<Option<&'static str>> {
    let named: BTreeSet<_> = corrections.flatten().collect();
    if named.is_empty() { vec![None] } else { named.into_iter().map(Some).collect() }
}

fn fits(correction: Option<&str>, wanted: Option<&str>) -> bool {
    correction.is_none() || correction == wanted
}

fn part(
    sweeps: &[ScoredSweep],
    (sizes, width, clip): (Sizes, Option<&str>, Option<&str>),
    member: impl Fn(&Run) -> bool,
) -> SizeGroup {
    let kept = sweeps.iter().filter_map(|c| {
        let runs: Vec<Run> = c.runs.iter().filter(|r| member(r)).cloned().collect();
        (!runs.is_empty()).then(|| ScoredSweep { runs, ..c.clone() })
    });
    let kept: Vec<ScoredSweep> = kept.collect();
    let (divisor, Reverse(batch), Reverse(updates)) = sizes;
    let mut words = vec![describe::width(divisor)];
    words.extend([width, clip].into_iter().flatten().map(str::to_string));
    words.push(format!("batch {batch}"));
    let twice = kept.iter().flat_map(|c| &c.runs).any(|r| r.twice);
    let more = if twice { format!(" (2x: {})", 2 * updates) } else { String::new() };
    words.push(format!("{updates} updates{more}"));
    SizeGroup { sizes: words.join(", "), sweeps: kept }
}

/// A grid with only the columns that are kept.
pub(super) fn columns(grid: &Grid, kept: impl Fn(usize) -> bool) -> Grid {
    fn of<T: Clone>(all: &[T], kept: &impl Fn(usize) -> bool) -> Vec<T> {
        all.iter().enumerate().filter(|(i, _)| kept(*i)).map(|(_, x)| x.clone()).collect()
    }
    Grid {
        caption: grid.caption.clone(),
        header: of(&grid.header, &kept),
        rows: grid.rows.iter().map(|row| of(row, &kept)).collect(),
    }
}

/// Grids with one header as one CSV; each row starts with its grid's caption.
pub(super) fn csv(grids: &[Grid]) -> String {
    let mut all = Grid::new("", &["sizes"]);
    for grid in grids {
        if all.rows.is_empty() {
            all.header.truncate(1);
            all.header.extend(grid.header.iter().cloned());
        }
        let caption = || Cell::text(grid.caption.as_str());
        all.rows.extend(
            grid.rows
                .iter()
                .map(|row| [caption()].into_iter().chain(row.iter().cloned()).collect()),
        );
    }
    all.csv()
}

/// Grids as Markdown, one below the other.
pub(super) fn markdown(grids: &[Grid]) -> String {
    grids.iter().map(Grid::markdown).collect::<Vec<_>>().join("\n")
}
