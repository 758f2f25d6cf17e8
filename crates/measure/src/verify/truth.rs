//! The oracle's painting of one picture, and the rule for checking a mode on it.

use std::{cell::RefCell, collections::HashMap};

use super::rule::{Distance, Rule, differences};
use network::Network;
use oracle::{DeviceRounding, Judgement, Map};
use values::{
    frame::Frame,
    mode::{Mode, Precision},
    tensor::Deviation,
};

/// Name of the network's output among its maps.
pub const OUTPUT: &str = "output";

/// Maximum distance from the midpoint between two levels that counts as the midpoint: the error of sums in single
/// precision.
const HALF_WAY_LEVELS: f64 = 1e-3;

/// A quarter-size map with fewer positions than this counts as small.
const FEW_PIXELS: usize = 16;

/// One picture, the oracle's painting of it, and the errors of naive runs on it.
pub struct Truth<'a> {
    network: &'a Network,
    pub picture: Frame,
    /// The oracle's painting.
    pub painted: Frame,
    /// It has (nearly) one colour.
    pub low_contrast: bool,
    /// Its smallest maps have so few values that a norm's result depends on single roundings.
    few_pixels: bool,
    judgement: Judgement,
    /// Errors of naive runs by mode; needed only for flat and tiny pictures and for int8.
    naive: RefCell<HashMap<(Mode, DeviceRounding), Distance>>,
}

impl<'a> Truth<'a> {
    /// Runs the oracle.
    pub fn new(network: &'a Network, picture: Frame) -> Self {
        let judgement = oracle::judge(network, &picture);
        Self {
            network,
            painted: judgement.picture(&picture),
            low_contrast: is_low_contrast(&picture),
            few_pixels: picture.width().div_ceil(4) * picture.height().div_ceil(4) < FEW_PIXELS,
            picture,
            judgement,
            naive: RefCell::default(),
        }
    }

    /// The rule for a mode on this picture. `device` says where the device rounds.
    pub fn rule(&self, mode: Mode, device: DeviceRounding) -> Rule {
        let rule = match (self.low_contrast, mode.precision) {
            (true, Precision::Fp32 | Precision::Fp16x2) => return Rule::FP32_LOW_CONTRAST,
            // The loss by int8 depends on the distribution of the network's values.
            (false, Precision::Int8) => Rule::for_mode(mode),
            (false, _) if !self.few_pixels => return Rule::for_mode(mode),
            (false, Precision::Fp32 | Precision::Fp16x2) => return Rule::for_mode(mode),
            _ => Rule::for_precision(mode.precision),
        };
        let mut known = self.naive.borrow_mut();
        let naive = known.entry((mode, device));
        rule.allowing_naive(*naive.or_insert_with(|| self.distance_of_naive(mode, device)))
    }

    /// The oracle's painting to compare `painted` with. A value midway between two levels may be rounded to either one;
    /// such values are common in networks without noise.
    pub fn reference_for(&self, painted: &Frame) -> Frame {
        let (width, height) = self.painted.size();
        if painted.size() != (width, height) {
            return self.painted.clone();
        }
        let output = &self.judgement.output;
        Frame::from_fn(width, height, |x, y| {
            let (mut pixel, own) = (self.painted.pixel(x, y), painted.pixel(x, y));
            for c in 0..3 {
                let value = output.data[(c * output.height + y) * output.width + x];
                let off = (value.clamp(0.0, 255.0) - f64::from(own[c])).abs();
                if off <= 0.5 + HALF_WAY_LEVELS {
                    pixel[c] = own[c];
                }
            }
            pixel
        })
    }

    /// The maps after the norms by name, and the output.
    pub fn maps(&self) -> Vec<(&str, &Map)> {
        maps_of(&self.judgement)
    }

    fn distance_of_naive(&self, mode: Mode, device: DeviceRounding) -> Distance {
        let naive = oracle::judge_rounded(self.network, &self.picture, mode, device);
        let painted = naive.picture(&self.picture);
        let [whole, frame] = differences(&painted, &self.painted).map(|(_, difference)| difference);
        let relative = maps_of(&naive)
            .into_iter()
            .zip(self.maps())
            .map(|((_, map), (_, expected))| relative_rms(map.data.iter().copied(), expected));
        Distance {
            largest_levels: whole.largest.max(frame.largest),
            psnr_db: whole.psnr_db.min(frame.psnr_db),
            relative_rms: relative.fold(0.0, f64::max),
        }
    }
}

fn maps_of(judgement: &Judgement) -> Vec<(&str, &Map)> {
    judgement
        .after_norms
        .iter()
        .map(|(name, map)| (name.as_str(), map))
        .chain([(OUTPUT, &judgement.output)])
        .collect()
}

/// Rms of the difference over rms of the expected map.
///
/// # Panics
/// If the lengths differ; see [`Deviation::between`].
pub fn relative_rms(values: impl ExactSizeIterator<Item = f64>, expected: &Map) -> f64 {
    let deviation = Deviation::between(values, expected.data.iter().copied());
    deviation.rms / deviation.reference_rms.max(1e-3)
}

/// True if every colour channel has a standard deviation of less than one level. The maps then have (nearly) no
/// variance, and every norm multiplies rounding errors by up to 1/sqrt(eps) = 316.
fn is_low_contrast(picture: &Frame) -> bool {
    let count = picture.pixel_count() as f64;
    (0..3).all(|c| {
        let values = || picture.rgba().iter().skip(c).step_by(4).map(|&v| f64::from(v));
        let mean = values().sum::<f64>() / count;
        values().map(|v| (v - mean) * (v - mean)).sum::<f64>() < count
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{
        NodeWeights, Weights,
        graph::{Graph, Op},
        models::johnson::NetworkSpec,
    };
    use values::mode::Variant;

    #[test]
    fn only_flat_pictures_have_rules_that_a_naive_run_makes() {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([4, 6, 8]) };
        let network = spec.random(3).expect("a valid shape");
        let faint = Truth::new(
            &network,
            Frame::from_fn(28, 28, |x, y| {
                let level = 127 + u8::from((x * 7 + y * 3) % 5 == 0);
                [level, level, level, 255]
            }),
        );
        assert!(faint.low_contrast);
        let rule =
            |precision| faint.rule(Mode::new(Variant::Fused, precision), DeviceRounding::default());
        assert_eq!(rule(Precision::Fp32), Rule::FP32_LOW_CONTRAST);
        // A faint pattern is much harder for seven bits than for ten.
        let distances = faint.naive.borrow().len();
        assert_eq!(distances, 0, "single precision needs no naive run");
        let (ten, seven) = (rule(Precision::Fp16), rule(Precision::Bf16));
        assert!(seven.max_relative_rms > ten.max_relative_rms, "{ten:?} {seven:?}");
        assert_eq!(rule(Precision::Fp16), ten);
        assert_eq!(faint.naive.borrow().len(), 2, "each naive run once");
        let strong = Truth::new(
            &network,
            Frame::from_fn(28, 28, |x, y| [(x * 9) as u8, (y * 9) as u8, 0, 255]),
        );
        assert!(!strong.low_contrast);
        let fused = Mode::new(Variant::Fused, Precision::Fp16);
        assert_eq!(strong.rule(fused, DeviceRounding::default()), Rule::TEN_BITS);
    }

    /// Half of an odd level may be rounded up or down; a difference of whole levels is an error.
    #[test]
    fn a_value_half_way_between_two_levels_may_be_either() {
        let mut graph = Graph::default();
        let mut add = |name, op, inputs: &[usize]| graph.add(name, "", op, inputs).expect("a node");
        add("photo", Op::Photo, &[]);
        add("half", Op::Affine, &[0]);
        add("picture", Op::Picture, &[1]);
        let half = NodeWeights { weight: vec![0.5; 3], bias: vec![0.0; 3] };
        let weights: Weights = [("half".to_owned(), half)].into_iter().collect();
        let network = Network::new(graph, weights).expect("a network");
        let photo = Frame::from_fn(20, 12, |x, y| [(x * 11) as u8, (y * 20) as u8, 255, 255]);
        let truth = Truth::new(&network, photo.clone());
        let levels = |of: fn(u8) -> u8| {
            Frame::from_fn(20, 12, |x, y| {
                let [r, g, b, a] = photo.pixel(x, y);
                [of(r), of(g), of(b), a]
            })
        };
        for right in [levels(|v| v / 2), levels(|v| v.div_ceil(2))] {
            assert_eq!(truth.reference_for(&right), right);
        }
        let wrong = levels(|v| v / 2 + 1 + v % 2);
        assert_eq!(truth.reference_for(&wrong), truth.painted);
    }

    /// All pixels of a flat picture go through the same sums, so that a norm has nothing to amplify. Fewer bits must
    /// not change the colour.
    #[test]
    fn a_naive_run_of_one_colour_is_near_the_truth() {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([4, 6, 8]) };
        let network = spec.random(3).expect("a valid shape");
        let flat = Truth::new(&network, Frame::from_fn(24, 20, |_, _| [128, 128, 128, 255]));
        let fine = |m: &Mode| !matches!(m.precision, Precision::Bf16 | Precision::Int8);
        for mode in Mode::all().filter(fine) {
            let distance = flat.distance_of_naive(mode, DeviceRounding::default());
            assert!(
                distance.largest_levels <= 2 && distance.relative_rms < 0.01,
                "{mode}: {distance:?}"
            );
        }
    }
}
