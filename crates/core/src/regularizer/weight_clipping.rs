//! Weight clipping (Arjovsky et al. 2017).

use crate::Result;
use crate::model::Discriminator;
use sngan_experiment::ClipScope;

/// Clips D's parameters to `[−bound, bound]`, after a step: convolution weights only, or all.
///
/// # Errors
/// Those of the tensor library.
pub fn clip(d: &Discriminator, bound: f64, scope: ClipScope) -> Result<()> {
    for (_, var) in d.vars() {
        if scope == ClipScope::All || var.rank() == 4 {
            var.set(&var.as_detached_tensor().clamp(-bound, bound)?)?;
        }
    }
    Ok(())
}
