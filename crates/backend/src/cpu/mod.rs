//! The CPU backend: two variants in f32, of which `fused` is also available with byte products (int8). Uses the widest
//! vectors of the machine.
//!
//! `baseline` runs one pass per operation (pad, im2col, multiply, mean and variance, normalise, ReLU, upsample, add).
//! `fused` folds all of these into the convolutions and computes most convolutions by Winograd's algorithms. Bytes
//! cannot represent Winograd's sums, so int8 computes an upsampled convolution as four small ones, and the last layer
//! as shifted columns. All variants run the same register-tile kernels, which are compiled for each instruction set and
//! selected at run time.
//! This applies to Johnson's network and to networks with the same patterns. Any other graph has a general plan in both
//! variants: one step for each operation, or convolutions fused with the operations around them (`general`).
//!
//! The picture's size alone decides how work is cut into tasks, and statistics are merged in task order. The same input
//! therefore produces the same bits with any number of threads. The worker pool belongs to the backend. A session is
//! used by one caller at a time.

mod baseline;
mod bytes;
mod fused;
mod gather;
mod general;
mod inspection;
mod instruction_set;
mod kernel;
mod pack;
mod rows;
mod run_input;
mod session;
mod shared;
mod simd;
#[cfg(target_arch = "x86_64")]
mod simd_x86;
mod statistics;
mod tiles;
mod winograd;

use std::{
    io,
    sync::{Arc, Mutex, Weak},
};

use self::{
    instruction_set::InstructionSet,
    session::{CpuSession, unplannable},
};
use super::{
    Backend, BackendError, BackendResult, DeviceInfo, Inspect, RunControl, Session, SessionSpec,
};
use network::{Network, graph::Graph};
use plan::cpu::{CpuPlan, CpuVariant};
use values::{
    disk::reason,
    lock::lock,
    mode::{AttentionChoice, DeviceChoice, Mode, ModeChoice, Precision, Variant},
};

/// Rows and columns of a plan that is only made to find out whether there is one.
const SMALL_SIDE: usize = 64;

/// Instruction sets of older CPUs for which there are kernels.
pub const OLDER_INSTRUCTIONS: [&str; 2] = ["AVX2", "SSE2"];

pub struct CpuBackend {
    pool: Arc<rayon::ThreadPool>,
    instructions: InstructionSet,
    /// For networks that are painted live: whether int8 can compute them.
    known: Mutex<Vec<(Weak<Network>, bool)>>,
}

impl CpuBackend {
    /// A backend with `threads` workers; one per hardware thread when `None` or 0.
    ///
    /// # Errors
    /// [`BackendError::Threads`] if the system cannot start them.
    pub fn new(threads: Option<usize>) -> BackendResult<Self> {
        Self::with_instruction_set(threads, InstructionSet::best())
    }

    /// A backend with the kernels for one of [`OLDER_INSTRUCTIONS`].
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] if the CPU does not have the instructions; [`BackendError::Threads`].
    pub fn with_instructions(threads: Option<usize>, name: &str) -> BackendResult<Self> {
        let mut available = InstructionSet::available().into_iter();
        let instructions =
            available.find(|set| set.name() == name).ok_or_else(|| BackendError::Unavailable {
                device: processor_name(),
                reason: format!("it does not support {name}; leave out --kernels-of"),
            })?;
        Self::with_instruction_set(threads, instructions)
    }

    /// One backend for every instruction set that this CPU can run, fastest first; for checks.
    ///
    /// # Errors
    /// [`BackendError::Threads`] if the system cannot start the workers.
    pub fn for_each_instruction_set(threads: Option<usize>) -> BackendResult<Vec<Self>> {
        InstructionSet::available()
            .into_iter()
            .map(|set| Self::with_instruction_set(threads, set))
            .collect()
    }

    fn with_instruction_set(
        threads: Option<usize>,
        instructions: InstructionSet,
    ) -> BackendResult<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .thread_name(|i| format!("cpu-worker-{i}"))
            .build()
            .map_err(|e| BackendError::Threads(reason(&io::Error::other(e))))?;
        Ok(Self { pool: Arc::new(pool), instructions, known: Mutex::default() })
    }

    /// True if int8 can compute this network. The answer is cached because making a plan takes time and every picture
    /// needs it.
    fn has_int8(&self, network: &Arc<Network>) -> bool {
        let mut known = lock(&self.known);
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

/// The CPU's name as the system reports it.
fn processor_name() -> String {
    let mut system = sysinfo::System::new();
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    system
        .cpus()
        .first()
        .map(|cpu| cpu.brand().trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

impl Backend for CpuBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Cpu,
            name: processor_name(),
            threads: self.pool.current_num_threads(),
            instructions: self.instructions.name().to_owned(),
        }
    }

    fn supports(&self, mode: Mode) -> BackendResult {
        supported(mode).map(|_| ())
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp32
    }

    fn live_precision(&self, variant: Variant, network: &Arc<Network>) -> Precision {
        let is_fused = variant == Variant::Fused;
        if is_fused && self.instructions.multiplies_bytes() && self.has_int8(network) {
            Precision::Int8
        } else {
            self.auto_precision(variant)
        }
    }

    fn mode(&self, choice: ModeChoice) -> Mode {
        // The CPU has only one way to compute attention.
        choice
            .with_auto(|variant| self.auto_precision(variant))
            .with_attention(AttentionChoice::Auto)
    }

    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<u64> {
        let variant = supported(spec.mode)?;
        let plan = CpuPlan::new(graph, spec.height, spec.width, variant)
            .map_err(|error| unplannable(spec.mode, &error))?;
        Ok(plan.summary(self.pool.current_num_threads()).peak_bytes)
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> BackendResult<Box<dyn Session>> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let variant = supported(spec.mode)?;
        let size = (spec.height, spec.width);
        let session =
            CpuSession::new(network, size, variant, self.instructions, self.pool.clone())?;
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
        // The fastest core, because the others may be idle.
        system
            .cpus()
            .iter()
            .map(sysinfo::Cpu::frequency)
            .max()
            .and_then(|mhz| u32::try_from(mhz).ok())
            .filter(|&mhz| mhz > 0)
    }
}

/// The CPU's variant for a mode; otherwise an error with the reason and what to choose instead.
fn supported(mode: Mode) -> BackendResult<CpuVariant> {
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
    use network::{graph::Op, models::johnson::NetworkSpec};
    use values::frame::{Frame, PictureDifference};

    #[test]
    fn video_is_painted_in_int8_if_that_is_fast() {
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
            let fast = match backend.instructions.multiplies_bytes() {
                true => Precision::Int8,
                false => Precision::Fp32,
            };
            for _ in 0..2 {
                assert_eq!(precision(Variant::Fused, &johnson), fast);
                assert_eq!(precision(Variant::Fused, &other), Precision::Fp32);
            }
            assert_eq!(precision(Variant::Baseline, &johnson), Precision::Fp32);
        }
        // Every machine can also run sets without byte instructions.
        assert!(backends.iter().any(|backend| !backend.instructions.multiplies_bytes()));
    }

    /// A unit test instead of one in `tests/`, because only unit tests can run the vectors for aarch64.
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
        let names: Vec<_> = backends.iter().map(|b| b.instructions.name()).collect();
        assert!(names.iter().any(|n| ["NEON", "portable"].contains(n)), "{names:?}");
        for (backend, name) in backends.iter().zip(names) {
            for mode in backend.modes() {
                let spec = SessionSpec::single(53, 38, mode);
                let mut session = backend.open(&network, &spec).expect("a session");
                let mut painted = photo.clone();
                session.paint(&photo, &mut painted, &RunControl::default()).expect("a run");
                let d = PictureDifference::between(&painted, &judged).expect("equal sizes");
                let is_right = match mode == bytes {
                    // A value half-way between two bytes may become either, and the difference spreads. Two runs are
                    // therefore never equal.
                    true => d.psnr_db >= 36.0 && d.psnr_db >= in_bytes.psnr_db - 2.0,
                    false => d.largest <= 1 && d.differing_share <= 0.005,
                };
                assert!(is_right, "{name} {mode}: {d:?}");
            }
        }
    }
}
