//! Checks that a backend makes the picture that the network defines: every mode against the oracle.
//!
//! Judges by the rule for the mode's precision ([`Rule`]), on the whole picture and again on its outer
//! frame, where padding mistakes show; and the map behind every norm stays close to the oracle's, so
//! that two mistakes cannot cancel. Two runs have to give the same bits.
//!
//! Pictures of (nearly) one colour are judged by rules of their own: their maps have (nearly) no variance, so
//! that every norm multiplies rounding errors by up to 1/sqrt(eps) = 316, in any implementation. In fewer bits
//! than single precision the limit there is a multiple of the error of a naive run: the oracle's own
//! computation, rounded where the mode rounds ([`Rule::beside_naive`]).
//!
//! On a device that records what its kernels read and wrote, each kernel is judged by itself as well
//! ([`verify_kernels`]).
//!
//! Blocks for seconds to minutes (the oracle is slow); any thread.

mod equality;
mod kernels;
mod rule;
mod subjects;
mod task;
mod truth;

use std::sync::Arc;

use serde::Serialize;

use crate::{
    backend::{
        Backend, BackendError, InspectSession, RunControl, Session, SessionSpec,
        oracle::DeviceRounding,
    },
    frame::{Frame, PictureDifference},
    mode::{DeviceChoice, Mode, Precision, Variant},
    network::Network,
    tensor::Tensor,
};

pub use equality::Equality;
pub use kernels::{KernelVerdict, kernel_subjects, verify_kernels};
pub use rule::{Distance, Rule};
pub use subjects::{Subject, adversarial_subjects, style_subject};

use truth::{OUTPUT, Truth, relative_rms};

/// Width of the outer frame that is judged on its own, in pixels.
pub const FRAME_PX: usize = 8;

/// The verdict on one run of one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The network.
    pub network: String,
    /// The picture.
    pub picture: String,
    /// Columns, in pixels.
    pub width: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// The mode as it was run.
    pub mode: Mode,
    /// The variant.
    pub variant: Variant,
    /// The precision.
    pub precision: Precision,
    /// Whether the rule for pictures of (nearly) one colour was used.
    pub low_contrast: bool,
    /// Whether the mode may be used.
    pub passed: bool,
    /// Why not.
    pub failure: Option<String>,
    /// Largest difference of one byte, in levels.
    pub largest_levels: u8,
    /// Share of bytes that differ, 0 to 1.
    pub differing_share: f64,
    /// Peak signal-to-noise ratio of the whole picture, in dB; `None` when nothing differs.
    pub psnr_db: Option<f64>,
    /// Largest difference on the outer frame, in levels.
    pub frame_largest_levels: u8,
    /// Share of bytes of the outer frame that differ, 0 to 1.
    pub frame_differing_share: f64,
    /// Peak signal-to-noise ratio of the outer frame, in dB; `None` when nothing differs.
    pub frame_psnr_db: Option<f64>,
    /// The norm whose map is furthest from the oracle's.
    pub worst_norm: String,
    /// How far that is, relative to the map; `None` when it is not a number.
    pub worst_relative_rms: Option<f64>,
}

/// Judges `backend` on one subject in each of `modes`, and hands over each verdict at once. With a `batch` of
/// more than 1, that many frames are painted at once as well, every second one mirrored, and each has to be
/// right.
///
/// # Errors
/// [`BackendError`] when a run fails: then nothing can be said about it.
pub fn verify(
    backend: &dyn Backend,
    subject: &Subject,
    modes: &[Mode],
    batch: usize,
    mut report: impl FnMut(Verdict),
) -> Result<(), BackendError> {
    for (name, picture) in &subject.pictures {
        let truth = Truth::new(&subject.network, picture.clone());
        let other = (batch > 1).then(|| Truth::new(&subject.network, mirrored(picture)));
        for &mode in modes {
            let evidence = Evidence::gather(backend, &subject.network, picture, mode)?;
            let mut verdict = Verdict {
                network: subject.name.clone(),
                picture: name.clone(),
                ..evidence.judged(&truth, mode)
            };
            if let Some(other) = &other {
                let pair = [&truth, other];
                verdict.fail(batch_failures(backend, &subject.network, mode, batch, pair)?);
            }
            report(verdict);
        }
    }
    Ok(())
}

impl Verdict {
    /// Adds what else is wrong.
    fn fail(&mut self, failures: Vec<String>) {
        let all: Vec<String> = self.failure.take().into_iter().chain(failures).collect();
        self.passed = all.is_empty();
        self.failure = (!all.is_empty()).then(|| all.join("; "));
    }
}

/// The picture seen from behind.
fn mirrored(picture: &Frame) -> Frame {
    let last = picture.width() - 1;
    Frame::from_fn(picture.width(), picture.height(), |x, y| picture.pixel(last - x, y))
}

/// The failures of the frames of one batch of `count`: two pictures in turn, so that frames that are mixed up
/// are found.
fn batch_failures(
    backend: &dyn Backend,
    network: &Arc<Network>,
    mode: Mode,
    count: usize,
    pair: [&Truth<'_>; 2],
) -> Result<Vec<String>, BackendError> {
    let each = || (0..count).map(|i| pair[i % 2]);
    let inputs: Vec<Frame> = each().map(|truth| truth.picture.clone()).collect();
    let mut outputs = inputs.clone();
    let spec = SessionSpec {
        batch: count,
        ..SessionSpec::single(inputs[0].width(), inputs[0].height(), mode)
    };
    let mut session = backend.open(network, &spec)?;
    let device = device_rounding(session.as_ref(), backend);
    session.run(&inputs, &mut outputs, &RunControl::default(), None)?;
    let mut failures = Vec::new();
    for (number, (painted, truth)) in (1..).zip(outputs.iter().zip(each())) {
        let part = format!("frame {number} of {count}");
        let difference = PictureDifference::between(painted, &truth.beside(painted));
        let pixels = truth.picture.pixel_count();
        let rule = truth.rule(mode, device);
        failures.extend(rule.failure(&part, difference, pixels));
    }
    Ok(failures)
}

/// A backend's results for one picture.
struct Evidence {
    painted: Frame,
    painted_again: Frame,
    /// The maps behind the norms by name, and the output.
    maps: Vec<(String, Tensor)>,
    /// How the device rounds.
    device: DeviceRounding,
    /// The mode as it was run.
    mode_as_run: Mode,
}

/// The session's inspection.
///
/// # Errors
/// [`BackendError::Unsupported`] where it only paints: then nothing can be said about it.
fn inspected<'s>(
    session: &'s mut dyn Session,
    backend: &dyn Backend,
) -> Result<&'s mut dyn InspectSession, BackendError> {
    let mode = session.summary().mode;
    session.inspect().ok_or_else(|| BackendError::Unsupported {
        mode: mode.to_string(),
        device: backend.device().name,
        reason: "it cannot be inspected; check another device".to_owned(),
    })
}

/// What a session's device decides about where it rounds: a library's convolutions leave the bias to a step of its own, and
/// GPUs multiply few layers in bytes.
fn device_rounding(session: &dyn Session, backend: &dyn Backend) -> DeviceRounding {
    let conv_provider = session.summary().conv_provider;
    DeviceRounding {
        bias_apart: conv_provider.is_some_and(|c| c.is_library()),
        bytes_of_halves: backend.device().kind == DeviceChoice::Cuda,
    }
}

impl Evidence {
    fn gather(
        backend: &dyn Backend,
        network: &Arc<Network>,
        picture: &Frame,
        mode: Mode,
    ) -> Result<Self, BackendError> {
        let spec = SessionSpec::single(picture.width(), picture.height(), mode);
        let mut session = backend.open(network, &spec)?;
        let control = RunControl::default();
        let mut painted = picture.clone();
        session.paint(picture, &mut painted, &control)?;
        let mut painted_again = picture.clone();
        session.paint(picture, &mut painted_again, &control)?;
        let mut maps = Vec::new();
        let mut tap = |norm: &str, map: Tensor| maps.push((norm.to_owned(), map));
        let output = inspected(session.as_mut(), backend)?.run_tensor(picture, Some(&mut tap))?;
        maps.push((OUTPUT.to_owned(), output));
        Ok(Self {
            painted,
            painted_again,
            maps,
            device: device_rounding(session.as_ref(), backend),
            mode_as_run: session.summary().mode_as_run(),
        })
    }

    /// The verdict, still without the names of network and picture.
    fn judged(&self, truth: &Truth<'_>, mode: Mode) -> Verdict {
        let (picture, expected) = (&truth.picture, &truth.beside(&self.painted));
        let rule = truth.rule(mode, self.device);
        let mut failures = Vec::new();
        let (worst_norm, worst) = compare_maps(truth, &self.maps, rule, &mut failures);
        let whole = PictureDifference::between(&self.painted, expected);
        let frame = PictureDifference::on_outer_frame(&self.painted, expected, FRAME_PX);
        for (part, difference, pixels) in [
            ("picture", whole, picture.pixel_count()),
            ("outer frame", frame, frame_pixels(picture)),
        ] {
            failures.extend(rule.failure(part, difference, pixels));
        }
        if self.painted_again != self.painted {
            failures.push("a second run made a different image".to_owned());
        }
        let alpha =
            |f: &Frame| -> Vec<u8> { f.rgba().iter().skip(3).step_by(4).copied().collect() };
        if alpha(&self.painted) != alpha(picture) {
            failures.push("alpha was not preserved".to_owned());
        }
        // A picture of another size differs everywhere.
        let seen = |d: Option<PictureDifference>| {
            d.map_or((u8::MAX, 1.0, Some(0.0)), |d| {
                let psnr_db = d.psnr_db.is_finite().then_some(d.psnr_db);
                (d.largest, d.differing_share, psnr_db)
            })
        };
        let (largest_levels, differing_share, psnr_db) = seen(whole);
        let (frame_largest_levels, frame_differing_share, frame_psnr_db) = seen(frame);
        Verdict {
            network: String::new(),
            picture: String::new(),
            width: picture.width(),
            height: picture.height(),
            mode: self.mode_as_run,
            variant: mode.variant,
            precision: mode.precision,
            low_contrast: truth.low_contrast,
            passed: failures.is_empty(),
            failure: (!failures.is_empty()).then(|| failures.join("; ")),
            largest_levels,
            differing_share,
            psnr_db,
            frame_largest_levels,
            frame_differing_share,
            frame_psnr_db,
            worst_norm,
            worst_relative_rms: worst.is_finite().then_some(worst),
        }
    }
}

/// Compares the maps behind the norms and the output with the oracle's; gives the worst and adds
/// what fails.
fn compare_maps(
    truth: &Truth<'_>,
    maps: &[(String, Tensor)],
    rule: Rule,
    failures: &mut Vec<String>,
) -> (String, f64) {
    let reference = truth.maps();
    if maps.len() != reference.len() {
        failures.push(format!(
            "{} maps were returned, the network has {}",
            maps.len(),
            reference.len()
        ));
    }
    let mut worst = (String::new(), 0.0f64);
    for (name, expected) in reference {
        let Some((_, map)) = maps.iter().find(|(n, _)| n == name) else {
            failures.push(format!("the map of {name} is missing"));
            continue;
        };
        let shape = (map.shape.channels, map.shape.height, map.shape.width);
        if shape != (expected.channels, expected.height, expected.width) {
            failures.push(format!("the map of {name} has the wrong shape"));
            continue;
        }
        let relative = relative_rms(map.data.iter().map(|&v| f64::from(v)), expected);
        if relative.is_nan() || relative > worst.1 {
            worst = (name.to_owned(), relative);
        }
        let limit = rule.max_relative_rms;
        if !relative.is_finite() || relative > limit {
            failures.push(format!("{name} is off by {relative:.1e} (limit {limit:.0e})"));
        }
    }
    worst
}

/// Pixels of the outer frame.
fn frame_pixels(picture: &Frame) -> usize {
    let inner = |side: usize| side.saturating_sub(2 * FRAME_PX);
    picture.pixel_count() - inner(picture.width()) * inner(picture.height())
}
