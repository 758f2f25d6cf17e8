//! The processor: two variants in f32, and one of them with products of bytes (int8), with the widest vectors that
//! the machine has.
//!
//! `baseline` runs one pass per operation (pad, im2col, multiply, mean and variance, normalise,
//! ReLU, upsample, add); `fused` folds all of that into the convolutions and computes most of them by
//! Winograd's algorithms. Bytes cannot hold Winograd's sums: int8 computes four small convolutions instead of an
//! upsampled one, and the last layer as shifted columns. All run
//! the same register-tile kernels, compiled for each instruction set and chosen at run time.
//! That is Johnson's network, and what is made of the same patterns. Any other graph has a general plan, in both
//! variants: one step for each operation, or convolutions with what is around them (`general`).
//!
//! Work is cut into tasks by the picture's size alone and statistics are merged in task order, so
//! the same input gives the same bits with any number of threads. The worker pool belongs to the
//! backend; a session is used by one caller at a time.

mod audit;
mod baseline;
mod bytes;
mod fused;
mod gather;
mod general;
mod kernels;
mod pack;
mod passes;
mod rows;
mod run_input;
mod session;
mod simd;
#[cfg(target_arch = "x86_64")]
mod simd_x86;
mod statistics;
mod tiles;
mod winograd;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use self::{
    kernels::KernelSet,
    session::{CpuSession, unplannable},
};
use super::{Backend, BackendError, DeviceInfo, Inspect, RunControl, Session, SessionSpec};
use crate::{
    disk::reason,
    graph::Graph,
    mode::{AttentionChoice, DeviceChoice, Mode, ModeChoice, Precision, Variant},
    network::Network,
    plan::cpu::{CpuPlan, CpuVariant},
};

/// Rows and columns of a plan that only tells whether there is one.
const SMALL_SIDE: usize = 64;

/// Instructions of older processors for which there are kernels.
pub const OLDER_INSTRUCTIONS: [&str; 2] = ["AVX2", "SSE2"];

/// The processor.
pub struct CpuBackend {
    pool: Arc<rayon::ThreadPool>,
    kernels: &'static KernelSet,
    /// Of networks that are painted live, whether int8 computes them.
    known: Mutex<Vec<(Weak<Network>, bool)>>,
}

impl CpuBackend {
    /// A backend with `threads` workers; as many as the machine runs at once when `None` or 0.
    ///
    /// # Errors
    /// [`BackendError::Threads`] when the system refuses to start them.
    pub fn new(threads: Option<usize>) -> Result<Self, BackendError> {
        Self::with_kernels(threads, KernelSet::best())
    }

    /// A backend with the kernels for these instructions, one of [`OLDER_INSTRUCTIONS`].
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when the processor does not have them; [`BackendError::Threads`].
    pub fn with_instructions(threads: Option<usize>, name: &str) -> Result<Self, BackendError> {
        let mut available = KernelSet::available().into_iter();
        let kernels = available.find(|kernels| kernels.name == name).ok_or_else(|| {
            BackendError::Unavailable {
                device: processor_name(),
                reason: format!("it does not support {name}; leave out --kernels-of"),
            }
        })?;
        Self::with_kernels(threads, kernels)
    }

    /// One backend for every instruction set that this processor can run, fastest first; for
    /// checks.
    ///
    /// # Errors
    /// [`BackendError::Threads`] when the system refuses to start the workers.
    pub fn for_each_instruction_set(threads: Option<usize>) -> Result<Vec<Self>, BackendError> {
        KernelSet::available()
            .into_iter()
            .map(|kernels| Self::with_kernels(threads, kernels))
            .collect()
    }

    fn with_kernels(
        threads: Option<usize>,
        kernels: &'static KernelSet,
    ) -> Result<Self, BackendError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .thread_name(|i| format!("cpu-worker-{i}"))
            .build()
            .map_err(|e| BackendError::Threads(reason(&io::Error::other(e))))?;
        Ok(Self { pool: Arc::new(pool), kernels, known: Mutex::default() })
    }

    /// Whether int8 computes this network: asked for with every picture, and a plan takes a while.
    fn has_int8(&self, network: &Arc<Network>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().find(|(one, _)| one.as_ptr() == Arc::as_ptr(network));
        if let Some(&(_, has)) = place {
            return has;
        }
        known.retain(|(one, _)| one.strong_count() > 0);
        let (side, variant) = (SMALL_SIDE, CpuVariant::FusedInt8);
        let has = CpuPlan::new(network.graph(), side, side, variant).is_ok();
        known.push((Arc::downgrade(network), has));
        has
    }
}

/// The processor's name as the system gives it.
fn processor_name() -> String {
    let mut system = sysinfo::System::new();
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
    brand
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

impl Backend for CpuBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Cpu,
            name: processor_name(),
            threads: self.pool.current_num_threads(),
            instructions: self.kernels.name.to_owned(),
        }
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        supported(mode).map(|_| ())
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp32
    }

    fn live_precision(&self, variant: Variant, network: &Arc<Network>) -> Precision {
        match variant == Variant::Fused && self.kernels.multiplies_bytes() && self.has_int8(network)
        {
            true => Precision::Int8,
            false => self.auto_precision(variant),
        }
    }

    fn mode(&self, choice: ModeChoice) -> Mode {
        // The processor computes attention in one way.
        let mode = choice.with_auto(|variant| self.auto_precision(variant));
        mode.with_attention(AttentionChoice::Auto)
    }

    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        let variant = supported(spec.mode)?;
        let plan = CpuPlan::new(graph, spec.height, spec.width, variant);
        let plan = plan.map_err(|error| unplannable(spec.mode, &error))?;
        Ok(plan.summary(self.pool.current_num_threads()).peak_bytes)
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let variant = supported(spec.mode)?;
        let size = (spec.height, spec.width);
        let session = CpuSession::new(network, size, variant, self.kernels, self.pool.clone())?;
        Ok(Box::new(session))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl Inspect for CpuBackend {
    fn clock_mhz(&self) -> Option<u32> {
        let mut system = sysinfo::System::new();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing().with_frequency());
        // The fastest core: the others may be asleep.
        let clocks = system.cpus().iter().map(sysinfo::Cpu::frequency);
        clocks.max().and_then(|mhz| u32::try_from(mhz).ok()).filter(|&mhz| mhz > 0)
    }
}

/// The processor's variant for a mode, or why there is none and what to choose instead.
fn supported(mode: Mode) -> Result<CpuVariant, BackendError> {
    CpuVariant::of(mode).ok_or_else(|| {
        let reason = match mode {
            Mode { variant: Variant::FusedNorm, .. } => {
                "it only has the variants baseline and fused; choose one of them"
            }
            Mode { precision: Precision::Int8, .. } => {
                "int8 needs the variant fused here; choose it, or fp32"
            }
            _ => "it only computes in fp32 and int8; choose the precision fp32, int8 or auto",
        };
        BackendError::Unsupported {
            mode: mode.to_string(),
            device: "the processor".to_owned(),
            reason: reason.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::oracle,
        frame::{Frame, PictureDifference},
        graph::Op,
        models::johnson::NetworkSpec,
    };

    #[test]
    fn moving_pictures_are_painted_in_bytes_where_that_is_fast() {
        let johnson = Arc::new(NetworkSpec::with_widths([8, 16, 32]).random(1).expect("valid"));
        let mut graph = Graph::default();
        let mut add = |name: &str, op, inputs: &[usize]| {
            graph.add(name, "", op, inputs).expect("earlier nodes")
        };
        let photo = add("photo", Op::Photo, &[]);
        let mixed = add("mixed", Op::Attention { heads: 1 }, &[photo; 3]);
        add("picture", Op::Picture, &[mixed]);
        let other = Arc::new(Network::random(graph, 1).expect("valid"));
        let backends = CpuBackend::for_each_instruction_set(Some(1)).expect("threads");
        for backend in &backends {
            let precision = |variant, network| backend.live_precision(variant, network);
            let fast = match backend.kernels.multiplies_bytes() {
                true => Precision::Int8,
                false => Precision::Fp32,
            };
            for _ in 0..2 {
                assert_eq!(precision(Variant::Fused, &johnson), fast);
                assert_eq!(precision(Variant::Fused, &other), Precision::Fp32);
            }
            assert_eq!(precision(Variant::Baseline, &johnson), Precision::Fp32);
        }
        // Those without vectors for bytes are among them everywhere.
        assert!(backends.iter().any(|backend| !backend.kernels.multiplies_bytes()));
    }

    /// Here and not in `tests/`: only unit tests have the vectors that aarch64 runs.
    #[test]
    fn every_instruction_set_paints_the_oracles_picture() {
        let spec = NetworkSpec::with_widths([8, 16, 32]);
        let network = Arc::new(spec.random(9).expect("a valid shape"));
        let photo =
            Frame::from_fn(53, 38, |x, y| [(x * 5) as u8, (y * 7) as u8, ((x ^ y) * 9) as u8, 200]);
        let judged = oracle::judge(&network, &photo).picture(&photo);
        let bytes = Mode::new(Variant::Fused, Precision::Int8);
        let in_bytes =
            oracle::judge_rounded(&network, &photo, bytes, Default::default()).picture(&photo);
        let in_bytes = PictureDifference::between(&in_bytes, &judged).expect("equal sizes");
        let backends = CpuBackend::for_each_instruction_set(Some(2)).expect("threads");
        let names: Vec<_> = backends.iter().map(|b| b.kernels.name).collect();
        assert!(names.iter().any(|n| ["NEON", "portable"].contains(n)), "{names:?}");
        for (backend, name) in backends.iter().zip(names) {
            for mode in backend.modes() {
                let spec = SessionSpec::single(53, 38, mode);
                let mut session = backend.open(&network, &spec).expect("a session");
                let mut painted = photo.clone();
                session.paint(&photo, &mut painted, &RunControl::default()).expect("a run");
                let d = PictureDifference::between(&painted, &judged).expect("equal sizes");
                let is_right = match mode == bytes {
                    // A value half-way between two bytes may become either, which spreads: no run is that of another.
                    true => d.psnr_db >= 36.0 && d.psnr_db >= in_bytes.psnr_db - 2.0,
                    false => d.largest <= 1 && d.differing_share <= 0.005,
                };
                assert!(is_right, "{name} {mode}: {d:?}");
            }
        }
    }
}
