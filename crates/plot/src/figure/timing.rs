//! Figure 10: wall-clock time of 100 generator updates, by method.

use crate::artefact::Materials;
use crate::bars::{Bar, BarChart, Group};
use crate::canvas::{Look, Marker};
use crate::chart::look_of;
use crate::statistics::mean;
use crate::{Rendered, Result};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::method::Method;

/// The paper's; others that were measured follow them.
const METHODS: [Method; 4] = [Method::WganGp, Method::WeightNorm, Method::Sn, Method::Vanilla];

fn methods(t: &UpdateTimings) -> Vec<Method> {
    let measured = |m: &Method| t.entries.iter().any(|e| e.method == *m);
    let others = Method::ALL.into_iter().filter(|m| !METHODS.contains(m));
    METHODS.into_iter().chain(others).filter(measured).collect()
}

pub(crate) fn render(request: &Materials<'_>) -> Result<Rendered> {
    let Some(t) = request.timings else {
        return Ok(Rendered::Skipped("no timings; `sngan bench figure10` takes them".into()));
    };
    let methods = methods(t);
    let name = |side: usize| match side {
        32 => "CIFAR-10, 32x32".to_string(),
        48 => "STL-10, 48x48".to_string(),
        _ => format!("{side}x{side}"),
    };
    let bar = |m: &Method, side: usize| Bar { values: t.seconds_per_100(*m, side) };
    // As the paper has it, a group for each side, as long as every method has a color of its own;
    // else a group for each method.
    let looks: Vec<Look> = methods.iter().map(|m| look_of(*m)).collect();
    let apart = (0..looks.len()).all(|i| !looks[..i].contains(&looks[i]));
    let square = |look: Look| Look { marker: Marker::Square, ..look };
    let (groups, places): (Vec<Group>, Vec<(String, Look)>) = if apart {
        let group = |side: usize| Group {
            label: name(side),
            bars: methods.iter().map(|m| bar(m, side)).collect(),
        };
        let place = |(m, look): (&Method, Look)| (m.label().to_string(), square(look));
        (t.sides().into_iter().map(group).collect(), methods.iter().zip(looks).map(place).collect())
    } else {
        let group = |m: &Method| Group {
            label: m.label().to_string(),
            bars: t.sides().into_iter().map(|side| bar(m, side)).collect(),
        };
        let place = |(i, side): (usize, usize)| (name(side), square(Look::numbered(i)));
        (
            methods.iter().map(group).collect(),
            t.sides().into_iter().enumerate().map(place).collect(),
        )
    };
    let rounds = t.entries.iter().map(|e| e.discriminator.len()).max().unwrap_or(0);
    let ratio = |side: usize, over: Method| {
        mean(&t.seconds_per_100(Method::Sn, side)) / mean(&t.seconds_per_100(over, side))
    };
    let ratios = |side: usize| {
        let others = methods.iter().copied().filter(|m| !METHODS.contains(m));
        let parts: Vec<String> = [Method::WeightNorm, Method::Vanilla, Method::WganGp]
            .into_iter()
            .chain(others)
            .filter(|over| ratio(side, *over).is_finite())
            .map(|over| format!("{:.2} times {}'s", ratio(side, over), over.label()))
            .collect();
        format!("SN's time at {side}x{side}: {}", parts.join(", "))
    };
    let mut foot: Vec<String> = t.sides().into_iter().map(ratios).collect();
    if request.compare {
        foot.push("The paper: SN takes 110–120 % of WN's time on CIFAR-10, about vanilla's on STL-10 (other hardware).".into());
    }
    let chart = BarChart {
        stem: "fig10".into(),
        title: format!(
            "Figure 10: seconds of 100 generator updates with {} updates of D each (lower is better)",
            t.n_dis
        ),
        notes: vec![
            format!(
                "Standard CNN, width/{}, batch {}, {} thread{} of {} ({}). Single updates on made-up images.",
                t.width_divisor,
                t.batch,
                t.threads,
                if t.threads == 1 { "" } else { "s" },
                t.cpu,
                t.instruction_set
            ),
            match rounds {
                0 | 1 => "One round (n = 1): no spread is known.".into(),
                n => {
                    format!(
                        "Mean over {n} rounds in which the methods take turns; whiskers its standard error, dots the rounds' medians."
                    )
                }
            },
        ],
        label: "seconds".into(),
        places,
        groups,
        foot,
    };
    chart.render(request.folder)
}
