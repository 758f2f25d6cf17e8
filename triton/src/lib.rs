//! A backend of NVIDIA's Triton Inference Server that paints pictures with StyleForge.
//!
//! The server loads this library (`libtriton_styleforge.so`), calls the functions that [`api`] exports, and does
//! networking, batching, metrics and the model repository itself. `docs/server.md` describes its use.
//!
//! | file | contents |
//! |---|---|
//! | [`api`] | the C interface in both directions; the only `unsafe` |
//! | [`config`] | the model's configuration: completed and checked |
//! | [`options`] | the choices for a request's pictures |
//! | [`model`] | the style, shared by all instances |
//! | [`instance`] | a device and its painter |
//! | [`pictures`] | tensors to pictures and back |
//! | [`execute`] | groups, paints and answers requests |
//!
//! Threads: the server calls a model's functions one after another, and an instance's on a thread of its own.

/// Keeps the memory of pictures for the next ones. The system's allocator returns it, and a new page costs more than
/// copying what is written to it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod api;
pub mod config;
pub mod execute;
#[cfg(test)]
#[path = "../../tests/support/home.rs"]
mod home;
pub mod instance;
pub mod model;
pub mod options;
pub mod pictures;
