// Entries for each storage type. `ENTRY` is a macro of one entry, whose last arguments are the type's suffix and the
// type.
#pragma once

// bf16 is for tensor cores that have it.
#if __CUDA_ARCH__ >= 800
#define HALF_ENTRIES(ENTRY, ...)                                                                    \
    ENTRY(__VA_ARGS__, f16, half_t)                                                                 \
    ENTRY(__VA_ARGS__, bf16, bfloat_t)
#else
#define HALF_ENTRIES(ENTRY, ...) ENTRY(__VA_ARGS__, f16, half_t)
#endif
#define ENTRIES(ENTRY, ...)                                                                         \
    ENTRY(__VA_ARGS__, f32, float)                                                                  \
    HALF_ENTRIES(ENTRY, __VA_ARGS__)

// For the kernels of general graphs.
#define GENERAL_ENTRY(operation, Params, precision, T)                                              \
    extern "C" __global__ void __launch_bounds__(256)                                               \
        general_##operation##_##precision(const __grid_constant__ Params p) {                       \
        operation<T>(p);                                                                            \
    }
#define GENERAL_ENTRIES(operation, Params) ENTRIES(GENERAL_ENTRY, operation, Params)
