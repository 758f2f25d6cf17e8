//! Checks that a backend produces the picture that the network defines: every mode against the oracle.
//!
//! The rule for the mode's precision ([`Rule`]) is applied to the whole picture and again to its border, where padding
//! mistakes show. The map after every norm must also be close to the oracle's, so that two mistakes cannot cancel. Two
//! runs must return the same bits.
//!
//! Pictures of (nearly) one colour have their own rules: their maps have (nearly) no variance, so that every norm
//! multiplies rounding errors by up to 1/sqrt(eps) = 316, in any implementation. In fewer bits than single precision
//! the limit is a multiple of the error of a naive run: the oracle's own computation, rounded where the mode rounds
//! ([`Rule::allowing_naive`]).
//!
//! If a device records what its kernels read and wrote, each kernel is also checked on its own ([`verify_kernels`]).
//!
//! Blocks for seconds to minutes, because the oracle is slow. May be called from any thread.

mod equality;
mod kernels;
mod rule;
mod subjects;
mod task;
mod truth;

use std::sync::Arc;

use serde::Serialize;

use backend::{Backend, BackendError, InspectSession, RunControl, Session, SessionSpec};
use network::Network;
use oracle::DeviceRounding;
use values::{
    frame::Frame,
    mode::{DeviceChoice, Mode, Precision, Variant},
    tensor::Tensor,
};

pub use equality::Equality;
pub use kernels::{KernelVerdict, kernel_subjects, verify_kernels};
pub use rule::{Distance, Rule};
pub use subjects::{Subject, adversarial_subjects, style_subject};

use rule::differences;
use truth::{OUTPUT, Truth, relative_rms};

/// Width of the border that is checked separately, in pixels.
pub const FRAME_PX: usize = 8;

/// The verdict on one run of one mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub network: String,
    pub picture: String,
    pub width: usize,
    pub height: usize,
    /// The mode as it was run.
    pub mode: Mode,
    pub variant: Variant,
    pub precision: Precision,
    /// The rule for pictures of (nearly) one colour was used.
    pub low_contrast: bool,
    pub passed: bool,
    pub failure: Option<String>,
    /// Largest difference of one byte, in levels.
    pub largest_levels: u8,
    /// Share of bytes that differ, 0 to 1.
    pub differing_share: f64,
    /// Peak signal-to-noise ratio of the whole picture; infinite if nothing differs, which JSON reports as `null`.
    pub psnr_db: f64,
    /// Largest difference on the border, in levels.
    pub frame_largest_levels: u8,
    /// Share of bytes of the border that differ, 0 to 1.
    pub frame_differing_share: f64,
    /// The same of the border.
    pub frame_psnr_db: f64,
    /// The norm whose map differs most from the oracle's.
    pub worst_norm: String,
    /// Rms difference of that map, relative to the map. JSON reports what is not a number as `null`.
    pub worst_relative_rms: f64,
}

/// Checks `backend` on one subject in each of `modes`, and passes on each verdict at once. If `batch` exceeds 1, that
/// many frames are also painted at once, every second one mirrored, and each must be correct.
///
/// # Errors
/// [`BackendError`] if a run fails, so that there is no verdict.
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
            let of_batch = match &other {
                Some(other) => {
                    batch_failures(backend, &subject.network, mode, batch, [&truth, other])?
                }
                None => Vec::new(),
            };
            report(judged(backend, subject, name, (&truth, mode), of_batch)?);
        }
    }
    Ok(())
}

/// The picture with left and right swapped.
fn mirrored(picture: &Frame) -> Frame {
    let last = picture.width() - 1;
    Frame::from_fn(picture.width(), picture.height(), |x, y| picture.pixel(last - x, y))
}

/// The failures of the frames of one batch of `count`. Two pictures alternate, so that mixed-up frames are detected.
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
    let (width, height) = inputs[0].size();
    let spec = SessionSpec { batch: count, ..SessionSpec::single(width, height, mode) };
    let mut session = backend.open(network, &spec)?;
    let device = device_rounding(session.as_ref(), backend);
    session.paint_all(&inputs, &mut outputs, &RunControl::default())?;
    let mut failures = Vec::new();
    for (number, (painted, truth)) in (1..).zip(outputs.iter().zip(each())) {
        let part = format!("frame {number} of {count}");
        let [(_, whole), _] = differences(painted, &truth.reference_for(painted));
        failures.extend(truth.rule(mode, device).failure(&part, whole));
    }
    Ok(failures)
}

/// # Errors
/// [`BackendError::Unsupported`] if the session can only paint, so that it cannot be checked.
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

/// Where the session's device rounds, as far as the device decides it: library convolutions add the bias in a separate
/// step, and GPUs compute only few layers in int8.
fn device_rounding(session: &dyn Session, backend: &dyn Backend) -> DeviceRounding {
    let conv_provider = session.summary().conv_provider;
    DeviceRounding {
        bias_apart: conv_provider.is_some_and(|c| c.is_library()),
        bytes_of_halves: backend.device().kind == DeviceChoice::Cuda,
    }
}

/// Runs a mode on a picture and judges the results, to which the failures in a batch are added.
fn judged(
    backend: &dyn Backend,
    subject: &Subject,
    name: &str,
    (truth, mode): (&Truth<'_>, Mode),
    of_batch: Vec<String>,
) -> Result<Verdict, BackendError> {
    let picture = &truth.picture;
    let spec = SessionSpec::single(picture.width(), picture.height(), mode);
    let mut session = backend.open(&subject.network, &spec)?;
    let control = RunControl::default();
    let mut painted = picture.clone();
    session.paint(picture, &mut painted, &control)?;
    let mut painted_again = picture.clone();
    session.paint(picture, &mut painted_again, &control)?;
    // The maps after the norms by name, and the output.
    let mut maps = Vec::new();
    let mut tap = |norm: &str, map: Tensor| maps.push((norm.to_owned(), map));
    let output =
        inspected(session.as_mut(), backend)?.run_tensor(picture, &control, Some(&mut tap))?;
    maps.push((OUTPUT.to_owned(), output));
    let expected = truth.reference_for(&painted);
    let rule = truth.rule(mode, device_rounding(session.as_ref(), backend));
    let mut failures = Vec::new();
    let (worst_norm, worst_relative_rms) = compare_maps(truth, &maps, rule, &mut failures);
    let parts = differences(&painted, &expected);
    failures.extend(parts.iter().filter_map(|(part, difference)| rule.failure(part, *difference)));
    let [(_, whole), (_, frame)] = parts;
    if painted_again != painted {
        failures.push("a second run made a different image".to_owned());
    }
    let alpha = |f: &Frame| -> Vec<u8> { f.rgba().iter().skip(3).step_by(4).copied().collect() };
    if alpha(&painted) != alpha(picture) {
        failures.push("alpha was not preserved".to_owned());
    }
    failures.extend(of_batch);
    Ok(Verdict {
        network: subject.name.clone(),
        picture: name.to_owned(),
        width: picture.width(),
        height: picture.height(),
        mode: session.summary().mode_as_run(),
        variant: mode.variant,
        precision: mode.precision,
        low_contrast: truth.low_contrast,
        passed: failures.is_empty(),
        failure: (!failures.is_empty()).then(|| failures.join("; ")),
        largest_levels: whole.largest,
        differing_share: whole.differing_share,
        psnr_db: whole.psnr_db,
        frame_largest_levels: frame.largest,
        frame_differing_share: frame.differing_share,
        frame_psnr_db: frame.psnr_db,
        worst_norm,
        worst_relative_rms,
    })
}

/// Compares the maps after the norms and the output with the oracle's. Returns the worst map and adds failures.
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
