//! From a photo and a style's network to a painting: the jobs that the surfaces drive.
//!
//! [`paint`] blocks its caller: the command line's photos run it on the main thread. It also replaces a
//! lost GPU by the processor. The window and `styleforge live` use [`Engine`] instead, the
//! handle of one thread that owns the device, its [pool of sessions](sessions) and [live pictures](live), with
//! a loader thread and one for frames that are painted once more; the window also uses [`compositor`], one thread that lays finished paintings over their
//! photos. The surfaces send commands to both and read their events and results later; they never wait for
//! either.
//!
//! Knows no window, no arguments and no file format.

mod bounded_thread;
pub mod compositor;
mod device;
pub mod devices;
pub mod error;
mod events;
mod handle;
pub mod live;
pub mod paint;
mod photos;
pub mod protocol;
mod repaint;
pub mod sessions;
pub mod style_picture;
mod thread;
pub mod trial;

pub use bounded_thread::WakeUp;
pub use error::panic_message;
pub use handle::Engine;
