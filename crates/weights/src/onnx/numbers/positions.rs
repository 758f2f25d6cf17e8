//! Selection and concatenation of numbers.

use std::ops::Range;

use itertools::Itertools;

use super::{Call, Numbers, Values};
use crate::tensor::row_major;

/// A position. Negative ones count from the end.
pub fn wrapped(index: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).ok()?;
    let index = if index < 0 { index + count } else { index };
    (0..count).contains(&index).then_some(index as usize)
}

/// What a Slice takes of a side of this length, and whether backwards; `None` if it leaves gaps.
pub fn sliced(length: usize, start: i64, end: i64, step: i64) -> Option<(Range<usize>, bool)> {
    let length = i64::try_from(length).ok()?;
    // Backwards, the place before the first is -1.
    let place = |at: i64, least: i64| {
        let at = if at < 0 { at.saturating_add(length) } else { at };
        at.clamp(least, length + least)
    };
    let (first, end) = match step {
        1 => (place(start, 0), place(end, 0)),
        -1 => (place(end, -1) + 1, place(start, -1) + 1),
        _ => return None,
    };
    Some((first as usize..end.max(first) as usize, step < 0))
}

/// The sides of values that are combined, with sides of length 1 repeated; `None` if they do not fit.
pub fn joint_sides(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let joint = |side: usize| match (aligned(a, side, rank), aligned(b, side, rank)) {
        (1, other) | (other, 1) => Some(other),
        (own, other) => (own == other).then_some(own),
    };
    (0..rank).map(joint).collect()
}

/// The sides of values that are repeated to fill `wanted` sides.
pub fn expanded(own: &[usize], wanted: &[i64]) -> Option<Vec<usize>> {
    let wanted: Option<Vec<usize>> = wanted.iter().map(|&side| side.try_into().ok()).collect();
    joint_sides(own, &wanted?)
}

/// The length of one of `rank` sides. Missing sides are the first ones.
fn aligned(sides: &[usize], side: usize, rank: usize) -> usize {
    (side + sides.len()).checked_sub(rank).map_or(1, |own| sides[own])
}

/// For each value with these `sides`, its position in a list with the sides `own` that is repeated along some of them.
pub fn spread<'s>(own: &'s [usize], sides: &'s [usize]) -> impl Iterator<Item = usize> + 's {
    let (rank, strides) = (sides.len(), row_major(sides));
    (0..sides.iter().product()).map(move |place| {
        (0..rank).fold(0, |at, side| {
            let length = aligned(own, side, rank);
            at * length + place / strides[side] % sides[side] % length
        })
    })
}

/// The sides in another order, and for each value its position before; `None` if that is no order.
fn transposed<'s>(
    sides: &[usize],
    order: &'s [usize],
) -> Option<(Vec<usize>, impl Iterator<Item = usize> + 's)> {
    if !order.iter().copied().sorted_unstable().eq(0..sides.len()) {
        return None;
    }
    let before = row_major(sides);
    let sides: Vec<usize> = order.iter().map(|&side| sides[side]).collect();
    let (made, strides) = (sides.clone(), row_major(&sides));
    let positions = (0..sides.iter().product()).map(move |place: usize| {
        let along = |side: usize| place / strides[side] % sides[side] * before[order[side]];
        (0..order.len()).map(along).sum()
    });
    Some((made, positions))
}

/// The numbers of several values, row by row.
fn joined(parts: &[&Numbers], rows: usize) -> Option<Values> {
    fn interleaved<T: Copy>(parts: &[&[T]], rows: usize) -> Vec<T> {
        let row = |row: usize| {
            parts
                .iter()
                .map(move |part| (part, part.len() / rows))
                .flat_map(move |(part, run)| &part[row * run..][..run])
                .copied()
        };
        (0..rows).flat_map(row).collect()
    }
    let ints: Option<Vec<&[i64]>> = parts.iter().map(|part| part.as_ints()).collect();
    if let Some(ints) = ints {
        return Some(Values::Int(interleaved(&ints, rows)));
    }
    let floats: Vec<&[f32]> = parts.iter().map(|part| part.as_floats()).collect::<Option<_>>()?;
    Some(Values::Float(interleaved(&floats, rows)))
}

impl Numbers {
    /// The values at these positions with another shape.
    fn picked(
        values: &Values,
        shape: Vec<usize>,
        positions: impl Iterator<Item = usize>,
    ) -> Option<Self> {
        let values = match values {
            Values::Int(v) => {
                Values::Int(positions.map(|p| v.get(p).copied()).collect::<Option<_>>()?)
            }
            Values::Float(v) => {
                Values::Float(positions.map(|p| v.get(p).copied()).collect::<Option<_>>()?)
            }
        };
        Some(Self { shape, values })
    }
}

impl Call<'_> {
    pub fn gather(&self) -> Option<Numbers> {
        let (source, indices) = (self.input(0)?, self.input(1)?);
        self.room(&indices.shape)?;
        if source.shape.len() != 1 || !matches!(self.node.int("axis", 0), 0 | -1) {
            return None;
        }
        let positions: Vec<usize> = indices
            .as_ints()?
            .iter()
            .map(|i| wrapped(*i, source.count()))
            .collect::<Option<_>>()?;
        Numbers::picked(&source.values, indices.shape.clone(), positions.into_iter())
    }

    /// Numbers that are repeated along some sides.
    pub fn expand(&self) -> Option<Numbers> {
        let (source, sides) = (self.input(0)?, self.input(1)?.as_ints()?);
        let shape = expanded(&source.shape, sides)?;
        self.room(&shape)?;
        Numbers::picked(&source.values, shape.clone(), spread(&source.shape, &shape))
    }

    /// The second input's numbers if the first ones are not 0, otherwise the third input's.
    pub fn chosen(&self) -> Option<Numbers> {
        let (condition, yes, no) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let shape = joint_sides(&joint_sides(&condition.shape, &yes.shape)?, &no.shape)?;
        let holds = condition.as_ints()?;
        self.room(&shape)?;
        let places = spread(&yes.shape, &shape).zip(spread(&no.shape, &shape));
        let choices = spread(&condition.shape, &shape).zip(places);
        let positions = choices.map(
            |(place, (yes_at, no_at))| {
                if holds[place] != 0 { yes_at } else { yes.count() + no_at }
            },
        );
        Numbers::picked(&joined(&[yes, no], 1)?, shape.clone(), positions)
    }

    /// Rows along the first axis, forwards or backwards.
    pub fn slice(&self) -> Option<Numbers> {
        let source = self.input(0)?;
        let one = |index: usize, name: &str| match self.ints(name, index)? {
            Some([one]) => Some(Some(*one)),
            Some(_) => None,
            None => Some(None),
        };
        let (start, end) = (one(1, "starts")??, one(2, "ends")??);
        if one(3, "axes")?.unwrap_or(0) != 0 {
            return None;
        }
        let step = one(4, "steps")?.unwrap_or(1);
        self.room(&source.shape)?;
        let (rows, is_backwards) = sliced(*source.shape.first()?, start, end, step)?;
        let mut shape = source.shape.clone();
        shape[0] = rows.len();
        let width: usize = shape[1..].iter().product();
        let row = |index: usize| {
            if is_backwards { rows.end - 1 - index } else { rows.start + index }
        };
        let places = (0..rows.len()).flat_map(|index| row(index) * width..(row(index) + 1) * width);
        Numbers::picked(&source.values, shape, places)
    }

    pub fn concat(&self) -> Option<Numbers> {
        let parts: Vec<&Numbers> = self.inputs.iter().copied().collect::<Option<_>>()?;
        let mut shape = parts.first()?.shape.clone();
        let axis = wrapped(self.node.int("axis", 0), shape.len())?;
        shape[axis] = 0;
        for part in &parts {
            let length = *part.shape.get(axis)?;
            let mut others = part.shape.clone();
            others[axis] = shape[axis];
            if others != shape {
                return None;
            }
            shape[axis] = shape[axis].checked_add(length)?;
        }
        self.room(&shape)?;
        let values = joined(&parts, shape[..axis].iter().product())?;
        Some(Numbers { shape, values })
    }

    pub fn transpose(&self) -> Option<Numbers> {
        let source = self.input(0)?;
        let order = self.node.order(source.shape.len());
        self.room(&source.shape)?;
        let (shape, positions) = transposed(&source.shape, &order)?;
        Numbers::picked(&source.values, shape, positions)
    }
}
