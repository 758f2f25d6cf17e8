//! A network on a device. It keeps the sessions of recent sizes while they fit the memory.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
    thread,
    time::Duration,
};

use backend::{
    Backend, BackendError, Declined, ExternalJob, ExternalSession, InspectSession, RunControl,
    Session, SessionSpec,
};
use engine::sessions::{Lease, Loader, Purpose, SessionKey, SessionPool};
use pictures::memory;
use pyo3::{
    Bound, Py, PyAny, PyResult, Python,
    exceptions::{PyKeyboardInterrupt, PyMemoryError, PyRuntimeError},
    pyclass, pymethods,
    types::PyBytes,
};
use values::{
    frame::Frame,
    mode::{AttentionChoice, Mode, ModeChoice},
};

use crate::{
    Device,
    errors::{parsed, raised, wrong},
    source::{Pixels, Source},
    waiting::interruptible,
};

/// Pictures that a GPU paints at once.
const MAX_BATCH: usize = 8;
/// Sessions are kept like those of previews, which are the most that a pool keeps.
const KEPT: Purpose = Purpose::Preview;
/// Pause between two attempts to use a network that another thread uses.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1);

/// A network on a device.
#[pyclass(frozen)]
pub struct Network {
    backend: Arc<dyn Backend>,
    network: Arc<network::Network>,
    mode: Mode,
    /// What the user should know about the choice.
    #[pyo3(get)]
    notes: Vec<String>,
    sessions: Mutex<Sessions>,
}

struct Sessions {
    pool: SessionPool,
    /// Those with jobs in a caller's stream.
    queued: Vec<SessionKey>,
    /// Keep the sessions of captured jobs open.
    captured: Vec<Lease>,
}

/// Pictures in a row: pixels of three or four channels.
#[derive(Clone, Copy)]
struct Batch<'a> {
    pixels: &'a [u8],
    channels: usize,
    width: usize,
    height: usize,
}

impl Batch<'_> {
    fn bytes_each(self) -> usize {
        self.channels.saturating_mul(self.width).saturating_mul(self.height)
    }

    fn count(self) -> usize {
        self.pixels.len() / self.bytes_each()
    }

    fn frames(self) -> PyResult<Vec<Frame>> {
        let Self { pixels, channels, width, height } = self;
        let each = pixels.chunks_exact(self.bytes_each());
        each.map(|pixels| {
            let rgba = match channels {
                4 => pixels.to_vec(),
                _ => {
                    let (pixels, _) = pixels.as_chunks();
                    let pixels = pixels.iter().map(|&[r, g, b]| [r, g, b, 255]);
                    pixels.collect::<Vec<_>>().into_flattened()
                }
            };
            Frame::from_rgba(width, height, rgba).map_err(wrong)
        })
        .collect()
    }

    /// The painted pixels in the form of this batch.
    fn bytes(self, painted: Vec<Frame>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.pixels.len());
        for frame in painted {
            if self.channels == 4 {
                bytes.extend_from_slice(frame.rgba());
            } else {
                bytes.extend(frame.rgba().as_chunks().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]));
            }
        }
        bytes
    }
}

impl Network {
    /// The sessions, as soon as no other thread uses them.
    fn sessions(&self, control: &RunControl) -> PyResult<MutexGuard<'_, Sessions>> {
        loop {
            match self.sessions.try_lock() {
                Ok(sessions) => return Ok(sessions),
                Err(TryLockError::Poisoned(poisoned)) => {
                    // A session may be half-way through a run.
                    let mut sessions = poisoned.into_inner();
                    sessions.pool.forget();
                    self.sessions.clear_poison();
                    return Ok(sessions);
                }
                Err(TryLockError::WouldBlock) => {
                    control.check(PyKeyboardInterrupt::new_err(()))?;
                    thread::sleep(BETWEEN_ATTEMPTS);
                }
            }
        }
    }

    fn key(&self, (width, height): (usize, usize), count: usize) -> SessionKey {
        let batch = if self.backend.has_own_memory() { count.min(MAX_BATCH) } else { 1 };
        let spec = SessionSpec { batch, ..SessionSpec::single(width, height, self.mode) };
        SessionKey { network: self.network.clone().into(), spec }
    }

    /// The session of a key; opens it first if necessary.
    fn session<'a>(
        &self,
        pool: &'a mut SessionPool,
        key: &SessionKey,
    ) -> PyResult<&'a mut dyn Session> {
        let SessionSpec { width, height, .. } = key.spec;
        if let Some([rows, columns]) = self.network.graph().fixed_size()
            && (columns, rows) != (width, height)
        {
            let needs = format!("this network only paints {columns} x {rows} pixels");
            return Err(wrong(format!("{needs}, the picture has {width} x {height}")));
        }
        if !pool.has(key) {
            let needed = self.backend.predicted_bytes(self.network.graph(), &key.spec);
            let needed = needed.map_err(raised)?;
            let free = self.backend.free_bytes().or_else(memory::available_bytes);
            let free = free.map_or(u64::MAX, |free| free.saturating_add(pool.held_bytes()));
            if needed > free {
                let advice = match self.backend.has_own_memory() {
                    true => "smaller pictures, or torch.cuda.empty_cache()",
                    false => "smaller pictures",
                };
                return Err(PyMemoryError::new_err(format!(
                    "{width} x {height} pixels need {} MB of memory, and {} MB are free; use {advice}",
                    needed.div_ceil(1_000_000),
                    free / 1_000_000
                )));
            }
            pool.open_now(&self.backend, key, KEPT, free).map_err(raised)?;
        }
        let missing = BackendError::Internal("a session is missing");
        pool.session(key).ok_or_else(|| raised(missing))
    }

    fn painted(&self, batch: Batch<'_>, control: &RunControl) -> PyResult<Vec<u8>> {
        let mut sessions = self.sessions(control)?;
        let key = self.key((batch.width, batch.height), batch.count());
        let session = self.session(&mut sessions.pool, &key)?;
        let inputs = batch.frames()?;
        let mut outputs: Vec<_> =
            inputs.iter().map(|_| Frame::empty(batch.width, batch.height)).collect();
        session.paint_all(&inputs, &mut outputs, control).map_err(raised)?;
        drop(sessions);
        Ok(batch.bytes(outputs))
    }

    /// The network's output before clamping and rounding, from 0 to 255: three planes for each picture.
    fn computed(&self, batch: Batch<'_>, control: &RunControl) -> PyResult<Vec<u8>> {
        let mut sessions = self.sessions(control)?;
        let key = self.key((batch.width, batch.height), 1);
        let session = self.session(&mut sessions.pool, &key)?;
        let inputs = batch.frames()?;
        let unable = BackendError::Declined(Declined::Unable);
        let session: &mut dyn InspectSession = session.inspect().ok_or_else(|| raised(unable))?;
        let mut bytes = Vec::with_capacity(12 * batch.width * batch.height * inputs.len());
        control
            .in_parts(inputs.iter(), |input| {
                let output = session.run_tensor(input, control, None)?;
                bytes.extend(output.data.iter().flat_map(|value| value.to_ne_bytes()));
                Ok::<_, BackendError>(())
            })
            .map_err(raised)?;
        Ok(bytes)
    }

    fn with_external<T>(
        sessions: &mut Sessions,
        key: &SessionKey,
        work: impl FnOnce(&mut dyn ExternalSession) -> Result<T, BackendError>,
    ) -> PyResult<T> {
        let external = sessions.pool.session(key).and_then(Session::external);
        external.map_or(Err(BackendError::UNABLE), work).map_err(raised)
    }
}

#[pymethods]
impl Network {
    #[new]
    #[allow(clippy::too_many_arguments, reason = "the interface of Python")]
    fn new(
        py: Python<'_>,
        device: &Bound<'_, Device>,
        source: Source,
        folders: Vec<PathBuf>,
        model: Option<&str>,
        precision: &str,
        variant: &str,
        pixels: Pixels,
    ) -> PyResult<Self> {
        let backend = device.get().backend.clone();
        let choice = ModeChoice {
            variant: parsed(variant)?,
            precision: parsed(precision)?,
            attention: AttentionChoice::default(),
        };
        let mode = backend.mode(choice);
        backend.supports(mode).map_err(raised)?;
        let model = model.map(parsed).transpose()?;
        let chosen = interruptible(py, None, |_| source.load(&folders, model, &pixels))?;
        Ok(Self {
            mode: chosen.network.mode(mode),
            backend,
            network: chosen.network,
            notes: chosen.notes,
            sessions: Mutex::new(Sessions {
                pool: SessionPool::new(u64::MAX, &Loader::on_the_spot()),
                queued: Vec::new(),
                captured: Vec::new(),
            }),
        })
    }

    #[getter]
    fn precision(&self) -> String {
        self.mode.precision.to_string()
    }

    #[getter]
    fn variant(&self) -> String {
        self.mode.variant.to_string()
    }

    /// Paints pictures in a row of `channels` bytes per pixel, and returns them in the same form. With `is_exact`,
    /// returns floats from 0 to 255 in three planes for each picture, neither clamped nor rounded.
    #[allow(clippy::too_many_arguments, reason = "the interface of Python")]
    fn paint<'py>(
        &self,
        py: Python<'py>,
        pixels: &[u8],
        channels: usize,
        width: usize,
        height: usize,
        is_exact: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let batch = Batch { pixels, channels, width, height };
        if !matches!(channels, 3 | 4) || batch.bytes_each() == 0 {
            return Err(wrong("a picture needs pixels of three or four channels"));
        }
        let bytes = interruptible(py, progress.as_ref(), |control| {
            if is_exact { self.computed(batch, control) } else { self.painted(batch, control) }
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Opens the session for a batch on the GPU, and returns columns and rows of its photos.
    fn prepare(
        &self,
        py: Python<'_>,
        count: usize,
        width: usize,
        height: usize,
    ) -> PyResult<(usize, usize)> {
        let key = self.key((width, height), count);
        interruptible(py, None, |control| {
            let mut sessions = self.sessions(control)?;
            self.session(&mut sessions.pool, &key)?;
            Self::with_external(&mut sessions, &key, |external| Ok(external.photo_size()))
        })
    }

    /// Queues a batch (count, columns, rows) on the GPU, between addresses in its memory. Its session is open.
    #[allow(clippy::too_many_arguments, reason = "the interface of Python")]
    fn queue(
        &self,
        py: Python<'_>,
        batch: (usize, usize, usize),
        from: u64,
        to: u64,
        is_exact: bool,
        stream: u64,
        is_captured: bool,
    ) -> PyResult<()> {
        let (count, width, height) = batch;
        let key = self.key((width, height), count);
        let job = ExternalJob { from, to, is_exact, stream, is_captured };
        py.detach(|| {
            let mut sessions = self.sessions(&RunControl::default())?;
            if is_captured {
                if !sessions.pool.has(&key) {
                    return Err(PyRuntimeError::new_err(
                        "call the network once with this shape before the capture",
                    ));
                }
                let lease = sessions.pool.lease(&key);
                sessions.captured.extend(lease);
            } else {
                self.session(&mut sessions.pool, &key)?;
                if !sessions.queued.contains(&key) {
                    sessions.queued.push(key.clone());
                }
            }
            // SAFETY: the addresses are of tensors of this size, which PyTorch frees in the order of the stream.
            Self::with_external(&mut sessions, &key, |external| unsafe { external.queue(job) })
        })
    }

    /// Waits for what was queued.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        interruptible(py, None, |control| {
            let mut sessions = self.sessions(control)?;
            let queued = std::mem::take(&mut sessions.queued);
            let finish = |key| match sessions.pool.has(key) {
                true => Self::with_external(&mut sessions, key, |external| external.finish()),
                false => Ok(()),
            };
            queued.iter().try_for_each(finish)
        })
    }
}
