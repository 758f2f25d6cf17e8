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
    bytes: u64,
    stands_in: bool,
    /// `None` while it is lent.
    session: Option<Box<dyn Session>>,
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
        self.find(target).is_some_and(|kept| kept.stands_in)
    }

    /// What stands in for `target` stays: there will be no faster one.
    pub fn settle_for_stand_in(&mut self, target: &Target) {
        let mut kept = self.kept.iter_mut();
        if let Some(kept) = kept.find(|k| k.target == *target) {
            kept.stands_in = false;
        }
    }

    fn find(&self, target: &Target) -> Option<&Kept> {
        self.kept.iter().find(|k| k.target == *target)
    }

    /// The session for `target`, if it is open.
    pub fn get(&mut self, target: &Target) -> Option<&mut dyn Session> {
        let at = self.kept.iter().position(|k| k.target == *target)?;
        self.kept[at..].rotate_left(1);
        Some(self.kept.last_mut()?.session.as_mut()?.as_mut())
    }

    /// Lends the session for `target`, if it is open, so that the others can be looked at while it paints.
    pub fn lend(&mut self, target: &Target) -> Option<Box<dyn Session>> {
        self.get(target)?;
        self.kept.last_mut()?.session.take()
    }

    /// Takes back the session that was lent last.
    pub fn take_back(&mut self, session: Box<dyn Session>) {
        if let Some(kept) = self.kept.last_mut() {
            kept.session = Some(session);
        }
    }

    /// Keeps an open session; gives back the ones that are too many, or that it replaces.
    pub fn put(&mut self, target: Target, open: Open) -> Vec<Box<dyn Session>> {
        let mut out = self.take(|kept| *kept == target);
        while self.kept.len() >= self.most {
            out.extend(self.kept.remove(0).session);
        }
        self.kept.push(Kept {
            target,
            bytes: open.bytes,
            stands_in: open.stands_in,
            session: Some(open.session),
        });
        out
    }

    /// Gives back the sessions that are `unwanted`.
    pub fn take(&mut self, unwanted: impl Fn(&Target) -> bool) -> Vec<Box<dyn Session>> {
        let taken = self.kept.extract_if(.., |k| unwanted(&k.target));
        taken.filter_map(|k| k.session).collect()
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
