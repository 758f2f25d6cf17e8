//! Sources of live pictures: cameras, photos, folders of photos, videos, screens, streams and the demo scene.
//!
//! [`Capture::start`] returns a handle and the reading end of a [mailbox](values::mailbox). Every source runs on its
//! own threads and delivers RGBA8 frames; a new frame replaces an unread one, so the source never waits. A camera's
//! frames can also stay in the camera's format, if the reader decodes them. Sources send events, which
//! [`Capture::poll`] returns. A camera or a stream that fails is retried until it works or the handle is dropped. Knows no style,
//! no backend and no window.
//!
//! Threads: a photo, a folder, a video, a stream and the demo scene have one. A camera has two: one uses the device and can hang
//! with it; the other watches the first, reports, and starts a replacement.

mod camera;
mod decoder;
#[cfg_attr(not(feature = "drawing"), path = "no_demo.rs")]
mod demo;
mod feed;
mod format;
mod frame_writer;
mod mjpeg;
mod orient;
mod problem;
mod source;
mod stills;
mod stream;
mod video;

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use camera::{
    Camera, Output, OutputProblem, OutputRequest, Setup, VirtualCamera, cameras, formats,
    is_connected, open_output, virtual_cameras,
};
pub use decoder::FrameDecoder;
pub use format::{CameraFormat, FrameInterval, PixelFormat};
pub use problem::{CaptureError, CaptureEvent, CaptureProblem};
pub use source::{CameraId, Source};

pub use values::{
    raw_frame::{Layout, Unusable},
    rotation::Rotation,
};

pub(crate) use feed::milliseconds;
use feed::{Events, Feed, SourceControl};
use frame_writer::FrameWriter;
use values::{
    frame::Frame,
    lock::lock,
    mailbox::{Reader, mailbox},
    raw_frame::RawFrame,
};

/// Maximum side of a live frame, in pixels. Cameras send up to 4K; larger photos are scaled down.
pub const LARGEST_FRAME_PX: usize = 4096;
/// Capacity of the event queue; when it is full, the oldest event is dropped.
const MAX_EVENTS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// Columns and rows requested from a camera or the demo scene; `None` chooses them for
    /// [`CaptureSettings::source_px`]. A camera without this size sends the nearest.
    pub size: Option<(u32, u32)>,
    /// Frames per second requested from a camera or the demo scene, which supports up to 240; `None` means 30 or more.
    pub fps: Option<u32>,
    /// Format requested from a camera; `None` means the cheapest.
    pub format: Option<PixelFormat>,
    /// Swap left and right, after rotation.
    pub mirror: bool,
    /// Clockwise.
    pub rotate: Rotation,
    /// Long side that the source's frames should have, in pixels. A camera's format is chosen for it, and the demo
    /// scene is drawn at it.
    pub source_px: usize,
    /// Maximum side of the delivered frames, in pixels; larger ones are scaled down.
    pub frame_px: usize,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            size: None,
            fps: None,
            format: None,
            mirror: false,
            rotate: Rotation::default(),
            source_px: 640,
            frame_px: LARGEST_FRAME_PX,
        }
    }
}

impl CaptureSettings {
    /// The requests that a camera's format `sends` does not meet, as text; `None` if it meets all.
    pub fn unmet(&self, sends: &CameraFormat) -> Option<String> {
        let size = self.size.filter(|size| *size != (sends.width, sends.height));
        // Cameras report 29.97 for 30.
        let fps = (self.fps).filter(|fps| (sends.fps() - *fps as f32).abs() > 0.05 * *fps as f32);
        let format = self.format.filter(|format| *format != sends.pixels);
        let parts: Vec<String> = [
            size.map(|(w, h)| format!("{w} x {h}")),
            fps.map(|fps| format!("{fps} fps")),
            format.map(|format| format.to_string()),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// A frame of a live source.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The pixels, rotated and mirrored as set; outdated if the frame is [raw](Self::raw).
    pub frame: Frame,
    raw: RawFrame,
    is_raw: bool,
    /// Number of the frame since the source was started, from 1.
    pub sequence: u64,
    /// Its time in a film, in seconds; 0 of other sources.
    pub film_seconds: f64,
    /// When the source had it: when a camera's bytes arrived, or when drawing or decoding began.
    pub captured_at: Instant,
    /// Milliseconds from the request for a frame to its bytes, including waiting.
    pub capture_ms: f32,
    /// Milliseconds from bytes to upright RGBA; for the demo scene, of drawing it.
    pub decode_ms: f32,
}

impl Captured {
    /// The value in the mailbox before the first frame: one pixel.
    fn nothing() -> Self {
        Self::of(Frame::from_fn(1, 1, |_, _| [0, 0, 0, 255]))
    }

    /// A frame that is captured now, with number 0.
    pub fn of(frame: Frame) -> Self {
        Self {
            frame,
            raw: RawFrame::default(),
            is_raw: false,
            sequence: 0,
            film_seconds: 0.0,
            captured_at: Instant::now(),
            capture_ms: 0.0,
            decode_ms: 0.0,
        }
    }

    /// A frame in a camera's format that is captured now, with number 0.
    pub fn of_raw(raw: RawFrame) -> Self {
        Self { raw, is_raw: true, ..Self::nothing() }
    }

    /// The frame in the camera's format, if it has not been decoded; only after [`Capture::set_takes_raw`].
    pub fn raw(&self) -> Option<&RawFrame> {
        self.is_raw.then_some(&self.raw)
    }

    /// Columns and rows of the pixels.
    pub fn size(&self) -> (usize, usize) {
        if self.is_raw { self.raw.size() } else { self.frame.size() }
    }

    /// Decodes the frame with `decode`, which receives the frame in the camera's format and a buffer for the pixels.
    /// The frame counts as decoded once `decode` returns a result. Does nothing if it already is decoded.
    ///
    /// # Errors
    /// Those of `decode`.
    pub fn decode_with<T, E>(
        &mut self,
        decode: impl FnOnce(&RawFrame, &mut Frame) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if !self.is_raw {
            return Ok(None);
        }
        let (width, height) = self.raw.size();
        self.frame.resize(width, height);
        let result = decode(&self.raw, &mut self.frame)?;
        self.is_raw = result.is_none();
        Ok(result)
    }

    /// The pixels, decoded first if needed, with `scratch` as a buffer.
    pub fn decoded(&mut self, scratch: &mut Frame) -> &Frame {
        if std::mem::take(&mut self.is_raw) {
            self.raw.decode_into(&mut self.frame, scratch);
        }
        &self.frame
    }
}

/// A running source. Can be shared. Dropping it, or [`Capture::stop`], stops the source's threads without waiting for
/// them.
pub struct Capture {
    events: Receiver<CaptureEvent>,
    control: Arc<SourceControl>,
    /// Carries no messages: the threads stop when it disconnects.
    alive: Mutex<Option<Sender<()>>>,
}

impl Capture {
    /// Starts `source`.
    ///
    /// The frames of a stream have one size, with these exceptions: a folder's change with its pictures, a camera's
    /// when it is reopened in another format, and the demo scene's when the requested size grows. After the first
    /// frames of a size nothing is allocated, except inside the JPEG decoder.
    ///
    /// # Errors
    /// The operating system could not start a thread. A problem of the source itself arrives as an event.
    pub fn start(
        source: Source,
        settings: CaptureSettings,
    ) -> io::Result<(Self, Reader<Captured>)> {
        let (writer, reader) = mailbox(Captured::nothing);
        let (event_sender, events) = bounded(MAX_EVENTS);
        // Capacity 1, because waiting on a zero-capacity channel allocates.
        let (alive, stopped) = bounded(1);
        let control = Arc::new(SourceControl::new(settings.source_px));
        let feed = Feed {
            events: Events { sender: event_sender, waiting: events.clone() },
            control: control.clone(),
            stopped,
        };
        let frames = FrameWriter::new(writer, &settings);
        // Each runs until the source ends or is stopped.
        let run = move || match source {
            Source::Demo => demo::run(&feed, frames, settings),
            Source::Photo(path) => stills::run_photo(&path, &feed, frames, &settings),
            Source::Folder(path) => stills::run_folder(&path, &feed, frames, &settings),
            Source::Video(path) => video::run(&path, &feed, frames, &settings),
            Source::Stream(address) => stream::run(&address, &feed, frames, &settings),
            Source::Camera(id) => camera::run(&id, feed, frames, &settings),
        };
        thread::Builder::new().name("capture".to_owned()).spawn(run)?;
        let capture = Self { events, control, alive: Mutex::new(Some(alive)) };
        Ok((capture, reader))
    }

    /// The next event, if there is one. Never waits.
    pub fn poll(&self) -> Option<CaptureEvent> {
        self.events.try_recv().ok()
    }

    /// The event channel, for waiting on several channels.
    pub fn events(&self) -> &Receiver<CaptureEvent> {
        &self.events
    }

    /// Sets the long side that the source's frames should have, in pixels. A camera may be reopened in a format that
    /// suits it better, at most once every few seconds; the demo scene may grow.
    pub fn set_source_px(&self, px: usize) {
        self.control.set_source_px(px);
    }

    /// Sets whether a camera's frames may be delivered in the camera's format. MJPEG frames and frames that must be
    /// scaled down are decoded anyway.
    pub fn set_takes_raw(&self, takes_raw: bool) {
        self.control.takes_raw.store(takes_raw, Ordering::Relaxed);
    }

    /// Sets whether the picture is held (frozen), so that new frames are not shown. The demo scene then stops. Cameras
    /// and folders continue, so that their newest frame is available immediately afterwards.
    pub fn set_held(&self, held: bool) {
        self.control.set_held(held);
    }

    /// Truncated or damaged camera frames that were skipped.
    pub fn damaged_frames(&self) -> u64 {
        self.control.damaged_frames.load(Ordering::Relaxed)
    }

    /// Stops the source and releases its device: within 50 ms, unless the driver hangs. Does not wait for it.
    pub fn stop(&self) {
        // A poisoned lock is harmless: it is only held for an assignment.
        *lock(&self.alive) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_that_a_camera_does_not_meet_are_named() {
        let sends = CameraFormat {
            width: 640,
            height: 480,
            interval: FrameInterval::new(1001, 30_000).expect("not 0"),
            pixels: PixelFormat::Yuyv,
        };
        let unmet = |size, fps, format| {
            let settings = CaptureSettings { size, fps, format, ..CaptureSettings::default() };
            settings.unmet(&sends)
        };
        assert_eq!(unmet(None, None, None), None);
        let met = unmet(Some((640, 480)), Some(30), Some(PixelFormat::Yuyv));
        assert_eq!(met, None);
        let other = unmet(Some((320, 240)), Some(60), Some(PixelFormat::Mjpeg));
        assert_eq!(other.as_deref(), Some("320 x 240, 60 fps, MJPEG"));
    }

    #[test]
    fn the_demo_scene_runs_and_ends_with_its_handle() {
        let settings = CaptureSettings {
            size: Some((64, 48)),
            rotate: Rotation::Quarter,
            ..CaptureSettings::default()
        };
        let (capture, mut reader) = Capture::start(Source::Demo, settings).expect("a thread");
        let patience = Duration::from_secs(120);
        let mut last = 0;
        for _ in 0..3 {
            reader.ready().recv_timeout(patience).expect("a frame");
            assert!(reader.take());
            assert!(reader.value.sequence > last);
            last = reader.value.sequence;
            let frame = &reader.value.frame;
            assert_eq!(frame.size(), (48, 64));
        }
        assert!(matches!(capture.poll(), Some(CaptureEvent::Started { .. })));
        capture.set_held(true);
        reader.take();
        last = reader.value.sequence;
        // One frame may have been in flight, but no second one arrives.
        std::thread::sleep(Duration::from_millis(400));
        while reader.ready().try_recv().is_ok() {}
        reader.take();
        assert!(reader.value.sequence <= last + 1, "held");
        last = reader.value.sequence;
        capture.set_held(false);
        reader.ready().recv_timeout(patience).expect("a frame");
        assert!(reader.take() && reader.value.sequence > last);
        capture.stop();
        while reader.ready().recv_timeout(patience).is_ok() {}
        assert!(reader.ready().is_empty(), "the writer is gone");
    }

    #[test]
    fn the_demo_scene_grows_with_the_working_size() {
        let settings = CaptureSettings { source_px: 320, ..CaptureSettings::default() };
        let (capture, mut reader) = Capture::start(Source::Demo, settings).expect("a thread");
        let patience = Duration::from_secs(120);
        let mut size_of_next = || {
            reader.ready().recv_timeout(patience).expect("a frame");
            reader.take();
            reader.value.frame.size()
        };
        assert_eq!(size_of_next(), (320, 240));
        capture.set_source_px(960);
        let mut size = (320, 240);
        for _ in 0..30 {
            size = size_of_next();
            if size != (320, 240) {
                break;
            }
        }
        assert_eq!(size, (960, 720));
        capture.set_source_px(100);
        for _ in 0..5 {
            assert_eq!(size_of_next(), (960, 720), "a small picture is made of it");
        }
    }
}
