//! Properties of every plan, for devices that need not be present.

mod chains;
mod tile_choice;

use proptest::prelude::*;

use super::*;
use network::models::johnson::{Kernels, NetworkSpec};
use values::{mode::ModelSize, numeric::NumberFormat};

const fn device(
    compute_capability: (i32, i32),
    multiprocessors: usize,
    shared_kib: (usize, usize),
) -> DeviceLimits {
    DeviceLimits {
        compute_capability,
        multiprocessors,
        shared_bytes_per_cta: shared_kib.0 * 1024,
        shared_bytes_per_multiprocessor: shared_kib.1 * 1024,
    }
}

/// One device of each architecture for which the kernels are compiled (CUDA C++ Programming Guide, technical
/// specifications per compute capability).
pub(super) const DEVICES: [DeviceLimits; 7] = [
    device((7, 5), 40, (64, 64)),
    device((8, 0), 108, (163, 164)),
    device((8, 6), 68, (99, 100)),
    device((8, 9), 128, (99, 100)),
    device((9, 0), 132, (227, 228)),
    device((10, 0), 148, (227, 228)),
    device((12, 0), 170, (99, 100)),
];

fn published() -> Graph {
    NetworkSpec::with_widths([32, 64, 128]).graph().expect("a graph")
}

/// Convolutions of the published network.
const CONVS: usize = 16;

/// The modes that a GPU supports.
fn gpu_modes() -> impl Iterator<Item = Mode> {
    Mode::all().filter(|mode| PRECISIONS.contains(&mode.precision))
}

fn plan(graph: &Graph, size: (usize, usize), mode: Mode, device: &DeviceLimits) -> CudaPlan {
    CudaPlan::new(graph, size, 1, mode, device).expect("a plan")
}

#[test]
fn fused_is_one_launch_a_convolution() {
    let spec = published();
    for precision in PRECISIONS {
        let fused = plan(&spec, (512, 512), Mode::new(Variant::Fused, precision), &DEVICES[4]);
        assert_eq!(fused.steps.len(), CONVS);
        assert!(fused.steps.iter().all(|s| matches!(s.op, CudaOp::Conv(_))));
        if matches!(precision, Precision::Fp16x2 | Precision::Int8) {
            // Baseline does not support it, and all layers must fit.
            let lite = NetworkSpec::with_widths(ModelSize::Lite.widths()).graph();
            plan(&lite.expect("a graph"), (512, 512), fused.mode, &DEVICES[4]);
            continue;
        }
        let baseline =
            plan(&spec, (512, 512), Mode::new(Variant::Baseline, precision), &DEVICES[4]);
        assert!(baseline.steps.len() >= 80, "{}", baseline.steps.len());
        for kernel in ["pad", "upsample", "relu", "add", "normalise", "affine", "mean_partial"] {
            let launches = baseline.steps.iter().filter(|s| s.entry.starts_with(kernel));
            assert!(launches.count() > 0, "{kernel}");
        }
        let between =
            plan(&spec, (512, 512), Mode::new(Variant::FusedNorm, precision), &DEVICES[4]);
        assert!(between.steps.len() < baseline.steps.len() / 2);
        assert!(between.steps.iter().any(|s| s.entry.starts_with("norm_")));
        let flops = |p: &CudaPlan| p.steps.iter().map(|s| s.flops).sum::<u64>();
        assert_eq!(flops(&fused), flops(&baseline));
        let gflop = flops(&fused) as f64 / 1e9;
        assert!((gflop - 80.6).abs() < 0.1, "{gflop}");
    }
}

#[test]
fn unsupported_work_is_refused_with_the_reason() {
    let mode = Mode::new(Variant::Fused, Precision::Bf16);
    let error = CudaPlan::new(&published(), (64, 64), 1, mode, &DEVICES[0])
        .expect_err("no bf16 there")
        .to_string();
    assert_eq!(error, "bf16 needs compute capability 8.0, this GPU has 7.5");
    let mut spec = NetworkSpec::with_widths([32, 64, 128]);
    spec.kernels.first = 11;
    let graph = spec.graph().expect("a graph");
    // The kernel is larger than the tiles support.
    for precision in [Precision::Fp16, Precision::Bf16, Precision::Mixed] {
        let mode = Mode::new(Variant::Fused, precision);
        let general = plan(&graph, (64, 64), mode, &DEVICES[4]);
        assert!(general.notes_overflow, "its launches are the general ones");
    }
}

/// Maps that a step reads and maps that it writes.
fn touched(op: &CudaOp) -> (Vec<MapId>, Vec<MapId>) {
    match *op {
        CudaOp::Conv(ConvLaunch { source, target, .. }) => {
            let (mut reads, mut writes) = (Vec::new(), Vec::new());
            match source {
                Source::Photo => {}
                Source::Map(map) => reads.push(map),
                Source::Normalised { map, skip, keep, .. } => {
                    reads.push(map);
                    reads.extend(skip);
                    writes.extend(keep);
                }
            }
            if let Target::Map(map) = target {
                writes.push(map);
            }
            (reads, writes)
        }
        CudaOp::LibraryConv(LibraryConv { from, to, .. }) => (vec![from], vec![to]),
        CudaOp::Bias { map, .. } => (vec![map], vec![map]),
        CudaOp::LoadPhoto { to, .. } => (vec![], vec![to]),
        CudaOp::Node { from, other, to, .. } => {
            ([from].into_iter().chain(other).collect(), vec![to])
        }
        CudaOp::Statistics { finishes: true, .. } => (vec![], vec![]),
        CudaOp::Statistics { map, .. } | CudaOp::NormStatistics { map, .. } => (vec![map], vec![]),
        CudaOp::Normalise { map, .. } | CudaOp::Affine { map, .. } => (vec![map], vec![map]),
        CudaOp::NormApply { map, residual, .. } | CudaOp::NormPlane { map, residual, .. } => {
            let mut reads = vec![map];
            reads.extend(residual);
            (reads, vec![map])
        }
        CudaOp::StorePicture { from } => (vec![from], vec![]),
        CudaOp::General(op) => {
            let (reads, to) = op.maps();
            (reads, vec![to])
        }
    }
}

pub(super) fn check(plan: &CudaPlan, device: &DeviceLimits) {
    let launched: Vec<usize> = plan.launches.iter().cloned().flatten().collect();
    assert_eq!(launched, (0..plan.steps.len()).collect::<Vec<_>>());
    for steps in plan.launches.iter().filter(|steps| steps.len() > 1) {
        if let Some(leading) = plan.leading(steps) {
            chains::check_leading(plan, steps, leading, device);
        } else if let Some(joint) = plan.joint_kernel(steps) {
            let (across, images, _) = plan.steps[steps.start].grid;
            assert!((across * images) as usize <= device.multiprocessors);
            assert!(joint.shared_bytes as usize <= device.shared_bytes_per_cta);
            assert!(plan.flags_per_image() > across as usize);
            continue;
        }
        assert!(steps.len() <= MAX_CHAINED && plan.exchange_bytes > 0);
        // The first layer may have another shape.
        let alike = steps.start + usize::from(plan.leading(steps).is_some())..steps.end;
        let first = &plan.steps[alike.start];
        for step in &plan.steps[alike] {
            let (across, channels, images) = step.grid;
            let at_once = plan.frames_at_once(steps).expect("a chain");
            assert!(at_once <= images as usize);
            let ctas = (across * channels) as usize * at_once;
            assert!(ctas <= device.multiprocessors, "{}: {ctas}", step.layer);
            assert_eq!(
                (step.grid, step.block, step.shared_bytes, &step.entry),
                (first.grid, first.block, first.shared_bytes, &first.entry)
            );
            // A tile's values, in all of its channels, replace the input, and the residual stream is stored next to it.
            if let CudaOp::Conv(launch) = &step.op {
                let chunking = &launch.chunking;
                let kept = launch.tile.channels * 2 / 16 * chunking.pitch;
                assert!(chunking.tile_bytes >= kept, "{}", step.layer);
                let pixels = launch.input_tile.0 * launch.input_tile.1;
                // For tiles of pieces, the stream is loaded.
                let stream = match launch.tile.pieces {
                    1 => chunking.channels * 2 * pixels,
                    _ => 8 * pixels,
                };
                assert!(chunking.shared_bytes >= chunking.tile_bytes + stream);
            }
        }
    }
    // Which map's values are at which bytes. A step must find the maps that it reads as they were written.
    let mut owner: Vec<(usize, usize, MapId)> = Vec::new();
    for step in &plan.steps {
        if let CudaOp::Conv(launch) = &step.op
            && [Tile::SMALL_CHAIN, Tile::LARGE_CHAIN].contains(&launch.tile)
        {
            // These kernels process one tile per CTA; the plan gives them no layer with a bias.
            assert_eq!(launch.ctas.0, launch.tiles.0 * launch.tiles.1);
            assert!(launch.phases == 1 && !launch.bias, "{}", step.layer);
        }
        if let CudaOp::Conv(launch) = &step.op
            && launch.tile.pieces > 1
        {
            // The kernel processes all pieces of a CTA at once.
            let pieces = launch.tiles.0 * launch.tiles.1;
            assert_eq!(launch.ctas.0, pieces.div_ceil(launch.tile.pieces));
            assert!(launch.phases == 1 && !launch.bias, "{}", step.layer);
        }
        assert!(step.grid.0 > 0 && step.grid.1 > 0 && step.grid.2 > 0);
        assert!(step.grid.1 <= 65_535 && step.grid.2 <= 65_535);
        let (reads, writes) = touched(&step.op);
        for map in &reads {
            assert!(owner.iter().any(|o| o.2 == *map), "{} reads a dead map", step.layer);
        }
        for map in writes {
            let buffer = &plan.maps[map];
            let (start, end) = (buffer.offset, buffer.offset + buffer.bytes);
            assert!(end <= plan.arena_bytes && start % 256 == 0);
            for &other in reads.iter().filter(|&&r| r != map) {
                let o = &plan.maps[other];
                let apart = end <= o.offset || o.offset + o.bytes <= start;
                assert!(apart, "{} writes what it reads", step.layer);
            }
            owner.retain(|&(s, e, m)| m != map && (end <= s || e <= start));
            owner.push((start, end, map));
        }
        if let CudaOp::Conv(launch) = &step.op {
            let fixed = static_bytes(launch.tile, launch.main_loop);
            let shared = step.shared_bytes as usize + fixed;
            assert!(shared <= device.shared_bytes_per_cta, "{}: {shared}", step.layer);
            let units = (launch.tiles.0 * launch.tiles.1) << launch.split;
            assert!(launch.ctas.0 <= units);
            if launch.split > 0 {
                assert_eq!((launch.phases, launch.ctas.0), (4, units), "{}", step.layer);
                let all = launch.ctas.1 * units;
                assert!(all <= 2 * device.multiprocessors, "{}: {all}", step.layer);
            }
            let covered = launch.chunking.channels * launch.chunking.chunks;
            let needed = match launch.taps {
                Taps::PhotoRows => 3 * plan.convs[launch.conv].kernel,
                _ => plan.convs[launch.conv].in_channels,
            };
            assert!(covered >= needed, "{}", step.layer);
            assert_eq!(launch.weight_bytes(), plan.weight_bytes[launch.conv]);
        }
    }
}

/// In int8, the layers of residual blocks multiply bytes if a device's shared memory has room for their tiles. The
/// other layers multiply halves.
#[test]
fn residual_blocks_multiply_bytes_in_int8() {
    let mode = Mode::new(Variant::Fused, Precision::Int8);
    for (at, device) in DEVICES.iter().enumerate() {
        let plan = plan(&published(), (512, 512), mode, device);
        let bytes = if at == 0 { 0 } else { 10 };
        let in_bytes: Vec<&str> = (plan.steps.iter())
            .filter(|step| step.entry.ends_with("_int8"))
            .map(|step| step.layer.as_str())
            .collect();
        assert_eq!(in_bytes.len(), bytes, "{at}: {in_bytes:?}");
        assert!(in_bytes.iter().all(|layer| layer.starts_with("res")));
        let others = |step: &&CudaStep| !step.entry.ends_with("_int8");
        assert!((plan.steps.iter().filter(others)).all(|step| step.entry.ends_with("_fp16")));
    }
}

#[test]
fn a_library_computes_every_convolution_or_none() {
    for mode in gpu_modes() {
        let spec = published();
        let own = plan(&spec, (96, 64), mode, &DEVICES[4]);
        let plan = CudaPlan::with_library(&spec, (96, 64), 1, mode, &DEVICES[4], Some("a library"))
            .expect("a plan");
        if !leaves_convolutions(mode) {
            assert_eq!(plan, own, "{mode}");
            continue;
        }
        let count = |of: fn(&CudaOp) -> bool| plan.steps.iter().filter(|s| of(&s.op)).count();
        assert_eq!(count(|op| matches!(op, CudaOp::Conv(_))), 0, "{mode}");
        assert_eq!(plan.library_convs().count(), CONVS, "{mode}");
        assert_eq!(count(|op| matches!(op, CudaOp::Bias { .. })), CONVS);
        assert!(mode.variant != Variant::Baseline || plan.steps.len() >= 80);
        let flops = |p: &CudaPlan| p.steps.iter().map(|s| s.flops).sum::<u64>();
        assert_eq!(flops(&plan), flops(&own), "{mode}");
        for conv in plan.library_convs() {
            let (from, to, shape) = (plan.maps[conv.from], plan.maps[conv.to], conv.shape);
            assert_eq!(shape.input_bytes(), from.bytes);
            assert_eq!(shape.output_bytes(), to.bytes);
            let size = (to.shape.height, to.shape.width);
            assert_eq!(shape.output_size(), size, "{mode} {}", plan.convs[conv.conv].name);
            assert!(plan.workspace_bytes >= shape.most_workspace_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plans_fit_the_device_and_keep_what_is_read(
        widths in [1usize..20, 1usize..20, 1usize..33],
        blocks in 1usize..6,
        size in (1usize..400, 1usize..400),
        batch in 1usize..4,
        which in 0usize..DEVICES.len(),
        mode in 0..gpu_modes().count(),
        by_library in any::<bool>(),
    ) {
        let mode = gpu_modes().nth(mode).expect("a mode");
        let spec = NetworkSpec {
            widths: widths.map(|w| 8 * w),
            blocks,
            kernels: Kernels::default(),
        };
        let graph = spec.graph().expect("a graph");
        let device = &DEVICES[which];
        let plan = if by_library {
            CudaPlan::with_library(&graph, size, batch, mode, device, Some("a library"))
        } else {
            CudaPlan::new(&graph, size, batch, mode, device)
        };
        match plan {
            Ok(plan) => check(&plan, device),
            Err(CudaPlanError::Precision { .. }) => prop_assert_eq!(which, 0),
            Err(CudaPlanError::NoFp16x2 { major, .. }) => {
                prop_assert!(mode.precision == Precision::Fp16x2 && major != 9);
            }
            Err(CudaPlanError::LayerInFp16x2) => {
                prop_assert_eq!(mode.precision, Precision::Fp16x2);
            }
            Err(CudaPlanError::NoInt8) => {
                prop_assert!(mode.precision == Precision::Int8 && mode.variant != Variant::Fused);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn no_multiprocessor_has_more_tiles_than_it_must(
        tiles in 1usize..20_000,
        shared_kib in 1usize..100,
        per_multiprocessor in 1usize..3,
        which in 0usize..DEVICES.len(),
    ) {
        let device = &DEVICES[which];
        let resident = tiles::resident_at_once(shared_kib * 1024, per_multiprocessor, device);
        let ctas = tiles::resident_ctas(tiles, resident, device);
        prop_assert!(ctas <= tiles);
        prop_assert!(ctas <= per_multiprocessor * device.multiprocessors);
        // A group's statistics are merged at once, and so are those of all groups.
        let groups = tiles::merge_groups(ctas);
        prop_assert!(groups <= 32 && ctas.div_ceil(groups) <= 32);
        prop_assert_eq!(busiest(tiles, ctas, device), tiles.div_ceil(device.multiprocessors));
    }
}

/// Tiles of the busiest multiprocessor. CTAs are assigned in turn, and each processes every `ctas`-th tile.
fn busiest(tiles: usize, ctas: usize, device: &DeviceLimits) -> usize {
    let mut of_multiprocessor = vec![0; device.multiprocessors];
    for tile in 0..tiles {
        of_multiprocessor[tile % ctas % device.multiprocessors] += 1;
    }
    of_multiprocessor.into_iter().max().unwrap_or(0)
}

/// On Hopper, a T4, an RTX 3060, an RTX 4090 and the largest consumer Blackwell.
#[test]
fn layers_are_spread_evenly() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let small_ampere = device((8, 6), 28, (99, 100));
    let [t4, _, _, ada, hopper, _, blackwell] = &DEVICES;
    for device in [hopper, t4, &small_ampere, ada, blackwell] {
        for size in [(512, 512), (480, 640), (720, 1280)] {
            let plan = plan(&published(), size, mode, device);
            check(&plan, device);
            for step in &plan.steps {
                let CudaOp::Conv(conv) = &step.op else {
                    panic!("{} is no convolution", step.layer);
                };
                let tiles = (conv.tiles.0 * conv.tiles.1) << conv.split;
                let least = tiles.div_ceil(device.multiprocessors);
                assert_eq!(
                    busiest(tiles, conv.ctas.0, device),
                    least,
                    "{} at {size:?} on {device:?}",
                    step.layer
                );
            }
        }
    }
}

#[test]
fn a_newer_device_as_an_older_one_has_its_shared_memory() {
    let [_, ampere, small_ampere, ada, hopper, ..] = DEVICES;
    for older in [ampere, small_ampere, ada] {
        let as_older = hopper.as_of(older.compute_capability);
        let wanted = DeviceLimits { multiprocessors: hopper.multiprocessors, ..older };
        assert_eq!(as_older, wanted);
    }
    assert_eq!(hopper.as_of(hopper.compute_capability), hopper);
}

/// The norm runs in this way if the pixels of some channels fit the shared memory of a cluster, or those of all
/// channels that of all CTAs. On other devices they do not fit one CTA's.
#[test]
fn a_norm_is_shared_by_ctas_on_hopper() {
    let mode = Mode::new(Variant::FusedNorm, Precision::Fp32);
    let count = |device: &DeviceLimits, entry: &str| {
        let plan = plan(&published(), (512, 512), mode, device);
        check(&plan, device);
        let is_it = |step: &&CudaStep| step.entry == entry;
        for step in plan.steps.iter().filter(is_it) {
            let is_shared = entry.starts_with("norm_cluster");
            assert_eq!(step.grid.2, if is_shared { 8 } else { 1 }, "{}", step.layer);
            assert_eq!(step.file == "instance_norm_cluster", is_shared);
        }
        plan.steps.iter().filter(is_it).count()
    };
    let hopper = &DEVICES[4];
    assert_eq!(count(hopper, "norm_cluster_f32"), 11);
    assert_eq!(count(hopper, "norm_statistics_f32"), 4);
    // Too many CTAs for one launch, but the same strips, so that a batch produces the same bits.
    let of_batch =
        |batch| CudaPlan::new(&published(), (512, 512), batch, mode, hopper).expect("a plan");
    let (one, two) = (of_batch(1), of_batch(2));
    for (plan, joined) in [(&one, 4), (&two, 0)] {
        let joint = plan.launches.iter().filter_map(|steps| plan.joint_kernel(steps));
        assert_eq!(
            joint.map(|kernel| kernel.entry).collect::<Vec<_>>(),
            vec!["norm_resident_f32"; joined]
        );
    }
    let strips = |plan: &CudaPlan| -> Vec<RowPartition> {
        plan.steps
            .iter()
            .filter_map(|step| match step.op {
                CudaOp::NormStatistics { strips, .. } => Some(strips),
                _ => None,
            })
            .collect()
    };
    assert_eq!(strips(&one), strips(&two));
    for device in DEVICES.iter().filter(|device| *device != hopper) {
        assert_eq!(count(device, "norm_cluster_f32"), 0);
        assert_eq!(count(device, "norm_statistics_f32"), 15);
    }
}
