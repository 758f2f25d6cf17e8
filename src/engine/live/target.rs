//! What the large live picture is painted with: one session, or two that are compared.
//!
//! Plain data.

use crate::engine::sessions::SessionKey;

/// On which device a session is.
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
    /// In one way.
    One(SessionSlot),
    /// In two that are compared.
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

    /// Columns and rows that the network sees.
    pub fn size(&self) -> (usize, usize) {
        let spec = self.slots()[0].key.spec;
        (spec.width, spec.height)
    }
}
