//! On which side of its kink each activation stands: recorded in one pass, and imposed on another.
//!
//! The gradient of a network of leaky ReLUs jumps where a pre-activation changes its sign. One that rounding takes across 0 gives another
//! gradient, which is as right as the first: both are derivatives of the function on either side. So two programs that are to be compared
//! in their arithmetic must take the same side everywhere; how often they do not is counted apart.

use super::feature_map::{Element, Map};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::cell::RefCell;
use std::sync::Arc;

/// What every activation of some passes gave or, in Candle's arm, was given, in their order: tensors whose signs are the sides.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    maps: Vec<Tensor>,
}

/// What the activations of this thread do beside their work.
enum Watch {
    Nothing,
    Record(Pattern),
    /// Those that are still to come, the next one last.
    Impose(Vec<Tensor>),
}

thread_local! {
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Nothing) };
}

/// Ends what was begun, also where the passes panic.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        WATCH.replace(Watch::Nothing);
    }
}

impl Pattern {
    /// Runs `passes` on this thread, in either arm, and gives their pattern with their result.
    pub fn of<R>(passes: impl FnOnce() -> R) -> (R, Pattern) {
        let _reset = Reset;
        WATCH.replace(Watch::Record(Pattern::default()));
        let result = passes();
        match WATCH.replace(Watch::Nothing) {
            Watch::Record(pattern) => (result, pattern),
            Watch::Nothing | Watch::Impose(_) => (result, Pattern::default()),
        }
    }

    /// Runs `passes` of Candle's arm with this pattern instead of the signs that they find themselves.
    pub fn impose<R>(&self, passes: impl FnOnce() -> R) -> R {
        let _reset = Reset;
        WATCH.replace(Watch::Impose(self.maps.iter().rev().cloned().collect()));
        passes()
    }

    /// By activation: `[N, C, H, W]`, positive or not.
    pub fn maps(&self) -> &[Tensor] {
        &self.maps
    }
}

/// Told of every map of our kernels.
pub(super) fn made<T: Element>(map: &Map) -> Result<()> {
    let activated = map.mask.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &map.data));
    WATCH.with_borrow_mut(|watch| match watch {
        Watch::Record(pattern) if activated => {
            let mut images = vec![super::feature_map::number::<T>(0.0); map.size().len()];
            sngan_kernels::plane::to_images(map.size(), T::values(&map.data)?, &mut images);
            pattern.maps.push(Tensor::from_vec(images, &map.dims, &Device::Cpu)?);
            Ok(())
        }
        Watch::Impose(_) => Err(Error::PatternArm),
        Watch::Nothing | Watch::Record(_) => Ok(()),
    })
}

/// Told of every activation of Candle's arm: the tensor whose signs it takes.
pub(super) fn sides(x: &Tensor) -> Result<Tensor> {
    WATCH.with_borrow_mut(|watch| match watch {
        Watch::Nothing => Ok(x.clone()),
        Watch::Record(pattern) => {
            pattern.maps.push(x.detach());
            Ok(x.clone())
        }
        Watch::Impose(rest) => match rest.pop() {
            Some(of) if of.dims() == x.dims() => Ok(of.to_dtype(x.dtype())?),
            _ => Err(Error::OtherPattern),
        },
    })
}
