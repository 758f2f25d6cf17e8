//! The sizes at which an exported network runs.

use serde::{Deserialize, Serialize};

use super::ExportError;
use network::graph::Graph;

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
    /// Smallest side to which a photo is extended.
    pub least: i64,
    /// Number of reflections for the photo that needs most. One reflection extends a side by all of its pixels but one.
    pub reflections: usize,
    /// The network's picture is larger than some photos, so that it has to be cropped.
    pub is_cropped: bool,
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
            let plus = [(rows - height) as i64, (columns - width) as i64];
            let reflections = reflections(height, rows).max(reflections(width, columns));
            return Ok(Self { add: 0, multiple: 1, plus, least: 1, reflections, is_cropped });
        }
        let tried = (1..=MAX_TRIED_PX).map(|side| match extended(side, side) {
            Ok((rows, columns, is_cropped)) if rows == columns => Some((rows, is_cropped)),
            _ => None,
        });
        let (sides, crops): (Vec<usize>, Vec<bool>) =
            tried.collect::<Option<_>>().ok_or(ExportError::Sizes)?;
        let (add, multiple, plus) = rule(&sides).ok_or(ExportError::Sizes)?;
        let counts = (1..).zip(&sides).map(|(side, &reached)| reflections(side, reached));
        Ok(Self {
            add,
            multiple,
            plus: [plus; 2],
            least: sides[0] as i64,
            reflections: counts.max().unwrap_or_default(),
            is_cropped: crops.contains(&true),
        })
    }

    /// True if no photo is extended.
    pub fn is_own(&self) -> bool {
        (self.multiple, self.plus, self.least) == (1, [0; 2], 1)
    }
}

/// Number of reflections that extend `side` to `reached`. A side of one pixel is doubled before.
fn reflections(side: usize, reached: usize) -> usize {
    std::iter::successors(Some(side.max(2)), |side| Some(2 * side - 1))
        .take_while(|&side| side < reached)
        .count()
}

/// `add`, `multiple` and `plus` for the sides that photos of 1, 2, 3.. pixels are extended to. No side is smaller than
/// the first.
fn rule(extended: &[usize]) -> Option<(i64, i64, i64)> {
    let of = |side: usize| extended[side - 1];
    let mut sides = (2..=extended.len()).rev();
    // The longest photo that needs more than the photo before it.
    let start = sides.find(|&side| of(side) != of(side - 1))?;
    (1..=MAX_MULTIPLE_PX).find_map(|multiple| {
        let add = start.next_multiple_of(multiple) - start;
        let plus = of(start) as i64 - (start + add) as i64;
        let made = |side: usize| ((side + add) / multiple * multiple) as i64 + plus;
        let fits = |side: usize| made(side).max(of(1) as i64) == of(side) as i64;
        let first = (1..extended.len()).find(|&side| made(side) > of(1) as i64)?;
        let is_seen = first + 2 * multiple < extended.len();
        (is_seen && (1..=extended.len()).all(fits)).then_some((add as i64, multiple as i64, plus))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(extended: impl Fn(usize) -> usize) -> Option<(i64, i64, i64)> {
        rule(&(1..=MAX_TRIED_PX).map(extended).collect::<Vec<_>>())
    }

    #[test]
    fn rules_are_found_from_sizes() {
        assert_eq!(of(|side| side), Some((0, 1, 0)));
        assert_eq!(of(|side| side.max(5)), Some((0, 1, 0)));
        assert_eq!(of(|side| side + 6), Some((0, 1, 6)));
        assert_eq!(of(|side| side.next_multiple_of(16).max(40)), Some((15, 16, 0)));
        assert_eq!(of(|side| (side + 3).next_multiple_of(4) + 2), Some((2, 4, 6)));
        assert_eq!(of(|side| side.next_multiple_of(200)), None);
        assert_eq!(of(|side| if side < 9 { 20 - side } else { side.max(14) }), None);
        assert_eq!(of(|_| MAX_TRIED_PX), None);
    }

    #[test]
    fn a_reflection_repeats_all_pixels_but_one() {
        for (side, reached, count) in
            [(1, 1, 0), (1, 2, 0), (1, 3, 1), (8, 15, 1), (8, 16, 2), (2, 16, 4)]
        {
            assert_eq!(reflections(side, reached), count, "{side} to {reached}");
        }
    }
}
