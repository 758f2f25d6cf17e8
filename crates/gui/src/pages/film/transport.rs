//! Where a film is, what plays of it, and what the buttons and keys change. Pure: times are passed in.

use media::film::{OpenFilm, Range};

/// Maximum speed.
const MAX_SPEED: f64 = 8.0;
/// How long a seek or step may take before another one replaces it, in seconds; otherwise dragging the scrub bar or
/// holding a key would show nothing.
const SEEK_PATIENCE: f64 = 0.4;
/// Difference below which two times are the same frame, in seconds.
pub const SAME: f64 = 0.0004;

/// What the user does. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Play or pause.
    Toggle,
    Pause,
    /// Run forwards (1) or backwards (-1), faster with every call.
    Run(i8),
    /// Show the next frame (1) or the previous one (-1).
    Frame(i8),
    Seek(f64),
    SetIn,
    SetOut,
    /// Move a point, and show the frame there.
    MoveIn(f64),
    MoveOut(f64),
    /// Play the whole film.
    ClearRange,
    ToggleLoop,
    ToggleSound,
    /// Show or close the comparison of steadiness.
    Compare,
    /// Paint with this steadiness, in percent.
    Steady(u8),
}

/// What the player does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Motion {
    /// Show this frame, or that before it (-1) or after it (1).
    Hold {
        at: f64,
        by: i8,
    },
    Play {
        from: f64,
        speed: f64,
    },
}

/// The state of the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Transport {
    /// Length of the film; grows if the file declares none.
    pub length: f64,
    /// Time between two frames.
    pub frame: f64,
    /// Time of the frame that is shown or sought.
    pub position: f64,
    /// What is played and exported.
    pub range: Range,
    /// Seconds of the film in a second; negative backwards, 0 while a frame is held.
    pub speed: f64,
    pub loops: bool,
    pub is_mute: bool,
    /// When the player was last given something to do that has no result yet.
    waits_since: Option<f64>,
    /// The newest seek or step that waits for it.
    wanted: Option<Step>,
}

impl Transport {
    /// Holds the frame at `position`.
    pub fn new(film: &OpenFilm, position: f64) -> Self {
        let frame = film.frame_seconds();
        let counted = film.clip.frames.map(|frames| frames as f64 * frame);
        Self::of(film.clip.seconds.or(counted).unwrap_or(position + frame), frame, position)
    }

    /// The film takes `length` seconds, and a frame of it `frame`.
    fn of(length: f64, frame: f64, position: f64) -> Self {
        Self {
            length,
            frame,
            position,
            range: Range::default(),
            speed: 0.0,
            loops: true,
            is_mute: false,
            waits_since: None,
            wanted: None,
        }
    }

    /// Beginning and end of what is played.
    pub fn bounds(&self) -> (f64, f64) {
        (self.range.start.unwrap_or(0.0), self.range.end.unwrap_or(self.length))
    }

    /// Performs a step at `now`. Returns what the player does, if that changes.
    pub fn act(&mut self, step: Step, now: f64) -> Option<Motion> {
        match step {
            Step::Frame(_) | Step::Seek(_) if self.waits(now) => {
                if let Step::Seek(to) = step {
                    self.position = to.clamp(0.0, self.length);
                }
                self.wanted = Some(step);
                return None;
            }
            Step::Toggle if self.speed == 0.0 => self.speed = 1.0,
            Step::Toggle | Step::Pause | Step::Frame(_) => {
                let by = if let Step::Frame(by) = step { by } else { 0 };
                if std::mem::take(&mut self.speed) == 0.0 && by == 0 {
                    return None;
                }
                return self.go(Motion::Hold { at: self.position, by }, now);
            }
            Step::Run(direction) => {
                let direction = f64::from(direction);
                self.speed = direction * (2.0 * self.speed * direction).clamp(1.0, MAX_SPEED);
            }
            Step::Seek(to) => {
                let at = to.clamp(0.0, self.length);
                self.position = at;
                let motion = match self.speed {
                    0.0 => Motion::Hold { at, by: 0 },
                    speed => Motion::Play { from: at, speed },
                };
                return self.go(motion, now);
            }
            Step::SetIn => {
                // Slightly before the frame, because times are rounded.
                self.range.start = Some((self.position - SAME).max(0.0));
                self.range.end.take_if(|end| *end <= self.position);
            }
            Step::SetOut => {
                let end = self.position + self.frame - SAME;
                self.range.end = Some(end);
                self.range.start.take_if(|start| *start >= end);
            }
            Step::MoveIn(to) => {
                let to = to.min(self.bounds().1 - self.frame).max(0.0);
                (self.range.start, self.speed) = (Some(to).filter(|to| *to > 0.0), 0.0);
                return self.act(Step::Seek(to), now);
            }
            Step::MoveOut(to) => {
                let to = to.max(self.bounds().0 + self.frame).min(self.length);
                (self.range.end, self.speed) = (Some(to).filter(|to| *to < self.length), 0.0);
                return self.act(Step::Seek(to - self.frame), now);
            }
            Step::ClearRange => self.range = Range::default(),
            Step::ToggleLoop => self.loops = !self.loops,
            Step::ToggleSound => self.is_mute = !self.is_mute,
            // They change nothing here.
            Step::Compare | Step::Steady(_) => return None,
        }
        self.again(now)
    }

    fn go(&mut self, motion: Motion, now: f64) -> Option<Motion> {
        self.waits_since = Some(now);
        self.wanted = None;
        Some(motion)
    }

    /// Plays on, if it plays: what has changed applies.
    pub fn again(&mut self, now: f64) -> Option<Motion> {
        let (first, last) = self.bounds();
        let (at, speed) = (self.position, self.speed);
        let from = if speed > 0.0 && (at < first - SAME || at + 1.5 * self.frame > last) {
            first
        } else if speed < 0.0 && (at <= first + 0.5 * self.frame || at > last) {
            last
        } else {
            at
        };
        if speed == 0.0 { None } else { self.go(Motion::Play { from, speed }, now) }
    }

    /// True if the player is still busy, and not for so long that it must be interrupted.
    fn waits(&self, now: f64) -> bool {
        self.waits_since.is_some_and(|since| now - since < SEEK_PATIENCE)
    }

    /// The player has delivered. Returns what it does next, if something waits for that.
    pub fn deliver(&mut self, now: f64) -> Option<Motion> {
        self.waits_since = None;
        self.wanted.take().and_then(|step| self.act(step, now))
    }

    /// A frame of this time is shown.
    pub fn show(&mut self, seconds: f64) {
        self.length = self.length.max(seconds);
        if !matches!(self.wanted, Some(Step::Seek(_))) {
            self.position = seconds;
        }
    }

    /// The player has stopped with an error.
    pub fn fail(&mut self) {
        self.speed = 0.0;
        self.waits_since = None;
        self.wanted = None;
    }
}

/// A time as `1:02.34` or `1:00:02.34`.
pub fn clock(seconds: f64) -> String {
    let hundredths = (seconds.max(0.0) * 100.0).round() as u64;
    let (minutes, rest) = (hundredths / 6000, hundredths % 6000);
    let rest = format!("{:02}.{:02}", rest / 100, rest % 100);
    match minutes / 60 {
        0 => format!("{minutes}:{rest}"),
        hours => format!("{hours}:{:02}:{rest}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport() -> Transport {
        Transport::of(10.0, 0.1, 4.0)
    }

    fn hold(at: f64, by: i8) -> Option<Motion> {
        Some(Motion::Hold { at, by })
    }

    #[test]
    fn keys_run_faster_turn_back_and_pause() {
        let mut film = transport();
        let play = |from, speed| Some(Motion::Play { from, speed });
        assert_eq!(film.act(Step::Toggle, 0.0), play(4.0, 1.0));
        assert_eq!(film.act(Step::Run(1), 0.0), play(4.0, 2.0));
        for _ in 0..4 {
            film.act(Step::Run(1), 0.0);
        }
        assert_eq!(film.speed, MAX_SPEED);
        assert_eq!(film.act(Step::Run(-1), 0.0), play(4.0, -1.0));
        assert_eq!(film.act(Step::Run(-1), 0.0), play(4.0, -2.0));
        film.show(3.0);
        assert_eq!(film.act(Step::Pause, 0.0), hold(3.0, 0));
        assert_eq!(film.act(Step::Pause, 0.0), None);
        assert_eq!(film.act(Step::Frame(-1), 1.0), hold(3.0, -1));
        assert_eq!(film.act(Step::Frame(-1), 1.1), None, "one after the other");
        film.show(2.9);
        assert_eq!(film.deliver(1.2), hold(2.9, -1));
        // At an end it begins at the other one.
        film.show(9.9);
        assert_eq!(film.act(Step::Toggle, 0.0), play(0.0, 1.0));
        film.act(Step::Pause, 0.0);
        film.show(0.0);
        assert_eq!(film.act(Step::Run(-1), 0.0), play(10.0, -1.0));
    }

    #[test]
    fn a_range_holds_the_frames_at_both_points() {
        let mut film = transport();
        assert_eq!(film.act(Step::SetIn, 0.0), None);
        film.show(6.0);
        film.act(Step::SetOut, 0.0);
        let (first, last) = film.bounds();
        assert!(first < 4.0 && first > 3.9 && last > 6.0 && last < 6.1, "{first} {last}");
        assert_eq!(film.act(Step::Toggle, 0.0), Some(Motion::Play { from: first, speed: 1.0 }));
        // A point that would turn the range around removes the other one.
        film.act(Step::Pause, 0.0);
        film.show(2.0);
        film.act(Step::SetOut, 0.0);
        assert_eq!(film.range.start, None);
        film.act(Step::ClearRange, 0.0);
        assert_eq!(film.bounds(), (0.0, 10.0));
        // A dragged point stops at the other one.
        assert_eq!(film.act(Step::MoveOut(6.0), 9.0), hold(5.9, 0));
        film.deliver(9.0);
        assert_eq!(film.act(Step::MoveIn(8.0), 9.0), hold(5.9, 0));
        film.act(Step::MoveOut(1.0), 9.0);
        assert_eq!(film.bounds(), (5.9, 6.0));
        // At the ends there is no need for one.
        film.deliver(9.0);
        film.act(Step::MoveIn(-1.0), 9.0);
        film.act(Step::MoveOut(99.0), 9.0);
        assert_eq!(film.range, Range::default());
    }

    #[test]
    fn seeks_wait_for_the_picture_of_the_one_before_but_not_for_long() {
        let mut film = transport();
        assert_eq!(film.act(Step::Seek(5.0), 1.0), hold(5.0, 0));
        assert_eq!(film.act(Step::Seek(5.5), 1.1), None);
        assert_eq!(film.act(Step::Seek(6.0), 1.2), None);
        film.show(5.02);
        assert_eq!(film.position, 6.0, "the pointer leads");
        assert_eq!(film.deliver(1.3), hold(6.0, 0));
        assert_eq!(film.deliver(1.4), None);
        film.show(6.02);
        assert_eq!(film.position, 6.02);
        assert_eq!(film.act(Step::Seek(7.0), 2.0), hold(7.0, 0));
        assert_eq!(film.act(Step::Seek(99.0), 3.0), hold(10.0, 0), "it hangs");
    }

    #[test]
    fn times_are_written_as_players_do() {
        let written = [0.0, 62.344, 3599.999, 3661.5].map(clock);
        assert_eq!(written, ["0:00.00", "1:02.34", "1:00:00.00", "1:01:01.50"]);
    }
}
