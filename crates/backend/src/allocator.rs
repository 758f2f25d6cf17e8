//! Configures how the system's allocator treats the large blocks of memory that sessions and frames consist of.

/// Makes the allocator return large blocks of memory to the system as soon as they are freed, for the whole life of the
/// process. Must be called before other threads exist. Does nothing if the allocator is not glibc's.
///
/// glibc raises its limit to the size of every large block that is freed, up to 32 MiB. From then on, sessions and
/// frames are placed between small long-lived blocks in an arena of each thread. A program in which the user switches
/// style, mode and size for minutes then holds twice the memory that it uses.
///
/// With `is_limited`, all threads share one arena. Each separate arena would reserve 64 MiB of addresses, which count
/// towards a limit of the address space.
#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu")),
    expect(unused_variables, reason = "other allocators are left as they are")
)]
pub fn return_large_blocks(is_limited: bool) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes only numbers, and no other thread changes these settings.
    unsafe {
        // Blocks of at least this size are returned to the system as soon as they are freed, in bytes. glibc starts
        // with the same value.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
        if is_limited {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
}

/// Makes the allocator use the memory of freed blocks again, for work on many frames of one size. The system takes several
/// milliseconds to provide a frame's memory anew, page by page. May be called at any time; see
/// [`return_large_blocks`].
pub fn reuse_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt takes only numbers, and locks what it changes.
    unsafe {
        // Blocks above this size are always returned to the system; the largest limit that glibc accepts.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        // Free memory that glibc may keep at the end of its heap.
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
    }
}
