//! Every plan of a table of networks, sizes, modes, batches and devices, field by field.
//!
//! `plans.txt.xz` has a digest of each plan's text. `plans_whole.txt.xz` has the whole text of some, so that a
//! difference can be read.

mod text;

use network::{
    graph::Graph,
    models::johnson::{Kernels, NetworkSpec},
};
use plan::{
    cpu::{CpuPlan, CpuVariant},
    cuda::{self, CudaPlan, DeviceLimits},
};
use text::{cpu_text, own_text};
use values::mode::{Mode, Variant};

use super::{digest, hold_against, unpacked, write_packed};

/// Networks by name: the published one, the small one, and shapes that are not shipped.
fn networks() -> Vec<(&'static str, Graph)> {
    let kernels = Kernels { first: 5, down: [5, 3], residual: 5, up: [3, 5], last: 7 };
    let specs = [
        ("full", NetworkSpec::with_widths([32, 64, 128])),
        ("lite", NetworkSpec::with_widths([16, 32, 64])),
        ("odd", NetworkSpec { blocks: 2, ..NetworkSpec::with_widths([5, 7, 9]) }),
        ("kernels", NetworkSpec { kernels, blocks: 3, ..NetworkSpec::with_widths([32, 64, 128]) }),
        ("wide", NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([64, 128, 256]) }),
    ];
    let graph = |(name, spec): (_, NetworkSpec)| (name, spec.graph().expect("a graph"));
    specs.into_iter().map(graph).collect()
}

/// Rows and columns, in pixels.
const SIZES: [(usize, usize); 9] = [
    (1, 1),
    (5, 7),
    (192, 256),
    (256, 256),
    (531, 338),
    (480, 640),
    (512, 512),
    (720, 1280),
    (1080, 1920),
];

/// Name, compute capability, multiprocessors, shared memory of a CTA and of a multiprocessor in KiB.
type Device = (&'static str, (i32, i32), usize, usize, usize);

/// A device of every architecture that the kernels are compiled for.
const DEVICES: [Device; 7] = [
    ("h200", (9, 0), 132, 227, 228),
    ("t4", (7, 5), 40, 64, 64),
    ("a100", (8, 0), 108, 163, 164),
    ("3080", (8, 6), 68, 99, 100),
    ("4090", (8, 9), 128, 99, 100),
    ("b200", (10, 0), 148, 227, 228),
    ("5090", (12, 0), 170, 99, 100),
];

fn limits(device: usize) -> DeviceLimits {
    let (_, compute_capability, multiprocessors, cta_kib, multiprocessor_kib) = DEVICES[device];
    DeviceLimits {
        compute_capability,
        multiprocessors,
        shared_bytes_per_cta: cta_kib * 1024,
        shared_bytes_per_multiprocessor: multiprocessor_kib * 1024,
    }
}

/// Name and text of every plan.
fn plans() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (network, graph) in networks() {
        for (height, width) in SIZES {
            let what = format!("{network} {width}x{height}");
            for variant in CpuVariant::ALL {
                let plan = CpuPlan::new(&graph, height, width, variant).expect("a plan");
                let name = format!("cpu {what} {}", variant.mode());
                all.push((name, cpu_text(&plan)));
            }
            for (device, &(device_name, ..)) in DEVICES.iter().enumerate() {
                // Devices after the first only differ in tiles and memory, so fewer sizes are planned for them.
                let few = device > 0;
                let is_among_few = matches!(network, "full" | "odd")
                    && matches!((height, width), (5, 7) | (512, 512) | (720, 1280));
                if few && !is_among_few {
                    continue;
                }
                for &variant in Variant::ALL {
                    for precision in cuda::PRECISIONS {
                        let mode = Mode::new(variant, precision);
                        for batch in if few { &[1][..] } else { &[1, 2, 4] } {
                            let name = format!("{device_name} {what} {mode} batch {batch}");
                            let size = (height, width);
                            let limits = limits(device);
                            let own = CudaPlan::new(&graph, size, *batch, mode, &limits);
                            all.push((name.clone(), own_text(own)));
                            if cuda::leaves_convolutions(mode) && *batch == 1 {
                                let library = CudaPlan::with_library(
                                    &graph,
                                    size,
                                    *batch,
                                    mode,
                                    &limits,
                                    Some("cuDNN 9.14"),
                                );
                                all.push((format!("{name} library"), own_text(library)));
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// True if the whole text is kept: for the published network at the usual size for measurements, on the CPU, and fused
/// on the oldest and the best known GPU.
fn is_kept_whole(name: &str) -> bool {
    let is_known = name.starts_with("cpu")
        || (name.starts_with("h200") || name.starts_with("t4")) && name.contains(" fused ");
    let batch_of_one = !name.contains("batch") || name.contains("batch 1");
    is_known && batch_of_one && name.contains("full 512x512")
}

#[test]
fn plans_are_the_pinned_ones() {
    let plans = plans();
    let lines: Vec<String> = plans
        .iter()
        .map(|(name, text)| format!("{name}: {}", &digest(text.as_bytes())[..6]))
        .collect();
    assert!(lines.len() > 3000, "{} plans", lines.len());
    let whole: String = plans
        .iter()
        .filter(|(name, _)| is_kept_whole(name))
        .map(|(name, text)| format!("== {name}\n{text}"))
        .collect();
    if std::env::var_os("STYLEFORGE_PIN").is_some() {
        write_packed("plans_whole.txt.xz", &whole);
    } else {
        let pinned = unpacked("plans_whole.txt.xz");
        let mut under = "";
        for (pinned, found) in pinned.lines().zip(whole.lines()) {
            if pinned.starts_with("==") {
                under = pinned;
            }
            assert_eq!(pinned, found, "{under}");
        }
        assert_eq!(pinned.len(), whole.len());
    }
    hold_against("plans.txt.xz", &lines);
}
