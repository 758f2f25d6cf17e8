//! Single operations, as `bench --kernels` lists them, against float64 and beside a run that rounds
//! where a framework would.

use half::{bf16, f16};
use libtest_mimic::Failed;
use styleforge::{
    backend::{
        Backend, BackendError,
        cuda::{CudaBackend, CudaProbe, probe},
        oracle::{Map, conv, instance_norm, reflect_pad, relu},
    },
    mode::{Mode, Precision, Variant},
    models::johnson::NetworkSpec,
    network::Weights,
    plan::cuda::{Operation, OperationKind},
    tensor::{Deviation, Tensor},
};

/// Times the rms error of the naive run that are right, and times its largest error.
const FACTORS: (f64, f64) = (2.0, 4.0);
/// What sums in single precision may be off by, relative to the values: rms and largest.
const FLOORS: (f64, f64) = (1e-5, 1e-4);

/// Where numbers lose bits.
struct Rounding {
    factor: fn(f64) -> f64,
    stored: fn(f64) -> f64,
}

const EXACT: Rounding = Rounding { factor: |v| v, stored: |v| v };

fn rounding(precision: Precision) -> Rounding {
    let fp32: fn(f64) -> f64 = |v| f64::from(v as f32);
    let fp16: fn(f64) -> f64 = |v| f16::from_f64(v).to_f64();
    let fp16x2: fn(f64) -> f64 = |v| {
        let nearest = f16::from_f64(v).to_f64();
        nearest + f16::from_f64(v - nearest).to_f64()
    };
    let bf16: fn(f64) -> f64 = |v| bf16::from_f64(v).to_f64();
    // 10 bits of fraction, ties to even.
    let tf32: fn(f64) -> f64 = |v| {
        let bits = (v as f32).to_bits();
        let up = 0x0fff + ((bits >> 13) & 1);
        f64::from(f32::from_bits(bits.wrapping_add(up) & !0x1fff))
    };
    // 4 bits of fraction.
    let byte: fn(f64) -> f64 = |v| {
        let step = 2f64.powi(v.abs().max(1e-30).log2().floor() as i32 - 4);
        (v / step).round() * step
    };
    let (factor, stored) = match precision {
        // Of values that are a few times smaller than a tile's largest, 127 of its steps leave so many bits.
        Precision::Int8 => (byte, fp16),
        Precision::Fp32 => (fp32, fp32),
        Precision::Fp16x2 => (fp16x2, fp32),
        Precision::Tf32 => (tf32, fp32),
        Precision::Fp16 => (fp16, fp16),
        Precision::Bf16 => (bf16, bf16),
        Precision::Mixed => (fp16, fp32),
    };
    Rounding { factor, stored }
}

fn each(mut map: Map, change: fn(f64) -> f64) -> Map {
    for value in &mut map.data {
        *value = change(*value);
    }
    map
}

/// What an operation makes of `input`.
fn expected(operation: &Operation, weights: &Weights, input: &Tensor, r: &Rounding) -> Map {
    let doubles = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
    let norm = |map: &Map, at: usize| match &operation.convs[at].norm_name {
        Some(name) => {
            let n = weights.of(name);
            let (gamma, beta) = (doubles(&n.weight), doubles(&n.bias));
            each(instance_norm(map, 1e-5, &gamma, &beta), r.stored)
        }
        None => map.clone(),
    };
    let convolved = |map: &Map, at: usize| {
        let spec = &operation.convs[at];
        let w = weights.of(&spec.name);
        let factors: Vec<f64> = doubles(&w.weight).into_iter().map(r.factor).collect();
        let padded = each(reflect_pad(map, spec.padding), r.factor);
        let sums = conv(&padded, &factors, &doubles(&w.bias), spec.kernel, spec.stride);
        // A painting is rounded to bytes at once, never to what maps are stored in.
        if spec.makes_picture { sums } else { each(sums, r.stored) }
    };
    let start = Map {
        channels: input.shape.channels,
        height: input.shape.height,
        width: input.shape.width,
        data: doubles(&input.data),
    };
    match operation.kind {
        OperationKind::InstanceNorm => relu(&norm(&start, 0)),
        OperationKind::ConvPad => convolved(&start, 0),
        OperationKind::ConvNorm => norm(&convolved(&start, 0), 0),
        OperationKind::ConvNormRelu => relu(&norm(&convolved(&start, 0), 0)),
        OperationKind::ResidualBlock => {
            let inner = relu(&norm(&convolved(&start, 0), 0));
            let mut sum = norm(&convolved(&inner, 1), 1);
            for (value, from) in sum.data.iter_mut().zip(&start.data) {
                *value = (r.stored)(*value + from);
            }
            sum
        }
    }
}

/// What is wrong with one operation.
fn failure(
    backend: &CudaBackend,
    operation: &Operation,
    precision: Precision,
) -> Result<Option<String>, Failed> {
    let mut session = match backend.open_operation(operation, precision, false) {
        // 9x9 over maps has no kernel for sums of two halves.
        Err(BackendError::Unsupported { .. }) if precision == Precision::Fp16x2 => return Ok(None),
        session => session?,
    };
    let made = session.run()?;
    let again = session.run()?;
    let truth = expected(operation, session.weights(), session.input(), &EXACT);
    let naive = expected(operation, session.weights(), session.input(), &rounding(precision));
    let what = format!("{} {:?} {precision}", operation.title(), operation.input);
    if made != again {
        return Ok(Some(format!("{what}: two runs differ")));
    }
    if made.data.len() != truth.data.len() {
        return Ok(Some(format!("{what}: {} values", made.data.len())));
    }
    let from_truth =
        |values: Vec<f64>| Deviation::between(values.into_iter(), truth.data.iter().copied());
    let ours = from_truth(made.data.iter().map(|&v| f64::from(v)).collect());
    let measure = from_truth(naive.data);
    let scale = ours.reference_rms;
    let limits = (
        FACTORS.0 * measure.rms + FLOORS.0 * scale,
        FACTORS.1 * measure.largest + FLOORS.1 * scale,
    );
    println!(
        "{what}: rms {:.2e} (limit {:.2e}), largest {:.2e} (limit {:.2e})",
        ours.rms, limits.0, ours.largest, limits.1
    );
    let right = ours.rms <= limits.0 && ours.largest <= limits.1;
    Ok((!right).then(|| {
        format!(
            "{what}: rms {:.2e} of {scale:.2} (limit {:.2e}), largest {:.2e} (limit {:.2e})",
            ours.rms, limits.0, ours.largest, limits.1
        )
    }))
}

/// Every row of the table, in every precision, at an even and at an odd size; the norm also on a map
/// that no CTA holds at once.
pub fn every_operation_is_right(shared: &dyn Backend) -> Result<(), Failed> {
    let CudaProbe::Devices(devices) = probe() else {
        return Err("no GPU".into());
    };
    let name = devices.first().map_or("GPU", |d| d.name.as_str());
    let backend = CudaBackend::open(0, name)?;
    let graph = NetworkSpec::with_widths([32, 64, 128]).graph()?;
    let mut operations = Operation::of_network(&graph, (48, 40));
    operations.extend(Operation::of_network(&graph, (29, 37)));
    // Norms in clusters of CTAs, and of pixels more than all CTAs keep.
    for size in [(160, 131), (1100, 720)] {
        let large = Operation::of_network(&graph, size).into_iter();
        operations.extend(large.filter(|o| o.kind == OperationKind::InstanceNorm));
    }
    let mut wrong = Vec::new();
    for &precision in Precision::ALL {
        if shared.supports(Mode::new(Variant::Fused, precision)).is_err() {
            continue;
        }
        for operation in &operations {
            wrong.extend(failure(&backend, operation, precision)?);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
