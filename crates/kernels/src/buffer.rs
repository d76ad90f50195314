//! Large buffers that are kept and reused: fresh memory costs a page fault every 4 KiB, several
//! times the cost of a kernel.

use crate::Real;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Sixteen f32 or eight f64: a cache line.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// Free buffers by length in lines, and the total number of lines held.
type Free = (BTreeMap<usize, Vec<Vec<Line>>>, usize);

static FREE: Mutex<Free> = Mutex::new((BTreeMap::new(), 0));

/// The maximum held, in lines: 2 GiB.
const HELD: usize = 1 << 25;

/// Numbers on a 64-byte boundary, taken from a pool and returned when dropped.
pub struct Buffer<T: Real> {
    lines: Vec<Line>,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Real> Buffer<T> {
    /// `len` numbers with arbitrary (maybe non-finite) content: for outputs that are overwritten.
    pub fn arbitrary(len: usize) -> Buffer<T> {
        let needed = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        let lines = take(needed).unwrap_or_else(|| vec![Line::default(); needed]);
        Buffer { lines, len, element: std::marker::PhantomData }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Buffer<T> {
        let mut buffer = Buffer::arbitrary(len);
        buffer.fill(T::ZERO);
        buffer
    }

    /// A copy of `values`.
    pub fn of(values: &[T]) -> Buffer<T> {
        let mut buffer = Buffer::arbitrary(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

fn take(needed: usize) -> Option<Vec<Line>> {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let (by_size, held) = &mut *free;
    // A slightly too large buffer is better than fresh memory.
    let size = by_size
        .range(needed..=needed + needed / 8)
        .find(|(_, list)| !list.is_empty())
        .map(|(size, _)| *size)?;
    *held -= size;
    by_size.get_mut(&size)?.pop()
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_size, held) = &mut *free;
        if *held + lines.len() <= HELD {
            *held += lines.len();
            by_size.entry(lines.len()).or_default().push(lines);
        }
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: T is f32 or f64 (the trait is sealed), for which every bit pattern is valid, and `lines` holds at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the buffer is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<T: Real> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer of {} numbers", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_handed_out_again_aligned() {
        // A length that no other test uses.
        let len = 1_234_567;
        let mut first = Buffer::<f32>::arbitrary(len);
        first[len - 1] = 7.0;
        let address = first.as_ptr();
        assert!((address as usize).is_multiple_of(64));
        drop(first);
        let again = Buffer::<f32>::arbitrary(len - 3);
        assert_eq!(again.as_ptr(), address);
        assert_eq!(again.len(), len - 3);
        assert!(Buffer::<f32>::zeros(len).iter().all(|x| *x == 0.0));
    }
}
