//! NVIDIA's cuDNN, where it is installed: convolutions as a framework computes them.
//!
//! Looked for at run time and never needed: nothing links it, and a problem with it becomes a reason in words.
//! Uses cuDNN 9's backend interface (descriptors with numbered attributes, `cudnn_graph.h`), which frameworks
//! use too; the older calls are deprecated and miss fast algorithms. Knows no plan and no session. Any thread
//! may call. A handle of cuDNN serves one stream and one thread at a time, so there is one for painting, one
//! for preparing sessions and one for searching, each behind a lock; an algorithm can be launched through any
//! of them.

mod calls;
mod search;

use std::{
    collections::HashMap,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cudarc::{
    cudnn::sys::{
        cudnnBackendAttributeName_t::*,
        cudnnBackendAttributeType_t::*,
        cudnnBackendDescriptorType_t::{self as Kind, *},
    },
    driver::{result, sys},
};

use self::{
    calls::{Calls, Descriptor, FILE, Raw, calls},
    search::{Prepared, keeps_promise, notes},
};
use super::driver::{
    Algorithm, ConvolutionBuffers, ConvolutionLibrary, DriverFailure, EngineConfig,
};
use crate::plan::cuda::ConvolutionShape;

/// Most algorithms of one shape that are offered: the library's favourites; more take long to prepare.
const MOST_ALGORITHMS: usize = 8;

/// Name and version of the installed library, for example `cuDNN 9.14`, or why there is none. Starts
/// nothing on a device.
///
/// # Errors
/// The reason in words.
pub fn installed() -> Result<String, String> {
    // SAFETY: takes nothing and only returns a number.
    let version = unsafe { (calls()?.version)() };
    named(version)
}

/// The name of a version number of the library: 91400 is 9.14.0.
fn named(version: usize) -> Result<String, String> {
    match (version / 10_000, version / 100 % 100) {
        (9, minor) => Ok(format!("cuDNN 9.{minor}")),
        // Version 8 counted in thousands.
        _ => {
            Err(format!("{FILE} is of another version than 9 (it says {version}); install cuDNN 9"))
        }
    }
}

/// The ids of input, weights and output in a convolution's variant pack.
const IDS: [i64; 3] = [1, 2, 3];

/// The algorithms that were prepared on a context.
#[derive(Default)]
struct Store {
    /// Each behind a lock of its own: all streams may launch it.
    prepared: HashMap<usize, Arc<Mutex<Prepared>>>,
    /// Number of the next algorithm.
    next: usize,
}

/// cuDNN on one context and stream.
pub(super) struct Cudnn {
    calls: &'static Calls,
    name: String,
    context: sys::CUcontext,
    handle: Mutex<Raw>,
    store: Arc<Mutex<Store>>,
}

// SAFETY: a handle of cuDNN may be used from any thread, by one at a time, and so may an algorithm, which
// their locks see to; the context is made current by every call.
unsafe impl Send for Cudnn {}
// SAFETY: as above.
unsafe impl Sync for Cudnn {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cudnn {
    /// Takes a handle for each of some streams of a context.
    ///
    /// # Errors
    /// Why cuDNN cannot be used, in words.
    ///
    /// # Safety
    /// The context and its streams are the driver's own and outlive this.
    pub(super) unsafe fn open<const N: usize>(
        context: sys::CUcontext,
        streams: [sys::CUstream; N],
    ) -> Result<[Self; N], String> {
        let name = installed()?;
        let calls = calls()?;
        // SAFETY: the caller's context.
        unsafe { result::ctx::set_current(context) }
            .map_err(|e| format!("{name} has no context ({e:?})"))?;
        let store: Arc<Mutex<Store>> = Arc::default();
        let on = |stream: sys::CUstream| {
            let refused = |f: DriverFailure| format!("{name} refuses to work here ({f})");
            let mut handle = ptr::null_mut();
            // SAFETY: writes one pointer.
            let status = unsafe { (calls.create)(&mut handle) };
            calls.check("cudnnCreate", status).map_err(refused)?;
            // From here on `drop` gives the handle back.
            let cudnn = Self {
                calls,
                name: name.clone(),
                context,
                handle: Mutex::new(handle),
                store: store.clone(),
            };
            // SAFETY: the handle is ours, the stream the caller's.
            let status = unsafe { (calls.set_stream)(handle, stream.cast()) };
            calls.check("cudnnSetStream", status).map_err(refused)?;
            Ok::<_, String>(cudnn)
        };
        let opened = streams.into_iter().map(on);
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        (opened.try_into()).map_err(|_| format!("{name} has not a handle for each stream"))
    }

    /// Makes the context current.
    fn enter(&self) -> Result<(), DriverFailure> {
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.context) }.map_err(|e| DriverFailure {
            call: "cuCtxSetCurrent",
            code: e.0 as u32,
            words: String::new(),
        })
    }

    fn descriptor(&self, kind: Kind) -> Result<Descriptor, DriverFailure> {
        Descriptor::new(self.calls, kind)
    }

    /// Keeps a prepared algorithm until it is given back.
    fn keep(&self, prepared: Prepared) -> Algorithm {
        let mut store = locked(&self.store);
        let number = store.next;
        store.next += 1;
        let prepared = Arc::new(Mutex::new(prepared));
        store.prepared.insert(number, prepared);
        Algorithm(number)
    }

    /// A prepared algorithm that was not given back.
    fn kept(&self, algorithm: Algorithm) -> Result<Arc<Mutex<Prepared>>, DriverFailure> {
        let kept = locked(&self.store).prepared.get(&algorithm.0).cloned();
        kept.ok_or_else(|| DriverFailure {
            call: "cudnnBackendExecute",
            code: 2000,
            words: "the algorithm was given back".to_owned(),
        })
    }
}

impl ConvolutionLibrary for Cudnn {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn algorithms(
        &self,
        shape: &ConvolutionShape,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<(Algorithm, usize)>, DriverFailure> {
        self.enter()?;
        let handle = locked(&self.handle);
        let graph = Arc::new(self.graph(*handle, shape)?);
        let mut found = Vec::new();
        for candidate in self.candidates(&graph[0]) {
            if is_cancelled() {
                break;
            }
            let name = CUDNN_ATTR_ENGINE_NUMERICAL_NOTE;
            let keeps = notes(&candidate.engine, name, CUDNN_TYPE_NUMERICAL_NOTE)
                .is_ok_and(|notes| keeps_promise(shape.format.operand, &notes));
            if !keeps {
                continue;
            }
            // An engine that cannot run this shape on this device fails here.
            let Ok((prepared, bytes)) = self.prepared(*handle, candidate, &graph) else {
                continue;
            };
            found.push((self.keep(prepared), bytes));
            if found.len() == MOST_ALGORITHMS {
                break;
            }
        }
        Ok(found)
    }

    fn config(&self, algorithm: Algorithm) -> Result<EngineConfig, DriverFailure> {
        self.enter()?;
        let prepared = self.kept(algorithm)?;
        let prepared = locked(&prepared);
        self.engine_config(&prepared.candidate)
    }

    fn prepare(
        &self,
        shape: &ConvolutionShape,
        config: &EngineConfig,
    ) -> Result<(Algorithm, usize), DriverFailure> {
        self.enter()?;
        let handle = locked(&self.handle);
        let graph = Arc::new(self.graph(*handle, shape)?);
        let candidate = self.configured(&graph[0], config)?;
        let (prepared, bytes) = self.prepared(*handle, candidate, &graph)?;
        Ok((self.keep(prepared), bytes))
    }

    unsafe fn convolve(
        &self,
        algorithm: Algorithm,
        buffers: &ConvolutionBuffers,
    ) -> Result<(), DriverFailure> {
        self.enter()?;
        let prepared = self.kept(algorithm)?;
        let pack = self.descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?;
        let pointers = [buffers.input, buffers.weights, buffers.output].map(|p| p.0 as Raw);
        pack.set_as(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, &pointers)?;
        pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &IDS)?;
        let workspace = [buffers.workspace.0 as Raw];
        pack.set_as(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace)?;
        pack.finalize()?;
        let (handle, prepared) = (locked(&self.handle), locked(&prepared));
        // SAFETY: handle and plan are ours; the caller promises the buffers.
        let status = unsafe { (self.calls.execute)(*handle, prepared.plan.raw, pack.raw) };
        self.calls.check("cudnnBackendExecute", status)
    }

    fn forget(&self, algorithm: Algorithm) {
        // After the context is gone there is nothing to give back.
        if self.enter().is_ok() {
            let forgotten = locked(&self.store).prepared.remove(&algorithm.0);
            // Giving it back takes a moment, so the lock is released first.
            drop(forgotten);
        }
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // Objects that were made with a handle are destroyed before it.
            locked(&self.store).prepared.clear();
            // SAFETY: ours, and given back once.
            unsafe { (self.calls.destroy)(*locked(&self.handle)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_nine_is_taken() {
        assert_eq!(named(91_400), Ok("cuDNN 9.14".to_owned()));
        assert_eq!(named(90_000), Ok("cuDNN 9.0".to_owned()));
        // 8.9.7 and 10.1.0.
        for other in [8907, 100_100] {
            let reason = named(other).expect_err("another interface");
            assert!(reason.contains("install cuDNN 9"), "{reason}");
        }
    }
}
