//! The render target of the large live picture: one session, or two that are compared.
//!
//! Plain data.

use crate::engine::sessions::SessionKey;

/// The device of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSlot {
    /// The painter's.
    Own,
    /// The second one of a comparison.
    Other,
}

/// One session of a picture.
#[derive(Clone, PartialEq)]
pub struct SessionSlot {
    /// Where it is.
    pub device: DeviceSlot,
    /// What it paints.
    pub key: SessionKey,
}

/// How the large picture is painted.
#[derive(Clone, PartialEq)]
pub enum RenderTarget {
    /// By one session.
    One(SessionSlot),
    /// By two sessions that are compared.
    Pair([SessionSlot; 2]),
}

impl RenderTarget {
    /// Its sessions.
    pub fn slots(&self) -> &[SessionSlot] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Pair(slots) => slots,
        }
    }

    /// Its session, unless two are compared.
    pub fn single(&self) -> Option<&SessionSlot> {
        match self {
            Self::One(slot) => Some(slot),
            Self::Pair(_) => None,
        }
    }

    /// Columns and rows that the network sees.
    pub fn size(&self) -> (usize, usize) {
        let spec = self.slots()[0].key.spec;
        (spec.width, spec.height)
    }
}
