//! NVIDIA's cuDNN, where it is installed: convolutions as a framework computes them.
//!
//! Looked for at run time and never needed: nothing links it, and whatever is wrong with it is a
//! reason in words. Speaks cuDNN 9's backend interface (descriptors with numbered attributes,
//! `cudnn_graph.h`), which frameworks use too; the older calls are on their way out and miss fast
//! algorithms. Knows no plan and no session. Any thread may call. A handle of cuDNN serves one stream and
//! one thread at a time, so there is one for painting, one for what is made ready beside it and one for what
//! is tried out, each behind a lock; algorithms are good for all.

mod calls;
mod numbers;

use std::{
    collections::HashMap,
    ffi::c_int,
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cudarc::driver::{result, sys};

use self::{
    calls::{Calls, Descriptor, FILE, Raw, calls},
    numbers::{attribute, kind, note, of},
};
use super::driver::{Algorithm, ConvolutionLibrary, ConvolutionPlaces, DriverFailure};
use crate::{numeric::NumberFormat, plan::cuda::ConvolutionShape};

/// Most algorithms of one shape that are offered: the library's favourites; more take long to prepare.
const MOST_ALGORITHMS: usize = 8;

/// Name and version of the installed library, for example `cuDNN 9.14`, or why there is none. Starts
/// nothing on a device.
///
/// # Errors
/// The reason in words.
pub fn installed() -> Result<String, String> {
    // SAFETY: takes nothing and only tells a number.
    let version = unsafe { (calls()?.version)() };
    named(version)
}

/// The name of a version as the library tells it: 91400 is 9.14.0.
fn named(version: usize) -> Result<String, String> {
    match (version / 10_000, version / 100 % 100) {
        (9, minor) => Ok(format!("cuDNN 9.{minor}")),
        // Version 8 counted in thousands.
        _ => Err(format!(
            "{FILE} is of another version than 9 (it says {version}); install cuDNN 9"
        )),
    }
}

/// Whether an algorithm with these notes computes what a format promises: products of these operands, added
/// in fp32 and always in the same order.
fn keeps_promise(operand: NumberFormat, notes: &[c_int]) -> bool {
    !notes.iter().any(|&n| match n {
        note::TENSOR_CORE => operand == NumberFormat::Fp32,
        // Rounding to tf32 is what tf32 is.
        note::DOWN_CONVERTS_INPUTS => operand != NumberFormat::Tf32,
        note::REDUCED_PRECISION_SUMS
        | note::FFT
        | note::NONDETERMINISTIC
        | note::WINOGRAD..=note::WINOGRAD_13X13 => true,
        _ => false,
    })
}

/// How cuDNN calls the type that a format is stored in.
fn data_type(format: NumberFormat) -> c_int {
    match format {
        NumberFormat::Fp32 | NumberFormat::Tf32 => numbers::FLOAT,
        NumberFormat::Fp16 => numbers::HALF,
        NumberFormat::Bf16 => numbers::BFLOAT16,
    }
}

/// What lies where in a convolution's variant pack.
const IDS: [i64; 3] = [1, 2, 3];

/// What may compute a graph: an engine and how it is set.
struct Candidate {
    config: Descriptor,
    engine: Descriptor,
}

/// An engine's notes of one kind.
fn notes(engine: &Descriptor, name: c_int, of: c_int) -> Result<Vec<c_int>, DriverFailure> {
    let mut notes = [0; 16];
    let count = engine.get(name, of, &mut notes)?;
    Ok(notes[..count].to_vec())
}

/// An algorithm made ready.
struct Prepared {
    plan: Descriptor,
    /// What the plan refers to, kept as long as it.
    _candidate: Candidate,
    _graph: Arc<Vec<Descriptor>>,
}

/// The algorithms that were made ready on a context.
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
            calls.told("cudnnCreate", status).map_err(refused)?;
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
            calls.told("cudnnSetStream", status).map_err(refused)?;
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

    fn descriptor(&self, kind: c_int) -> Result<Descriptor, DriverFailure> {
        Descriptor::new(self.calls, kind)
    }

    /// A tensor of (n, channels, rows, columns) that lies channels-last.
    fn tensor(
        &self,
        id: i64,
        data_type: c_int,
        [n, channels, rows, columns]: [usize; 4],
    ) -> Result<Descriptor, DriverFailure> {
        /// Every map, and every layer's weights, start at multiples of more.
        const ALIGNMENT_BYTES: i64 = 16;
        let tensor = self.descriptor(kind::TENSOR)?;
        let [row, image] = [columns * channels, rows * columns * channels];
        let dimensions = [n, channels, rows, columns].map(|d| d as i64);
        let strides = [image, 1, row, channels].map(|s| s as i64);
        tensor.set(attribute::TENSOR_DATA_TYPE, of::DATA_TYPE, &[data_type])?;
        tensor.set(attribute::TENSOR_DIMENSIONS, of::INT64, &dimensions)?;
        tensor.set(attribute::TENSOR_STRIDES, of::INT64, &strides)?;
        tensor.set(attribute::TENSOR_ID, of::INT64, &[id])?;
        tensor.set(attribute::TENSOR_ALIGNMENT, of::INT64, &[ALIGNMENT_BYTES])?;
        tensor.finalize()?;
        Ok(tensor)
    }

    /// The convolution as a graph of one operation: the graph itself, then what it refers to.
    fn graph(
        &self,
        handle: Raw,
        shape: &ConvolutionShape,
    ) -> Result<Vec<Descriptor>, DriverFailure> {
        let data = data_type(shape.format.storage);
        let &ConvolutionShape {
            batch,
            in_channels,
            out_channels,
            kernel,
            ..
        } = shape;
        let (out_height, out_width) = shape.output_size();
        let input = [batch, in_channels, shape.height, shape.width];
        let weights = [out_channels, in_channels, kernel, kernel];
        let output = [batch, out_channels, out_height, out_width];
        let [x, w, y] = [
            self.tensor(IDS[0], data, input)?,
            self.tensor(IDS[1], data, weights)?,
            self.tensor(IDS[2], data, output)?,
        ];

        let convolution = self.descriptor(kind::CONVOLUTION)?;
        let pair = |v: usize| [v as i64; 2];
        let mode = [numbers::CROSS_CORRELATION];
        let compute = [data_type(shape.format.accumulator)];
        convolution.set(attribute::CONVOLUTION_COMPUTE_TYPE, of::DATA_TYPE, &compute)?;
        convolution.set(attribute::CONVOLUTION_MODE, of::CONVOLUTION_MODE, &mode)?;
        convolution.set(
            attribute::CONVOLUTION_SPATIAL_DIMENSIONS,
            of::INT64,
            &[2i64],
        )?;
        for (name, value) in [
            (attribute::CONVOLUTION_DILATIONS, 1),
            (attribute::CONVOLUTION_STRIDES, shape.stride),
            (attribute::CONVOLUTION_PRE_PADDINGS, 0),
            (attribute::CONVOLUTION_POST_PADDINGS, 0),
        ] {
            convolution.set(name, of::INT64, &pair(value))?;
        }
        convolution.finalize()?;

        let forward = self.descriptor(kind::FORWARD)?;
        forward.refer(attribute::FORWARD_CONVOLUTION, &convolution)?;
        forward.refer(attribute::FORWARD_INPUT, &x)?;
        forward.refer(attribute::FORWARD_WEIGHTS, &w)?;
        forward.refer(attribute::FORWARD_OUTPUT, &y)?;
        forward.set(attribute::FORWARD_ALPHA, of::FLOAT, &[1f32])?;
        forward.set(attribute::FORWARD_BETA, of::FLOAT, &[0f32])?;
        forward.finalize()?;

        let graph = self.descriptor(kind::GRAPH)?;
        graph.set(attribute::GRAPH_HANDLE, of::HANDLE, &[handle])?;
        graph.refer(attribute::GRAPH_OPERATIONS, &forward)?;
        graph.finalize()?;
        Ok(vec![graph, forward, convolution, x, w, y])
    }

    /// What cuDNN's rule of thumb suggests for a graph, best first.
    fn suggested(
        &self,
        graph: &Descriptor,
        heuristic: c_int,
    ) -> Result<Vec<Descriptor>, DriverFailure> {
        /// More than any version suggests.
        const MOST: usize = 256;
        let rule = self.descriptor(kind::HEURISTIC)?;
        rule.refer(attribute::HEURISTIC_GRAPH, graph)?;
        rule.set(attribute::HEURISTIC_MODE, of::HEURISTIC, &[heuristic])?;
        rule.finalize()?;
        // cuDNN fills in descriptors that exist already, so how many there are is asked first.
        let count = rule.count(attribute::HEURISTIC_RESULTS, of::DESCRIPTOR)?;
        let mut configs = (0..count.min(MOST))
            .map(|_| self.descriptor(kind::ENGINE_CONFIG))
            .collect::<Result<Vec<_>, _>>()?;
        let mut places: Vec<Raw> = configs.iter().map(|c| c.raw).collect();
        let found = rule.get(attribute::HEURISTIC_RESULTS, of::DESCRIPTOR, &mut places)?;
        configs.truncate(found);
        Ok(configs)
    }

    /// Every engine that computes a graph and is compiled already, as it is without further choices:
    /// the rules of thumb leave some out that are fast on maps that lie channels-last.
    fn engines(&self, graph: &Descriptor) -> Result<Vec<Candidate>, DriverFailure> {
        let mut count = [0i64];
        graph.get(attribute::GRAPH_ENGINE_COUNT, of::INT64, &mut count)?;
        let candidate = |number: i64| {
            let engine = self.descriptor(kind::ENGINE)?;
            engine.refer(attribute::ENGINE_GRAPH, graph)?;
            engine.set(attribute::ENGINE_NUMBER, of::INT64, &[number])?;
            engine.finalize()?;
            let notes = notes(&engine, attribute::ENGINE_BEHAVIOR_NOTE, of::BEHAVIOR_NOTE)?;
            let config = self.descriptor(kind::ENGINE_CONFIG)?;
            config.refer(attribute::CONFIG_ENGINE, &engine)?;
            config.finalize()?;
            let is_ready = !notes.contains(&numbers::RUNTIME_COMPILATION);
            Ok::<_, DriverFailure>(is_ready.then_some(Candidate { config, engine }))
        };
        // An engine that cannot compute this graph fails, and is none.
        let each = (0..count[0]).filter_map(|number| candidate(number).ok().flatten());
        Ok(each.collect())
    }

    /// A suggested algorithm with its engine.
    fn with_engine(&self, config: Descriptor) -> Result<Candidate, DriverFailure> {
        let engine = self.descriptor(kind::ENGINE)?;
        config.get(attribute::CONFIG_ENGINE, of::DESCRIPTOR, &mut [engine.raw])?;
        Ok(Candidate { config, engine })
    }

    /// Everything that may compute a graph, the library's favourites first. A source that fails has
    /// nothing to offer; another one may have.
    fn candidates<'a>(&'a self, graph: &'a Descriptor) -> impl Iterator<Item = Candidate> + 'a {
        let rules = [numbers::HEURISTIC_A, numbers::HEURISTIC_FALLBACK].into_iter();
        let suggested = rules.flat_map(move |rule| self.suggested(graph, rule).unwrap_or_default());
        let all = std::iter::once_with(move || self.engines(graph).unwrap_or_default());
        suggested
            .filter_map(|config| self.with_engine(config).ok())
            .chain(all.flatten())
    }

    /// An algorithm made ready, and the bytes of its working memory.
    fn prepared(
        &self,
        handle: Raw,
        candidate: Candidate,
        graph: &Arc<Vec<Descriptor>>,
    ) -> Result<(Prepared, usize), DriverFailure> {
        let plan = self.descriptor(kind::PLAN)?;
        plan.set(attribute::PLAN_HANDLE, of::HANDLE, &[handle])?;
        plan.refer(attribute::PLAN_CONFIG, &candidate.config)?;
        plan.finalize()?;
        let mut bytes = [0i64];
        plan.get(attribute::PLAN_WORKSPACE_BYTES, of::INT64, &mut bytes)?;
        let prepared = Prepared {
            plan,
            _candidate: candidate,
            _graph: graph.clone(),
        };
        Ok((prepared, bytes[0].max(0) as usize))
    }
}

impl ConvolutionLibrary for Cudnn {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn algorithms(
        &self,
        shape: &ConvolutionShape,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Vec<(Algorithm, usize)>, DriverFailure> {
        self.enter()?;
        let handle = locked(&self.handle);
        let graph = Arc::new(self.graph(*handle, shape)?);
        let mut found = Vec::new();
        for candidate in self.candidates(&graph[0]) {
            if !is_wanted() {
                break;
            }
            let name = attribute::ENGINE_NUMERICAL_NOTE;
            let keeps = notes(&candidate.engine, name, of::NUMERICAL_NOTE)
                .is_ok_and(|notes| keeps_promise(shape.format.operand, &notes));
            if !keeps {
                continue;
            }
            // What this device or shape cannot do fails here.
            let Ok((prepared, bytes)) = self.prepared(*handle, candidate, &graph) else {
                continue;
            };
            let mut store = locked(&self.store);
            let number = store.next;
            store.next += 1;
            store
                .prepared
                .insert(number, Arc::new(Mutex::new(prepared)));
            found.push((Algorithm(number), bytes));
            if found.len() == MOST_ALGORITHMS {
                break;
            }
        }
        Ok(found)
    }

    unsafe fn convolve(
        &self,
        algorithm: Algorithm,
        places: &ConvolutionPlaces,
    ) -> Result<(), DriverFailure> {
        self.enter()?;
        let known = locked(&self.store).prepared.get(&algorithm.0).cloned();
        let Some(prepared) = known else {
            return Err(DriverFailure {
                call: "cudnnBackendExecute",
                code: 2000,
                words: "the algorithm was given back".to_owned(),
            });
        };
        let pack = self.descriptor(kind::VARIANT_PACK)?;
        let pointers = [places.input, places.weights, places.output].map(|p| p.0 as Raw);
        pack.set(attribute::PACK_POINTERS, of::VOID_PTR, &pointers)?;
        pack.set(attribute::PACK_IDS, of::INT64, &IDS)?;
        let workspace = [places.workspace.0 as Raw];
        pack.set(attribute::PACK_WORKSPACE, of::VOID_PTR, &workspace)?;
        pack.finalize()?;
        let (handle, prepared) = (locked(&self.handle), locked(&prepared));
        // SAFETY: handle and plan are ours; the caller promises the places.
        let status = unsafe { (self.calls.execute)(*handle, prepared.plan.raw, pack.raw) };
        self.calls.told("cudnnBackendExecute", status)
    }

    fn forget(&self, algorithm: Algorithm) {
        // A context that is gone has nothing left to give back to.
        if self.enter().is_ok() {
            let forgotten = locked(&self.store).prepared.remove(&algorithm.0);
            // Giving it back takes a moment, for which nobody is locked out.
            drop(forgotten);
        }
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // What was made with a handle goes before it.
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

    #[test]
    fn algorithms_that_compute_something_else_are_left_out() {
        use NumberFormat::{Bf16, Fp16, Fp32, Tf32};
        for operand in [Fp32, Tf32, Fp16, Bf16] {
            assert!(keeps_promise(operand, &[]));
            // STRICT_NAN_PROP promises more than is asked.
            assert!(keeps_promise(operand, &[9]));
            for n in [
                note::REDUCED_PRECISION_SUMS,
                note::FFT,
                note::NONDETERMINISTIC,
                5,
                6,
                8,
            ] {
                assert!(!keeps_promise(operand, &[n]), "{operand}: {n}");
            }
            let tensor_core = keeps_promise(operand, &[note::TENSOR_CORE]);
            assert_eq!(tensor_core, operand != Fp32);
            let converts = keeps_promise(operand, &[note::DOWN_CONVERTS_INPUTS]);
            assert_eq!(converts, operand == Tf32);
        }
    }
}
