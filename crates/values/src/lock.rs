//! Locks whose values stay valid when a thread panics.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `of`, also after a thread panicked while it held the lock.
pub fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
