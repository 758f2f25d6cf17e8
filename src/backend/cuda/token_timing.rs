//! Times the attention and the linear layers of a network by themselves, as kernels of frameworks are timed: one graph
//! of the same launches many times over, on maps that the caches may hold.

use std::sync::Arc;

use super::{
    device_network::{DeviceNetwork, SessionDevice, driver_error},
    driver::{Driver, DriverFailure},
    frame_slot::Recording,
    launches::Launches,
    transfers::EventList,
};
use crate::{
    backend::{BackendError, RunControl},
    network::Network,
    plan::cuda::{CudaPlan, TokenPart, TokenPartKind},
    timing::OperationTiming,
};

/// How often a graph runs a part of so many tokens: often enough that what stands around the graph counts for little.
const fn runs_in_a_graph(tokens: usize) -> usize {
    if tokens <= 2048 { 20 } else { 4 }
}

/// Times the parts of a network's first block over `rounds` replays; none of a plan without attention.
pub(super) fn timed(
    device: &SessionDevice,
    network: &Network,
    plan: CudaPlan,
    rounds: u32,
) -> Result<Vec<OperationTiming>, BackendError> {
    let parts = plan.token_parts();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let control = RunControl::default();
    let on_device = DeviceNetwork::new(device.clone(), network.weights(), plan, &control)?;
    let (launches, graph) = on_device.recorded(&on_device.layout)?;
    device.driver.free_graph(graph);
    let measured = measure(&device.driver, &on_device, &launches, &parts, rounds);
    // The memory is given back next.
    let waited = device.driver.wait();
    measured
        .and_then(|times| waited.map(|()| times))
        .map_err(|failure| driver_error(failure, &device.name))
}

fn measure(
    driver: &Arc<dyn Driver>,
    network: &DeviceNetwork,
    launches: &Launches,
    parts: &[TokenPart],
    rounds: u32,
) -> Result<Vec<OperationTiming>, DriverFailure> {
    // A photo of noise: kernels run faster on zeros.
    let (height, width) = network.plan.extended;
    let photo: Vec<u8> = (0..4 * height * width)
        .map(|at| ((at as u32).wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect();
    driver.upload(network.at(network.layout.photo), &photo)?;
    let events = EventList::make(driver, 2)?;
    (parts.iter())
        .map(|part| {
            // What it reads: later launches of the network write other maps to the same memory.
            let first = part.steps.start;
            let all = launches.together.iter();
            let before = all.filter(|together| together.steps.start < first);
            let mut before = before.flat_map(|together| &together.launches);
            before.try_for_each(|launch| network.launch_alone(launch))?;
            let us = median_us(driver, network, launches, part, &events, rounds)?;
            Ok(timing(&network.plan, part, us))
        })
        .collect()
}

/// Median microseconds of a part.
fn median_us(
    driver: &Arc<dyn Driver>,
    network: &DeviceNetwork,
    launches: &Launches,
    part: &TokenPart,
    events: &EventList,
    rounds: u32,
) -> Result<f64, DriverFailure> {
    let own = || {
        let all = launches.together.iter();
        let own = all.filter(|together| part.steps.contains(&together.steps.start));
        own.flat_map(|together| &together.launches)
    };
    let runs = runs_in_a_graph(part.tokens.height * part.tokens.width);
    // A kernel that begins while the one before ends takes room from it, which pays between kernels of a layer only.
    let is_single = own().count() == 1;
    driver.begin_recording()?;
    let recorded = (0..runs).try_for_each(|run| {
        own().enumerate().try_for_each(|(at, launch)| {
            // There is no launch before the very first.
            match is_single || (run == 0 && at == 0) {
                true => network.launch_alone(launch),
                false => network.launch(launch),
            }
        })
    });
    // Ends the recording after a failure too, or the stream could not be used any more.
    let graph = Recording { graph: driver.end_recording()?, driver: driver.clone() };
    recorded?;
    Ok(1e3 * events.median_ms(graph.graph, rounds)? / runs as f64)
}

fn timing(plan: &CudaPlan, part: &TokenPart, us: f64) -> OperationTiming {
    let steps = &plan.steps[part.steps.clone()];
    let tokens = part.tokens;
    let shape = format!("{}x{}x{}", tokens.channels, tokens.height, tokens.width);
    let heads = format!("{} heads of {}", part.heads, tokens.channels / part.heads.max(1));
    let (name, how) = match part.kind {
        TokenPartKind::Attention => {
            (format!("attention, {heads}"), "of queries, keys and values that are there")
        }
        TokenPartKind::AttentionLayer => (
            format!("attention layer, {heads}"),
            "norm, projections, attention, projection and sum",
        ),
        TokenPartKind::FeedForward => {
            ("feed-forward part".to_owned(), "norm, linear layer, GELU, linear layer and sum")
        }
    };
    OperationTiming {
        operation: part.kind.name(),
        name,
        shape: format!("{shape} -> {shape}"),
        in_channels: tokens.channels,
        out_channels: tokens.channels,
        height: tokens.height,
        width: tokens.width,
        kernel: 1,
        stride: 1,
        us,
        network_us: us,
        flops: steps.iter().map(|step| step.flops).sum(),
        bytes: steps.iter().map(|step| step.bytes).sum(),
        launches: steps.iter().map(|step| step.entry.clone()).collect(),
        launches_of_network: steps.len(),
        how,
        copies: 1,
    }
}
