// targets: sm_90a
// InstanceNorm in one launch and one pass over memory, if the pixels of a group of channels fit the shared memory of
// a cluster of 8 CTAs: Hopper's norm_plane.
//
// Computes the same as norm_plane of instance_norm.cu, with its parameters.
// Entries, for maps of type f32, f16, bf16: norm_cluster_*
//
// Launch: block 512, grid (packs / group_packs, n, 8), clusters of 8 along the last; dynamic shared memory
// ceil(pixels / 8) * group_packs * 16 bytes. Each CTA has an eighth of the pixels.
//
// Work: at 128x128x128 fp32, 8.4 MB are read and 8.4 written, for 15 MFLOP. Roofline: memory.
// Measured: NVIDIA H200, driver 580.159, 2026-11-24, 64 maps in turn in a graph, cold caches: 128x128x128 fp32 with ReLU
// 12.5 us (PyTorch's instance norm and ReLU in a graph: 19.0).
//
// Numerics: as norm_plane; every CTA merges the CTAs' moments in the order of their pixels.
//
// Barriers: those of norm_plane; of the cluster before the others' moments are read, and before a CTA ends.
#include "entries.cuh"
#include "instance_norm.cuh"

using namespace sf;

#define ENTRY(operation, Params, threads, precision, T)                                             \
    extern "C" __global__ void __launch_bounds__(threads) __cluster_dims__(1, 1, 8)                 \
        operation##_##precision(const __grid_constant__ Params p) {                                 \
        norm_plane<T, 8>(p);                                                                        \
    }

ENTRIES(ENTRY, norm_cluster, NormPlaneParams, 512)
