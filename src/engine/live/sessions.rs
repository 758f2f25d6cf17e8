//! The sessions of live painting: opened when first needed, the recent ones kept, so that flipping
//! between styles, modes and sizes is instant.

use std::sync::Arc;

use crate::{
    backend::{BackendError, Session, SessionSpec},
    engine::paint::Painter,
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

    /// The session for `target`, opened on the painter's device if it is not open.
    ///
    /// # Errors
    /// What opening it runs into; every session that is open stays.
    pub fn ready(
        &mut self,
        painter: &mut Painter,
        target: &Target,
    ) -> Result<&mut dyn Session, BackendError> {
        if let Some(at) = self.kept.iter().position(|k| k.target == *target) {
            let kept = self.kept.remove(at);
            self.kept.push(kept);
        } else {
            let bytes = (painter.backend()).predicted_bytes(target.network.spec(), &target.spec);
            let session = painter.open_session(&target.network, &target.spec)?;
            if self.kept.len() >= self.most {
                self.kept.remove(0);
            }
            self.kept.push(Kept {
                target: target.clone(),
                bytes,
                session,
            });
        }
        match self.kept.last_mut() {
            Some(kept) => Ok(kept.session.as_mut()),
            None => Err(BackendError::EMPTY_BATCH),
        }
    }

    /// Gives all up.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Bytes that all of them hold, as planned.
    pub fn bytes(&self) -> u64 {
        self.kept.iter().map(|k| k.bytes).sum()
    }
}
