//! Properties of plans, and that every kernel is valid. Their results are tested on a GPU (`tests/gpu.rs`).

use std::collections::HashSet;

use super::*;
use crate::{kernels::source, test_graphs::everything};
use naga::{
    back::{hlsl, msl, spv},
    front::wgsl,
    valid::{Capabilities, ValidationFlags, Validator},
};
use network::models::johnson::NetworkSpec;

const DESKTOP: Limits =
    Limits { binding_bytes: (1 << 31) - 4, buffer_bytes: (1 << 31) - 4, workgroups: 65_535 };
/// WebGPU's default, and lavapipe's.
const NARROW: Limits = Limits { binding_bytes: 128 << 20, ..DESKTOP };

fn modes() -> [Mode; 4] {
    [Variant::Baseline, Variant::Fused]
        .map(|variant| [Precision::Fp32, Precision::Fp16].map(|p| Mode::new(variant, p)))
        .as_flattened()
        .try_into()
        .expect("four")
}

fn transformer() -> Graph {
    NetworkSpec::with_widths([32, 64, 128]).graph().expect("a graph")
}

/// Translates every kernel of every plan for Vulkan, DirectX and Metal.
#[test]
fn every_kernel_is_valid_on_every_system() {
    let mut seen = HashSet::new();
    for graph in [everything(), transformer()] {
        for mode in modes() {
            let plan = GpuPlan::new(&graph, (61, 92), mode, &DESKTOP).expect("a plan");
            let launches = plan.steps.iter().flat_map(|step| &step.launches).chain(&plan.floats);
            for launch in launches {
                let source = source(&launch.kernel, plan.format);
                if seen.insert(source.clone()) {
                    translate(&launch.kernel.name(), &source);
                }
            }
        }
    }
    assert!(seen.len() > 30, "{} kernels", seen.len());
}

fn translate(name: &str, source: &str) {
    let module = wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    // Halves are converted, which every device does. Neither 16-bit arithmetic nor subgroups are needed.
    let mut validator =
        Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32);
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let words = spv::write_vec(&module, &info, &spv::Options::default(), None).expect("SPIR-V");
    assert_eq!(words[0], 0x0723_0203, "{name}");
    let options = hlsl::Options { shader_model: hlsl::ShaderModel::V5_1, ..Default::default() };
    let mut text = String::new();
    let entry = hlsl::PipelineOptions::default();
    hlsl::Writer::new(&mut text, &options, &entry).write(&module, &info, None).expect("HLSL");
    assert!(text.contains("numthreads"), "{name}");
    let options = msl::Options { lang_version: (2, 0), ..Default::default() };
    let entry = msl::PipelineOptions::default();
    let (text, _) = msl::write_string(&module, &info, &options, &entry).expect("MSL");
    assert!(text.contains("kernel void"), "{name}");
}

/// Every part of a buffer is inside it, short enough and aligned, and together the parts of a step's launches reach from
/// the first to the last byte of the map that it makes.
fn check(plan: &GpuPlan, limits: &Limits) {
    for step in &plan.steps {
        let (_, to) = step.op.maps();
        let mut end = 0;
        for launch in &step.launches {
            assert!(launch.parameters.len() * 4 <= ALIGNMENT as usize, "{}", step.layer);
            assert!(launch.grid.iter().all(|&groups| (1..=limits.workgroups).contains(&groups)));
            for binding in launch.inputs.iter().chain([&launch.output]) {
                assert!(binding.bytes <= limits.binding_bytes, "{}: {binding:?}", step.layer);
                assert_eq!(binding.offset % ALIGNMENT, 0);
                if let Place::Map(map) = binding.place {
                    let most = plan.maps[map].bytes.next_multiple_of(16) as u64;
                    assert!(binding.offset + binding.bytes <= most, "{}", step.layer);
                }
            }
            assert!(launch.output.offset <= end, "{}: a gap", step.layer);
            end = launch.output.offset + launch.output.bytes;
        }
        if let Some(map) = to {
            assert!(end >= plan.maps[map].bytes as u64, "{}: incomplete", step.layer);
        }
    }
}

#[test]
fn long_maps_are_computed_in_parts() {
    for mode in modes() {
        for (size, limits) in [((61, 92), &DESKTOP), ((1080, 1920), &NARROW)] {
            check(&GpuPlan::new(&transformer(), size, mode, limits).expect("a plan"), limits);
        }
        let limits = Limits { binding_bytes: 512 << 10, ..DESKTOP };
        check(&GpuPlan::new(&everything(), (61, 92), mode, &limits).expect("a plan"), &limits);
    }
    let fp16 = Mode::new(Variant::Fused, Precision::Fp16);
    let plan = GpuPlan::new(&transformer(), (2160, 3840), fp16, &NARROW).expect("a plan");
    check(&plan, &NARROW);
    let most = plan.steps.iter().map(|step| step.launches.len()).max();
    assert!(most >= Some(4), "{most:?}");
}

#[test]
fn a_map_that_no_buffer_holds_is_refused() {
    let fp32 = Mode::new(Variant::Fused, Precision::Fp32);
    let limits = Limits { buffer_bytes: 256 << 20, ..NARROW };
    let error = GpuPlan::new(&transformer(), (2160, 3840), fp32, &limits).expect_err("too long");
    assert!(error.is_too_large(), "{error}");
    let limits = Limits { binding_bytes: 4 << 10, ..NARROW };
    let error = GpuPlan::new(&transformer(), (20, 3840), fp32, &limits).expect_err("long rows");
    assert!(error.is_too_large(), "{error}");
}

#[test]
fn maps_that_are_needed_at_the_same_time_are_in_different_buffers() {
    for graph in [everything(), transformer()] {
        for mode in modes() {
            let plan = GpuPlan::new(&graph, (61, 92), mode, &DESKTOP).expect("a plan");
            for (index, step) in plan.steps.iter().enumerate() {
                let (reads, to) = step.op.maps();
                for (map, other) in reads.iter().flat_map(|map| to.map(|to| (*map, to))) {
                    assert_ne!(plan.slot_of[map], plan.slot_of[other], "{}", step.layer);
                }
                // No step between the one that writes a map and one that reads it writes its buffer.
                for map in reads {
                    let writes = |step: &Step| step.op.maps().1 == Some(map);
                    let made = plan.steps[..index].iter().rposition(writes).expect("a map");
                    let between = plan.steps[made + 1..index].iter();
                    let written = between.filter_map(|step| step.op.maps().1);
                    let slots: Vec<_> = written
                        .filter(|&other| other != map)
                        .map(|other| plan.slot_of[other])
                        .collect();
                    assert!(!slots.contains(&plan.slot_of[map]), "{}", step.layer);
                }
            }
        }
    }
}
