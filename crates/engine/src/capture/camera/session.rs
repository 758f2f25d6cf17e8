//! The thread that uses the device: opens it, reads its frames, decodes and delivers them.
//!
//! It may hang in the driver at any moment. So it sends a heartbeat around every call, holds no lock during a driver
//! call, and delivers nothing after the watching thread has abandoned it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::{
    DeviceEntry,
    open_devices::{OpenDevice, OpenFor},
    system::Device,
};
use crate::capture::{
    CaptureSettings,
    decoder::FrameDecoder,
    feed::{self, SourceControl},
    format::{CameraFormat, choose},
    frame_writer::{Arrival, FrameWriter},
    problem::CaptureProblem,
};
use values::{
    lock::lock,
    raw_frame::{Layout, PixelFormat, Unusable},
};

/// Maximum wait for the device without checking whether to stop.
const STOP_CHECK_EVERY: Duration = Duration::from_millis(40);
/// Patience with opening and with the first frame: cameras are slow to start.
pub const WAKING_PATIENCE: Duration = Duration::from_secs(5);
/// Minimum patience with a running camera.
const MIN_PATIENCE: Duration = Duration::from_millis(500);
/// Number of missing frames after which a camera counts as stalled.
const PATIENCE_FRAMES: f32 = 5.0;
/// How long all frames may be damaged before that is reported.
const DAMAGED_PATIENCE: Duration = Duration::from_secs(3);

/// The destination of frames, shared by the successive sessions of a camera.
pub struct FrameOutput {
    pub frames: FrameWriter,
    /// Number of the session that may write.
    pub owner: u64,
}

/// A session's messages to the thread that watches it.
pub enum Report {
    /// The first frame was delivered.
    Started {
        format: CameraFormat,
        /// All formats that the camera offers.
        offered: Vec<CameraFormat>,
    },
    /// The session is over, with the problem that ended it; `None` if the watching thread ended it.
    Ended(Option<CaptureProblem>),
}

/// What a session needs.
pub struct Session {
    pub number: u64,
    pub entry: DeviceEntry,
    pub request: CaptureSettings,
    pub output: Arc<Mutex<FrameOutput>>,
    pub control: Arc<SourceControl>,
    pub heartbeat: Arc<Heartbeat>,
    pub reports: Sender<Report>,
}

/// Shared by both threads while a session runs.
pub struct Heartbeat {
    began: Instant,
    /// Time of the last heartbeat, in milliseconds after `began`.
    seen_ms: AtomicU64,
    /// Set to end the session.
    ends: AtomicBool,
}

impl Heartbeat {
    pub fn new() -> Self {
        Self { began: Instant::now(), seen_ms: AtomicU64::new(0), ends: AtomicBool::new(false) }
    }

    /// Time from the last heartbeat to `now`.
    pub fn silence(&self, now: Instant) -> Duration {
        let seen = Duration::from_millis(self.seen_ms.load(Ordering::Relaxed));
        (now.saturating_duration_since(self.began)).saturating_sub(seen)
    }

    /// Ends the session at its next check.
    pub fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
    }

    fn sign(&self, now: Instant) {
        let now_ms = now.saturating_duration_since(self.began).as_millis() as u64;
        self.seen_ms.store(now_ms, Ordering::Relaxed);
    }

    fn is_running(&self) -> bool {
        self.sign(Instant::now());
        !self.ends.load(Ordering::Relaxed)
    }
}

/// How long a running camera may be silent.
pub fn patience(format: &CameraFormat) -> Duration {
    Duration::try_from_secs_f32(PATIENCE_FRAMES / format.fps())
        .unwrap_or(WAKING_PATIENCE)
        .clamp(MIN_PATIENCE, WAKING_PATIENCE)
}

impl Session {
    /// Runs the session, from opening the camera to its end.
    pub fn run(self) {
        // A driver that violates its interface can make the camera crate panic. That ends the session, not the program.
        let ended = catch_unwind(AssertUnwindSafe(|| self.live())).unwrap_or_else(|_| {
            Err(CaptureProblem::Device("the camera driver returned invalid data".to_owned()))
        });
        let _ = self.reports.send(Report::Ended(ended.err()));
    }

    fn live(&self) -> Result<(), CaptureProblem> {
        // Dropped after the device.
        let _open = OpenDevice::new(OpenFor::Source, &self.entry.device);
        self.heartbeat.sign(Instant::now());
        let mut device = Device::open(&self.entry)?;
        self.heartbeat.sign(Instant::now());
        let mut offered = device.formats()?;
        // A format beyond the limits is chosen only if there is no other, and then refused.
        if offered.iter().any(CameraFormat::is_within_limits) {
            offered.retain(CameraFormat::is_within_limits);
        }
        let requested = choose(&offered, &self.request).ok_or_else(CaptureProblem::no_format)?;
        if !self.heartbeat.is_running() {
            return Ok(());
        }
        let mut stream = device.start(&requested)?;
        let format = stream.format;
        if !format.is_within_limits() {
            let CameraFormat { width, height, .. } = format;
            return Err(CaptureProblem::FrameSize { width, height });
        }
        let mut offered = Some(offered);
        let mut frames =
            Frames { session: self, decoder: FrameDecoder::default(), last_good: Instant::now() };
        let mut last_frame = Instant::now();
        let mut wished_at = Instant::now();
        while self.heartbeat.is_running() {
            let limit = if offered.is_some() { WAKING_PATIENCE } else { patience(&format) };
            // The buffer has the negotiated size even if the picture in it is smaller, so ask the driver.
            if !stream.is_as_agreed() {
                return Err(CaptureProblem::FormatChanged);
            }
            let layout = stream.layout;
            let Some(bytes) = stream.next(STOP_CHECK_EVERY)? else {
                if last_frame.elapsed() > limit {
                    return Err(CaptureProblem::Stalled {
                        ms: last_frame.elapsed().as_millis() as u64,
                    });
                }
                continue;
            };
            let arrived = Instant::now();
            last_frame = arrived;
            let waited_ms = feed::milliseconds(arrived.duration_since(wished_at));
            let is_good = frames.deliver(bytes, &layout, arrived, waited_ms)?;
            if is_good && let Some(offered) = offered.take() {
                let _ = self.reports.send(Report::Started { format, offered });
            }
            wished_at = Instant::now();
        }
        Ok(())
    }
}

/// Decodes the frames of one session, unless the reader does.
struct Frames<'a> {
    session: &'a Session,
    decoder: FrameDecoder,
    last_good: Instant,
}

impl Frames<'_> {
    /// Delivers a frame, decoded or for the reader to decode. Returns whether it was good.
    fn deliver(
        &mut self,
        bytes: &[u8],
        layout: &Layout,
        arrived: Instant,
        waited_ms: f32,
    ) -> Result<bool, CaptureProblem> {
        let size = (layout.width, layout.height);
        let mut output = lock(&self.session.output);
        let FrameOutput { frames, owner } = &mut *output;
        if *owner != self.session.number {
            // This session was abandoned while it hung; another session writes now.
            self.session.heartbeat.end();
            return Ok(false);
        }
        let stays_raw = self.session.control.takes_raw.load(Ordering::Relaxed)
            && layout.pixels != PixelFormat::Mjpeg
            && frames.keeps_size(size);
        let arrival = Arrival { at: arrived, waited_ms };
        let taken = if stays_raw {
            frames.put_raw(layout, bytes, arrival)
        } else {
            frames.put(size, arrival, |rgba| self.decoder.decode(bytes, layout, rgba))
        };
        match taken {
            Ok(()) => {
                self.last_good = arrived;
                Ok(true)
            }
            Err(Unusable::OtherFormat) => Err(CaptureProblem::FormatChanged),
            Err(Unusable::Damaged) => {
                self.session.control.damaged_frames.fetch_add(1, Ordering::Relaxed);
                if self.last_good.elapsed() > DAMAGED_PATIENCE {
                    return Err(CaptureProblem::Damaged);
                }
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{FrameInterval, camera::open_devices::open_count};

    #[test]
    fn patience_is_five_frames_within_limits() {
        let at = |numerator, denominator| {
            patience(&CameraFormat {
                width: 640,
                height: 480,
                interval: FrameInterval::new(numerator, denominator).expect("not 0"),
                pixels: PixelFormat::Yuyv,
            })
        };
        assert_eq!(at(1, 30), MIN_PATIENCE);
        assert_eq!(at(1, 5), Duration::from_secs(1));
        assert_eq!(at(1000, 1), WAKING_PATIENCE);
    }

    #[test]
    fn a_device_is_held_until_the_last_lets_go() {
        let device = "/dev/video-of-this-test";
        let first = OpenDevice::new(OpenFor::Source, device);
        let second = OpenDevice::new(OpenFor::Source, device);
        drop(first);
        assert_eq!(open_count(OpenFor::Source, device), 1);
        assert_eq!(open_count(OpenFor::Source, "/dev/video-of-no-test"), 0);
        drop(second);
        assert_eq!(open_count(OpenFor::Source, device), 0);
    }

    #[test]
    fn silence_ends_with_a_sign() {
        let heartbeat = Heartbeat::new();
        let at = |ms| heartbeat.began + Duration::from_millis(ms);
        assert_eq!(heartbeat.silence(at(30)), Duration::from_millis(30));
        heartbeat.sign(at(40));
        assert_eq!(heartbeat.silence(at(45)), Duration::from_millis(5));
        assert!(heartbeat.is_running());
        heartbeat.end();
        assert!(!heartbeat.is_running());
    }
}
