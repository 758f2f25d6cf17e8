//! NVIDIA's cuDNN, if it is installed: convolutions as a framework computes them.
//!
//! Loaded at run time and never required: nothing links it, and a problem with it becomes a reason as text.
//! Uses cuDNN 9's backend interface (descriptors with numbered attributes, `cudnn_graph.h`), as frameworks do.
//! Of what its heuristics suggest, the first algorithm that keeps a format's promise is taken: on an H100 the
//! fastest of all for every layer of Johnson's network (2026-11-27). The older
//! `cudnnGetConvolutionForwardAlgorithm_v7` takes three times as long there in fp16. Any thread may call. A handle
//! of cuDNN serves one stream and one thread at a time, so painting and preparing have one each, behind a lock.

mod calls;
mod graph;

use std::{
    ffi::c_int,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use cudarc::{
    cudnn::sys::{
        cudnnBackendAttributeName_t::*, cudnnBackendAttributeType_t::*,
        cudnnBackendDescriptorType_t::*, cudnnBackendNumericalNote_t::*,
    },
    driver::sys,
};

use self::calls::{Calls, Descriptor, FILE, Raw, calls};
use super::driver::{Algorithm, ConvolutionBuffers, ConvolutionLibrary, DriverFailure};
use crate::{numeric::NumberFormat, plan::cuda::ConvolutionShape};

/// Name and version of the installed library, for example `cuDNN 9.14`, or why there is none. Starts
/// nothing on a device.
///
/// # Errors
/// The reason as text.
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
        _ => Err(format!("{FILE} is cuDNN {version}; install cuDNN 9")),
    }
}

/// Whether an algorithm with these notes computes what a format promises: products of these operands, added
/// in fp32 and always in the same order.
fn keeps_promise(operand: NumberFormat, notes: &[c_int]) -> bool {
    const TENSOR_CORE: c_int = CUDNN_NUMERICAL_NOTE_TENSOR_CORE as c_int;
    const DOWN_CONVERT: c_int = CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS as c_int;
    // Reduced precision, FFT, not deterministic, and Winograd's algorithms.
    const FIRST_BROKEN: c_int = CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION as c_int;
    const LAST_BROKEN: c_int = CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13 as c_int;
    notes.iter().all(|note| match *note {
        TENSOR_CORE => operand != NumberFormat::Fp32,
        // Rounding to tf32 is what tf32 is.
        DOWN_CONVERT => operand == NumberFormat::Tf32,
        FIRST_BROKEN..=LAST_BROKEN => false,
        _ => true,
    })
}

/// The ids of input, weights and output in a convolution's variant pack.
const IDS: [i64; 3] = [1, 2, 3];

/// The context that cuDNN works in.
pub(super) trait EnterContext: Send + Sync {
    /// Makes it current on this thread.
    fn enter(&self) -> Result<(), DriverFailure>;
}

/// cuDNN on one context and stream.
pub(super) struct Cudnn {
    calls: &'static Calls,
    name: String,
    /// Owns this.
    context: Weak<dyn EnterContext>,
    handle: Mutex<Raw>,
}

// SAFETY: a handle of cuDNN may be used from any thread, by one at a time, which its lock sees to.
unsafe impl Send for Cudnn {}
// SAFETY: as above.
unsafe impl Sync for Cudnn {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A prepared algorithm.
struct Plan {
    /// The plan, then what it refers to.
    descriptors: Vec<Descriptor>,
    context: Arc<dyn EnterContext>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            // A device that gives no answer is not asked to free anything.
            std::mem::forget(std::mem::take(&mut self.descriptors));
        }
    }
}

impl Cudnn {
    /// Takes a handle for a stream of a context, which is current.
    ///
    /// # Errors
    /// Why cuDNN cannot be used, as text.
    ///
    /// # Safety
    /// The stream belongs to the context, which drops this before the stream while it is current.
    pub(super) unsafe fn open(
        context: Weak<dyn EnterContext>,
        stream: sys::CUstream,
    ) -> Result<Self, String> {
        let (name, calls) = (installed()?, calls()?);
        let refused = |f: DriverFailure| format!("{name} refuses to work here ({f})");
        let mut handle = ptr::null_mut();
        // SAFETY: writes one pointer.
        let status = unsafe { (calls.create)(&mut handle) };
        calls.check("cudnnCreate", status).map_err(refused)?;
        // From here on `drop` gives the handle back.
        let cudnn = Self { calls, name: name.clone(), context, handle: Mutex::new(handle) };
        // SAFETY: the handle is ours, the stream the caller's.
        let status = unsafe { (calls.set_stream)(handle, stream.cast()) };
        calls.check("cudnnSetStream", status).map_err(refused)?;
        Ok(cudnn)
    }

    /// Makes the context current.
    fn enter(&self) -> Result<Arc<dyn EnterContext>, DriverFailure> {
        let closed = || DriverFailure::of_library("the GPU is closed".to_owned());
        let context = self.context.upgrade().ok_or_else(closed)?;
        context.enter()?;
        Ok(context)
    }

    /// The execution plan of a configuration and the bytes of its working memory, if it computes what the shape's
    /// format promises with the memory that it may take.
    ///
    /// # Errors
    /// The library's, for an engine that cannot run this shape on this device.
    fn plan(
        &self,
        handle: Raw,
        config: &Descriptor,
        shape: &ConvolutionShape,
    ) -> Result<Option<(Descriptor, usize)>, DriverFailure> {
        let engine = self.descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR)?;
        let mut place = [engine.raw];
        config.get_as(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, &mut place)?;
        let mut notes = [0; 16];
        let name = CUDNN_ATTR_ENGINE_NUMERICAL_NOTE;
        let count = engine.get_as(name, CUDNN_TYPE_NUMERICAL_NOTE, &mut notes)?;
        if !keeps_promise(shape.format.operand, &notes[..count]) {
            return Ok(None);
        }
        let plan = self.descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)?;
        plan.set_as(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &[handle])?;
        plan.refer(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config)?;
        plan.finalize()?;
        let mut bytes = [0i64];
        plan.get_as(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, &mut bytes)?;
        let bytes = bytes[0].max(0) as usize;
        Ok((bytes <= shape.most_workspace_bytes()).then_some((plan, bytes)))
    }
}

impl ConvolutionLibrary for Cudnn {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn prepare(&self, shape: &ConvolutionShape) -> Result<Algorithm, DriverFailure> {
        let context = self.enter()?;
        let handle = locked(&self.handle);
        let graph = self.graph(*handle, shape)?;
        for config in self.suggested(&graph[0])? {
            if let Ok(Some((plan, workspace_bytes))) = self.plan(*handle, &config, shape) {
                let descriptors = [plan, config].into_iter().chain(graph).collect();
                let prepared = Arc::new(Mutex::new(Plan { descriptors, context }));
                return Ok(Algorithm { workspace_bytes, prepared });
            }
        }
        let &ConvolutionShape { kernel: k, in_channels, out_channels, width, height, .. } = shape;
        Err(DriverFailure::of_library(format!(
            "no algorithm for a {k}x{k} kernel, {in_channels} to {out_channels} channels, {width} x {height} pixels \
             in {}",
            shape.format.operand
        )))
    }

    unsafe fn convolve(
        &self,
        algorithm: &Algorithm,
        buffers: &ConvolutionBuffers,
    ) -> Result<(), DriverFailure> {
        let _context = self.enter()?;
        let foreign = || DriverFailure::of_library("another library's algorithm".to_owned());
        let plan = (algorithm.prepared.downcast_ref::<Mutex<Plan>>()).ok_or_else(foreign)?;
        let pack = self.descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?;
        let pointers = [buffers.input, buffers.weights, buffers.output].map(|p| p.0 as Raw);
        pack.set_as(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, &pointers)?;
        pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &IDS)?;
        let workspace = [buffers.workspace.0 as Raw];
        pack.set_as(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace)?;
        pack.finalize()?;
        let (handle, plan) = (locked(&self.handle), locked(plan));
        // SAFETY: handle and plan are ours; the caller promises the buffers.
        let status = unsafe { (self.calls.execute)(*handle, plan.descriptors[0].raw, pack.raw) };
        self.calls.check("cudnnBackendExecute", status)
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        // SAFETY: ours, and given back once; `open` says that the context is current.
        unsafe { (self.calls.destroy)(*locked(&self.handle)) };
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

    #[test]
    fn algorithms_that_compute_something_else_are_left_out() {
        use NumberFormat::{Bf16, Fp16, Fp32, Tf32};
        for operand in [Fp32, Tf32, Fp16, Bf16] {
            assert!(keeps_promise(operand, &[]));
            // STRICT_NAN_PROP promises more than is needed.
            let harmless = CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP as c_int;
            assert!(keeps_promise(operand, &[harmless]));
            for n in [2, 3, 4, 5, 6, 7, 8] {
                assert!(!keeps_promise(operand, &[n]), "{operand}: {n}");
            }
            let tensor_core = keeps_promise(operand, &[0]);
            assert_eq!(tensor_core, operand != Fp32);
            let converts = keeps_promise(operand, &[1]);
            assert_eq!(converts, operand == Tf32);
        }
    }
}
