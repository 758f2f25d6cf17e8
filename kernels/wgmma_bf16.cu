// Convolutions of Hopper in bf16: maps and operands in bf16, products summed in fp32.
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
        convolve_wgmma<bfloat_t, bfloat_t, TILES, BN, BW, STEPS, TO, DEPTH, PLAIN>(p);                         \
    }

SF_SHORT_CHAINS(bfloat_t, false, bf16)
SF_ALL_PIECES(bfloat_t, false, bf16)
SF_WGMMA(wgmma_128x64_bf16, 1, 64, 8, 8, TO_MAP, 2, 3, 2)
SF_WGMMA(wgmma_128x32_bf16, 1, 32, 8, 8, TO_MAP, 2, 7, 2)
SF_WGMMA(wgmma_picture_512x56_bf16, 4, 56, 64, 5, TO_PICTURE, 2, 4, 2)

extern "C" __global__ void __launch_bounds__(512, 1) wgmma_256x128_bf16(const __grid_constant__ ChainParams p) {
    convolve_deep<bfloat_t, 2, 8>(p);
}

extern "C" __global__ void __launch_bounds__(256, 2) wgmma_photo_512x32_bf16(const __grid_constant__ ConvParams p) {
    convolve_photo_wgmma<bfloat_t, bfloat_t, 4, 32, 9>(p);
}
