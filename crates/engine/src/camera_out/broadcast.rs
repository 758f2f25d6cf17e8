//! What is written to the device at each moment. Time is passed in.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use super::{OnAir, Status, card::card, yuyv};
use crate::capture::{Output, OutputProblem};
use media::record::fit::Fit;
use values::{
    frame::Frame,
    mailbox::Reader,
    rotation::{Rotation, turn_into},
};

/// Time without a new picture after which readers get a card. Longer than the slowest painting of a picture.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// Time between two counts of the programs that read.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What the buffer contains.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Painting { is_flipped: bool },
    Card { large: &'static str, style: String },
}

/// Writes pictures to an open device.
pub struct Broadcast {
    pictures: Reader<Frame>,
    output: Box<dyn Output>,
    /// When the newest picture arrived.
    arrived_at: Option<Instant>,
    /// When the programs that read were counted, and how many there were.
    counted: Option<(Instant, usize)>,
    /// The picture that is written.
    yuyv: Vec<u8>,
    content: Option<Content>,
    written: u64,
}

impl Broadcast {
    pub fn new(pictures: Reader<Frame>, output: Box<dyn Output>) -> Self {
        Self {
            pictures,
            output,
            arrived_at: None,
            counted: None,
            yuyv: Vec::new(),
            content: None,
            written: 0,
        }
    }

    /// The state at time `now`. Readers are counted now and then.
    pub fn status(&mut self, now: Instant) -> Status {
        let readers = match self.counted {
            Some((at, readers)) if now - at < COUNT_EVERY => readers,
            _ => self.counted.insert((now, self.output.readers())).1,
        };
        let (width, height, _) = self.output.size();
        Status {
            camera: self.output.camera().clone(),
            size: (width, height),
            readers,
            written: self.written,
            problem: None,
        }
    }

    /// Writes what readers should see at time `now`.
    ///
    /// # Errors
    /// [`OutputProblem`] if the device fails, and agreeing on the size again does not help.
    pub fn tick(&mut self, on_air: &OnAir, now: Instant) -> Result<(), OutputProblem> {
        let is_new = self.pictures.take();
        if is_new {
            self.arrived_at = Some(now);
        }
        let content = self.content(on_air, now);
        let is_painting = matches!(content, Content::Painting { .. });
        if self.write(content.clone(), is_new && is_painting).is_ok() {
            return Ok(());
        }
        // A program that reads may have fixed another size.
        self.content = None;
        self.output.agree()?;
        self.write(content, false)
    }

    /// Writes a card as the last picture.
    pub fn end(&mut self, on_air: &OnAir) {
        let held = OnAir { is_held: true, ..on_air.clone() };
        // The device is closed anyway.
        self.write(self.content(&held, Instant::now()), false).ok();
    }

    fn content(&self, on_air: &OnAir, now: Instant) -> Content {
        let card = |large| Content::Card { large, style: on_air.style.clone() };
        match self.arrived_at {
            _ if on_air.is_held => card("Paused"),
            Some(at) if on_air.is_still || now - at < STALE_AFTER => {
                Content::Painting { is_flipped: on_air.is_flipped }
            }
            _ => card("No picture"),
        }
    }

    /// Writes `content`, which is converted if the buffer has something else or it `is_new`.
    fn write(&mut self, content: Content, is_new: bool) -> Result<(), OutputProblem> {
        if is_new || self.content.as_ref() != Some(&content) {
            let (width, height, row_bytes) = self.output.size();
            match &content {
                Content::Painting { is_flipped } => {
                    let mut fit = Fit::of((width, height));
                    let mut fitted = fit.apply(&self.pictures.value);
                    if *is_flipped {
                        let mut turned = Frame::empty(1, 1);
                        turn_into(&fitted, &mut turned, Rotation::None, true);
                        fitted = Cow::Owned(turned);
                    }
                    yuyv::fill(&fitted, row_bytes, &mut self.yuyv);
                }
                Content::Card { large, style } => {
                    let card = card((width, height), large, style);
                    yuyv::fill(&card, row_bytes, &mut self.yuyv);
                }
            }
            self.content = Some(content);
        }
        self.written += u64::from(self.output.write(&self.yuyv)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::capture::VirtualCamera;
    use values::mailbox::{Writer, mailbox};

    /// The state of a scripted device.
    #[derive(Default)]
    struct Script {
        size: (usize, usize, usize),
        /// The answers to the next pictures; afterwards every picture is taken.
        answers: VecDeque<Result<bool, OutputProblem>>,
        /// The size that is agreed on next.
        next_size: Option<(usize, usize, usize)>,
        pictures: Vec<Vec<u8>>,
    }

    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<Script>>);

    impl Output for Scripted {
        fn camera(&self) -> &VirtualCamera {
            static CAMERA: VirtualCamera =
                VirtualCamera { device: String::new(), label: String::new(), problem: None };
            &CAMERA
        }

        fn size(&self) -> (usize, usize, usize) {
            self.0.lock().expect("a script").size
        }

        fn agree(&mut self) -> Result<(), OutputProblem> {
            let mut script = self.0.lock().expect("a script");
            script.size = script.next_size.take().ok_or_else(gone)?;
            Ok(())
        }

        fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem> {
            let mut script = self.0.lock().expect("a script");
            script.pictures.push(yuyv.to_vec());
            script.answers.pop_front().unwrap_or(Ok(true))
        }

        fn readers(&self) -> usize {
            self.0.lock().expect("a script").pictures.len()
        }
    }

    fn gone() -> OutputProblem {
        OutputProblem::refused("/dev/video10", "it was removed")
    }

    fn other_size() -> OutputProblem {
        OutputProblem::refused("/dev/video10", "another size")
    }

    /// A broadcast to a device of this size, with its script and the writer of its pictures.
    fn broadcast(size: (usize, usize, usize)) -> (Broadcast, Scripted, Writer<Frame>) {
        let scripted = Scripted::default();
        scripted.0.lock().expect("a script").size = size;
        let (writer, pictures) = mailbox(|| Frame::empty(1, 1));
        (Broadcast::new(pictures, Box::new(scripted.clone())), scripted, writer)
    }

    fn put(writer: &mut Writer<Frame>, size: (usize, usize), levels: impl Fn(usize) -> u8) {
        writer.value =
            Frame::from_fn(size.0, size.1, |x, _| [levels(x), levels(x), levels(x), 255]);
        writer.put();
    }

    /// Luma of the last picture in this row.
    fn row(scripted: &Scripted, y: usize) -> Vec<u8> {
        let script = scripted.0.lock().expect("a script");
        let (width, _, row_bytes) = script.size;
        let picture = script.pictures.last().expect("a picture");
        picture[y * row_bytes..][..2 * width].iter().step_by(2).copied().collect()
    }

    #[test]
    fn the_newest_painting_is_fitted_into_the_devices_size() {
        let (mut broadcast, scripted, mut writer) = broadcast((16, 8, 40));
        let (on_air, now) = (OnAir::default(), Instant::now());
        put(&mut writer, (8, 8), |_| 9);
        put(&mut writer, (8, 8), |x| if x < 4 { 0 } else { 255 });
        broadcast.tick(&on_air, now).expect("written");
        let expected = [[16; 4], [16; 4], [235; 4], [16; 4]].concat();
        assert_eq!(row(&scripted, 0), expected, "bars at the sides");
        assert_eq!(row(&scripted, 7), expected, "no row is sheared");
        // Without a newer one it is written again.
        broadcast.tick(&on_air, now + Duration::from_millis(33)).expect("written");
        assert_eq!((row(&scripted, 3), broadcast.written), (expected, 2));
        let flipped = OnAir { is_flipped: true, ..on_air };
        broadcast.tick(&flipped, now + Duration::from_millis(66)).expect("written");
        assert_eq!(row(&scripted, 3), [[16; 4], [235; 4], [16; 4], [16; 4]].concat());
    }

    #[test]
    fn readers_get_a_card_when_there_is_no_live_painting() {
        let (mut broadcast, scripted, mut writer) = broadcast((64, 32, 128));
        let (on_air, now) =
            (OnAir { style: "Candy".to_owned(), ..OnAir::default() }, Instant::now());
        let white = |scripted: &Scripted| row(scripted, 0).iter().all(|luma| *luma == 235);
        broadcast.tick(&on_air, now).expect("written");
        assert!(!white(&scripted), "nothing has been painted");
        put(&mut writer, (64, 32), |_| 255);
        broadcast.tick(&on_air, now).expect("written");
        assert!(white(&scripted));
        let held = OnAir { is_held: true, ..on_air.clone() };
        // Also if a held picture is painted in another style.
        put(&mut writer, (64, 32), |_| 255);
        broadcast.tick(&held, now).expect("written");
        assert!(!white(&scripted), "held");
        broadcast.tick(&on_air, now).expect("written");
        assert!(white(&scripted), "it continues with the newest painting");
        let late = now + STALE_AFTER;
        broadcast.tick(&on_air, late).expect("written");
        assert!(!white(&scripted), "the source is silent");
        let still = OnAir { is_still: true, ..on_air.clone() };
        broadcast.tick(&still, late).expect("written");
        assert!(white(&scripted), "a photo stays");
        broadcast.end(&still);
        assert!(!white(&scripted), "the last frame is replaced");
    }

    #[test]
    fn a_device_that_changes_its_size_is_followed_once_a_picture() {
        let (mut broadcast, scripted, mut writer) = broadcast((16, 8, 32));
        let (on_air, now) = (OnAir::default(), Instant::now());
        let change = |size: (usize, usize, usize)| {
            let mut script = scripted.0.lock().expect("a script");
            script.answers.push_back(Err(other_size()));
            script.next_size = Some(size);
        };
        put(&mut writer, (4, 4), |_| 255);
        change((32, 32, 64));
        broadcast.tick(&on_air, now).expect("agreed again");
        assert_eq!((row(&scripted, 31), broadcast.written), (vec![235; 32], 1));
        change((16, 8, 32));
        scripted.0.lock().expect("a script").answers.push_back(Err(other_size()));
        assert_eq!(broadcast.tick(&on_air, now), Err(other_size()));
    }

    #[test]
    fn a_busy_moment_loses_a_picture_and_a_removed_device_ends() {
        let (mut broadcast, scripted, _writer) = broadcast((16, 8, 32));
        let (on_air, now) = (OnAir::default(), Instant::now());
        scripted.0.lock().expect("a script").answers = [Ok(false), Ok(true), Err(gone())].into();
        broadcast.tick(&on_air, now).expect("not taken");
        assert_eq!(broadcast.written, 0);
        broadcast.tick(&on_air, now).expect("written");
        assert_eq!(broadcast.written, 1);
        assert_eq!(broadcast.tick(&on_air, now), Err(gone()));
        let readers = |broadcast: &mut Broadcast, now| broadcast.status(now).readers;
        assert_eq!(readers(&mut broadcast, now), 3);
        broadcast.tick(&on_air, now).expect("written");
        assert_eq!(readers(&mut broadcast, now + Duration::from_secs(1)), 3);
        assert_eq!(readers(&mut broadcast, now + COUNT_EVERY), 4);
    }
}
