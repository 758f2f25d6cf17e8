//! Values that worker threads share.

/// Values that worker threads share. Every use states which task accesses which part.
#[derive(Clone, Copy)]
pub struct Shared {
    pub start: *mut f32,
    len: usize,
}

// SAFETY: only an address; each use states why its accesses are disjoint.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn of(values: &mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), len: values.len() }
    }

    /// `len` values from `offset` on.
    ///
    /// # Safety
    /// The values still exist, and nothing else reads or writes them at the same time.
    ///
    /// # Panics
    /// If the range goes beyond the end.
    pub unsafe fn slice_mut<'a>(self, offset: usize, len: usize) -> &'a mut [f32] {
        assert!(offset <= self.len && len <= self.len - offset, "shared values");
        // SAFETY: inside, as just checked; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(offset), len) }
    }
}
