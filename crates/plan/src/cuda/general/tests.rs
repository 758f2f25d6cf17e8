//! Properties of the plans of general graphs. Their results are tested on a GPU (`tests/gpu`).

use super::super::tests::{DEVICES, check};
use crate::cuda::{AttentionPart, CudaOp, CudaPlan, GeneralOp, PRECISIONS};
use network::graph::{Conv, Function, Graph, NodeId, Op, PadMode, Sides};
use values::{
    frame::largest_size,
    mode::{AttentionChoice, AttentionKernel, Mode, Precision, Variant},
    tensor::Shape,
};

fn add(graph: &mut Graph, op: Op, inputs: &[NodeId]) -> NodeId {
    let name = format!("n{}", graph.nodes().len());
    graph.add(&name, "", op, inputs).expect("earlier nodes")
}

/// Zero padding, a convolution, an affine step, ReLU, and a picture.
fn graph() -> Graph {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let zeros = Op::Pad { mode: PadMode::Constant(0.0), sides: Sides::all(1) };
    let padded = add(&mut graph, zeros, &[photo]);
    let conv = Op::Conv2d(Conv::square(3, 20, 3, 1));
    let conv = add(&mut graph, conv, &[padded]);
    let affine = add(&mut graph, Op::Affine, &[conv]);
    let relu = add(&mut graph, Op::Relu, &[affine]);
    let rgb =
        Op::ConvTranspose2d { conv: Conv::square(20, 3, 3, 1), cut: Sides::all(1), extra: [0; 2] };
    let rgb = add(&mut graph, rgb, &[relu]);
    let tanh = add(&mut graph, Op::Function(Function::Tanh), &[rgb]);
    add(&mut graph, Op::Picture, &[tanh]);
    graph
}

fn entries(graph: &Graph, mode: Mode) -> Vec<String> {
    let plan = CudaPlan::new(graph, (37, 41), 1, mode, &DEVICES[4]).expect("a plan");
    check(&plan, &DEVICES[4]);
    plan.steps.into_iter().map(|step| step.entry).collect()
}

#[test]
fn fused_folds_operations_with_one_reader_into_convolutions() {
    let mut graph = graph();
    let baseline = Mode::new(Variant::Baseline, Precision::Fp16);
    assert_eq!(
        entries(&graph, baseline),
        [
            "load_photo_f16",
            "general_move_128",
            "general_conv_128x32_f16",
            "general_pointwise_f16",
            "general_pointwise_f16",
            "general_conv_128x16_f16",
            "general_pointwise_f16",
            "store_picture_f16"
        ]
    );
    let fused = Mode::new(Variant::Fused, Precision::Fp16);
    let folded = [
        "load_photo_f16",
        "general_conv_128x32_f16",
        "general_conv_128x16_f16",
        "store_picture_f16",
    ];
    assert_eq!(entries(&graph, fused), folded);
    // A map that another node also reads is kept.
    add(&mut graph, Op::Relu, &[3]);
    assert_eq!(entries(&graph, fused).len(), folded.len() + 2);
}

#[test]
fn modes_without_general_kernels_say_what_to_choose() {
    for mode in [
        Mode::new(Variant::Baseline, Precision::Tf32),
        Mode::new(Variant::Baseline, Precision::Mixed),
        Mode::new(Variant::FusedNorm, Precision::Fp16),
    ] {
        let error = CudaPlan::new(&graph(), (37, 41), 1, mode, &DEVICES[4])
            .expect_err("no such kernels")
            .to_string();
        let end = "; choose fused, or baseline in fp32, fp16 or bf16";
        assert!(error.starts_with("no kernel computes n2") && error.ends_with(end), "{error}");
    }
}

#[test]
fn a_picture_smaller_than_the_photo_is_refused() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    // This also holds for a larger photo.
    let mean = add(&mut graph, Op::SpatialMean, &[photo]);
    add(&mut graph, Op::Picture, &[mean]);
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let error = CudaPlan::new(&graph, (9, 9), 1, mode, &DEVICES[4]).expect_err("too small");
    let text = "for a photo of 9 x 9 pixels it cannot make an image of that size";
    assert_eq!(error.to_string(), text);
}

#[test]
fn operations_without_a_kernel_are_left_to_the_processor() {
    let mut on_map = Graph::default();
    add(&mut on_map, Op::Input { channels: 3 }, &[]);
    let mut with_constant = Graph::default();
    let photo = add(&mut with_constant, Op::Photo, &[]);
    let constant = Op::Constant(Shape::new(3, 9, 9));
    let constant = add(&mut with_constant, constant, &[]);
    let sum = add(&mut with_constant, Op::Add, &[photo, constant]);
    add(&mut with_constant, Op::Picture, &[sum]);
    let mut with_log = Graph::default();
    let photo = add(&mut with_log, Op::Photo, &[]);
    let log = add(&mut with_log, Op::Function(Function::Log), &[photo]);
    add(&mut with_log, Op::Picture, &[log]);
    for (graph, node) in [(on_map, "n0"), (with_constant, "n1"), (with_log, "n1")] {
        for mode in Mode::all().filter(|mode| PRECISIONS.contains(&mode.precision)) {
            let error = CudaPlan::new(&graph, (9, 9), 1, mode, &DEVICES[4]).expect_err("a map");
            let text = "is an operation that only the CPU supports; choose the CPU";
            assert_eq!(error.to_string(), format!("{node} {text}"), "{mode}");
        }
    }
}

/// In fp16, sums over levels are divided if a norm cancels the factor, and nowhere else.
#[test]
fn sums_over_levels_are_divided_where_only_a_norm_reads_them() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let conv = add(&mut graph, Op::Conv2d(Conv::square(3, 3, 1, 1)), &[photo]);
    let statistics = add(&mut graph, Op::InstanceStatistics, &[conv]);
    let norm = Op::InstanceNorm { eps: 1e-3 };
    let norm = add(&mut graph, norm, &[conv, statistics]);
    let tanh = add(&mut graph, Op::Function(Function::Tanh), &[norm]);
    add(&mut graph, Op::Picture, &[tanh]);
    let factor_and_eps = |graph: &Graph, precision| {
        let mode = Mode::new(Variant::Baseline, precision);
        let plan = CudaPlan::new(graph, (9, 9), 1, mode, &DEVICES[4]).expect("a plan");
        let factor = plan.steps.iter().find_map(|step| match step.op {
            CudaOp::General(GeneralOp::Conv(conv)) => Some(conv.factor),
            _ => None,
        });
        let eps = plan.steps.iter().find_map(|step| match step.op {
            CudaOp::General(GeneralOp::Pointwise { statistics, .. }) => Some(statistics?.1),
            _ => None,
        });
        (factor.expect("a convolution"), eps.expect("a norm"))
    };
    assert_eq!(factor_and_eps(&graph, Precision::Fp32), (1.0, 1e-3));
    let divided = (1.0 / 256.0, 1e-3 / 65536.0);
    assert_eq!(factor_and_eps(&graph, Precision::Fp16), divided);
    add(&mut graph, Op::Relu, &[conv]);
    assert_eq!(factor_and_eps(&graph, Precision::Fp16), (1.0, 1e-3));
}

/// Tokens of 2 heads of `head_size` that attend to each other, from one map of queries, keys and values.
fn of_tokens(head_size: usize) -> Graph {
    let mut graph = Graph::default();
    let dim = 2 * head_size;
    let linear = |from, to| Op::Conv2d(Conv::square(from, to, 1, 1));
    let photo = add(&mut graph, Op::Photo, &[]);
    let tokens = add(&mut graph, linear(3, dim), &[photo]);
    let placed = add(&mut graph, Op::Positions, &[tokens]);
    let normed = add(&mut graph, Op::LayerNorm { eps: 1e-5 }, &[placed]);
    let all = add(&mut graph, linear(dim, 3 * dim), &[normed]);
    let parts = [0, 1, 2].map(|part| {
        let slice = Op::Channels { first: part * dim, count: dim };
        add(&mut graph, slice, &[all])
    });
    let mixed = add(&mut graph, Op::Attention { heads: 2 }, &parts);
    let wide = add(&mut graph, linear(dim, dim), &[mixed]);
    let gelu = add(&mut graph, Op::Function(Function::Gelu), &[wide]);
    let rgb = add(&mut graph, linear(dim, 3), &[gelu]);
    add(&mut graph, Op::Picture, &[rgb]);
    graph
}

/// What a plan launches between the norm and the picture.
fn of_attention(plan: &CudaPlan) -> Vec<&str> {
    let is_own = |entry: &&str| entry.starts_with("attention") || entry.starts_with("general_move");
    plan.steps.iter().map(|step| step.entry.as_str()).filter(is_own).collect()
}

#[test]
fn fused_attention_reads_its_channels_in_place() {
    let graph = of_tokens(64);
    let planned = |variant| {
        let mode = Mode::new(variant, Precision::Fp16);
        let plan = CudaPlan::new(&graph, (9, 15), 2, mode, &DEVICES[4]).expect("a plan");
        check(&plan, &DEVICES[4]);
        plan
    };
    let baseline = planned(Variant::Baseline);
    let naive = [
        "general_move_128",
        "general_move_128",
        "general_move_128",
        "attention_naive_scores_f16",
        "attention_naive_softmax_f32",
        "attention_naive_product_f16",
    ];
    assert_eq!(of_attention(&baseline), naive);
    let fused = planned(Variant::Fused);
    assert_eq!(of_attention(&fused), ["attention_wgmma_64_f16"]);
    assert!(fused.steps.len() < baseline.steps.len() - 4);
    let flops = |plan: &CudaPlan| plan.steps.iter().map(|step| step.flops).sum::<u64>();
    assert_eq!(flops(&fused), flops(&baseline));
    let read = fused.steps.iter().find_map(|step| match step.op {
        CudaOp::General(GeneralOp::Attention(read, AttentionPart::Whole { to })) => {
            Some((read, to))
        }
        _ => None,
    });
    let (read, to) = read.expect("attention");
    assert_eq!((read.queries.map, read.keys.map), (read.keys.map, read.values.map));
    assert_eq!([read.queries, read.keys, read.values].map(|slice| slice.first), [0, 128, 256]);
    assert_eq!(fused.maps[read.queries.map].stored_channels, 384);
    assert_eq!(fused.maps[to].stored_channels, 128);
}

#[test]
fn every_way_of_attention_can_be_chosen() {
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    for (head_size, way, entry) in [
        (32, AttentionKernel::Naive, "attention_naive_scores_f32"),
        (32, AttentionKernel::Tiled, "attention_tiled_32_f32"),
        (128, AttentionKernel::Online, "attention_online_128_f32"),
        (40, AttentionKernel::Online, "attention_naive_scores_f32"),
    ] {
        let mode = mode.with_attention(AttentionChoice::Fixed(way));
        let graph = of_tokens(head_size);
        let plan = CudaPlan::new(&graph, (8, 8), 1, mode, &DEVICES[0]).expect("a plan");
        check(&plan, &DEVICES[0]);
        assert_eq!(of_attention(&plan)[0], entry);
        // The summary reports what runs, and that it is not what was requested.
        let summary = plan.summary(&plan.launches);
        let runs = *summary.attention_kernels.first().expect("attention");
        assert!(entry.contains(runs.name()), "{runs}");
        let as_run = format!("fused fp32, {runs} attention");
        assert_eq!((summary.mode, summary.label()), (mode, as_run));
        let note = "naive attention instead of online, which needs heads of 32, 64 or 128 channels";
        let note = (runs != way).then(|| note.to_owned());
        assert_eq!(summary.attention_note(), note);
    }
}

/// Scores are memory like maps, and too many of them are refused before anything is allocated.
#[test]
fn scores_in_memory_are_counted() {
    let graph = of_tokens(64);
    let planned = |variant, size| {
        let mode = Mode::new(variant, Precision::Fp16);
        CudaPlan::new(&graph, size, 1, mode, &DEVICES[4])
    };
    let size = (48, 64);
    let tokens = 48 * 64;
    let bytes = |variant| planned(variant, size).expect("a plan").device_bytes();
    // Two heads, and a sum for each row.
    let scores = 4 * 2 * tokens * (tokens + 1);
    assert!(bytes(Variant::Baseline) > scores as u64);
    assert!(bytes(Variant::Fused) < scores as u64 / 4);
    let large = (400, 400);
    assert!(planned(Variant::Fused, large).is_ok());
    let error = planned(Variant::Baseline, large).expect_err("205 GB of scores");
    let text = "n8 would store 204 GB of scores of 160000 tokens for 160000; choose a smaller picture, or \
                fused without --attention naive, which stores none for heads of 32, 64 or 128 channels";
    assert_eq!(error.to_string(), text);
    // The largest square below the limit: 304 x 304 tokens need 4 * 2 * 92416 * 92417 bytes of scores, of at most 2^36.
    let fits = largest_size(large, |size| planned(Variant::Baseline, size).is_ok());
    assert_eq!(fits, Some((304, 304)));
    let scores = |tokens: usize| 4 * 2 * tokens * (tokens.next_multiple_of(4) + 1);
    assert!(scores(304 * 304) <= 1 << 36 && scores(305 * 305) > 1 << 36);
}

/// Memory of attention grows linearly with the tokens. Only the kernel that stores all scores needs their square.
#[test]
fn memory_of_attention_grows_with_the_tokens() {
    let graph = of_tokens(64);
    let bytes = |way, side: usize| {
        let mode =
            Mode::new(Variant::Fused, Precision::Fp16).with_attention(AttentionChoice::Fixed(way));
        let plan = CudaPlan::new(&graph, (side, side), 1, mode, &DEVICES[4]).expect("a plan");
        assert_eq!(plan.attention_kernels, [way]);
        plan.device_bytes()
    };
    for &way in AttentionKernel::ALL {
        // Up to 65,536 tokens, four times as many at each step.
        for side in [32, 64, 128] {
            let (few, many) = (bytes(way, side), bytes(way, 2 * side));
            match way {
                AttentionKernel::Naive => assert!(many > 12 * few, "{way} {side}: {few}, {many}"),
                // Offsets are multiples of whole units.
                _ => assert!(many <= 4 * few + 4096, "{way} {side}: {few}, {many}"),
            }
        }
    }
}

#[test]
fn the_network_for_any_style_picture_is_planned() {
    let network = weights::StyleNetwork::built_in().expect("the network");
    let transformer = &network.transformer;
    let code = transformer.code_of_values(vec![0.5; transformer.spec().code_len()]);
    let network = transformer.network(&code.expect("a code")).expect("a network");
    for size in [(48, 64), (255, 333), (1080, 1920)] {
        for (device, limits) in DEVICES.iter().enumerate() {
            for variant in [Variant::Baseline, Variant::Fused] {
                for precision in [Precision::Fp32, Precision::Fp16] {
                    let mode = Mode::new(variant, precision);
                    let plan = CudaPlan::new(network.graph(), size, 1, mode, limits)
                        .unwrap_or_else(|e| panic!("{mode} on {device}: {e}"));
                    check(&plan, limits);
                    let moves = of_attention(&plan);
                    let is_copied = moves.contains(&"general_move_128");
                    assert_eq!(is_copied, variant == Variant::Baseline, "{mode}");
                }
            }
        }
    }
}

/// In 16 bits on Hopper, the plain kernels only move or normalise whole maps of the built-in transformer network for
/// style pictures.
#[test]
fn the_shipped_transformer_runs_on_kernels_of_its_own() {
    let network = weights::StyleNetwork::built_in().expect("weights");
    let transformer = &network.transformer;
    let code = vec![0.5; transformer.spec().code_len()];
    let code = transformer.code_of_values(code).expect("a code");
    let network = transformer.network(&code).expect("a network");
    let mode = Mode::new(Variant::Fused, Precision::Fp16);
    let hopper = &DEVICES[4];
    let plan = CudaPlan::new(network.graph(), (512, 512), 1, mode, hopper).expect("a plan");
    check(&plan, hopper);
    let counted = |begins: &str| {
        plan.steps.iter().map(|step| &step.entry).filter(|entry| entry.starts_with(begins)).count()
    };
    assert_eq!(counted("attention_wgmma_64_f16"), 6);
    assert_eq!(counted("token_linear_wgmma_norm_"), 12);
    // Four per block, and the one around the tokens.
    assert_eq!(counted("token_linear_wgmma_"), 25);
    assert_eq!(counted("wgmma_"), 12);
    assert_eq!(plan.steps.len(), 6 + 25 + 12 + 6);
}

/// In tf32 and mixed, the kernels of Johnson's networks multiply. Everything else, including linear layers, runs in
/// fp32.
#[test]
fn tf32_and_mixed_are_for_products() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let conv = |inputs, outputs, kernel| Op::Conv2d(Conv::square(inputs, outputs, kernel, 1));
    let first = add(&mut graph, conv(3, 16, 1), &[photo]);
    let relu = add(&mut graph, Op::Relu, &[first]);
    let second = add(&mut graph, conv(16, 16, 3), &[relu]);
    let gelu = add(&mut graph, Op::Function(Function::Gelu), &[second]);
    let norm = add(&mut graph, Op::LayerNorm { eps: 1e-5 }, &[gelu]);
    let third = add(&mut graph, conv(16, 3, 1), &[norm]);
    add(&mut graph, Op::Picture, &[third]);
    for precision in [Precision::Tf32, Precision::Mixed] {
        let made = entries(&graph, Mode::new(Variant::Fused, precision));
        let ends = |ending: &str| made.iter().filter(|entry| entry.ends_with(ending)).count();
        assert_eq!(ends(&format!("_{precision}")), 2, "{made:?}");
        assert_eq!(ends("_f32"), made.len() - 2, "{made:?}");
        assert!(made.contains(&"token_linear_32x64_f32".to_owned()));
        assert!(!made.iter().any(|entry| entry.starts_with("general_conv")));
    }
}
