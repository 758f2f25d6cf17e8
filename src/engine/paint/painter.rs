//! Photos in, paintings out: sizes that fit the memory, sessions kept for later, devices replaced.
//!
//! Blocks while it paints. Knows no files and no styles. Belongs to one thread at a time.

use std::{fmt::Write, sync::Arc, time::Instant};

use super::{PaintError, PaintSettings, Painting, limits::default_limit_bytes};
use crate::{
    backend::{Backend, BackendError, OpenDevice, RunControl, Session, SessionSpec},
    engine::device::Device,
    frame::Frame,
    media::scale::scaled,
    mode::{DeviceChoice, Mode},
    network::Network,
};

struct OpenSession {
    network: Arc<Network>,
    spec: SessionSpec,
    bytes: u64,
    session: Box<dyn Session>,
}

/// Paints photos on a device, and on another when that one is lost.
pub struct Painter {
    device: Device,
    /// Asked for when the device was opened: the sessions kept here would count as taken later.
    pub(super) default_limit_bytes: u64,
    /// Most recently used last.
    sessions: Vec<OpenSession>,
    news: Vec<String>,
}

/// Sessions kept for switching back to a style at once.
const KEPT_SESSIONS: usize = 4;

impl Painter {
    /// A painter on `backend`; when it is lost, `open` opens it again once, and the processor after
    /// that. Nobody else may hold the backend by then. Asks how much memory is free, the device
    /// where it has its own.
    pub fn new(backend: Arc<dyn Backend>, open: OpenDevice) -> Self {
        Self {
            default_limit_bytes: default_limit_bytes(backend.as_ref()),
            device: Device::new(backend, open),
            sessions: Vec::new(),
            news: Vec::new(),
        }
    }

    /// The device that paints.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.device.backend()
    }

    /// Sentences for people about devices that were lost and replaced, since this was last asked. To
    /// be asked after every run, however it ended.
    pub fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Gives up all sessions, because one may be half-way through a run or others need the memory.
    pub fn forget_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Bytes that the sessions kept here hold, as planned.
    pub(in crate::engine) fn kept_bytes(&self) -> u64 {
        self.sessions.iter().map(|s| s.bytes).sum()
    }

    /// The way to other devices.
    pub(in crate::engine) fn opener(&self) -> OpenDevice {
        self.device.opener()
    }

    /// Another painter, on a device of the other kind.
    ///
    /// # Errors
    /// [`BackendError`] when there is no such device.
    pub fn on_device(&self, kind: DeviceChoice) -> Result<Self, BackendError> {
        let open = self.device.opener();
        let selected = open(kind)?;
        Ok(Self::new(selected.backend, open))
    }

    /// Variant and precision that `settings` mean on this painter's device.
    pub fn mode(&self, settings: PaintSettings) -> Mode {
        self.device.mode(settings.variant, settings.precision)
    }

    /// Runs `network` on `photo`; smaller, and noted, where the device has less memory left than it
    /// said. When the device is lost, the same photo is painted on the one that takes its place;
    /// [`Painter::take_news`] tells.
    ///
    /// # Errors
    /// [`PaintError`] when it was cancelled, memory does not suffice or the device does not have
    /// the mode.
    pub fn paint(
        &mut self,
        photo: &Frame,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Painting, PaintError> {
        loop {
            match self.paint_alone(photo, network, settings, control) {
                // Ends, because the processor comes last and its errors are passed on.
                Err(PaintError::Backend(error)) if error.is_lost() => {
                    self.replace_device(error, settings)?;
                }
                done => return done,
            }
        }
    }

    /// Runs `network` on several photos, `batch` of them at once where the device can and memory
    /// suffices. All must have one working size ([`Painter::working_size`]); their own sizes may
    /// differ. Each painting has the times of the whole; when the device is lost or has too little
    /// memory left, the photos are painted one after another as by [`Painter::paint`], each with its
    /// own times.
    ///
    /// # Errors
    /// As [`Painter::paint`]; [`BackendError::WrongSize`] when the working sizes differ,
    /// [`BackendError::WrongBatch`] when there is no photo. Nothing is painted then.
    pub fn paint_batch(
        &mut self,
        photos: &[&Frame],
        batch: usize,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Vec<Painting>, PaintError> {
        match self.paint_together(photos, batch, network, settings, control) {
            Err(PaintError::Backend(error)) if error.is_lost() => {
                self.replace_device(error, settings)?;
            }
            Err(PaintError::Backend(BackendError::OutOfDeviceMemory { .. })) => {}
            done => return done,
        }
        let parts = u32::try_from(photos.len()).unwrap_or(u32::MAX);
        let paintings = (0..parts)
            .zip(photos)
            .map(|(part, photo)| {
                control.begin_part(part, parts);
                self.paint(photo, network, settings, control)
            })
            .collect();
        control.begin_part(0, 1);
        paintings
    }

    /// [`Painter::paint`] on the device at hand.
    fn paint_alone(
        &mut self,
        photo: &Frame,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Painting, PaintError> {
        let started = Instant::now();
        let mode = self.mode(settings);
        let (mut within, mut refused) = (settings, None);
        let (spec, note, index) = loop {
            let size = self.working_size(network, photo, within);
            let ((width, height), note) = match (size, refused) {
                (Ok(found), _) => found,
                // What the device said first is nearer to the cause.
                (Err(_), Some(refused)) => return Err(PaintError::Backend(refused)),
                (Err(error), None) => return Err(error),
            };
            if control.is_cancelled() {
                return Err(BackendError::Cancelled.into());
            }
            let spec = SessionSpec::single(width, height, mode);
            let room = self.room_for_sessions(network, photo, (width, height), within);
            match self.ready(network, spec, room) {
                Ok(index) => break (spec, note, index),
                Err(error) => {
                    let limit = self.smaller_limit(network, &spec, &error);
                    within.max_memory_bytes = Some(limit.ok_or_else(|| error.clone())?);
                    refused = Some(error);
                }
            }
        };
        let input = scaled(photo, spec.width, spec.height);
        let mut painted = input.clone();
        let run = self.sessions[index]
            .session
            .paint(&input, &mut painted, control)?;
        drop(input);
        self.make_room_to_finish(network, photo, (spec.width, spec.height), within);
        Ok(Painting {
            painted,
            notes: note.into_iter().collect(),
            mode,
            run,
            total_ms: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// [`Painter::paint_batch`] on the device at hand, with one session.
    fn paint_together(
        &mut self,
        photos: &[&Frame],
        batch: usize,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Vec<Painting>, PaintError> {
        let started = Instant::now();
        let mut sizes = Vec::with_capacity(photos.len());
        let mut notes = Vec::with_capacity(photos.len());
        for photo in photos {
            let (size, note) = self.working_size(network, photo, settings)?;
            sizes.push(size);
            notes.push(note);
        }
        let (Some(&(width, height)), Some(&first)) = (sizes.first(), photos.first()) else {
            return Err(BackendError::EMPTY_BATCH.into());
        };
        if let Some(&(w, h)) = sizes.iter().find(|&&size| size != (width, height)) {
            return Err(PaintError::Backend(BackendError::WrongSize {
                expected_width: width,
                expected_height: height,
                width: w,
                height: h,
            }));
        }
        if control.is_cancelled() {
            return Err(BackendError::Cancelled.into());
        }
        let spec = SessionSpec {
            batch: batch.max(1),
            ..SessionSpec::single(width, height, self.mode(settings))
        };
        let spec = self.batch_that_fits(network, spec, settings);
        let inputs: Vec<Frame> = photos.iter().map(|p| scaled(p, width, height)).collect();
        let mut outputs = inputs.clone();
        let room = self.room_for_sessions(network, first, (width, height), settings);
        let index = self.ready(network, spec, room)?;
        let run = self.sessions[index]
            .session
            .run(&inputs, &mut outputs, control, None)?;
        drop(inputs);
        for photo in photos {
            self.make_room_to_finish(network, photo, (width, height), settings);
        }
        let total_ms = started.elapsed().as_secs_f64() * 1e3;
        let paintings = outputs
            .into_iter()
            .zip(notes)
            .map(|(painted, note)| Painting {
                painted,
                notes: note.into_iter().collect(),
                mode: spec.mode,
                run,
                total_ms,
            });
        Ok(paintings.collect())
    }

    /// Puts another device in the place of the lost one. Its sessions go first, and what held its
    /// context with them.
    pub(in crate::engine) fn replace_device(
        &mut self,
        error: BackendError,
        settings: PaintSettings,
    ) -> Result<(), BackendError> {
        let before = self.mode(settings);
        self.sessions.clear();
        let mut told = self.device.replace_lost(error)?;
        let after = self.mode(settings);
        if before != after {
            // Writing to a string does not fail.
            write!(told, "; painting in {after} instead of {before}").ok();
        }
        self.news.push(told);
        self.default_limit_bytes = default_limit_bytes(self.backend().as_ref());
        Ok(())
    }

    /// Gives up sessions, the oldest first, until the others take at most `bytes` together.
    pub(super) fn keep_sessions_of(&mut self, bytes: u64) {
        while self.kept_bytes() > bytes {
            self.sessions.remove(0);
        }
    }

    /// The place of the session for `spec` among the kept ones, opened now if it is not there.
    fn ready(
        &mut self,
        network: &Arc<Network>,
        spec: SessionSpec,
        limit_bytes: u64,
    ) -> Result<usize, BackendError> {
        let known = self
            .sessions
            .iter()
            .position(|s| Arc::ptr_eq(&s.network, network) && s.spec == spec);
        let open = match known {
            Some(index) => self.sessions.remove(index),
            None => {
                let bytes = self.backend().predicted_bytes(network.spec(), &spec);
                // Room is made before the new session allocates.
                if self.sessions.len() >= KEPT_SESSIONS {
                    self.sessions.remove(0);
                }
                self.keep_sessions_of(limit_bytes.saturating_sub(bytes));
                let mut opened = self.backend().open(network, &spec);
                if let Err(BackendError::OutOfDeviceMemory { .. }) = opened
                    && !self.sessions.is_empty()
                {
                    // Others have taken of the memory: what is kept for later has to go.
                    self.sessions.clear();
                    opened = self.backend().open(network, &spec);
                }
                OpenSession {
                    network: network.clone(),
                    spec,
                    bytes,
                    session: opened?,
                }
            }
        };
        self.sessions.push(open);
        Ok(self.sessions.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::{DeviceInfo, DeviceOptions, cpu::CpuBackend, opener},
        engine::paint::WorkingSize,
        mode::{Precision, Variant},
        network::NetworkSpec,
    };

    /// The processor, with a memory that every frame of a batch fills.
    struct Narrow(CpuBackend);

    impl Backend for Narrow {
        fn device(&self) -> DeviceInfo {
            self.0.device()
        }

        fn supports(&self, mode: Mode) -> Result<(), BackendError> {
            self.0.supports(mode)
        }

        fn auto_precision(&self, _: Variant) -> Precision {
            Precision::Fp32
        }

        fn predicted_bytes(&self, _: &NetworkSpec, spec: &SessionSpec) -> u64 {
            1_000_000 * spec.batch as u64
        }

        fn free_bytes(&self) -> Option<u64> {
            Some(3_500_000)
        }

        fn open_while_wanted(
            &self,
            network: &Arc<Network>,
            spec: &SessionSpec,
            control: &RunControl,
        ) -> Result<Box<dyn Session>, BackendError> {
            self.0.open_while_wanted(network, spec, control)
        }
    }

    fn painter() -> Painter {
        let cpu = CpuBackend::new(Some(1)).expect("threads");
        Painter::new(Arc::new(Narrow(cpu)), opener(DeviceOptions::default()))
    }

    fn network() -> Arc<Network> {
        let spec = NetworkSpec {
            blocks: 1,
            ..NetworkSpec::with_widths([2, 3, 4])
        };
        Arc::new(Network::random(spec, 5).expect("a valid shape"))
    }

    fn photo(width: usize, height: usize, red: u8) -> Frame {
        Frame::from_fn(width, height, |x, y| {
            [red, (x * 9) as u8, (y * 11) as u8, 255]
        })
    }

    fn at_24_px() -> PaintSettings {
        PaintSettings {
            working_size: WorkingSize::LongSide(24),
            ..PaintSettings::default()
        }
    }

    #[test]
    fn a_batch_paints_what_single_photos_get() {
        let (mut painter, network, control) = (painter(), network(), RunControl::default());
        let photos = [photo(24, 16, 7), photo(48, 32, 90), photo(24, 16, 200)];
        let frames: Vec<&Frame> = photos.iter().collect();
        let paintings = painter
            .paint_batch(&frames, 8, &network, at_24_px(), &control)
            .expect("painted");
        assert_eq!(paintings.len(), photos.len());
        let opened: Vec<usize> = painter.sessions.iter().map(|s| s.spec.batch).collect();
        assert_eq!(opened, [3], "three frames fit the memory, eight do not");
        assert_eq!(control.progress(), 1.0);
        for (painting, photo) in paintings.iter().zip(&photos) {
            let alone = painter
                .paint(photo, &network, at_24_px(), &control)
                .expect("painted");
            assert!(painting.painted == alone.painted);
            assert_eq!(painting.mode, Mode::default());
        }
    }

    #[test]
    fn photos_that_cannot_go_together_are_refused() {
        let (mut painter, network, control) = (painter(), network(), RunControl::default());
        let photos = [photo(24, 16, 7), photo(16, 24, 7)];
        let frames: Vec<&Frame> = photos.iter().collect();
        let mut paint = |frames: &[&Frame]| {
            let painted = painter.paint_batch(frames, 2, &network, at_24_px(), &control);
            painted.map(|p| p.len())
        };
        assert!(matches!(
            paint(&frames),
            Err(PaintError::Backend(BackendError::WrongSize {
                width: 16,
                ..
            }))
        ));
        assert!(matches!(
            paint(&[]),
            Err(PaintError::Backend(BackendError::WrongBatch { .. }))
        ));
        control.cancel();
        assert!(paint(&frames[..1]).expect_err("stopped").is_cancelled());
    }
}
