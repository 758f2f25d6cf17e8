//! The sessions of a device: one pool that photos, live pictures, previews and comparisons lease from, with one
//! memory budget, and one thread that loads and closes sessions while others paint.
//!
//! Knows no frames, no settings and no surface. Belongs to the thread that paints; the loader has its own.

mod loader;
mod pool;

pub use loader::{Loader, LoaderThread, Requests};
pub use pool::{Lease, Loaded, Purpose, SessionKey, SessionPool};
