// Convolutions of Hopper in fp16: maps and operands in fp16, products summed in fp32.
// See conv_wgmma.cuh, chain_wgmma.cuh, deep_wgmma.cuh and pieces_wgmma.cuh for formulas and names of entries. After the
// entry's name come the template's arguments: 128-pixel tiles of a CTA, channels, columns, steps of a block of weights,
// output, and the loads in flight with and without a residual stream; then CTAs per SM. For the kernels of two tiles in turn
// (deep): steps of a block and the loads in flight.
// targets: sm_90a
#include "deep_wgmma.cuh"
#include "pieces_wgmma.cuh"

using namespace sf;

#define SF_WGMMA(NAME, TILES, BN, BW, STEPS, TO, DEPTH, PLAIN, PER_SM)                                     \
    extern "C" __global__ void __launch_bounds__(256, PER_SM) NAME(const __grid_constant__ ConvParams p) { \
        convolve_wgmma<half_t, half_t, TILES, BN, BW, STEPS, TO, DEPTH, PLAIN>(p);                         \
    }

SF_SHORT_CHAINS(half_t, false, fp16)
SF_ALL_PIECES(half_t, false, fp16)
SF_WGMMA(wgmma_128x64_fp16, 1, 64, 8, 8, TO_MAP, 2, 4, 2)
SF_WGMMA(wgmma_128x32_fp16, 1, 32, 8, 8, TO_MAP, 2, 7, 2)
SF_WGMMA(wgmma_picture_512x56_fp16, 4, 56, 64, 5, TO_PICTURE, 2, 4, 2)

extern "C" __global__ void __launch_bounds__(512, 1) wgmma_256x128_fp16(const __grid_constant__ ChainParams p) {
    convolve_deep<half_t, 2, 8>(p);
}

extern "C" __global__ void __launch_bounds__(256, 2) wgmma_photo_512x32_fp16(const __grid_constant__ ConvParams p) {
    convolve_photo_wgmma<half_t, half_t, 4, 32, 9>(p);
}
