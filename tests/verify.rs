//! The judge of backends has to find every kind of mistake, and none where there is none.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use styleforge::{
    backend::{Backend, BackendError, DeviceInfo, NormTap, RunControl, Session, oracle},
    frame::Frame,
    mode::{DeviceChoice, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::StepTiming,
    verify::{Subject, Verdict, style_subject, verify},
};

/// What the backend of this test does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OneByteOffByTwo,
    OneByteOffByOne,
    EverythingOffByOne,
    LastColumn,
    NormsScaled,
    NotANumber,
    MapMissing,
    AlphaLost,
    Unsteady,
}

struct Flawed(Flaw);

struct FlawedSession {
    flaw: Flaw,
    network: Arc<Network>,
    runs: u8,
}

impl Backend for Flawed {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Cpu,
            name: "flawed".to_owned(),
            threads: 1,
            instructions: String::new(),
        }
    }

    fn predicted_bytes(&self, _: &NetworkSpec, _: usize, _: usize, _: Variant) -> u64 {
        0
    }

    fn open(
        &self,
        network: &Arc<Network>,
        _: usize,
        _: usize,
        _: Variant,
    ) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(FlawedSession {
            flaw: self.0,
            network: network.clone(),
            runs: 0,
        }))
    }
}

fn tensor(map: &oracle::Map) -> Tensor {
    Tensor {
        shape: Shape::new(map.channels, map.height, map.width),
        data: map.data.iter().map(|&v| v as f32).collect(),
    }
}

impl Session for FlawedSession {
    fn summary(&self) -> PlanSummary {
        unreachable!("a judge asks for pictures, not for plans")
    }

    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        _: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        *output = oracle::judge(&self.network, input).picture(input);
        let width = output.width();
        let off = |byte: &mut u8, by: u8| *byte = byte.checked_sub(by).unwrap_or(*byte + by);
        self.runs += 1;
        match self.flaw {
            Flaw::OneByteOffByTwo => off(&mut output.rgba_mut()[5], 2),
            Flaw::OneByteOffByOne => off(&mut output.rgba_mut()[5], 1),
            Flaw::AlphaLost => output.rgba_mut()[3] = 7,
            Flaw::Unsteady if self.runs == 2 => off(&mut output.rgba_mut()[0], 1),
            Flaw::EverythingOffByOne => {
                for pixel in output.rgba_mut().chunks_exact_mut(4) {
                    pixel[..3].iter_mut().for_each(|b| off(b, 1));
                }
            }
            Flaw::LastColumn => {
                for row in output.rgba_mut().chunks_exact_mut(width * 4) {
                    row[width * 4 - 4..width * 4 - 1]
                        .iter_mut()
                        .for_each(|b| off(b, 1));
                }
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        let truth = oracle::judge(&self.network, input);
        let Some(tap) = tap else {
            return Ok(tensor(&truth.output));
        };
        for (name, map) in &truth.after_norms {
            let mut map = tensor(map);
            match self.flaw {
                Flaw::MapMissing if name == "in3" => continue,
                Flaw::NormsScaled if name == "in2" => map.data.iter_mut().for_each(|v| *v *= 1.01),
                Flaw::NotANumber if name == "in4" => map.data[0] = f32::NAN,
                _ => {}
            }
            tap(name, map);
        }
        Ok(tensor(&truth.output))
    }
}

/// Verdicts on a picture that is wide enough for its frame to be a small part of it.
fn verdicts(flaw: Flaw) -> Vec<Verdict> {
    let spec = NetworkSpec {
        blocks: 1,
        ..NetworkSpec::with_widths([2, 3, 4])
    };
    let network = Arc::new(Network::random(spec, 3).expect("valid"));
    let photo = Frame::from_fn(640, 400, |x, y| [(x * 3) as u8, (y * 5) as u8, 90, x as u8]);
    let mut subject: Subject = style_subject("a style", network, &photo);
    let wide = Frame::from_fn(400, 60, |x, y| [(x * 3) as u8, (y * 5) as u8, 90, 255]);
    subject.pictures.push(("wide".to_owned(), wide));
    let mut verdicts = Vec::new();
    verify(&Flawed(flaw), &subject, |v| verdicts.push(v)).expect("runs");
    assert_eq!(verdicts.len(), 2 * Variant::ALL.len());
    verdicts
}

#[test]
fn what_is_right_passes_and_one_byte_may_round_the_other_way() {
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
        (Flaw::EverythingOffByOne, "100.00 % of the picture's bytes"),
        (Flaw::LastColumn, "of the outer frame's bytes"),
        (Flaw::NormsScaled, "in2 is off by 1.0e-2"),
        (Flaw::NotANumber, "in4 is off by NaN"),
        (Flaw::MapMissing, "the map of in3 is missing"),
        (Flaw::AlphaLost, "alpha was not carried through"),
        (Flaw::Unsteady, "a second run gave another picture"),
    ] {
        for verdict in verdicts(flaw) {
            let failure = verdict.failure.unwrap_or_default();
            assert!(
                !verdict.passed && failure.contains(words),
                "{flaw:?}: '{failure}'"
            );
        }
    }
}

#[test]
fn a_wrong_last_column_of_a_wide_picture_is_only_seen_on_the_frame() {
    let verdicts = verdicts(Flaw::LastColumn);
    let wide = verdicts
        .iter()
        .find(|v| v.picture == "wide")
        .expect("judged");
    assert!(wide.differing_share <= 0.005, "{wide:?}");
    assert!(
        !wide.passed && wide.frame_differing_share > 0.005,
        "{wide:?}"
    );
}
