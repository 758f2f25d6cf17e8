//! Photos that were sent to a slot, for other sessions of the device. They copy the photos within the device's memory
//! instead of uploading them over the bus.

use std::sync::{Arc, Mutex, Weak};

use super::{driver::DevicePtr, kernels::Kernels};
use plan::cuda::CudaPlan;
use values::lock::lock;

/// Where photos are stored.
pub struct SentPlace {
    pub at: DevicePtr,
    /// Number of photos, rows and columns of each, and rows and columns of each as stored.
    count: usize,
    size: (usize, usize),
    extended: (usize, usize),
    /// Identifies the device, because there is one set for each device. Weak, so that it does not keep the device open.
    kernels: Weak<Kernels>,
}

impl SentPlace {
    pub fn new(plan: &CudaPlan, at: DevicePtr, kernels: &Arc<Kernels>) -> Self {
        Self {
            at,
            count: plan.batch,
            size: plan.photo,
            extended: plan.extended,
            kernels: Arc::downgrade(kernels),
        }
    }

    /// True if these photos are what `plan` reads, on the device of `kernels`.
    pub fn suits(&self, plan: &CudaPlan, kernels: &Arc<Kernels>) -> bool {
        (self.count, self.size, self.extended) == (plan.batch, plan.photo, plan.extended)
            && Weak::as_ptr(&self.kernels) == Arc::as_ptr(kernels)
    }
}

/// A slot's photos. The slot withdraws them before it receives others and before it is dropped, and waits for sessions
/// that paint them.
#[derive(Default)]
pub struct SentPhotos(Mutex<State>);

#[derive(Default)]
struct State {
    place: Option<SentPlace>,
    /// Number of withdrawals so far.
    withdrawn: u64,
}

impl SentPhotos {
    /// Allows other sessions to paint the photos at this place.
    pub fn offer(&self, place: SentPlace) {
        lock(&self.0).place = Some(place);
    }

    /// Stops other sessions from painting them, and waits for those that are doing so.
    pub fn withdraw(&self) {
        let mut state = lock(&self.0);
        if state.place.take().is_some() {
            state.withdrawn += 1;
        }
    }
}

/// Refers to the photos that a slot had when this was created.
pub struct SentHandle {
    photos: Arc<SentPhotos>,
    withdrawn: u64,
}

impl SentHandle {
    /// A handle to the offered photos, if there are any.
    pub fn of(photos: &Arc<SentPhotos>) -> Option<Self> {
        let state = lock(&photos.0);
        state.place.is_some().then(|| Self { photos: photos.clone(), withdrawn: state.withdrawn })
    }

    /// True if they belong to a slot.
    pub fn is_of(&self, photos: &Arc<SentPhotos>) -> bool {
        Arc::ptr_eq(&self.photos, photos)
    }

    /// Calls `paint` with their place. They remain there during the call. Returns `None` if they are no longer there.
    pub fn while_there<T>(&self, paint: impl FnOnce(&SentPlace) -> T) -> Option<T> {
        let state = lock(&self.photos.0);
        let is_there = state.withdrawn == self.withdrawn;
        state.place.as_ref().filter(|_| is_there).map(paint)
    }
}
