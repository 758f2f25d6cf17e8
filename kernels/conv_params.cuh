// The parameters of every convolution kernel.
#pragma once
#include "element.cuh"

namespace sf {

// How positions outside the input map are filled.
constexpr int EDGE_REFLECT = 0;
constexpr int EDGE_REPLICATE = 1;

// Of `conv_*`.
struct ConvParams {
    const void* input;  // raw map of the layer before, or the photo in RGBA8
    const float* in_scale;  // (batch, in_channels): gamma / deviation of the norm before; null: none
    const float* in_mean;  // (batch, in_channels)
    const float* in_beta;  // one per input channel
    const void* skip;  // residual stream that is added after the norm; null: none
    void* keep;  // where the normalised input is kept as residual stream; null: nowhere
    const void* weights;  // in the order in which the main loop reads them
    const float* bias;  // one per output channel; null: none
    void* output;  // raw map, or the painting in RGBA8
    float* output_floats;  // the painting before rounding, planar; null: RGBA8 is written
    const u8* photo;  // RGBA8 whose alpha is copied to the painting
    float* partials;  // (batch, channel tiles, CTAs + groups, 3, tile channels): count, mean, squares
    u32* tickets;  // (batch, channel tiles, groups + 1), or if CTAs exchange (batch, channel tiles, tile channels, CTAs, 4): zero before and after every launch
    const float* gamma;  // one per output channel
    const float* beta;  // one per output channel
    float* out_scale;  // (batch, out_channels): what the next layer applies; null: no statistics
    float* out_mean;  // (batch, out_channels)
    u32* overflow;  // set if the picture contains NaN or, in mixed, a map exceeds a half; null: not reported
    int in_height;  // rows of the stored input, or of the photo
    int in_width;  // columns of the stored input, or of the photo
    int in_channels;  // stored channels of the input
    int out_height;  // rows of the output
    int out_width;  // columns of the output
    int out_channels;  // stored channels of the output
    int grid_height;  // rows that are computed, in each phase
    int grid_width;  // columns that are computed, in each phase
    int tiles_x;  // tiles, or pieces, across
    int tiles_y;  // tiles, or pieces, down
    int stride;  // pixels from output to output
    int origin;  // the first tap of (y, x) reads (y, x) * stride - origin
    int taps_y;  // taps down
    int taps_x;  // taps across
    int phases;  // 1, or 4: the output is twice the grid
    int chunk_channels;  // channels that are in shared memory at once
    int chunks;  // number of such chunks
    int tile_rows;  // rows of the input tile, of all pieces
    int tile_columns;  // columns of the input tile
    int pitch;  // bytes from pixel to pixel in shared memory; on Hopper from cell plane to cell plane
    int edge;  // EDGE_REFLECT or EDGE_REPLICATE
    int upsample;  // 1: the input is doubled while it is gathered
    int relu;  // 1: ReLU while it is gathered
    int out_relu;  // 1: ReLU after the bias, before it is stored
    int photo_kernel;  // kernel side of a layer that reads or makes the picture
    int photo_height;  // rows of the photo whose alpha is copied
    int photo_width;  // columns of the photo whose alpha is copied
    int merge_groups;  // groups of CTAs: a group's statistics are merged first; 0: all CTAs are on the device at once and exchange theirs
    int norm_channels;  // real output channels; the rest is padding
    int ring_stages;  // stages of the weights' ring; this and all walk* are for Hopper's main loop only
    int walk_across;  // bytes between core matrices along the channels
    int walk_down;  // bytes between core matrices along the pixels
    int walk_row;  // bytes from tap to tap downwards
    int walk_tile;  // bytes from 64 output pixels to the next 64, or from piece to piece
    int walk_blocks;  // blocks of weights of a phase
    float eps;  // added to the variance
    float flat_share;  // a deviation up to this share of the mean counts as rounding
    float photo_scale;  // factor on the photo's levels
    int tile_bytes;  // of the input tile in shared memory, on Hopper
    int backwards;  // 1: tiles are taken from the last one on
    int split;  // the phases of a tile are divided among 2^split CTAs, each of which has one tile; on Hopper
    int turned;  // 1: each CTA takes its tiles in reverse order; for the large tiles on Hopper
    u32 walk[384];  // where in the tile each step of a phase begins, in units of 16 bytes
};
static_assert(sizeof(ConvParams) == 1848, "as params.rs lays it out");

// The tile that is taken as number `t`. A launch begins with the tiles that the previous one wrote last, which are still in the
// L2 cache, so that every second launch runs backwards.
__device__ __forceinline__ int tile_taken(const ConvParams& p, int t) { return p.backwards ? p.tiles_x * p.tiles_y - 1 - t : t; }

}  // namespace sf
