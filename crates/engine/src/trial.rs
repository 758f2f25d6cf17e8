//! Trials: small paintings with a network that is not a style yet, so that the user, or the program, sees whether its
//! value range is interpreted correctly. The window repaints a small photo with [`settings`].

use std::{fmt, sync::mpsc, thread, time::Duration};

use super::paint::{PaintSettings, Painter, WorkingSize};
use backend::{DeviceOptions, RunControl, opener, select};
use pictures::sample::sample;
use values::{frame::Frame, mode::DeviceChoice};
use weights::{Checkpoint, Family};

/// Maximum long side of a trial's picture, in pixels.
pub const TRIAL_PX: usize = 256;

/// Maximum memory of a trial, in bytes. Published networks need a fifth of it.
const TRIAL_BYTES: u64 = 512 << 20;
/// Maximum time that [`only_color`] paints.
const PATIENCE: Duration = Duration::from_secs(20);

/// The settings of a trial. They limit memory, because a small file can contain a network that needs a lot.
pub fn settings() -> PaintSettings {
    PaintSettings {
        working_size: WorkingSize::LongSide(TRIAL_PX),
        max_memory_bytes: Some(TRIAL_BYTES),
        ..PaintSettings::default()
    }
}

/// The colour of a single-coloured picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneColor {
    Black,
    White,
    Grey,
    /// Another single colour.
    Other,
}

/// Share of pixels that may differ: a picture that is much too bright or dark can have a few specks.
const SPECKS: f64 = 0.02;
/// Maximum difference of pixels of one colour, in levels. Network output between 0 and 1, read as levels, spans only
/// one or two.
const ONE_COLOR_LEVELS: u8 = 6;
/// Maximum difference between the channels of a grey, in levels. A wrongly added channel mean is not a pure grey.
const GREY_LEVELS: u8 = 32;

impl OneColor {
    /// The single colour of a picture; `None` if it has several. Ignores transparency. Reads every pixel.
    pub fn of(picture: &Frame) -> Option<Self> {
        let middle = [0, 1, 2].map(|channel| median(picture, channel));
        let is_middle = |pixel: &&[u8]| {
            pixel
                .iter()
                .zip(middle)
                .all(|(level, middle)| level.abs_diff(middle) <= ONE_COLOR_LEVELS)
        };
        let alike = picture.rgba().chunks_exact(4).filter(is_middle).count();
        if (alike as f64) < (1.0 - SPECKS) * picture.pixel_count() as f64 {
            return None;
        }
        let (least, most) = (middle.iter().min()?, middle.iter().max()?);
        Some(if *most <= ONE_COLOR_LEVELS {
            Self::Black
        } else if *least >= 255 - ONE_COLOR_LEVELS {
            Self::White
        } else if most - least <= GREY_LEVELS {
            Self::Grey
        } else {
            Self::Other
        })
    }
}

impl fmt::Display for OneColor {
    /// Formatted to follow "all" or "everything".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Black => "black",
            Self::White => "white",
            Self::Grey => "grey",
            Self::Other => "of one colour",
        })
    }
}

/// Median level of channel red, green or blue.
fn median(picture: &Frame, channel: usize) -> u8 {
    let mut counts = [0usize; 256];
    for pixel in picture.rgba().chunks_exact(4) {
        counts[usize::from(pixel[channel])] += 1;
    }
    let mut below = 0;
    let half = picture.pixel_count() / 2;
    (0..=255)
        .zip(counts)
        .find(|&(_, count)| {
            below += count;
            below > half
        })
        .map_or(0, |(level, _)| level)
}

/// The colour that a picture network paints the sample photo in, if it is a single one. Its values are then probably
/// interpreted wrongly. Paints a small picture on the CPU and blocks. `None` if the picture has several colours, the
/// network is a known model, or the network does not run at such a size within 20 seconds and 512 MB.
pub fn only_color(checkpoint: &Checkpoint) -> Option<OneColor> {
    let network = &checkpoint.network;
    let fixed = network.graph().fixed_size();
    let is_large = fixed.is_some_and(|sides| sides.into_iter().any(|side| side > TRIAL_PX));
    if checkpoint.family != Family::PictureNetwork || is_large {
        return None;
    }
    let options = DeviceOptions::default();
    let processor = select(DeviceChoice::Cpu, &options).ok()?.backend;
    let mut painter = Painter::new(processor, opener(options));
    let photo = sample().ok()?.frame;
    let control = RunControl::default();
    let painting = thread::scope(|scope| {
        let (painted, waits) = mpsc::channel::<()>();
        scope.spawn(|| {
            // Carries no messages; disconnects when the picture is ready.
            let waits = waits;
            if waits.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                control.cancel();
            }
        });
        let painting = painter.paint(&photo, network, settings(), &control);
        drop(painted);
        painting
    });
    OneColor::of(&painting.ok()?.painted)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::*;
    use network::{
        Network, NodeWeights, Weights,
        graph::{Graph, Op, SizeRule},
    };
    use weights::StorageType;

    fn filled(color: [u8; 3]) -> Frame {
        Frame::from_fn(40, 25, |_, _| [color[0], color[1], color[2], 255])
    }

    #[test]
    fn pictures_of_one_color_are_detected() {
        for (color, wanted) in [
            ([0, 0, 0], OneColor::Black),
            ([1, 2, 0], OneColor::Black),
            ([255, 255, 254], OneColor::White),
            ([127, 127, 127], OneColor::Grey),
            // The mean of ImageNet.
            ([124, 117, 104], OneColor::Grey),
            ([250, 10, 10], OneColor::Other),
        ] {
            assert_eq!(OneColor::of(&filled(color)), Some(wanted), "{color:?}");
        }
    }

    #[test]
    fn a_few_specks_do_not_make_a_picture() {
        let specks = |every: usize| {
            Frame::from_fn(100, 50, |x, y| match (100 * y + x) % every {
                0 => [0, 0, 0, 255],
                _ => [255; 4],
            })
        };
        assert_eq!(OneColor::of(&specks(100)), Some(OneColor::White));
        assert_eq!(OneColor::of(&specks(10)), None);
        let dark = Frame::from_fn(64, 64, |x, y| [(x / 2) as u8, (y / 3) as u8, 0, 255]);
        assert_eq!(OneColor::of(&dark), None, "dark, but a picture");
    }

    /// A network that paints everything black and accepts the sizes of a rule.
    fn black(rule: SizeRule, family: Family) -> Checkpoint {
        let mut graph = Graph::default();
        let mut last = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        for (name, op) in
            [("size", Op::Sized(rule)), ("black", Op::Affine), ("picture", Op::Picture)]
        {
            last = graph.add(name, "", op, &[last]).expect("an input");
        }
        let zeros = NodeWeights { weight: vec![0.0; 3], bias: vec![0.0; 3] };
        let weights: Weights = [("black".to_owned(), zeros)].into_iter().collect();
        Checkpoint {
            network: Arc::new(Network::new(graph, weights).expect("a network")),
            family,
            storage: StorageType::F32,
            metadata: BTreeMap::new(),
            guessed: None,
            code: None,
        }
    }

    #[test]
    fn networks_that_run_at_a_small_size_are_tried() {
        let small = SizeRule::Exactly([48, 64]);
        for (rule, family, wanted) in [
            (SizeRule::MultipleOf(4), Family::PictureNetwork, true),
            (small, Family::PictureNetwork, true),
            (small, Family::PytorchExamples, false),
            (SizeRule::Exactly([64, TRIAL_PX + 1]), Family::PictureNetwork, false),
        ] {
            let color = only_color(&black(rule, family));
            assert_eq!(color, wanted.then_some(OneColor::Black), "{rule:?} {family:?}");
        }
    }
}
