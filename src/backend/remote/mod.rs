//! A backend that lives in another process, behind two pipes.
//!
//! A kernel that traps ends more than its context: NVIDIA's driver refuses every further context to the process
//! in which that happened (cuda.h says so of errors 700, 719 and similar ones). With driver 580 that was seen
//! of contexts made anew, of the primary one released or reset, and of one made beforehand; closing the
//! driver's library does not unload it, and a second copy of it does not start. So a GPU that was lost is
//! opened again in a process of its own: this program, started with [`COMMAND`], which answers on its standard
//! streams until its standard input is closed. Only after a loss do pictures go through the pipes, each of them
//! twice; a GPU that was never lost is called directly.
//!
//! [`RemoteBackend`] calls and [`serve`] answers. Neither knows what kind of backend it is, so that
//! both are tested without a GPU. Any thread may call: one call is under way at a time, the others
//! wait. Every call has a deadline (`deadline.rs`): a process that lets it pass hangs in the driver and
//! is killed.

mod client;
mod deadline;
mod link;
mod server;
#[doc(hidden)]
pub mod wire;

pub use client::RemoteBackend;
pub use deadline::Timer;
pub use server::{end_with_parent, serve};

/// The command with which this program serves a backend to the one that started it; the number of
/// the GPU follows.
pub const COMMAND: &str = "gpu-worker";
