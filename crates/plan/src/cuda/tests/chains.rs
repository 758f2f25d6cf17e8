//! Launches of several layers, and how their CTAs merge statistics.

use super::*;

/// A chain that starts with a layer of another shape. Shared memory contains the ring, the lists, and first that
/// layer's tile, then the chain's tile followed by the residual stream.
pub(super) fn check_leading(
    plan: &CudaPlan,
    steps: &Range<usize>,
    leading: LeadingChain,
    device: &DeviceLimits,
) {
    let [first, next] = [steps.start, steps.start + 1].map(|at| &plan.steps[at]);
    let (CudaOp::Conv(of_first), CudaOp::Conv(of_chain)) = (&first.op, &next.op) else {
        panic!("{} is no convolution", first.layer);
    };
    assert_eq!((first.grid, first.block), (next.grid, next.block));
    let pixels = |conv: &ConvLaunch| conv.input_tile.0 * conv.input_tile.1;
    let lists = 16 * pixels(of_chain) + 8 * pixels(of_first);
    let stream = of_chain.chunking.channels * 2 * pixels(of_chain);
    let tiles = of_first.chunking.tile_bytes.max(of_chain.chunking.tile_bytes + stream);
    assert!(of_first.tile.is_chain() && of_first.operand != NumberFormat::Int8);
    assert_eq!(plan.format().storage.bytes(), 2);
    assert!(leading.ring_stages >= 3);
    assert!(leading.shared_bytes >= (leading.ring_stages << 14) + lists + tiles);
    let statics = static_bytes(of_chain.tile, of_chain.main_loop);
    assert!(leading.shared_bytes + statics <= device.shared_bytes_per_cta);
    assert!(of_first.smem_steps().count() + of_chain.smem_steps().count() <= MAX_SMEM_STEPS);
}

#[test]
fn the_residual_layers_are_one_launch_where_the_device_holds_all_of_it() {
    let launches = |size, batch, precision, device: usize| {
        let mode = Mode::new(Variant::Fused, precision);
        let plan =
            CudaPlan::new(&published(), size, batch, mode, &DEVICES[device]).expect("a plan");
        let longest =
            plan.launches.iter().max_by_key(|steps| steps.len()).expect("a launch").clone();
        (plan.launches.len(), plan.layers(&longest))
    };
    for precision in
        [Precision::Fp16, Precision::Bf16, Precision::Int8, Precision::Tf32, Precision::Mixed]
    {
        // With two-byte values, the layer before the chain belongs to it if a CTA has one tile.
        let has_short_values = ![Precision::Tf32, Precision::Mixed].contains(&precision);
        for size in [(512, 512), (480, 640), (720, 1280), (41, 38)] {
            let (count, longest) = launches(size, 1, precision, 4);
            let expected = if has_short_values && size != (720, 1280) {
                (6, "conv3 to res5.conv2")
            } else {
                (7, "res1.conv1 to res5.conv2")
            };
            assert_eq!((count, longest.as_str()), expected, "{size:?} {precision}");
        }
        let together = 7 - usize::from(has_short_values);
        // 2 x 128 CTAs on 132 multiprocessors: one frame after the other.
        assert_eq!(launches((512, 512), 2, precision, 4).0, together);
        assert_eq!(launches((128, 128), 3, precision, 4).0, together);
        assert_eq!(launches((512, 512), 1, precision, 1).0, 16);
    }
    assert_eq!(launches((512, 512), 1, Precision::Fp32, 4).0, 16);
}

/// Frames of a batch pass through a chain, as many at a time as the device holds, unless launches of single layers fill
/// the device much better.
#[test]
fn batches_go_through_chains_some_frames_at_a_time() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let frames = |size, batch| {
        let plan = CudaPlan::new(&published(), size, batch, mode, &DEVICES[4]).expect("a plan");
        check(&plan, &DEVICES[4]);
        let chain = plan.launches.iter().find(|steps| steps.len() > 1)?;
        plan.frames_at_once(chain)
    };
    // 64 CTAs per frame; two frames fit on 132 multiprocessors.
    assert_eq!(frames((256, 256), 1), Some(1));
    assert_eq!(frames((256, 256), 3), Some(2));
    assert_eq!(frames((256, 256), 16), Some(2));
    // 128 CTAs per frame.
    assert_eq!(frames((512, 512), 16), Some(1));
    // 80 CTAs: two frames in two launches need as many rounds as without chains, three frames in three launches need
    // one more.
    assert_eq!(frames((240, 320), 2), Some(1));
    assert_eq!(frames((240, 320), 3), None);
    // 100 CTAs: four frames need as many rounds, sixteen frames need three more than thirteen.
    assert_eq!(frames((480, 640), 4), Some(1));
    assert_eq!(frames((480, 640), 16), None);
}

/// Each chain has its own area for the data that its CTAs exchange, because values left by one chain could be mistaken
/// for a tag of another.
#[test]
fn chains_exchange_in_places_of_their_own() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let mut plan = plan(&published(), (512, 512), mode, &DEVICES[4]);
    let position = plan.launches.iter().position(|l| l.len() == 11);
    let at = position.expect("a chain");
    let chain = plan.launches[at].clone();
    let (first, second) = (chain.start..chain.start + 6, chain.start + 6..chain.end);
    assert_eq!(plan.exchange_at(&chain), 0);
    // Tag, flags, and for 128 channels the parts of 128 CTAs and four copies of factors.
    assert_eq!(plan.exchange_bytes, 256 + 512 + 16 * 128 * (128 + 4));
    plan.launches.splice(at..=at, [first.clone(), second.clone()]);
    assert_eq!(plan.exchange_at(&first), 0);
    assert_eq!(plan.exchange_at(&second), plan.exchange_bytes);
}

/// CTAs wait for the statistics of others if all are on the device at once. The waiting CTAs occupy at most a third of
/// it, because launches may also run in other streams.
#[test]
fn ctas_poll_for_statistics_where_the_device_holds_all_of_them() {
    let small = device((9, 0), 16, (227, 228));
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let polling = |batch, size, device: &DeviceLimits| -> usize {
        let plan = CudaPlan::new(&published(), size, batch, mode, device).expect("a plan");
        plan.steps
            .iter()
            .filter(|step| match &step.op {
                CudaOp::Conv(launch) => launch.polls,
                _ => false,
            })
            .count()
    };
    let hopper = &DEVICES[4];
    for size in [(64, 64), (512, 512), (720, 1280), (2160, 3840)] {
        // All but the last layer, which has no norm after it.
        assert_eq!(polling(1, size, hopper), 15, "{size:?}");
    }
    assert_eq!(polling(8, (512, 512), hopper), 0);
    assert_eq!(polling(1, (512, 512), &small), 0);
    for other in DEVICES.iter().filter(|device| *device != hopper) {
        assert_eq!(polling(1, (512, 512), other), 0);
    }
}

/// The CTAs of a chain only wait for those of the same frame. In a batch, what a layer writes for one frame must not
/// overlap what an earlier layer still reads for another frame.
#[test]
fn maps_of_a_chain_do_not_overlap_in_a_batch() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let mut chains = 0;
    for widths in [[32, 64, 128], [16, 64, 128]] {
        let graph = NetworkSpec::with_widths(widths).graph().expect("a graph");
        for (size, batch) in [((250, 250), 2), ((240, 135), 3), ((75, 70), 2), ((256, 256), 2)] {
            let plan = CudaPlan::new(&graph, size, batch, mode, &DEVICES[4]).expect("a plan");
            for steps in plan.launches.iter().filter(|steps| steps.len() > 1) {
                chains += 1;
                let mut maps: Vec<MapId> = plan.steps[steps.clone()]
                    .iter()
                    .flat_map(|step| {
                        let (reads, writes) = touched(&step.op);
                        reads.into_iter().chain(writes)
                    })
                    .collect();
                maps.sort_by_key(|&map| (plan.maps[map].offset, map));
                maps.dedup();
                for pair in maps.windows(2) {
                    let [first, second] = [pair[0], pair[1]].map(|map| &plan.maps[map]);
                    assert!(
                        first.offset + first.bytes <= second.offset,
                        "{widths:?} {size:?} {batch}"
                    );
                }
            }
        }
    }
    assert!(chains >= 8, "{chains}");
}

/// Few tiles of an upsampled layer are divided among more CTAs. Each launch starts where the previous one ended. With
/// large tiles, every second layer of a chain runs in reverse.
#[test]
fn tiles_are_divided_and_taken_in_turns() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let conv = |size, layer: &str| {
        let plan = plan(&published(), size, mode, &DEVICES[4]);
        let mut steps = plan.steps.iter().filter(|step| step.layer == layer);
        match &steps.next().expect("the layer").op {
            CudaOp::Conv(launch) => *launch,
            other => panic!("{other:?}"),
        }
    };
    let split = |size| ["deconv1", "deconv2"].map(|layer| conv(size, layer).split);
    assert_eq!(split((256, 256)), [2, 1]);
    assert_eq!(split((512, 512)), [1, 0]);
    assert_eq!(split((720, 1280)), [0, 0]);
    let order = |size, layer: &str| {
        let launch = conv(size, layer);
        (launch.backwards, launch.turned)
    };
    // Residual layers in the launch of the layer before them; in a separate launch, in pieces; and in large tiles.
    for (size, is_own, is_deep) in
        [((512, 512), false, false), ((720, 1280), true, false), ((1080, 1920), true, true)]
    {
        let row = |layer: &str| order(size, layer);
        assert_eq!(["conv1", "conv2", "conv3"].map(|l| row(l).0), [false, true, false]);
        assert_eq!(row("res1.conv1"), (is_own, false));
        assert_eq!(row("res1.conv2"), (is_own, is_deep));
        // Ten alternating layers end where they would have started.
        let ended = is_own == is_deep;
        let last = ["deconv1", "deconv2", "deconv3"].map(|l| row(l).0);
        assert_eq!(last, [ended, !ended, ended], "{size:?}");
    }
}

/// The order in which a layer's statistics are merged does not depend on the number of frames, even if its chains do
/// not fit the device. Otherwise a batch would paint other bits than its frames alone.
#[test]
fn a_batch_merges_statistics_in_the_order_of_a_frame() {
    let hopper = &DEVICES[4];
    for size in [(256, 256), (512, 512), (480, 640), (720, 1280)] {
        for precision in [Precision::Fp16, Precision::Tf32, Precision::Fp32] {
            let mode = Mode::new(Variant::Fused, precision);
            let order = |batch| -> Vec<_> {
                let plan = CudaPlan::new(&published(), size, batch, mode, hopper).expect("a plan");
                plan.steps
                    .iter()
                    .filter_map(|step| match &step.op {
                        CudaOp::Conv(c) => Some((c.tile, c.ctas, c.split, c.backwards, c.turned)),
                        _ => None,
                    })
                    .collect()
            };
            assert_eq!(order(1), order(2), "{size:?} {precision}");
        }
    }
}
