//! Figure 4: the score against the size of D's last convolution, SN beside orthonormal regularization.

use super::n_dis::{against, describe_diverged, settings_of};
use crate::artefact::Request;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel};
use crate::{Rendered, Result};
use sngan_experiment::method::Method;
use sngan_experiment::records::Metric;

pub(crate) fn render(request: &Request<'_>) -> Result<Rendered> {
    request.each(|c| {
        let Some(protocol) = c.protocol(Metric::Is) else { return Ok(Rendered::Skipped("no run has a score".into())) };
        // The paper's range stands where the scores are the paper's.
        let range = c.comparable(Metric::Is).then_some((7.9, 8.6));
        let panel = Panel {
            title: String::new(),
            x: AxisSpec::linear("relative size of the 7th convolution's input and output", Some((0.0, 8.0))),
            y: AxisSpec::linear(format!("is[{}]", protocol.backbone), range),
            series: against(c, &[Method::Orthonormal, Method::Sn], |s| s.last_conv_factor),
            marks: Vec::new(),
        };
        let mut notes =
            vec![c.describe_runs(), c.describe_scores(Metric::Is).unwrap_or_default(), c.describe_seeds() + &describe_diverged(c)];
        if request.compare {
            notes.push("The paper prints no numbers here: its scores lie between 7.9 and 8.6, orthonormal's falling beyond size 1.".into());
        }
        let chart = Chart {
            stem: "fig4".into(),
            title: format!("Figure 4: inception score against the size of D's last convolution, {}", settings_of(c)),
            notes,
            panels: vec![panel],
            columns: 1,
            panel: (820 * DENSITY, 420 * DENSITY),
        };
        chart.render(request.folder)
    })
}
