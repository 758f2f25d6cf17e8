//! Chooses which of Hopper's tiles a convolution uses, and divides their shared memory.

use super::{
    Builder, Chunking, MAX_SMEM_STEPS, MainLoop, Taps, Tile, block_bytes, block_steps,
    conv::{ConvShape, Fit},
    plane_bytes, product_columns, static_bytes, step_channels, step_products, stored_channels,
    wgmma_stages,
};
use crate::ConvLayer;

impl Builder<'_> {
    /// Hopper's tiles for a layer, best first.
    pub fn wgmma_tiles(&self, conv: &ConvLayer, shape: &ConvShape) -> Vec<Tile> {
        let main_loop = MainLoop::Wgmma;
        let tile = match shape.taps {
            Taps::PhotoColumns => Tile::photo(main_loop),
            Taps::ShiftedColumns => Tile::picture(main_loop),
            Taps::Direct | Taps::FourPhase => Tile::for_channels(conv.out_channels, main_loop),
            Taps::PhotoRows => return Vec::new(),
        };
        let rounds = |tile| self.rounds(conv, shape, tile);
        if matches!(shape.taps, Taps::Direct | Taps::FourPhase) && shape.is_free {
            // Narrower tiles fill multiprocessors that would be idle, but wait for their operands. Clocks per product
            // are from conv_wgmma.cuh.
            let clocks = |tile: &Tile| match tile.channels {
                32 => 24,
                64 => 32,
                _ => 64,
            };
            let work = |tile: &Tile| rounds(*tile) * clocks(tile);
            let mut tiles = vec![tile];
            tiles.extend([64, 32].map(|channels| Tile::for_channels(channels, main_loop)));
            tiles.retain(|other| other.channels <= tile.channels);
            tiles.sort_by_key(work);
            return tiles;
        }
        let has_choice = tile == Tile::CHAIN
            && self.format.storage.bytes() == 2
            && shape.taps == Taps::Direct
            && shape.phases == 1
            && !shape.bias;
        if !has_choice {
            return vec![tile];
        }
        // The smallest tile with at most one tile per multiprocessor.
        let single = [Tile::SMALL_CHAIN, tile, Tile::LARGE_CHAIN]
            .into_iter()
            .find(|&tile| rounds(tile) <= 1);
        if let Some(single) = single {
            return vec![single, tile];
        }
        if shape.stride > 1 {
            return vec![tile];
        }
        let of_chain = conv.in_channels.max(conv.out_channels) <= tile.channels;
        let staying = (Tile::STAYING.into_iter())
            .find(|&tile| (of_chain || tile.pieces == 1) && rounds(tile) <= 1);
        let deep = (rounds(Tile::DEEP) < rounds(tile)).then_some(Tile::DEEP);
        staying.into_iter().chain(deep).chain([tile]).collect()
    }

    /// This tile of Hopper's, if all channels fit at once.
    pub fn fitting_wgmma(&self, conv: &ConvLayer, shape: &ConvShape, tile: Tile) -> Option<Fit> {
        let main_loop = MainLoop::Wgmma;
        let gathered = self.gathered(shape.operand);
        let operand = gathered.bytes();
        let step = step_channels(shape.operand);
        let mut input_tile = shape.input_tile(tile);
        let (channels, pitch, tile_bytes) = if shape.taps == Taps::PhotoColumns {
            let together = shape.taps.rows_together(main_loop);
            let channels = (3 * (conv.kernel + together - 1)).next_multiple_of(step);
            // The rows of a kernel are channels, so the rows that are multiplied together share one input row.
            input_tile.0 = tile.rows() / together;
            let pitch = 16 * input_tile.1;
            (channels, pitch, input_tile.0 * channels * operand / 16 * pitch)
        } else {
            input_tile.0 *= tile.pieces;
            let channels = stored_channels(conv.in_channels);
            let pixels = input_tile.0 * input_tile.1;
            let pitch = match tile.pieces {
                1 => plane_bytes(channels, pixels, gathered),
                // Any odd number of cells spreads 16 planes over the banks.
                _ => 16 * (pixels | 1),
            };
            (channels, pitch, channels * operand / 16 * pitch)
        };
        let is_chain = tile.is_chain();
        let value = self.format.storage.bytes();
        // Between the layers of a chain, a tile's values stay where the input was, in all of the tile's channels.
        let may_be_chained = tile.channels == Tile::CHAIN_CHANNELS
            && (shape.phases, shape.stride) == (1, 1)
            && channels <= tile.channels
            && stored_channels(conv.out_channels) <= tile.channels;
        let kept_bytes = if may_be_chained { tile.channels * value / 16 * pitch } else { 0 };
        let staged_bytes = tile.channels / 8 * (16 * tile.pixels + 16);
        // For a tile of 256 pixels, the output always replaces the input, even with more channels than a chain's.
        let in_place_bytes = match tile {
            Tile::DEEP => staged_bytes,
            _ => 0,
        };
        let tile_bytes =
            tile_bytes.max(shape.sums_bytes(tile, main_loop)).max(kept_bytes).max(in_place_bytes);
        // The position of each of the tile's pixels in the map and in shared memory. In a chain, pixels of other CTAs
        // have two entries.
        let mut beside = match shape.taps {
            // The photo's words.
            Taps::PhotoColumns => 4 * (tile.rows() + conv.kernel - 1) * input_tile.1,
            _ if is_chain => 16 * input_tile.0 * input_tile.1,
            _ => 8 * input_tile.0 * input_tile.1,
        };
        if tile == Tile::DEEP {
            // Its input tiles alternate between two buffers.
            beside += tile_bytes;
        }
        if is_chain && value == 2 {
            // Space for the output in planes of 8 channels, and before that, in a chain, for the residual stream of a
            // tile.
            beside += if may_be_chained { staged_bytes.max(tile_bytes) } else { staged_bytes };
        }
        let steps = block_steps(shape.taps, tile, main_loop);
        let (down, across) = shape.taps.of_product(shape.tap_grid, main_loop);
        let total = down * across * (channels / step) * step_products(shape.operand);
        if total.next_multiple_of(steps) > MAX_SMEM_STEPS {
            return None;
        }
        let columns = product_columns(shape.taps, tile);
        let stage_bytes = block_bytes(steps, columns, shape.operand);
        let ring_stages = wgmma_stages(
            tile,
            shape.phases * total.div_ceil(steps),
            stage_bytes,
            tile_bytes + beside,
            static_bytes(tile, main_loop),
            self.limits,
        )?;
        Some(Fit {
            main_loop,
            tile,
            input_tile,
            chunking: Chunking {
                channels,
                chunks: 1,
                pitch,
                tile_bytes,
                shared_bytes: tile_bytes + beside + ring_stages * stage_bytes,
            },
            ring_stages,
        })
    }
}
