//! The pool: the open sessions of one device, and those that are being loaded.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::loader::{Loader, Requests};
use crate::error::EngineError;
use backend::{Backend, BackendError, Capabilities, RunControl, Session, SessionSpec};
use network::{Network, SharedNetwork};

#[derive(Clone, PartialEq)]
pub struct SessionKey {
    pub network: SharedNetwork,
    pub spec: SessionSpec,
}

/// What a session is for. The pool keeps a limited number of sessions per purpose and closes the least recently used
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Photo,
    /// The large live picture.
    Live,
    /// Small live pictures.
    Preview,
}

impl Purpose {
    /// Maximum number of sessions kept for it.
    fn most(self) -> usize {
        match self {
            Self::Photo => 4,
            Self::Live => 6,
            Self::Preview => 32,
        }
    }
}

/// Keeps a session open while it is held.
#[derive(Clone)]
pub struct Lease {
    pub key: SessionKey,
    pub capabilities: Capabilities,
    _pin: Arc<()>,
}

struct PooledSession {
    key: SessionKey,
    purpose: Purpose,
    /// As planned.
    bytes: u64,
    capabilities: Capabilities,
    pin: Arc<()>,
    /// `None` while it is taken out for a run.
    session: Option<Box<dyn Session>>,
}

impl PooledSession {
    fn is_leased(&self) -> bool {
        Arc::strong_count(&self.pin) > 1
    }
}

/// The outcome of a request.
pub enum Loaded {
    /// The session is in the pool.
    Open,
    /// The device failed, or the session fits the budget only if others are closed, so nothing was loaded.
    Failed(BackendError),
    /// A bug in this program.
    Panicked(EngineError),
}

/// The session, and the bytes that it holds, as planned.
pub type Outcome = Result<(Box<dyn Session>, u64), BackendError>;

struct Loading {
    ticket: u64,
    key: SessionKey,
    purpose: Purpose,
}

/// Reserves the bytes of a session that is being loaded; dropping it releases them.
struct LoadingBytes {
    of: Arc<AtomicU64>,
    bytes: u64,
}

impl LoadingBytes {
    fn new(of: Arc<AtomicU64>, bytes: u64) -> Self {
        of.fetch_add(bytes, Ordering::Relaxed);
        Self { of, bytes }
    }
}

impl Drop for LoadingBytes {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The sessions of one device.
pub struct SessionPool {
    /// Maximum of all sessions together.
    pub limit_bytes: u64,
    /// Most recently used last.
    sessions: Vec<PooledSession>,
    /// The sessions that are being loaded. A cancelled request has no outcome in [`SessionPool::next_loaded`].
    pub requests: Requests<Outcome>,
    loading: Vec<Loading>,
    /// Bytes that the sessions being loaded will hold.
    loading_bytes: Arc<AtomicU64>,
    has_loaded: bool,
}

impl SessionPool {
    /// An empty pool, whose sessions together hold at most `limit_bytes`.
    pub fn new(limit_bytes: u64, loader: &Loader) -> Self {
        Self {
            limit_bytes,
            sessions: Vec::new(),
            requests: loader.requests(),
            loading: Vec::new(),
            loading_bytes: Arc::default(),
            has_loaded: false,
        }
    }

    fn place(&self, key: &SessionKey) -> Option<usize> {
        self.sessions.iter().position(|session| session.key == *key)
    }

    pub fn has(&self, key: &SessionKey) -> bool {
        self.place(key).is_some()
    }

    /// The session, if it is open; marks it as recently used.
    pub fn session(&mut self, key: &SessionKey) -> Option<&mut dyn Session> {
        let place = self.place(key)?;
        self.sessions[place..].rotate_left(1);
        Some(self.sessions.last_mut()?.session.as_mut()?.as_mut())
    }

    /// Keeps the session open while the lease is held. `None` if it is not open.
    pub fn lease(&self, key: &SessionKey) -> Option<Lease> {
        let session = &self.sessions[self.place(key)?];
        let (key, capabilities) = (session.key.clone(), session.capabilities);
        Some(Lease { key, capabilities, _pin: session.pin.clone() })
    }

    /// Takes a session out, so that others can be requested while it paints; marks it as recently used.
    /// [`SessionPool::put_back`] must follow.
    pub fn take_out(&mut self, key: &SessionKey) -> Option<Box<dyn Session>> {
        self.session(key)?;
        self.sessions.last_mut()?.session.take()
    }

    /// Puts the session back that was taken out last.
    pub fn put_back(&mut self, session: Box<dyn Session>) {
        if let Some(pooled) = self.sessions.last_mut() {
            pooled.session = Some(session);
        }
    }

    /// Requests that the loader opens a session of `backend`, the pool's device, while others paint. Returns the number
    /// that [`SessionPool::next_loaded`] returns with the outcome. The session is not opened if it exceeds the budget.
    pub fn request(
        &mut self,
        backend: &Arc<dyn Backend>,
        key: &SessionKey,
        purpose: Purpose,
    ) -> u64 {
        let is_first = !std::mem::replace(&mut self.has_loaded, true);
        let load = {
            let (backend, key) = (backend.clone(), key.clone());
            let (limit_bytes, held_bytes) = (self.limit_bytes, self.held_bytes());
            let bytes = self.loading_bytes.clone();
            move |control: &RunControl| {
                control.check(BackendError::Cancelled)?;
                if is_first {
                    backend.load_libraries();
                }
                let SessionKey { network, spec } = &key;
                // If prediction fails, opening reports why.
                let needed_bytes = backend.predicted_bytes(network.graph(), spec).unwrap_or(0);
                // A session that would not fit even alone is opened anyway, so that the device reports the error.
                let together = needed_bytes.saturating_add(held_bytes);
                if needed_bytes <= limit_bytes && together > limit_bytes {
                    let &SessionSpec { width, height, .. } = spec;
                    return Err(BackendError::OutOfMemory { needed_bytes, width, height });
                }
                let _announced = LoadingBytes::new(bytes, needed_bytes);
                let session = backend.open_unless_cancelled(network, spec, control)?;
                Ok((session, needed_bytes))
            }
        };
        let ticket = self.requests.request(load);
        self.loading.push(Loading { ticket, key: key.clone(), purpose });
        ticket
    }

    /// The outcome of a request that was not cancelled, and its number. Allocates nothing if there is none.
    pub fn next_loaded(&mut self) -> Option<(u64, Loaded)> {
        loop {
            let (ticket, reply, was_cancelled) = self.requests.next_reply()?;
            let place = self.loading.iter().position(|l| l.ticket == ticket)?;
            let Loading { key, purpose, .. } = self.loading.swap_remove(place);
            let loaded = match reply {
                Ok(Ok((session, _))) if was_cancelled => {
                    self.close_on_loader(vec![session]);
                    continue;
                }
                // The session may have been requested again.
                _ if was_cancelled => continue,
                Ok(Ok((session, bytes))) => {
                    self.keep(key, purpose, session, bytes);
                    Loaded::Open
                }
                Ok(Err(error)) => Loaded::Failed(error),
                Err(panic) => Loaded::Panicked(panic),
            };
            return Some((ticket, loaded));
        }
    }

    /// Opens a session of `backend`, the pool's device, on this thread, unless it is open. First closes other sessions,
    /// as far as possible, so that all together hold at most `limit_bytes`.
    ///
    /// # Errors
    /// As [`Backend::open`].
    pub fn open_now(
        &mut self,
        backend: &Arc<dyn Backend>,
        key: &SessionKey,
        purpose: Purpose,
        limit_bytes: u64,
    ) -> Result<(), BackendError> {
        if self.has(key) {
            return Ok(());
        }
        let SessionKey { network, spec } = key;
        // If prediction fails, opening reports why.
        let bytes = backend.predicted_bytes(network.graph(), spec).unwrap_or(0);
        drop(self.surplus(purpose));
        self.shrink_to(limit_bytes.saturating_sub(bytes));
        let mut opened = backend.open(network, spec);
        if let Err(BackendError::OutOfDeviceMemory { .. }) = opened {
            // Other programs have taken memory: close the sessions that are kept for reuse.
            let closed = self.take(|session| !session.is_leased());
            if !closed.is_empty() {
                drop(closed);
                opened = backend.open(network, spec);
            }
        }
        self.keep(key.clone(), purpose, opened?, bytes);
        Ok(())
    }

    fn keep(&mut self, key: SessionKey, purpose: Purpose, session: Box<dyn Session>, bytes: u64) {
        let mut closed = self.take(|session| session.key == key);
        closed.extend(self.surplus(purpose));
        self.close_on_loader(closed);
        self.sessions.push(PooledSession {
            key,
            purpose,
            bytes,
            capabilities: session.capabilities(),
            pin: Arc::default(),
            session: Some(session),
        });
    }

    fn take(&mut self, mut closes: impl FnMut(&PooledSession) -> bool) -> Vec<Box<dyn Session>> {
        self.sessions
            .extract_if(.., |session| closes(session))
            .filter_map(|session| session.session)
            .collect()
    }

    /// Takes the oldest sessions for `purpose` that leave no room for another one.
    fn surplus(&mut self, purpose: Purpose) -> Vec<Box<dyn Session>> {
        let count = self.sessions.iter().filter(|k| k.purpose == purpose).count();
        let mut surplus = (count + 1).saturating_sub(purpose.most());
        self.take(|session| {
            let goes = surplus > 0 && session.purpose == purpose && !session.is_leased();
            surplus -= usize::from(goes);
            goes
        })
    }

    /// Closes sessions on the loader's thread, before later requests.
    fn close_on_loader(&self, sessions: Vec<Box<dyn Session>>) {
        if !sessions.is_empty() {
            self.requests.run(move || drop(sessions));
        }
    }

    /// Closes sessions on the loader's thread. Returns `false` if there is none to close.
    fn close(&mut self, closes: impl Fn(&PooledSession) -> bool) -> bool {
        let closed = self.take(closes);
        let any = !closed.is_empty();
        self.close_on_loader(closed);
        any
    }

    /// Closes the sessions of a purpose, leased or not.
    pub fn close_all(&mut self, purpose: Purpose) {
        self.close(|session| session.purpose == purpose);
    }

    /// Closes the sessions of a network that is no longer used, leased or not.
    pub fn close_network(&mut self, network: &Arc<Network>) {
        self.close(|session| Arc::ptr_eq(&session.key.network.0, network));
    }

    /// Closes the sessions of live pictures.
    pub fn close_live(&mut self) {
        self.requests.cancel_all();
        self.close_all(Purpose::Live);
        self.close_all(Purpose::Preview);
    }

    /// Closes every session without a lease. Returns `false` if there is none.
    pub fn close_unleased(&mut self) -> bool {
        self.close(|session| !session.is_leased())
    }

    /// Closes sessions without a lease, the oldest first, until the others hold at most `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        while self.held_bytes() > bytes {
            match self.sessions.iter().position(|session| !session.is_leased()) {
                Some(oldest) => drop(self.sessions.remove(oldest)),
                None => break,
            }
        }
    }

    /// Closes every session, leased or not, and cancels every request. Waits a bounded time until nothing uses the
    /// device.
    pub fn forget(&mut self) {
        self.requests.cancel_and_wait();
        self.loading.clear();
        self.sessions.clear();
    }

    /// Bytes of all open sessions, as planned.
    pub fn held_bytes(&self) -> u64 {
        self.sessions.iter().map(|session| session.bytes).sum()
    }

    /// Bytes of the leased sessions, as planned.
    pub fn leased_bytes(&self) -> u64 {
        self.sessions
            .iter()
            .filter(|session| session.is_leased())
            .map(|session| session.bytes)
            .sum()
    }

    /// Bytes that the sessions being loaded will hold.
    pub fn loading_bytes(&self) -> u64 {
        self.loading_bytes.load(Ordering::Relaxed)
    }
}
