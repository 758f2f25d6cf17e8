// The pointwise operations of the baseline, one launch each, as a framework runs them.
//
// Computes, on maps of element.cuh, for every n, y, x, c:
//   load_photo     map[n,y,x,c] = photo[n,y,x,c] * scale for c < 3, and 0 for 3 <= c < channels
//   pad            to[n,y,x,c] = from[n, reflected(y - margin), reflected(x - margin), c]
//   upsample       to[n,y,x,c] = from[n, y / 2, x / 2, c]
//   relu           to = max(from, 0)
//   add            map = map + addend
//   bias           to = from + bias[c]
//   normalise      to = (from - mean[n,c]) * rstd[n,c]
//   affine         to = from * gamma[c] + beta[c]
//   store_picture  picture[n,y,x] = levels of map[n,y,x,0..2], alpha of photo[n,y,x]
//   store_floats   planes[n,c,y,x] = map[n,y,x,c] for c < 3
//
// Entries: each name above with _f32, _f16 and _bf16, the type of the maps. Vectors of a
// channel (bias, mean, rstd, gamma, beta) are fp32.
//
// Layouts: photo and picture are RGBA8, (n, height, width), red in the lowest byte; `scale` is 1 for
// levels, 1/256 if the first layer needs numbers below 1. Maps and vectors are aligned to 16 bytes;
// channels are a multiple of 16 bytes' values. load_photo, whose channels are 4, 8 or 16, and pad also support
// 4 values of 16 bits. A vector has a value for every channel of the map, 0 in the
// padding, so that the padding remains 0. `to` may be `from`, except in pad and upsample. The store
// entries crop a map of map_width x map_height to width x height from the top left.
// pad: margin <= side - 1 of both sides.
//
// Launch: block 256, no dynamic shared memory. A thread handles 16 bytes of the output map, or
// the 8 bytes of a pixel of 4 halves:
// grid (ceil(width' * channels * sizeof(T) / 16 / 256), height', batch), where width' and height'
// are those of `to`: width + 2 * margin in pad, 2 * width in upsample, otherwise width. load_photo,
// store_picture and store_floats: a thread per pixel, grid (ceil(width / 256), height, batch).
// height' and batch are at most 65535.
//
// Work: at 512x512x32 fp16, relu reads and writes 16.8 MB each for 8.4 MFLOP, 0.25 FLOP per byte.
// Roofline: memory, for every entry.
// Measured: NVIDIA H200, driver 580.159, 2026-11-20, launches between device events, medians of 20, 512x512x32 in
// fp16, which fits the L2 cache: relu 9.2 us, affine 9.3, normalise 8.7, pad 9.4 to 19, upsample
// to it 13; 3.1 to 3.8 TB/s of a copy's 4.25 TB/s. 128x128x128: 5.4 to 6.4 us, of which about 3
// are launch and event.
//
// Numerics: arithmetic in fp32, rounded once to the map's type, to nearest even. A NaN is kept in
// every map and becomes level 0 in store_picture. Levels are clamped to 0..255 and rounded half away from zero.
//
// Barriers: none; threads share nothing.
#include "element.cuh"
#include "entries.cuh"

using namespace sf;

// Of `load_photo_*`.
struct LoadPhotoParams {
    const u32* photo;  // RGBA8 pixels (n, height, width)
    void* map;  // map (n, height, width, channels) to write
    int width;  // width in pixels
    int height;  // height in pixels
    float scale;  // factor on levels: 1, or 1/256
    int channels;  // channels, padding included: 4, 8 or 16
};
static_assert(sizeof(LoadPhotoParams) == 32, "as params.rs lays it out");

// Of `pad_*`.
struct PadParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map (n, height + 2 margin, width + 2 margin, channels) to write
    int width;  // width of `from` in pixels
    int height;  // height of `from` in pixels
    int channels;  // channels, padding included
    int margin;  // pixels added on every side; less than width and height
};
static_assert(sizeof(PadParams) == 32, "as params.rs lays it out");

// upsample (width and height are those of `from`) and relu.
struct MapParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write: twice as wide and high (`upsample`), or of the same size (`relu`)
    int width;  // width of `from` in pixels
    int height;  // height of `from` in pixels
    int channels;  // channels, padding included
};
static_assert(sizeof(MapParams) == 32, "as params.rs lays it out");

// Of `add_*`.
struct AddParams {
    void* map;  // map (n, height, width, channels) that is added to
    const void* addend;  // map that is added
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
};
static_assert(sizeof(AddParams) == 32, "as params.rs lays it out");

// Of `bias_*`.
struct BiasParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write; may be `from`
    const float* bias;  // fp32 (channels), 0 in the padding
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
};
static_assert(sizeof(BiasParams) == 40, "as params.rs lays it out");

// `mean` and `rstd` are (n, channels).
struct NormaliseParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write; may be `from`
    const float* mean;  // fp32 (n, channels), from `mean_finish`
    const float* rstd;  // fp32 (n, channels), from `variance_finish`
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
};
static_assert(sizeof(NormaliseParams) == 48, "as params.rs lays it out");

// Of `affine_*`.
struct AffineParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write; may be `from`
    const float* gamma;  // fp32 (channels), 0 in the padding
    const float* beta;  // fp32 (channels), 0 in the padding
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
};
static_assert(sizeof(AffineParams) == 48, "as params.rs lays it out");

// Of `store_picture_*`.
struct StorePictureParams {
    const void* map;  // map (n, map_height, map_width, channels) of levels in its first three channels
    const u32* photo;  // RGBA8 pixels (n, photo_height, photo_width) from which alpha is copied
    u32* picture;  // RGBA8 pixels (n, height, width) to write
    int map_width;  // width of the map in pixels, at least `width`
    int map_height;  // height of the map in pixels, at least `height`
    int channels;  // channels of the map, padding included
    int width;  // width of the picture in pixels
    int height;  // height of the picture in pixels
    int photo_width;  // width of the photo in pixels, at least `width`
    int photo_height;  // height of the photo in pixels, at least `height`
};
static_assert(sizeof(StorePictureParams) == 56, "as params.rs lays it out");

// Of `store_floats_*`.
struct StoreFloatsParams {
    const void* map;  // map (n, map_height, map_width, channels)
    float* planes;  // fp32 (n, 3, height, width) to write
    int map_width;  // width of the map in pixels, at least `width`
    int map_height;  // height of the map in pixels, at least `height`
    int channels;  // channels of the map, padding included
    int width;  // width of the planes in pixels
    int height;  // height of the planes in pixels
};
static_assert(sizeof(StoreFloatsParams) == 40, "as params.rs lays it out");

// The position of a thread of the row grid: 16 bytes of row y of image n.
struct Place {
    int n;
    int y;
    int x;
    int channel;
    bool is_inside;
};

template <class T> __device__ __forceinline__ Place place(int width, int channels) {
    int packs = channels / Pack<T>::COUNT;
    int at = (int)(blockIdx.x * 256 + threadIdx.x);
    Place p;
    p.n = (int)blockIdx.z;
    p.y = (int)blockIdx.y;
    p.x = at / packs;
    p.channel = (at - p.x * packs) * Pack<T>::COUNT;
    p.is_inside = p.x < width;
    return p;
}

// Index of the first element of a pixel.
__device__ __forceinline__ u64 pixel(int n, int y, int x, int height, int width, int channels) {
    return (((u64)n * (u32)height + (u32)y) * (u32)width + (u32)x) * (u32)channels;
}

template <class T> __device__ __forceinline__ void load_photo(const LoadPhotoParams& p) {
    int x = (int)(blockIdx.x * 256 + threadIdx.x);
    if (x >= p.width) return;
    u64 at = pixel((int)blockIdx.z, (int)blockIdx.y, x, p.height, p.width, 1);
    u32 rgba = p.photo[at];
    T* to = static_cast<T*>(p.map) + at * (u32)p.channels;
    if (p.channels < Pack<T>::COUNT) {
        // Four halves.
        union { uint2 raw; T e[4]; } u;
#pragma unroll
        for (int c = 0; c < 4; ++c)
            u.e[c] = narrow<T>(c < 3 ? (float)((rgba >> (8 * c)) & 255u) * p.scale : 0.0f);
        *reinterpret_cast<uint2*>(to) = u.raw;
        return;
    }
    for (int c = 0; c < p.channels; c += Pack<T>::COUNT) {
        float v[Pack<T>::COUNT];
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) {
            int channel = c + i;
            v[i] = channel < 3 ? (float)((rgba >> (8 * channel)) & 255u) * p.scale : 0.0f;
        }
        store_pack(to + c, v);
    }
}

// Copies one Word, by default 16 bytes, unchanged.
template <class Word = uint4, class T> __device__ __forceinline__ void copy_pack(T* to, const T* from) {
    *reinterpret_cast<Word*>(to) = *reinterpret_cast<const Word*>(from);
}

template <class T> __device__ __forceinline__ void pad(const PadParams& p) {
    int width = p.width + 2 * p.margin, height = p.height + 2 * p.margin;
    bool is_narrow = p.channels < Pack<T>::COUNT;
    // A narrow pixel is one word, like a wider one of exactly 16 bytes.
    Place at = place<T>(width, is_narrow ? Pack<T>::COUNT : p.channels);
    if (!at.is_inside) return;
    int x = reflected(at.x - p.margin, p.width), y = reflected(at.y - p.margin, p.height);
    if (is_narrow) {
        copy_pack<uint2>(
            static_cast<T*>(p.to) + pixel(at.n, at.y, at.x, height, width, p.channels),
            static_cast<const T*>(p.from) + pixel(at.n, y, x, p.height, p.width, p.channels));
        return;
    }
    copy_pack(static_cast<T*>(p.to) + pixel(at.n, at.y, at.x, height, width, p.channels) + at.channel,
              static_cast<const T*>(p.from) + pixel(at.n, y, x, p.height, p.width, p.channels) +
                  at.channel);
}

template <class T> __device__ __forceinline__ void upsample(const MapParams& p) {
    int width = 2 * p.width, height = 2 * p.height;
    Place at = place<T>(width, p.channels);
    if (!at.is_inside) return;
    copy_pack(static_cast<T*>(p.to) + pixel(at.n, at.y, at.x, height, width, p.channels) + at.channel,
              static_cast<const T*>(p.from) +
                  pixel(at.n, at.y / 2, at.x / 2, p.height, p.width, p.channels) + at.channel);
}

// Applies `change(value, place, i)` to element i of this thread's 16 bytes.
template <class T, class Params, class Change>
__device__ __forceinline__ void change_each(const Params& p, const void* from, void* to, Change change) {
    Place at = place<T>(p.width, p.channels);
    if (!at.is_inside) return;
    u64 index = pixel(at.n, at.y, at.x, p.height, p.width, p.channels) + (u32)at.channel;
    float v[Pack<T>::COUNT];
    load_pack(static_cast<const T*>(from) + index, v);
    change(v, at, index);
    store_pack(static_cast<T*>(to) + index, v);
}

// Reads a vector's values for the channels of 16 bytes of a map.
template <class T>
__device__ __forceinline__ void load_channels(const float* vector, float (&v)[Pack<T>::COUNT]) {
#pragma unroll
    for (int i = 0; i < Pack<T>::COUNT; i += 4) {
        float4 four = *reinterpret_cast<const float4*>(vector + i);
        v[i] = four.x;
        v[i + 1] = four.y;
        v[i + 2] = four.z;
        v[i + 3] = four.w;
    }
}

template <class T> __device__ __forceinline__ void relu(const MapParams& p) {
    change_each<T>(p, p.from, p.to, [](float(&v)[Pack<T>::COUNT], const Place&, u64) {
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] = v[i] < 0.0f ? 0.0f : v[i];
    });
}

template <class T> __device__ __forceinline__ void add(const AddParams& p) {
    change_each<T>(p, p.map, p.map, [&](float(&v)[Pack<T>::COUNT], const Place&, u64 index) {
        float a[Pack<T>::COUNT];
        load_pack(static_cast<const T*>(p.addend) + index, a);
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] += a[i];
    });
}

template <class T> __device__ __forceinline__ void bias(const BiasParams& p) {
    change_each<T>(p, p.from, p.to, [&](float(&v)[Pack<T>::COUNT], const Place& at, u64) {
        float b[Pack<T>::COUNT];
        load_channels<T>(p.bias + at.channel, b);
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] += b[i];
    });
}

template <class T> __device__ __forceinline__ void normalise(const NormaliseParams& p) {
    change_each<T>(p, p.from, p.to, [&](float(&v)[Pack<T>::COUNT], const Place& at, u64) {
        float mean[Pack<T>::COUNT], rstd[Pack<T>::COUNT];
        int first = at.n * p.channels + at.channel;
        load_channels<T>(p.mean + first, mean);
        load_channels<T>(p.rstd + first, rstd);
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] = (v[i] - mean[i]) * rstd[i];
    });
}

template <class T> __device__ __forceinline__ void affine(const AffineParams& p) {
    change_each<T>(p, p.from, p.to, [&](float(&v)[Pack<T>::COUNT], const Place& at, u64) {
        float gamma[Pack<T>::COUNT], beta[Pack<T>::COUNT];
        load_channels<T>(p.gamma + at.channel, gamma);
        load_channels<T>(p.beta + at.channel, beta);
#pragma unroll
        for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] = v[i] * gamma[i] + beta[i];
    });
}

// The first three channels of a pixel of the map, for a picture that is cropped from it.
template <class T, class Params>
__device__ __forceinline__ void load_rgb(const Params& p, int n, int y, int x, float (&rgb)[3]) {
    const T* from =
        static_cast<const T*>(p.map) + pixel(n, y, x, p.map_height, p.map_width, p.channels);
    float v[Pack<T>::COUNT];
    load_pack(from, v);
#pragma unroll
    for (int c = 0; c < 3; ++c) rgb[c] = v[c];
}

template <class T> __device__ __forceinline__ void store_picture(const StorePictureParams& p) {
    int x = (int)(blockIdx.x * 256 + threadIdx.x), y = (int)blockIdx.y, n = (int)blockIdx.z;
    if (x >= p.width) return;
    float rgb[3];
    load_rgb<T>(p, n, y, x, rgb);
    u64 at = pixel(n, y, x, p.height, p.width, 1);
    u32 alpha = p.photo[pixel(n, y, x, p.photo_height, p.photo_width, 1)] & 0xff000000u;
    p.picture[at] = level(rgb[0]) | (level(rgb[1]) << 8) | (level(rgb[2]) << 16) | alpha;
}

template <class T> __device__ __forceinline__ void store_floats(const StoreFloatsParams& p) {
    int x = (int)(blockIdx.x * 256 + threadIdx.x), y = (int)blockIdx.y, n = (int)blockIdx.z;
    if (x >= p.width) return;
    float rgb[3];
    load_rgb<T>(p, n, y, x, rgb);
    u64 plane = (u64)(u32)p.height * (u32)p.width;
    float* to = p.planes + (u64)n * 3 * plane + (u64)(u32)y * (u32)p.width + (u32)x;
#pragma unroll
    for (int c = 0; c < 3; ++c) to[c * plane] = rgb[c];
}

// An operation's entry for one type.
#define ENTRY(operation, Params, precision, T)                                                      \
    extern "C" __global__ void __launch_bounds__(256)                                               \
        operation##_##precision(const __grid_constant__ Params p) {                                 \
        operation<T>(p);                                                                            \
    }

ENTRIES(ENTRY, load_photo, LoadPhotoParams)
ENTRIES(ENTRY, pad, PadParams)
ENTRIES(ENTRY, upsample, MapParams)
ENTRIES(ENTRY, relu, MapParams)
ENTRIES(ENTRY, add, AddParams)
ENTRIES(ENTRY, bias, BiasParams)
ENTRIES(ENTRY, normalise, NormaliseParams)
ENTRIES(ENTRY, affine, AffineParams)
ENTRIES(ENTRY, store_picture, StorePictureParams)
ENTRIES(ENTRY, store_floats, StoreFloatsParams)
