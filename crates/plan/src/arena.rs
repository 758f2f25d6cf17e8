//! Places the buffers of a plan in one allocation (the arena). Buffers that are never needed at the same time share
//! memory.

/// The length of a buffer, and the range of steps (inclusive) in which it contains values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// In elements.
    pub len: usize,
    /// First step that writes it.
    pub first_step: usize,
    /// Last step that reads it.
    pub last_step: usize,
}

/// Buffers start at multiples of this, in elements: 64 bytes of f32, a cache line.
const ALIGNMENT: usize = 16;

/// Assigns every buffer its offset, first fit, the largest first (later, small buffers would have fragmented the
/// space). Returns the offsets and the length of the whole arena, in elements. Buffers whose lifetimes overlap never
/// overlap in memory.
pub fn place(buffers: &[Lifetime]) -> (Vec<usize>, usize) {
    let mut largest_first: Vec<usize> = (0..buffers.len()).collect();
    largest_first.sort_by_key(|&i| std::cmp::Reverse(buffers[i].len));
    let mut offsets = vec![0; buffers.len()];
    // Sorted by offset, so that a search ends at the first gap.
    let mut placed: Vec<(usize, Lifetime)> = Vec::with_capacity(buffers.len());
    for index in largest_first {
        let buffer = buffers[index];
        let mut offset = 0;
        for (start, other) in &placed {
            if buffer.first_step > other.last_step || other.first_step > buffer.last_step {
                continue;
            }
            if offset + buffer.len <= *start {
                break;
            }
            offset = offset.max((start + other.len).next_multiple_of(ALIGNMENT));
        }
        offsets[index] = offset;
        let at = placed.partition_point(|(other, _)| *other <= offset);
        placed.insert(at, (offset, buffer));
    }
    let len = placed.iter().map(|(offset, b)| offset + b.len).max();
    (offsets, len.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn living_buffers_never_overlap(
            needs in prop::collection::vec((1usize..5000, 0usize..20, 0usize..6), 1..30)
        ) {
            let buffers: Vec<Lifetime> = needs
                .iter()
                .map(|&(len, first_step, more)| Lifetime { len, first_step, last_step: first_step + more })
                .collect();
            let (offsets, total) = place(&buffers);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(offsets[i] + a.len <= total);
                prop_assert_eq!(offsets[i] % ALIGNMENT, 0);
                for (j, b) in buffers.iter().enumerate().take(i) {
                    let together = a.first_step <= b.last_step && b.first_step <= a.last_step;
                    let apart = offsets[i] + a.len <= offsets[j] || offsets[j] + b.len <= offsets[i];
                    prop_assert!(!together || apart);
                }
            }
        }
    }

    #[test]
    fn the_memory_of_dead_buffers_is_reused() {
        let step = |first_step, last_step| Lifetime { len: 100, first_step, last_step };
        let (offsets, total) = place(&[step(0, 1), step(1, 2), step(2, 3)]);
        assert_eq!(offsets[0], offsets[2]);
        assert!(total < 250);
    }
}
