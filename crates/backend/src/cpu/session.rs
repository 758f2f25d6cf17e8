//! Runs a CPU plan. Owns the arena, the packed weights and the workers' scratch.

use std::{
    alloc::{Layout, alloc_zeroed},
    borrow::Cow,
    ptr::{null, null_mut},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use rayon::prelude::*;

use super::{
    general::{run::Run, weights::GeneralWeights},
    instruction_set::InstructionSet,
    kernel::{Task, Tasks},
    pack::{self, ByteWeights, Packed},
    rows::PictureOutput,
    run_input::RunInput,
    statistics::ScaleShift,
};
use crate::{
    BackendError, BackendResult, InspectSession, Job, NormTap, RunControl, Session, run_one_by_one,
};
use network::{Network, NodeWeights};
use plan::{
    ConvLayer, PlanError, PlanSummary,
    cpu::{CpuOp, CpuPlan, CpuVariant, MapBuffer, padded_channels},
};
use values::{
    allocation::can_allocate,
    frame::Frame,
    lock::lock,
    mode::Mode,
    numeric::NumberFormat,
    tensor::{Shape, Tensor, maps_text},
    timing::RunTiming,
};

/// The device in errors.
const THE_PROCESSOR: &str = "the processor";

/// A convolution with packed weights.
pub struct PackedConv {
    pub packed: Packed,
    /// One value for every stored output channel.
    pub bias: Vec<f32>,
    /// Scale and shift of the norm after the convolution, and the epsilon that the norm adds to the variance.
    pub norm: Option<(NodeWeights, f64)>,
}

/// A network prepared for the CPU and one picture size.
pub struct CpuSession {
    pub plan: Arc<CpuPlan>,
    pub instructions: InstructionSet,
    pool: Arc<rayon::ThreadPool>,
    pub weights: Vec<PackedConv>,
    /// The weights of a general plan; empty for any other plan.
    pub general_weights: Arc<GeneralWeights>,
    pub norms: Vec<ScaleShift>,
    pub arena: Vec<f32>,
    /// One per worker thread; each worker only locks its own.
    scratch: Vec<Mutex<Vec<f32>>>,
    /// Statistics parts of the current step.
    pub parts: Vec<f32>,
    /// Milliseconds of every step of the last run.
    pub step_ms: Vec<f64>,
}

impl PackedConv {
    /// Packs the weights of one convolution of a network.
    fn new(network: &Network, plan: &CpuPlan, conv: &ConvLayer, lanes: usize) -> Self {
        let variant = plan.variant;
        let weights = network.weights().of(&conv.name);
        let (algorithm, inputs) =
            (variant.algorithm(&plan.convs, conv), variant.packed_inputs(conv));
        let mut bias = weights.bias.clone();
        let packed = match variant {
            CpuVariant::Baseline | CpuVariant::Fused => {
                Packed::Single(pack::pack(conv, &weights.weight, algorithm, inputs, lanes))
            }
            CpuVariant::FusedInt8 => {
                let own = &weights.weight;
                Packed::Bytes(Box::new(ByteWeights::new(conv, own, algorithm, inputs, lanes)))
            }
        };
        bias.resize(padded_channels(conv.out_channels), 0.0);
        Self {
            packed,
            bias,
            norm: (conv.norm_name.as_ref())
                .map(|norm| (network.weights().of(norm).clone(), conv.norm_eps)),
        }
    }
}

/// `len` zeros that use physical memory only when they are touched; `None` if the allocation fails.
fn zeros(len: usize) -> Option<Vec<f32>> {
    if len == 0 {
        return Some(Vec::new());
    }
    let layout = Layout::array::<f32>(len).ok()?;
    // SAFETY: the layout has a size above zero; zero bits are a valid f32; pointer, length and
    // capacity describe exactly this allocation.
    unsafe {
        let start = alloc_zeroed(layout).cast::<f32>();
        (!start.is_null()).then(|| Vec::from_raw_parts(start, len, len))
    }
}

/// The error of this backend for a network that cannot be planned in a mode.
pub fn unplannable(mode: Mode, error: &PlanError) -> BackendError {
    BackendError::Unsupported {
        mode: mode.to_string(),
        device: THE_PROCESSOR.to_owned(),
        reason: error.to_string(),
    }
}

impl CpuSession {
    /// Packs the weights and allocates the memory.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`].
    pub fn new(
        network: &Network,
        (height, width): (usize, usize),
        variant: CpuVariant,
        instructions: InstructionSet,
        pool: Arc<rayon::ThreadPool>,
    ) -> BackendResult<Self> {
        let plan = CpuPlan::new(network.graph(), height, width, variant)
            .map_err(|error| unplannable(variant.mode(), &error))?;
        let refused =
            |len: usize| BackendError::OutOfMemory { needed_bytes: 4 * len as u64, width, height };
        // Packing the weights cannot fail.
        let needed_bytes = plan.summary(pool.current_num_threads()).peak_bytes;
        if !can_allocate(needed_bytes) {
            return Err(BackendError::OutOfMemory { needed_bytes, width, height });
        }
        let weights: Vec<PackedConv> = pool.install(|| {
            plan.convs
                .par_iter()
                .map(|conv| PackedConv::new(network, &plan, conv, instructions.lanes()))
                .collect()
        });
        let general_weights =
            pool.install(|| GeneralWeights::new(&plan.general, network, instructions.lanes()));
        // Allocated after packing, because packing needs temporary memory.
        let arena = zeros(plan.arena_len).ok_or_else(|| refused(plan.arena_len))?;
        let scratch = (0..pool.current_num_threads())
            .map(|_| zeros(plan.scratch_len).map(Mutex::new))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| refused(plan.scratch_len))?;
        let parts_len = plan.statistics_len();
        let parts = zeros(parts_len).ok_or_else(|| refused(parts_len))?;
        Ok(Self {
            norms: vec![ScaleShift::default(); plan.convs.len()],
            step_ms: vec![0.0; plan.steps.len()],
            plan: Arc::new(plan),
            instructions,
            pool,
            weights,
            general_weights: Arc::new(general_weights),
            arena,
            scratch,
            parts,
        })
    }

    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs tasks over this session's maps on the workers, and returns their number. After the run is cancelled, tasks
    /// that have not started are skipped.
    pub fn run_tasks(&self, tasks: &impl Tasks, progress: &Progress<'_>) -> usize {
        let (count, done) = (tasks.count(), AtomicUsize::new(0));
        self.pool.install(|| {
            (0..count).into_par_iter().with_max_len(1).for_each(|index| {
                if progress.control.is_cancelled() {
                    return;
                }
                let worker = rayon::current_thread_index().unwrap_or(0) % self.scratch.len();
                let mut scratch = lock(&self.scratch[worker]);
                let task = Task { of: tasks, index, scratch: &mut scratch };
                // SAFETY: the set was chosen for this CPU, pointers come from this session's plan, which sized the
                // scratch, and every task index runs once.
                unsafe { self.instructions.run(task) };
                progress.report(done.fetch_add(1, Ordering::Relaxed) + 1, count);
            });
        });
        count
    }

    pub fn run_steps(
        &mut self,
        run_input: RunInput<'_>,
        picture: PictureOutput,
        control: &RunControl,
        mut tap: Option<NormTap<'_>>,
    ) -> BackendResult {
        let plan = Arc::clone(&self.plan);
        let total = plan.flops();
        let mut before = 0;
        for (index, step) in plan.steps.iter().enumerate() {
            let progress = Progress { control, before, here: step.flops, total };
            // A fused pass of a general plan may have changed the map after the norm.
            if let (Some(tap), Some((name, map, norm))) =
                (tap.as_mut(), self.general_norm(&step.op))
            {
                tap(name, self.normalised(&plan.maps[map], Some(&norm)));
            }
            let started = Instant::now();
            self.execute(run_input, picture, &progress, &step.op);
            let tapped = match step.op {
                CpuOp::Fused { conv, to, .. } => to.map(|map| (conv, map, true)),
                CpuOp::Normalise { conv, map } => Some((conv, map, false)),
                CpuOp::General(_) | CpuOp::Im2col { .. } | CpuOp::Statistics { .. } => None,
            };
            if control.is_cancelled() {
                return Err(BackendError::Cancelled);
            }
            self.step_ms[index] = started.elapsed().as_secs_f64() * 1e3;
            before = before.saturating_add(step.flops);
            if let (Some(tap), Some((conv, map, raw))) = (tap.as_mut(), tapped) {
                let name = plan.convs[conv].norm_name.as_deref().unwrap_or_default();
                tap(name, self.normalised(&plan.maps[map], raw.then(|| &self.norms[conv])));
            }
        }
        control.set_progress(1.0);
        Ok(())
    }

    pub fn execute(
        &mut self,
        input: RunInput<'_>,
        picture: PictureOutput,
        progress: &Progress<'_>,
        op: &CpuOp,
    ) {
        let (plan, weights) = (Arc::clone(&self.plan), Arc::clone(&self.general_weights));
        let run = Run {
            base: self.arena.as_mut_ptr(),
            maps: &plan.maps,
            parts: &plan.general,
            weights: &weights,
            input,
            picture,
            instructions: self.instructions,
        };
        match *op {
            CpuOp::General(ref op) => self.general(&run, progress, op),
            CpuOp::Fused { conv, algorithm, source, to } => {
                self.fused(&run, progress, conv, (algorithm, source), to)
            }
            CpuOp::Im2col { conv, from, to } => self.im2col(&run, progress, conv, (from, to)),
            CpuOp::Statistics { conv, map } => self.statistics(&run, progress, conv, map),
            CpuOp::Normalise { conv, map } => self.normalise(&run, progress, conv, map),
        }
    }

    /// A stored map as a tensor. If it is raw, its norm is applied.
    pub fn normalised(&self, map: &MapBuffer, norm: Option<&ScaleShift>) -> Tensor {
        let mut tensor = Tensor::zeros(map.shape);
        let Shape { channels, height, width } = map.shape;
        for c in 0..channels {
            let (scale, shift) = norm.map_or((1.0, 0.0), |n| (n.scale[c], n.shift[c]));
            for p in 0..height * width {
                let value = self.arena[map.offset + p * map.stored_channels + c];
                // Rounds like the layers that load it.
                tensor.data[c * height * width + p] =
                    self.instructions.mul_add(value, scale, shift);
            }
        }
        tensor
    }

    /// Paints one frame.
    fn paint_frame(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> BackendResult<RunTiming> {
        let started = Instant::now();
        let photo = self.extended(input)?;
        BackendError::check_size(output, self.plan.photo)?;
        // Copies alpha; the last step overwrites the colours.
        output.rgba_mut().copy_from_slice(input.rgba());
        let run_input = RunInput::photo(&photo);
        let overflow = AtomicBool::new(false);
        let picture = self.picture(output.rgba_mut().as_mut_ptr(), null_mut(), &raw const overflow);
        // The pool is entered once for all steps. Entering it for each step would wake the workers each time.
        let pool = self.pool.clone();
        pool.install(|| self.run_steps(run_input, picture, control, None))?;
        if overflow.into_inner() {
            let mode = self.plan.variant.mode();
            return Err(BackendError::overflow(mode, THE_PROCESSOR.to_owned(), NumberFormat::Fp32));
        }
        Ok(RunTiming::host(started.elapsed().as_secs_f64() * 1e3))
    }

    /// Writes the picture to `floats`, which holds its three channels one after another.
    pub fn floats_to(&self, floats: &mut [f32]) -> PictureOutput {
        self.picture(null_mut(), floats.as_mut_ptr(), null())
    }

    /// Where the picture goes: floats, or bytes with `overflow` if `floats` is null.
    fn picture(
        &self,
        rgba: *mut u8,
        floats: *mut f32,
        overflow: *const AtomicBool,
    ) -> PictureOutput {
        PictureOutput { rgba, floats, overflow, bias: [0.0; 3], size: self.plan.photo }
    }

    /// The error for inputs other than what the network reads.
    pub fn wrong_inputs(&self, got: String) -> BackendError {
        let needed = match self.plan.inputs()[..] {
            [] => "a photo".to_owned(),
            ref all => maps_text(all),
        };
        BackendError::WrongInputs { needed, got }
    }

    /// The photo, extended to the right and below by repeated reflection if a side is too short for the network.
    /// Refuses a photo of the wrong size, or a photo for a network that reads maps.
    pub fn extended<'a>(&self, photo: &'a Frame) -> BackendResult<Cow<'a, Frame>> {
        if !self.plan.inputs().is_empty() {
            return Err(self.wrong_inputs("a photo".to_owned()));
        }
        BackendError::check_size(photo, self.plan.photo)?;
        let (height, width) = self.plan.extended;
        Ok(if (height, width) == self.plan.photo {
            Cow::Borrowed(photo)
        } else {
            Cow::Owned(photo.extended(width, height))
        })
    }
}

/// Reports a step's progress to the run's control.
pub struct Progress<'a> {
    control: &'a RunControl,
    before: u64,
    here: u64,
    total: u64,
}

impl<'a> Progress<'a> {
    /// Progress of a single step, without the rest of the plan.
    pub fn of_one_step(control: &'a RunControl) -> Self {
        Self { control, before: 0, here: 0, total: 0 }
    }

    /// Progress of work before a step's own tasks.
    pub fn before(&self) -> Progress<'a> {
        Self { here: 0, ..*self }
    }

    fn report(&self, done: usize, tasks: usize) {
        let here = self.here as f64 * done as f64 / tasks as f64;
        let share = (self.before as f64 + here) / self.total.max(1) as f64;
        self.control.set_progress(share as f32);
    }
}

impl Session for CpuSession {
    fn summary(&self) -> PlanSummary {
        self.plan.summary(self.threads())
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        _meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        run_one_by_one(job, control, |input, output| self.paint_frame(input, output, control))
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}
