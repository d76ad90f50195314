//! `sngan spectrum`.

use super::source::run_and_checkpoint;
use crate::Ended;
use crate::args::SpectrumOf;
use crate::say::say;
use anyhow::{Context, Result};
use sngan_core::checkpoint::Checkpoint;
use sngan_core::spectrum::{Analysis, FileSpectra, analyse, of_file};
use sngan_data::Split;
use sngan_experiment::RunSpec;

pub(crate) fn run(arguments: &SpectrumOf) -> Result<Ended> {
    match run_and_checkpoint(&arguments.path)? {
        Some((spec, checkpoint)) => {
            let analysis = analysis(arguments, &spec, &checkpoint)?;
            if arguments.json {
                say!("{}", serde_json::to_string(&analysis)?);
            } else {
                print_analysis(&analysis);
            }
        }
        None => {
            let spectra = of_file(&arguments.path, arguments.state_dict.as_deref())?;
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
    let data =
        sngan_data::open(spec.dataset, Split::Train, spec.side, Some(&arguments.data.data_dir))
            .context("--images 0 analyses the weights alone")?;
    super::warn_of_pictures(data.as_ref());
    Ok(analyse(spec, checkpoint, Some((data.as_ref(), arguments.images)))?)
}

fn print_analysis(analysis: &Analysis) {
    say!("D after {} updates", analysis.gen_updates);
    say!(
        "{:<18} {:>18} {:>10} {:>10} {:>10} {:>10} {:>12} {:>8}",
        "layer",
        "weight",
        "σ(W)",
        "σ(W̃)",
        "operator",
        "circular",
        "eff. rank",
        "of"
    );
    for l in &analysis.layers {
        let shape = l.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let circular = l.circular_norm.map_or_else(|| "–".into(), |c| format!("{c:.5}"));
        say!(
            "{:<18} {shape:>18} {:>10.5} {:>10.5} {:>10.5} {circular:>10} {:>12.2} {:>8}",
            l.name,
            l.raw.sigma(),
            l.effective.sigma(),
            l.operator_norm,
            l.effective.effective_rank,
            l.effective.singular_values.len()
        );
    }
    say!(
        "σ: largest singular value of the weight as a matrix. operator: norm of the layer on its input, zeros beyond the border;"
    );
    say!("circular: the same with joined borders. eff. rank: exp of the entropy of σ²/Σσ², of W̃.");
    match analysis.lipschitz_bound {
        Some(bound) => say!(
            "Lipschitz constant of D: at most {} (product of operator norms, each by power iteration)",
            digits(bound)
        ),
        None => say!(
            "Lipschitz constant of D: not bounded by its weights (normalization of feature maps)"
        ),
    }
    if let Some(g) = analysis.gradients {
        say!(
            "                         at least {} (largest ‖∇D(x)‖ of {} images; mean {})",
            digits(g.largest),
            g.images,
            digits(g.mean)
        );
    }
}

/// A number with five significant digits.
fn digits(x: f64) -> String {
    if x == 0.0 || (0.01..1e5).contains(&x) { format!("{x:.4}") } else { format!("{x:.4e}") }
}

fn print_spectra(found: &FileSpectra) {
    say!("{:<48} {:>20} {:>12} {:>10} {:>6}", "tensor", "shape", "σ", "eff. rank", "of");
    for s in &found.spectra {
        let shape = s.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let (sigma, rank, of) =
            (s.spectrum.sigma(), s.spectrum.effective_rank, s.spectrum.singular_values.len());
        let name =
            if s.normalized { format!("{} / σ by u and v", s.name) } else { s.name.clone() };
        say!("{name:<48} {shape:>20} {sigma:>12.5} {rank:>10.2} {of:>6}");
    }
    if !found.left_out.is_empty() {
        say!("left out: {}", found.left_out.join(", "));
    }
}
