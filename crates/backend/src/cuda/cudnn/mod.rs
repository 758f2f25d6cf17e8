//! NVIDIA's cuDNN, if it is installed: convolutions as a framework computes them.
//!
//! Loaded at run time and never required. Nothing links it, and a problem with it is reported as text. Uses cuDNN 9's
//! backend interface (descriptors with numbered attributes, `cudnn_graph.h`), as frameworks do. Of the algorithms that
//! each of its two heuristics suggests, the first one that satisfies a format's requirements is prepared. The older
//! `cudnnGetConvolutionForwardAlgorithm_v7` is three times as slow in fp16 on an H100. Any thread may call. A cuDNN handle serves one stream and one thread at a time,
//! so painting and preparing have one handle each, protected by a lock.

mod calls;
mod graph;

use std::{
    ffi::c_int,
    ptr,
    sync::{Arc, Mutex, Weak},
};

use cudarc::{
    cudnn::sys::{
        cudnnBackendAttributeName_t::*, cudnnBackendAttributeType_t::*,
        cudnnBackendDescriptorType_t::*, cudnnBackendNumericalNote_t::*,
    },
    driver::sys,
};

use self::calls::{Calls, Descriptor, FILE, Raw, calls};
use super::driver::{
    Algorithm, ConvolutionBuffers, ConvolutionLibrary, DriverFailure, DriverResult,
};
use plan::cuda::ConvolutionShape;
use values::{lock::lock, numeric::NumberFormat};

/// Name and version of the installed library, for example `cuDNN 9.14`, or the reason why there is none. Starts nothing
/// on a device.
///
/// # Errors
/// The reason as text.
pub fn installed() -> Result<String, String> {
    // SAFETY: takes nothing and only returns a number.
    let version = unsafe { (calls()?.version)() };
    named(version)
}

/// The name for the library's version number: 91400 is 9.14.0.
fn named(version: usize) -> Result<String, String> {
    match (version / 10_000, version / 100 % 100) {
        (9, minor) => Ok(format!("cuDNN 9.{minor}")),
        // Version 8 counted in thousands.
        _ => Err(format!("{FILE} is cuDNN {version}; install cuDNN 9")),
    }
}

/// True if an algorithm with these notes satisfies a format's requirements: products of these operands, accumulated in
/// fp32 and always in the same order.
fn keeps_promise(operand: NumberFormat, notes: &[c_int]) -> bool {
    const TENSOR_CORE: c_int = CUDNN_NUMERICAL_NOTE_TENSOR_CORE as c_int;
    const DOWN_CONVERT: c_int = CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS as c_int;
    // Reduced precision, FFT, not deterministic, and Winograd's algorithms.
    const FIRST_BROKEN: c_int = CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION as c_int;
    const LAST_BROKEN: c_int = CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13 as c_int;
    notes.iter().all(|note| match *note {
        TENSOR_CORE => operand != NumberFormat::Fp32,
        // Rounding to tf32 is required for tf32.
        DOWN_CONVERT => operand == NumberFormat::Tf32,
        FIRST_BROKEN..=LAST_BROKEN => false,
        _ => true,
    })
}

/// `CUDNN_HEUR_MODE_A`, which frameworks use, and `CUDNN_HEUR_MODE_B`, which asks a neural network. On an H100
/// (2026-11-28, fp16, 512x512), the first suggestion of A is 8 times as slow as that of B for one layer, and B's is 1.6
/// times as slow as A's for others.
const HEURISTICS: [c_int; 2] = [3, 1];

/// The ids of input, weights and output in a convolution's variant pack.
const IDS: [i64; 3] = [1, 2, 3];

/// The CUDA context of cuDNN.
pub(super) trait EnterContext: Send + Sync {
    /// Makes the context current on this thread.
    fn enter(&self) -> DriverResult;
}

/// cuDNN on one context and stream.
pub(super) struct Cudnn {
    calls: &'static Calls,
    name: String,
    /// The owner of this value.
    context: Weak<dyn EnterContext>,
    handle: Mutex<Raw>,
}

// SAFETY: any thread may use a cuDNN handle, one at a time, which the handle's lock guarantees.
unsafe impl Send for Cudnn {}
// SAFETY: as above.
unsafe impl Sync for Cudnn {}

/// A prepared algorithm.
struct Plan {
    /// The plan, followed by the descriptors to which it refers.
    descriptors: Vec<Descriptor>,
    context: Arc<dyn EnterContext>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            // A device that does not respond is not asked to free anything.
            std::mem::forget(std::mem::take(&mut self.descriptors));
        }
    }
}

impl Cudnn {
    /// Creates a handle for a stream of a context. The context must be current.
    ///
    /// # Errors
    /// The reason why cuDNN cannot be used, as text.
    ///
    /// # Safety
    /// The stream belongs to the context, which drops this value before the stream while it is current.
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
        // From here on, `drop` destroys the handle.
        let cudnn = Self { calls, name: name.clone(), context, handle: Mutex::new(handle) };
        // SAFETY: the handle is ours, the stream the caller's.
        let status = unsafe { (calls.set_stream)(handle, stream.cast()) };
        calls.check("cudnnSetStream", status).map_err(refused)?;
        Ok(cudnn)
    }

    /// Makes the context current.
    fn enter(&self) -> DriverResult<Arc<dyn EnterContext>> {
        let closed = || DriverFailure::of_library("the GPU is closed".to_owned());
        let context = self.context.upgrade().ok_or_else(closed)?;
        context.enter()?;
        Ok(context)
    }

    /// The execution plan of a configuration and the size of its working memory. Only if it satisfies the requirements
    /// of the shape's format and does not need more memory than allowed.
    ///
    /// # Errors
    /// The library's, if an engine cannot run this shape on this device.
    fn plan(
        &self,
        handle: Raw,
        config: &Descriptor,
        shape: &ConvolutionShape,
    ) -> DriverResult<Option<(Descriptor, usize)>> {
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

    fn prepare(&self, shape: &ConvolutionShape) -> DriverResult<Vec<Algorithm>> {
        let context = self.enter()?;
        let handle = lock(&self.handle);
        let mut algorithms = Vec::new();
        for heuristic in HEURISTICS {
            let graph = self.graph(*handle, shape)?;
            for config in self.suggested(&graph[0], heuristic)? {
                if let Ok(Some((plan, workspace_bytes))) = self.plan(*handle, &config, shape) {
                    let descriptors = [plan, config].into_iter().chain(graph).collect();
                    let plan = Plan { descriptors, context: context.clone() };
                    let prepared = Arc::new(Mutex::new(plan));
                    algorithms.push(Algorithm { workspace_bytes, prepared });
                    break;
                }
            }
        }
        if !algorithms.is_empty() {
            return Ok(algorithms);
        }
        let &ConvolutionShape { kernel: k, in_channels, out_channels, width, height, .. } = shape;
        Err(DriverFailure::of_library(format!(
            "no algorithm for a {k}x{k} kernel, {in_channels} to {out_channels} channels, {width} x {height} pixels \
             in {}",
            shape.format.operand
        )))
    }

    unsafe fn convolve(&self, algorithm: &Algorithm, buffers: &ConvolutionBuffers) -> DriverResult {
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
        let (handle, plan) = (lock(&self.handle), lock(plan));
        // SAFETY: handle and plan are ours; the caller promises the buffers.
        let status = unsafe { (self.calls.execute)(*handle, plan.descriptors[0].raw, pack.raw) };
        self.calls.check("cudnnBackendExecute", status)
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        // SAFETY: ours, and destroyed only once; `open` requires that the context is current.
        unsafe { (self.calls.destroy)(*lock(&self.handle)) };
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
            // STRICT_NAN_PROP guarantees more than necessary.
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
