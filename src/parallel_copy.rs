//! Copies large frames by several threads. Any thread may call.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

/// Most threads that copy a frame: memory gives no more bytes a second to more of them.
const MOST_COPYING: usize = 8;
/// Bytes that a thread copies at once.
const COPIED_BYTES: usize = 256 << 10;

/// The threads that copy frames, those of others beside them; none where the processor has too few. They are of their own,
/// because a frame must not wait for anything else that threads do.
static COPYING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, NonZero::get) / 2;
    let pool = ThreadPoolBuilder::new().num_threads(threads.min(MOST_COPYING));
    let pool = pool.thread_name(|at| format!("copies {at}"));
    (threads > 1).then(|| pool.build().ok()).flatten()
});

/// Copies pixels, of equal length. One thread copies some 8 GB a second, a fifth of what the bus to a GPU carries.
///
/// # Panics
/// When the lengths differ.
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
