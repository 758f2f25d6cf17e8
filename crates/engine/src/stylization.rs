//! How something is painted.

use super::paint::{PaintSettings, WorkingSize};
use network::{Network, SharedNetwork};
use pictures::scale::scaled_plane;
use values::{
    compose::{Blend, Look, Plane, Strength},
    frame::Frame,
    mode::ModeChoice,
};

use std::{
    borrow::Cow,
    fmt::{Debug, Formatter},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

/// Where a picture is painted: where it is white. Where it is black, the source stays.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask(Plane);

impl Mask {
    /// A mask of a picture's lumas. Transparent pixels are black.
    pub fn of(picture: &Frame, is_inverted: bool) -> Self {
        let level = |pixel: &[u8; 4]| {
            let [red, green, blue, alpha] = pixel.map(u32::from);
            let luma = (299 * red + 587 * green + 114 * blue) * alpha;
            let level = ((luma + 127_500) / 255_000) as u8;
            if is_inverted { 255 - level } else { level }
        };
        let levels = picture.rgba().as_chunks().0.iter().map(level);
        Self(Plane::new(picture.width(), levels.collect()))
    }

    /// True if nothing is painted.
    pub fn is_black(&self) -> bool {
        self.0.values().iter().all(|&level| level == 0)
    }

    /// The mask of a picture of these columns and rows, over which its edges are scaled.
    pub fn at(&self, (width, height): (usize, usize)) -> Cow<'_, Plane> {
        if self.0.size() == (width, height) {
            Cow::Borrowed(&self.0)
        } else {
            Cow::Owned(scaled_plane(&self.0, width, height))
        }
    }
}

/// Its size and a number that differs for other values: a film's parts are found again by this text.
impl Debug for Mask {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut hasher = DefaultHasher::new();
        self.0.values().hash(&mut hasher);
        write!(f, "Mask({:?}, {:x})", self.0.size(), hasher.finish())
    }
}

/// How photos and films ([`WorkingSize`]) or live video ([`LiveSize`](super::live::LiveSize)) are painted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stylization<Size> {
    /// The network of a style or mix; without one the source is shown unpainted.
    pub network: Option<SharedNetwork>,
    /// The size of the network's input.
    pub size: Size,
    pub mode: ModeChoice,
    /// Strength and colours.
    pub look: Look,
    /// How much of the painting before is kept in films and live video, 0 to 100 (see [`steady`]).
    pub steadiness: u8,
    /// Limits where it is painted. Belongs to the finished picture, to whose size it is scaled.
    pub mask: Option<Arc<Mask>>,
}

impl<Size> Stylization<Size> {
    /// How a painting is blended with its source; `mask` is this one's, scaled to the finished picture.
    pub fn blend<'a>(&self, mask: Option<&'a Plane>) -> Blend<'a> {
        let Look { strength_percent, keep_colors } = self.look;
        match mask {
            Some(mask) => Blend { strength: Strength::Mask(mask, strength_percent), keep_colors },
            None => self.look.into(),
        }
    }

    /// The same in another network.
    pub fn with_network(self, network: &Arc<Network>) -> Self {
        Self { network: Some(network.clone().into()), ..self }
    }
}

impl Stylization<WorkingSize> {
    /// The settings of the network's run, within the default limits.
    pub fn paint_settings(&self) -> PaintSettings {
        // What is left out is for others than the network.
        let Self { network: _, size, mode, look: _, steadiness: _, mask: _ } = *self;
        PaintSettings { working_size: size, ..PaintSettings::of_mode(mode) }
    }
}
