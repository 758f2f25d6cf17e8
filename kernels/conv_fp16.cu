// Convolutions in fp16: maps and operands in fp16, products on tensor cores summed in fp32.
// See conv.cuh for formulas and names of entries.
#include "conv.cuh"

using namespace sf;

#define SF_CONV(NAME, BM, BN, BW, FROM, TO, CHUNKED, PER_SM)                              \
    extern "C" __global__ void __launch_bounds__(256, PER_SM)             \
        NAME(const __grid_constant__ ConvParams p) {                                      \
        convolve<half_t, MmaCore<half_t, BM, BN, BW>, BM, BN, BW, FROM, TO, CHUNKED>(p);     \
    }

SF_CONV(conv_128x128_fp16, 128, 128, 16, FROM_MAP, TO_MAP, false, 1)
SF_CONV(conv_128x128_chunked_fp16, 128, 128, 16, FROM_MAP, TO_MAP, true, 1)
#if __CUDA_ARCH__ != 900
// Hopper has its own kernels for these, and uses the widest for shapes that do not fit them.
SF_CONV(conv_128x64_fp16, 128, 64, 16, FROM_MAP, TO_MAP, false, 2)
SF_CONV(conv_256x32_fp16, 256, 32, 32, FROM_MAP, TO_MAP, false, 2)
SF_CONV(conv_photo_256x32_fp16, 256, 32, 16, FROM_PHOTO, TO_MAP, false, 2)
#endif
SF_CONV(conv_picture_256x32_fp16, 256, 32, 32, FROM_MAP, TO_PICTURE, false, 2)
SF_CONV(conv_picture_256x32_chunked_fp16, 256, 32, 32, FROM_MAP, TO_PICTURE, true, 1)
