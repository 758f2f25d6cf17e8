//! How the sides (dimensions) of a file's tensor correspond to a map's channels, rows and columns. Files transpose and
//! reshape maps. As long as every side consists of channels, rows and columns, no values have to be moved.

use crate::weights::onnx::numbers::wrapped;

/// A part of a map's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One of the factors of the channel count, by index; the slowest is first.
    Channel(usize),
    /// All rows.
    Rows,
    /// All columns.
    Columns,
    /// The same values [`COPIES`] times.
    Copies,
}

/// How often a map is repeated. Repeating a map twice is how files spell upsampling.
const COPIES: usize = 2;

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
    /// Factors of the channels, the slowest first; their product is the number of channels.
    pub factors: Vec<usize>,
    /// The parts that each side of the tensor consists of, the slowest first; empty for a side of length 1.
    pub sides: Vec<Vec<Part>>,
}

/// Maximum number of sides of a tensor.
pub const MAX_SIDES: usize = 8;
/// Maximum number of factors of the channels.
const MAX_FACTORS: usize = 6;

/// The number of values along a part, for a map with these factors, rows and columns.
fn extent(part: Part, factors: &[usize], (rows, columns): (usize, usize)) -> usize {
    match part {
        Part::Channel(factor) => factors[factor],
        Part::Rows => rows,
        Part::Columns => columns,
        Part::Copies => COPIES,
    }
}

impl Layout {
    /// Batch, channels, rows, columns.
    pub fn channels_first(channels: usize) -> Self {
        Self {
            factors: vec![channels],
            sides: vec![vec![], vec![Part::Channel(0)], vec![Part::Rows], vec![Part::Columns]],
        }
    }

    /// Whether channels are not split, and nothing is repeated.
    pub fn is_whole(&self) -> bool {
        self.factors.len() == 1 && !self.is_repeated()
    }

    fn is_repeated(&self) -> bool {
        self.sides.iter().flatten().any(|&part| part == Part::Copies)
    }

    /// The sides of a map that is concatenated with itself along `side`. `None` unless every value or every row is
    /// followed by its copy, each at most once.
    pub fn repeated(&self, side: usize) -> Option<Self> {
        let mut made = self.clone();
        made.sides.get_mut(side)?.insert(0, Part::Copies);
        let parts = made.sides.iter().flatten();
        let behind: Vec<_> = parts.skip_while(|&&part| part != Part::Copies).collect();
        let copies = behind.iter().filter(|&&&part| part == Part::Copies).count();
        let is_inside = behind.iter().all(|part| matches!(part, Part::Copies | Part::Columns));
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
        let channels = single.factors.iter().product();
        (single == Self::channels_first(channels)).then_some(single)
    }

    pub fn axis(&self, side: usize) -> Axis {
        match self.sides.get(side).map(Vec::as_slice) {
            Some([]) => Axis::One,
            Some([Part::Rows]) => Axis::Rows,
            Some([Part::Columns]) => Axis::Columns,
            Some([Part::Channel(0)]) if self.is_whole() => Axis::Channels,
            _ => Axis::Other,
        }
    }

    pub fn axes(&self) -> Vec<Axis> {
        (0..self.sides.len()).map(|side| self.axis(side)).collect()
    }

    /// Whether the sides are batch, channels, rows and columns.
    pub fn is_channels_first(&self) -> bool {
        self.axes() == [Axis::One, Axis::Channels, Axis::Rows, Axis::Columns]
    }

    /// The index of a side. Files may count from the end with negative numbers.
    pub fn side(&self, number: i64) -> Option<usize> {
        wrapped(number, self.sides.len())
    }

    /// The length of every side, for a map of these rows and columns.
    pub fn lengths(&self, size: (usize, usize)) -> Vec<usize> {
        let length = |parts: &Vec<Part>| {
            parts.iter().map(|&part| extent(part, &self.factors, size)).product()
        };
        self.sides.iter().map(length).collect()
    }

    /// The same values with other sides. `lengths` has the new sides' lengths for every size of the map. `None` if a
    /// side would split rows or columns.
    pub fn reshaped(&self, sizes: &[(usize, usize)], lengths: &[Vec<usize>]) -> Option<Self> {
        let mut factors = self.factors.clone();
        let is_one = |part| sizes.iter().all(|&size| extent(part, &factors, size) == 1);
        let mut parts: Vec<Part> = self.sides.iter().flatten().copied().collect();
        parts.retain(|&part| !is_one(part));
        parts.reverse();
        let count = lengths.first()?.len();
        if count > MAX_SIDES || lengths.iter().any(|lengths| lengths.len() != count) {
            return None;
        }
        let mut sides: Vec<Vec<Part>> = Vec::new();
        for side in 0..count {
            let mut left: Vec<usize> = lengths.iter().map(|lengths| lengths[side]).collect();
            let mut taken = Vec::new();
            while left.iter().any(|&left| left != 1) {
                let part = parts.pop()?;
                let extents: Vec<usize> =
                    sizes.iter().map(|&size| extent(part, &factors, size)).collect();
                let pairs = left.iter().zip(&extents);
                if pairs.clone().all(|(left, extent)| extent > &0 && left.is_multiple_of(*extent)) {
                    left = pairs.map(|(left, extent)| left / extent).collect();
                    taken.push(part);
                    continue;
                }
                // A side of fewer channels splits the channels into factors.
                let (Part::Channel(factor), true) = (part, left.iter().all(|&l| l == left[0]))
                else {
                    return None;
                };
                let (whole, outer) = (factors[factor], left[0]);
                if outer == 0 || !whole.is_multiple_of(outer) || factors.len() == MAX_FACTORS {
                    return None;
                }
                factors[factor] = outer;
                factors.insert(factor + 1, whole / outer);
                let renumbered = |part: Part| match part {
                    Part::Channel(other) if other > factor => Part::Channel(other + 1),
                    other => other,
                };
                for part in parts.iter_mut().chain(&mut taken) {
                    *part = renumbered(*part);
                }
                for side in &mut sides {
                    side.iter_mut().for_each(|part| *part = renumbered(*part));
                }
                taken.push(Part::Channel(factor));
                parts.push(Part::Channel(factor + 1));
                left.iter_mut().for_each(|left| *left = 1);
            }
            sides.push(taken);
        }
        if !parts.is_empty() {
            return None;
        }
        let layout = Self { factors, sides };
        Some(layout.joined().with_sides_of_one(sizes))
    }

    /// The number of groups of neighbouring channels, if the second side is the groups and all later sides are within a
    /// group, as group norms are exported. `None` if every channel is its own group.
    pub fn groups(&self) -> Option<usize> {
        let [batch, groups, ..] = self.sides.as_slice() else {
            return None;
        };
        match groups.as_slice() {
            _ if !batch.is_empty() => None,
            [] => Some(1),
            [Part::Channel(0)] if !self.is_whole() => self.factors.first().copied(),
            _ => None,
        }
    }

    /// The layout on a map whose blocks of `block` rows and columns became channels
    /// ([`Op::SpaceToDepth`](crate::graph::Op::SpaceToDepth)). Every side with rows or columns then also contains those
    /// within a block. `None` if the channels would have too many factors.
    pub fn in_blocks(&self, block: usize) -> Option<Self> {
        const OF_BLOCK: usize = 2;
        if self.factors.len() + OF_BLOCK > MAX_FACTORS || self.is_repeated() {
            return None;
        }
        let moved = |part: &Part| match *part {
            Part::Rows => vec![Part::Rows, Part::Channel(0)],
            Part::Columns => vec![Part::Columns, Part::Channel(1)],
            Part::Channel(factor) => vec![Part::Channel(factor + OF_BLOCK)],
            Part::Copies => vec![Part::Copies],
        };
        let sides = self.sides.iter();
        Some(Self {
            factors: [&[block; OF_BLOCK], self.factors.as_slice()].concat(),
            sides: sides.map(|side| side.iter().flat_map(moved).collect()).collect(),
        })
    }

    /// Merges adjacent factors that follow each other in every side.
    fn joined(mut self) -> Self {
        let mut factor = 0;
        while factor + 1 < self.factors.len() {
            let follows = self.sides.iter().any(|side| {
                side.windows(2)
                    .any(|pair| pair == [Part::Channel(factor), Part::Channel(factor + 1)])
            });
            // A factor of 1 may be anywhere.
            let is_one = self.factors[factor] == 1 || self.factors[factor + 1] == 1;
            if !follows && !is_one {
                factor += 1;
                continue;
            }
            let gone = match (follows, self.factors[factor]) {
                (false, 1) => factor,
                _ => factor + 1,
            };
            for side in &mut self.sides {
                side.retain(|&part| part != Part::Channel(gone));
                for part in side.iter_mut() {
                    if let Part::Channel(other) = part
                        && *other > factor
                    {
                        *other -= 1;
                    }
                }
            }
            self.factors[factor] *= self.factors[factor + 1];
            self.factors.remove(factor + 1);
        }
        self
    }

    /// If a layout has four sides, assigns sides of length 1 to the map's missing parts of length 1.
    fn with_sides_of_one(mut self, sizes: &[(usize, usize)]) -> Self {
        let is_one = |side: fn(&(usize, usize)) -> usize| sizes.iter().all(|size| side(size) == 1);
        if let [one, channels, rows, columns] = self.sides.as_mut_slice()
            && one.is_empty()
        {
            if channels.is_empty() && self.factors == [1] {
                channels.push(Part::Channel(0));
            }
            if rows.is_empty() && is_one(|size| size.0) {
                rows.push(Part::Rows);
            }
            if columns.is_empty() && is_one(|size| size.1) {
                columns.push(Part::Columns);
            }
            // Keep each part only once.
            for part in [Part::Channel(0), Part::Rows, Part::Columns] {
                let mut seen = false;
                for side in &mut self.sides {
                    side.retain(|&p| p != part || !std::mem::replace(&mut seen, true));
                }
            }
        }
        self
    }

    /// The sides in another order.
    pub fn transposed(&self, order: &[usize]) -> Option<Self> {
        let mut seen = vec![false; self.sides.len()];
        let mut sides = Vec::new();
        for &from in order {
            if std::mem::replace(seen.get_mut(from)?, true) {
                return None;
            }
            sides.push(self.sides[from].clone());
        }
        let layout = Self { factors: self.factors.clone(), sides };
        (seen.iter().all(|&seen| seen)).then(|| layout.joined())
    }

    /// If channels were moved into blocks of pixels: the side of a block, and which factor is the new channel, which
    /// follows the rows and which the columns.
    pub fn blocks(&self) -> Option<(usize, [usize; 3])> {
        if self.factors.len() != 3 {
            return None;
        }
        let mut order = [usize::MAX; 3];
        let mut seen = 0;
        for side in &self.sides {
            let (slot, factor) = match side.as_slice() {
                [] => continue,
                [Part::Channel(factor)] => (0, *factor),
                [Part::Rows, Part::Channel(factor)] => (1, *factor),
                [Part::Columns, Part::Channel(factor)] => (2, *factor),
                _ => return None,
            };
            if order[slot] != usize::MAX {
                return None;
            }
            order[slot] = factor;
            seen += 1;
        }
        let block = *self.factors.get(order[1])?;
        (seen == 3 && self.factors.get(order[2]) == Some(&block)).then_some((block, order))
    }

    /// The order of the channels' factors in the one side that contains them all; `None` if several sides contain them.
    pub fn shuffled(&self) -> Option<Vec<usize>> {
        let is_factor = |part: &Part| matches!(part, Part::Channel(_));
        let mut with_channels = self.sides.iter().filter(|side| side.iter().any(is_factor));
        let (Some(side), None) = (with_channels.next(), with_channels.next()) else {
            return None;
        };
        let order: Option<Vec<usize>> = side
            .iter()
            .map(|part| match part {
                Part::Channel(factor) => Some(*factor),
                Part::Rows | Part::Columns | Part::Copies => None,
            })
            .collect();
        order.filter(|order| order.len() == self.factors.len() && order.len() > 1)
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
        assert_eq!(groups.factors, [2, 4]);
        let swapped = groups.transposed(&[0, 2, 1, 3, 4]).expect("an order");
        let back = reshaped(&swapped, |(h, w)| vec![1, 8, h, w]).expect("a map");
        assert_eq!(back.shuffled(), Some(vec![1, 0]));
        assert_eq!(reshaped(&groups, |(h, w)| vec![1, 8, h, w]), Some(map));
    }

    #[test]
    fn blocks_are_seen() {
        let map = Layout::channels_first(12);
        let split = reshaped(&map, |(h, w)| vec![1, 3, 2, 2, h, w]).expect("blocks");
        let moved = split.transposed(&[0, 1, 4, 2, 5, 3]).expect("an order");
        let shuffled = reshaped(&moved, |(h, w)| vec![1, 3, 2 * h, 2 * w]).expect("pixels");
        assert_eq!(shuffled.blocks(), Some((2, [0, 1, 2])));
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
        let blocks = map.in_blocks(2).expect("few parts");
        let blocks = blocks.reshaped(&halves, &lengths).expect("blocks");
        assert_eq!(blocks.lengths(halves[0]), lengths[0]);
        // And back: the pixels of the blocks are pixels again.
        let whole = sizes.map(|(h, w)| vec![1, 5, h, w]);
        let back = blocks.reshaped(&halves, &whole).expect("pixels");
        assert_eq!(back.blocks(), Some((2, [2, 0, 1])));
        // In the order of PyTorch's pixel_unshuffle.
        let moved = blocks.transposed(&[0, 1, 3, 5, 2, 4]).expect("an order");
        let deep = halves.map(|(h, w)| vec![1, 20, h, w]);
        let deep = moved.reshaped(&halves, &deep).expect("a map");
        assert_eq!(deep.shuffled(), Some(vec![1, 0]));
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
