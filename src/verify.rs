//! Whether a backend makes the picture that the network defines: every variant against the oracle.
//!
//! Judges by the rule for fp32: no byte is off by more than one level and at most 0.5 % of the
//! bytes differ, on the whole picture and again on its outer frame, where padding mistakes show;
//! and the map behind every norm stays close to the oracle's, so that two mistakes cannot cancel.
//!
//! Pictures of (nearly) one colour are judged by a looser rule, [`Rule::LOW_CONTRAST`]: their maps
//! have no variance, so that every norm multiplies rounding errors by up to 1/sqrt(eps) = 316, in
//! any single-precision implementation.
//!
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

/// What is still right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Most levels that a byte may be off.
    pub max_levels: u8,
    /// Most bytes that may differ at all, as a share; one byte is always allowed.
    pub max_differing_share: f64,
    /// Largest relative error of a map: rms of the difference over rms of the oracle's map.
    pub max_relative_rms: f64,
}

impl Rule {
    /// For direct convolutions on any picture with some contrast.
    pub const DIRECT: Self = Self {
        max_levels: 1,
        max_differing_share: 0.005,
        max_relative_rms: 1e-4,
    };
    /// For convolutions by Winograd's transforms, whose rounding errors are about ten times larger
    /// and still far below one level.
    pub const TRANSFORMED: Self = Self {
        max_relative_rms: 1e-3,
        ..Self::DIRECT
    };
    /// For pictures of (nearly) one colour. Wrong formulas are off by more than this, rounding is
    /// not.
    pub const LOW_CONTRAST: Self = Self {
        max_levels: 2,
        max_differing_share: 1.0,
        max_relative_rms: 0.5,
    };

    /// The rule for a variant on a picture.
    pub fn for_run(variant: Variant, picture: &Frame) -> Self {
        match variant {
            _ if is_low_contrast(picture) => Self::LOW_CONTRAST,
            Variant::Baseline => Self::DIRECT,
            Variant::Fused => Self::TRANSFORMED,
        }
    }
}

/// Whether every colour channel has a standard deviation of less than one level.
fn is_low_contrast(picture: &Frame) -> bool {
    let count = picture.pixel_count() as f64;
    (0..3).all(|c| {
        let values = || {
            picture
                .rgba()
                .iter()
                .skip(c)
                .step_by(4)
                .map(|&v| f64::from(v))
        };
        let mean = values().sum::<f64>() / count;
        values().map(|v| (v - mean) * (v - mean)).sum::<f64>() < count
    })
}

/// Width of the outer frame that is judged on its own, in pixels.
pub const FRAME_PX: usize = 8;
/// What reports call the network's output among its maps.
const OUTPUT: &str = "output";
/// Long side of the sample for checks of trained styles, in pixels.
const SAMPLE_PX: usize = 64;

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
    /// Whether the looser rule for pictures of (nearly) one colour was used.
    pub low_contrast: bool,
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
        ("random 32-64-128", spec([32, 64, 128], 2, usual)),
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
        for &variant in Variant::ALL {
            let evidence = Evidence::gather(backend, &subject.network, picture, variant)?;
            tell(Verdict {
                network: subject.name.clone(),
                picture: name.clone(),
                ..evidence.judged(&truth, picture, variant)
            });
        }
    }
    Ok(())
}

/// What a backend made of one picture.
struct Evidence {
    painted: Frame,
    painted_again: Frame,
    /// The maps behind the norms by name, and the output.
    maps: Vec<(String, Tensor)>,
}

impl Evidence {
    fn gather(
        backend: &dyn Backend,
        network: &Arc<Network>,
        picture: &Frame,
        variant: Variant,
    ) -> Result<Self, BackendError> {
        let mut session = backend.open(network, picture.width(), picture.height(), variant)?;
        let control = RunControl::default();
        let mut painted = picture.clone();
        session.paint(picture, &mut painted, &control)?;
        let mut painted_again = picture.clone();
        session.paint(picture, &mut painted_again, &control)?;
        let mut maps = Vec::new();
        let mut tap = |norm: &str, map: Tensor| maps.push((norm.to_owned(), map));
        let output = session.run_tensor(picture, Some(&mut tap))?;
        maps.push((OUTPUT.to_owned(), output));
        Ok(Self {
            painted,
            painted_again,
            maps,
        })
    }

    /// The verdict, still without the names of network and picture.
    fn judged(&self, truth: &Judgement, picture: &Frame, variant: Variant) -> Verdict {
        let rule = Rule::for_run(variant, picture);
        let expected = truth.picture(picture);
        let mut failures = Vec::new();
        let (worst_norm, worst) = compare_maps(truth, &self.maps, rule, &mut failures);
        let whole = PictureDifference::between(&self.painted, &expected);
        let frame = PictureDifference::on_outer_frame(&self.painted, &expected, FRAME_PX);
        for (part, difference, pixels) in [
            ("picture", whole, picture.pixel_count()),
            ("outer frame", frame, frame_pixels(picture)),
        ] {
            failures.extend(failure_of(part, difference, pixels, rule));
        }
        if self.painted_again != self.painted {
            failures.push("a second run gave another picture".to_owned());
        }
        let alpha =
            |f: &Frame| -> Vec<u8> { f.rgba().iter().skip(3).step_by(4).copied().collect() };
        if alpha(&self.painted) != alpha(picture) {
            failures.push("alpha was not carried through".to_owned());
        }
        // A picture of another size differs everywhere.
        let seen = |d: Option<PictureDifference>| {
            d.map_or((u8::MAX, 1.0), |d| (d.largest, d.differing_share))
        };
        let (largest_levels, differing_share) = seen(whole);
        let (frame_largest_levels, frame_differing_share) = seen(frame);
        Verdict {
            network: String::new(),
            picture: String::new(),
            width: picture.width(),
            height: picture.height(),
            variant,
            low_contrast: rule == Rule::LOW_CONTRAST,
            passed: failures.is_empty(),
            failure: (!failures.is_empty()).then(|| failures.join("; ")),
            largest_levels,
            differing_share,
            frame_largest_levels,
            frame_differing_share,
            worst_norm,
            worst_relative_rms: worst.is_finite().then_some(worst),
        }
    }
}

/// Compares the maps behind the norms and the output with the oracle's; gives the worst and adds
/// what fails.
fn compare_maps(
    truth: &Judgement,
    maps: &[(String, Tensor)],
    rule: Rule,
    failures: &mut Vec<String>,
) -> (String, f64) {
    let reference = truth
        .after_norms
        .iter()
        .map(|(name, map)| (name.as_str(), map));
    let reference: Vec<_> = reference.chain([(OUTPUT, &truth.output)]).collect();
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
        let limit = rule.max_relative_rms;
        if relative.is_nan() || relative > limit {
            failures.push(format!(
                "{name} is off by {relative:.1e} (limit {limit:.0e})"
            ));
        }
    }
    worst
}

/// What is wrong with a part of the picture that has `pixels` pixels.
fn failure_of(
    part: &str,
    difference: Option<PictureDifference>,
    pixels: usize,
    rule: Rule,
) -> Option<String> {
    let Some(difference) = difference else {
        return Some(format!("the {part} has another size"));
    };
    if difference.largest > rule.max_levels {
        return Some(format!(
            "a byte of the {part} is off by {}",
            difference.largest
        ));
    }
    // One byte may always round the other way, however few there are.
    let one_byte = 1.01 / (pixels * 3) as f64;
    (difference.differing_share > rule.max_differing_share.max(one_byte)).then(|| {
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
