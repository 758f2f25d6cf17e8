//! Single operators of ONNX: the ONNX project's own tests of them, one trial each. `tests/onnx/operators.py` made the
//! cases and documents them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/onnx_archive.rs"]
mod onnx_archive;

use std::{
    collections::HashMap,
    process::ExitCode,
    sync::{Arc, LazyLock},
};

use backend::{Backend, SessionSpec, cpu::CpuBackend};
use libtest_mimic::{Arguments, Failed, Trial};
use network::Network;
use oracle::Map;
use safetensors::SafeTensors;
use serde::Deserialize;
use values::{
    mode::{Mode, Precision, Variant},
    tensor::{Shape, Tensor},
};
use weights::{WeightsError, onnx};

/// Maximum error of a value, relative to itself or to the root mean square of all values, whichever is larger. The
/// first is for results in float64 (the expected values are rounded to fp32), the second for the CPU's fp32.
const ORACLE_TOLERANCE: f64 = 1e-5;
const PROCESSOR_TOLERANCE: f64 = 1e-5;

/// Expected values that the ONNX project stored with few digits, and their accuracy.
const ROUNDED: [(&str, f64); 1] =
    [("1.22.0/test_averagepool_2d_ceil_last_window_starts_on_pad", 1e-3)];

#[derive(Deserialize)]
struct Index {
    cases: Vec<Case>,
    ignored: Vec<Ignored>,
}

#[derive(Clone, Deserialize)]
struct Case {
    name: String,
    outcome: String,
    operators: Vec<String>,
}

#[derive(Deserialize)]
struct Ignored {
    name: String,
    reason: String,
}

static FILES: LazyLock<HashMap<String, Vec<u8>>> =
    LazyLock::new(|| onnx_archive::files("operators", "cases.tar.xz"));
static VALUES: LazyLock<SafeTensors<'static>> = LazyLock::new(|| {
    SafeTensors::deserialize(&FILES["values.safetensors"]).expect("well formed values")
});
/// One backend for every instruction set.
static PROCESSORS: LazyLock<Vec<CpuBackend>> =
    LazyLock::new(|| CpuBackend::for_each_instruction_set(Some(1)).expect("threads"));

fn main() -> ExitCode {
    let index: Index = onnx_archive::index(&FILES);
    let cases = index.cases.into_iter().map(|case| {
        let name = case.name.clone();
        Trial::test(name, move || is_right_or_refused(&case))
    });
    let ignored = index.ignored.into_iter().map(|Ignored { name, reason }| {
        let because = reason.clone();
        Trial::test(name, move || Err(format!("cannot be run: {because}").into()))
            .with_kind(reason)
            .with_ignored_flag(true)
    });
    let trials = cases.chain(ignored).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The input or the expected output of a case.
fn map(case: &Case, which: &str) -> Tensor {
    let name = format!("{}.{which}", case.name);
    let stored = VALUES.tensor(&name).expect("a stored map");
    let [1, channels, height, width] = *stored.shape() else {
        panic!("{name} is no map");
    };
    let values = stored.data().chunks_exact(4);
    Tensor {
        shape: Shape::new(channels, height, width),
        data: values.map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect(),
    }
}

fn is_right_or_refused(case: &Case) -> Result<(), Failed> {
    let bytes = &FILES[&format!("{}.onnx", case.name)];
    let network = match onnx::read_on_map(bytes) {
        Ok(network) => Arc::new(network),
        Err(error) if case.outcome == "run_or_refuse" => return is_named(case, &error),
        Err(error) => return Err(format!("is refused: {error}").into()),
    };
    let (given, expected) = (map(case, "input"), map(case, "output"));
    let judged = oracle::judge_maps(&network, &[doubled(&given)])?;
    let shape = Shape::new(judged.channels, judged.height, judged.width);
    let rounded = ROUNDED.iter().find(|(name, _)| *name == case.name);
    let known = rounded.map_or(0.0, |(_, share)| *share);
    let tolerance = ORACLE_TOLERANCE.max(known);
    is_close("the oracle", shape, &judged.data, &expected, tolerance)?;
    for processor in PROCESSORS.iter() {
        for variant in [Variant::Baseline, Variant::Fused] {
            let who = format!("{} {variant}", processor.device().instructions);
            let made = painted(processor, &network, variant, &given)?;
            let values: Vec<f64> = made.data.iter().map(|&v| f64::from(v)).collect();
            let tolerance = PROCESSOR_TOLERANCE.max(known);
            is_close(&who, made.shape, &values, &expected, tolerance)?;
        }
    }
    Ok(())
}

/// A refusal must name what is not supported.
fn is_named(case: &Case, error: &WeightsError) -> Result<(), Failed> {
    let text = error.to_string();
    let is_named = case.operators.iter().any(|operator| text.contains(operator));
    let is_refused = matches!(error, WeightsError::Graph(_));
    if is_refused && is_named {
        println!("{}: refused: {text}", case.name);
        return Ok(());
    }
    Err(format!("is refused without its operator: {text}").into())
}

fn doubled(map: &Tensor) -> Map {
    Map {
        channels: map.shape.channels,
        height: map.shape.height,
        width: map.shape.width,
        data: map.data.iter().map(|&v| f64::from(v)).collect(),
    }
}

/// The map that the CPU computes.
fn painted(
    processor: &CpuBackend,
    network: &Arc<Network>,
    variant: Variant,
    given: &Tensor,
) -> Result<Tensor, Failed> {
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(given.shape.width, given.shape.height, mode);
    let mut session = processor.open(network, &spec)?;
    let inspected = session.inspect().ok_or("no look into the session")?;
    Ok(inspected.run_maps(std::slice::from_ref(given))?)
}

/// Compares every value, including NaN and infinity.
fn is_close(
    who: &str,
    shape: Shape,
    made: &[f64],
    expected: &Tensor,
    tolerance: f64,
) -> Result<(), Failed> {
    if shape != expected.shape {
        return Err(format!("{who} makes {shape}, not {}", expected.shape).into());
    }
    let finite = expected.data.iter().filter(|v| v.is_finite());
    let squares: f64 = finite.map(|&v| f64::from(v).powi(2)).sum();
    let usual = (squares / expected.data.len() as f64).sqrt();
    for (at, (&made, &wanted)) in made.iter().zip(&expected.data).enumerate() {
        let wanted = f64::from(wanted);
        let is_right = if wanted.is_finite() {
            (made - wanted).abs() <= tolerance * wanted.abs().max(usual)
        } else {
            // Values larger than every fp32 are infinite in fp32.
            let single = f64::from(made as f32);
            single == wanted || (single.is_nan() && wanted.is_nan())
        };
        if !is_right {
            return Err(
                format!("{who} makes {made} where {wanted} belongs, at {at} of {shape}").into()
            );
        }
    }
    Ok(())
}
