// A kernel that fails on purpose: the GPU tests launch it to lose a context for real. The
// program itself never launches it.
//
// Computes: nothing.
// Entries: trap_thread(thread): the thread with this index in its CTA executes PTX's `trap`, which
// ends the launch with an error, after which every call on the context fails.
//
// Launch: any grid and block, no shared memory. With `thread` beyond the block nothing happens.
// Work: none. Roofline: none. Measured: NOT MEASURED. Numerics: none. Barriers: none.

extern "C" __global__ void trap_thread(unsigned int thread) {
    if (threadIdx.x == thread) asm volatile("trap;");
}
