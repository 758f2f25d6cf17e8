//! Which maps share a buffer.
//!
//! A launch may not read and write parts of one buffer, so maps that are needed at the same time are in different
//! buffers, as a step's output and its inputs always are.

use plan::arena::Lifetime;

/// The buffer of each map, and the length of each buffer. Maps are in the order in which they are written.
pub fn assign(lifetimes: &[Lifetime]) -> (Vec<usize>, Vec<u64>) {
    let (mut slots, mut last_step): (Vec<u64>, Vec<usize>) = (Vec::new(), Vec::new());
    let slot_of = lifetimes.iter().map(|map| {
        let bytes = map.len as u64;
        let free = (0..slots.len()).filter(|&slot| last_step[slot] < map.first_step);
        // The smallest that is long enough, otherwise the longest, which grows.
        let best = free.min_by_key(|&slot| match slots[slot] {
            long if long >= bytes => (0, long),
            short => (1, u64::MAX - short),
        });
        let slot = best.unwrap_or_else(|| {
            slots.push(0);
            last_step.push(0);
            slots.len() - 1
        });
        slots[slot] = slots[slot].max(bytes);
        last_step[slot] = map.last_step;
        slot
    });
    (slot_of.collect(), slots)
}
