//! How the system's allocator treats the large pieces of memory that sessions and frames are made of.

/// Size from which on a piece of memory goes back to the system as soon as it is freed, in bytes: what glibc
/// begins with.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: libc::c_int = 128 * 1024;

/// Makes the allocator return large pieces of memory to the system as soon as they are freed, for as long as
/// the program runs. To be called before there are other threads. Does nothing where the allocator is not
/// glibc's.
///
/// glibc raises its limit to the size of every large piece that is freed, up to 32 MiB. From then on sessions
/// and frames lie between small pieces that live long, in an arena of every thread, and a program in which
/// style, mode and size are switched for minutes holds twice the memory that it uses.
///
/// With `is_limited` addresses all threads share one arena: each arena of its own reserves 64 MiB of them, which a limit
/// of the address space counts.
pub fn give_large_pieces_back(is_limited: bool) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes numbers only, and no other thread sets anything up.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        if is_limited {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}
