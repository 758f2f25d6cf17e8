//! Painting one photo: working size, memory, the run itself, and bringing the result back to size.
//!
//! [`Painter`] blocks; the window runs it on a thread of its own, the command line on the main
//! thread. It keeps the sessions of recent sizes and styles as long as they fit the memory limit.

use std::{borrow::Cow, sync::Arc, time::Instant};

use crate::{
    backend::{Backend, BackendError, RunControl, Session},
    compose::{Look, compose},
    frame::Frame,
    media::{
        memory,
        scale::{scaled, size_within},
    },
    mode::Variant,
    network::Network,
    timing::StepTiming,
};

/// Long side of the default working size, in pixels: strokes are as wide as the network makes them
/// at the working size, and at this one a 12-megapixel photo looks painted rather than hair-thin.
pub const DEFAULT_WORKING_PX: usize = 1280;
/// Smallest working size that a person may choose, in pixels on the long side.
pub const MIN_WORKING_PX: usize = 16;

/// The size at which the network sees the photo: the brush size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WorkingSize {
    /// [`DEFAULT_WORKING_PX`] on the long side, or the photo's size if that is less.
    #[default]
    Auto,
    /// This many pixels on the long side, or the photo's size if that is less.
    LongSide(usize),
    /// The photo's own size.
    Original,
}

impl WorkingSize {
    /// Columns and rows for a photo of the given size.
    pub fn resolve(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Self::Auto => size_within(width, height, DEFAULT_WORKING_PX),
            Self::LongSide(px) => size_within(width, height, px.max(MIN_WORKING_PX)),
            Self::Original => (width, height),
        }
    }
}

/// The size of the finished picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutputSize {
    /// The photo's size.
    #[default]
    Original,
    /// The working size.
    Working,
}

/// What a run of the network needs to know besides the photo and the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaintSettings {
    /// Brush size.
    pub working_size: WorkingSize,
    /// How the network is cut into passes.
    pub variant: Variant,
    /// Most memory that a run may take, in bytes, the photo and the result included;
    /// [`default_memory_limit_bytes`] when `None`, as the [`Painter`] found it when it was made.
    pub max_memory_bytes: Option<u64>,
}

/// 4 GB, or half of the memory that is free now when that is less. Reads files of the system.
pub fn default_memory_limit_bytes() -> u64 {
    let ceiling = 4_000_000_000;
    memory::available_bytes().map_or(ceiling, |free| ceiling.min(free / 2))
}

/// Why a photo was not painted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaintError {
    /// The device failed or was told to stop.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Not even the smallest working size fits the memory limit.
    #[error(
        "painting needs at least {needed_mb} MB, the limit is {limit_mb} MB; raise --max-memory or close other programs"
    )]
    MemoryLimit {
        /// Megabytes that the smallest working size needs.
        needed_mb: u64,
        /// Megabytes allowed.
        limit_mb: u64,
    },
}

impl PaintError {
    /// Whether someone asked for the run to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Backend(BackendError::Cancelled))
    }
}

/// What came out of the network, before strength, colours and output size are applied.
#[derive(Clone, Debug)]
pub struct Painting {
    /// The network's picture at the working size.
    pub painted: Frame,
    /// What a person should know, for example a working size that had to shrink.
    pub notes: Vec<String>,
    /// Time of every step of the run (host clock).
    pub steps: Vec<StepTiming>,
    /// Time of the run in milliseconds, resizing included (host clock).
    pub total_ms: f64,
}

impl Painting {
    /// The finished picture for `photo`, which must be the photo that was painted.
    pub fn finished(&self, photo: &Frame, output: OutputSize, look: Look) -> Frame {
        let (width, height) = match output {
            OutputSize::Original => (photo.width(), photo.height()),
            OutputSize::Working => (self.painted.width(), self.painted.height()),
        };
        let base = at_size(photo, width, height);
        if look.strength_percent == 0 {
            return base.into_owned();
        }
        let top = scaled(&self.painted, width, height);
        compose(&base, top, look).unwrap_or_else(|| base.into_owned())
    }
}

/// Bytes of a picture in RGBA8.
fn frame_bytes(width: usize, height: usize) -> u64 {
    4 * width as u64 * height as u64
}

/// `photo` in `width` x `height` pixels, copied only when that is another size.
pub fn at_size(photo: &Frame, width: usize, height: usize) -> Cow<'_, Frame> {
    if (photo.width(), photo.height()) == (width, height) {
        Cow::Borrowed(photo)
    } else {
        Cow::Owned(scaled(photo, width, height))
    }
}

struct OpenSession {
    network: Arc<Network>,
    width: usize,
    height: usize,
    variant: Variant,
    bytes: u64,
    session: Box<dyn Session>,
}

/// Paints photos on one backend.
pub struct Painter {
    backend: Arc<dyn Backend>,
    /// Asked for once: the sessions kept here would count as taken later.
    default_limit_bytes: u64,
    /// Most recently used last.
    sessions: Vec<OpenSession>,
}

/// Sessions kept for switching back to a style at once.
const KEPT_SESSIONS: usize = 4;

impl Painter {
    /// A painter on `backend`. Asks the system how much memory is free.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            default_limit_bytes: default_memory_limit_bytes(),
            sessions: Vec::new(),
        }
    }

    /// The device that paints.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    fn limit_bytes(&self, settings: PaintSettings) -> u64 {
        settings
            .max_memory_bytes
            .unwrap_or(self.default_limit_bytes)
    }

    /// Columns and rows at which `network` would see a photo of `width` x `height`, and a note when
    /// the memory limit made them smaller than asked.
    ///
    /// # Errors
    /// [`PaintError::MemoryLimit`] when no size fits.
    pub fn working_size(
        &self,
        network: &Network,
        width: usize,
        height: usize,
        settings: PaintSettings,
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        let needed = |(w, h): (usize, usize)| {
            let run = self
                .backend
                .predicted_bytes(network.spec(), w, h, settings.variant);
            // The photo and the result, and at the working size what goes in and what comes out.
            run.saturating_add(2 * frame_bytes(width, height))
                .saturating_add(2 * frame_bytes(w, h))
        };
        let limit = self.limit_bytes(settings);
        let wanted = settings.working_size.resolve(width, height);
        if needed(wanted) <= limit {
            return Ok((wanted, None));
        }
        // The need grows with the long side, so the largest that fits is found by halving.
        let (mut fits, mut too_large) = (0, wanted.0.max(wanted.1));
        while too_large - fits > 1 {
            let middle = fits + (too_large - fits) / 2;
            if needed(size_within(width, height, middle)) <= limit {
                fits = middle;
            } else {
                too_large = middle;
            }
        }
        if fits < MIN_WORKING_PX.min(wanted.0.max(wanted.1)) {
            return Err(PaintError::MemoryLimit {
                needed_mb: needed(size_within(width, height, MIN_WORKING_PX)).div_ceil(1_000_000),
                limit_mb: limit / 1_000_000,
            });
        }
        let size = size_within(width, height, fits);
        let note = format!(
            "painted at {} x {} instead of {} x {} to stay below {} MB of memory",
            size.0,
            size.1,
            wanted.0,
            wanted.1,
            limit / 1_000_000
        );
        Ok((size, Some(note)))
    }

    /// Runs `network` on `photo`.
    ///
    /// # Errors
    /// [`PaintError`] when it was cancelled or memory does not suffice.
    pub fn paint(
        &mut self,
        photo: &Frame,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Painting, PaintError> {
        let started = Instant::now();
        let ((width, height), note) =
            self.working_size(network, photo.width(), photo.height(), settings)?;
        if control.is_cancelled() {
            return Err(BackendError::Cancelled.into());
        }
        let input = scaled(photo, width, height);
        let mut painted = input.clone();
        let session = self.session(network, width, height, settings)?;
        let steps = session.paint(&input, &mut painted, control)?;
        Ok(Painting {
            painted,
            notes: note.into_iter().collect(),
            steps,
            total_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// The session for these settings, from the kept ones or opened now.
    fn session(
        &mut self,
        network: &Arc<Network>,
        width: usize,
        height: usize,
        settings: PaintSettings,
    ) -> Result<&mut dyn Session, PaintError> {
        let variant = settings.variant;
        let limit = self.limit_bytes(settings);
        let known = self.sessions.iter().position(|s| {
            Arc::ptr_eq(&s.network, network)
                && (s.width, s.height, s.variant) == (width, height, variant)
        });
        let open = match known {
            Some(index) => self.sessions.remove(index),
            None => {
                let bytes = self
                    .backend
                    .predicted_bytes(network.spec(), width, height, variant);
                // Room is made before the new session allocates.
                let mut held: u64 = self.sessions.iter().map(|s| s.bytes).sum();
                while !self.sessions.is_empty()
                    && (self.sessions.len() >= KEPT_SESSIONS || held.saturating_add(bytes) > limit)
                {
                    held -= self.sessions.remove(0).bytes;
                }
                OpenSession {
                    network: network.clone(),
                    width,
                    height,
                    variant,
                    bytes,
                    session: self.backend.open(network, width, height, variant)?,
                }
            }
        };
        self.sessions.push(open);
        let last = self.sessions.len() - 1;
        Ok(self.sessions[last].session.as_mut())
    }
}
