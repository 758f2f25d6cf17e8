// Convolutions of Hopper in int8: maps in fp16, operands in bytes, products summed in whole numbers.
// See conv_wgmma.cuh, chain_wgmma.cuh, deep_wgmma.cuh and pieces_wgmma.cuh for what they compute and how the entries are named, and bytes.cuh for
// what a byte stands for. Only the layers of residual blocks of more than 64 channels have such entries; others take those of fp16.
//
// A product of 64 pixels x 128 channels takes 32 clocks and reads 6 KB of shared memory, 192 bytes a clock, where 128 are to be
// had: so 48 clocks, in place of 64 in fp16. Measured on an NVIDIA H100 (driver 580.159, 2026-11-26): whole frames take
// 0.99 of fp16's time at 256x256, 0.97 at 512x512, 0.96 at 640x480, 0.94 at 1280x720 and 1920x1080 and 0.93 at 3840x2160.
// targets: sm_90a
#include "deep_wgmma.cuh"
#include "pieces_wgmma.cuh"

using namespace sf;

SF_SHORT_CHAINS(half_t, true, int8)
SF_ALL_PIECES(half_t, true, int8)

extern "C" __global__ void __launch_bounds__(512, 1) wgmma_256x128_int8(const __grid_constant__ ChainParams p) {
    convolve_deep<half_t, 2, 6, true>(p);
}
