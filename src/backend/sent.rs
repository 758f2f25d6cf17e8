//! Frames that lie in a device's memory, where other sessions of the device can paint them.

use std::{any::Any, sync::Arc};

/// The frames that a session was sent for its last run. It says where they lie for as long as they do: until that session
/// paints others or is closed. Only the backend that gave it can read it; any thread may hold it.
#[derive(Clone)]
pub struct SentFrames(Arc<dyn Any + Send + Sync>);

impl SentFrames {
    /// `place` is the backend's own note.
    pub fn new<T: Any + Send + Sync>(place: T) -> Self {
        Self(Arc::new(place))
    }

    /// The backend's own note, if it is of this kind.
    pub fn place<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}
