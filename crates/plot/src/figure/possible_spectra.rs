//! Figure 14: sets of squared singular values that a normalization admits. The paper does not say
//! how it draws them; here they are drawn uniformly from the set.

use crate::artefact::Materials;
use crate::canvas::DENSITY;
use crate::chart::{AxisSpec, Chart, Panel, Series};
use crate::random::Stream;
use crate::{Rendered, Result};

/// Singular values of a matrix.
const VALUES: usize = 50;
/// Sets of them.
const SETS: usize = 8;

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    let chart = Chart {
        stem: "fig14".into(),
        title: "Figure 14: possible sets of squared singular values under SN and WN".into(),
        notes: vec![
            format!("Simulation, not a training: {SETS} sets of {VALUES} values in increasing order, drawn from a seeded stream."),
            "SN: the largest is 1, the others are independent and uniform in [0, 1].".into(),
            "WN, weights scaled by 1/√d_o: the values' sum is 1, and they are uniform among all such sets. The paper does not say how it \
             draws sets."
                .into(),
        ],
        panels: vec![panel("(a) SN", spectral, true), panel("(b) WN", weight, false)],
        columns: 2,
        panel: (480 * DENSITY, 400 * DENSITY),
    };
    chart.render(request.folder)
}

fn panel(title: &str, draw: fn(&mut Stream) -> Vec<f64>, first: bool) -> Panel {
    let mut stream = Stream::new(&format!("figure 14 {title}"));
    let set = |i: usize| (i, draw(&mut stream));
    let series = (0..SETS).map(set).map(|(i, values)| {
        Series::line(
            format!("set {}", i + 1),
            values.into_iter().enumerate().map(|(k, v)| (k as f64, v)),
        )
    });
    Panel {
        title: title.into(),
        x: AxisSpec::linear("index", Some((0.0, (VALUES - 1) as f64))),
        y: AxisSpec::linear(
            if first { "squared singular value" } else { "" },
            Some((0.0, if first { 1.0 } else { 0.1 })),
        ),
        series: series.collect(),
        marks: Vec::new(),
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// Squares with a largest one of 1.
fn spectral(stream: &mut Stream) -> Vec<f64> {
    let mut values: Vec<f64> = (1..VALUES).map(|_| stream.uniform()).collect();
    values.push(1.0);
    sorted(values)
}

/// Squares with a sum of 1: exponential draws over their sum are uniform on the simplex.
fn weight(stream: &mut Stream) -> Vec<f64> {
    let draws: Vec<f64> = (0..VALUES).map(|_| -stream.uniform().ln()).collect();
    let total: f64 = draws.iter().sum();
    sorted(draws.into_iter().map(|x| x / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_obey_their_normalization() {
        let mut stream = Stream::new("test");
        for _ in 0..10 {
            let (sn, wn) = (spectral(&mut stream), weight(&mut stream));
            assert_eq!((sn.len(), wn.len(), sn[VALUES - 1]), (VALUES, VALUES, 1.0));
            assert!((wn.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(sn.is_sorted() && wn.is_sorted() && sn[0] >= 0.0 && wn[0] > 0.0);
        }
    }
}
