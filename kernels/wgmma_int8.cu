// Convolutions of Hopper in int8: maps in fp16, operands in bytes, products summed in whole numbers.
// See conv_wgmma.cuh, chain_wgmma.cuh, deep_wgmma.cuh and pieces_wgmma.cuh for what they compute and how the entries are named, and bytes.cuh for
// what a byte stands for. Only the layers of residual blocks of more than 64 channels have such entries; others take those of fp16.
//
// A product of 64 pixels x 128 channels x 32 bytes takes 64 clocks, as one of 16 halves does, and reads 6 KB of shared memory, 96 of 128 bytes
// a clock: measured with two warpgroups, 64.1 clocks for either (NVIDIA H100, driver 580.159, 2026-11-26). So products take half of the clocks
// that they take in fp16. Much of what that spares is spent on making bytes, for which a tile's halves are read once more; the largest is found
// while they are written, and what a channel counts comes from memory meanwhile. Whole frames take 0.95 of fp16's time at 256x256, 0.94 at 512x512,
// 0.92 at 640x480, 0.93 at 1280x720, 0.92 at 1920x1080 and 0.91 at 3840x2160 (H200, 2026-11-27, medians of 3 runs' medians of 30). While a
// tile was read a second time for the largest and the channels' factors were loaded when sums began, they took 0.01 to 0.06 more (the same run; nothing
// at 3840x2160). Slower (H100, 2026-11-26, in one run): the range of each channel told along with its statistics, so that the norm wrote bytes at once and
// no tile was read again: 0.153 ms a frame of 0.148 at 256x256, 0.237 of 0.234 at 512x512, 0.671 to 0.676 of 0.664 to 0.668 at 1280x720, 1.36 of 1.30 at
// 1920x1080, 5.25 of 4.84 at 3840x2160, and 0.42 of 0.43 at 960x540. Probably, not measured: ranges, bytes and the registers for them cost the warps that
// store and load more than the two readings cost those that multiply. The sample in Candy lost 4 to 10 dB: a factor for all of a layer is coarser than a tile's.
// racecheck, clean at 512x512 and 1280x720, displayed 5 warnings at 1920x1080, which were not looked into.
// targets: sm_90a
#include "deep_wgmma.cuh"
#include "pieces_wgmma.cuh"

using namespace sf;

SF_SHORT_CHAINS(half_t, true, int8)
SF_ALL_PIECES(half_t, true, int8)

extern "C" __global__ void __launch_bounds__(512, 1) wgmma_256x128_int8(const __grid_constant__ ChainParams p) {
    convolve_deep<half_t, 2, 6, true>(p);
}
