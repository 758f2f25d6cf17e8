//! Threads that end in time, child processes with deadlines, and the signals that ask the program to stop.
//!
//! It does not know pictures and devices. It may use `values`.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod bounded_thread;
mod children;
pub mod process;
pub mod signals;

pub use bounded_thread::{BoundedThread, WakeUp};

/// Number of processors that this program may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
