//! What of a GPU decides a plan.

/// The limits of a GPU that decide a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Compute capability, major and minor.
    pub compute_capability: (i32, i32),
    /// Streaming multiprocessors.
    pub multiprocessors: usize,
    /// Most shared memory of one CTA, static and dynamic together, in bytes.
    pub shared_bytes_per_cta: usize,
    /// Shared memory of one multiprocessor, in bytes.
    pub shared_bytes_per_multiprocessor: usize,
}

impl DeviceLimits {
    /// What a device of an older compute capability with as many multiprocessors would have, as far as this one has it:
    /// shared memory by the CUDA C++ Programming Guide.
    #[must_use]
    pub fn as_of(self, compute_capability: (i32, i32)) -> Self {
        let per_multiprocessor = match compute_capability {
            (7, _) => 64 << 10,
            (8, 0) => 164 << 10,
            (8 | 12, _) => 100 << 10,
            _ => 228 << 10,
        };
        let kept = if compute_capability.0 == 7 { 0 } else { 1 << 10 };
        Self {
            compute_capability,
            multiprocessors: self.multiprocessors,
            shared_bytes_per_cta: self.shared_bytes_per_cta.min(per_multiprocessor - kept),
            shared_bytes_per_multiprocessor: self
                .shared_bytes_per_multiprocessor
                .min(per_multiprocessor),
        }
    }
}
