//! Figure 11: the score against the number of D updates for one of G, SN beside weight normalization.

use crate::artefact::Request;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Point, Series};
use crate::collect::{Collected, Run};
use crate::{Rendered, Result};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_experiment::records::Metric;

pub(crate) fn render(request: &Request<'_>) -> Result<Rendered> {
    request.each(|c| {
        let Some(protocol) = c.protocol(Metric::Is) else { return Ok(Rendered::Skipped("no run has a score".into())) };
        let panel = Panel {
            title: String::new(),
            x: AxisSpec::log("n_dis, updates of D for one of G"),
            y: AxisSpec::linear(format!("is[{}]", protocol.backbone), c.comparable(Metric::Is).then_some((2.0, 7.0))),
            series: against(c, &[Method::Sn, Method::WeightNorm], |s| f64::from(s.n_dis)),
            marks: Vec::new(),
        };
        let mut notes =
            vec![c.describe_runs(), c.describe_scores(Metric::Is).unwrap_or_default(), c.describe_seeds() + &describe_diverged(c)];
        if request.compare {
            notes.push(
                "The paper prints no numbers here: its scores lie between 2 and 7 after 10,000 updates, WN's falling with n_dis.".into(),
            );
        }
        let chart = Chart {
            stem: "fig11".into(),
            title: format!("Figure 11: inception score against n_dis, {}", settings_of(c)),
            notes,
            panels: vec![panel],
            columns: 1,
            panel: (820 * DENSITY, 420 * DENSITY),
        };
        chart.render(request.folder)
    })
}

/// `setting D`, or all settings of the runs.
pub(super) fn settings_of(c: &Collected) -> String {
    match c.settings().as_slice() {
        [one] => format!("setting {one}"),
        several => format!("settings {}", several.join(", ")),
    }
}

/// A series for each method in each setting: the last inception score against a key of the spec, over seeds, and where runs diverged.
pub(super) fn against(c: &Collected, methods: &[Method], key: fn(&RunSpec) -> f64) -> Vec<Series> {
    let settings = c.settings();
    let of = |method: Method, setting: &str| {
        let runs: Vec<&Run> = c.runs.iter().filter(|r| r.spec.method == method && r.spec.setting == setting).collect();
        let mut values: Vec<f64> = runs.iter().map(|r| key(&r.spec)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let scores = |x: f64| runs.iter().filter(|r| key(&r.spec) == x).filter_map(|r| r.last(Metric::Is)).collect::<Vec<_>>();
        let points = values.iter().filter_map(|x| Point::over_seeds(*x, &scores(*x))).collect();
        values.retain(|x| runs.iter().any(|r| key(&r.spec) == *x && r.diverged()));
        let name = if settings.len() > 1 { format!("{}, {setting}", method.label()) } else { method.label().to_string() };
        Series { name, points, diverged: values, ..Series::default() }
    };
    let pairs = methods.iter().flat_map(|m| settings.iter().map(|s| (*m, *s)));
    pairs.map(|(method, setting)| of(method, setting)).filter(|s| !s.is_empty()).collect()
}

/// What a caption says of the runs that have no score because they diverged.
pub(super) fn describe_diverged(c: &Collected) -> String {
    match c.runs.iter().filter(|r| r.diverged()).count() {
        0 => String::new(),
        n => format!(" ×: {n} run{} diverged and {} in no mean.", if n == 1 { "" } else { "s" }, if n == 1 { "is" } else { "are" }),
    }
}
