//! The kernels compiled for each instruction set, and the choice between them at run time.

use std::ops::Range;

#[cfg(any(test, not(target_arch = "x86_64")))]
use super::simd::Portable;
use super::{
    bytes::{ByteTileSet, PlainDot},
    gather::MapInput,
    general::{
        attention,
        conv::{self, ConvStep},
        depthwise, pointwise,
        run::Run,
        weights::ResizeTables,
        windows, winograd as padded_winograd,
    },
    passes,
    rows::{self, RowConv, RowTiles},
    simd::Simd,
    statistics::{self, Running},
    tiles::{Product, Segment, TileSet, tile_product},
    winograd::{
        photo::{PhotoConv, photo_task},
        picture::{PictureConv, picture_task},
        tiles::{WinogradConv, winograd_task},
    },
};
#[cfg(target_arch = "x86_64")]
use super::{
    bytes::{Vnni256, Vnni512},
    simd_x86::{Avx2, Avx512, Sse2},
};
use crate::{
    graph::{Arithmetic, Pool},
    plan::cpu::{
        MapId, TILE_COLUMNS,
        general::{
            Pointwise, Pooling,
            attention::{Attention, HeadChannels},
        },
    },
};

/// Expands `$callback!` with `$extra` and every kernel: its name, its parameters, and the function that it calls with
/// the vectors `S` and register tiles `TILES` of an instruction set.
macro_rules! with_kernels {
    ($callback:ident! $($extra:tt)*) => { $callback! { $($extra)*
        row_conv(layer: &RowConv<'_>, task: usize, scratch: &mut [f32]) = {
            let tiles = RowTiles { single: &TILES, bytes: byte_tiles() };
            rows::row_conv_task::<S>(layer, task, scratch, tiles)
        }
        winograd(layer: &WinogradConv<'_>, task: usize, scratch: &mut [f32]) = {
            winograd_task::<S>(layer, task, scratch, &TILES)
        }
        photo(layer: &PhotoConv<'_>, task: usize, scratch: &mut [f32]) = {
            photo_task::<S>(layer, task, scratch, &TILES)
        }
        picture(layer: &PictureConv<'_>, task: usize, scratch: &mut [f32]) = {
            picture_task::<S>(layer, task, scratch, &TILES)
        }
        normalise_row(row: &mut [f32], scale: &[f32], shift: &[f32]) = {
            passes::normalise_row(row, scale, shift)
        }
        relu_row(row: &mut [f32]) = { passes::relu_row(row) }
        add_row(from: &[f32], to: &mut [f32]) = { passes::add_row(from, to) }
        // Reads whole pixels of stored channels; the working memory has two values per channel.
        statistics(pixels: &[f32], channels: usize, scratch: &mut [f32], part: &mut [f32]) = {
            map_statistics_of::<S>(pixels, channels, scratch, part)
        }
        extremes_of_rows(map: &MapInput, rows: Range<usize>, part: &mut [f32]) = {
            statistics::extremes_of_rows::<S>(map, rows, part)
        }
        // The kernels from here on belong to general plans.
        general_conv(run: &Run<'_>, step: ConvStep<'_>, task: usize, scratch: &mut [f32]) = {
            conv::conv_task::<S>(run, step, task, scratch)
        }
        depthwise(run: &Run<'_>, step: ConvStep<'_>, task: usize, scratch: &mut [f32]) = {
            depthwise::depthwise_task::<S>(run, step, task, scratch)
        }
        padded_winograd(run: &Run<'_>, step: ConvStep<'_>, task: usize, scratch: &mut [f32]) = {
            padded_winograd::winograd_task::<S>(run, step, task, scratch)
        }
        chain(run: &Run<'_>, chain: &[Pointwise], map: MapId, y: usize, pixels: (usize, usize)) = {
            pointwise::chain::<S>(run, chain, map, y, pixels)
        }
        combine(run: &Run<'_>, how: Arithmetic, from: [MapId; 2], to: MapId, y: usize) = {
            pointwise::combine(run, how, from, to, y)
        }
        pack_keys(
            run: &Run<'_>,
            sizes: &Attention,
            from: [HeadChannels; 2],
            to: MapId,
            task: usize
        ) = { attention::pack::<S>(run, sizes, from, to, task) }
        // Parameters: queries, packed keys and values, and the output map.
        attend(
            run: &Run<'_>,
            sizes: &Attention,
            maps: (HeadChannels, MapId, MapId),
            task: usize,
            scratch: &mut [f32]
        ) = { attention::attend::<S>(run, sizes, maps, task, scratch) }
        resize(
            run: &Run<'_>,
            tables: &ResizeTables,
            maps: (MapId, MapId),
            y: usize,
            scratch: &mut [f32]
        ) = { windows::resize(run, tables, maps, y, scratch) }
        pool(run: &Run<'_>, pool: (&Pool, Pooling), from: MapId, to: MapId, y: usize) = {
            windows::pool(run, pool, from, to, y)
        }
        largest(run: &Run<'_>, from: MapId, rows: Range<usize>, part: &mut [f32]) = {
            windows::largest(run, from, rows, part)
        }
        #[cfg(test)]
        function(function: crate::graph::Function, values: &mut [f32]) = {
            super::super::general::functions::apply::<S>(function, values)
        }
    } };
}

/// Declares [`KernelSet`].
macro_rules! kernel_fields {
    ($($(#[$cfg:meta])? $kernel:ident($($arg:ident: $type:ty),*) = $body:block)*) => {
        /// One instruction set's kernels.
        ///
        /// # Safety
        /// The function pointers may only be called on a CPU that has the instruction set. Sets are only returned by
        /// [`KernelSet::best`] and [`KernelSet::available`], which check.
        pub struct KernelSet {
            /// Name for the user, for example `AVX-512`.
            pub name: &'static str,
            /// Values per vector.
            pub lanes: usize,
            pub tiles: TileSet,
            $($(#[$cfg])? pub $kernel: unsafe fn($($type),*),)*
        }
    };
}

with_kernels!(kernel_fields!);

/// Statistics of whole pixels of `channels` values.
#[inline(always)]
unsafe fn map_statistics_of<S: Simd>(
    map: &[f32],
    channels: usize,
    scratch: &mut [f32],
    part: &mut [f32],
) {
    let (mean, squares) = scratch[..2 * channels].split_at_mut(channels);
    let mut running = Running {
        mean: mean.as_mut_ptr(),
        squares: squares.as_mut_ptr(),
        extremes: None,
        count: 0,
    };
    // SAFETY: the slices have the lengths that the pixels and channels need.
    unsafe {
        // In pieces, because long sums in single precision lose precision.
        for piece in map.chunks(TILE_COLUMNS * channels) {
            running.take::<S>(piece.as_ptr(), piece.len() / channels, channels, channels);
        }
        running.write(part, channels);
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

/// Compiles one kernel.
macro_rules! kernel {
    ([$($feature:meta)?] $kernel:ident($($arg:ident: $type:ty),*) = $body:block) => {
        $(#[$feature])?
        pub unsafe fn $kernel($($arg: $type),*) {
            // SAFETY: the instruction set is enabled here; the rest is the caller's promise.
            unsafe { $body }
        }
    };
}

/// Compiles every kernel for one instruction set, with `$rows` or `$few` rows of A per register tile.
macro_rules! kernel_set {
    (($set:ident, $module:ident, $name:expr, $simd:ty, $rows:literal, $few:literal, $byte_tiles:ident,
      $feature:tt)
     $($(#[$cfg:meta])? $kernel:ident($($arg:ident: $type:ty),*) = $body:block)*) => {
        #[allow(unused_unsafe)]
        mod $module {
            use super::{$byte_tiles as byte_tiles, *};

            type S = $simd;
            tile_set!(TILES, floats, $simd, $rows, $few, $feature);
            $(
                $(#[$cfg])?
                kernel!($feature $kernel($($arg: $type),*) = $body);
            )*
        }

        static $set: KernelSet = KernelSet {
            name: $name,
            lanes: <$simd as Simd>::LANES,
            tiles: $module::TILES,
            $($(#[$cfg])? $kernel: $module::$kernel,)*
        };
    };
}

#[cfg(target_arch = "x86_64")]
tile_set!(VNNI512, vnni512, Vnni512, 12, 8, [target_feature(enable = "avx512f,avx512vnni")]);
#[cfg(target_arch = "x86_64")]
tile_set!(PLAIN512, plain512, PlainDot<16>, 4, 2, [target_feature(enable = "avx512f,avx2")]);
#[cfg(target_arch = "x86_64")]
tile_set!(VNNI256, vnni256, Vnni256, 6, 4, [target_feature(enable = "avx2,avxvnni")]);
#[cfg(target_arch = "x86_64")]
tile_set!(PLAIN256, plain256, PlainDot<8>, 4, 2, [target_feature(enable = "avx2")]);
tile_set!(PLAIN, plain, PlainDot<4>, 4, 2, []);

#[cfg(target_arch = "x86_64")]
fn avx512_byte_tiles() -> &'static ByteTileSet {
    match is_x86_feature_detected!("avx512vnni") {
        true => &VNNI512,
        false => &PLAIN512,
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2_byte_tiles() -> &'static ByteTileSet {
    match is_x86_feature_detected!("avxvnni") {
        true => &VNNI256,
        false => &PLAIN256,
    }
}

/// Every set of byte register tiles that this CPU can run, with the number of columns of its vectors.
#[cfg(test)]
pub fn byte_tile_sets() -> Vec<(usize, &'static ByteTileSet)> {
    let mut sets = vec![(4, &PLAIN)];
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = avx2 && is_x86_feature_detected!("avx512f");
        let candidates = [
            (avx2, 8, &PLAIN256),
            (avx2 && is_x86_feature_detected!("avxvnni"), 8, &VNNI256),
            (avx512, 16, &PLAIN512),
            (avx512 && is_x86_feature_detected!("avx512vnni"), 16, &VNNI512),
        ];
        let there = candidates.into_iter().filter(|(there, ..)| *there);
        sets.extend(there.map(|(_, lanes, set)| (lanes, set)));
    }
    sets
}

fn four_byte_tiles() -> &'static ByteTileSet {
    &PLAIN
}

#[cfg(target_arch = "x86_64")]
with_kernels!(kernel_set!(
    AVX512,
    avx512,
    "AVX-512",
    Avx512,
    12,
    8,
    avx512_byte_tiles,
    [target_feature(enable = "avx512f,avx2,fma")]
));
#[cfg(target_arch = "x86_64")]
with_kernels!(kernel_set!(
    AVX2,
    avx2,
    "AVX2",
    Avx2,
    6,
    4,
    avx2_byte_tiles,
    [target_feature(enable = "avx2,fma")]
));
#[cfg(target_arch = "x86_64")]
with_kernels!(kernel_set!(SSE2, sse2, "SSE2", Sse2, 4, 4, four_byte_tiles, []));
// Unit tests on x86-64 also include it, so that what aarch64 runs is tested there too.
#[cfg(any(test, not(target_arch = "x86_64")))]
with_kernels!(kernel_set!(PORTABLE, portable, PORTABLE_NAME, Portable, 8, 4, four_byte_tiles, []));

#[cfg(any(test, not(target_arch = "x86_64")))]
const PORTABLE_NAME: &str = if cfg!(target_arch = "aarch64") { "NEON" } else { "portable" };

impl KernelSet {
    /// `a * b + c`, rounded as often as the set's vectors round: once if they have a fused instruction. Vectors of four
    /// lanes have one only on aarch64.
    pub fn mul_add(&self, a: f32, b: f32, c: f32) -> f32 {
        if self.lanes > 4 || cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
    }

    /// Whether one instruction multiplies bytes and adds up four products.
    pub fn multiplies_bytes(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self.lanes {
            16 => return is_x86_feature_detected!("avx512vnni"),
            8 => return is_x86_feature_detected!("avxvnni"),
            _ => {}
        }
        false
    }

    /// Every set that this CPU can run, fastest first.
    pub fn available() -> Vec<&'static Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fma && is_x86_feature_detected!("avx512f") {
                sets.push(&AVX512);
            }
            if fma {
                sets.push(&AVX2);
            }
            sets.push(&SSE2);
        }
        #[cfg(any(test, not(target_arch = "x86_64")))]
        sets.push(&PORTABLE);
        sets
    }

    /// The fastest set that this CPU can run.
    pub fn best() -> &'static Self {
        Self::available()[0]
    }
}
