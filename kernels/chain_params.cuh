// The parameters of a chain of convolutions.
#pragma once
#include "conv_params.cuh"

namespace sf {

// The parameters of one layer of a chain.
struct ChainLayer {
    const void* input;  // raw map of the layer before
    const void* skip;  // residual stream that is added after the norm; null: none
    void* keep;  // where the normalised input is kept as residual stream; null: nowhere
    const void* weights;  // in the order in which the main loop reads them
    void* output;  // raw map
    const float* gamma;  // one per output channel
    const float* beta;  // one per output channel
    int relu;  // 1: ReLU while the input is gathered
    int spare;  // padding
};
static_assert(sizeof(ChainLayer) == 64, "as params.rs lays it out");

// A layer of another shape before a chain: its shape and the norm before it. The other parameters are those of the chain.
struct LeadingLayer {
    const float* in_scale;  // (batch, in_channels): gamma / deviation of the norm before; null: none
    const float* in_mean;  // (batch, in_channels)
    const float* in_beta;  // one per input channel
    int in_height;  // rows of the stored input
    int in_width;  // columns of the stored input
    int in_channels;  // stored channels of the input
    int stride;  // pixels from output to output
    int origin;  // the first tap of (y, x) reads (y, x) * stride - origin
    int chunk_channels;  // channels of the input tile
    int tile_rows;  // rows of the input tile
    int tile_columns;  // columns of the input tile
    int pitch;  // bytes from cell plane to cell plane
    int edge;  // EDGE_REFLECT or EDGE_REPLICATE
    int upsample;  // 1: the input is doubled while it is gathered
    int walk_across;  // bytes between core matrices along the channels
    int walk_down;  // bytes between core matrices along the pixels
    int walk_tile;  // bytes from 64 output pixels to the next 64
    int walk_blocks;  // blocks of weights
    int walk_first;  // where in `walk` of all layers its steps begin
};
static_assert(sizeof(LeadingLayer) == 88, "as params.rs lays it out");

// Parameters of the entry points that compute several layers one after another.
struct ChainParams {
    ConvParams all;  // shapes of every layer but a leading one; the norm before the first layer, if none leads; the statistics after the last one
    ChainLayer layers[32];  // one after another; the first `count` of them count
    void* exchange;  // exchange between the CTAs of an image from layer to layer; read if count > 1
    int count;  // layers
    int spare;  // padding
    LeadingLayer leading;  // the first layer, if it has another shape
};
static_assert(sizeof(ChainParams) == 4000, "as params.rs lays it out");

}  // namespace sf
