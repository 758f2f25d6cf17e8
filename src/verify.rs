//! Whether a backend makes the picture that the network defines: every variant against the oracle.
//!
//! Judges by the rule for fp32: no byte is off by more than one level and at most 0.5 % of the
//! bytes differ, on the whole picture and again on its outer frame, where padding mistakes show;
//! and the map behind every norm stays close to the oracle's, so that two mistakes cannot cancel.
//! Blocks for seconds to minutes (the oracle is slow); any thread.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    backend::{
        Backend, BackendError, RunControl,
        oracle::{self, Judgement},
    },
    frame::{Frame, PictureDifference},
    media::scale::{scaled, size_within},
    mode::Variant,
    network::{Kernels, Network, NetworkError, NetworkSpec},
    tensor::{Deviation, Tensor},
};

/// Most levels that a byte may be off.
pub const MAX_LEVELS: u8 = 1;
/// Most bytes that may differ at all, as a share; one byte is always allowed.
pub const MAX_DIFFERING_SHARE: f64 = 0.005;
/// Width of the outer frame that is judged on its own, in pixels.
pub const FRAME_PX: usize = 8;
/// Long side of the sample for checks of trained styles, in pixels.
const SAMPLE_PX: usize = 64;

/// Largest relative error of a map (rms of the difference over rms of the oracle's map).
///
/// The baseline multiplies directly. The fused variant may use Winograd's transforms, whose
/// rounding errors are about ten times larger and still far below one level.
pub const fn max_relative_rms(variant: Variant) -> f64 {
    match variant {
        Variant::Baseline => 1e-4,
        Variant::Fused => 1e-3,
    }
}

/// One network to judge a backend with.
pub struct Subject {
    /// What reports call it.
    pub name: String,
    /// The weights.
    pub network: Arc<Network>,
    /// What it is run on.
    pub pictures: Vec<(String, Frame)>,
}

/// What one run of one variant came to.
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
    /// The variant.
    pub variant: Variant,
    /// Whether the variant may be used.
    pub passed: bool,
    /// Why not.
    pub failure: Option<String>,
    /// Largest difference of one byte, in levels.
    pub largest_levels: u8,
    /// Share of bytes that differ, 0 to 1.
    pub differing_share: f64,
    /// Largest difference on the outer frame, in levels.
    pub frame_largest_levels: u8,
    /// Share of bytes of the outer frame that differ, 0 to 1.
    pub frame_differing_share: f64,
    /// The norm whose map is furthest from the oracle's.
    pub worst_norm: String,
    /// How far that is, relative to the map; `None` when it is not a number.
    pub worst_relative_rms: Option<f64>,
}

/// Random networks on pictures that are hard on padding, odd sizes and norms.
///
/// # Errors
/// [`NetworkError`] never happens for the shapes written here; it is passed on, not hidden.
pub fn adversarial_subjects() -> Result<Vec<Subject>, NetworkError> {
    let spec = |widths, blocks, kernels| NetworkSpec {
        widths,
        blocks,
        kernels,
    };
    let usual = Kernels::default();
    let large = Kernels {
        first: 5,
        down: [5, 3],
        residual: 5,
        up: [3, 5],
        last: 7,
    };
    let small = Kernels {
        first: 3,
        down: [3, 1],
        residual: 1,
        up: [1, 3],
        last: 1,
    };
    [
        ("random 8-16-32", spec([8, 16, 32], 2, usual)),
        ("random 5-7-13", spec([5, 7, 13], 1, usual)),
        (
            "random 12-20-36, large kernels",
            spec([12, 20, 36], 1, large),
        ),
        ("random 9-8-17, small kernels", spec([9, 8, 17], 3, small)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((name, spec), seed)| {
        Ok(Subject {
            name: name.to_owned(),
            network: Arc::new(Network::random(spec, seed)?),
            pictures: adversarial_pictures(spec.min_side_px()),
        })
    })
    .collect()
}

/// A trained style on a small copy of `photo`.
pub fn style_subject(name: &str, network: Arc<Network>, photo: &Frame) -> Subject {
    let (width, height) = size_within(photo.width(), photo.height(), SAMPLE_PX);
    Subject {
        name: name.to_owned(),
        network,
        pictures: vec![("sample".to_owned(), scaled(photo, width, height))],
    }
}

fn adversarial_pictures(smallest_px: usize) -> Vec<(String, Frame)> {
    let noise = |width: usize, height: usize| {
        // A multiplicative hash of the position: no two neighbours are alike.
        Frame::from_fn(width, height, |x, y| {
            let h = ((y * width + x) as u32)
                .wrapping_add(1)
                .wrapping_mul(2_654_435_761);
            (h ^ (h >> 15)).to_le_bytes()
        })
    };
    let flat = |level: u8| Frame::from_fn(24, 20, move |_, _| [level, level, level, 255]);
    let hot_corners = Frame::from_fn(32, 20, |x, y| {
        let hot = (x == 0 || x == 31) && (y == 0 || y == 19);
        let level = if hot { 255 } else { 0 };
        [level, level, level, 255]
    });
    let faint = Frame::from_fn(28, 28, |x, y| {
        let level = 127 + ((x * 7 + y * 3) % 5 == 0) as u8;
        [level, level, level, 255]
    });
    let mut pictures = vec![
        ("flat grey".to_owned(), flat(128)),
        ("flat black".to_owned(), flat(0)),
        ("hot corners".to_owned(), hot_corners),
        ("faint pattern".to_owned(), faint),
    ];
    let sizes = [
        (33, 21),
        (48, 37),
        (7, 5),
        (1, 1),
        (1, 9),
        (13, 1),
        (smallest_px, smallest_px),
    ];
    pictures.extend(sizes.map(|(w, h)| (format!("noise {w} x {h}"), noise(w, h))));
    pictures
}

/// Judges every variant of `backend` on one subject, and tells each verdict as it falls.
///
/// # Errors
/// [`BackendError`] when a run fails: then nothing can be said about it.
pub fn verify(
    backend: &dyn Backend,
    subject: &Subject,
    mut tell: impl FnMut(Verdict),
) -> Result<(), BackendError> {
    for (name, picture) in &subject.pictures {
        let truth = oracle::judge(&subject.network, picture);
        let expected = truth.picture(picture);
        for &variant in Variant::ALL {
            let mut session =
                backend.open(&subject.network, picture.width(), picture.height(), variant)?;
            let control = RunControl::default();
            let mut painted = picture.clone();
            session.paint(picture, &mut painted, &control)?;
            let mut again = picture.clone();
            session.paint(picture, &mut again, &control)?;
            let mut maps = Vec::new();
            let output = session.run_tensor(
                picture,
                Some(&mut |norm: &str, map: Tensor| maps.push((norm.to_owned(), map))),
            )?;
            maps.push(("output".to_owned(), output));

            let mut failures = Vec::new();
            let (worst_norm, worst) = compare_maps(&truth, &maps, variant, &mut failures);
            let whole = PictureDifference::between(&painted, &expected);
            let frame = PictureDifference::on_outer_frame(&painted, &expected, FRAME_PX);
            for (part, difference) in [("picture", whole), ("outer frame", frame)] {
                if let Some(failure) = judge_difference(part, difference, picture) {
                    failures.push(failure);
                }
            }
            if again != painted {
                failures.push("a second run gave another picture".to_owned());
            }
            let alpha = |f: &Frame| {
                f.rgba()
                    .iter()
                    .skip(3)
                    .step_by(4)
                    .copied()
                    .collect::<Vec<_>>()
            };
            if alpha(&painted) != alpha(picture) {
                failures.push("alpha was not carried through".to_owned());
            }
            let seen = |d: Option<PictureDifference>| {
                d.map_or((u8::MAX, 1.0), |d| (d.largest, d.differing_share))
            };
            let ((largest_levels, differing_share), (frame_largest_levels, frame_differing_share)) =
                (seen(whole), seen(frame));
            tell(Verdict {
                network: subject.name.clone(),
                picture: name.clone(),
                width: picture.width(),
                height: picture.height(),
                variant,
                passed: failures.is_empty(),
                failure: (!failures.is_empty()).then(|| failures.join("; ")),
                largest_levels,
                differing_share,
                frame_largest_levels,
                frame_differing_share,
                worst_norm,
                worst_relative_rms: worst.is_finite().then_some(worst),
            });
        }
    }
    Ok(())
}

/// Compares the maps behind the norms and the output with the oracle's; gives the worst and adds
/// what fails.
fn compare_maps(
    truth: &Judgement,
    maps: &[(String, Tensor)],
    variant: Variant,
    failures: &mut Vec<String>,
) -> (String, f64) {
    let reference = truth
        .after_norms
        .iter()
        .map(|(name, map)| (name.as_str(), map));
    let reference: Vec<_> = reference.chain([("output", &truth.output)]).collect();
    if maps.len() != reference.len() {
        failures.push(format!(
            "{} maps were handed over, the network has {}",
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
            failures.push(format!("the map of {name} has another shape"));
            continue;
        }
        let deviation = Deviation::between(
            map.data.iter().map(|&v| f64::from(v)),
            expected.data.iter().copied(),
        );
        let relative = deviation.rms / deviation.reference_rms.max(1e-3);
        if relative.is_nan() || relative > worst.1 {
            worst = (name.to_owned(), relative);
        }
        let limit = max_relative_rms(variant);
        if relative.is_nan() || relative > limit {
            failures.push(format!(
                "{name} is off by {relative:.1e} (limit {limit:.0e})"
            ));
        }
    }
    worst
}

fn judge_difference(
    part: &str,
    difference: Option<PictureDifference>,
    picture: &Frame,
) -> Option<String> {
    let Some(difference) = difference else {
        return Some(format!("the {part} has another size"));
    };
    if difference.largest > MAX_LEVELS {
        return Some(format!(
            "a byte of the {part} is off by {}",
            difference.largest
        ));
    }
    // One byte may always round the other way, however few there are.
    let judged_pixels = match part {
        "picture" => picture.pixel_count(),
        _ => frame_pixels(picture),
    };
    let one_byte = 1.0 / (judged_pixels * 3) as f64;
    (difference.differing_share > MAX_DIFFERING_SHARE.max(1.01 * one_byte)).then(|| {
        format!(
            "{:.2} % of the {part}'s bytes differ",
            difference.differing_share * 100.0
        )
    })
}

/// Pixels of the outer frame.
fn frame_pixels(picture: &Frame) -> usize {
    let inner = |side: usize| side.saturating_sub(2 * FRAME_PX);
    picture.pixel_count() - inner(picture.width()) * inner(picture.height())
}
