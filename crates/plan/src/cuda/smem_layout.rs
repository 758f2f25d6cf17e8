//! Where Hopper's main loop finds a tile's values in shared memory.

/// The layout of a tile in shared memory for Hopper's main loop. All fields are distances in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmemLayout {
    /// Between core matrices along the channels.
    pub across: usize,
    /// Between core matrices along the pixels.
    pub down: usize,
    /// From step to step within a tap.
    pub step: usize,
    /// From tap to tap downwards.
    pub row: usize,
    /// From an even tap to the one to its right.
    pub even: usize,
    /// From an odd tap to the one to its right; negative if the even columns are stored separately.
    pub odd: isize,
    /// From 64 output pixels to the next 64.
    pub tile: usize,
}

impl SmemLayout {
    /// For planes of 16-byte cells, `plane` bytes apart, `input_columns` wide.
    pub const fn over_planes(
        plane: usize,
        input_columns: usize,
        tile_columns: usize,
        stride: usize,
    ) -> Self {
        let row = 16 * input_columns;
        // With stride 2, the even columns are stored first, so that every second pixel is a neighbour.
        let (even, odd) = if stride == 2 {
            let half = 16 * input_columns.div_ceil(2);
            (half, 16 - half as isize)
        } else {
            (16, 16)
        };
        Self {
            across: plane,
            down: if tile_columns <= 16 { stride * row } else { 128 },
            step: 2 * plane,
            row,
            even,
            odd,
            tile: match tile_columns {
                ..=16 => 8 * stride * row,
                _ => 64 / tile_columns * stride * row,
            },
        }
    }

    /// Where a tap of a row starts.
    pub const fn tap(&self, column: usize) -> usize {
        column / 2 * (self.even as isize + self.odd) as usize + column % 2 * self.even
    }

    /// For the photo's columns, in `planes` planes of 16-byte cells, `plane` bytes apart, for two output rows.
    pub const fn over_photo(plane: usize, planes: usize) -> Self {
        Self {
            across: plane,
            down: 128,
            step: 2 * plane,
            row: 0,
            even: 16,
            odd: 16,
            tile: planes * plane,
        }
    }
}
