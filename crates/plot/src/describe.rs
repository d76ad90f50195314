//! Sweeps in words: what captions, headings and conditions say about the runs.

use crate::scored::{PAPERS_SETTING, Run, ScoredSweep};
use sngan_experiment::WidthCorrection;
use sngan_experiment::records::Metric;
use std::collections::{BTreeMap, BTreeSet};

impl ScoredSweep {
    /// `setting D`, or all settings of the runs.
    pub(crate) fn describe_settings(&self) -> String {
        match self.settings().as_slice() {
            [one] => format!("setting {one}"),
            several => format!("settings {}", several.join(", ")),
        }
    }

    /// A caption's line about why a figure of one setting shows that one; `None` where it is the paper's or the
    /// only one.
    pub(crate) fn describe_shown_setting(&self) -> Option<String> {
        let shown = self.shown_setting();
        (shown != PAPERS_SETTING && self.settings().len() > 1).then(|| {
            format!(
                "No setting is called {PAPERS_SETTING}; {shown} is the first in alphabetical order."
            )
        })
    }

    /// `CIFAR-10`, or its stand-in: `Fashion-MNIST in place of CIFAR-10`.
    pub(crate) fn data_name(&self) -> String {
        let ours = self.data(Run::data_name);
        match self.paper_dataset() {
            Some(papers) if !self.is_on(papers) => {
                format!("{ours} in place of {}", papers.title())
            }
            _ => ours,
        }
    }

    /// What was run, for a line above the results:
    /// `scale narrow, CIFAR-10, side 32, width/4, batch 64, 10000 updates, scored by inception`. Single runs have no
    /// scale.
    pub fn conditions(&self) -> String {
        let protocols = self.metrics().into_iter().filter_map(|m| self.protocol(m));
        let backbones = distinct(protocols.map(|p| p.backbone.as_str()));
        let scored = if backbones.is_empty() {
            "not scored".into()
        } else {
            format!("scored by {backbones}")
        };
        let scale = self.scale().map_or_else(String::new, |scale| format!("scale {scale}, "));
        format!(
            "{scale}{}, side {}, {}, batch {}, {} updates, {scored}",
            self.data_name(),
            self.values("side", |r| r.spec.side),
            self.widths(),
            self.values("batch", |r| r.spec.batch),
            self.values("gen_updates", |r| r.spec.gen_updates),
        )
    }

    /// `full width`, or `width/4 (corrected where it matters)`: the widths, and how the runs that a
    /// reduced one changes were corrected.
    fn widths(&self) -> String {
        let widths = distinct(self.runs.iter().map(|r| width(r.spec.width_divisor)));
        let known = self.runs.iter().filter(|r| r.spec.knows("width_correction"));
        let corrections = distinct(known.filter_map(|r| match r.spec.width_correction {
            WidthCorrection::Multiplier => Some("corrected"),
            WidthCorrection::InitialStd => Some("corrected in the initial weights"),
            WidthCorrection::None => r.spec.lacks_correction().then_some("uncorrected"),
        }));
        if corrections.is_empty() {
            widths
        } else {
            format!("{widths} ({corrections} where it matters)")
        }
    }

    /// A caption's line about the runs: their data and sizes, and whether they are only a stand-in
    /// for the paper's.
    pub fn describe_runs(&self) -> String {
        let damaged: Vec<&str> = self.damaged.iter().map(|d| d.name.as_str()).collect();
        if damaged.is_empty() {
            return self.describe_whole_runs();
        }
        let runs = self.describe_whole_runs();
        format!("{runs} Left out, because their records are damaged: {}.", damaged.join(", "))
    }

    fn describe_whole_runs(&self) -> String {
        let ran = format!(
            "{} at side {}, {}, batch {}, {} updates ({}).",
            self.data(|r| r.data().to_string()),
            self.values("side", |r| r.spec.side),
            self.widths(),
            self.values("batch", |r| r.spec.batch),
            self.values("gen_updates", |r| r.spec.gen_updates),
            self.origin(),
        );
        let Some(paper) = self.paper() else { return ran };
        let papers = |r: &Run| {
            r.is_on(paper.dataset)
                && (r.spec.side, r.spec.width_divisor) == (paper.side, 1)
                && self.plan.scale == "paper"
        };
        if self.runs.iter().all(papers) {
            return format!("The paper's sizes: {ran}");
        }
        format!(
            "Stand-in for the paper's {}, full width, {} updates: {ran}",
            paper.dataset.title(),
            thousands(paper.gen_updates)
        )
    }

    /// `table1, quick`; of single runs, which have no scale, only what they are.
    fn origin(&self) -> String {
        match self.scale() {
            Some(scale) => format!("{}, {scale}", self.plan.name),
            None => self.plan.title.clone(),
        }
    }

    /// The title of a table or figure: with its number in the paper if the runs are for it, else
    /// only in words.
    pub(crate) fn titled(&self, id: &str, words: &str) -> String {
        let number = |kind: &str| id.strip_prefix(kind)?.parse::<u32>().ok();
        match (number("fig"), number("table")) {
            (Some(n), _) if self.paper().is_some_and(|p| p.has(id)) => {
                format!("Figure {n}: {words}")
            }
            (_, Some(n)) if self.paper().is_some_and(|p| p.has(id)) => {
                format!("Table {n} — {words}")
            }
            _ => {
                let mut letters = words.chars();
                letters
                    .next()
                    .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            }
        }
    }

    /// A caption's line about the scores, if there are any.
    pub fn describe_scores(&self, metric: Metric) -> Option<String> {
        let p = self.protocol(metric)?;
        let reference = p
            .reference
            .as_ref()
            .map_or_else(String::new, |r| format!(", {} references ({})", r.n, r.name));
        let splits =
            if p.n_splits > 1 { format!(" in {} splits", p.n_splits) } else { String::new() };
        let stamps =
            if p.stamps.is_empty() { String::new() } else { format!(" ({})", p.stamps.join(", ")) };
        Some(format!(
            "Protocol {} through {}: {} samples{splits}{reference}{stamps}.",
            p.name, p.backbone, p.n_samples
        ))
    }

    /// A caption's line about learning curves, if there are any.
    pub fn describe_curves(&self, metric: Metric) -> Option<String> {
        let p = self.curve_protocol(metric)?;
        Some(format!(
            "Curves: protocol {} through {}, {} samples.",
            p.name, p.backbone, p.n_samples
        ))
    }

    /// A caption's line about the seeds, and the meaning of bands and whiskers.
    pub fn describe_seeds(&self) -> String {
        describe_seeds(&self.runs.iter().collect::<Vec<_>>())
    }

    /// The distinct values of a key, `unknown` where another program trained the networks and their files do not tell it.
    fn values<T: Ord + std::fmt::Display>(&self, key: &str, of: impl Fn(&Run) -> T) -> String {
        let (known, unknown): (Vec<&Run>, Vec<&Run>) =
            self.runs.iter().partition(|r| r.spec.knows(key));
        let known: Vec<String> =
            known.into_iter().map(of).collect::<BTreeSet<T>>().iter().map(T::to_string).collect();
        let unknown = (!unknown.is_empty()).then(|| "unknown".to_string());
        known.into_iter().chain(unknown).collect::<Vec<_>>().join(" or ")
    }

    /// The names of the data, or `unknown data`.
    fn data(&self, name: impl Fn(&Run) -> String) -> String {
        let names = self.values("dataset", name);
        if self.runs.iter().all(|r| r.spec.knows("dataset")) {
            names
        } else {
            format!("{names} data")
        }
    }
}

/// Different values in order: `32 or 48`.
fn distinct<T: Ord + std::fmt::Display>(values: impl Iterator<Item = T>) -> String {
    values.collect::<BTreeSet<T>>().iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

/// `450000` as `450,000`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let split = |(i, c): (usize, char)| {
        if i > 0 && (digits.len() - i).is_multiple_of(3) { format!(",{c}") } else { c.to_string() }
    };
    digits.chars().enumerate().map(split).collect()
}

/// `full width` or `width/4`.
pub(crate) fn width(divisor: usize) -> String {
    if divisor == 1 { "full width".into() } else { format!("width/{divisor}") }
}
/// A caption's line about the seeds of `runs`, and the meaning of bands and whiskers.
pub(crate) fn describe_seeds(runs: &[&Run]) -> String {
    match seeds_of_cells(runs) {
        None => "One run each (n = 1): no spread is known.".into(),
        Some(seeds) => format!("Mean over {seeds}; bands and whiskers: its standard error."),
    }
}

/// How many runs the cells of a table of `runs` have, such as `2 to 3 seeds`; `None` where none has
/// more than one.
pub(crate) fn seeds_of_cells(runs: &[&Run]) -> Option<String> {
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in runs {
        *cells.entry((&run.spec.label, &run.spec.setting)).or_default() += 1;
    }
    match (cells.values().min()?, cells.values().max()?) {
        (_, 1) => None,
        (a, b) if a == b => Some(format!("{a} seeds")),
        (a, b) => Some(format!("{a} to {b} seeds")),
    }
}
