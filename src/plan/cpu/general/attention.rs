//! How attention is cut into tasks, and how its keys and values are packed.

use super::super::MapId;

/// Queries of one task.
pub const QUERIES: usize = 48;
/// Keys whose scores are held at once; whole panels of every instruction set.
pub const KEYS: usize = 256;
/// Rows beyond the queries that register tiles may touch.
pub const ATTENTION_SLACK: usize = 12;
/// Panels of every instruction set are whole in this many columns: two vectors of 16 values.
const PANEL: usize = 32;

/// Channels of a map that queries, keys or values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadChannels {
    pub map: MapId,
    /// The first channel of the first head.
    pub first: usize,
}

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    pub heads: usize,
    /// Channels of a head.
    pub size: usize,
    /// Pixels that are keys and values.
    pub keys: usize,
}

impl Attention {
    /// Rows of the packed values.
    pub const fn padded_keys(&self) -> usize {
        self.keys.next_multiple_of(PANEL)
    }

    /// Columns of the packed values.
    pub const fn padded_size(&self) -> usize {
        self.size.next_multiple_of(PANEL)
    }

    /// Values that a head's packed keys take.
    pub const fn packed_keys_len(&self) -> usize {
        self.padded_keys() * self.size
    }

    /// Values that a head's packed keys and values take.
    pub const fn packed_len(&self) -> usize {
        self.packed_keys_len() + self.padded_keys() * self.padded_size()
    }

    /// Values of scratch that a task needs.
    pub const fn scratch_len(&self) -> usize {
        let rows = QUERIES + ATTENTION_SLACK;
        rows * (self.size + KEYS + self.padded_size()) + QUERIES * self.padded_size()
    }

    /// Tasks for so many queries.
    pub const fn tasks(&self, queries: usize) -> usize {
        self.heads * queries.div_ceil(QUERIES)
    }

    /// Operations of two products, a multiply-add counting two.
    pub const fn flops(&self, queries: usize) -> u64 {
        (4 * (self.keys * self.heads * self.size) as u64).saturating_mul(queries as u64)
    }
}
