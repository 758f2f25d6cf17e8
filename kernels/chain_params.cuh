// What the kernel of a chain of convolutions is told.
#pragma once
#include "conv_params.cuh"

namespace sf {

// What a layer of a chain has for itself.
struct ChainLayer {
    const void* input;  // raw map of the layer before
    const void* skip;  // residual stream that is added after the norm; null: none
    void* keep;  // where the normalised input is kept as residual stream; null: nowhere
    const void* weights;  // in the order in which the main loop reads them
    void* output;  // raw map
    const float* gamma;  // one per output channel
    const float* beta;  // one per output channel
    int relu;  // 1: ReLU while the input is gathered
    int spare;  // fills up
};
static_assert(sizeof(ChainLayer) == 64, "mirrored in params.rs");

struct ChainParams {
    ConvParams all;  // shapes of every layer; the norm before the first one; the statistics behind the last one
    ChainLayer layers[32];  // one after another; the first `count` of them count
    void* exchange;  // what the CTAs of an image tell each other between layers; read when count > 1
    int count;  // layers
    int spare;  // fills up
};
static_assert(sizeof(ChainParams) == 3912, "mirrored in params.rs");

}  // namespace sf
