//! Checks every kernel on its own against float64, on random inputs.
//!
//! A kernel passes if its rms error is at most twice, and its largest error at most four times, that of a naive
//! computation of the same inputs that rounds where the mode rounds, plus a floor for sums in single precision. For a
//! convolution by Winograd's algorithm the factors are ten and forty. Norms also run on values of mean 1000 and
//! deviation 1, where sums of squares would cancel.

use itertools::Itertools;
use serde::Serialize;

use super::{
    Subject, adversarial_subjects, device_rounding, inspected,
    rule::{NAIVE_LARGEST_FACTOR, NAIVE_RMS_FACTOR},
    task::Task,
};
use backend::{
    Backend, BackendError, SessionSpec,
    audit::{Fill, KernelRecord, Work},
};
use network::{Network, NetworkError};
use oracle::{DeviceRounding, Map, Rounding};
use values::{
    mode::{Mode, Variant},
    tensor::Deviation,
};

/// Random values for the maps; the kernels also run on the network's maps of a photo.
const FILLS: [Fill; 2] =
    [Fill { mean: 0.0, deviation: 1.0, seed: 11 }, Fill { mean: 1000.0, deviation: 1.0, seed: 12 }];

/// The verdict on one kernel of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelVerdict {
    pub network: String,
    /// Variant and precision in one word.
    pub mode: Mode,
    pub layer: String,
    /// The kernel's entry point. Several kernels that compute a result together are joined by `+`.
    pub kernel: String,
    /// What it computes: `convolution`, `statistics`, `norm`.
    pub work: &'static str,
    /// Its input: the network's maps of a photo, or random values.
    pub inputs: String,
    pub passed: bool,
    /// Rms error relative to the allowed one. JSON reports what is not a finite number as `null`.
    pub rms_share: f64,
    /// Largest error relative to the allowed one.
    pub largest_share: f64,
}

/// Checks every kernel of `backend` in each of `modes`, and passes on each verdict at once. A device that does not
/// record its kernels has no verdicts.
///
/// # Errors
/// [`BackendError`] if a run fails.
pub fn verify_kernels(
    backend: &dyn Backend,
    subject: &Subject,
    modes: &[Mode],
    mut report: impl FnMut(KernelVerdict),
) -> Result<(), BackendError> {
    let network = &subject.network;
    let photos = subject.pictures.iter().map(|(_, photo)| photo);
    for (photo, &mode) in photos.cartesian_product(modes) {
        let spec = SessionSpec::single(photo.width(), photo.height(), mode);
        let mut session = backend.open(network, &spec)?;
        let device = device_rounding(session.as_ref(), backend);
        // Fused kernels read only the photo directly as a map.
        let fills = FILLS.into_iter().filter(|_| mode.variant != Variant::Fused);
        for fill in [None].into_iter().chain(fills.map(Some)) {
            let inputs = fill.map_or_else(
                || "a photo's maps".to_owned(),
                |f| format!("mean {}, deviation {}", f.mean, f.deviation),
            );
            inspected(session.as_mut(), backend)?.audit(photo, fill, &mut |record| {
                let Some(error) = Error::of(&record, network, mode, device) else {
                    return;
                };
                report(KernelVerdict {
                    network: subject.name.clone(),
                    mode,
                    layer: record.layer,
                    kernel: record.kernel,
                    work: record.work.name(),
                    inputs: inputs.clone(),
                    passed: error.is_right(),
                    rms_share: error.rms_share,
                    largest_share: error.largest_share,
                });
            })?;
        }
    }
    Ok(())
}

/// The networks whose kernels are checked, each with a photo: one with a published shape, and one with awkward widths.
///
/// # Errors
/// See [`adversarial_subjects`].
pub fn kernel_subjects() -> Result<Vec<Subject>, NetworkError> {
    let mut subjects = adversarial_subjects()?;
    subjects.retain(|s| ["random 32-64-128, margin 8", "random 5-7-13"].contains(&s.name.as_str()));
    for subject in &mut subjects {
        subject.pictures.retain(|(name, _)| name == "noise 33 x 21");
    }
    Ok(subjects)
}

/// Factor of a naive run's rms error that a Winograd convolution may reach: its transforms add and subtract, so that
/// intermediate values are large. The rule for the whole picture limits it further.
const WINOGRAD_RMS_FACTOR: f64 = 10.0;
/// The same for the largest error, which occurs at the corners of Winograd's tiles.
const WINOGRAD_LARGEST_FACTOR: f64 = 40.0;

fn is_winograd(record: &KernelRecord) -> bool {
    matches!(record.work, Work::Conv { .. }) && record.kernel.starts_with("winograd")
}

/// A kernel's error relative to the allowed error.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Error {
    rms_share: f64,
    largest_share: f64,
}

impl Error {
    const WRONG: Self = Self { rms_share: f64::INFINITY, largest_share: f64::INFINITY };

    /// `None` if the precision cannot represent the kernel's result, as fp16 above 65504: then there is nothing to
    /// compare.
    fn of(
        record: &KernelRecord,
        network: &Network,
        mode: Mode,
        device: DeviceRounding,
    ) -> Option<Self> {
        let computed = |rounding| Task { record, network, rounding }.computed();
        let (Some(exact), Some(naive)) =
            (computed(Rounding::none(mode.variant)), computed(Rounding::of(mode, device)))
        else {
            return Some(Self::WRONG);
        };
        let extent = |m: &Map| (m.channels, m.height, m.width);
        let shape = record.wrote.shape;
        if extent(&exact) != (shape.channels, shape.height, shape.width) {
            return Some(Self::WRONG);
        }
        let is_finite = |map: &Map| map.data.iter().all(|v| v.is_finite());
        if is_finite(&exact) && !is_finite(&naive) {
            return None;
        }
        let from_exact = |values: &mut dyn ExactSizeIterator<Item = f64>| {
            Deviation::between(values, exact.data.iter().copied())
        };
        let kernel = from_exact(&mut record.wrote.data.iter().map(|&v| f64::from(v)));
        let naive = from_exact(&mut naive.data.iter().copied());
        let (rms_floor, largest_floor) =
            Task { record, network, rounding: Rounding::none(mode.variant) }.floor(&exact);
        // If no error is allowed and there is none, the kernel passes.
        let share = |off: f64, allowed: f64| if off == 0.0 { 0.0 } else { off / allowed };
        let (rms, largest) = if is_winograd(record) {
            (WINOGRAD_RMS_FACTOR, WINOGRAD_LARGEST_FACTOR)
        } else {
            (NAIVE_RMS_FACTOR, f64::from(NAIVE_LARGEST_FACTOR))
        };
        let (rms, largest) = (rms * naive.rms + rms_floor, largest * naive.largest + largest_floor);
        Some(Self {
            rms_share: share(kernel.rms, rms),
            largest_share: share(kernel.largest, largest),
        })
    }

    fn is_right(&self) -> bool {
        // NaN fails this comparison.
        self.rms_share <= 1.0 && self.largest_share <= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{graph::Op, models::johnson::NetworkSpec};
    use plan::ConvLayer;
    use values::{
        mode::Precision,
        tensor::{Shape, Tensor},
    };

    fn network() -> Network {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([4, 6, 8]) };
        spec.random(3).expect("a valid shape")
    }

    fn values(shape: Shape, mean: f32, salt: u64) -> Tensor {
        let fill = Fill { mean, deviation: 1.0, seed: 77 };
        Tensor { shape, data: fill.values(salt, shape.len()) }
    }

    const BF16: Mode = Mode::new(Variant::Baseline, Precision::Bf16);
    const FP32: Mode = Mode::new(Variant::Fused, Precision::Fp32);

    /// The error of a record whose result is what `computed` returns in `mode`, changed by `flaw`.
    fn error(mode: Mode, work: Work, read: Vec<Tensor>, flaw: fn(usize, f32) -> f32) -> Error {
        let network = network();
        let mut record = KernelRecord {
            layer: "layer".to_owned(),
            kernel: "kernel".to_owned(),
            work,
            read,
            wrote: Tensor::zeros(Shape::new(3, 11, 9)),
        };
        let made = Task {
            record: &record,
            network: &network,
            rounding: Rounding::of(mode, DeviceRounding::default()),
        }
        .computed()
        .expect("it fits");
        record.wrote = Tensor {
            shape: Shape::new(made.channels, made.height, made.width),
            data: (made.data.iter().enumerate()).map(|(i, &v)| flaw(i, v as f32)).collect(),
        };
        Error::of(&record, &network, mode, DeviceRounding::default()).expect("within range")
    }

    /// Every kind of work, with suitable input maps.
    fn works() -> Vec<(Work, Vec<Tensor>)> {
        let convs = ConvLayer::of_graph(network().graph());
        let map = |channels, mean, salt| values(Shape::new(channels, 12, 10), mean, salt);
        let conv = |conv: usize, relu, doubled, margin| Work::Conv {
            conv,
            relu,
            doubled,
            margin,
            bias_factor: 1.0,
        };
        let last = convs.len() - 1;
        vec![
            (Work::Load { factor: 0.3 }, vec![map(3, 90.0, 1)]),
            (Work::Node(Op::reflect(2)), vec![map(4, 0.0, 2)]),
            (Work::Node(Op::Upsample), vec![map(4, 0.0, 3)]),
            (Work::Node(Op::Relu), vec![map(4, 0.0, 4)]),
            (Work::Node(Op::Add), vec![map(4, 0.0, 5), map(4, 3.0, 6)]),
            (Work::Keep { relu: true }, vec![map(4, 0.0, 7)]),
            (Work::Normalise { eps: 1e-5 }, vec![map(4, 1000.0, 8)]),
            (Work::Affine { conv: 0 }, vec![map(4, 0.0, 9)]),
            (Work::Bias { conv: 0, factor: 0.5 }, vec![map(4, 0.0, 19)]),
            (Work::Statistics { conv: 0, eps: 1e-9 }, vec![map(4, 5.0, 10)]),
            (
                Work::Norm { conv: 0, eps: 1e-5, relu: false },
                vec![map(4, 1000.0, 11), map(4, 0.0, 12)],
            ),
            (conv(1, true, false, 1), vec![map(4, 0.0, 13)]),
            (conv(3, false, false, 0), vec![map(8, 0.0, 14), map(8, 0.0, 15)]),
            (conv(last - 2, true, true, 1), vec![map(8, 0.0, 16)]),
            (conv(last, true, false, 4), vec![map(4, 0.0, 17)]),
            (Work::Store, vec![map(4, 100.0, 18)]),
        ]
    }

    #[test]
    fn rounding_as_the_mode_does_is_right() {
        for mode in Mode::all() {
            for (work, read) in works() {
                let error = error(mode, work, read, |_, v| v);
                assert!(error.is_right(), "{mode} {work:?}: {error:?}");
            }
        }
    }

    #[test]
    fn every_kind_of_mistake_is_found() {
        let flaws: [fn(usize, f32) -> f32; 4] = [
            |i, v| if i == 7 { v + 0.4 } else { v },
            |_, v| v * 1.01 + 0.003,
            |i, v| if i % 9 == 8 { v + 0.3 } else { v },
            |i, v| if i == 3 { f32::NAN } else { v },
        ];
        for (work, read) in works() {
            for (number, flaw) in flaws.into_iter().enumerate() {
                let found = error(FP32, work, read.clone(), flaw);
                assert!(!found.is_right(), "{work:?} flaw {number}: {found:?}");
            }
            let found = error(BF16, work, read, flaws[3]);
            assert!(!found.is_right(), "{work:?}: {found:?}");
        }
    }

    /// The error of a norm without gamma and beta that turned `map` into `normed`.
    fn error_of_norm(map: Tensor, normed: Vec<f32>) -> Error {
        let record = KernelRecord {
            layer: String::new(),
            kernel: String::new(),
            work: Work::Normalise { eps: 1e-5 },
            wrote: Tensor { shape: map.shape, data: normed },
            read: vec![map],
        };
        Error::of(&record, &network(), FP32, DeviceRounding::default()).expect("within range")
    }

    #[test]
    fn sums_of_squares_would_be_found_where_the_mean_is_far_from_zero() {
        let map = values(Shape::new(4, 60, 50), 1000.0, 1);
        let plane = 60 * 50;
        // Mean and variance as a careless kernel computes them, in single precision.
        let careless = map.data.chunks(plane).flat_map(|values| {
            let mean = values.iter().sum::<f32>() / plane as f32;
            let square = values.iter().map(|v| v * v).sum::<f32>() / plane as f32;
            let variance = (square - mean * mean).max(0.0);
            values.iter().map(move |v| (v - mean) / (variance + 1e-5).sqrt())
        });
        let careless = careless.collect();
        let error = error_of_norm(map, careless);
        assert!(!error.is_right(), "{error:?}");
    }

    #[test]
    fn a_mean_far_from_zero_may_be_off_by_its_own_last_places() {
        // One of 64 channels has a mean of 1000, which hardly shows in the rms over all of them.
        let mut map = values(Shape::new(64, 12, 10), 0.0, 1);
        let plane = 12 * 10;
        map.data[..plane].iter_mut().for_each(|v| *v += 1000.0);
        let unit = 1000.0 * f32::EPSILON / 2.0;
        let with_a_mean_off_by = |units: f32| {
            let planes = map.data.chunks(plane).enumerate();
            let normed = planes.flat_map(|(channel, values)| {
                let of = |f: &dyn Fn(f64) -> f64| {
                    values.iter().map(|&v| f(f64::from(v))).sum::<f64>() / plane as f64
                };
                let mean = of(&|v| v);
                let deviation = (of(&|v| (v - mean) * (v - mean)) + 1e-5).sqrt();
                let off = if channel == 0 { f64::from(units * unit) } else { 0.0 };
                let norm = move |v: &f32| ((f64::from(*v) - mean - off) / deviation) as f32;
                values.iter().map(norm).collect::<Vec<f32>>()
            });
            error_of_norm(map.clone(), normed.collect())
        };
        let (slightly, much) = (with_a_mean_off_by(3.0), with_a_mean_off_by(40.0));
        assert!(slightly.is_right(), "{slightly:?}");
        assert!(!much.is_right(), "{much:?}");
    }

    #[test]
    fn a_record_that_does_not_fit_is_wrong() {
        let map = values(Shape::new(4, 12, 10), 0.0, 1);
        let record = |work, read| KernelRecord {
            layer: String::new(),
            kernel: String::new(),
            work,
            read,
            wrote: map.clone(),
        };
        for record in [
            record(Work::Node(Op::Upsample), vec![map.clone()]),
            record(Work::Node(Op::Add), vec![map.clone()]),
            record(Work::Node(Op::Relu), Vec::new()),
            record(Work::Affine { conv: 99 }, vec![map.clone()]),
        ] {
            assert_eq!(
                Error::of(&record, &network(), FP32, DeviceRounding::default()),
                Some(Error::WRONG)
            );
        }
    }

    #[test]
    fn values_outside_a_precision_are_not_judged() {
        let large = values(Shape::new(4, 3, 3), 60_000.0, 1);
        let mut record = KernelRecord {
            layer: String::new(),
            kernel: String::new(),
            work: Work::Node(Op::Add),
            read: vec![large.clone(), large],
            wrote: Tensor::zeros(Shape::new(4, 3, 3)),
        };
        let fp16 = Mode::new(Variant::Baseline, Precision::Fp16);
        assert_eq!(Error::of(&record, &network(), fp16, DeviceRounding::default()), None);
        let bf16 =
            Error::of(&record, &network(), BF16, DeviceRounding::default()).expect("wide enough");
        assert!(!bf16.is_right(), "{bf16:?}");
        // An infinite input does not excuse the result.
        record.read[0].data[2] = f32::INFINITY;
        let nonsense =
            Error::of(&record, &network(), fp16, DeviceRounding::default()).expect("a verdict");
        assert!(!nonsense.is_right(), "{nonsense:?}");
    }
}
