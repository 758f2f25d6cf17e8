//! When the window looks again for recordings of a program that was killed: the system may take a while to put that
//! one away, and what a process holds is no interrupted recording yet.

/// Seconds until the second look.
const FIRST_WAIT: f64 = 2.0;
/// Seconds between two looks at most; what is held so long belongs to another program that records.
const LONGEST_WAIT: f64 = 64.0;

/// The looks for interrupted recordings.
#[derive(Default)]
pub struct InterruptionLooks {
    /// When the next one is due, in seconds of egui's clock.
    due: Option<f64>,
    /// Seconds from the last look to that one.
    wait: f64,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NextLook {
    /// Nothing is left to decide, or a look is on its way.
    Never,
    /// In so many seconds.
    In(f64),
    /// Now.
    Now,
}

impl InterruptionLooks {
    /// A look has ended `now`, in seconds of egui's clock, and left recordings undecided or not.
    pub fn note(&mut self, undecided: bool, now: f64) {
        self.wait = match self.wait {
            0.0 => FIRST_WAIT,
            before => (2.0 * before).min(LONGEST_WAIT),
        };
        self.due = undecided.then_some(now + self.wait);
    }

    /// What to do `now`, in seconds of egui's clock; the look that is due is said once.
    pub fn look(&mut self, now: f64) -> NextLook {
        match self.due {
            None => NextLook::Never,
            Some(due) if due > now => NextLook::In(due - now),
            Some(_) => {
                self.due = None;
                NextLook::Now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_again_ever_more_rarely_until_all_is_decided() {
        let mut looks = InterruptionLooks::default();
        assert_eq!(looks.look(5.0), NextLook::Never, "the first look is on its way");
        looks.note(true, 10.0);
        assert_eq!(looks.look(11.0), NextLook::In(1.0));
        assert_eq!(looks.look(12.0), NextLook::Now);
        assert_eq!(looks.look(13.0), NextLook::Never, "it is on its way");
        looks.note(true, 13.0);
        assert_eq!(looks.look(13.0), NextLook::In(4.0));
        for _ in 0..10 {
            looks.note(true, 100.0);
        }
        assert_eq!(looks.look(100.0), NextLook::In(LONGEST_WAIT));
        looks.note(false, 120.0);
        assert_eq!(looks.look(1000.0), NextLook::Never);
    }
}
