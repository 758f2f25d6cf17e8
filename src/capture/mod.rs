//! Where live pictures come from: cameras, photos, folders of photos and the demo scene.
//!
//! [`Capture::start`] gives a handle and the reading end of a [mailbox](crate::mailbox). Every source runs on
//! threads of its own, hands frames on as RGBA8 (the newest wins, nothing waits), and sends events, which
//! [`Capture::poll`] gives. A camera's may also stay as they came, where the reader decodes them. A camera that goes wrong is tried again until it works or the handle is dropped.
//! Knows no style, no backend and no window.
//!
//! Threads: a photo, a folder and the demo scene have one. A camera has two: one that uses the device and may
//! hang with it, and one that watches it, reports, and starts another in its place.

mod camera;
mod decoder;
mod demo;
mod feed;
mod format;
mod frame_source;
mod mjpeg;
mod orient;
mod problem;
mod source;
mod stills;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread,
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use camera::{Camera, cameras, formats};
pub use decoder::FrameDecoder;
pub use demo::Scene;
pub use format::{CameraFormat, FrameInterval, PixelFormat};
pub use problem::{CaptureError, CaptureEvent, CaptureProblem};
pub use source::{CameraId, Source, SourceError};

pub use crate::{
    raw_frame::{Layout, Unusable},
    rotation::Rotation,
};

use crate::{
    frame::Frame,
    mailbox::{Reader, mailbox},
    raw_frame::RawFrame,
};
use feed::{Events, Feed, SourceControl};
use frame_source::{FrameSource, FrameWriter};

/// Longest side of a live frame, in pixels: cameras send up to 4K, larger photos are made smaller.
pub const LARGEST_FRAME_PX: usize = 4096;
/// Most events that wait for [`Capture::poll`]; the oldest is lost when one more comes.
const MOST_EVENTS: usize = 64;

/// How a source is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// Columns and rows requested from a camera or the demo scene; when `None`, chosen for
    /// [`CaptureSettings::source_px`]. A camera that does not have them sends the nearest.
    pub size: Option<(u32, u32)>,
    /// Frames per second requested from a camera or the demo scene, which goes up to 240; 30 or more when
    /// `None`.
    pub fps: Option<u32>,
    /// Format requested from a camera; the cheapest when `None`.
    pub format: Option<PixelFormat>,
    /// Swap left and right, as in a mirror. Happens after turning.
    pub mirror: bool,
    /// Turn clockwise.
    pub rotate: Rotation,
    /// Long side that the source's frames should have, in pixels: a camera's format is chosen for it, and the
    /// demo scene is drawn at it.
    pub source_px: usize,
    /// Longest side of the frames that are handed on, in pixels; larger ones are made smaller.
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
    /// The requests that the format `sends` of a camera does not meet, in words; `None` when it meets all.
    pub fn unmet(&self, sends: &CameraFormat) -> Option<String> {
        let size = self.size.filter(|size| *size != (sends.width, sends.height));
        // Cameras say 29.97 and mean 30.
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
    /// The pixels, turned and mirrored as set; stale where the frame is [raw](Self::raw).
    pub frame: Frame,
    raw: RawFrame,
    is_raw: bool,
    /// Number of the frame since the source was started, from 1 on.
    pub sequence: u64,
    /// When the source had it: when a camera's bytes arrived, when a drawn or decoded picture was
    /// begun.
    pub captured_at: Instant,
    /// Milliseconds from the request for a frame to its bytes, waiting included.
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
            captured_at: Instant::now(),
            capture_ms: 0.0,
            decode_ms: 0.0,
        }
    }

    /// A frame as a camera sends it, which is captured now, with number 0.
    pub fn of_raw(raw: RawFrame) -> Self {
        Self { raw, is_raw: true, ..Self::nothing() }
    }

    /// The frame as a camera sent it, if nobody has decoded it yet; only after [`Capture::set_takes_raw`].
    pub fn raw(&self) -> Option<&RawFrame> {
        self.is_raw.then_some(&self.raw)
    }

    /// Columns and rows of the pixels.
    pub fn size(&self) -> (usize, usize) {
        match self.is_raw {
            true => self.raw.size(),
            false => (self.frame.width(), self.frame.height()),
        }
    }

    /// Lets `decode` make the pixels, which gets the frame as a camera sent it and memory for them; they are there once it
    /// gives a result. Nothing happens where they are there already.
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

    /// The pixels, decoded if nobody has done so yet; `scratch` is of use for that.
    pub fn decoded(&mut self, scratch: &mut Frame) -> &Frame {
        if std::mem::take(&mut self.is_raw) {
            self.raw.decode_into(&mut self.frame, scratch);
        }
        &self.frame
    }
}

/// A running source. May be shared; dropping it, or [`Capture::stop`], stops the source's threads and waits
/// for none of them.
pub struct Capture {
    events: Receiver<CaptureEvent>,
    control: Arc<SourceControl>,
    /// Nothing is ever sent: the threads see it close.
    alive: Mutex<Option<Sender<()>>>,
}

impl Capture {
    /// Starts `source`.
    ///
    /// The frames of a stream have one size. A folder's change with its pictures, a camera's when it is opened
    /// again in another format, the demo scene's when the requested size grows beyond it. After the
    /// first frames of a size nothing is allocated for one any more, except inside the JPEG decoder.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread. A problem of the source itself comes as an event.
    pub fn start(
        source: Source,
        settings: CaptureSettings,
    ) -> io::Result<(Self, Reader<Captured>)> {
        let (writer, reader) = mailbox(Captured::nothing);
        let (event_sender, events) = bounded(MOST_EVENTS);
        // Not of size 0: waiting for one of those allocates.
        let (alive, stopped) = bounded(1);
        let control = Arc::new(SourceControl::new(settings.source_px));
        let feed = Feed {
            events: Events::new(event_sender, events.clone()),
            control: control.clone(),
            stopped,
        };
        let source: Box<dyn FrameSource> = match source {
            Source::Demo => Box::new(demo::DemoSource),
            Source::Photo(path) => Box::new(stills::PhotoSource(path)),
            Source::Folder(path) => Box::new(stills::FolderSource(path)),
            Source::Camera(id) => Box::new(camera::CameraSource(id)),
        };
        let frames = FrameWriter::new(writer, &settings);
        let run = move || source.run(feed, frames, &settings);
        thread::Builder::new().name("capture".to_owned()).spawn(run)?;
        let capture = Self { events, control, alive: Mutex::new(Some(alive)) };
        Ok((capture, reader))
    }

    /// The next event, if there is one. Never waits.
    pub fn poll(&self) -> Option<CaptureEvent> {
        self.events.try_recv().ok()
    }

    /// The channel of events, to wait on together with others.
    pub fn events(&self) -> &Receiver<CaptureEvent> {
        &self.events
    }

    /// Sets the long side that the source's frames should have, in pixels. A camera may be opened again in a
    /// format that suits it better, a few seconds apart at least; the demo scene may grow.
    pub fn set_source_px(&self, px: usize) {
        self.control.set_source_px(px);
    }

    /// Sets whether a camera's frames may be handed on as they came, but for MJPEG and those that have to be made smaller.
    pub fn set_takes_raw(&self, takes_raw: bool) {
        self.control.set_takes_raw(takes_raw);
    }

    /// Sets whether the picture is held (frozen), so that new frames are not shown. The demo scene then stands
    /// still; cameras and folders go on, so that their newest frame is there at once afterwards.
    pub fn set_held(&self, held: bool) {
        self.control.set_held(held);
    }

    /// Frames of a camera that came truncated or damaged and were skipped.
    pub fn damaged_frames(&self) -> u64 {
        self.control.damaged_frames.load(Ordering::Relaxed)
    }

    /// Stops the source and releases its device: within 50 ms, unless the device's driver hangs.
    /// Does not wait for it.
    pub fn stop(&self) {
        // A thread that panicked held the lock for an assignment only.
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
            assert_eq!((frame.width(), frame.height()), (48, 64));
        }
        assert!(matches!(capture.poll(), Some(CaptureEvent::Started { .. })));
        capture.set_held(true);
        reader.take();
        last = reader.value.sequence;
        // One may have been on its way, but no second one comes.
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
            let frame = &reader.value.frame;
            (frame.width(), frame.height())
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
