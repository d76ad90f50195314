//! Pointers that tasks of one kernel share.

/// A slice that several tasks write at the same time, each to its own elements.
pub(crate) struct SharedMut<T>(*mut T);

impl<T> Clone for SharedMut<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SharedMut<T> {}

// SAFETY: every use writes elements that no other task touches, as explained where one is made; T
// itself is Send.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    pub(crate) fn new(slice: &mut [T]) -> SharedMut<T> {
        SharedMut(slice.as_mut_ptr())
    }

    /// The same slice from `index` on.
    pub(crate) fn offset(self, index: usize) -> SharedMut<T> {
        SharedMut(self.0.wrapping_add(index))
    }

    /// The first element's address.
    pub(crate) fn pointer(self) -> *mut T {
        self.0
    }
}
