//! Figures 4 and 11: Inception score of SN and another method against one key of the spec.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Point, Series};
use crate::describe::seeds_of_cells;
use crate::scored::{Run, ScoredSweep, repetitions};
use crate::{Rendered, Result};
use sngan_experiment::method::{Method, Setting};
use sngan_experiment::records::Metric;
use sngan_experiment::{RunSpec, settings};

/// What differs between the figures.
struct Figure {
    stem: &'static str,
    title: &'static str,
    x: AxisSpec,
    key: fn(&RunSpec) -> f64,
    /// The key's name in a spec.
    field: &'static str,
    /// What one curve's runs share: the setting's values but for the key.
    setting: fn(&RunSpec) -> [f64; 4],
    /// The setting's values that vary along a curve, for the title.
    aside: &'static str,
    methods: [Method; 2],
    /// The paper's range of scores, used if ours can be compared with the paper's.
    range: (f64, f64),
    /// What the paper's figure shows, because the paper prints no numbers.
    papers: &'static str,
    /// How our band, the standard deviation over seeds, stands to the paper's.
    band: &'static str,
}

/// D's last convolution: the paper's orthonormal regularization falls beyond size 1.
pub(crate) fn fig4(request: &Materials<'_>) -> Result<Rendered> {
    let figure = Figure {
        stem: "fig4",
        title: "inception score against the size of D's last convolution",
        x: AxisSpec::linear(
            "relative size of the 7th convolution's input and output",
            Some((0.0, 8.0)),
        ),
        key: |s| s.last_conv_factor,
        field: "last_conv_factor",
        setting: |s| [s.lr, s.beta1, s.beta2, f64::from(s.n_dis)],
        aside: "",
        methods: [Method::Orthonormal, Method::Sn],
        range: (7.9, 8.6),
        papers: "its scores lie between 7.9 and 8.6, orthonormal's falling beyond size 1.",
        band: "as in the paper",
    };
    figure.render(request)
}

/// Updates of D per update of G: the paper's weight normalization falls with their number.
pub(crate) fn fig11(request: &Materials<'_>) -> Result<Rendered> {
    let figure = Figure {
        stem: "fig11",
        title: "inception score against n_dis",
        x: AxisSpec::log("n_dis, updates of D for one of G"),
        key: |s| f64::from(s.n_dis),
        field: "n_dis",
        setting: |s| [s.lr, s.beta1, s.beta2, 0.0],
        aside: " but for n_dis",
        methods: [Method::Sn, Method::WeightNorm],
        range: (2.0, 7.0),
        papers: "its scores lie between 2 and 7 after 10,000 updates, WN's falling with n_dis.",
        band: "where the paper has the variance",
    };
    figure.render(request)
}

impl Figure {
    fn render(&self, request: &Materials<'_>) -> Result<Rendered> {
        request.each(|c| {
            let Some(protocol) = c.protocol(Metric::Is) else {
                return Ok(Rendered::Skipped("no run has a score".into()));
            };
            let panel = Panel {
                title: String::new(),
                x: AxisSpec { ticks: self.values(&c.runs), ..self.x.clone() },
                y: AxisSpec::linear(
                    format!("is[{}]", protocol.backbone),
                    c.comparable(Metric::Is).then_some(self.range),
                ),
                series: self.series(c)?,
                marks: Vec::new(),
            };
            let mut notes = vec![
                c.describe_runs(),
                c.describe_scores(Metric::Is).unwrap_or_default(),
                self.describe_bands(c) + &diverged(c),
            ];
            if request.compare {
                notes.push(format!("The paper prints no numbers here: {}", self.papers));
            }
            let chart = Chart {
                stem: self.stem.into(),
                title: c
                    .titled(self.stem, &format!("{}, {}", self.title, self.describe_settings(c))),
                notes,
                panels: vec![panel],
                columns: 1,
                panel: (820 * DENSITY, 420 * DENSITY),
            };
            chart.render(request.folder)
        })
    }

    /// The values of the key that ran, in increasing order.
    fn values<'r>(&self, runs: impl IntoIterator<Item = &'r Run>) -> Vec<f64> {
        let mut values: Vec<f64> = runs.into_iter().map(|r| (self.key)(&r.spec)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    }

    /// What a point and its band are; the paper's bands are of other kinds.
    fn describe_bands(&self, c: &ScoredSweep) -> String {
        match seeds_of_cells(&c.runs.iter().collect::<Vec<_>>()) {
            None => "One run each (n = 1): no spread is known.".into(),
            Some(seeds) => {
                format!("Mean over {seeds}; bands: the standard deviation, {}.", self.band)
            }
        }
    }

    /// The different settings of the curves.
    fn settings(&self, c: &ScoredSweep) -> Vec<[f64; 4]> {
        let mut settings: Vec<[f64; 4]> = Vec::new();
        for setting in c.runs.iter().map(|r| (self.setting)(&r.spec)) {
            if !settings.contains(&setting) {
                settings.push(setting);
            }
        }
        settings.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        settings
    }

    /// The name of a curve's setting: the first named one that has its values apart from the key,
    /// else the name its runs have.
    fn setting_name(&self, c: &ScoredSweep, setting: [f64; 4]) -> String {
        let of = |s: &Setting| {
            let Setting { lr, beta1, beta2, n_dis } = *s;
            (self.setting)(&RunSpec { lr, beta1, beta2, n_dis, ..RunSpec::paper(Method::Sn) })
        };
        let named = settings().unwrap_or_default().into_iter().find(|(_, s)| of(s) == setting);
        let of_a_run = || c.runs.iter().find(|r| (self.setting)(&r.spec) == setting);
        named
            .map(|(name, _)| name)
            .or_else(|| of_a_run().map(|r| r.spec.setting.clone()))
            .unwrap_or_default()
    }

    /// `setting D`, or all settings of the curves.
    fn describe_settings(&self, c: &ScoredSweep) -> String {
        let names: Vec<String> =
            self.settings(c).into_iter().map(|s| self.setting_name(c, s)).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        format!("setting{plural} {}{}", names.join(", "), self.aside)
    }

    /// A series for each method in each setting: the last inception score against the key, over seeds, and where runs diverged.
    ///
    /// # Errors
    /// [`Error::MixedRow`](crate::Error::MixedRow) where a curve's runs differ in more than the key.
    fn series(&self, c: &ScoredSweep) -> Result<Vec<Series>> {
        let settings = self.settings(c);
        let of = |method: Method, setting: [f64; 4]| {
            let fits = |r: &&Run| r.spec.family() == method && (self.setting)(&r.spec) == setting;
            let runs = repetitions(c.runs.iter().filter(fits), &[self.field])?;
            let values = self.values(runs.iter().copied());
            let at = |x: f64| runs.iter().filter(move |r| (self.key)(&r.spec) == x);
            let scores = |x: f64| at(x).filter_map(|r| r.last(Metric::Is)).collect::<Vec<_>>();
            let points =
                values.iter().filter_map(|x| Point::with_deviation(*x, &scores(*x))).collect();
            let diverged =
                values.iter().copied().filter(|x| at(*x).any(|r| r.diverged())).collect();
            let name = if settings.len() > 1 {
                format!("{}, {}", method.label(), self.setting_name(c, setting))
            } else {
                method.label().to_string()
            };
            Ok(Series { name, points, diverged, method: Some(method), ..Series::default() })
        };
        let pairs = self.methods.iter().flat_map(|m| settings.iter().map(|s| (*m, *s)));
        let mut all: Vec<Series> =
            pairs.map(|(method, setting)| of(method, setting)).collect::<Result<_>>()?;
        all.retain(|s| !s.is_empty());
        Ok(all)
    }
}

/// A caption's line about the runs that have no score because they diverged.
fn diverged(c: &ScoredSweep) -> String {
    match c.runs.iter().filter(|r| r.diverged()).count() {
        0 => String::new(),
        n => format!(
            " ×: {n} run{} diverged and {} in no mean.",
            if n == 1 { "" } else { "s" },
            if n == 1 { "is" } else { "are" }
        ),
    }
}
