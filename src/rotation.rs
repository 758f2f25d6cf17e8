//! Frames that are turned by quarters and mirrored.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use crate::frame::Frame;

/// How far a frame is turned, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Quarter, Self::Half, Self::ThreeQuarters];

    /// Degrees, clockwise.
    pub fn degrees(self) -> u16 {
        90 * self.quarters() as u16
    }

    fn quarters(self) -> usize {
        match self {
            Self::None => 0,
            Self::Quarter => 1,
            Self::Half => 2,
            Self::ThreeQuarters => 3,
        }
    }

    /// Whether columns become rows.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }

    /// Columns and rows of a frame of this size once it is turned.
    pub fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        match self.swaps_sides() {
            true => (height, width),
            false => (width, height),
        }
    }

    /// This rotation and then another.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        Self::ALL[(self.quarters() + other.quarters()) % 4]
    }

    /// The rotation that undoes this one.
    #[must_use]
    pub fn back(self) -> Self {
        Self::ALL[(4 - self.quarters()) % 4]
    }
}

impl Display for Rotation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.degrees())
    }
}

impl FromStr for Rotation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |rotation: &Self| rotation.degrees().to_string() == text;
        Self::ALL.into_iter().find(fits).ok_or("give 0, 90, 180 or 270")
    }
}

/// Bytes of a pixel in RGBA8.
const PIXEL: usize = 4;
/// Side of the squares in which columns become rows, in pixels: both sides stay in the cache.
const BLOCK_PX: usize = 16;

/// Turns `source` into `target`, then mirrors it. Takes memory only where `target` has never been as large.
pub fn turn_into(source: &Frame, target: &mut Frame, rotate: Rotation, mirror: bool) {
    let (width, height) = (source.width(), source.height());
    let (turned_width, turned_height) = rotate.size((width, height));
    target.resize(turned_width, turned_height);
    let (from, _) = source.rgba().as_chunks::<PIXEL>();
    let (to, _) = target.rgba_mut().as_chunks_mut::<PIXEL>();
    // Mirroring once more is going backwards through the columns of the target.
    let (right_to_left, bottom_to_top) = match rotate {
        Rotation::None => (mirror, false),
        Rotation::Half => (!mirror, true),
        Rotation::Quarter => (!mirror, false),
        Rotation::ThreeQuarters => (mirror, true),
    };
    if !rotate.swaps_sides() {
        for (y, row) in to.chunks_exact_mut(width).enumerate() {
            let source_y = if bottom_to_top { height - 1 - y } else { y };
            row.copy_from_slice(&from[source_y * width..][..width]);
            if right_to_left {
                row.reverse();
            }
        }
        return;
    }
    // Row y of the source is a column of the target, its column x a row.
    for block_y in (0..height).step_by(BLOCK_PX) {
        for block_x in (0..width).step_by(BLOCK_PX) {
            for y in block_y..(block_y + BLOCK_PX).min(height) {
                let column = if right_to_left { height - 1 - y } else { y };
                for x in block_x..(block_x + BLOCK_PX).min(width) {
                    let row = if bottom_to_top { width - 1 - x } else { x };
                    to[row * height + column] = from[y * width + x];
                }
            }
        }
    }
}
