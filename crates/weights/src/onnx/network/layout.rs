//! How the sides (dimensions) of a file's tensor correspond to a map's channels, rows and columns. Files transpose and
//! reshape maps. As long as every side consists of channels, rows and columns, no values have to be moved.

use itertools::Itertools;

use crate::onnx::numbers::wrapped;
use network::graph::BlockOrder;

/// A part of a map's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// This many channels, each `stride` channels after the one before.
    Channels { count: usize, stride: usize },
    /// All rows.
    Rows,
    /// All columns.
    Columns,
    /// The same values [`COPIES`] times.
    Copies,
}

/// How often a map is repeated. Repeating a map twice is how files spell upsampling.
const COPIES: usize = 2;

impl Part {
    /// All channels of a map.
    pub const fn all_channels(count: usize) -> Self {
        Self::Channels { count, stride: 1 }
    }

    pub const fn is_channels(&self) -> bool {
        matches!(self, Self::Channels { .. })
    }

    pub const fn is_pixels(&self) -> bool {
        !self.is_channels()
    }

    /// The number of values along the part, for a map of these rows and columns.
    const fn extent(self, (rows, columns): (usize, usize)) -> usize {
        match self {
            Self::Channels { count, .. } => count,
            Self::Rows => rows,
            Self::Columns => columns,
            Self::Copies => COPIES,
        }
    }

    fn is_one(self, sizes: &[(usize, usize)]) -> bool {
        sizes.iter().all(|&size| self.extent(size) == 1)
    }
}

/// The meaning of a tensor's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The batch, or another side of length 1.
    One,
    /// All channels.
    Channels,
    /// All rows.
    Rows,
    /// All columns.
    Columns,
    /// Several of these together, or a part of the channels.
    Other,
}

/// The sides of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The parts that each side of the tensor consists of, the slowest first; empty for a side of length 1.
    pub sides: Vec<Vec<Part>>,
}

/// Maximum number of sides of a tensor.
pub const MAX_SIDES: usize = 8;

impl Layout {
    /// Batch, channels, rows, columns.
    pub fn channels_first(channels: usize) -> Self {
        let channels = vec![Part::all_channels(channels)];
        Self { sides: vec![vec![], channels, vec![Part::Rows], vec![Part::Columns]] }
    }

    /// The same sides for a map with another number of channels, which are not split.
    pub fn with_channels(&self, count: usize) -> Self {
        let mut made = self.clone();
        for part in made.sides.iter_mut().flatten().filter(|part| part.is_channels()) {
            *part = Part::all_channels(count);
        }
        made
    }

    fn parts(&self) -> impl Iterator<Item = Part> {
        self.sides.iter().flatten().copied()
    }

    /// Number of channels of the map.
    pub fn channels(&self) -> usize {
        self.parts().filter(Part::is_channels).map(|part| part.extent((1, 1))).product()
    }

    /// True if channels are not split, and nothing is repeated.
    pub fn is_whole(&self) -> bool {
        self.parts().filter(Part::is_channels).count() <= 1 && !self.is_repeated()
    }

    fn is_repeated(&self) -> bool {
        self.parts().contains(&Part::Copies)
    }

    /// The sides of a map that is concatenated with itself along `side`. `None` unless every value or every row is
    /// followed by its copy, each at most once.
    pub fn repeated(&self, side: usize) -> Option<Self> {
        let mut made = self.clone();
        made.sides.get_mut(side)?.insert(0, Part::Copies);
        let rest: Vec<Part> = made.parts().skip_while(|&part| part != Part::Copies).collect();
        let copies = rest.iter().filter(|&&part| part == Part::Copies).count();
        let is_inside = rest.iter().all(|part| matches!(part, Part::Copies | Part::Columns));
        (is_inside && copies <= 2).then_some(made)
    }

    /// The layout of the map before its rows and columns were doubled; `None` if this layout is not of such a map.
    pub fn undoubled(&self, sizes: &[(usize, usize)]) -> Option<Self> {
        let mut single = self.clone();
        let [_, _, rows, columns] = single.sides.as_mut_slice() else {
            return None;
        };
        if rows.pop() != Some(Part::Copies) || columns.pop() != Some(Part::Copies) {
            return None;
        }
        let single = single.with_sides_of_one(sizes);
        (single == Self::channels_first(single.channels())).then_some(single)
    }

    pub fn axis(&self, side: usize) -> Axis {
        match self.sides.get(side).map(Vec::as_slice) {
            Some([]) => Axis::One,
            Some([Part::Rows]) => Axis::Rows,
            Some([Part::Columns]) => Axis::Columns,
            Some([Part::Channels { .. }]) if self.is_whole() => Axis::Channels,
            _ => Axis::Other,
        }
    }

    pub fn axes(&self) -> Vec<Axis> {
        (0..self.sides.len()).map(|side| self.axis(side)).collect()
    }

    /// True if the sides are batch, channels, rows and columns.
    pub fn is_channels_first(&self) -> bool {
        self.axes() == [Axis::One, Axis::Channels, Axis::Rows, Axis::Columns]
    }

    /// The index of a side. Files may count from the end with negative numbers.
    pub fn side(&self, number: i64) -> Option<usize> {
        wrapped(number, self.sides.len())
    }

    /// True if the given sides contain all parts of a kind; `None` if they contain only some. Parts of length 1 do not
    /// matter.
    pub fn covers(
        &self,
        sides: &[usize],
        is_of_kind: fn(&Part) -> bool,
        sizes: &[(usize, usize)],
    ) -> Option<bool> {
        let is_own = |part: &Part| is_of_kind(part) && !part.is_one(sizes);
        let covered: Vec<bool> = (0..self.sides.len())
            .filter(|&side| self.sides[side].iter().any(is_own))
            .map(|side| sides.contains(&side))
            .collect();
        covered.iter().all_equal().then(|| covered.contains(&true))
    }

    /// The length of every side, for a map of these rows and columns.
    pub fn lengths(&self, size: (usize, usize)) -> Vec<usize> {
        (self.sides.iter())
            .map(|parts| parts.iter().map(|part| part.extent(size)).product())
            .collect()
    }

    /// The same values with other sides. `lengths` has the new sides' lengths for every size of the map. `None` if a
    /// side would split rows or columns.
    pub fn reshaped(&self, sizes: &[(usize, usize)], lengths: &[Vec<usize>]) -> Option<Self> {
        let mut parts: Vec<Part> = self.parts().filter(|part| !part.is_one(sizes)).collect();
        parts.reverse();
        let count = lengths.first()?.len();
        if count > MAX_SIDES || lengths.iter().any(|lengths| lengths.len() != count) {
            return None;
        }
        let mut sides = Vec::new();
        for side in 0..count {
            let mut left: Vec<usize> = lengths.iter().map(|lengths| lengths[side]).collect();
            let mut taken = Vec::new();
            while left.iter().any(|&left| left != 1) {
                let part = parts.pop()?;
                let extents: Vec<usize> = sizes.iter().map(|&size| part.extent(size)).collect();
                let pairs = left.iter().zip(&extents);
                if pairs.clone().all(|(left, extent)| extent > &0 && left.is_multiple_of(*extent)) {
                    left = pairs.map(|(left, extent)| left / extent).collect();
                    taken.push(part);
                    continue;
                }
                // A side of fewer channels splits them.
                let outer = *left.iter().all_equal_value().ok()?;
                let Part::Channels { count, stride } = part else {
                    return None;
                };
                let inner = count.checked_div(outer).filter(|inner| inner * outer == count)?;
                taken.push(Part::Channels { count: outer, stride: stride * inner });
                parts.push(Part::Channels { count: inner, stride });
                left.fill(1);
            }
            sides.push(taken);
        }
        parts.is_empty().then(|| Self { sides }.joined().with_sides_of_one(sizes))
    }

    /// The number of groups of neighbouring channels, if the second side is the groups and all later sides are within a
    /// group, as group norms are exported. `None` if every channel is its own group.
    pub fn groups(&self) -> Option<usize> {
        match self.sides.as_slice() {
            [batch, groups, ..] if batch.is_empty() => match groups[..] {
                [] => Some(1),
                [Part::Channels { count, stride }] => {
                    (!self.is_whole() && count * stride == self.channels()).then_some(count)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The layout on a map whose blocks of `block` rows and columns became channels
    /// ([`Op::SpaceToDepth`](network::graph::Op::SpaceToDepth)). Every side with rows or columns then also contains
    /// those within a block. `None` for a repeated map.
    pub fn in_blocks(&self, block: usize) -> Option<Self> {
        let channels = self.channels();
        let of_block = |stride: usize| Part::Channels { count: block, stride };
        let moved = |&part: &Part| match part {
            Part::Rows => vec![part, of_block(block * channels)],
            Part::Columns => vec![part, of_block(channels)],
            _ => vec![part],
        };
        (!self.is_repeated()).then(|| Self {
            sides: self.sides.iter().map(|side| side.iter().flat_map(moved).collect()).collect(),
        })
    }

    /// Merges channels that follow each other in a side and in the map.
    fn joined(mut self) -> Self {
        for side in &mut self.sides {
            *side = std::mem::take(side)
                .into_iter()
                .coalesce(|a, b| match (a, b) {
                    (
                        Part::Channels { count: outer, stride: step },
                        Part::Channels { count, stride },
                    ) if step == count * stride => {
                        Ok(Part::Channels { count: outer * count, stride })
                    }
                    other => Err(other),
                })
                .collect();
        }
        self
    }

    /// Removes parts of length 1. If a layout has four sides, assigns sides of length 1 to them.
    fn with_sides_of_one(mut self, sizes: &[(usize, usize)]) -> Self {
        self.sides.iter_mut().for_each(|side| side.retain(|part| !part.is_one(sizes)));
        let channels = self.channels();
        if let [one, sides @ ..] = self.sides.as_mut_slice()
            && one.is_empty()
            && sides.len() == 3
        {
            let parts = [Part::all_channels(channels), Part::Rows, Part::Columns];
            for (side, part) in sides.iter_mut().zip(parts) {
                if side.is_empty() && part.is_one(sizes) {
                    side.push(part);
                }
            }
        }
        self
    }

    /// The sides in another order.
    pub fn transposed(&self, order: &[usize]) -> Option<Self> {
        if !order.iter().copied().sorted_unstable().eq(0..self.sides.len()) {
            return None;
        }
        Some(Self { sides: order.iter().map(|&side| self.sides[side].clone()).collect() }.joined())
    }

    /// If channels were moved into blocks of pixels: the side of a block, and the order of these channels.
    pub fn blocks(&self) -> Option<(usize, BlockOrder)> {
        // Count and stride of the channels that stay, that follow the rows and that follow the columns.
        let mut found = [None; 3];
        for side in &self.sides {
            let (place, part) = match side[..] {
                [] => continue,
                [part] => (0, part),
                [Part::Rows, part] => (1, part),
                [Part::Columns, part] => (2, part),
                _ => return None,
            };
            let Part::Channels { count, stride } = part else {
                return None;
            };
            if found[place].replace((count, stride)).is_some() {
                return None;
            }
        }
        let [Some((count, _)), Some((block, down)), Some((columns, right))] = found else {
            return None;
        };
        let order = match (down, right) {
            (_, 1) if down == block => BlockOrder::ChannelFirst,
            _ if (down, right) == (block * count, count) => BlockOrder::BlockFirst,
            _ => return None,
        };
        (columns == block).then_some((block, order))
    }

    /// The side that contains all channels, in an order that is not the map's; `None` if no side does.
    pub fn shuffled(&self) -> Option<&[Part]> {
        let side = (self.sides.iter())
            .filter(|side| side.iter().any(Part::is_channels))
            .exactly_one()
            .ok()?;
        (side.len() > 1 && side.iter().all(Part::is_channels)).then_some(side)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    const SIZES: [(usize, usize); 2] = [(6, 10), (5, 7)];

    fn reshaped(layout: &Layout, lengths: impl Fn((usize, usize)) -> Vec<usize>) -> Option<Layout> {
        let lengths: Vec<Vec<usize>> = SIZES.iter().map(|&size| lengths(size)).collect();
        layout.reshaped(&SIZES, &lengths)
    }

    #[test]
    fn planes_may_be_laid_out_and_put_together_again() {
        let map = Layout::channels_first(8);
        let flat = reshaped(&map, |(h, w)| vec![1, 8, h * w]).expect("planes");
        assert_eq!(flat.sides[2], [Part::Rows, Part::Columns]);
        assert_eq!(flat.axis(1), Axis::Channels);
        assert_eq!(reshaped(&flat, |(h, w)| vec![1, 8, h, w]), Some(map.clone()));
        assert_eq!(reshaped(&map, |(h, w)| vec![8 * h, w]).map(|l| l.sides.len()), Some(2));
        assert_eq!(reshaped(&map, |(h, w)| vec![1, 8, h * 2, w / 2]), None);
        assert_eq!(reshaped(&map, |(h, w)| vec![1, 8, w, h]), None);
    }

    #[test]
    fn groups_come_and_go() {
        let map = Layout::channels_first(8);
        let groups = reshaped(&map, |(h, w)| vec![1, 2, 4, h, w]).expect("groups");
        let channels = |count, stride| Part::Channels { count, stride };
        assert_eq!(groups.sides[1..3], [[channels(2, 4)], [channels(4, 1)]]);
        let swapped = groups.transposed(&[0, 2, 1, 3, 4]).expect("an order");
        let back = reshaped(&swapped, |(h, w)| vec![1, 8, h, w]).expect("a map");
        assert_eq!(back.shuffled(), Some(&[channels(4, 1), channels(2, 4)][..]));
        assert_eq!(reshaped(&groups, |(h, w)| vec![1, 8, h, w]), Some(map));
    }

    #[test]
    fn blocks_are_seen() {
        let map = Layout::channels_first(12);
        let split = reshaped(&map, |(h, w)| vec![1, 3, 2, 2, h, w]).expect("blocks");
        let moved = split.transposed(&[0, 1, 4, 2, 5, 3]).expect("an order");
        let shuffled = reshaped(&moved, |(h, w)| vec![1, 3, 2 * h, 2 * w]).expect("pixels");
        assert_eq!(shuffled.blocks(), Some((2, BlockOrder::ChannelFirst)));
        assert_eq!(map.blocks(), None);
    }

    #[test]
    fn groups_are_seen() {
        let map = Layout::channels_first(12);
        let groups = |lengths: &dyn Fn((usize, usize)) -> Vec<usize>| {
            reshaped(&map, lengths).and_then(|layout| layout.groups())
        };
        assert_eq!(map.groups(), None);
        assert_eq!(groups(&|(h, w)| vec![1, 4, 3 * h * w]), Some(4));
        assert_eq!(groups(&|(h, w)| vec![1, 1, 12 * h * w]), Some(1));
        assert_eq!(groups(&|(h, w)| vec![1, 12, h * w]), None);
        assert_eq!(groups(&|(h, w)| vec![4, 3, h * w]), None);
    }

    #[test]
    fn sides_are_cut_into_blocks() {
        let map = Layout::channels_first(5);
        let cut = |(h, w): (usize, usize)| vec![1, 5, h / 2, 2, w / 2, 2];
        let sizes = [(6, 10), (4, 14)];
        let lengths = sizes.map(cut);
        assert_eq!(map.reshaped(&sizes, &lengths), None);
        let halves = sizes.map(|(h, w)| (h / 2, w / 2));
        let blocks =
            map.in_blocks(2).expect("few parts").reshaped(&halves, &lengths).expect("blocks");
        assert_eq!(blocks.lengths(halves[0]), lengths[0]);
        // And back: the pixels of the blocks are pixels again.
        let whole = sizes.map(|(h, w)| vec![1, 5, h, w]);
        let back = blocks.reshaped(&halves, &whole).expect("pixels");
        assert_eq!(back.blocks(), Some((2, BlockOrder::BlockFirst)));
        // In the order of PyTorch's pixel_unshuffle.
        let moved = blocks.transposed(&[0, 1, 3, 5, 2, 4]).expect("an order");
        let deep = halves.map(|(h, w)| vec![1, 20, h, w]);
        let deep = moved.reshaped(&halves, &deep).expect("a map");
        let channels = |count, stride| Part::Channels { count, stride };
        assert_eq!(deep.shuffled(), Some(&[channels(5, 1), channels(4, 5)][..]));
    }

    #[test]
    fn single_values_may_have_any_sides() {
        let map = Layout::channels_first(4);
        let ones = [(1, 1), (1, 1)];
        let flat = map.reshaped(&ones, &[vec![1, 4], vec![1, 4]]).expect("a row");
        assert_eq!(flat.axis(1), Axis::Channels);
        let back = flat.reshaped(&ones, &[vec![1, 4, 1, 1], vec![1, 4, 1, 1]]);
        assert_eq!(back, Some(map));
    }
}
