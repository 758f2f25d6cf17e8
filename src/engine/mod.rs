//! From a photo and a style's network to a painting: the jobs that the surfaces drive.
//!
//! [`paint`] blocks and belongs to whoever calls it: the command line runs it on its main thread. It
//! also puts another device in the place of one that was lost. The window runs [`worker`] instead,
//! one thread that owns the backend and its sessions (those of live pictures are opened beside it, by
//! [`live::Opener`]), and [`compositor`], one thread that lays finished paintings over their photos. Both
//! are told what to do and answer later; neither is ever waited for.
//!
//! Knows no window, no arguments and no file format.

pub mod compositor;
mod device;
pub mod live;
pub mod paint;
pub mod protocol;
mod serve;
mod thread;
pub mod worker;

pub(crate) use serve::panic_message;
pub use worker::Engine;
