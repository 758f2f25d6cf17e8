//! What the kernels are told: the parameter block of every entry, as CUDA sees it in memory.
//!
//! Each block mirrors the struct of the same name in a file of `kernels/`; this module's test
//! compares names, order and sizes of all fields with that source. Pointers are addresses on the
//! device, counts are as the kernel's header says. Knows no driver; any thread may use it.

use crate::plan::cuda::MOST_CHAINED;

/// Declares parameter blocks, and lists their fields for the test that compares them with `kernels/`.
macro_rules! params {
    ($($(#[$about:meta])* $name:ident = $bytes:literal in $file:literal {
        $($(#[$what:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$about])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq)]
            pub struct $name {
                $($(#[$what])* pub $field: $type,)*
            }
            const _: () = assert!(size_of::<$name>() == $bytes);
        )*

        /// Name, file, size and fields (name and size) of every block.
        #[cfg(test)]
        const BLOCKS: &[Block] = &[$(Block {
            name: stringify!($name),
            source: include_str!(concat!("../../../kernels/", $file)),
            bytes: $bytes,
            fields: &[$((stringify!($field), size_of::<$type>())),*],
        }),*];
    };
}

#[cfg(test)]
struct Block {
    name: &'static str,
    source: &'static str,
    bytes: usize,
    fields: &'static [(&'static str, usize)],
}

params! {
    /// Of `conv_*`.
    ConvParams = 1824 in "conv_params.cuh" {
        /// Raw map of the layer before, or the photo in RGBA8.
        input: u64,
        /// (batch, `in_channels`): gamma / deviation of the norm before; 0: none.
        in_scale: u64,
        /// (batch, `in_channels`).
        in_mean: u64,
        /// One per input channel.
        in_beta: u64,
        /// Residual stream that is added after the norm; 0: none.
        skip: u64,
        /// Where the normalised input is kept as residual stream; 0: nowhere.
        keep: u64,
        /// In the order in which the main loop reads them.
        weights: u64,
        /// One per output channel; 0: none.
        bias: u64,
        /// Raw map, or the painting in RGBA8.
        output: u64,
        /// The painting before rounding, planar; 0: RGBA8 is written.
        output_floats: u64,
        /// RGBA8 that lends its alpha to the painting.
        photo: u64,
        /// (batch, channel tiles, CTAs + groups, 3, tile channels): count, mean, squares.
        partials: u64,
        /// (batch, channel tiles, groups + 1): zero before and after every launch.
        tickets: u64,
        /// One per output channel.
        gamma: u64,
        /// One per output channel.
        beta: u64,
        /// (batch, out_channels): what the next layer applies; 0: no statistics.
        out_scale: u64,
        /// (batch, out_channels).
        out_mean: u64,
        /// Rows of the stored input, or of the photo.
        in_height: i32,
        /// Columns of the stored input, or of the photo.
        in_width: i32,
        /// Stored channels of the input.
        in_channels: i32,
        /// Rows of the output.
        out_height: i32,
        /// Columns of the output.
        out_width: i32,
        /// Stored channels of the output.
        out_channels: i32,
        /// Rows that are computed, in each phase.
        grid_height: i32,
        /// Columns that are computed, in each phase.
        grid_width: i32,
        /// Tiles across.
        tiles_x: i32,
        /// Tiles down.
        tiles_y: i32,
        /// Pixels from output to output.
        stride: i32,
        /// The first tap of (y, x) reads (y, x) * stride - origin.
        origin: i32,
        /// Taps down.
        taps_y: i32,
        /// Taps across.
        taps_x: i32,
        /// 1, or 4: the output is twice the grid.
        phases: i32,
        /// Channels that lie in shared memory at once.
        chunk_channels: i32,
        /// How often.
        chunks: i32,
        /// Rows of the input tile.
        tile_rows: i32,
        /// Columns of the input tile.
        tile_columns: i32,
        /// Bytes from pixel to pixel in shared memory; on Hopper from cell plane to cell plane.
        pitch: i32,
        /// EDGE_REFLECT or EDGE_REPLICATE.
        edge: i32,
        /// 1: the input is doubled while it is gathered.
        upsample: i32,
        /// 1: ReLU while it is gathered.
        relu: i32,
        /// Kernel side of a layer that reads or makes the picture.
        photo_kernel: i32,
        /// Rows of the photo that lends its alpha.
        photo_height: i32,
        /// Columns of the photo that lends its alpha.
        photo_width: i32,
        /// CTAs whose statistics are merged together.
        group_size: i32,
        /// Real output channels; the rest is padding.
        norm_channels: i32,
        /// Stages of the weights' ring; this and all `walk*` are for Hopper's main loop alone.
        ring_stages: i32,
        /// Bytes between core matrices along the channels.
        walk_across: i32,
        /// Bytes between core matrices along the pixels.
        walk_down: i32,
        /// Bytes from tap to tap downwards.
        walk_row: i32,
        /// Bytes from 64 output pixels to the next 64.
        walk_tile: i32,
        /// Blocks of weights of a phase.
        walk_blocks: i32,
        /// Added to the variance.
        eps: f32,
        /// A deviation up to this share of the mean is rounding, not picture.
        flat_share: f32,
        /// Factor on the photo's levels.
        photo_scale: f32,
        /// Bytes of the input tile in shared memory, on Hopper.
        tile_bytes: i32,
        /// Where in the tile each step of a phase begins, in units of 16 bytes.
        walk: [[u32; 32]; 12],
    }

    /// What a layer of a chain has for itself.
    ChainLayer = 64 in "chain_params.cuh" {
        /// Raw map of the layer before.
        input: u64,
        /// Residual stream that is added after the norm; 0: none.
        skip: u64,
        /// Where the normalised input is kept as residual stream; 0: nowhere.
        keep: u64,
        /// In the order in which the main loop reads them.
        weights: u64,
        /// Raw map.
        output: u64,
        /// One per output channel.
        gamma: u64,
        /// One per output channel.
        beta: u64,
        /// 1: ReLU while the input is gathered.
        relu: i32,
        /// Fills up.
        spare: i32,
    }

    /// Of the entries that take several layers one after another.
    ChainParams = 3888 in "chain_params.cuh" {
        /// Shapes of every layer; the norm before the first one; the statistics behind the last one.
        all: ConvParams,
        /// One after another; the first `count` of them count.
        layers: [ChainLayer; MOST_CHAINED],
        /// What the CTAs of an image tell each other between layers; read when there are several.
        exchange: u64,
        /// Layers.
        count: i32,
        /// Fills up.
        spare: i32,
    }

    /// Of `load_photo_*`.
    LoadPhotoParams = 32 in "elementwise.cu" {
        /// RGBA8 pixels (n, height, width).
        photo: u64,
        /// Map (n, height, width, channels) to write.
        map: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// What levels are multiplied by: 1, or 1/256.
        scale: f32,
        /// Channels, padding included: 4, 8 or 16.
        channels: i32,
    }

    /// Of `pad_*`.
    PadParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map (n, height + 2 margin, width + 2 margin, channels) to write.
        to: u64,
        /// Width of `from` in pixels.
        width: i32,
        /// Height of `from` in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
        /// Pixels added on every side; less than width and height.
        margin: i32,
    }

    /// Of `upsample_*` and `relu_*`.
    MapParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write: twice as wide and high (`upsample`), or of the same size (`relu`).
        to: u64,
        /// Width of `from` in pixels.
        width: i32,
        /// Height of `from` in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `add_*`.
    AddParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels) that is added to.
        map: u64,
        /// Map that is added.
        addend: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `bias_*`.
    BiasParams = 40 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        bias: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `normalise_*`.
    NormaliseParams = 48 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (n, channels), from `mean_finish`.
        mean: u64,
        /// fp32 (n, channels), from `variance_finish`.
        rstd: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `affine_*`.
    AffineParams = 48 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `store_picture_*`.
    StorePictureParams = 56 in "elementwise.cu" {
        /// Map (n, map_height, map_width, channels) of levels in its first three channels.
        map: u64,
        /// RGBA8 pixels (n, photo_height, photo_width) that alpha is taken from.
        photo: u64,
        /// RGBA8 pixels (n, height, width) to write.
        picture: u64,
        /// Width of the map in pixels, at least `width`.
        map_width: i32,
        /// Height of the map in pixels, at least `height`.
        map_height: i32,
        /// Channels of the map, padding included.
        channels: i32,
        /// Width of the picture in pixels.
        width: i32,
        /// Height of the picture in pixels.
        height: i32,
        /// Width of the photo in pixels, at least `width`.
        photo_width: i32,
        /// Height of the photo in pixels, at least `height`.
        photo_height: i32,
    }

    /// Of `store_floats_*`.
    StoreFloatsParams = 40 in "elementwise.cu" {
        /// Map (n, map_height, map_width, channels).
        map: u64,
        /// fp32 (n, 3, height, width) to write.
        planes: u64,
        /// Width of the map in pixels, at least `width`.
        map_width: i32,
        /// Height of the map in pixels, at least `height`.
        map_height: i32,
        /// Channels of the map, padding included.
        channels: i32,
        /// Width of the planes in pixels.
        width: i32,
        /// Height of the planes in pixels.
        height: i32,
    }

    /// Of `mean_partial_*` and `variance_partial_*`.
    PartialParams = 40 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        map: u64,
        /// fp32 (n, channels), from `mean_finish`; `mean_partial` does not read it.
        mean: u64,
        /// fp32 (n, strips, channels) to write.
        sums: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image: pixels / strip_pixels, rounded up.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
    }

    /// Of `mean_finish` and `variance_finish`.
    FinishParams = 48 in "instance_norm.cu" {
        /// fp32 (n, strips, channels), from the launch before.
        sums: u64,
        /// fp32 (n, channels) to write: the mean, or 1 / sqrt(variance + eps).
        result: u64,
        /// fp32 (n, channels), from `mean_finish`; that one does not read it.
        mean: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image.
        strips: i32,
        /// Added to the variance; `mean_finish` does not read it.
        eps: f32,
        /// A deviation up to this share of the mean is rounding; `mean_finish` does not read it.
        flat_share: f32,
    }

    /// Of `norm_statistics_*`.
    NormStatisticsParams = 72 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        map: u64,
        /// Scratch: pairs of fp32 (n, strips, channels).
        moments: u64,
        /// A 32-bit zero for each image; zero again after the launch.
        tickets: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (n, channels) to write.
        scale: u64,
        /// fp32 (n, channels) to write.
        mean: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image: pixels / strip_pixels, rounded up.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
        /// Added to the variance.
        eps: f32,
    }

    /// Of `norm_apply_*`.
    NormApplyParams = 64 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        from: u64,
        /// Map that is added, or 0 for none.
        residual: u64,
        /// Map to write; may be `from` or `residual`.
        to: u64,
        /// fp32 (n, channels), from `norm_statistics`.
        scale: u64,
        /// fp32 (n, channels), from `norm_statistics`.
        mean: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Pixels of a block.
        strip_pixels: i32,
        /// 1 for ReLU (before a residual), else 0.
        relu: i32,
    }

    /// Of `norm_plane_*`.
    NormPlaneParams = 64 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        from: u64,
        /// Map that is added, or 0 for none.
        residual: u64,
        /// Map to write; may be `from` or `residual`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// 16-byte packs of channels of a block, 1 or 2; divides channels * bytes / 16.
        group_packs: i32,
        /// 1 for ReLU (before a residual), else 0.
        relu: i32,
        /// Added to the variance.
        eps: f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and sizes of the fields of `struct name { .. }` in a source, one field a line.
    fn fields(source: &str, name: &str) -> Vec<(String, usize)> {
        let start = format!("struct {name} {{\n");
        let body = source.split_once(&start).expect("the struct").1;
        let body = body.split_once("\n}").expect("its end").0;
        body.lines()
            .map(|line| {
                let line = line.split("//").next().expect("a part").trim();
                let (kind, field) = line
                    .trim_end_matches(';')
                    .rsplit_once(' ')
                    .expect("a type and a name");
                let size = match kind {
                    pointer if pointer.ends_with('*') => 8,
                    "int" | "float" | "u32" => 4,
                    "ConvParams" => size_of::<ConvParams>(),
                    "ChainLayer" => size_of::<ChainLayer>(),
                    other => panic!("{name}.{field} has type {other}"),
                };
                // An array says how many there are.
                match field.trim_end_matches(']').split_once('[') {
                    Some((field, count)) => {
                        let count: usize = count.parse().expect("a number");
                        (field.to_owned(), count * size)
                    }
                    None => (field.to_owned(), size),
                }
            })
            .collect()
    }

    #[test]
    fn the_kernels_see_the_same_blocks() {
        assert!(!BLOCKS.is_empty());
        for block in BLOCKS {
            let ours: Vec<(String, usize)> = block
                .fields
                .iter()
                .map(|(field, size)| ((*field).to_owned(), *size))
                .collect();
            assert_eq!(ours, fields(block.source, block.name), "{}", block.name);
            let theirs = format!("static_assert(sizeof({}) == {},", block.name, block.bytes);
            assert!(block.source.contains(&theirs), "no {theirs}");
        }
    }

    #[test]
    fn a_difference_would_be_seen() {
        let source = "struct A {\n    const void* from;\n    int width;  // px\n    float eps;\n};";
        let expected = [("from", 8), ("width", 4), ("eps", 4)];
        let read = fields(source, "A");
        let read: Vec<(&str, usize)> = read.iter().map(|(f, s)| (f.as_str(), *s)).collect();
        assert_eq!(read, expected);
    }
}
