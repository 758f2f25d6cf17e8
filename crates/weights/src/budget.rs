//! Limits what reading one file may cost, so that the cost follows from the file's size alone.
//!
//! A reader gets one [`Budget`] and charges it before it does the work: steps for every loop whose length comes from
//! the file, bytes for everything that it allocates in such a loop. Work that exceeds the limit for the file's size is
//! refused, whatever the file says. Lists, maps and texts that grow with the file are filled through the budget, so
//! that none is forgotten. This module knows no format. A budget belongs to the thread that reads.

use std::{cell::Cell, collections::HashMap, hash::Hash};

use super::{Result, WeightsError, error::shortened};
use values::allocation;

/// Steps that any file may take, however small.
const BASE_STEPS: u64 = 1 << 20;
/// Additional steps per byte of the file.
const STEPS_PER_BYTE: u64 = 64;
/// Bytes that any file may take, however small.
const BASE_BYTES: u64 = 32 << 20;
/// Additional bytes per byte of the file. Not everything is accounted for (names, the allocator's tables, spare
/// capacity of growing lists). Including that, reading stays below 64 MiB plus eight times the file.
const BYTES_PER_BYTE: u64 = 6;

/// The steps and bytes that reading one file may still take.
#[derive(Debug)]
pub struct Budget {
    file_bytes: u64,
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

/// What a reader has charged to its [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCost {
    /// Steps of loops whose length comes from the file.
    pub steps: u64,
    /// Bytes that were allocated, freed or not.
    pub bytes: u64,
}

impl Budget {
    /// The budget for a file of this size.
    pub fn for_file(file_bytes: usize) -> Self {
        Self { file_bytes: file_bytes as u64, steps: Cell::new(0), bytes: Cell::new(0) }
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Maximum number of steps that reading may take.
    pub fn step_limit(&self) -> u64 {
        BASE_STEPS.saturating_add(STEPS_PER_BYTE.saturating_mul(self.file_bytes))
    }

    /// Maximum number of bytes that reading may allocate.
    pub fn byte_limit(&self) -> u64 {
        BASE_BYTES.saturating_add(BYTES_PER_BYTE.saturating_mul(self.file_bytes))
    }

    /// The cost so far.
    pub fn cost(&self) -> ReadCost {
        ReadCost { steps: self.steps.get(), bytes: self.bytes.get() }
    }

    /// Charges steps, before they are done.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn steps(&self, count: usize) -> Result<()> {
        self.draw(&self.steps, count, self.step_limit(), "steps")
    }

    /// Charges bytes, before they are allocated.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn bytes(&self, count: usize) -> Result<()> {
        self.draw(&self.bytes, count, self.byte_limit(), "bytes of memory")
    }

    /// Adds `count` to a sum. Leaves the sum unchanged if that would exceed the limit.
    fn draw(&self, drawn: &Cell<u64>, count: usize, limit: u64, what: &'static str) -> Result<()> {
        let total = drawn.get().saturating_add(count as u64);
        if total > limit {
            return Err(WeightsError::TooCostly { what, limit, file_bytes: self.file_bytes });
        }
        drawn.set(total);
        Ok(())
    }

    /// Draws the memory of `count` items.
    pub(crate) fn items<T>(&self, count: usize) -> Result<()> {
        self.bytes(count.saturating_mul(size_of::<T>()))
    }
}

/// Methods that fill collections that grow with the file. Memory that a collection frees when it is reallocated is not
/// deducted, so the sum is above the actual maximum.
impl Budget {
    /// Appends to a list.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn push<T>(&self, list: &mut Vec<T>, item: T) -> Result<()> {
        self.steps(1)?;
        if list.len() == list.capacity() {
            let more = list.len().max(4);
            self.items::<T>(list.len() + more)?;
            list.try_reserve_exact(more).map_err(|_| no_memory::<T>(more))?;
        }
        list.push(item);
        Ok(())
    }

    /// Sets a key of a map; returns the previous value.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn insert<K: Eq + Hash, V>(
        &self,
        map: &mut HashMap<K, V>,
        key: K,
        value: V,
    ) -> Result<Option<V>> {
        self.steps(1)?;
        if map.len() == map.capacity() {
            // The table doubles; an eighth of it stays free, and each place has one byte of metadata.
            let places = (map.capacity() * 16 / 7).next_power_of_two().max(16);
            self.bytes(places.saturating_mul(size_of::<(K, V)>() + 1) + 64)?;
            map.try_reserve(1).map_err(|_| no_memory::<(K, V)>(places))?;
        }
        Ok(map.insert(key, value))
    }

    /// Sets a key of a file; a key may be set once.
    ///
    /// # Errors
    /// [`WeightsError::DuplicateKey`]; [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn insert_once<'k, V>(
        &self,
        map: &mut HashMap<&'k str, V>,
        key: &'k str,
        value: V,
    ) -> Result<()> {
        match self.insert(map, key, value)? {
            None => Ok(()),
            Some(_) => {
                Err(WeightsError::DuplicateKey { first: shortened(key), second: shortened(key) })
            }
        }
    }

    /// A copy of a text.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size.
    pub(crate) fn text(&self, text: &str) -> Result<String> {
        self.steps(1 + text.len() / 8)?;
        self.bytes(text.len())?;
        Ok(text.to_owned())
    }

    /// An empty list with room for `count` items.
    ///
    /// # Errors
    /// [`WeightsError::TooCostly`] if that exceeds the limit for the file's size, [`WeightsError::Memory`] if the
    /// system has not enough memory.
    pub(crate) fn list<T>(&self, count: usize) -> Result<Vec<T>> {
        self.steps(count.saturating_add(1))?;
        self.items::<T>(count)?;
        allocation::list(count).ok_or_else(|| no_memory::<T>(count))
    }
}

fn no_memory<T>(count: usize) -> WeightsError {
    WeightsError::Memory { needed_bytes: count.saturating_mul(size_of::<T>()) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_beyond_the_limit_are_refused_and_not_counted() {
        let budget = Budget::for_file(10);
        assert!(budget.steps(7).is_ok());
        assert!(budget.steps(usize::MAX).is_err());
        let left = budget.step_limit() - 7;
        assert!(budget.steps(left as usize + 1).is_err());
        assert!(budget.steps(left as usize).is_ok());
        let error = budget.bytes(1 << 40).expect_err("too much").to_string();
        assert!(error.contains("10 bytes"), "{error}");
        assert_eq!(budget.cost().bytes, 0);
    }

    #[test]
    fn growing_draws_what_is_allocated() {
        let budget = Budget::for_file(0);
        let (mut list, mut map) = (Vec::new(), HashMap::new());
        for number in 0..1000u64 {
            budget.push(&mut list, number).expect("allowed");
        }
        let drawn = budget.cost().bytes;
        assert!(drawn >= 8 * list.capacity() as u64, "{drawn}");
        for number in 0..1000u64 {
            budget.insert(&mut map, number, number).expect("allowed");
        }
        let drawn = budget.cost().bytes - drawn;
        assert!(drawn >= 17 * map.capacity() as u64, "{drawn}");
        assert!(budget.cost().steps >= 2000);
        let too_long: Result<Vec<u64>, _> = budget.list(usize::MAX);
        assert!(too_long.is_err());
    }
}
