//! Photos that a slot was sent, for other sessions of the device: they copy them within its memory, where their own way to
//! the device would be the bus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{driver::DevicePtr, kernels::Kernels};
use crate::plan::cuda::CudaPlan;

/// Where photos lie.
pub(super) struct SentPlace {
    pub(super) at: DevicePtr,
    /// Photos, rows and columns of each, and those that it has where it lies.
    count: usize,
    size: (usize, usize),
    extended: (usize, usize),
    /// There is one set for each device. Whoever keeps this keeps no device open.
    kernels: Weak<Kernels>,
}

impl SentPlace {
    pub(super) fn new(plan: &CudaPlan, at: DevicePtr, kernels: &Arc<Kernels>) -> Self {
        Self {
            at,
            count: plan.batch,
            size: plan.photo,
            extended: plan.extended,
            kernels: Arc::downgrade(kernels),
        }
    }

    /// Whether these photos are what `plan` reads, on the device of `kernels`.
    pub(super) fn suits(&self, plan: &CudaPlan, kernels: &Arc<Kernels>) -> bool {
        (self.count, self.size, self.extended) == (plan.batch, plan.photo, plan.extended)
            && Weak::as_ptr(&self.kernels) == Arc::as_ptr(kernels)
    }
}

/// A slot's photos. The slot withdraws them before it is sent others and before it is given up, and waits for whoever paints them.
#[derive(Default)]
pub(super) struct SentPhotos {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    place: Option<SentPlace>,
    /// How often they were withdrawn.
    withdrawn: u64,
}

impl SentPhotos {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others paint the photos that lie there.
    pub(super) fn offer(&self, place: SentPlace) {
        self.state().place = Some(place);
    }

    /// Lets nobody paint them any more.
    pub(super) fn withdraw(&self) {
        let mut state = self.state();
        if state.place.take().is_some() {
            state.withdrawn += 1;
        }
    }
}

/// The photos that a slot had when this was made.
pub(super) struct SentHandle {
    photos: Arc<SentPhotos>,
    withdrawn: u64,
}

impl SentHandle {
    /// Of the photos that are offered, if any are.
    pub(super) fn of(photos: &Arc<SentPhotos>) -> Option<Self> {
        let state = photos.state();
        state.place.is_some().then(|| Self { photos: photos.clone(), withdrawn: state.withdrawn })
    }

    /// Whether they are those of a slot.
    pub(super) fn is_of(&self, photos: &Arc<SentPhotos>) -> bool {
        Arc::ptr_eq(&self.photos, photos)
    }

    /// Calls `paint` with their place, where they stay meanwhile; `None` where they are there no longer.
    pub(super) fn while_there<T>(&self, paint: impl FnOnce(&SentPlace) -> T) -> Option<T> {
        let state = self.photos.state();
        let is_there = state.withdrawn == self.withdrawn;
        state.place.as_ref().filter(|_| is_there).map(paint)
    }
}
