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

/// An open session.
pub struct Open {
    /// What paints.
    pub session: Box<dyn Session>,
    /// Bytes that it holds, as planned.
    pub bytes: u64,
    /// Whether it only paints until a faster one is open.
    pub stands_in: bool,
}

struct Kept {
    target: Target,
    open: Open,
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

    /// Whether a session for `target` is open.
    pub fn has(&self, target: &Target) -> bool {
        self.find(target).is_some()
    }

    /// Whether the session for `target` that is open only stands in for a faster one.
    pub fn has_stand_in(&self, target: &Target) -> bool {
        self.find(target).is_some_and(|open| open.stands_in)
    }

    /// What stands in for `target` stays: there will be no faster one.
    pub fn settle_for_stand_in(&mut self, target: &Target) {
        let mut kept = self.kept.iter_mut();
        if let Some(kept) = kept.find(|k| k.target == *target) {
            kept.open.stands_in = false;
        }
    }

    fn find(&self, target: &Target) -> Option<&Open> {
        let mut kept = self.kept.iter();
        kept.find(|k| k.target == *target).map(|k| &k.open)
    }

    /// The session for `target`, if it is open.
    pub fn get(&mut self, target: &Target) -> Option<&mut dyn Session> {
        let at = self.kept.iter().position(|k| k.target == *target)?;
        self.kept[at..].rotate_left(1);
        Some(self.kept.last_mut()?.open.session.as_mut())
    }

    /// Keeps an open session; gives back the ones that are too many, or that it replaces.
    pub fn put(&mut self, target: Target, open: Open) -> Vec<Box<dyn Session>> {
        let mut out = self.take(|kept| *kept == target);
        while self.kept.len() >= self.most {
            out.push(self.kept.remove(0).open.session);
        }
        self.kept.push(Kept { target, open });
        out
    }

    /// Gives back the sessions that are `unwanted`.
    pub fn take(&mut self, unwanted: impl Fn(&Target) -> bool) -> Vec<Box<dyn Session>> {
        let taken = self.kept.extract_if(.., |k| unwanted(&k.target));
        taken.map(|k| k.open.session).collect()
    }

    /// Bytes that those hold that are `wanted`, as planned.
    pub fn bytes_of(&self, wanted: impl Fn(&Target) -> bool) -> u64 {
        let kept = self.kept.iter().filter(|k| wanted(&k.target));
        kept.map(|k| k.open.bytes).sum()
    }

    /// Bytes that all of them hold, as planned.
    pub fn bytes(&self) -> u64 {
        self.bytes_of(|_| true)
    }
}
