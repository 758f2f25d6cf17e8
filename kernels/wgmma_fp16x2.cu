// Convolutions of Hopper in fp16x2: maps in fp32, operands as sums of two halves, products summed in fp32. All pixels
// are multiplied twice, by the remainders of the weights' nearest halves and by these halves: twice the products of tf32.
// See conv_wgmma.cuh and chain_wgmma.cuh for formulas and names of entries. After the entry's name come the template's
// arguments: 128-pixel tiles of a CTA, channels, columns, steps of a block of weights, output, and the loads in flight with
// and without a residual stream; then CTAs per SM. For chains, the loads of the residual stream in flight follow.
// targets: sm_90a
#include "chain_wgmma.cuh"

using namespace sf;

#define SF_WGMMA(NAME, TILES, BN, BW, STEPS, TO, DEPTH, PLAIN, PER_SM)                                     \
    extern "C" __global__ void __launch_bounds__(256, PER_SM) NAME(const __grid_constant__ ConvParams p) { \
        convolve_wgmma<float, split_t, TILES, BN, BW, STEPS, TO, DEPTH, PLAIN>(p);                         \
    }

#define SF_CHAIN(NAME, DEPTH)                                                                           \
    extern "C" __global__ void __launch_bounds__(384, 1) NAME(const __grid_constant__ ChainParams p) {  \
        convolve_chain<float, split_t, 128, 128, 8, 4, DEPTH>(p);                                        \
    }

SF_CHAIN(wgmma_128x128_fp16x2, 6)
SF_WGMMA(wgmma_128x64_fp16x2, 1, 64, 8, 8, TO_MAP, 2, 2, 2)
SF_WGMMA(wgmma_128x32_fp16x2, 1, 32, 8, 8, TO_MAP, 3, 4, 2)
SF_WGMMA(wgmma_picture_512x56_fp16x2, 4, 56, 64, 5, TO_PICTURE, 2, 3, 2)

extern "C" __global__ void __launch_bounds__(256, 2) wgmma_photo_512x32_fp16x2(const __grid_constant__ ConvParams p) {
    convolve_photo_wgmma<float, split_t, 4, 32, 9>(p);
}
