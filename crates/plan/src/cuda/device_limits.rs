//! The properties of a GPU that affect a plan.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Major and minor.
    pub compute_capability: (i32, i32),
    pub multiprocessors: usize,
    /// Maximum shared memory of one CTA, static and dynamic together.
    pub shared_bytes_per_cta: usize,
    pub shared_bytes_per_multiprocessor: usize,
}

impl DeviceLimits {
    /// The limits of a device of an older compute capability with the same number of multiprocessors, restricted to
    /// what this device has. Shared memory is from the CUDA C++ Programming Guide.
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
