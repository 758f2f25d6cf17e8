// Convolutions of Hopper in int8: maps in fp16, operands in bytes, products summed in integers.
// See conv_wgmma.cuh, chain_wgmma.cuh, deep_wgmma.cuh and pieces_wgmma.cuh for formulas and names of entries, and bytes.cuh
// for the meaning of a byte. Only the layers of residual blocks of more than 64 channels have such entries; the others use
// those of fp16.
//
// Work: a product of 64 pixels x 128 channels x 32 bytes takes 64 clocks, as one of 16 halves does, and reads 6 KB of shared
// memory, 96 of 128 bytes per clock (64.1 clocks with two warpgroups, NVIDIA H100, driver 580.159, 2026-11-26). So products take
// half of the clocks of fp16; making bytes takes much of the rest.
// Measured: NVIDIA H200, 2026-11-27, medians over 3 rounds of 30: a frame takes 0.95 of fp16's time at 256x256, 0.94 at
// 512x512, 0.92 at 640x480, 0.93 at 1280x720, 0.92 at 1920x1080 and 0.91 at 3840x2160.
// racecheck is clean at 512x512 and 1280x720; it displayed 5 warnings at 1920x1080, which are not explained.
// targets: sm_90a
#include "deep_wgmma.cuh"
#include "pieces_wgmma.cuh"

using namespace sf;

SF_SHORT_CHAINS(half_t, true, int8)
SF_ALL_PIECES(half_t, true, int8)

extern "C" __global__ void __launch_bounds__(512, 1) wgmma_256x128_int8(const __grid_constant__ ChainParams p) {
    convolve_deep<half_t, 2, 6, true>(p);
}
