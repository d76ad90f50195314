//! Weight clipping (Arjovsky et al. 2017).

use crate::Result;
use crate::model::Discriminator;
use candle_core::Var;
use sngan_experiment::ClipScope;

/// Clips D's parameters after a step: convolution weights only, or all. A weight is clipped to `[−bound·c, bound·c]` with the factor c of its
/// layer's width correction (1 without one), anything else to `[−bound, bound]`.
///
/// # Errors
/// Those of the tensor library.
pub fn clip(d: &Discriminator, bound: f64, scope: ClipScope) -> Result<()> {
    let clamp = |var: &Var, bound: f64| var.set(&var.as_detached_tensor().clamp(-bound, bound)?);
    let all = match scope {
        ClipScope::All => true,
        ClipScope::Convolutions => false,
    };
    for layer in &d.layers {
        if all || layer.weight.rank() == 4 {
            clamp(&layer.weight, bound * layer.correction.clip)?;
        }
    }
    if all {
        for (name, var) in d.vars() {
            if !name.ends_with(".weight") {
                clamp(&var, bound)?;
            }
        }
    }
    Ok(())
}
