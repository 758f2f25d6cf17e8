//! The responses of the fake GPU's driver and of its convolution library, call by call.

use std::{
    ffi::c_void,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use backend::cuda::driver::{
    Algorithm, ConvolutionBuffers, ConvolutionLibrary, DevicePtr, Driver, DriverFailure, Event,
    Function, Graph, LaunchShape, Module, PinnedPtr, Purpose, Queue,
};
use plan::cuda::ConvolutionShape;

use super::{FakeAlgorithm, FakeGpu, LIBRARY, OUT_OF_MEMORY, State};

struct Context {
    gpu: FakeGpu,
    /// The code with which the context was lost.
    lost: Mutex<Option<u32>>,
}

impl Drop for Context {
    fn drop(&mut self) {
        self.gpu.state().contexts -= 1;
    }
}

/// Streams in a context.
pub(super) struct FakeDriver {
    context: Arc<Context>,
    gpu: FakeGpu,
    /// Functions of the graph that is being recorded.
    recording: Mutex<Option<Vec<usize>>>,
}

impl FakeDriver {
    /// Streams in a new context.
    pub(super) fn in_new_context(gpu: FakeGpu) -> Self {
        Self::of(Arc::new(Context { gpu, lost: Mutex::default() }))
    }

    fn of(context: Arc<Context>) -> Self {
        Self { gpu: context.gpu.clone(), context, recording: Mutex::default() }
    }

    fn recording(&self) -> MutexGuard<'_, Option<Vec<usize>>> {
        (self.recording.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call. Fails if a failure is due or the context is lost.
    fn begin(&self, call: &'static str) -> Result<MutexGuard<'_, State>, DriverFailure> {
        let failure = |code| DriverFailure { call, code, words: "as the test wished".to_owned() };
        let mut lost = (self.context.lost.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = *lost {
            return Err(failure(code));
        }
        let mut state = self.gpu.state();
        state.calls += 1;
        if let Some(fault) = &mut state.fault
            && fault.call.is_none_or(|name| name == call)
        {
            if fault.after > 0 {
                fault.after -= 1;
            } else {
                let failed = failure(fault.code);
                state.fault = None;
                state.failed_call = Some(call);
                if failed.code == DriverFailure::NO_ANSWER {
                    state.hangs = true;
                    return Ok(state);
                }
                *lost = failed.is_lost().then_some(failed.code);
                return Err(failed);
            }
        }
        Ok(state)
    }

    fn release(&self, what: &str, was_taken: impl FnOnce(&mut State) -> bool) {
        let lost = self.context.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if *lost == Some(DriverFailure::NO_ANSWER) {
            return;
        }
        let mut state = self.gpu.state();
        if !was_taken(&mut state) {
            state.misuse.push(format!("{what} was freed twice"));
        }
    }
}

impl Driver for FakeDriver {
    fn with_queues_for(&self, _: Purpose) -> Arc<dyn Driver> {
        Arc::new(Self::of(self.context.clone()))
    }

    fn memory_info(&self) -> Result<(usize, usize), DriverFailure> {
        let state = self.begin("cuMemGetInfo")?;
        Ok((state.free_bytes(), state.total_bytes))
    }

    fn allocate(&self, bytes: usize) -> Result<DevicePtr, DriverFailure> {
        let mut state = self.begin("cuMemAlloc")?;
        if bytes > state.free_bytes() {
            return Err(DriverFailure {
                call: "cuMemAlloc",
                code: OUT_OF_MEMORY,
                words: "out of memory".to_owned(),
            });
        }
        // Far apart, so that an address after one allocation is in no other one.
        let start = (state.handle() as u64) << 40;
        state.memory.insert(start, vec![0xcd; bytes]);
        Ok(DevicePtr(start))
    }

    fn free(&self, memory: DevicePtr) {
        self.release("device memory", |s| s.memory.remove(&memory.0).is_some());
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<PinnedPtr, DriverFailure> {
        let mut state = self.begin("cuMemHostAlloc")?;
        let mut memory = vec![0xcd; bytes.max(1)];
        let place = memory.as_mut_ptr() as usize;
        state.pinned.insert(place, memory);
        Ok(PinnedPtr(place))
    }

    fn free_pinned(&self, memory: PinnedPtr) {
        self.release("pinned memory", |s| s.pinned.remove(&memory.0).is_some());
    }

    fn upload(&self, to: DevicePtr, from: &[u8]) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuMemcpyHtoD")?;
        match state.at(to).and_then(|bytes| bytes.get_mut(..from.len())) {
            Some(bytes) => bytes.copy_from_slice(from),
            None if from.is_empty() => {}
            None => state.misuse.push("an upload beyond the memory".to_owned()),
        }
        Ok(())
    }

    fn download(&self, to: &mut [u8], from: DevicePtr) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuMemcpyDtoH")?;
        match state.at(from).and_then(|bytes| bytes.get(..to.len())) {
            Some(bytes) => to.copy_from_slice(bytes),
            None => state.misuse.push("a download beyond the memory".to_owned()),
        }
        Ok(())
    }

    unsafe fn upload_pinned(
        &self,
        to: DevicePtr,
        from: PinnedPtr,
        bytes: usize,
        _: Queue,
    ) -> Result<(), DriverFailure> {
        // SAFETY: the caller promises this many bytes, which do not change meanwhile.
        let from = unsafe { std::slice::from_raw_parts(from.0 as *const u8, bytes) };
        drop(self.begin("cuMemcpyHtoDAsync")?);
        self.upload(to, from)
    }

    unsafe fn download_pinned(
        &self,
        to: PinnedPtr,
        from: DevicePtr,
        bytes: usize,
        _: Queue,
    ) -> Result<(), DriverFailure> {
        // SAFETY: the caller promises this many bytes, which nothing else accesses.
        let to = unsafe { std::slice::from_raw_parts_mut(to.0 as *mut u8, bytes) };
        drop(self.begin("cuMemcpyDtoHAsync")?);
        self.download(to, from)
    }

    fn copy(&self, to: DevicePtr, from: DevicePtr, bytes: usize) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuMemcpyDtoDAsync")?;
        let read = state.at(from).and_then(|all| all.get(..bytes)).map(<[u8]>::to_vec);
        let written = state.at(to).and_then(|all| all.get_mut(..bytes));
        match (written, read) {
            (Some(to), Some(from)) => to.copy_from_slice(&from),
            _ => state.misuse.push("a copy beyond the memory".to_owned()),
        }
        Ok(())
    }

    fn clear(&self, memory: DevicePtr, bytes: usize) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuMemsetD8")?;
        match state.at(memory).and_then(|all| all.get_mut(..bytes)) {
            Some(all) => all.fill(0),
            None => state.misuse.push("zeros beyond the memory".to_owned()),
        }
        Ok(())
    }

    fn load(&self, image: &[u8]) -> Result<Module, DriverFailure> {
        let mut state = self.begin("cuModuleLoadData")?;
        assert!(!image.is_empty(), "an image of kernels");
        let module = state.handle();
        state.modules.insert(module);
        Ok(Module(module))
    }

    fn load_entries(&self, module: Module) -> Result<(), DriverFailure> {
        let state = self.begin("cuFuncLoad")?;
        assert!(state.modules.contains(&module.0), "a loaded image");
        Ok(())
    }

    fn unload(&self, module: Module) {
        self.release("a module", |s| s.modules.remove(&module.0));
    }

    fn function(&self, module: Module, entry: &str, _: u32) -> Result<Function, DriverFailure> {
        let mut state = self.begin("cuModuleGetFunction")?;
        let function = state.handle();
        let named = (module.0, entry.to_owned());
        state.functions.insert(function, named);
        Ok(Function(function))
    }

    fn resident_ctas(&self, _: Function, _: LaunchShape) -> Result<usize, DriverFailure> {
        let state = self.begin("cuOccupancyMaxActiveBlocksPerMultiprocessor")?;
        Ok(state.resident_ctas)
    }

    unsafe fn launch(
        &self,
        function: Function,
        shape: LaunchShape,
        params: *const c_void,
    ) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuLaunchKernel")?;
        assert!(!params.is_null(), "a kernel takes an argument");
        if shape.cooperative && shape.ctas() > state.resident_ctas {
            state.misuse.push("CTAs wait for each other that cannot".to_owned());
        }
        if let Some((is_refused, code)) = state.refuses_launches
            && is_refused(shape)
        {
            return Err(DriverFailure {
                call: "cuLaunchKernelEx",
                code,
                words: "as the test wished".to_owned(),
            });
        }
        match &mut *self.recording() {
            Some(recorded) => recorded.push(function.0),
            None => state.run(function.0),
        }
        Ok(())
    }

    fn begin_recording(&self) -> Result<(), DriverFailure> {
        drop(self.begin("cuStreamBeginCapture")?);
        *self.recording() = Some(Vec::new());
        Ok(())
    }

    fn end_recording(&self) -> Result<Graph, DriverFailure> {
        // The recording ends whether or not it can be used.
        let recorded = self.recording().take();
        let mut state = self.begin("cuStreamEndCapture")?;
        if recorded.is_none() {
            state.misuse.push("a recording that never began".to_owned());
        }
        let graph = state.handle();
        state.graphs.insert(graph, recorded.unwrap_or_default());
        Ok(Graph(graph))
    }

    fn replay(&self, graph: Graph) -> Result<(), DriverFailure> {
        let mut state = self.begin("cuGraphLaunch")?;
        for function in state.graphs.get(&graph.0).cloned().unwrap_or_default() {
            state.run(function);
        }
        Ok(())
    }

    fn free_graph(&self, graph: Graph) {
        self.release("a graph", |s| s.graphs.remove(&graph.0).is_some());
    }

    fn event(&self) -> Result<Event, DriverFailure> {
        let mut state = self.begin("cuEventCreate")?;
        let event = state.handle();
        state.events.insert(event);
        Ok(Event(event))
    }

    fn record(&self, _: Event, _: Queue) -> Result<(), DriverFailure> {
        self.begin("cuEventRecord").map(drop)
    }

    fn wait_event(&self, _: Queue, _: Event) -> Result<(), DriverFailure> {
        self.begin("cuStreamWaitEvent").map(drop)
    }

    fn has_passed(&self, _: Event) -> Result<bool, DriverFailure> {
        self.begin("cuEventQuery").map(|state| !state.hangs)
    }

    fn elapsed_ms(&self, _: Event, _: Event) -> Result<f32, DriverFailure> {
        self.begin("cuEventElapsedTime").map(|state| state.last_ms)
    }

    fn free_event(&self, event: Event) {
        self.release("an event", |s| s.events.remove(&event.0));
    }

    fn wait_within(&self, patience: Duration) -> Result<(), DriverFailure> {
        let is_done = || self.begin("cuStreamSynchronize").map(|state| !state.hangs);
        self.wait_until(patience, &is_done, &mut || ())
    }

    fn abandon(&self, _: Duration) {
        let mut lost = self.context.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost = Some(DriverFailure::NO_ANSWER);
    }

    fn now(&self) -> Instant {
        let mut state = self.gpu.state();
        if state.hangs {
            state.waited += Duration::from_secs(1);
        }
        *state.began.get_or_insert_with(Instant::now) + state.waited
    }

    fn convolution_library(&self) -> Result<&dyn ConvolutionLibrary, String> {
        if self.gpu.state().has_library {
            Ok(self)
        } else {
            Err("cuDNN 9 is not installed".to_owned())
        }
    }
}

/// What the library prepared for a session; given back when dropped.
struct Prepared {
    context: Arc<Context>,
    algorithm: usize,
    shape: ConvolutionShape,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let driver = FakeDriver::of(self.context.clone());
        driver.release("an algorithm", |s| s.algorithms.remove(&self.algorithm).is_some());
    }
}

impl ConvolutionLibrary for FakeDriver {
    fn name(&self) -> String {
        LIBRARY.to_owned()
    }

    fn prepare(&self, shape: &ConvolutionShape) -> Result<Vec<Algorithm>, DriverFailure> {
        let mut state = self.begin("cudnnBackendFinalize")?;
        state.preparations += 1;
        if let Some((preparation, control)) = &state.cancels
            && *preparation == state.preparations
        {
            control.cancel();
        }
        let algorithms = [1 << 20, 1 << 19].map(|workspace_bytes| {
            let algorithm = state.handle();
            state.algorithms.insert(algorithm, FakeAlgorithm { has_run: false });
            let prepared = Prepared { context: self.context.clone(), algorithm, shape: *shape };
            Algorithm { workspace_bytes, prepared: Arc::new(prepared) }
        });
        Ok(algorithms.into())
    }

    unsafe fn convolve(
        &self,
        algorithm: &Algorithm,
        buffers: &ConvolutionBuffers,
    ) -> Result<(), DriverFailure> {
        let mut state = self.begin("cudnnBackendExecute")?;
        let mut recording = self.recording();
        let prepared = algorithm.prepared.downcast_ref::<Prepared>().expect("the library's own");
        let Prepared { algorithm, shape, .. } = prepared;
        let known = state.algorithms.get_mut(algorithm).expect("kept by the session");
        let had_run = known.has_run;
        known.has_run |= recording.is_none();
        if recording.is_some() && !had_run {
            let misuse = "kernels of an algorithm were loaded in a recording";
            state.misuse.push(misuse.into());
        }
        for (place, bytes) in [
            (buffers.input, shape.input_bytes()),
            (buffers.weights, shape.weight_bytes()),
            (buffers.output, shape.output_bytes()),
        ] {
            if state.at(place).is_none_or(|there| there.len() < bytes) {
                state.misuse.push("a convolution beyond the memory".into());
            }
        }
        match &mut *recording {
            Some(recorded) => recorded.push(*algorithm),
            None => state.run(*algorithm),
        }
        Ok(())
    }
}
