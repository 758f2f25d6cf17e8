//! Operations of transformers, which treat pixels as tokens.

use network::graph::{
    Arithmetic, Function, NodeId, Op,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

use super::{EPS, Growing, Take, shaped};

impl Growing {
    /// Resizes a map to the given rows and columns.
    pub fn sized(&mut self, from: NodeId, size: [usize; 2]) -> NodeId {
        let resize = Resize {
            interpolation: Interpolation::Nearest(Rounding::Floor),
            coordinates: Coordinates::Asymmetric,
            target: Target::Size(size),
        };
        self.add(Op::Resize(resize), &[from])
    }

    /// A linear layer on every pixel.
    pub fn linear(&mut self, from: NodeId, channels: usize) -> NodeId {
        self.conv(from, channels, shaped([1; 2], [1; 2], [1; 2], 1))
    }

    /// Attention of a map's pixels to each other; queries, keys and values are channels of one map.
    pub fn attend(&mut self, from: NodeId, heads: usize, head_size: usize) -> NodeId {
        let channels = heads * head_size;
        let all = self.linear(from, 3 * channels);
        let parts = [0, 1, 2].map(|part| {
            let first = part * channels;
            let count = channels;
            self.add(Op::Channels { first, count }, &[all])
        });
        self.add(Op::Attention { heads }, &parts)
    }

    /// Attention of a map's pixels to those of another one of `size`.
    pub fn attend_across(
        &mut self,
        from: NodeId,
        size: [usize; 2],
        heads: usize,
        head_size: usize,
    ) -> NodeId {
        let queries = self.linear(from, heads * head_size);
        let other = self.sized(from, size);
        self.attend_to(queries, other, heads)
    }

    /// Attention of queries to another map's pixels.
    fn attend_to(&mut self, queries: NodeId, other: NodeId, heads: usize) -> NodeId {
        let channels = self.channels(queries);
        let both = self.linear(other, 2 * channels);
        let [keys, values] = [0, channels].map(|first| {
            let count = channels;
            self.add(Op::Channels { first, count }, &[both])
        });
        self.add(Op::Attention { heads }, &[queries, keys, values])
    }

    /// Like [`Growing::attend_across`], with more pixels than a small photo has. A position is added to each, so that
    /// all are different.
    pub fn attend_far(&mut self, from: NodeId, size: [usize; 2], head_size: usize) -> NodeId {
        let queries = self.linear(from, head_size);
        let other = self.sized(from, size);
        let placed = self.add(Op::Positions, &[other]);
        self.attend_to(queries, placed, 1)
    }

    /// Like [`Growing::attend`] with one head, visible at only `size` of the places; `is_whole` is whether all others
    /// are computed, too.
    pub fn attend_sampled(
        &mut self,
        from: NodeId,
        head_size: usize,
        size: [usize; 2],
        is_whole: bool,
    ) -> NodeId {
        let all = self.linear(from, 3 * head_size);
        let [queries, keys, values] = [0, 1, 2].map(|part| {
            let first = part * head_size;
            let count = head_size;
            self.add(Op::Channels { first, count }, &[all])
        });
        if is_whole {
            let mixed = self.add(Op::Attention { heads: 1 }, &[queries, keys, values]);
            return self.sized(mixed, size);
        }
        let queries = self.sized(queries, size);
        self.add(Op::Attention { heads: 1 }, &[queries, keys, values])
    }
}

pub(super) fn tokens(case: Take<'_>) {
    case("gelu after a convolution and alone", &|g, p| {
        let map = g.begin(p, 20);
        let wide = g.linear(map, 40);
        let gelu = g.function(Function::Gelu, wide);
        let narrow = g.linear(gelu, 20);
        let sum = g.add(Op::Add, &[narrow, map]);
        let alone = g.function(Function::Gelu, sum);
        g.finish(alone);
    });
    for channels in [3, 20, 48, 300] {
        case(&format!("layer norm of {channels}"), &|g, p| {
            let map = g.begin(p, channels);
            let norm = g.add(Op::LayerNorm { eps: EPS }, &[map]);
            g.finish(norm);
        });
    }
    case("layer norm of large means and of constants", &|g, p| {
        let map = g.begin(p, 24);
        // A layer with weights would centre the values around one again: the norm of a norm is the same. So the mean is
        // raised to a thousand by other operations.
        let none = g.combine(Arithmetic::Difference, map, map);
        let flat = g.add(Op::LayerNorm { eps: EPS }, &[none]);
        let thousand = g.function(Function::Exp, none);
        let mut large = thousand;
        for _ in 0..9 {
            large = g.add(Op::Add, &[large, large]);
        }
        let large = g.add(Op::Add, &[large, map]);
        let norm = g.add(Op::LayerNorm { eps: EPS }, &[large]);
        let sum = g.add(Op::Add, &[norm, flat]);
        g.finish(sum);
    });
    for channels in [4, 16, 36] {
        case(&format!("positions in {channels}"), &|g, p| {
            let map = g.begin(p, channels);
            let placed = g.add(Op::Positions, &[map]);
            g.finish(placed);
        });
    }
    for (heads, head_size) in
        [(1, 1), (3, 5), (2, 8), (3, 24), (2, 32), (1, 64), (2, 128), (1, 256)]
    {
        case(&format!("attention, {heads} heads of {head_size}"), &|g, p| {
            let map = g.begin(p, 16);
            let mixed = g.attend(map, heads, head_size);
            g.finish(mixed);
        });
        case(&format!("attention to another map, {heads} heads of {head_size}"), &|g, p| {
            let map = g.begin(p, 16);
            let mixed = g.attend_across(map, [5, 9], heads, head_size);
            g.finish(mixed);
        });
    }
    case("a transformer's block", &|g, p| {
        let map = g.begin(p, 64);
        let placed = g.add(Op::Positions, &[map]);
        let normed = g.add(Op::LayerNorm { eps: EPS }, &[placed]);
        let mixed = g.attend(normed, 2, 32);
        let made = g.linear(mixed, 64);
        let sum = g.add(Op::Add, &[made, placed]);
        let normed = g.add(Op::LayerNorm { eps: EPS }, &[sum]);
        let wide = g.linear(normed, 128);
        let bent = g.function(Function::Gelu, wide);
        let made = g.linear(bent, 64);
        let sum = g.add(Op::Add, &[made, sum]);
        g.finish(sum);
    });
    case("channels that others read too", &|g, p| {
        let map = g.begin(p, 96);
        let [queries, keys, values] = [0, 32, 64].map(|first| {
            let count = 32;
            g.add(Op::Channels { first, count }, &[map])
        });
        let mixed = g.add(Op::Attention { heads: 1 }, &[queries, keys, values]);
        let sum = g.add(Op::Add, &[mixed, queries]);
        g.finish(sum);
    });
}
