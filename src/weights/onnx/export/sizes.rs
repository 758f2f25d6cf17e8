//! The sizes at which an exported network runs.

use serde::{Deserialize, Serialize};

use super::ExportError;
use crate::graph::Graph;

/// Largest side of the photos with which the sizes of a network are tried.
const MAX_TRIED_PX: usize = 320;
/// Maximum number of pixels of which the sides of a network's maps are multiples.
const MAX_MULTIPLE_PX: usize = 128;

/// The sizes to which photos are extended by reflection before the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Added to a side before it is rounded down to a multiple.
    pub add: i64,
    pub multiple: i64,
    /// Added to the multiple; rows, then columns.
    pub plus: [i64; 2],
    /// Whether the network's picture is larger than some photos, so that it has to be cropped.
    pub is_cropped: bool,
    /// Smallest side of a photo.
    pub min_side_px: usize,
}

impl Sizes {
    /// The rule for photos of any size, or of one size (columns and rows).
    ///
    /// # Errors
    /// [`ExportError`] if the network does not run at that size, or follows no simple rule.
    pub fn of(graph: &Graph, size: Option<(usize, usize)>) -> Result<Self, ExportError> {
        let extended = |height, width| {
            let ((rows, columns), shapes) = graph.for_photo(height, width)?;
            let made = shapes.last().map(|shape| (shape.height, shape.width));
            Ok::<_, ExportError>((rows, columns, made != Some((height, width))))
        };
        if let Some((width, height)) = size {
            let (rows, columns, is_cropped) = extended(height, width)?;
            // One reflection less than doubles a side.
            if rows >= 2 * height || columns >= 2 * width {
                return Err(ExportError::TooSmall { width, height });
            }
            let plus = [(rows - height) as i64, (columns - width) as i64];
            let min_side_px = height.min(width);
            return Ok(Self { add: 0, multiple: 1, plus, is_cropped, min_side_px });
        }
        let tried = (1..=MAX_TRIED_PX).map(|side| match extended(side, side) {
            Ok((rows, columns, is_cropped)) if rows == columns => Some((rows, is_cropped)),
            _ => None,
        });
        let tried: Vec<(usize, bool)> = tried.collect::<Option<_>>().ok_or(ExportError::Sizes)?;
        let (sides, crops): (Vec<usize>, Vec<bool>) = tried.into_iter().unzip();
        let (add, multiple, plus, min_side_px) = rule(&sides).ok_or(ExportError::Sizes)?;
        let is_cropped = crops[min_side_px - 1..].contains(&true);
        Ok(Self { add, multiple, plus: [plus; 2], is_cropped, min_side_px })
    }

    /// Whether no photo is extended.
    pub fn is_own(&self) -> bool {
        (self.multiple, self.plus) == (1, [0; 2])
    }
}

/// `add`, `multiple` and `plus` for the sides that photos of 1, 2, 3.. pixels are extended to, and the smallest photo
/// for which this is right and one reflection is enough.
fn rule(extended: &[usize]) -> Option<(i64, i64, i64, usize)> {
    let of = |side: usize| extended[side - 1];
    let mut sides = (2..=extended.len()).rev();
    // The longest photo that needs more than the photo before it.
    let start = sides.find(|&side| of(side) != of(side - 1))?;
    (1..=MAX_MULTIPLE_PX).find_map(|multiple| {
        let add = start.next_multiple_of(multiple) - start;
        let plus = of(start) as i64 - (start + add) as i64;
        let fits = |&side: &usize| {
            let made = ((side + add) / multiple * multiple) as i64 + plus;
            made == of(side) as i64 && of(side) < 2 * side
        };
        let least = (1..=extended.len()).rev().take_while(fits).last()?;
        let is_seen = least + 2 * multiple < extended.len();
        is_seen.then_some((add as i64, multiple as i64, plus, least))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(extended: impl Fn(usize) -> usize) -> Option<(i64, i64, i64, usize)> {
        rule(&(1..=MAX_TRIED_PX).map(extended).collect::<Vec<_>>())
    }

    #[test]
    fn rules_are_found_from_sizes() {
        assert_eq!(of(|side| side), Some((0, 1, 0, 1)));
        assert_eq!(of(|side| side.max(5)), Some((0, 1, 0, 5)));
        assert_eq!(of(|side| side + 6), Some((0, 1, 6, 7)));
        // A photo of 8 pixels has only 7 others to reflect.
        assert_eq!(of(|side| side.next_multiple_of(16)), Some((15, 16, 0, 9)));
        assert_eq!(of(|side| (side + 3).next_multiple_of(4) + 2), Some((2, 4, 6, 8)));
        assert_eq!(of(|side| side.next_multiple_of(200)), None);
        assert_eq!(of(|_| MAX_TRIED_PX), None);
    }
}
