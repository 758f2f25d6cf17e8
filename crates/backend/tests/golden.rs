//! The oracle and the CPU backend against vectors from PyTorch (`tests/golden/generate.py`), compared as floats before
//! rounding.
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/packed.rs"]
mod packed;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network, NodeWeights,
    graph::{NORM_EPS, Op},
    models::johnson::{Kernels, NetworkSpec, keys},
};
use oracle::Map;
use safetensors::SafeTensors;
use values::{frame::Frame, mode::Precision};

/// A golden file: its tensors with their shapes, and its metadata.
struct Golden {
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
    metadata: HashMap<String, String>,
}

impl Golden {
    fn open(name: &str) -> Self {
        static FILES: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let folder = crate::home::project().join("tests/golden");
            packed::files(&folder.join("vectors.tar.xz"))
        });
        let bytes = &files[name];
        let (_, header) = SafeTensors::read_metadata(bytes).expect("header");
        let tensors = SafeTensors::deserialize(bytes)
            .expect("safetensors")
            .iter()
            .map(|(name, view)| {
                let values = view
                    .data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect();
                (name.to_owned(), (view.shape().to_vec(), values))
            })
            .collect();
        Self { tensors, metadata: header.metadata().clone().expect("metadata") }
    }

    fn values(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}")).1
    }

    fn doubles(&self, name: &str) -> Vec<f64> {
        self.values(name).iter().map(|&v| f64::from(v)).collect()
    }

    /// A tensor of shape 1 x C x H x W.
    fn map(&self, name: &str) -> Map {
        let shape = &self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}")).0;
        Map { channels: shape[1], height: shape[2], width: shape[3], data: self.doubles(name) }
    }

    fn network(&self) -> Network {
        let list = |key: &str| -> Vec<usize> {
            self.metadata[key].split('-').map(|w| w.parse().expect("a width")).collect()
        };
        let widths = list("widths");
        let kernel = |name: &str| self.tensors[&format!("{name}.conv2d.weight")].0[2];
        let spec = NetworkSpec {
            widths: [widths[0], widths[1], widths[2]],
            blocks: self.metadata["blocks"].parse().expect("a number"),
            kernels: Kernels {
                first: kernel("conv1"),
                last: kernel("deconv3"),
                ..Kernels::default()
            },
        };
        let graph = spec.graph().expect("a graph");
        let own = |node| {
            let module = keys::module(node);
            let part = |part: &str| self.values(&format!("{module}.{part}")).to_vec();
            NodeWeights { weight: part("weight"), bias: part("bias") }
        };
        let weights =
            graph.weight_shapes().map(|(node, _)| (node.name.clone(), own(node))).collect();
        Network::new(graph, weights).expect("a complete network")
    }

    /// The tensor `name` as a picture.
    fn photo(&self, name: &str) -> Frame {
        let map = self.map(name);
        Frame::from_fn(map.width, map.height, |x, y| {
            let level = |c: usize| map.data[(c * map.height + y) * map.width + x] as u8;
            [level(0), level(1), level(2), 77]
        })
    }
}

/// Largest difference relative to the largest reference value.
fn relative_error(values: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(values.len(), reference.len(), "lengths differ");
    let scale = reference.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    let worst = values.iter().zip(reference).map(|(v, r)| (v - r).abs());
    worst.fold(0.0f64, |m, d| if d.is_nan() { f64::NAN } else { m.max(d) }) / scale
}

/// Rounding error of the values stored as f32.
const STORED: f64 = 3e-7;

#[test]
fn oracle_operators_match() {
    let g = Golden::open("operators.safetensors");
    let check = |case: &str, result: Map| {
        let wanted = g.map(&format!("{case}.output"));
        assert_eq!(
            (result.channels, result.height, result.width),
            (wanted.channels, wanted.height, wanted.width),
            "{case}"
        );
        let error = relative_error(&result.data, &wanted.data);
        assert!(error < STORED, "{case}: {error}");
    };
    let input = |case: &str| g.map(&format!("{case}.input"));
    let pair =
        |case: &str| (g.doubles(&format!("{case}.weight")), g.doubles(&format!("{case}.bias")));
    for pad in [1, 4] {
        let case = format!("reflect_pad{pad}");
        check(&case, oracle::reflect_pad(&input(&case), pad));
    }
    for (kernel, stride) in [(3, 1), (3, 2), (9, 1), (9, 2)] {
        let case = format!("conv{kernel}x{kernel}_s{stride}");
        let (weight, bias) = pair(&case);
        let padded = oracle::reflect_pad(&input(&case), kernel / 2);
        check(&case, oracle::conv(&padded, &weight, &bias, kernel, stride));
    }
    for case in ["instance_norm", "instance_norm_flat", "instance_norm_mean1000"] {
        let (gamma, beta) = pair(case);
        check(case, oracle::instance_norm(&input(case), NORM_EPS, &gamma, &beta));
    }
    let (gamma, beta) = pair("instance_norm_relu");
    let normed = oracle::instance_norm(&input("instance_norm_relu"), NORM_EPS, &gamma, &beta);
    check("instance_norm_relu", oracle::relu(&normed));
    check("upsample_nearest2x", oracle::upsample(&input("upsample_nearest2x")));
    let (weight, bias) = pair("upsample_conv3x3");
    let padded = oracle::reflect_pad(&oracle::upsample(&input("upsample_conv3x3")), 1);
    check("upsample_conv3x3", oracle::conv(&padded, &weight, &bias, 3, 1));
}

#[test]
fn oracle_residual_block_matches() {
    let g = Golden::open("operators.safetensors");
    let part = |name: &str| g.doubles(&format!("residual_block.{name}"));
    let half = |x: &Map, n: usize| {
        let weight = part(&format!("conv{n}.conv2d.weight"));
        let bias = part(&format!("conv{n}.conv2d.bias"));
        let y = oracle::conv(&oracle::reflect_pad(x, 1), &weight, &bias, 3, 1);
        oracle::instance_norm(
            &y,
            NORM_EPS,
            &part(&format!("in{n}.weight")),
            &part(&format!("in{n}.bias")),
        )
    };
    let x = g.map("residual_block.input");
    let y = half(&oracle::relu(&half(&x, 1)), 2);
    let sum: Vec<f64> = x.data.iter().zip(&y.data).map(|(a, b)| a + b).collect();
    let error = relative_error(&sum, &g.doubles("residual_block.output"));
    assert!(error < STORED, "{error}");
}

const NETS: [&str; 3] =
    ["net_8_16_32_2.safetensors", "net_4_8_16_1_k5.safetensors", "net_3_5_7_3.safetensors"];

#[test]
fn oracle_networks_match_after_every_norm() {
    for file in NETS {
        let g = Golden::open(file);
        let judged = oracle::judge(&g.network(), &g.photo("input"));
        let afters = g.tensors.keys().filter(|k| k.starts_with("after.")).count();
        assert_eq!(judged.after_norms.len(), afters, "{file}");
        for (norm, map) in &judged.after_norms {
            let error = relative_error(&map.data, &g.doubles(&format!("after.{norm}")));
            assert!(error < STORED, "{file} {norm}: {error}");
        }
        let error = relative_error(&judged.output.data, &g.doubles("output"));
        assert!(error < STORED, "{file}: {error}");
    }
}

#[test]
fn cpu_networks_match_after_every_norm() {
    for file in NETS {
        let g = Golden::open(file);
        let network = Arc::new(g.network());
        let photo = g.photo("input");
        for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
            for mode in backend.modes() {
                // int8 is checked kernel by kernel in crates/measure/tests/verify.rs.
                if mode.precision == Precision::Int8 {
                    continue;
                }
                let what = format!("{file} {mode} {}", backend.device().instructions);
                let spec = SessionSpec::single(photo.width(), photo.height(), mode);
                let mut session = backend.open(&network, &spec).expect("a session");
                let mut seen = 0;
                let session = session.inspect().expect("a look into it");
                let output = session
                    .run_tensor(
                        &photo,
                        &RunControl::default(),
                        Some(&mut |norm, map| {
                            seen += 1;
                            let values: Vec<f64> = map.data.iter().map(|&v| f64::from(v)).collect();
                            let error =
                                relative_error(&values, &g.doubles(&format!("after.{norm}")));
                            assert!(error < 2e-5, "{what} {norm}: {error}");
                        }),
                    )
                    .expect("a run");
                let norms = network
                    .graph()
                    .nodes()
                    .iter()
                    .filter(|node| matches!(node.op, Op::InstanceNorm { .. }));
                assert_eq!(seen, norms.count(), "{what}");
                let values: Vec<f64> = output.data.iter().map(|&v| f64::from(v)).collect();
                let error = relative_error(&values, &g.doubles("output"));
                assert!(error < 2e-5, "{what}: {error}");
            }
        }
    }
}

#[test]
fn pictures_below_the_smallest_side_are_extended_first() {
    // PyTorch cannot reflect a 7 x 5 map by more than its size, but 7 x 5 is a valid picture size.
    let g = Golden::open("net_3_5_7_3.safetensors");
    let judged = oracle::judge(&g.network(), &g.photo("small.input"));
    let error = relative_error(&judged.output.data, &g.doubles("small.output"));
    assert!(error < STORED, "{error}");
}
