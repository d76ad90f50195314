//! `sngan spectrum`.

use super::own::{places_of_run, refuse_others};
use super::source::{after, run_and_checkpoint, run_of};
use crate::Ended;
use crate::args::SpectrumOf;
use crate::say::{counted, say};
use crate::table::{Align, Table, width, wrap};
use anyhow::{Context, Result};
use sngan_core::checkpoint::Checkpoint;
use sngan_core::spectrum::{Analysis, FileSpectra, analyse, of_file};
use sngan_data::Split;
use sngan_experiment::RunSpec;
use std::collections::BTreeSet;

pub(crate) fn run(arguments: &SpectrumOf) -> Result<Ended> {
    match run_and_checkpoint(&arguments.path)? {
        Some((spec, checkpoint)) => {
            let analysis = analysis(arguments, &spec, &checkpoint)?;
            if arguments.json {
                say!("{}", serde_json::to_string(&analysis)?);
            } else {
                print_analysis(&analysis, &after(&spec, analysis.gen_updates));
            }
        }
        None => {
            let mut spectra = of_file(&arguments.path, arguments.state_dict.as_deref())?;
            leave_vectors(&mut spectra);
            if arguments.json {
                say!("{}", serde_json::to_string(&spectra)?);
            } else {
                print_spectra(&spectra);
            }
        }
    }
    Ok(Ended::Well)
}

fn analysis(arguments: &SpectrumOf, spec: &RunSpec, checkpoint: &Checkpoint) -> Result<Analysis> {
    if arguments.images == 0 {
        return Ok(analyse(spec, checkpoint, None)?);
    }
    spec.check_discriminator()?;
    if !spec.knows("dataset") {
        eprintln!("the images that D was trained on are not known: no lower bound by gradients");
        return Ok(analyse(spec, checkpoint, None)?);
    }
    let run = run_of(&arguments.path).context("no run was named")?;
    let places = places_of_run(&run, &arguments.data, arguments.folder.as_deref());
    let data = places
        .and_then(|places| Ok(places.open(spec.dataset, Split::Train, spec.side)?))
        .context("--images 0 analyses the weights alone")?;
    refuse_others(&run, data.as_ref())?;
    super::warn_of_pictures(data.as_ref());
    Ok(analyse(spec, checkpoint, Some((data.as_ref(), arguments.images)))?)
}

fn print_analysis(analysis: &Analysis, after: &str) {
    say!("D {after}");
    let right = |head| (head, Align::Right);
    let mut table = Table::new(&[
        ("layer", Align::Left),
        right("weight"),
        right("σ(W)"),
        right("σ(W̃)"),
        right("operator"),
        right("circular"),
        right("eff. rank"),
        right("of"),
    ]);
    for l in &analysis.layers {
        let shape = l.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let circular = l.circular_norm.map_or_else(|| "–".into(), |c| format!("{c:.5}"));
        table.row(vec![
            l.name.clone(),
            shape,
            format!("{:.5}", l.raw.sigma()),
            format!("{:.5}", l.effective.sigma()),
            format!("{:.5}", l.operator_norm),
            circular,
            format!("{:.2}", l.effective.effective_rank),
            l.effective.singular_values.len().to_string(),
        ]);
    }
    crate::say::write(format_args!("{}", table.text(width())));
    let legend = "σ: largest singular value of the weight as a matrix. operator: norm of the layer on its input, zeros beyond the border; circular: the same with joined borders. eff. rank: exp of the entropy of σ²/Σσ², of W̃.";
    say!("{}", wrap(legend));
    match analysis.lipschitz_bound {
        Some(bound) => say!(
            "{}",
            wrap(&format!(
                "Lipschitz constant of D: at most {} (product of operator norms, those of convolutions by Lanczos' iteration)",
                digits(bound)
            ))
        ),
        None => say!(
            "{}",
            wrap(
                "Lipschitz constant of D: not bounded by its weights (normalization of feature maps)"
            )
        ),
    }
    if let Some(g) = analysis.gradients {
        let line = format!(
            "Lipschitz constant of D: at least {} (largest ‖∇D(x)‖ of {}; mean {})",
            digits(g.largest),
            counted(g.images, "image"),
            digits(g.mean)
        );
        say!("{}", wrap(&line));
    }
}

/// A number with five significant digits.
fn digits(x: f64) -> String {
    if x == 0.0 || (0.01..1e5).contains(&x) { format!("{x:.4}") } else { format!("{x:.4e}") }
}

/// Leaves out the `u` beside a `W` of Chainer's that it divides: a vector, though it has a row.
fn leave_vectors(found: &mut FileSpectra) {
    let normalized: BTreeSet<String> =
        found.spectra.iter().filter(|s| s.normalized).map(|s| s.name.clone()).collect();
    found.spectra.retain(|s| {
        let layer = s.name.strip_suffix("/u").filter(|_| s.shape.first() == Some(&1));
        layer.is_none_or(|layer| !normalized.contains(layer))
    });
}

/// By what W was divided: PyTorch keeps u and v, Chainer u alone.
fn divisor(found: &FileSpectra, layer: &str) -> &'static str {
    let raw = format!("{layer}/W");
    if found.spectra.iter().any(|s| s.name == raw) { "σ by u" } else { "σ by u and v" }
}

fn print_spectra(found: &FileSpectra) {
    let right = |head| (head, Align::Right);
    let mut table = Table::new(&[
        ("tensor", Align::Left),
        right("shape"),
        right("σ"),
        right("eff. rank"),
        right("of"),
    ]);
    for s in &found.spectra {
        let shape = s.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let (sigma, rank) = (s.spectrum.sigma(), s.spectrum.effective_rank);
        let name = match s.normalized {
            true => format!("{} / {}", s.name, divisor(found, &s.name)),
            false => s.name.clone(),
        };
        let of = s.spectrum.singular_values.len().to_string();
        table.row(vec![name, shape, format!("{sigma:.5}"), format!("{rank:.2}"), of]);
    }
    crate::say::write(format_args!("{}", table.text(width())));
    if !found.left_out.is_empty() {
        say!("{}", wrap(&format!("left out: {}", found.left_out.join(", "))));
    }
}
