//! `verify` finds every kind of mistake of a backend, and reports none without one.
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use backend::{Backend, NormTap, cpu::CpuBackend};
use measure::verify::{
    KernelVerdict, Subject, Verdict, adversarial_subjects, kernel_subjects, style_subject, verify,
    verify_kernels,
};
use network::{Network, models::johnson::NetworkSpec};
use support::{Art, FakeBackend, Script};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::{Shape, Tensor},
};

/// What the backend of this test does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OneByteOffByTwo,
    OneByteOffByOne,
    OneByteOffBySeventeen,
    EverythingOffByOne,
    LastColumn,
    EverythingOffByTwo,
    NormsScaled,
    NormsScaledMore,
    Infinite,
    NotANumber,
    MapMissing,
    AlphaLost,
    Unsteady,
    BatchMixedUp,
}

fn tensor(map: &oracle::Map) -> Tensor {
    Tensor {
        shape: Shape::new(map.channels, map.height, map.width),
        data: map.data.iter().map(|&v| v as f32).collect(),
    }
}

impl Art for Flaw {
    fn paint(&self, network: &Arc<Network>, run: usize, input: &Frame, output: &mut Frame) {
        *output = oracle::judge(network, input).picture(input);
        let width = output.width();
        let off = |byte: &mut u8, by: u8| *byte = byte.checked_sub(by).unwrap_or(*byte + by);
        match self {
            Self::OneByteOffByTwo => off(&mut output.rgba_mut()[5], 2),
            Self::OneByteOffBySeventeen => off(&mut output.rgba_mut()[5], 17),
            Self::OneByteOffByOne => off(&mut output.rgba_mut()[5], 1),
            Self::AlphaLost => output.rgba_mut()[3] = 7,
            Self::Unsteady if run == 2 => off(&mut output.rgba_mut()[0], 1),
            Self::EverythingOffByOne | Self::EverythingOffByTwo => {
                let by = 1 + u8::from(*self == Self::EverythingOffByTwo);
                for pixel in output.rgba_mut().chunks_exact_mut(4) {
                    pixel[..3].iter_mut().for_each(|b| off(b, by));
                }
            }
            Self::LastColumn => {
                for row in output.rgba_mut().chunks_exact_mut(width * 4) {
                    row[width * 4 - 4..width * 4 - 1].iter_mut().for_each(|b| off(b, 1));
                }
            }
            _ => {}
        }
    }

    fn finish(&self, outputs: &mut [Frame]) {
        if *self == Self::BatchMixedUp && outputs.len() > 1 {
            outputs.swap(1, 2);
        }
    }

    fn tensor(&self, network: &Arc<Network>, input: &Frame, tap: Option<NormTap<'_>>) -> Tensor {
        let truth = oracle::judge(network, input);
        let Some(tap) = tap else {
            return tensor(&truth.output);
        };
        for (name, map) in &truth.after_norms {
            let mut map = tensor(map);
            match self {
                Self::MapMissing if name == "in3" => continue,
                Self::NormsScaled if name == "in2" => map.data.iter_mut().for_each(|v| *v *= 1.01),
                Self::NormsScaledMore if name == "in2" => {
                    map.data.iter_mut().for_each(|v| *v *= 1.1);
                }
                Self::Infinite if name == "in4" => map.data[0] = f32::INFINITY,
                Self::NotANumber if name == "in4" => map.data[0] = f32::NAN,
                _ => {}
            }
            tap(name, map);
        }
        tensor(&truth.output)
    }
}

/// A backend that does this wrong.
fn flawed(flaw: Flaw) -> FakeBackend {
    let script = Script { art: Box::new(flaw), inspects: true, ..Script::default() };
    FakeBackend::new(&Arc::new(script))
}

/// Verdicts in single precision on a picture that is wide enough for its frame to be a small part
/// of it.
fn verdicts(flaw: Flaw) -> Vec<Verdict> {
    verdicts_in(flaw, Precision::Fp32)
}

fn verdicts_in(flaw: Flaw, precision: Precision) -> Vec<Verdict> {
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([2, 3, 4]) };
    let network = Arc::new(spec.random(3).expect("valid"));
    let photo = Frame::from_fn(640, 400, |x, y| [(x * 3) as u8, (y * 5) as u8, 90, x as u8]);
    let mut subject: Subject = style_subject("a style", network, &photo);
    let wide = Frame::from_fn(400, 60, |x, y| [(x * 3) as u8, (y * 5) as u8, 90, 255]);
    subject.pictures.push(("wide".to_owned(), wide));
    let mut verdicts = Vec::new();
    let modes = [Variant::Baseline, Variant::Fused].map(|v| Mode::new(v, precision));
    verify(&flawed(flaw), &subject, &modes, 1, |v| verdicts.push(v)).expect("runs");
    assert_eq!(verdicts.len(), 2 * modes.len());
    verdicts
}

#[test]
fn correct_results_pass_and_one_byte_may_round_the_other_way() {
    for flaw in [Flaw::None, Flaw::OneByteOffByOne] {
        for verdict in verdicts(flaw) {
            assert!(verdict.passed, "{flaw:?}: {verdict:?}");
            assert_eq!(verdict.failure, None);
            assert_eq!(verdict.largest_levels, u8::from(flaw != Flaw::None));
        }
    }
}

#[test]
fn every_mistake_is_found_and_named() {
    for (flaw, words) in [
        (Flaw::OneByteOffByTwo, "off by 2"),
        // A byte half-way between two levels may be either.
        (Flaw::EverythingOffByOne, "of the picture's bytes differ"),
        (Flaw::LastColumn, "of the outer frame's bytes"),
        (Flaw::NormsScaled, "in2 is off by 1.0e-2"),
        (Flaw::NotANumber, "in4 is off by NaN"),
        (Flaw::MapMissing, "the map of in3 is missing"),
        (Flaw::AlphaLost, "alpha was not preserved"),
        (Flaw::Unsteady, "a second run made a different image"),
    ] {
        for verdict in verdicts(flaw) {
            if let Flaw::EverythingOffByOne = flaw {
                assert!(verdict.differing_share > 0.99, "{verdict:?}");
            }
            let failure = verdict.failure.unwrap_or_default();
            assert!(!verdict.passed && failure.contains(words), "{flaw:?}: '{failure}'");
        }
    }
}

#[test]
fn a_wrong_last_column_of_a_wide_picture_is_only_seen_on_the_frame() {
    let verdicts = verdicts(Flaw::LastColumn);
    let wide = verdicts.iter().find(|v| v.picture == "wide").expect("judged");
    assert!(wide.differing_share <= 0.005, "{wide:?}");
    assert!(!wide.passed && wide.frame_differing_share > 0.005, "{wide:?}");
}

#[test]
fn fewer_bits_have_rules_of_their_own() {
    for precision in [Precision::Tf32, Precision::Fp16, Precision::Mixed] {
        for flaw in [Flaw::None, Flaw::OneByteOffByTwo, Flaw::EverythingOffByOne] {
            let passed = flaw != Flaw::EverythingOffByOne;
            for verdict in verdicts_in(flaw, precision) {
                assert_eq!(verdict.passed, passed, "{flaw:?}: {verdict:?}");
            }
        }
    }
    // Seven bits: everything may be off by a level or two, but not one byte by 17 in ten bits.
    let bf16 = |flaw| verdicts_in(flaw, Precision::Bf16);
    assert!(bf16(Flaw::EverythingOffByTwo).iter().all(|v| v.passed));
    assert!(bf16(Flaw::OneByteOffBySeventeen).iter().all(|v| v.passed));
    for (flaw, precision, words) in [
        (Flaw::EverythingOffByOne, Precision::Fp16, "48.1 dB"),
        (Flaw::OneByteOffBySeventeen, Precision::Tf32, "off by 17"),
        (Flaw::NormsScaledMore, Precision::Fp16, "in2 is off by 1.0e-1"),
        (Flaw::NormsScaledMore, Precision::Bf16, "in2 is off by 1.0e-1"),
        (Flaw::Infinite, Precision::Bf16, "in4 is off by inf"),
        (Flaw::LastColumn, Precision::Fp32, "of the outer frame's bytes"),
        (Flaw::Unsteady, Precision::Bf16, "a second run made a different"),
        (Flaw::AlphaLost, Precision::Bf16, "alpha was not preserved"),
    ] {
        for verdict in verdicts_in(flaw, precision) {
            let failure = verdict.failure.unwrap_or_default();
            assert!(failure.contains(words), "{flaw:?}: '{failure}'");
        }
    }
}

/// A small random network on one picture.
fn small_subject(picture: &str, frame: Frame) -> Subject {
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([2, 3, 4]) };
    Subject {
        name: "a network".to_owned(),
        network: Arc::new(spec.random(3).expect("valid")),
        pictures: vec![(picture.to_owned(), frame)],
    }
}

#[test]
fn a_picture_of_one_colour_still_has_to_be_made_of_numbers() {
    let flat = Frame::from_fn(24, 20, |_, _| [128, 128, 128, 255]);
    let subject = small_subject("flat", flat);
    let modes: Vec<Mode> = Mode::all().collect();
    for (flaw, passed) in [
        (Flaw::None, true),
        (Flaw::Infinite, false),
        (Flaw::NotANumber, false),
        (Flaw::Unsteady, false),
    ] {
        let mut judged = 0;
        verify(&flawed(flaw), &subject, &modes, 1, |verdict| {
            judged += 1;
            assert!(verdict.low_contrast);
            assert_eq!(verdict.passed, passed, "{flaw:?}: {verdict:?}");
        })
        .expect("runs");
        assert_eq!(judged, modes.len());
    }
}

/// Judges the kernels of every instruction set that this processor has.
fn judge_kernels(subject: &Subject) -> Vec<KernelVerdict> {
    let mut verdicts = Vec::new();
    for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
        verify_kernels(&backend, subject, &backend.modes(), |v| verdicts.push(v)).expect("a run");
    }
    for v in &verdicts {
        assert!(v.passed, "{v:?}");
    }
    verdicts
}

#[test]
fn every_kernel_of_the_processor_is_right_alone() {
    for subject in kernel_subjects().expect("valid shapes") {
        let verdicts = judge_kernels(&subject);
        let seen = |mode: &str, work: &str, inputs: &str| {
            let found = |v: &&KernelVerdict| {
                v.mode.to_string() == mode && v.work == work && v.inputs == inputs
            };
            verdicts.iter().filter(found).count()
        };
        let far = "mean 1000, deviation 1";
        for inputs in ["a photo's maps", "mean 0, deviation 1", far] {
            for work in ["load", "pad", "upsample", "convolution", "norm", "relu", "add", "store"] {
                assert!(seen("baseline fp32", work, inputs) > 0, "{work} on {inputs}");
            }
        }
        for work in ["convolution", "statistics", "residual stream"] {
            assert!(seen("fused fp32", work, "a photo's maps") > 0, "{work}");
        }
        for kernel in [
            "winograd 4x4",
            "winograd 4x4 doubled",
            "winograd 3x3 at stride 2",
            "winograd 3x3 for 9x9",
        ] {
            assert!(verdicts.iter().any(|v| v.kernel == kernel), "{kernel}");
        }
    }
}

/// Winograd's algorithms leave these kernels to networks with 1x1 convolutions.
#[test]
fn direct_kernels_are_right_alone() {
    let subjects = adversarial_subjects().expect("valid networks");
    let mut small = (subjects.into_iter())
        .find(|subject| subject.name.ends_with("small kernels"))
        .expect("a network with 1x1 convolutions");
    small.pictures.retain(|(name, _)| name == "noise 33 x 21");
    let verdicts = judge_kernels(&small);
    for kernel in ["direct 3x3", "four-phase 2x2", "shifted columns 1x1"] {
        assert!(verdicts.iter().any(|v| v.kernel == kernel), "{kernel}");
    }
}

/// Far from a bright pixel, the pixels of a plain ground differ only if its rounding error is spread.
#[test]
fn a_bright_pixel_on_a_plain_ground_leaves_the_ground_plain() {
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    for mut subject in adversarial_subjects().expect("valid networks") {
        subject.pictures.retain(|(name, _)| name == "hot corners");
        assert_eq!(subject.pictures.len(), 1);
        for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
            verify(&backend, &subject, &[mode], 1, |v| assert!(v.passed, "{v:?}")).expect("runs");
        }
    }
}

#[test]
fn fused_statistics_are_right_far_from_zero() {
    // The first convolution makes sums of mean 1000 and deviation 1 of a photo that is nearly flat:
    // a sum of squares would have lost the deviation.
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([8, 16, 32]) };
    let random = spec.random(3).expect("a valid shape");
    let mut weights = random.weights().clone();
    let first = &mut weights.of_mut("conv1").weight;
    for (out, weights) in first.chunks_exact_mut(3 * 81).enumerate() {
        weights.fill(0.0);
        // The middle of one colour's kernel.
        weights[81 * (out % 3) + 40] = 4.0;
    }
    let network = Arc::new(Network::new(random.graph().clone(), weights).expect("the same shape"));
    let photo = Frame::from_fn(61, 47, |x, y| {
        let level = |c: usize| 250 + u8::from((x * 7 + y * 13 + c * x * y).is_multiple_of(16));
        [level(0), level(1), level(2), 255]
    });
    let subject = Subject {
        name: "far from zero".to_owned(),
        network,
        pictures: vec![("nearly flat".to_owned(), photo)],
    };
    let verdicts = judge_kernels(&subject);
    let is_first = |v: &&KernelVerdict| v.work == "statistics" && v.layer == "conv1";
    assert!(verdicts.iter().filter(is_first).count() > 0);
}

#[test]
fn frames_of_a_batch_that_are_mixed_up_are_found() {
    let slope = Frame::from_fn(31, 20, |x, y| [(x * 8) as u8, (y * 12) as u8, 90, 255]);
    let subject = small_subject("slope", slope);
    let judged = |flaw, batch| {
        let mut verdicts = Vec::new();
        verify(&flawed(flaw), &subject, &[Mode::default()], batch, |v| {
            verdicts.push(v);
        })
        .expect("runs");
        verdicts.remove(0)
    };
    assert!(judged(Flaw::None, 3).passed);
    assert!(judged(Flaw::BatchMixedUp, 1).passed, "no batch, no mistake");
    let failure = judged(Flaw::BatchMixedUp, 3).failure.expect("a mistake");
    assert!(failure.contains("frame 2 of 3") && failure.contains("frame 3 of 3"), "{failure}");
    assert!(!failure.contains("frame 1 of 3"), "{failure}");
}
