//! The pool: the open sessions of one device, and those that are being loaded.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::loader::{Loader, Requests};
use crate::{
    backend::{Backend, BackendError, Capabilities, RunControl, Session, SessionSpec},
    network::Network,
};

/// The key of a session: what it paints.
#[derive(Clone)]
pub struct SessionKey {
    /// The weights.
    pub network: Arc<Network>,
    /// Size and mode.
    pub spec: SessionSpec,
}

impl PartialEq for SessionKey {
    /// The same network counts, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.network, &other.network) && self.spec == other.spec
    }
}

/// The purpose of a session. The pool keeps a number of sessions for each purpose; the least recently used is
/// closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Photos.
    Photo,
    /// The large live picture.
    Live,
    /// Small live pictures.
    Preview,
}

impl Purpose {
    /// Maximum sessions that are kept for it.
    fn most(self) -> usize {
        match self {
            Self::Photo => 4,
            Self::Live => 6,
            Self::Preview => 32,
        }
    }
}

/// Keeps a session from being closed as long as it is held.
#[derive(Clone)]
pub struct Lease {
    /// What the session paints.
    pub key: SessionKey,
    /// What the device does itself.
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
    /// The session takes so many bytes, which the budget leaves only when others are closed; nothing was
    /// loaded.
    NoRoom(u64),
    /// The device failed, or the request was cancelled.
    Failed(BackendError),
    /// A mistake of this program, in its words.
    Panicked(String),
}

/// What the loader returns.
enum Outcome {
    /// The session, and the bytes that it holds, as planned.
    Session(Box<dyn Session>, u64),
    NoRoom(u64),
    Failed(BackendError),
}

struct Loading {
    ticket: u64,
    key: SessionKey,
    purpose: Purpose,
}

/// Bytes of a session that is being loaded; counted as loading until this is dropped.
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
    /// Maximum that all sessions hold together.
    limit_bytes: u64,
    /// Most recently used last.
    sessions: Vec<PooledSession>,
    requests: Requests<Outcome>,
    loading: Vec<Loading>,
    /// Bytes that the sessions that are being loaded will hold.
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

    /// Maximum that all sessions hold together, in bytes.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Sets the budget of another device.
    pub fn set_limit(&mut self, limit_bytes: u64) {
        self.limit_bytes = limit_bytes;
    }

    fn place(&self, key: &SessionKey) -> Option<usize> {
        self.sessions.iter().position(|session| session.key == *key)
    }

    /// Whether the session is open.
    pub fn has(&self, key: &SessionKey) -> bool {
        self.place(key).is_some()
    }

    /// Whether the session is being loaded.
    pub fn is_loading(&self, key: &SessionKey) -> bool {
        self.loading.iter().any(|loading| loading.key == *key)
    }

    /// The session, if it is open; it counts as used now.
    pub fn session(&mut self, key: &SessionKey) -> Option<&mut dyn Session> {
        let place = self.place(key)?;
        self.sessions[place..].rotate_left(1);
        Some(self.sessions.last_mut()?.session.as_mut()?.as_mut())
    }

    /// Keeps the session open as long as the lease is held, if it is open.
    pub fn lease(&self, key: &SessionKey) -> Option<Lease> {
        let session = &self.sessions[self.place(key)?];
        let (key, capabilities) = (session.key.clone(), session.capabilities);
        Some(Lease { key, capabilities, _pin: session.pin.clone() })
    }

    /// Takes a session out, so that others can be requested while it paints; it counts as used now.
    /// [`SessionPool::put_back`] follows.
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

    /// Requests that the loader opens a session of `backend`, the pool's device, while others paint; returns the
    /// number that [`SessionPool::next_loaded`] returns with the outcome. The session is not opened where the
    /// budget leaves no room.
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
                if control.is_cancelled() {
                    return Outcome::Failed(BackendError::Cancelled);
                }
                if is_first {
                    backend.load_libraries();
                }
                let SessionKey { network, spec } = &key;
                // Opening says why there is no prediction.
                let needed = backend.predicted_bytes(network.graph(), spec).unwrap_or(0);
                // A session that would not fit even alone is opened all the same, so that the device reports the
                // error.
                if needed <= limit_bytes && needed.saturating_add(held_bytes) > limit_bytes {
                    return Outcome::NoRoom(needed);
                }
                let _announced = LoadingBytes::new(bytes, needed);
                match backend.open_unless_cancelled(network, spec, control) {
                    Ok(session) => Outcome::Session(session, needed),
                    Err(error) => Outcome::Failed(error),
                }
            }
        };
        let ticket = self.requests.request(load);
        self.loading.push(Loading { ticket, key: key.clone(), purpose });
        ticket
    }

    /// The outcome of a request that was not cancelled, and its number. Allocates nothing when there is none.
    pub fn next_loaded(&mut self) -> Option<(u64, Loaded)> {
        loop {
            let (ticket, reply, was_cancelled) = self.requests.next_reply()?;
            let place = self.loading.iter().position(|l| l.ticket == ticket)?;
            let Loading { key, purpose, .. } = self.loading.swap_remove(place);
            let loaded = match reply {
                Ok(Outcome::Session(session, _)) if was_cancelled => {
                    self.close_on_loader(vec![session]);
                    continue;
                }
                // Another requester may have requested it again.
                Ok(Outcome::Failed(BackendError::Cancelled)) if was_cancelled => continue,
                Ok(Outcome::NoRoom(_)) | Err(_) if was_cancelled => continue,
                Ok(Outcome::Session(session, bytes)) => {
                    self.keep(key, purpose, session, bytes);
                    Loaded::Open
                }
                Ok(Outcome::NoRoom(bytes)) => Loaded::NoRoom(bytes),
                Ok(Outcome::Failed(error)) => Loaded::Failed(error),
                Err(words) => Loaded::Panicked(words),
            };
            return Some((ticket, loaded));
        }
    }

    /// Whether the outcome of a request waits.
    pub fn has_next(&self) -> bool {
        self.requests.has_next()
    }

    /// Waits at most `patience` for the outcome of a request.
    pub fn wait_for_next(&self, patience: std::time::Duration) {
        self.requests.wait_for_next(patience);
    }

    /// Whether nothing is being loaded.
    pub fn is_idle(&self) -> bool {
        self.requests.is_idle()
    }

    /// Cancels a request; [`SessionPool::next_loaded`] does not return it.
    pub fn cancel(&self, ticket: u64) {
        self.requests.cancel(ticket);
    }

    /// Cancels every request.
    pub fn cancel_all(&self) {
        self.requests.cancel_all();
    }

    /// Opens a session of `backend`, the pool's device, on this thread, unless it is open. Other sessions are
    /// closed before, so that all together hold at most `limit_bytes`, as far as sessions can be closed.
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
        // Opening says why there is no prediction.
        let bytes = backend.predicted_bytes(network.graph(), spec).unwrap_or(0);
        drop(self.surplus(purpose));
        self.shrink_to(limit_bytes.saturating_sub(bytes));
        let mut opened = backend.open(network, spec);
        if let Err(BackendError::OutOfDeviceMemory { .. }) = opened {
            // Other programs have taken memory: sessions that are kept for later have to go.
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

    fn take(&mut self, closes: impl Fn(&PooledSession) -> bool) -> Vec<Box<dyn Session>> {
        let taken = self.sessions.extract_if(.., |session| closes(session));
        taken.filter_map(|session| session.session).collect()
    }

    /// Takes the oldest sessions for `purpose` that leave no room for another one.
    fn surplus(&mut self, purpose: Purpose) -> Vec<Box<dyn Session>> {
        let count = self.sessions.iter().filter(|k| k.purpose == purpose).count();
        let mut surplus = (count + 1).saturating_sub(purpose.most());
        let taken = self.sessions.extract_if(.., |session| {
            let goes = surplus > 0 && session.purpose == purpose && !session.is_leased();
            surplus -= usize::from(goes);
            goes
        });
        taken.filter_map(|session| session.session).collect()
    }

    /// Closes sessions on the loader's thread, before later requests.
    fn close_on_loader(&self, sessions: Vec<Box<dyn Session>>) {
        if !sessions.is_empty() {
            self.requests.run(move || drop(sessions));
        }
    }

    /// Closes the sessions of a purpose, leased or not.
    pub fn close_all(&mut self, purpose: Purpose) {
        let closed = self.take(|session| session.purpose == purpose);
        self.close_on_loader(closed);
    }

    /// Closes the sessions of a network that nothing is going to paint with, leased or not.
    pub fn close_network(&mut self, network: &Arc<Network>) {
        let closed = self.take(|session| Arc::ptr_eq(&session.key.network, network));
        self.close_on_loader(closed);
    }

    /// Closes the sessions of live pictures.
    pub fn close_live(&mut self) {
        self.cancel_all();
        self.close_all(Purpose::Live);
        self.close_all(Purpose::Preview);
    }

    /// Closes every session without a lease. `false` when there is none.
    pub fn close_unleased(&mut self) -> bool {
        let closed = self.take(|session| !session.is_leased());
        let any = !closed.is_empty();
        self.close_on_loader(closed);
        any
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

    /// Closes every session, leased or not, and cancels every request; waits, a bounded time, until nothing
    /// uses the device any more.
    pub fn forget(&mut self) {
        self.requests.cancel_and_wait();
        self.loading.clear();
        self.sessions.clear();
    }

    /// Bytes that all open sessions hold, as planned.
    pub fn held_bytes(&self) -> u64 {
        self.sessions.iter().map(|session| session.bytes).sum()
    }

    /// Bytes that the leased ones hold, as planned.
    pub fn leased_bytes(&self) -> u64 {
        let leased = self.sessions.iter().filter(|session| session.is_leased());
        leased.map(|session| session.bytes).sum()
    }

    /// Bytes that what is being loaded is going to hold.
    pub fn loading_bytes(&self) -> u64 {
        self.loading_bytes.load(Ordering::Relaxed)
    }
}
