// Convolutions in int8: maps in fp16, operands in bytes, products on tensor cores summed in integers.
// See conv.cuh for formulas and names of entries, and bytes.cuh for the meaning of a byte. Only the layers of residual
// blocks of 128 channels have such entries; the others use those of fp16.
//
// Launch: as conv_128x128_fp16. Work: the same, in half of the clocks of products.
// Measured: kernels for compute capability 8.0 on an NVIDIA H200, 2026-11-27, recorded graphs: a frame takes 0.400 ms at
// 512x512 and 1.190 at 1280x720 (fp16: 0.444 and 1.342).
// targets: sm_80 sm_120 compute_80
#include "conv.cuh"

using namespace sf;

// Hopper has its own kernels (wgmma_int8.cu); on a T4 the tile does not fit shared memory.
extern "C" __global__ void __launch_bounds__(256, 1) conv_128x128_int8(const __grid_constant__ ConvParams p) {
    convolve<half_t, MmaCore<half_t, 128, 128, 16>, 128, 128, 16, FROM_MAP, TO_MAP, false, true>(p);
}
