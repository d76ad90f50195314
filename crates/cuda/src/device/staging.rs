//! Page-locked memory through which numbers go to the GPU and come back while it works.

use super::driver;
use crate::Result;
use crate::op::View;
use cudarc::driver::{CudaEvent, CudaStream, result};
use std::collections::HashMap;
use std::sync::Arc;

/// Room for one view twice: one may be filled or read while the other's copy is on its way.
struct Place {
    /// Where the two begin.
    at: [usize; 2],
    /// Which comes next.
    next: usize,
    /// The ends of their last copies.
    copied: [Option<CudaEvent>; 2],
}

/// Page-locked memory with a place for each view that goes to and fro between updates.
pub(super) struct Staging {
    stream: Arc<CudaStream>,
    memory: *mut f32,
    places: HashMap<View, Place>,
}

impl Staging {
    /// Memory for `views`.
    pub(super) fn new(stream: &Arc<CudaStream>, views: &[View]) -> Result<Staging> {
        let (mut places, mut len) = (HashMap::new(), 0);
        for view in views {
            let at = [len, len + view.len];
            places.insert(*view, Place { at, next: 0, copied: [None, None] });
            len += 2 * view.len;
        }
        stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        // SAFETY: its values are written before they are read.
        let memory =
            unsafe { result::malloc_host(4 * len.max(1), 0) }.map_err(driver("lock memory"))?;
        Ok(Staging { stream: stream.clone(), memory: memory.cast(), places })
    }

    /// Copies `values` to a view at `address`; false where the view has no place here. Waits only for the copy before the last.
    pub(super) fn write(
        &mut self,
        view: View,
        address: u64,
        values: impl ExactSizeIterator<Item = f32>,
    ) -> Result<bool> {
        let Some(place) = self.places.get_mut(&view) else { return Ok(false) };
        let slot = place.take(&self.stream)?;
        let len = values.len().min(view.len);
        // SAFETY: the place has room for the view, and its last copy has ended.
        let staged =
            unsafe { std::slice::from_raw_parts_mut(self.memory.add(place.at[slot]), len) };
        staged.iter_mut().zip(values).for_each(|(place, value)| *place = value);
        // SAFETY: the address is the view's; the memory is not written before the copy has ended, nor freed.
        unsafe { result::memcpy_htod_async(address, staged, self.stream.cu_stream()) }
            .map_err(driver("copy to the GPU"))?;
        place.mark(slot, &self.stream)?;
        Ok(true)
    }

    /// Begins to copy a view at `address` here, and returns what the copy before brought, if there was one.
    pub(super) fn read_last(&mut self, view: View, address: u64) -> Result<Option<Vec<f32>>> {
        let Some(place) = self.places.get_mut(&view) else { return Ok(None) };
        let slot = place.take(&self.stream)?;
        // SAFETY: the place has room for the view, and its last copy has ended.
        let staged =
            unsafe { std::slice::from_raw_parts_mut(self.memory.add(place.at[slot]), view.len) };
        // SAFETY: as in `write`.
        unsafe { result::memcpy_dtoh_async(staged, address, self.stream.cu_stream()) }
            .map_err(driver("copy from the GPU"))?;
        place.mark(slot, &self.stream)?;
        let Some(before) = &place.copied[1 - slot] else { return Ok(None) };
        before.synchronize().map_err(driver("wait for the GPU"))?;
        // SAFETY: the copy into it has ended.
        let values =
            unsafe { std::slice::from_raw_parts(self.memory.add(place.at[1 - slot]), view.len) };
        Ok(Some(values.to_vec()))
    }
}

impl Place {
    /// The next slot, when its last copy has ended.
    fn take(&mut self, stream: &Arc<CudaStream>) -> Result<usize> {
        stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        let slot = self.next;
        self.next = 1 - slot;
        if let Some(copied) = &self.copied[slot] {
            copied.synchronize().map_err(driver("wait for the GPU"))?;
        }
        Ok(slot)
    }

    /// Notes where in the stream the slot's copy ends.
    fn mark(&mut self, slot: usize, stream: &Arc<CudaStream>) -> Result<()> {
        if let Some(copied) = &self.copied[slot] {
            return copied.record(stream).map_err(driver("mark a copy"));
        }
        let event = stream.record_event(None).map_err(driver("mark a copy"))?;
        self.copied[slot] = Some(event);
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
