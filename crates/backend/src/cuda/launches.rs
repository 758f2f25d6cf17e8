//! The launches of a network in the device's memory: as few as possible for all steps, with the parameters of each.
//! They run one after another or are recorded as one graph.

use std::{ops::Range, sync::atomic::Ordering};

use super::{
    device_network::DeviceNetwork,
    driver::{
        Algorithm, ConvolutionBuffers, DevicePtr, DriverFailure, DriverResult, Function, Graph,
        LaunchShape,
    },
    kernel_params::ParamsMaker,
    kernels::refused,
    nvtx,
    params::KernelParams,
};
use crate::BackendResult;
use plan::cuda::{CudaOp, LibraryConv, MemoryLayout};

/// The range that a profiler shows around the launches of a frame that are not replayed from a graph. It contains the
/// ranges of the layers.
const FRAME_RANGE: &str = "frame";

/// All steps, prepared for launching.
pub struct Launches {
    /// One entry for each step.
    pub single: Vec<Prepared>,
    /// As few launches as possible. Several steps are one launch if the plan allows it and all of their CTAs fit on the
    /// device.
    pub together: Vec<LaunchGroup>,
}

impl Launches {
    /// The steps that run together, in order.
    pub fn steps(&self) -> Vec<Range<usize>> {
        self.together.iter().map(|together| together.steps.clone()).collect()
    }
}

/// The launches for some consecutive steps.
pub struct LaunchGroup {
    pub steps: Range<usize>,
    /// One launch, or several consecutive launches for some frames of a batch each.
    pub launches: Vec<Prepared>,
}

/// One step, or several in one launch, ready to be launched.
// A session has some hundred of them; that they are copied freely is worth the bytes.
#[allow(clippy::large_enum_variant)]
#[derive(Clone)]
pub enum Prepared {
    /// A launch of one of the program's own kernels.
    Kernel(KernelLaunch),
    /// A convolution by the library.
    Library(Algorithm, ConvolutionBuffers),
}

/// A launch of a kernel with its parameter block.
#[derive(Clone, Copy)]
pub struct KernelLaunch {
    pub function: Function,
    pub shape: LaunchShape,
    pub params: KernelParams,
}

impl DeviceNetwork {
    /// Finds the kernels and builds their parameters, for photos and paintings in this layout.
    fn prepare(&self, layout: &MemoryLayout) -> BackendResult<Launches> {
        let maker = self.maker_for(layout);
        let mut single = Vec::with_capacity(self.plan.steps.len());
        for step in &self.plan.steps {
            single.push(match (&step.op, maker.params(&step.op)) {
                (CudaOp::LibraryConv(conv), _) => self.library_launch(conv, &maker),
                (_, Some(params)) => Prepared::Kernel(KernelLaunch {
                    function: self.function(&step.file, &step.entry, step.shared_bytes)?,
                    shape: LaunchShape {
                        grid: step.grid,
                        block: step.block,
                        shared_bytes: step.shared_bytes,
                        cooperative: false,
                        early: self.plan.has_early_launches
                            && !self.is_plain.load(Ordering::Relaxed)
                            && step.may_begin_early()
                            && !single.is_empty(),
                    },
                    params,
                }),
                (_, None) => continue,
            });
        }
        let mut together = Vec::with_capacity(self.plan.launches.len());
        for steps in &self.plan.launches {
            if let Some(launches) = self.chain(&single, steps, &maker)? {
                let steps = steps.clone();
                together.push(LaunchGroup { steps, launches });
            } else {
                together.extend(steps.clone().map(|step| LaunchGroup {
                    steps: step..step + 1,
                    launches: vec![single[step].clone()],
                }));
            }
        }
        Ok(Launches { single, together })
    }

    /// Several steps as one launch for some frames each, whose CTAs wait for each other. `None` for a single step, or
    /// if fewer CTAs fit on the device at once than the plan assumes.
    fn chain(
        &self,
        single: &[Prepared],
        steps: &Range<usize>,
        maker: &ParamsMaker<'_>,
    ) -> BackendResult<Option<Vec<Prepared>>> {
        if steps.len() < 2 || self.is_plain.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Prepared::Kernel(first) = single[steps.start] else {
            return Ok(None);
        };
        let at_once = self.plan.frames_at_once(steps);
        // For other steps, the grid already includes all frames.
        let grid_of = |frames: usize| match at_once {
            Some(_) => (first.shape.grid.0, first.shape.grid.1, frames as u32),
            None => first.shape.grid,
        };
        let frames = at_once.unwrap_or(self.plan.batch);
        let mut shape = LaunchShape { cooperative: true, grid: grid_of(frames), ..first.shape };
        let mut function = first.function;
        if let Some(joint) = self.plan.joint_kernel(steps) {
            shape.shared_bytes = joint.shared_bytes;
            function = self.function(&joint.file, &joint.entry, joint.shared_bytes)?;
        }
        let resident =
            self.driver.resident_ctas(function, shape).map_err(|f| self.backend_error(f))?;
        if shape.ctas() > resident {
            return Ok(None);
        }
        let launches = (0..self.plan.batch).step_by(frames).map(|first_frame| {
            let left = self.plan.batch - first_frame;
            let params = ParamsMaker { first_frame, ..*maker }.chained(steps)?;
            Some(Prepared::Kernel(KernelLaunch {
                function,
                shape: LaunchShape { grid: grid_of(left.min(frames)), ..shape },
                params,
            }))
        });
        Ok(launches.collect())
    }

    /// The launch of a convolution that the library computes.
    pub fn library_launch(&self, conv: &LibraryConv, maker: &ParamsMaker<'_>) -> Prepared {
        let buffers = ConvolutionBuffers {
            input: DevicePtr(maker.map(conv.from)),
            weights: self.at(self.layout.convs[conv.conv].weights),
            output: DevicePtr(maker.map(conv.to)),
            workspace: self.at(self.layout.workspace),
        };
        Prepared::Library(self.algorithms[&conv.shape].clone(), buffers)
    }

    pub fn launch(&self, prepared: &Prepared) -> DriverResult {
        // SAFETY: the plan chose shape and parameters together, the kernel was found by the plan's name, and all
        // addresses are in memory that the session waits for before it frees it. The plan's workspace is as large as
        // the algorithm needs.
        unsafe {
            match prepared {
                Prepared::Kernel(l) => self.driver.launch(l.function, l.shape, l.params.as_ptr()),
                Prepared::Library(algorithm, buffers) => self
                    .driver
                    .convolution_library()
                    .map_err(DriverFailure::of_library)?
                    .convolve(algorithm, buffers),
            }
        }
    }

    /// [`Self::launch`], but only after the previous launch has ended. Otherwise an event between them would also
    /// measure its neighbours.
    pub fn launch_alone(&self, prepared: &Prepared) -> DriverResult {
        match prepared {
            &Prepared::Kernel(l) => self.launch(&Prepared::Kernel(KernelLaunch {
                shape: LaunchShape { early: false, ..l.shape },
                ..l
            })),
            Prepared::Library(..) => self.launch(prepared),
        }
    }

    /// Calls `launch` for each launch of a frame, in order. Profilers show each in a range with the names of its
    /// layers.
    pub fn step_by_step(
        &self,
        launches: &Launches,
        mut launch: impl FnMut(&LaunchGroup) -> DriverResult,
    ) -> DriverResult {
        let _frame = nvtx::range(FRAME_RANGE);
        launches.together.iter().try_for_each(|together| {
            let _layers = nvtx::range(&self.plan.layers(&together.steps));
            launch(together)
        })
    }

    /// Runs the launches of some steps.
    pub fn launch_together(&self, together: &LaunchGroup) -> DriverResult {
        (together.launches.iter()).try_for_each(|prepared| self.launch(prepared))
    }

    /// The launches for photos and paintings in this layout, and a graph of all of them, which the caller must release.
    /// If the driver does not support some kind of launch, only plain launches are used from then on.
    pub fn recorded(&self, layout: &MemoryLayout) -> BackendResult<(Launches, Graph)> {
        let launches = self.prepare(layout)?;
        match self.record(&launches) {
            Ok(graph) => Ok((launches, graph)),
            Err((_, failure))
                if failure.is_unsupported() && !self.is_plain.swap(true, Ordering::Relaxed) =>
            {
                self.recorded(layout)
            }
            Err((Some(entry), failure)) => Err(refused(failure, &entry, |f| self.backend_error(f))),
            Err((None, failure)) => Err(self.backend_error(failure)),
        }
    }

    /// The launches as one graph, or the failure and the entry point that could not be launched.
    fn record(&self, launches: &Launches) -> Result<Graph, (Option<String>, DriverFailure)> {
        self.driver.begin_recording().map_err(|f| (None, f))?;
        let launched = launches.together.iter().try_for_each(|together| {
            let entry = || self.plan.entry(&together.steps);
            (self.launch_together(together)).map_err(|f| (Some(entry()), f))
        });
        // Ends the recording after a failure too. Otherwise the stream would be unusable.
        let graph = self.driver.end_recording().map_err(|f| (None, f));
        if let (Err(_), Ok(half)) = (&launched, &graph) {
            self.driver.free_graph(*half);
        }
        launched.and(graph)
    }
}
