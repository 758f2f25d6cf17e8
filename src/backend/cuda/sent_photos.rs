//! Photos that a slot was sent, for other sessions of the device: they copy them within its memory, where their own way to
//! the device would be the bus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{driver::DevicePtr, kernels::Kernels};
use crate::plan::cuda::CudaPlan;

/// Where photos lie.
#[derive(Clone)]
pub(super) struct SentPlace {
    pub(super) at: DevicePtr,
    /// Photos, and rows and columns of each as they lie there.
    count: usize,
    size: (usize, usize),
    /// There is one set for each device. Whoever keeps this keeps no device open.
    kernels: Weak<Kernels>,
}

impl SentPlace {
    pub(super) fn new(plan: &CudaPlan, at: DevicePtr, kernels: &Arc<Kernels>) -> Self {
        Self {
            at,
            count: plan.batch,
            size: plan.extended,
            kernels: Arc::downgrade(kernels),
        }
    }

    /// Whether these photos are what `plan` reads, on the device of `kernels`.
    pub(super) fn suits(&self, plan: &CudaPlan, kernels: &Arc<Kernels>) -> bool {
        (self.count, self.size) == (plan.batch, plan.extended)
            && Weak::as_ptr(&self.kernels) == Arc::as_ptr(kernels)
    }
}

/// A slot's photos. The slot withdraws them before it is sent others and before it is given up, and waits for whoever copies them.
#[derive(Default)]
pub(super) struct SentPhotos {
    place: Mutex<Option<SentPlace>>,
}

impl SentPhotos {
    pub(super) fn at(place: SentPlace) -> Self {
        Self {
            place: Mutex::new(Some(place)),
        }
    }

    /// As long as this is held they stay where they are.
    pub(super) fn hold(&self) -> MutexGuard<'_, Option<SentPlace>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn withdraw(&self) {
        *self.hold() = None;
    }
}
