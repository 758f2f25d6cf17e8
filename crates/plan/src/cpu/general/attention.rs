//! How attention is cut into tasks, and how its keys and values are packed.

use super::super::MapId;

/// Queries per task.
pub const QUERIES: usize = 48;
/// Keys whose scores are kept at once. A multiple of the panels of every instruction set.
pub const KEYS: usize = 256;
/// Number of rows by which register tiles may run past the queries.
pub const ATTENTION_SLACK: usize = 12;
/// Every instruction set divides this number of columns into whole panels: two vectors of 16 values.
const PANEL: usize = 32;

/// The channels of a map that are the queries, keys or values.
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
    /// Number of pixels that are keys and values.
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

    /// Length of a head's packed keys, in values.
    pub const fn packed_keys_len(&self) -> usize {
        self.padded_keys() * self.size
    }

    /// Length of a head's packed keys and values, in values.
    pub const fn packed_len(&self) -> usize {
        self.packed_keys_len() + self.padded_keys() * self.padded_size()
    }

    /// Scratch of a task, in values.
    pub const fn scratch_len(&self) -> usize {
        let rows = QUERIES + ATTENTION_SLACK;
        rows * (self.size + KEYS + self.padded_size()) + QUERIES * self.padded_size()
    }

    /// Number of tasks for `queries` queries.
    pub const fn tasks(&self, queries: usize) -> usize {
        self.heads * queries.div_ceil(QUERIES)
    }

    /// Operations of the two products, 2 per multiply-add.
    pub const fn flops(&self, queries: usize) -> u64 {
        (4 * (self.keys * self.heads * self.size) as u64).saturating_mul(queries as u64)
    }
}
