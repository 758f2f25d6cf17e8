//! Graphs of any operations, computed by the general kernels, compared with the oracle.

use std::sync::Arc;

use backend::{Backend, BackendError, RunControl, SessionSpec};
use libtest_mimic::Failed;
use network::{
    Network, NodeWeights, Weights,
    graph::{Conv, Graph, Op},
};
use oracle::Judgement;
use plan::ConvProvider;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::{Deviation, Tensor},
};

use super::{
    general_graphs::{Case, cases, modes},
    growing::random_graph,
};

/// Maximum error in single precision, relative to the largest value.
const FP32_LIMIT: f64 = 1e-4;
/// Maximum rms error of a map after a norm, relative to its rms, by the bits of the fraction: 23, 10 and 7.
const FP32_NORM_LIMIT: f64 = 1e-4;
const TEN_BITS_NORM_LIMIT: f64 = 1e-2;
const SEVEN_BITS_NORM_LIMIT: f64 = 8e-2;
/// The accepted multiples of the rms error and of the largest error of the naive run, for precisions with fewer bits.
const NAIVE_FACTORS: (f64, f64) = (2.0, 4.0);
/// Accepted error of sums in single precision, relative to the values: rms and largest.
const FLOORS: (f64, f64) = (1e-5, 1e-4);
/// Accepted relative error of a rounded weight, in products of ten bits.
const WEIGHT_FLOOR: f64 = 1.0 / 4096.0;

/// Every case of `tests/support/general_graphs`, or those whose name contains `STYLEFORGE_GRAPH`.
pub fn any_graph_is_right(backend: &dyn Backend) -> Result<(), Failed> {
    let chosen = std::env::var("STYLEFORGE_GRAPH").unwrap_or_default();
    match judged_graphs(backend, |name| name.contains(&chosen)) {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            Ok(())
        }
        Err(wrong) => Err(format!("{} wrong:\n{}", wrong.len(), wrong.join("\n")).into()),
    }
}

/// The random graphs of the CPU tests, in fp32.
pub fn random_graphs_are_right(backend: &dyn Backend) -> Result<(), Failed> {
    let size = (19, 14);
    let photo = Frame::from_fn(size.0, size.1, |x, y| {
        let at = |a: usize, b: usize| (x * a + y * b + x * y) as u8;
        [at(37, 5), at(1, 53), at(7, 7), 255]
    });
    for seed in 0..80u64 {
        // SplitMix64.
        let number = |i: u64| {
            let mut z = (seed * 1009 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (z ^ (z >> 27)) as u16
        };
        let numbers: Vec<u16> = (0..120).map(number).collect();
        let network = Arc::new(Network::random(random_graph(&numbers, size, 9), 3)?);
        let truth = oracle::judge(&network, &photo).output;
        let most = truth.data.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
        for variant in [Variant::Baseline, Variant::Fused] {
            let mode = Mode::new(variant, Precision::Fp32);
            let spec = SessionSpec::single(size.0, size.1, mode);
            let mut session = backend.open(&network, &spec)?;
            let inspected = session.inspect().ok_or("no look into it")?;
            let output = inspected.run_tensor(&photo, &RunControl::default(), None)?;
            let values = output.data.iter().map(|&v| f64::from(v));
            let off = Deviation::between(values, truth.data.iter().copied()).largest / most;
            if off.is_nan() || off > FP32_LIMIT {
                let nodes = network.graph().nodes();
                return Err(format!("graph {seed}, {variant}: off by {off:.1e}\n{nodes:#?}").into());
            }
        }
    }
    Ok(())
}

/// A map with values beyond 65504 is an error in fp16 and a picture in fp32; a frame after it is painted as usual.
pub fn what_fp16_cannot_hold_is_refused(backend: &dyn Backend) -> Result<(), Failed> {
    let halves = [
        (Variant::Baseline, Precision::Fp16),
        (Variant::Fused, Precision::Fp16),
        (Variant::Fused, Precision::Mixed),
    ];
    for op in [Op::Affine, Op::Conv2d(Conv::square(3, 3, 1, 1))] {
        let network = Arc::new(large_between(op)?);
        for (variant, precision) in halves {
            refused_where_bright(backend, &network, variant, precision).map_err(|error| {
                format!("{op:?}, {variant} {precision}: {}", error.message().unwrap_or_default())
            })?;
        }
    }
    Ok(())
}

/// A network that multiplies the photo by 400 in two steps and then divides it, by an operation on three channels each.
fn large_between(op: Op) -> Result<Network, Failed> {
    let mut graph = Graph::default();
    let photo = graph.add("photo", "", Op::Photo, &[])?;
    let large = graph.add("large", "", op, &[photo])?;
    let larger = graph.add("larger", "", op, &[large])?;
    let small = graph.add("small", "", op, &[larger])?;
    graph.add("picture", "", Op::Picture, &[small])?;
    let own = |scale: f32| NodeWeights {
        weight: match op {
            Op::Affine => vec![scale; 3],
            _ => (0..9).map(|at| if at % 4 == 0 { scale } else { 0.0 }).collect(),
        },
        bias: vec![0.0; 3],
    };
    // Not larger: a convolution of levels divides them by 256 and multiplies its weights by 256.
    let scales = [("large", 20.0), ("larger", 20.0), ("small", 1.0 / 400.0)];
    let weights: Weights =
        (scales.into_iter()).map(|(name, scale)| (name.to_owned(), own(scale))).collect();
    Ok(Network::new(graph, weights)?)
}

/// Levels of 255 are refused and levels of 150 painted; in fp32 both are painted.
fn refused_where_bright(
    backend: &dyn Backend,
    network: &Arc<Network>,
    variant: Variant,
    precision: Precision,
) -> Result<(), Failed> {
    let flat = |level: u8| Frame::from_fn(20, 9, |_, _| [level, 0, 0, 255]);
    let (bright, dark) = (flat(255), flat(150));
    let control = RunControl::default();
    let spec = |precision| SessionSpec::single(20, 9, Mode::new(variant, precision));
    let is_near =
        |a: &Frame, b: &Frame| a.rgba().iter().zip(b.rgba()).all(|(a, b)| a.abs_diff(*b) <= 1);
    let mut session = backend.open(network, &spec(Precision::Fp32))?;
    let mut painted = dark.clone();
    session.paint(&bright, &mut painted, &control)?;
    if !is_near(&painted, &bright) {
        return Err("fp32 paints another picture".into());
    }
    let mut session = backend.open(network, &spec(precision))?;
    for _ in 0..2 {
        match session.paint(&bright, &mut painted, &control) {
            Err(BackendError::Unsupported { reason, .. }) if reason.contains("choose fp32") => {}
            other => return Err(format!("{other:?}").into()),
        }
        session.paint(&dark, &mut painted, &control)?;
        if !is_near(&painted, &dark) {
            return Err("it paints another picture".into());
        }
    }
    Ok(())
}

/// Runs every case whose name is `wanted` in every mode, alone and with two photos at once, and compares it with the
/// oracle. Returns a line for each, or the error.
pub fn judged_graphs(
    backend: &dyn Backend,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Vec<String>> {
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for case in cases().iter().filter(|case| wanted(&case.name)) {
        let truth = Truth::of(case);
        for mode in modes() {
            match judged(backend, case, mode, &truth) {
                Ok(line) => lines.push(format!("{}, {mode}: {line}", case.name)),
                Err(error) => wrong.push(format!("{}, {mode}: {error}", case.name)),
            }
        }
    }
    if wrong.is_empty() { Ok(lines) } else { Err(wrong) }
}

/// The oracle's results for a case.
pub struct Truth {
    exact: Judgement,
    /// Naive runs, rounded to each precision.
    naive: Vec<(Precision, Judgement)>,
}

impl Truth {
    /// Runs the oracle once exactly and once for every precision with fewer bits.
    pub fn of(case: &Case) -> Self {
        let in_fewer_bits = [Precision::Tf32, Precision::Fp16, Precision::Bf16, Precision::Mixed];
        let naive = in_fewer_bits.map(|precision| {
            // General graphs store every map in any variant, as the baseline does.
            let stored = Mode::new(Variant::Baseline, precision);
            let naive =
                oracle::judge_rounded(&case.network, &case.photo, stored, Default::default());
            (precision, naive)
        });
        Self { exact: oracle::judge(&case.network, &case.photo), naive: naive.into() }
    }
}

/// Compares a case in one mode with the oracle.
pub fn judged(
    backend: &dyn Backend,
    case: &Case,
    mode: Mode,
    Truth { exact: truth, naive }: &Truth,
) -> Result<String, String> {
    let Case { network, photo, .. } = case;
    let words = |error: backend::BackendError| error.to_string();
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(network, &spec).map_err(words)?;
    let summary = session.summary();
    let predicted = (backend.predicted_bytes(network.graph(), &spec)).map_err(words)?;
    // Before a library's algorithms are searched, only the maximum that they may use is known.
    let is_library = (summary.conv_provider.as_ref()).is_some_and(ConvProvider::is_library);
    let fits = match is_library {
        true => summary.peak_bytes <= predicted,
        false => summary.peak_bytes == predicted,
    };
    if !fits {
        return Err(format!("{} bytes, {predicted} were predicted", summary.peak_bytes));
    }
    let control = RunControl::default();
    let mut painted = photo.clone();
    session.paint(photo, &mut painted, &control).map_err(words)?;
    let mut norms: Vec<(String, Tensor)> = Vec::new();
    let mut tap = |norm: &str, map| norms.push((norm.to_owned(), map));
    let inspected = session.inspect().ok_or("no look into it")?;
    let output =
        inspected.run_tensor(photo, &RunControl::default(), Some(&mut tap)).map_err(words)?;
    let mut again = photo.clone();
    session.paint(photo, &mut again, &control).map_err(words)?;
    if again != painted {
        return Err("a second run made a different image".to_owned());
    }
    let pixels = photo.width() * photo.height();
    let level = |at: usize| (output.data[at].clamp(0.0, 255.0) + 0.5).floor() as u8;
    let is_level = |(at, rgba): (usize, &[u8])| (0..3).all(|c| rgba[c] == level(c * pixels + at));
    if !painted.rgba().chunks_exact(4).enumerate().all(is_level) {
        return Err("the picture is not the output's".to_owned());
    }
    // Several frames at once, the second one upside down.
    let other = Frame::from_fn(photo.width(), photo.height(), |x, y| {
        photo.pixel(x, photo.height() - 1 - y)
    });
    let mut expected = other.clone();
    session.paint(&other, &mut expected, &control).map_err(words)?;
    let mut pair = backend.open(network, &SessionSpec { batch: 2, ..spec }).map_err(words)?;
    let inputs = [photo.clone(), other];
    let mut outputs = inputs.clone();
    pair.paint_all(&inputs, &mut outputs, &control).map_err(words)?;
    // How attention and linear layers are shared out depends on the tokens of all frames: sums come in another order.
    let mut nodes = network.graph().nodes().iter();
    let most_off = match nodes.any(|node| matches!(node.op, Op::Attention { .. })) {
        true if mode.precision == Precision::Bf16 => 2,
        true => 1,
        false => 0,
    };
    let is_near = |(together, alone): (&Frame, &Frame)| {
        together.rgba().iter().zip(alone.rgba()).all(|(a, b)| a.abs_diff(*b) <= most_off)
    };
    if !outputs.iter().zip(&[painted, expected]).all(is_near) && !is_library {
        return Err("two at once are other pictures".to_owned());
    }
    if norms.len() != truth.after_norms.len() {
        return Err(format!("{} norms", norms.len()));
    }
    let off_limit = match mode.precision {
        Precision::Fp32 => FP32_NORM_LIMIT,
        Precision::Bf16 => SEVEN_BITS_NORM_LIMIT,
        Precision::Tf32 | Precision::Fp16 | Precision::Mixed => TEN_BITS_NORM_LIMIT,
        Precision::Fp16x2 | Precision::Int8 => {
            return Err(format!("no GPU runs general graphs in {}", mode.precision));
        }
    };
    for (name, expected) in &truth.after_norms {
        let Some((_, map)) = norms.iter().find(|(norm, _)| norm == name) else {
            return Err(format!("the map of {name} is missing"));
        };
        let values = map.data.iter().map(|&v| f64::from(v));
        let off = Deviation::between(values, expected.data.iter().copied());
        if off.rms > off_limit * off.reference_rms.max(1e-3) {
            return Err(format!("the map of {name} is off by {:.1e}", off.rms));
        }
    }
    let from_truth = |values: &mut dyn ExactSizeIterator<Item = f64>| {
        Deviation::between(values, truth.output.data.iter().copied())
    };
    let ours = from_truth(&mut output.data.iter().map(|&v| f64::from(v)));
    let most = (truth.output.data.iter()).fold(1e-3, |m: f64, v| m.max(v.abs()));
    if mode.precision == Precision::Fp32 {
        let relative = ours.largest / most;
        return match relative <= FP32_LIMIT {
            true => Ok(format!("off by {relative:.1e}")),
            false => Err(format!("off by {relative:.1e} of {most:.2}")),
        };
    }
    // The worst of those with as many bits: if a picture has only a few values, one may be right by chance.
    let is_short = |precision: Precision| precision == Precision::Bf16;
    let (mut naive_rms, mut naive_largest) = (0.0f64, 0.0f64);
    for (_, naive) in
        (naive.iter()).filter(|(other, _)| is_short(*other) == is_short(mode.precision))
    {
        let naive = from_truth(&mut naive.output.data.iter().copied());
        naive_rms = naive_rms.max(naive.rms);
        naive_largest = naive_largest.max(naive.largest);
    }
    let scale = ours.reference_rms;
    // Scaling steps that a plan merges into weights are rounded with them.
    let floor_rms = match mode.precision {
        Precision::Tf32 | Precision::Mixed => WEIGHT_FLOOR,
        _ => FLOORS.0,
    };
    let limits = (
        NAIVE_FACTORS.0 * naive_rms + floor_rms * scale,
        NAIVE_FACTORS.1 * naive_largest + FLOORS.1 * scale,
    );
    let line = format!(
        "rms {:.1e} (limit {:.1e}), largest {:.1e} (limit {:.1e})",
        ours.rms, limits.0, ours.largest, limits.1
    );
    match ours.rms <= limits.0 && ours.largest <= limits.1 {
        true => Ok(line),
        false => Err(line),
    }
}
