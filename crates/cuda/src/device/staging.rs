//! Page-locked memory from which inputs are copied while the GPU works.

use super::driver;
use crate::Result;
use crate::op::View;
use cudarc::driver::{CudaStream, result};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A place for each view that is written between updates.
pub(super) struct Staging {
    stream: Arc<CudaStream>,
    memory: *mut f32,
    places: HashMap<View, usize>,
    /// Views whose copies may not have left yet.
    in_flight: HashSet<View>,
}

impl Staging {
    /// Memory for `views`.
    pub(super) fn new(stream: &Arc<CudaStream>, views: &[View]) -> Result<Staging> {
        let (mut places, mut len) = (HashMap::new(), 0);
        for view in views {
            places.insert(*view, len);
            len += view.len;
        }
        stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        // SAFETY: its values are written before they are read.
        let memory =
            unsafe { result::malloc_host(4 * len.max(1), 0) }.map_err(driver("lock memory"))?;
        let stream = stream.clone();
        Ok(Staging { stream, memory: memory.cast(), places, in_flight: HashSet::new() })
    }

    /// Copies `values` to a view at `address`; false where the view has no place here.
    pub(super) fn write(
        &mut self,
        view: View,
        address: u64,
        values: impl ExactSizeIterator<Item = f32>,
    ) -> Result<bool> {
        let Some(place) = self.places.get(&view).copied() else { return Ok(false) };
        if self.in_flight.contains(&view) {
            self.wait()?;
        }
        let len = values.len().min(view.len);
        // SAFETY: the place has room for the view, and no copy is reading it.
        let staged = unsafe { std::slice::from_raw_parts_mut(self.memory.add(place), len) };
        staged.iter_mut().zip(values).for_each(|(place, value)| *place = value);
        self.in_flight.insert(view);
        // SAFETY: the address is the view's; the memory is not written before `wait`, nor freed before it.
        unsafe { result::memcpy_htod_async(address, staged, self.stream.cu_stream()) }
            .map_err(driver("copy to the GPU"))?;
        Ok(true)
    }

    /// Waits for everything on the stream.
    pub(super) fn wait(&mut self) -> Result<()> {
        self.stream.synchronize().map_err(driver("wait for the GPU"))?;
        self.in_flight.clear();
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // An error leaves nothing to be done.
        let _ = self.stream.synchronize();
        // SAFETY: it was allocated by `new`, and no copy is reading it.
        let _ = unsafe { result::free_host(self.memory.cast()) };
    }
}
