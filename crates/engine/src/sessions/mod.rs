//! The sessions of a device. One pool with one memory budget serves photos, live pictures, previews and comparisons,
//! and one thread loads and closes sessions while others paint.
//!
//! Knows no frames, no settings and no surface. Belongs to the thread that paints; the loader has its own.

mod loader;
mod pool;

pub use loader::{Loader, LoaderThread, Requests};
pub use pool::{Lease, Loaded, Purpose, SessionKey, SessionPool};
