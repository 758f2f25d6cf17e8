//! Copies large frames with several threads. May be called from any thread.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

/// Maximum number of copying threads; more threads do not increase the memory throughput.
const MAX_COPYING: usize = 8;
/// Bytes that a thread copies at once.
const COPIED_BYTES: usize = 256 << 10;

/// The threads that copy frames; `None` if the CPU has too few. A separate pool, because a frame must not wait for
/// other work of the shared threads.
static COPYING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, NonZero::get) / 2;
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads.min(MAX_COPYING))
        .thread_name(|at| format!("copies {at}"));
    (threads > 1).then(|| pool.build().ok()).flatten()
});

/// Copies pixels. A single thread copies about 8 GB/s, a fifth of the bus to a GPU.
///
/// # Panics
/// If the lengths differ.
pub fn copy(to: &mut [u8], from: &[u8]) {
    assert_eq!(to.len(), from.len(), "bytes of a frame");
    match COPYING.as_ref().filter(|_| to.len() > 2 * COPIED_BYTES) {
        Some(pool) => pool.install(|| {
            let parts = to.par_chunks_mut(COPIED_BYTES);
            parts
                .zip(from.par_chunks(COPIED_BYTES))
                .for_each(|(to, from)| to.copy_from_slice(from));
        }),
        None => to.copy_from_slice(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_whole_at_any_length() {
        for length in [0, 5, 2 * COPIED_BYTES, 2 * COPIED_BYTES + 1, 7 * COPIED_BYTES - 3] {
            let from: Vec<u8> = (0..length).map(|i| (i * 7 / 5) as u8).collect();
            let mut to = vec![0; length];
            copy(&mut to, &from);
            assert_eq!(to, from, "{length}");
        }
    }
}
