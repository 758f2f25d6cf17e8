//! Keeps the strokes of a session's paintings where they are on the things that they show (`kernels/steady.cu`), like
//! [`steady`] on the CPU: the launches, and the memory of one session.
//!
//! The frame and the painting before stay in the device's memory. No result is read back: the kernels decide themselves
//! whether the scene continues. Belongs to the session's thread.

use std::{iter::successors, ptr::from_ref, sync::Arc};

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, Driver, DriverResult, Function, LaunchShape},
    params::SteadyParams,
};
use crate::{BackendError, BackendResult, Declined, Steadiness};
use plan::cuda::Cutter;
use steady::{GRID_PX, LANCZOS, LEAST_SIDE_PX, PATCH, TRIALS, coarser_size, patches_along};
use values::timing::RunTiming;

/// File of the kernels.
const KERNEL: &str = "steady";
const ENTRIES: [&str; 11] = [
    "steady_pyramid",
    "steady_search",
    "steady_spread",
    "steady_points",
    "steady_trials",
    "steady_refine",
    "steady_errors",
    "steady_judge",
    "steady_detail",
    "steady_mix",
    "steady_finish",
];

/// An entry point, in the order of [`ENTRIES`].
#[derive(Clone, Copy)]
enum Entry {
    Pyramid,
    Search,
    Spread,
    Points,
    Trials,
    Refine,
    Errors,
    Judge,
    Detail,
    Mix,
    Finish,
}

// As in the kernels.
const BLOCK: usize = 256;
const POINT_THREADS: usize = 1024;
const TRIAL_THREADS: usize = 512;
const STATE_BYTES: usize = 4096;
/// Levels that one launch of [`Entry::Pyramid`] adds to its first.
const TILE_LEVELS: usize = 5;
/// Sums of a CTA that refines the camera's motion.
const SUMS: usize = 27;
const MOST_REFINING_CTAS: usize = 128;
/// Floats between two phases of the Lanczos weights.
const TAPS_STRIDE: usize = 8;

/// Steadies the paintings of one session.
pub struct DeviceSteady {
    functions: [Function; ENTRIES.len()],
    /// Columns and rows of the levels, finest first.
    levels: Vec<(usize, usize)>,
    /// Columns and rows of the painting.
    size: (usize, usize),
    /// For every second frame; [`SteadyParams::swapped`] for the others.
    params: SteadyParams,
    /// Steadiness in the current job; `None` if it is not steadied.
    percent: Option<u8>,
    /// The next frame is a second one.
    turn: bool,
    /// The previous painting is kept.
    is_started: bool,
    memory: DevicePtr,
    driver: Arc<dyn Driver>,
}

impl Drop for DeviceSteady {
    fn drop(&mut self) {
        self.driver.free(self.memory);
    }
}

impl DeviceSteady {
    /// True if paintings of this size (rows and columns) can be steadied.
    pub fn suits((height, width): (usize, usize)) -> bool {
        width.min(height) >= LEAST_SIDE_PX
    }

    /// Allocates the memory, for paintings of the network's size.
    ///
    /// # Errors
    /// [`BackendError::Declined`] if there is no memory for it, [`BackendError::Kernel`], and the driver's failures.
    pub fn new(network: &DeviceNetwork) -> BackendResult<Self> {
        let mut functions = [Function(0); ENTRIES.len()];
        for (function, entry) in functions.iter_mut().zip(ENTRIES) {
            *function = network.function(KERNEL, entry, 0)?;
        }
        let on = network.on_device();
        let ((height, width), row) = (on.size, on.extended.1);
        let finest = (width.div_ceil(2), height.div_ceil(2));
        let levels: Vec<_> = successors(Some(finest), |&size| coarser_size(size)).collect();
        let painting = SteadyParams {
            painting: on.painting.0,
            photo: on.scaled.0,
            width: width as i32,
            height: height as i32,
            row: row as i32,
            levels: levels.len() as i32,
            ..SteadyParams::default()
        };
        let bytes = painting.placed(&levels, DevicePtr(0)).1;
        let driver = on.driver.clone();
        let memory = driver.allocate(bytes).map_err(|failure| {
            if failure.is_out_of_memory() {
                BackendError::Declined(Declined::NoMemory)
            } else {
                network.backend_error(failure)
            }
        })?;
        let (params, _) = painting.placed(&levels, memory);
        let size = (width, height);
        let steady = Self {
            functions,
            levels,
            size,
            params,
            percent: None,
            turn: false,
            is_started: false,
            memory,
            driver,
        };
        let taps: Vec<u8> = (LANCZOS.iter())
            .flat_map(|taps| {
                let end = [0.0; TAPS_STRIDE];
                taps.iter().copied().chain(end).take(TAPS_STRIDE).flat_map(f32::to_le_bytes)
            })
            .collect();
        let to = DevicePtr(steady.params.taps);
        steady.driver.upload(to, &taps).map_err(|f| network.backend_error(f))?;
        Ok(steady)
    }

    /// Starts a job.
    pub fn begin(&mut self, steadiness: Option<Steadiness>) {
        self.percent = steadiness.map(|steadiness| steadiness.percent.min(100));
        self.is_started &= !steadiness.is_some_and(|steadiness| steadiness.is_new);
    }

    /// True if the current job steadies its painting.
    pub const fn is_on(&self) -> bool {
        self.percent.is_some()
    }

    /// Ends a job, after the device was waited for. Keeps its painting if it was painted.
    pub fn end(&mut self, run: &BackendResult<RunTiming>) {
        let is_declined = matches!(run, Err(BackendError::Declined(_)));
        if self.percent.take().is_some() && !is_declined {
            self.turn = !self.turn;
            self.is_started = run.is_ok();
        }
    }

    /// The state after the last job, for [`DeviceSteady::restore`]; empty if no painting is kept.
    ///
    /// # Errors
    /// The driver's failures.
    pub fn save(&self) -> DriverResult<Vec<u8>> {
        let mut state = Vec::new();
        if self.is_started {
            state.extend(self.state_header());
            for (from, bytes) in self.kept() {
                let begin = state.len();
                state.resize(begin + bytes, 0);
                self.driver.download(&mut state[begin..], from)?;
            }
        }
        Ok(state)
    }

    /// Continues after the painting after which `state` was saved; starts anew if the bytes are not such a state.
    ///
    /// # Errors
    /// The driver's failures.
    pub fn restore(&mut self, state: &[u8]) -> DriverResult {
        self.is_started = false;
        let needed: usize = self.kept().iter().map(|(_, bytes)| bytes).sum();
        let Some(mut rest) = state.strip_prefix(&self.state_header()[..]) else { return Ok(()) };
        if rest.len() != needed {
            return Ok(());
        }
        for (to, bytes) in self.kept() {
            let (part, after) = rest.split_at(bytes);
            self.driver.upload(to, part)?;
            rest = after;
        }
        self.is_started = true;
        Ok(())
    }

    /// First bytes of a state. Those of the processor begin with a width.
    fn state_header(&self) -> [u8; 16] {
        let mut header = *b"of a GPU........";
        for (to, side) in header[8..].as_chunks_mut().0.iter_mut().zip([self.size.0, self.size.1]) {
            *to = (side as u32).to_le_bytes();
        }
        header
    }

    /// Everything that the next frame needs of the one before, and its bytes.
    fn kept(&self) -> [(DevicePtr, usize); 3] {
        let next = self.next_params();
        let pixels = |&(width, height): &(usize, usize)| width * height;
        let pyramid: usize = self.levels.iter().map(pixels).sum();
        [
            (DevicePtr(next.before), 4 * pyramid),
            (DevicePtr(next.soft_before), 4 * pixels(&self.levels[0])),
            (DevicePtr(next.previous), 16 * pixels(&self.size)),
        ]
    }

    const fn next_params(&self) -> SteadyParams {
        if self.turn { self.params.swapped() } else { self.params }
    }

    /// Queues the launches for the session's painting, after it is painted.
    pub fn queue(&self, driver: &dyn Driver) -> DriverResult {
        let params = SteadyParams {
            continues: i32::from(self.is_started),
            share: f32::from(self.percent.unwrap_or(0)) / 100.0,
            ..self.next_params()
        };
        let launch = |entry: Entry, grid: (usize, usize, usize), block: usize, params| {
            let shape = LaunchShape {
                grid: (grid.0 as u32, grid.1 as u32, grid.2 as u32),
                block: block as u32,
                ..LaunchShape::default()
            };
            let function = self.functions[entry as usize];
            // SAFETY: the block is that of all these kernels. Its addresses belong to the session and to this memory,
            // which stay valid until the device was waited for.
            unsafe { driver.launch(function, shape, from_ref::<SteadyParams>(&params).cast()) }
        };
        let tiles = |(width, height): (usize, usize), (columns, rows): (usize, usize)| {
            (width.div_ceil(columns), height.div_ceil(rows), 1)
        };
        let half = self.levels[0];
        for level in (0..self.levels.len().max(2) - 1).step_by(TILE_LEVELS) {
            let params = SteadyParams { level: level as i32, ..params };
            launch(Entry::Pyramid, tiles(self.levels[level], (32, 32)), BLOCK, params)?;
        }
        if self.is_started {
            for (level, &size) in self.levels.iter().enumerate().rev() {
                let params = SteadyParams { level: level as i32, ..params };
                let grid = ((PATCH * patch_count(size)).div_ceil(BLOCK), 2, 1);
                launch(Entry::Search, grid, BLOCK, params)?;
            }
            let (columns, rows, _) = tiles(half, (32, 8));
            launch(Entry::Spread, (columns, rows, 2), BLOCK, params)?;
            let grid = (point_count(half).div_ceil(POINT_THREADS).max(1), 1, 1);
            launch(Entry::Points, grid, POINT_THREADS, params)?;
            launch(Entry::Trials, (TRIALS, 1, 1), TRIAL_THREADS, params)?;
            let samples = half.0.div_ceil(2) * half.1.div_ceil(2);
            let grid = (samples.div_ceil(BLOCK).min(MOST_REFINING_CTAS), 1, 1);
            for step in 0..2 {
                launch(Entry::Refine, grid, BLOCK, SteadyParams { step, ..params })?;
            }
            let (columns, rows) = error_grid(half);
            launch(Entry::Errors, (columns, rows, 1), BLOCK, params)?;
            launch(Entry::Judge, (columns, rows, 1), BLOCK, params)?;
        }
        let detail_grid = tiles(self.size, (64, 32));
        launch(Entry::Detail, detail_grid, BLOCK, params)?;
        launch(Entry::Mix, tiles(self.size, (32, 8)), BLOCK, params)?;
        if self.is_started {
            launch(Entry::Finish, detail_grid, BLOCK, params)?;
        }
        Ok(())
    }
}

impl SteadyParams {
    /// With the places of everything in `memory`, and the bytes that this takes.
    fn placed(self, levels: &[(usize, usize)], memory: DevicePtr) -> (Self, usize) {
        let pixels = |(width, height): (usize, usize)| width * height;
        let all = self.width as usize * self.height as usize;
        let half = pixels(levels[0]);
        let pyramid: usize = levels.iter().copied().map(pixels).sum();
        let patches: usize = levels.iter().copied().map(|size| 2 * patch_count(size)).sum();
        let points = point_count(levels[0]);
        let sums = (SUMS * MOST_REFINING_CTAS).max(2 * pixels(error_grid(levels[0])));
        let mut cutter = Cutter::default();
        let mut part = |bytes: usize| memory.at(cutter.part(bytes)).0;
        let params = Self {
            now: part(4 * pyramid),
            before: part(4 * pyramid),
            soft_now: part(4 * half),
            soft_before: part(4 * half),
            patches: part(16 * patches),
            flow: part(2 * 8 * half),
            field: part(16 * half),
            follows: part(half),
            candidates: part(16 * points),
            points: part(16 * points),
            partials: part(4 * sums),
            state: part(STATE_BYTES),
            energy: part(4 * all),
            history: part(16 * all),
            previous: part(16 * all),
            taps: part(4 * TAPS_STRIDE * LANCZOS.len()),
            ..self
        };
        (params, cutter.used)
    }

    /// For the next frame: what was of this one is then of the one before.
    const fn swapped(self) -> Self {
        Self {
            now: self.before,
            before: self.now,
            soft_now: self.soft_before,
            soft_before: self.soft_now,
            history: self.previous,
            previous: self.history,
            ..self
        }
    }
}

/// Patches in a level of this size.
fn patch_count((width, height): (usize, usize)) -> usize {
    patches_along(width) * patches_along(height)
}

/// Points that may vote for the camera's motion in a picture of half size.
fn point_count((width, height): (usize, usize)) -> usize {
    let along = |side: usize| side.saturating_sub(GRID_PX / 2).div_ceil(GRID_PX);
    along(width) * along(height)
}

/// CTAs across and down that compare two pictures of half size.
const fn error_grid((width, height): (usize, usize)) -> (usize, usize) {
    (width.div_ceil(32), height.div_ceil(16))
}
