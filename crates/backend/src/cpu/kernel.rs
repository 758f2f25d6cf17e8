//! Code that is written once for the vectors of any instruction set, and the tasks of a step.

#[cfg(any(test, not(target_arch = "x86_64")))]
use super::simd::Portable;
use super::{
    bytes::{ByteTileSet, PlainDot},
    simd::Simd,
    tiles::{Product, Segment, TileSet, tile_product},
};
use plan::cpu::{TILE_COLUMNS, strip_rows};

/// The register tiles of an instruction set.
#[derive(Clone, Copy)]
pub struct Tiles {
    pub single: &'static TileSet,
    pub bytes: &'static ByteTileSet,
}

/// Code that is written once for the vectors of any instruction set. `InstructionSet::run` compiles it for each.
pub trait Kernel {
    /// Runs the kernel. Implementations are `inline(always)`. Otherwise they would not be compiled for the caller's
    /// instructions.
    ///
    /// # Safety
    /// As [`Simd`]; the rest is what the kernel's own documentation says.
    unsafe fn run<S: Simd>(self, tiles: Tiles);
}

/// Work that is divided into tasks.
pub trait Tasks: Sync {
    /// Number of tasks.
    fn count(&self) -> usize;

    /// Runs one task. Implementations are `inline(always)`, as those of [`Kernel`].
    ///
    /// # Safety
    /// As [`Simd`]; pointers are valid for their sizes, `scratch` has the plan's length, and no other thread runs the
    /// same task.
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles);
}

/// One of several tasks.
pub struct Task<'a, T> {
    pub of: &'a T,
    pub index: usize,
    pub scratch: &'a mut [f32],
}

impl<T: Tasks> Kernel for Task<'_, T> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self, tiles: Tiles) {
        // SAFETY: the caller's promise.
        unsafe { self.of.run::<S>(self.index, self.scratch, tiles) }
    }
}

/// Compiles the register tiles of one [`Product`], with `$rows` or `$few` rows of A per tile.
macro_rules! tile_set {
    ($set:ident, $module:ident, $product:ty, $rows:literal, $few:literal, [$($feature:meta)?]) => {
        mod $module {
            use super::*;

            /// A register tile of `R` rows and `V` vectors.
            $(#[$feature])?
            pub unsafe fn tile<const R: usize, const V: usize>(
                segments: &[Segment<<$product as Product>::A, <$product as Product>::B>],
                rows_of_a: (usize, usize),
                c: *mut f32,
                c_stride: usize,
                scale: <$product as Product>::Scale,
            ) {
                // SAFETY: the instruction set is enabled here; the rest is the caller's promise.
                unsafe { tile_product::<$product, R, V>(segments, rows_of_a, c, c_stride, scale) }
            }
        }

        pub static $set: TileSet<
            <$product as Product>::A,
            <$product as Product>::B,
            <$product as Product>::Scale,
        > = TileSet {
            big_rows: $rows,
            big: [$module::tile::<$rows, 1>, $module::tile::<$rows, 2>],
            small_rows: $few,
            small: [$module::tile::<$few, 1>, $module::tile::<$few, 2>],
        };
    };
}

#[cfg(target_arch = "x86_64")]
pub(super) use tile_set;

tile_set!(PLAIN, plain, PlainDot<4>, 4, 2, []);
#[cfg(any(test, not(target_arch = "x86_64")))]
tile_set!(PORTABLE, portable, Portable, 8, 4, []);

/// The part of a grid of outputs that a task computes.
#[derive(Clone, Copy)]
pub struct Strip {
    pub first_row: usize,
    /// The row after the last.
    pub end_row: usize,
    pub first_column: usize,
    /// The column after the last.
    pub end_column: usize,
}

impl Strip {
    /// One of the [strips](plan::cpu::strips) of a grid.
    #[inline(always)]
    pub fn of((rows, columns): (usize, usize), task: usize) -> Self {
        let (strip, tiles) = (strip_rows(rows), columns.div_ceil(TILE_COLUMNS));
        let (first_row, first_column) = (task / tiles * strip, task % tiles * TILE_COLUMNS);
        Self {
            first_row,
            end_row: (first_row + strip).min(rows),
            first_column,
            end_column: (first_column + TILE_COLUMNS).min(columns),
        }
    }

    /// Places in one row of the strip.
    #[inline(always)]
    pub const fn places(&self) -> usize {
        self.end_column - self.first_column
    }
}
