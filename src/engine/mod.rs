//! From a photo and a style's network to a painting: the jobs that the surfaces drive.
//!
//! [`paint`] blocks and belongs to whoever calls it: the command line runs it on its main thread. It also puts
//! another device in the place of one that was lost. The window runs [`Engine`] instead, the handle of one
//! thread that owns the device, its [pool of sessions](sessions) and [live pictures](live), with a loader
//! beside it; and [`compositor`], one thread that lays finished paintings over their photos. The window sends
//! commands to both and reads their events and results later; it never waits for either.
//!
//! Knows no window, no arguments and no file format.

mod bounded_thread;
pub mod compositor;
mod device;
mod draft;
pub mod error;
mod handle;
pub mod live;
pub mod paint;
mod panic;
pub mod protocol;
pub mod sessions;
mod thread;

pub use bounded_thread::WakeUp;
pub use handle::Engine;
pub(crate) use panic::panic_message;
