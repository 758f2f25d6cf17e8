//! The message area: what went wrong or should be known, over the stage, never in the way.
//!
//! Errors stay until they are dismissed; notices leave by themselves. A notice may offer something to do, or show a
//! picture that was saved, and then stays longer.

use eframe::egui::{self, CornerRadius, Frame, Margin, Stroke, TextureHandle, vec2};

use super::{fonts::icons, intent::Intent, label::remark, theme};

/// Messages shown at a time; the oldest gives way.
const MOST: usize = 4;
/// How long a notice stays, in seconds.
const NOTICE_SECONDS: f64 = 7.0;
/// How long a notice stays that offers something, in seconds.
const OFFER_SECONDS: f64 = 15.0;
/// Width of a message at most, in points.
const WIDTH: f32 = 420.0;
/// Largest width and height of a picture that was saved, in points.
const THUMBNAIL: egui::Vec2 = vec2(96.0, 72.0);
/// Width kept for the button that takes a message away, in points.
const CLOSE_WIDTH: f32 = 44.0;

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something went wrong; stays.
    Error,
    /// Something to know; leaves by itself.
    Notice,
}

/// What a notice offers to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The words on its button.
    pub label: &'static str,
    /// What the button does; the notice goes then.
    pub intent: Intent,
    /// What follows when the notice goes without that.
    pub otherwise: Option<Intent>,
}

/// A picture that was saved, and what can be done with it.
pub struct SavedPicture {
    /// The picture, small.
    pub thumbnail: TextureHandle,
    /// The words on each button and what it does; the notice stays.
    pub actions: Vec<(&'static str, Intent)>,
}

struct Message {
    number: u64,
    kind: Kind,
    text: String,
    /// When it was first shown, by egui's clock.
    since: Option<f64>,
    offer: Option<Offer>,
    picture: Option<SavedPicture>,
}

impl Message {
    /// How long it stays, in seconds; `None` until it is dismissed.
    fn stays(&self) -> Option<f64> {
        let offers = self.offer.is_some() || self.picture.is_some();
        match (self.kind, offers) {
            (Kind::Error, _) => None,
            (Kind::Notice, true) => Some(OFFER_SECONDS),
            (Kind::Notice, false) => Some(NOTICE_SECONDS),
        }
    }

    /// Width that its words and buttons need, at most `room`, in points.
    fn words_width(&self, ui: &egui::Ui, room: f32) -> f32 {
        let width = |text: &str, style: egui::TextStyle, most: f32| {
            let font = style.resolve(ui.style());
            let color = ui.visuals().text_color();
            let words = ui.painter().layout(text.to_owned(), font, color, most);
            // Rounded up: a hair too little would break the line.
            words.size().x.ceil() + 1.0
        };
        let spacing = ui.spacing();
        let button = |name: &str| {
            let letters = width(name, egui::TextStyle::Button, f32::INFINITY);
            letters + 2.0 * spacing.button_padding.x + spacing.item_spacing.x
        };
        let offer = self.offer.as_ref().map_or(0.0, |offer| button(offer.label));
        let actions = self.picture.iter().flat_map(|picture| &picture.actions);
        let actions: f32 = actions.map(|(name, _)| button(name)).sum();
        let words = width(&self.text, egui::TextStyle::Body, room);
        words.max(offer).max(actions).min(room)
    }

    /// Seconds until it leaves by itself.
    fn left(&self, now: f64) -> Option<f64> {
        Some(self.since? + self.stays()? - now)
    }
}

/// Where messages stand, on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// Below, over the picture.
    Bottom,
    /// Above, because a dialog is open: its buttons are at its lower edge.
    Top,
}

/// The messages that are up.
#[derive(Default)]
pub struct Messages {
    list: Vec<Message>,
    newest: u64,
    /// What follows because notices went whose offer nobody took.
    follows: Vec<Intent>,
}

impl Messages {
    /// Shows an error: what went wrong and what to do.
    pub fn error(&mut self, text: impl Into<String>) {
        self.add(Kind::Error, text.into(), None, None);
    }

    /// Shows a notice.
    pub fn notice(&mut self, text: impl Into<String>) {
        self.add(Kind::Notice, text.into(), None, None);
    }

    /// Shows a notice that offers something to do.
    pub fn offer(&mut self, text: impl Into<String>, offer: Offer) {
        self.add(Kind::Notice, text.into(), Some(offer), None);
    }

    /// Shows a notice about a picture that was saved.
    pub fn saved(&mut self, text: impl Into<String>, picture: SavedPicture) {
        self.add(Kind::Notice, text.into(), None, Some(picture));
    }

    fn add(
        &mut self,
        kind: Kind,
        text: String,
        offer: Option<Offer>,
        picture: Option<SavedPicture>,
    ) {
        let text = sentence(&remark(&text));
        self.remove(|m| m.text == text);
        self.newest += 1;
        self.list.push(Message {
            number: self.newest,
            kind,
            text,
            since: None,
            offer,
            picture,
        });
        if let (true, Some(oldest)) = (self.list.len() > MOST, self.list.first()) {
            let number = oldest.number;
            self.dismiss(number);
        }
    }

    fn remove(&mut self, goes: impl Fn(&Message) -> bool) {
        for message in self.list.extract_if(.., |m| goes(m)) {
            let otherwise = message.offer.and_then(|offer| offer.otherwise);
            self.follows.extend(otherwise);
        }
    }

    /// Takes a message away.
    pub fn dismiss(&mut self, number: u64) {
        self.remove(|m| m.number == number);
    }

    /// Takes a message away whose offer was taken, and gives what to do.
    pub fn take_offer(&mut self, number: u64) -> Option<Intent> {
        let at = self.list.iter().position(|m| m.number == number)?;
        Some(self.list.remove(at).offer?.intent)
    }

    /// Takes the messages away that offer what nobody can do any more.
    pub fn withdraw(&mut self, is_void: impl Fn(&Intent) -> bool) {
        self.list
            .retain(|m| !m.offer.as_ref().is_some_and(|o| is_void(&o.intent)));
    }

    /// Takes the newest message away; `false` when there is none.
    pub fn dismiss_newest(&mut self) -> bool {
        let newest = self.list.last().map(|m| m.number);
        if let Some(number) = newest {
            self.dismiss(number);
        }
        newest.is_some()
    }

    /// What follows because notices went whose offer nobody took.
    pub fn take_follows(&mut self) -> Vec<Intent> {
        std::mem::take(&mut self.follows)
    }

    /// Shows the messages, or `errors_only`, in the corner of `area` that is named, `margin` points from its edge.
    pub fn ui(
        &mut self,
        ui: &egui::Ui,
        area: egui::Rect,
        (corner, margin): (Corner, f32),
        errors_only: bool,
        intents: &mut Vec<Intent>,
    ) {
        let now = ui.input(|i| i.time);
        for message in &mut self.list {
            message.since.get_or_insert(now);
        }
        self.remove(|m| m.left(now).is_some_and(|left| left <= 0.0));
        let next_to_leave = self.list.iter().filter_map(|m| m.left(now));
        if let Some(seconds) = next_to_leave.min_by(f64::total_cmp) {
            ui.ctx().request_repaint_after_secs(seconds as f32 + 0.01);
        }
        let is_shown = |m: &&Message| !errors_only || m.kind == Kind::Error;
        if !self.list.iter().any(|m| is_shown(&m)) {
            return;
        }
        let width = WIDTH.min(area.width() - 32.0);
        let (pivot, at) = match corner {
            Corner::Bottom => (
                egui::Align2::LEFT_BOTTOM,
                area.left_bottom() + vec2(16.0, -margin),
            ),
            Corner::Top => (egui::Align2::LEFT_TOP, area.left_top() + vec2(16.0, margin)),
        };
        egui::Area::new(egui::Id::unique("messages"))
            .order(egui::Order::Foreground)
            .pivot(pivot)
            .fixed_pos(at)
            .constrain_to(area)
            .show(ui.ctx(), |ui| {
                ui.set_max_width(width);
                for message in self.list.iter().filter(is_shown) {
                    show(ui, message, width, intents);
                }
            });
    }
}

fn show(ui: &mut egui::Ui, message: &Message, width: f32, intents: &mut Vec<Intent>) {
    let p = theme::palette(ui.visuals());
    let mark = match message.kind {
        Kind::Error => p.error,
        Kind::Notice => p.notice,
    };
    let frame = Frame::new()
        .fill(p.card)
        .stroke(Stroke::new(1.0, p.outline))
        .corner_radius(CornerRadius::same(theme::RADIUS))
        .inner_margin(Margin {
            left: 16,
            right: 8,
            top: 8,
            bottom: 8,
        })
        .shadow(ui.visuals().popup_shadow);
    let shown = frame.show(ui, |ui| {
        ui.horizontal_top(|ui| {
            let mut room = width - 26.0 - CLOSE_WIDTH;
            if let Some(picture) = &message.picture {
                let thumbnail = egui::Image::from_texture(&picture.thumbnail)
                    .fit_to_exact_size(THUMBNAIL)
                    .corner_radius(4.0)
                    .alt_text("The saved picture");
                room -= ui.add(thumbnail).rect.width() + theme::GAP;
            }
            ui.vertical(|ui| {
                ui.set_width(message.words_width(ui, room));
                ui.add_space(2.0);
                ui.add(egui::Label::new(&message.text).wrap());
                if let Some(picture) = &message.picture {
                    ui.horizontal_wrapped(|ui| {
                        for (name, intent) in &picture.actions {
                            if ui.button(*name).clicked() {
                                intents.push(intent.clone());
                            }
                        }
                    });
                }
                if let Some(offer) = &message.offer
                    && ui.button(offer.label).clicked()
                {
                    intents.push(Intent::TakeOffer(message.number));
                }
            });
            let close = egui::Button::new(icons::CLOSE).frame_when_inactive(false);
            let response = ui
                .add(close)
                .on_hover_text("Dismiss")
                .accessible_name("Dismiss");
            if response.clicked() {
                intents.push(Intent::Dismiss(message.number));
            }
        });
    });
    let mut strip = shown.response.rect;
    strip.set_width(4.0);
    ui.painter().rect_filled(
        strip,
        CornerRadius {
            nw: theme::RADIUS,
            sw: theme::RADIUS,
            ..CornerRadius::ZERO
        },
        mark,
    );
}

/// Errors of the lower floors begin in lower case, as parts of sentences do; a message is a whole
/// sentence. Paths and names keep their case.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let is_word = first_word.chars().all(|c| c.is_lowercase() || c == '-');
    let mut chars = text.chars();
    let mut sentence: String = match chars.next() {
        Some(first) if is_word => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    };
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_sentences() {
        assert_eq!(sentence("the disk is full"), "The disk is full.");
        assert_eq!(sentence("beach.jpg is damaged"), "beach.jpg is damaged.");
        assert_eq!(sentence("/a/b is damaged."), "/a/b is damaged.");
    }

    #[test]
    fn the_area_is_bounded_and_does_not_repeat_itself() {
        let mut messages = Messages::default();
        for n in 0..10 {
            messages.error(format!("Number {n}"));
            messages.error(format!("Number {n}"));
        }
        assert_eq!(messages.list.len(), MOST);
        assert!(messages.dismiss_newest());
        assert_eq!(messages.list.len(), MOST - 1);
    }

    #[test]
    fn what_follows_an_offer_follows_however_its_notice_goes_but_by_its_button() {
        let mut messages = Messages::default();
        let offer = || Offer {
            label: "Undo",
            intent: Intent::Undo,
            otherwise: Some(Intent::Quit),
        };
        messages.offer("Gone.", offer());
        assert_eq!(messages.take_offer(1), Some(Intent::Undo));
        assert_eq!((messages.list.len(), messages.take_follows()), (0, vec![]));
        messages.offer("Gone.", offer());
        messages.dismiss_newest();
        assert_eq!(messages.take_follows(), [Intent::Quit]);
        // The same words again, and too many messages.
        messages.offer("Gone.", offer());
        messages.offer("Gone.", offer());
        assert_eq!(messages.take_follows(), [Intent::Quit]);
        for n in 0..MOST {
            messages.notice(format!("Number {n}"));
        }
        assert_eq!(messages.take_follows(), [Intent::Quit]);
        messages.offer("Gone.", offer());
        messages.withdraw(|intent| *intent == Intent::Undo);
        assert!(messages.take_follows().is_empty());
    }
}
