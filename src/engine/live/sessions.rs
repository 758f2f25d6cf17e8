//! The open sessions of live painting: the recent ones are kept, so that flipping between styles, modes
//! and sizes is instant.

use std::sync::Arc;

use crate::{
    backend::{Session, SessionSpec},
    network::Network,
};

/// What a frame is painted with.
#[derive(Clone)]
pub struct Target {
    /// The weights.
    pub network: Arc<Network>,
    /// Size and mode.
    pub spec: SessionSpec,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.network, &other.network) && self.spec == other.spec
    }
}

struct Kept {
    target: Target,
    bytes: u64,
    session: Box<dyn Session>,
}

/// Open sessions of one device.
pub struct Sessions {
    /// Most recently used last.
    kept: Vec<Kept>,
    most: usize,
}

impl Sessions {
    /// Keeps at most `most`.
    pub fn new(most: usize) -> Self {
        Self {
            kept: Vec::with_capacity(most),
            most,
        }
    }

    /// Whether the session for `target` is open.
    pub fn has(&self, target: &Target) -> bool {
        self.kept.iter().any(|k| k.target == *target)
    }

    /// The session for `target`, if it is open.
    pub fn get(&mut self, target: &Target) -> Option<&mut dyn Session> {
        let at = self.kept.iter().position(|k| k.target == *target)?;
        self.kept[at..].rotate_left(1);
        Some(self.kept.last_mut()?.session.as_mut())
    }

    /// Keeps an open session that holds `bytes`; gives back the ones that are too many, or that it
    /// replaces.
    pub fn put(
        &mut self,
        target: Target,
        session: Box<dyn Session>,
        bytes: u64,
    ) -> Vec<Box<dyn Session>> {
        let mut out = self.take(|kept| *kept == target);
        while self.kept.len() >= self.most {
            out.push(self.kept.remove(0).session);
        }
        self.kept.push(Kept {
            target,
            bytes,
            session,
        });
        out
    }

    /// Gives back the sessions that are `unwanted`.
    pub fn take(&mut self, unwanted: impl Fn(&Target) -> bool) -> Vec<Box<dyn Session>> {
        let taken = self.kept.extract_if(.., |k| unwanted(&k.target));
        taken.map(|k| k.session).collect()
    }

    /// Bytes that those hold that are `wanted`, as planned.
    pub fn bytes_of(&self, wanted: impl Fn(&Target) -> bool) -> u64 {
        let kept = self.kept.iter().filter(|k| wanted(&k.target));
        kept.map(|k| k.bytes).sum()
    }

    /// Bytes that all of them hold, as planned.
    pub fn bytes(&self) -> u64 {
        self.bytes_of(|_| true)
    }
}
