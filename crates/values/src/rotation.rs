//! Rotates frames by multiples of 90 degrees and mirrors them.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::frame::Frame;

/// A clockwise rotation, by quarters of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rotation {
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
    pub const ALL: [Self; 4] = [Self::None, Self::Quarter, Self::Half, Self::ThreeQuarters];

    pub fn degrees(self) -> u16 {
        90 * self as u16
    }

    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }

    /// Width and height of a frame of this size after the rotation.
    pub fn size(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.swaps_sides() { (height, width) } else { (width, height) }
    }

    /// This rotation followed by `other`.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        Self::ALL[(self as usize + other as usize) % 4]
    }

    /// The inverse rotation.
    #[must_use]
    pub fn back(self) -> Self {
        Self::ALL[(4 - self as usize) % 4]
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

/// Bytes of an RGBA8 pixel.
const PIXEL: usize = 4;
/// Side of the blocks for transposing, in pixels; a block of source and target fits into the cache.
const BLOCK_PX: usize = 16;

/// Rotates `source` into `target`, then mirrors it. Allocates only if `target` has never been as large.
pub fn turn_into(source: &Frame, target: &mut Frame, rotate: Rotation, mirror: bool) {
    let (width, height) = source.size();
    let (turned_width, turned_height) = rotate.size((width, height));
    target.resize(turned_width, turned_height);
    let (from, _) = source.rgba().as_chunks::<PIXEL>();
    let (to, _) = target.rgba_mut().as_chunks_mut::<PIXEL>();
    // Mirroring reverses the order of the target's columns.
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
    // Row y of the source becomes a column of the target, and its column x a row.
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
