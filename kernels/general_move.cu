// Operations that move values unchanged, for graphs that the specialised kernels do not compute: padding, cropping,
// joining and splitting channels, blocks of pixels to channels and back.
//
// Computes, for every n, y, x and every unit u < count of a pixel, with `to` at unit first + u:
//   MOVE_PLACES          to = from[n, place(y - top), place(x - left), u + source]; beyond the edge (`edge`) it is
//                        mirrored or repeated, or `fill`. A crop has negative margins.
//   MOVE_BLOCK_FIRST     to = from[n, y / block, x / block, (y % block * block + x % block) * width + u]
//   MOVE_CHANNEL_FIRST   to = from[n, y / block, x / block, (u * block + y % block) * block + x % block]
//   MOVE_TO_CHANNELS     to = from[n, y * block + u / width / block, x * block + u / width % block, u % width]
// where width = block_units. Units from `real` on are padding and become zero.
//
// Entries: general_move_128, _32 and _16, by the bits of a unit: 16 bytes of channels if all channel counts
// are multiples of it, otherwise a single value of f32 or f16.
//
// Layouts: maps of element.cuh, with channels counted in units.
//
// Launch: block 256, grid (ceil(out_width * count / 256), out_height, batch), no shared memory; a thread per unit.
//
// Work: at 512x512x32 fp16, 16.8 MB each are read and written. Roofline: memory.
// Measured: NOT MEASURED.
//
// Numerics: none; bits are copied. Barriers: none; threads share nothing.
#include "general.cuh"

using namespace sf;

// `fill` contains the bits of a value; those of an f16 value twice.
struct GeneralMoveParams {
    const void* from;  // map (n, in_height, in_width, in_units)
    void* to;  // map (n, out_height, out_width, out_units) to write
    int in_height;  // rows of `from`
    int in_width;  // columns of `from`
    int in_units;  // units of a pixel of `from`
    int out_height;  // rows of `to`
    int out_width;  // columns of `to`
    int out_units;  // units of a pixel of `to`
    int first;  // first unit that is written
    int count;  // units that are written
    int real;  // number of these units that are read; the rest is filled with zeros
    int source;  // first unit that is read
    int kind;  // where values come from
    int edge;  // the border beyond the edge of `from`
    int top;  // rows by which values move down
    int left;  // columns by which values move to the right
    int block;  // side of a block, in pixels
    int block_units;  // units of a pixel in a block
    u32 fill;  // bits of the value outside the map
    int spare;
};
static_assert(sizeof(GeneralMoveParams) == 88, "as params.rs lays it out");

// The numbers are those of `MoveKind` in crates/plan/src/cuda/general/launch.rs.
enum { MOVE_PLACES = 0, MOVE_BLOCK_FIRST = 1, MOVE_CHANNEL_FIRST = 2, MOVE_TO_CHANNELS = 3 };

template <class Unit> __device__ __forceinline__ Unit unit_of(u32 bits);
template <> __device__ __forceinline__ uint4 unit_of<uint4>(u32 bits) { return make_uint4(bits, bits, bits, bits); }
template <> __device__ __forceinline__ u32 unit_of<u32>(u32 bits) { return bits; }
template <> __device__ __forceinline__ u16 unit_of<u16>(u32 bits) { return (u16)bits; }

template <class Unit> __device__ __forceinline__ void move(const GeneralMoveParams& p) {
    Spot s = spot(p.out_width, p.count);
    if (!s.is_inside) return;
    int y, x, unit;
    if (p.kind == MOVE_PLACES) {
        y = place_on(s.y - p.top, p.in_height, p.edge);
        x = place_on(s.x - p.left, p.in_width, p.edge);
        unit = s.unit + p.source;
    } else if (p.kind == MOVE_TO_CHANNELS) {
        const int at = s.unit / p.block_units;
        y = s.y * p.block + at / p.block;
        x = s.x * p.block + at % p.block;
        unit = s.unit % p.block_units;
    } else {
        const int down = s.y % p.block, across = s.x % p.block;
        y = s.y / p.block;
        x = s.x / p.block;
        unit = p.kind == MOVE_BLOCK_FIRST ? (down * p.block + across) * p.block_units + s.unit
                                          : (s.unit * p.block + down) * p.block + across;
    }
    Unit value = unit_of<Unit>(p.fill);
    if (s.unit >= p.real)
        value = unit_of<Unit>(0u);
    else if (y >= 0 && x >= 0)
        value = static_cast<const Unit*>(p.from)[pixel_at(s.n, y, x, p.in_height, p.in_width, p.in_units) + (u32)unit];
    static_cast<Unit*>(p.to)[pixel_at(s.n, s.y, s.x, p.out_height, p.out_width, p.out_units) + (u32)(p.first + s.unit)] =
        value;
}

#define ENTRY(bits, Unit)                                                                           \
    extern "C" __global__ void __launch_bounds__(256)                                               \
        general_move_##bits(const __grid_constant__ GeneralMoveParams p) {                          \
        move<Unit>(p);                                                                              \
    }

ENTRY(128, uint4)
ENTRY(32, u32)
ENTRY(16, u16)
