//! Copies to the host beside the updates that follow: on a stream of their own, into page-locked memory.

use super::driver;
use crate::Result;
use crate::machine::Receipt;
use cudarc::driver::{CudaContext, CudaEvent, CudaStream, result};
use std::sync::{Arc, Mutex, PoisonError};

/// Page-locked memory for one copy, and the copy's end.
struct Locked {
    memory: *mut f32,
    len: usize,
    copied: CudaEvent,
}

// SAFETY: the memory is the value's own; the driver takes calls from every thread.
unsafe impl Send for Locked {}

impl Locked {
    fn new(context: &Arc<CudaContext>, len: usize) -> Result<Locked> {
        let copied = context.new_event(None).map_err(driver("make an event"))?;
        context.bind_to_thread().map_err(driver("use the GPU"))?;
        // SAFETY: its values are written before they are read.
        let memory =
            unsafe { result::malloc_host(4 * len.max(1), 0) }.map_err(driver("lock memory"))?;
        Ok(Locked { memory: memory.cast(), len, copied })
    }

    /// The values, when the copy has ended.
    fn values(&self) -> Result<Vec<f64>> {
        self.copied.synchronize().map_err(driver("wait for a copy"))?;
        // SAFETY: the memory has room for them, and the copy into it has ended.
        let values = unsafe { std::slice::from_raw_parts(self.memory, self.len) };
        Ok(values.iter().map(|x| f64::from(*x)).collect())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // An error leaves nothing to be done.
        let _ = self.copied.synchronize();
        // SAFETY: it was allocated by `new`, and no copy is writing to it.
        let _ = unsafe { result::free_host(self.memory.cast()) };
    }
}

/// Locked memory that no copy is using.
type Free = Arc<Mutex<Vec<Locked>>>;

/// One copy on its way. Its memory is free again when it was read or given up.
struct Copy {
    locked: Option<Locked>,
    free: Free,
}

impl Copy {
    fn values(&self) -> Result<Vec<f64>> {
        self.locked.as_ref().map_or_else(|| Ok(Vec::new()), Locked::values)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A copy that nobody waited for may still be writing; whoever takes the memory next copies on the same stream, after it.
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.locked.take());
    }
}

/// The stream of copies, with its locked memory.
pub(super) struct Copies {
    free: Free,
    /// Up to where the updates were when the newest copy began.
    begun: CudaEvent,
    /// The newest copy's end.
    ended: CudaEvent,
    stream: Arc<CudaStream>,
}

impl Copies {
    /// A stream beside the updates', and memory for two copies of `len` values: one that is read while the other is made. More is locked
    /// where more are on their way.
    pub(super) fn new(context: &Arc<CudaContext>, len: usize) -> Result<Copies> {
        let event = || context.new_event(None).map_err(driver("make an event"));
        let locked = [Locked::new(context, len)?, Locked::new(context, len)?];
        Ok(Copies {
            free: Arc::new(Mutex::new(Vec::from(locked))),
            begun: event()?,
            ended: event()?,
            stream: context.new_stream().map_err(driver("make a stream"))?,
        })
    }

    /// Begins to copy the `len` values at `address`, as `updates` will have left them when it comes to what follows.
    pub(super) fn begin(
        &mut self,
        updates: &CudaStream,
        address: u64,
        len: usize,
    ) -> Result<Receipt> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let locked = match free {
            Some(locked) if locked.len == len => locked,
            Some(_) | None => Locked::new(self.stream.context(), len)?,
        };
        self.begun.record(updates).map_err(driver("mark an update"))?;
        self.stream.wait(&self.begun).map_err(driver("order streams"))?;
        // SAFETY: the memory has room for `len` values and is nobody else's until the copy has ended.
        let staged = unsafe { std::slice::from_raw_parts_mut(locked.memory, len) };
        // SAFETY: the address is a view's. Nothing changes it before `ended`: see `wait`.
        unsafe { result::memcpy_dtoh_async(staged, address, self.stream.cu_stream()) }
            .map_err(driver("copy from the GPU"))?;
        locked.copied.record(&self.stream).map_err(driver("mark a copy"))?;
        self.ended.record(&self.stream).map_err(driver("mark a copy"))?;
        let copy = Copy { locked: Some(locked), free: self.free.clone() };
        Ok(Box::new(move || copy.values()))
    }

    /// Lets what `updates` does next wait, on the GPU, for the newest copy's end.
    pub(super) fn wait(&self, updates: &CudaStream) -> Result<()> {
        updates.wait(&self.ended).map_err(driver("order streams"))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // An error leaves nothing to be done.
        let _ = self.stream.synchronize();
    }
}
