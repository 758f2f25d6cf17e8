//! What is shown over a picture in full screen, and until when.

/// How long the window shows which key leaves full screen.
const LEAVING_HINT_SECONDS: f64 = 4.0;
/// How long the controls stay after the last mouse movement.
const CONTROLS_SECONDS: f64 = 2.0;
/// How long the name of another style stays.
const NAME_SECONDS: f64 = 1.0;

/// Full screen, and until when each part is shown over the picture, by egui's clock.
#[derive(Default)]
pub struct FullScreen {
    pub is_on: bool,
    /// Until when it is shown which key leaves full screen.
    pub hint_until: f64,
    controls_until: f64,
    name_until: f64,
    /// The name of the style or mix in the previous frame.
    pub style: Option<String>,
    /// Height of the bar of controls in the previous frame, in points.
    pub bar_height: f32,
}

impl FullScreen {
    /// Enters or leaves full screen at `now`; `style` is the name of the current style or mix.
    pub fn set(&mut self, is_on: bool, now: f64, style: Option<&str>) {
        *self = Self {
            is_on,
            hint_until: now + LEAVING_HINT_SECONDS,
            style: style.map(str::to_owned),
            ..Self::default()
        };
    }

    /// Notes at `now` whether the user uses the mouse or the controls, and the name of the current style or mix.
    pub fn note(&mut self, now: f64, is_used: bool, style: Option<&str>) {
        if is_used {
            self.controls_until = now + CONTROLS_SECONDS;
        }
        if self.style.as_deref() != style {
            self.style = style.map(str::to_owned);
            self.name_until = now + NAME_SECONDS;
        }
    }

    pub fn shows_controls(&self, now: f64) -> bool {
        now < self.controls_until
    }

    pub fn shows_name(&self, now: f64) -> bool {
        self.style.is_some() && now < self.name_until
    }

    /// Seconds until something disappears; `None` if nothing is shown.
    pub fn next_change(&self, now: f64) -> Option<f64> {
        [self.hint_until, self.controls_until, self.name_until]
            .into_iter()
            .map(|end| end - now)
            .filter(|left| *left > 0.0)
            .min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controls_go_two_seconds_after_the_mouse_rests() {
        let mut full = FullScreen::default();
        full.set(true, 10.0, Some("candy"));
        assert!(!full.shows_controls(10.0));
        full.note(11.0, true, Some("candy"));
        full.note(12.9, false, Some("candy"));
        assert!(full.shows_controls(12.9) && !full.shows_controls(13.0));
        full.note(12.95, true, Some("candy"));
        assert!(full.shows_controls(14.9) && !full.shows_controls(14.96));
    }

    #[test]
    fn only_another_style_is_named_and_for_a_second() {
        let mut full = FullScreen::default();
        full.set(true, 10.0, Some("candy"));
        full.note(10.0, false, Some("candy"));
        assert!(!full.shows_name(10.0), "it was chosen before");
        full.note(20.0, false, Some("udnie"));
        full.note(20.9, false, Some("udnie"));
        assert!(full.shows_name(20.9) && !full.shows_name(21.0));
        full.note(30.0, false, None);
        assert!(!full.shows_name(30.0), "no style has no name");
    }

    #[test]
    fn the_next_change_is_that_of_what_goes_first() {
        let mut full = FullScreen::default();
        full.set(true, 0.0, None);
        assert_eq!(full.next_change(0.0), Some(LEAVING_HINT_SECONDS));
        full.note(1.0, true, Some("candy"));
        assert_eq!(full.next_change(1.0), Some(NAME_SECONDS));
        assert_eq!(full.next_change(2.5), Some(0.5));
        assert_eq!(full.next_change(5.0), None);
    }
}
