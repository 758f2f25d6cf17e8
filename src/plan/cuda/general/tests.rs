//! Properties of the plans of general graphs. What they compute is judged on a GPU (`tests/gpu`).

use super::super::tests::{DEVICES, check};
use crate::{
    graph::{Conv, Function, Graph, NodeId, Op, PadMode, Sides},
    mode::{Mode, Precision, Variant},
    plan::cuda::{CudaOp, CudaPlan, GeneralOp},
    tensor::Shape,
};

fn add(graph: &mut Graph, op: Op, inputs: &[NodeId]) -> NodeId {
    let name = format!("n{}", graph.nodes().len());
    graph.add(&name, "", op, inputs).expect("earlier nodes")
}

/// Zeros, a convolution, an affine step, a ReLU, and a picture.
fn graph() -> Graph {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let zeros = Op::Pad {
        mode: PadMode::Constant(0.0),
        sides: Sides::all(1),
    };
    let padded = add(&mut graph, zeros, &[photo]);
    let conv = Op::Conv2d(Conv::square(3, 20, 3, 1));
    let conv = add(&mut graph, conv, &[padded]);
    let affine = add(&mut graph, Op::Affine, &[conv]);
    let relu = add(&mut graph, Op::Relu, &[affine]);
    let rgb = Op::ConvTranspose2d {
        conv: Conv::square(20, 3, 3, 1),
        cut: Sides::all(1),
        extra: [0; 2],
    };
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
fn fused_folds_what_nobody_else_reads_into_convolutions() {
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
    // What another node reads too is kept.
    add(&mut graph, Op::Relu, &[3]);
    assert_eq!(entries(&graph, fused).len(), folded.len() + 2);
}

#[test]
fn modes_without_general_kernels_say_what_to_choose() {
    for mode in [
        Mode::new(Variant::Fused, Precision::Bf16),
        Mode::new(Variant::Baseline, Precision::Tf32),
        Mode::new(Variant::FusedNorm, Precision::Fp16),
    ] {
        let error = CudaPlan::new(&graph(), (37, 41), 1, mode, &DEVICES[4]);
        let error = error.expect_err("no such kernels").to_string();
        let end = "; choose fp32 or fp16, in baseline or fused";
        assert!(
            error.starts_with("no kernel computes n2") && error.ends_with(end),
            "{error}"
        );
    }
}

#[test]
fn a_picture_smaller_than_the_photo_is_refused() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let cut = add(&mut graph, Op::Crop(Sides::all(2)), &[photo]);
    add(&mut graph, Op::Picture, &[cut]);
    // The last node decides how far a photo is extended.
    add(&mut graph, Op::Picture, &[photo]);
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let error = CudaPlan::new(&graph, (9, 9), 1, mode, &DEVICES[4]).expect_err("too small");
    assert_eq!(error.to_string(), "n2 cannot read maps of 3 x 5 x 5");
}

#[test]
fn maps_beside_the_photo_are_left_to_the_processor() {
    let mut on_map = Graph::default();
    add(&mut on_map, Op::Input { channels: 3 }, &[]);
    let mut with_constant = Graph::default();
    let photo = add(&mut with_constant, Op::Photo, &[]);
    let constant = Op::Constant(Shape::new(3, 9, 9));
    let constant = add(&mut with_constant, constant, &[]);
    let sum = add(&mut with_constant, Op::Add, &[photo, constant]);
    add(&mut with_constant, Op::Picture, &[sum]);
    for (graph, node) in [(on_map, "n0"), (with_constant, "n1")] {
        for mode in Mode::all() {
            let error = CudaPlan::new(&graph, (9, 9), 1, mode, &DEVICES[4]).expect_err("a map");
            let text = "is a map that only the processor takes in; choose --device cpu";
            assert_eq!(error.to_string(), format!("{node} {text}"), "{mode}");
        }
    }
}

/// Sums over levels are divided in fp16 where a norm takes the factor out, and nowhere else.
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
