//! One operation by itself: the same launches over many copies of its maps, recorded as one graph.
//!
//! All copies together are larger than any GPU's caches, so that each finds its input in memory, as in
//! a network; and one graph of many launches leaves no gaps for the clock's events to fall into. Inputs
//! and weights are random, from a fixed seed.

use std::{ops::Range, sync::Arc};

use super::{
    SWEPT_BYTES,
    device_network::{DeviceNetwork, SessionDevice, driver_error},
    driver::{DevicePtr, Driver, DriverFailure},
    frame_slot::Recording,
    launches::Launches,
    transfers::EventList,
};
use crate::{
    backend::{BackendError, RunControl},
    network::{NodeWeights, Weights},
    plan::cuda::{MemoryLayout, Operation, OperationPlan},
    tensor::{Shape, Tensor},
    timing::OperationTiming,
};

/// Most copies: more would only make the graph longer.
const MOST_COPIES: usize = 64;

/// An operation ready to run.
pub struct OperationSession {
    operation: Operation,
    plan: OperationPlan,
    /// All launches of all copies, and those of them that the fused network has too.
    graphs: Vec<Recording>,
    /// Before and behind a replay; made when it is first timed.
    events: Option<EventList>,
    copies: Vec<Copied>,
    driver: Arc<dyn Driver>,
    weights: Weights,
    input: Tensor,
    device_name: String,
}

/// The maps with their launches.
struct Copied {
    launches: Launches,
    network: DeviceNetwork,
}

impl OperationSession {
    /// Takes the memory, uploads weights and inputs: when `timed` for as many copies of the maps as
    /// exceed the caches, else for one.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub(super) fn new(
        device: &SessionDevice,
        operation: Operation,
        plan: OperationPlan,
        timed: bool,
    ) -> Result<Self, BackendError> {
        let mut random = Random(7);
        let mut weights = Weights::default();
        for conv in &operation.convs {
            let fan_in = conv.in_channels * conv.kernel * conv.kernel;
            let spread = (3.0 / fan_in as f32).sqrt();
            *weights.of_mut(&conv.name) = NodeWeights {
                weight: random.values(conv.weight_count(), 0.0, spread),
                bias: random.values(conv.out_channels, 0.0, 0.5),
            };
            if let Some(norm) = &conv.norm_name {
                *weights.of_mut(norm) = NodeWeights {
                    weight: random.values(conv.out_channels, 1.0, 0.5),
                    bias: random.values(conv.out_channels, 0.0, 0.5),
                };
            }
        }
        let storage = plan.plan.format().storage;
        let mut input = Tensor::zeros(operation.input);
        let mut stored = Vec::new();
        for value in random.values(input.shape.len(), 0.0, 2.0) {
            storage.push(&mut stored, value);
        }
        input.data = storage.read(&stored);
        let count = if timed {
            let each = MemoryLayout::of(&plan.plan).total;
            SWEPT_BYTES.div_ceil(each).clamp(2, MOST_COPIES)
        } else {
            1
        };
        let mut session = Self {
            operation,
            plan,
            graphs: Vec::new(),
            events: None,
            copies: Vec::with_capacity(count),
            driver: device.driver.clone(),
            weights,
            input,
            device_name: device.name.clone(),
        };
        let control = RunControl::default();
        for _ in 0..count {
            let plan = session.plan.plan.clone();
            let network = DeviceNetwork::new(device.clone(), &session.weights, plan, &control)?;
            // The graph tells whether the driver launches like this; copies are timed in graphs of their own.
            let (launches, graph) = network.recorded(&network.layout)?;
            device.driver.free_graph(graph);
            session.copies.push(Copied { launches, network });
        }
        session.upload_inputs().map_err(|f| session.backend_error(f))?;
        Ok(session)
    }

    /// The weights of its convolutions.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// What it reads, in values that the precision holds exactly.
    pub fn input(&self) -> &Tensor {
        &self.input
    }

    /// Runs once and hands over what it makes, as it lies in the device's memory: for a painting its
    /// levels before rounding.
    ///
    /// # Errors
    /// [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub fn run(&mut self) -> Result<Tensor, BackendError> {
        // Norms work in place, also on the input of a norm alone.
        self.upload_inputs().map_err(|f| self.backend_error(f))?;
        let Some(Copied { launches, network }) = self.copies.first() else {
            return Ok(Tensor::zeros(Shape::new(0, 0, 0)));
        };
        let store_floats = network.store_floats()?;
        let run = || -> Result<Tensor, DriverFailure> {
            network.step_by_step(launches, |together| network.launch_together(together))?;
            match self.plan.output {
                Some(map) => network.tensor(DevicePtr(network.maker().map(map)), map, None),
                None => network.output_floats(&launches.single, store_floats),
            }
        };
        run().map_err(|f| self.backend_error(f))
    }

    /// Times it over `rounds` replays.
    ///
    /// # Errors
    /// [`BackendError::DeviceLost`].
    pub fn timing(&mut self, rounds: u32) -> Result<OperationTiming, BackendError> {
        let ranges = match self.copies.first() {
            Some(copy) => copy.launches.steps(),
            None => Vec::new(),
        };
        let all = ranges.len();
        let of_network = |range: &&Range<usize>| range.end <= self.plan.launches_of_network;
        let shared = ranges.iter().filter(of_network).count();
        let measured = (|| {
            let whole_ms = self.measure(all, rounds)?;
            let network_ms = match shared {
                0 => 0.0,
                _ if shared == all => whole_ms,
                _ => self.measure(shared, rounds)?,
            };
            Ok((whole_ms, network_ms))
        })();
        let (whole_ms, network_ms) = measured.map_err(|f| self.backend_error(f))?;
        let (operation, output) = (&self.operation, self.operation.output());
        let shape = |s: Shape| format!("{}x{}x{}", s.channels, s.height, s.width);
        let conv = operation.convs.first();
        let each = 1e3 / self.copies.len() as f64;
        Ok(OperationTiming {
            operation: operation.kind.name(),
            name: operation.title(),
            shape: format!("{} -> {}", shape(operation.input), shape(output)),
            in_channels: operation.input.channels,
            out_channels: output.channels,
            height: operation.input.height,
            width: operation.input.width,
            kernel: conv.map_or(1, |conv| conv.kernel),
            stride: conv.map_or(1, |conv| conv.stride),
            us: whole_ms * each,
            network_us: network_ms * each,
            flops: operation.flops(),
            bytes: operation.bytes(self.plan.plan.mode.precision),
            launches: ranges.iter().map(|steps| self.plan.plan.entry(steps)).collect(),
            launches_of_network: shared,
            how: operation.how,
            copies: self.copies.len(),
        })
    }

    /// Median milliseconds of the first `launches` launches of all copies, as one graph.
    fn measure(&mut self, launches: usize, rounds: u32) -> Result<f64, DriverFailure> {
        self.driver.begin_recording()?;
        let recorded = self.copies.iter().try_for_each(|copy| {
            let mut first = copy.launches.together.iter().take(launches);
            first.try_for_each(|together| copy.network.launch_together(together))
        });
        // Ends the recording after a failure too, or the stream could not be used any more.
        let graph = self.driver.end_recording()?;
        self.graphs.push(Recording { graph, driver: self.driver.clone() });
        recorded?;
        let list = match self.events.take() {
            Some(list) => list,
            None => EventList::make(&self.driver, 2)?,
        };
        self.events.insert(list).median_ms(graph, rounds)
    }

    fn upload_inputs(&self) -> Result<(), DriverFailure> {
        let map = &self.plan.plan.maps[self.plan.input];
        let storage = self.plan.plan.format().storage;
        let pixels = map.shape.height * map.shape.width;
        let mut bytes = Vec::with_capacity(pixels * map.stored_channels * storage.bytes());
        for pixel in 0..pixels {
            for channel in 0..map.stored_channels {
                // Channels that only fill up are zero.
                let value = match channel < map.shape.channels {
                    true => self.input.data[channel * pixels + pixel],
                    false => 0.0,
                };
                storage.push(&mut bytes, value);
            }
        }
        self.copies.iter().try_for_each(|copy| {
            let to = DevicePtr(copy.network.maker().map(self.plan.input));
            self.driver.upload(to, &bytes)
        })
    }

    fn backend_error(&self, failure: DriverFailure) -> BackendError {
        driver_error(failure, &self.device_name)
    }
}

impl Drop for OperationSession {
    fn drop(&mut self) {
        // The memory that is freed next may still be in use. A lost context refuses to wait; then it is not in
        // use.
        self.driver.wait().ok();
    }
}

/// Numbers that repeat from run to run: splitmix64.
struct Random(u64);

impl Random {
    /// So many values, evenly spread around `centre` by at most `spread`.
    fn values(&mut self, count: usize, centre: f32, spread: f32) -> Vec<f32> {
        (0..count).map(|_| centre + spread * (2.0 * self.unit() - 1.0)).collect()
    }

    /// 0 to 1.
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }
}
