//! Plays a clip: a thread that seeks, keeps the clip's time, and starts and ends the processes for it.
//!
//! Every order ends the one before. Playing delivers small pictures at the clip's own pace; a held picture has its full
//! size. Every seek starts a new decoder. A decoder that does nothing for ten seconds is stopped.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, at, select, unbounded};

use super::{
    FilmError, Range,
    decoder::{Decoder, Stop},
    open_film::OpenFilm,
    sound::Sound,
};
use threads::{BoundedThread, WakeUp};
use values::frame::Frame;

/// Times are compared with this tolerance, in seconds: pictures are at least a thousandth apart, and ffmpeg is given
/// millionths.
const TOLERANCE: f64 = 0.0004;
/// Maximum number of pictures that are kept to be shown backwards.
const KEPT: usize = 32;
/// If pictures are later than this, the clip runs slower.
const MAX_LATE: Duration = Duration::from_millis(300);

/// What to do next. Times are in seconds.
pub enum Order {
    /// Deliver the picture at this time in full size, or that before it (-1) or after it (1), if there is one.
    Hold {
        at: f64,
        by: i8,
    },
    Play(Play),
}

/// An order and its number.
type Numbered = (u64, Order);
type Served<R = ()> = Result<R, Stop<Numbered>>;

/// How to play.
pub struct Play {
    pub from: f64,
    /// Seconds of the clip in a second; negative runs backwards.
    pub speed: f64,
    pub range: Range,
    pub loops: bool,
    pub has_sound: bool,
    /// Long side to which pictures are scaled down.
    pub long_side_px: usize,
    /// Takes every picture and its time; called on the player's thread.
    pub show: Box<dyn FnMut(f64, Frame) + Send>,
}

/// What the player reports.
#[derive(Debug)]
pub enum PlayerEvent {
    /// The picture of [`Order::Hold`].
    Held {
        seconds: f64,
        frame: Frame,
    },
    /// The end or beginning is reached and nothing is repeated.
    Ended,
    /// The sound cannot be played here; reported after the start, and by every play.
    Silent,
    Failed(FilmError),
}

/// The handle of the thread. Dropping it ends the thread and its processes, without waiting.
pub struct Player {
    orders: Sender<Numbered>,
    events: Receiver<(u64, PlayerEvent)>,
    newest: u64,
    thread: BoundedThread,
}

impl Player {
    /// Starts the thread. `wake_up` is called after every event.
    ///
    /// # Errors
    /// The operating system could not start the thread.
    pub fn start(film: Arc<OpenFilm>, wake_up: WakeUp) -> io::Result<Self> {
        let (order_sender, orders) = unbounded();
        let (event_sender, events) = unbounded();
        let work = Work {
            film,
            orders,
            events: event_sender,
            wake_up,
            order: 0,
            has_shown: false,
            open: None,
            sound: Sound::default(),
        };
        let thread = BoundedThread::spawn("film player", move || work.run())?;
        Ok(Self { orders: order_sender, events, newest: 0, thread })
    }

    /// Starts an order and ends the one before. Never waits.
    pub fn send(&mut self, order: Order) {
        self.newest += 1;
        // Fails only after [`Player::end`].
        self.orders.send((self.newest, order)).ok();
    }

    /// The next event of the newest order. Never waits.
    pub fn poll(&self) -> Option<PlayerEvent> {
        self.events.try_iter().find_map(|(order, event)| (order == self.newest).then_some(event))
    }

    /// Ends the thread and its processes, and waits for that at most this long.
    pub fn end(&mut self, patience: Duration) {
        self.orders = unbounded().0;
        self.thread.join_within(patience);
    }
}

/// The thread.
struct Work {
    film: Arc<OpenFilm>,
    orders: Receiver<Numbered>,
    events: Sender<(u64, PlayerEvent)>,
    wake_up: WakeUp,
    /// Number of the present order.
    order: u64,
    /// A picture was shown since the play last began at an end.
    has_shown: bool,
    /// What continues after the held picture, and the time of that.
    open: Option<(Decoder, f64)>,
    sound: Sound,
}

impl Work {
    fn run(mut self) {
        // Known before it plays. This takes a tenth of a second, in which there is hardly an order.
        if self.film.has_sound() && self.sound.is_silent(&self.film.tools) {
            self.tell(PlayerEvent::Silent);
        }
        let mut next = self.orders.recv().ok();
        while let Some(order) = next {
            let (number, order) = self.orders.try_iter().last().unwrap_or(order);
            self.order = number;
            let served = match order {
                Order::Hold { at, by } => self.hold(at, by),
                Order::Play(play) => self.play(play),
            };
            self.sound.stop();
            next = match served {
                Err(Stop::Message(next)) => next,
                Err(Stop::Failed(error)) => {
                    self.tell(PlayerEvent::Failed(error));
                    self.orders.recv().ok()
                }
                Ok(()) => self.orders.recv().ok(),
            };
        }
    }

    fn tell(&self, event: PlayerEvent) {
        // Fails only if the handle is gone.
        self.events.send((self.order, event)).ok();
        (self.wake_up)();
    }

    fn hold(&mut self, at: f64, by: i8) -> Served {
        let open = self.open.take().filter(|(_, held)| by > 0 && *held == at);
        if by < 0 && self.hold_before(at)? {
            return Ok(());
        }
        let start = if by > 0 { at + TOLERANCE } else { at - TOLERANCE };
        let mut decoder = match open {
            Some((decoder, _)) => decoder,
            None => self.film.decoder(Range { start: Some(start), end: None }, None)?,
        };
        if let Some((seconds, frame)) = decoder.next_or(&self.orders)? {
            self.open = Some((decoder, seconds));
            self.tell(PlayerEvent::Held { seconds, frame });
        } else if !self.hold_before(at + 2.0 * TOLERANCE)? {
            return Err(decoder.without_pictures().into());
        }
        Ok(())
    }

    /// Holds the last picture before a time; returns whether there is one.
    fn hold_before(&mut self, at: f64) -> Served<bool> {
        let last = self.film.last_before(at - TOLERANCE, &self.orders)?;
        let is_there = last.is_some();
        if let Some((seconds, frame)) = last {
            self.tell(PlayerEvent::Held { seconds, frame });
        }
        Ok(is_there)
    }

    fn play(&mut self, mut play: Play) -> Served {
        self.open = None;
        let mut from = play.from;
        loop {
            self.has_shown = false;
            if play.speed > 0.0 {
                self.run_forwards(&mut play, from)?;
                from = play.range.start.unwrap_or(0.0);
            } else {
                self.run_backwards(&mut play, from)?;
                from = play.range.end.or(self.film.clip.seconds).unwrap_or(0.0);
            }
            self.sound.stop();
            // A range without pictures cannot be repeated.
            if !play.loops || !self.has_shown {
                self.tell(PlayerEvent::Ended);
                return Ok(());
            }
        }
    }

    fn run_forwards(&mut self, play: &mut Play, from: f64) -> Served {
        let range = Range { start: Some(from - TOLERANCE), end: play.range.end };
        let mut decoder = self.film.decoder(range, Some(play.long_side_px))?;
        let mut clock = None;
        while let Some(picture) = decoder.next_or(&self.orders)? {
            self.show(play, &mut clock, picture)?;
        }
        Ok(())
    }

    fn run_backwards(&mut self, play: &mut Play, from: f64) -> Served {
        let first = play.range.start.unwrap_or(0.0);
        let length = KEPT as f64 * self.film.frame_seconds();
        let (mut end, mut clock) = (from, None);
        while end - TOLERANCE > first {
            let start = (end - length).max(first);
            let range = Range { start: Some(start), end: Some(end - TOLERANCE) };
            let mut decoder = self.film.decoder(range, Some(play.long_side_px))?;
            let mut kept = VecDeque::new();
            while let Some(picture) = decoder.next_or(&self.orders)? {
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(picture);
            }
            end = kept.front().map_or(start, |(seconds, _)| *seconds);
            for picture in kept.into_iter().rev() {
                self.show(play, &mut clock, picture)?;
            }
        }
        Ok(())
    }

    /// Shows a picture when it is due.
    fn show(
        &mut self,
        play: &mut Play,
        clock: &mut Option<Clock>,
        (seconds, frame): (f64, Frame),
    ) -> Served {
        let before = *clock;
        let due = due(clock, play.speed, seconds, Instant::now());
        if play.has_sound && play.speed == 1.0 {
            if *clock != before {
                self.sound.start(&self.film, seconds);
            }
            if self.sound.follow(&self.film, seconds) {
                self.tell(PlayerEvent::Silent);
                play.has_sound = false;
            }
        }
        select! {
            recv(self.orders) -> order => return Err(Stop::Message(order.ok())),
            recv(at(due)) -> _ => {}
        }
        self.has_shown = true;
        (play.show)(seconds, frame);
        Ok(())
    }
}

/// The clip's clock: a time of the clip, and when that is shown.
type Clock = (f64, Instant);

/// When a picture is due. If it is the first one, or too late, the clock begins with it now.
fn due(clock: &mut Option<Clock>, speed: f64, seconds: f64, now: Instant) -> Instant {
    let due = clock
        .map(|(from, began)| began + Duration::from_secs_f64(((seconds - from) / speed).max(0.0)));
    due.filter(|&due| now < due + MAX_LATE).unwrap_or_else(|| {
        *clock = Some((seconds, now));
        now
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_the_clips_time_unless_they_are_too_late() {
        let began = Instant::now();
        let after = |ms: u64| began + Duration::from_millis(ms);
        let mut clock = None;
        let mut due = |speed, seconds, ms| due(&mut clock, speed, seconds, after(ms));
        assert_eq!(due(2.0, 10.0, 0), began);
        // Half a second of the clip is a quarter of a second.
        assert_eq!(due(2.0, 10.5, 40), after(250));
        assert_eq!(due(2.0, 10.6, 320), after(300), "at once");
        assert_eq!(due(2.0, 10.7, 900), after(900), "the clock is set back");
        assert_eq!(due(2.0, 10.9, 910), after(1000));
        let mut clock = None;
        super::due(&mut clock, -1.0, 5.0, began);
        assert_eq!(super::due(&mut clock, -1.0, 4.9, began), after(100));
    }
}
