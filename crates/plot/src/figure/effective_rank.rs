//! Effective rank of each convolution of D over the updates, by method: Figure 3's question, asked all along the training. Not in the paper.

use super::learning_curve::updates_axis;
use crate::artefact::Request;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::collect::{Collected, SHOWN_SETTING};
use crate::{Rendered, Result};
use sngan_experiment::records::LogRecord;

/// Panels side by side.
const COLUMNS: usize = 4;

/// The logs of a row's seeds.
struct Logs {
    label: String,
    records: Vec<LogRecord>,
}

pub(crate) fn render(request: &Request<'_>) -> Result<Rendered> {
    request.each(|c| {
        let logs = shown(c)?;
        let layers = layers(&logs);
        if layers.is_empty() {
            return Ok(Rendered::Skipped(format!("no run in setting {SHOWN_SETTING} has logged effective ranks")));
        }
        let chart = Chart {
            stem: c.stem("ranks"),
            title: format!("Effective rank of D's convolutions, setting {SHOWN_SETTING}"),
            notes: vec![
                c.describe_runs(),
                "exp of the entropy of σᵢ²/Σσ², of the weights as D's last forward pass used them: divided by σ for SN, by row norms for WN, else raw.".into(),
                c.describe_seeds(),
            ],
            panels: layers.iter().enumerate().map(|(i, layer)| panel(c, &logs, layer, i)).collect(),
            columns: COLUMNS,
            panel: (280 * DENSITY, 270 * DENSITY),
        };
        chart.render(request.folder)
    })
}

fn shown(c: &Collected) -> Result<Vec<Logs>> {
    let of = |label: &str| {
        let logs = c
            .cell(label, SHOWN_SETTING)
            .map(|run| Ok(run.dir.log()?))
            .collect::<Result<Vec<_>>>()?;
        Ok(Logs { label: label.into(), records: logs.into_iter().flatten().collect() })
    };
    c.labels().into_iter().map(of).collect()
}

/// The convolutions with a logged effective rank, in the order of their names.
fn layers(logs: &[Logs]) -> Vec<String> {
    let records = logs.iter().flat_map(|l| &l.records);
    let mut layers: Vec<String> = records
        .flat_map(|r| r.effective_rank.keys())
        .filter(|l| l.starts_with("conv"))
        .cloned()
        .collect();
    layers.sort_unstable();
    layers.dedup();
    layers
}

fn panel(c: &Collected, logs: &[Logs], layer: &str, i: usize) -> Panel {
    let line = |l: &Logs| {
        let values = l
            .records
            .iter()
            .filter_map(|r| Some((r.gen_update, r.effective_rank.get(layer).copied().flatten()?)));
        Series::over_seeds(l.label.clone(), values).of(c.method(&l.label))
    };
    Panel {
        title: format!("layer {}", i + 1),
        x: updates_axis(c),
        y: AxisSpec::linear(
            if i.is_multiple_of(COLUMNS) { "effective rank" } else { "" },
            Some((1.0, 2.0)),
        ),
        series: logs.iter().map(line).collect(),
        marks: Vec::new(),
    }
}
