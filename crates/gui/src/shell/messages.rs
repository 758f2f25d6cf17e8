//! The message area over the stage: errors and notices.
//!
//! - Errors stay until they are dismissed, or until they have been shown for a while and the user continues to work.
//! - Notices disappear automatically. A notice that offers an action stays longer.
//! - At most two messages are shown, if they leave three quarters of the picture visible.
//! - A notice is replaced by newer notices and by messages on the same topic; errors wait for newer messages to leave.
//! - If space is short, a message is a single line.

use super::{
    command::ShellCommand,
    shortcuts::{button, plain_button},
};
use crate::{
    intent::{Intent, Sends},
    widgets::{
        fonts::{icons, semibold},
        label::{remark, sentence},
        theme,
    },
};
use eframe::egui::{
    self, Align, Align2, CornerRadius, FontId, Frame, Label, Layout, Margin, Order, Stroke,
    TextureHandle, Ui, Vec2, vec2,
};

/// Maximum number of messages shown at a time; the newest are shown, and the oldest notice is removed first.
const MAX_SHOWN: usize = 2;
/// Maximum number of messages, shown or waiting; the oldest is removed first.
const MAX_MESSAGES: usize = 6;
/// How long a notice stays.
const NOTICE_SECONDS: f64 = 7.0;
/// Minimum time that an error stays; after that it disappears with the user's next action.
const ERROR_SECONDS: f64 = 20.0;
/// How long a notice with an offer stays.
const OFFER_SECONDS: f64 = 15.0;
/// Maximum width of a message, in points.
const WIDTH: f32 = 372.0;
/// Maximum share of the area's height that messages cover.
const MAX_COVERED: f32 = 0.25;
/// Space between two messages, in points.
const BETWEEN: f32 = 6.0;
/// Padding of a message.
const PADDING: Margin = Margin { left: 14, right: 6, top: 5, bottom: 5 };
/// Space between the messages and the area's edges, in points.
const EDGE: f32 = 8.0;
/// Maximum width and height of a saved picture's thumbnail, in points.
const THUMBNAIL: Vec2 = vec2(84.0, 63.0);
/// The same in a single-line message.
const SMALL_THUMBNAIL: Vec2 = vec2(37.0, 28.0);
/// Width of the close button, in points.
const CLOSE_WIDTH: f32 = 40.0;

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Something went wrong; stays until the user is there to see it.
    Error,
    /// Disappears automatically.
    Notice,
}

/// What a message is about. A newer message replaces older ones on the same topic.
#[derive(Clone, Copy, PartialEq)]
pub enum Topic {
    Saving,
    /// A recording that has ended.
    Recording,
    /// A photo that could not be painted.
    Painting,
}

/// An action that a message offers: a button's text, and what the button sends. The message then disappears, unless it
/// shows a picture.
pub type Offer = (&'static str, Intent);

struct Message {
    number: u64,
    kind: Kind,
    text: String,
    /// When the message was first shown, by egui's clock.
    since: Option<f64>,
    offers: Vec<Offer>,
    /// A thumbnail of a saved picture that the message is about.
    picture: Option<TextureHandle>,
    topic: Option<Topic>,
    /// Height with all its lines, in points; `None` until it has been drawn that way.
    height: Option<f32>,
}

impl Message {
    /// True if it must be a single line to be at most `most` points high.
    fn is_low(&self, most: f32) -> bool {
        self.height.is_some_and(|height| height > most)
    }

    /// True if it is also shown over a picture that is shown alone: errors, and outcomes for files.
    fn is_for_all(&self) -> bool {
        let has_file = self
            .offers
            .iter()
            .any(|(_, intent)| matches!(intent, Intent::Shell(ShellCommand::ShowInFolder(_))));
        self.kind == Kind::Error || has_file && self.picture.is_none()
    }

    /// Seconds until it disappears automatically.
    fn left(&self, now: f64) -> Option<f64> {
        let stays = match self.kind {
            Kind::Error => ERROR_SECONDS,
            Kind::Notice if self.offers.is_empty() => NOTICE_SECONDS,
            Kind::Notice => OFFER_SECONDS,
        };
        Some(self.since? + stays - now)
    }

    /// True if it disappears now. An error disappears only if `is_busy`: the user is doing something.
    fn leaves(&self, now: f64, is_busy: bool) -> bool {
        self.left(now).is_some_and(|left| left <= 0.0) && (is_busy || self.kind == Kind::Notice)
    }
}

/// Where messages are shown, at the left.
#[derive(Clone, Copy, PartialEq)]
pub enum Corner {
    /// At the bottom, over the picture.
    Bottom,
    /// At the top, over a dialog, whose buttons are at its lower edge: messages that arrived after it opened.
    Top,
}

#[derive(Default)]
pub struct Messages {
    list: Vec<Message>,
    newest: u64,
    /// The newest message when that was last asked.
    arrived: u64,
    /// Numbers of the messages that were shown in the last frame, at the bottom and at the top.
    seen: [Vec<u64>; 2],
    /// The newest message that existed when the open dialog was opened.
    before_dialog: Option<u64>,
    /// The topic of the next message.
    topic: Option<Topic>,
}

impl Messages {
    /// Sets the topic of the next message, which replaces older messages on the same topic.
    pub fn about(&mut self, topic: Topic) -> &mut Self {
        self.topic = Some(topic);
        self
    }

    /// Shows an error: what went wrong and what to do.
    pub fn error(&mut self, text: impl Into<String>) {
        self.add(Kind::Error, text.into(), Vec::new(), None);
    }

    /// Shows an error that offers an action.
    pub fn error_with(&mut self, text: impl Into<String>, offer: Offer) {
        self.add(Kind::Error, text.into(), vec![offer], None);
    }

    pub fn notice(&mut self, text: impl Into<String>) {
        self.add(Kind::Notice, text.into(), Vec::new(), None);
    }

    /// Shows a notice that offers an action.
    pub fn offer(&mut self, text: impl Into<String>, offer: Offer) {
        self.add(Kind::Notice, text.into(), vec![offer], None);
    }

    /// Shows a notice about a saved picture.
    pub fn saved(&mut self, text: String, offers: Vec<Offer>, picture: TextureHandle) {
        self.add(Kind::Notice, text, offers, Some(picture));
    }

    fn add(
        &mut self,
        kind: Kind,
        text: String,
        offers: Vec<Offer>,
        picture: Option<TextureHandle>,
    ) {
        let text = sentence(&remark(&text));
        let topic = self.topic.take();
        self.remove(|m| m.text == text || (topic.is_some() && m.topic == topic));
        self.newest += 1;
        self.list.push(Message {
            number: self.newest,
            kind,
            text,
            since: None,
            offers,
            picture,
            topic,
            height: None,
        });
        let older = self.list.len() - 1;
        if older >= MAX_SHOWN {
            let notice = self.list.iter().take(older).find(|m| m.kind == Kind::Notice);
            let oldest = self.list.first().filter(|_| older >= MAX_MESSAGES);
            if let Some(number) = notice.or(oldest).map(|m| m.number) {
                self.dismiss(number);
            }
        }
    }

    /// Notes whether a dialog is open: older messages stay where they are, below it.
    pub fn note_dialog(&mut self, is_open: bool) {
        self.before_dialog = is_open.then(|| self.before_dialog.unwrap_or(self.newest));
    }

    /// Removes the notices, because another page is shown.
    pub fn turn_page(&mut self) {
        self.remove(|m| m.kind == Kind::Notice);
    }

    fn remove(&mut self, goes: impl Fn(&Message) -> bool) {
        self.list.retain(|m| !goes(m));
    }

    /// Removes the messages on a topic, because the operation has now succeeded.
    pub fn settle(&mut self, topic: Topic) {
        self.remove(|m| m.topic == Some(topic));
    }

    /// True if a message was added since the last call.
    pub fn has_arrival(&mut self) -> bool {
        std::mem::replace(&mut self.arrived, self.newest) != self.newest
    }

    /// Removes a message.
    pub fn dismiss(&mut self, number: u64) {
        self.remove(|m| m.number == number);
    }

    /// True if a message offers such an intent.
    pub fn has_offer(&self, is_it: impl Fn(&Intent) -> bool) -> bool {
        self.list.iter().flat_map(|m| &m.offers).any(|(_, intent)| is_it(intent))
    }

    /// Removes the messages whose offers are no longer possible.
    pub fn withdraw(&mut self, is_void: impl Fn(&Intent) -> bool) {
        self.remove(|m| m.offers.iter().any(|(_, intent)| is_void(intent)));
    }

    /// Removes a button whose action cannot be repeated; its message stays.
    pub fn forget_offer(&mut self, done: &Intent) {
        for message in &mut self.list {
            message.offers.retain(|(_, intent)| intent != done);
        }
    }

    /// Removes the newest message; returns `false` if there is none.
    pub fn dismiss_newest(&mut self) -> bool {
        self.list.pop().is_some()
    }

    /// Shows the newest messages in the given corner of `area`, moved inwards by `further_in` points. Over a picture
    /// that `is_alone`, only some are shown.
    pub fn ui(
        &mut self,
        ui: &Ui,
        area: egui::Rect,
        corner: Corner,
        further_in: f32,
        is_alone: bool,
    ) {
        let now = ui.input(|i| i.time);
        let is_busy = ui.input(|i| i.pointer.is_moving() || !i.events.is_empty());
        self.remove(|m| m.leaves(now, is_busy));
        let before = self.before_dialog.unwrap_or(u64::MAX);
        let is_here = |m: &Message| (m.number <= before) == (corner == Corner::Bottom);
        let most = MAX_COVERED * area.height();
        let mut room = most;
        let line = ui.spacing().interact_size.y + PADDING.sum().y;
        let mut shown = Vec::new();
        for message in self.list.iter_mut().rev().filter(|m| is_here(m)) {
            if shown.len() == MAX_SHOWN || (is_alone && !message.is_for_all()) {
                continue;
            }
            let height = if message.is_low(most) { line } else { message.height.unwrap_or(0.0) };
            if !shown.is_empty() && height > room {
                break;
            }
            room -= height + BETWEEN;
            // The timer starts when the message is first shown.
            message.since.get_or_insert(now);
            shown.push(message.number);
        }
        let notices = self.list.iter().filter(|m| m.kind == Kind::Notice);
        if let Some(seconds) = notices.filter_map(|m| m.left(now)).min_by(f64::total_cmp) {
            ui.request_repaint_after_secs(seconds as f32 + 0.01);
        }
        if shown.is_empty() {
            return;
        }
        let widest = area.width() - 2.0 * EDGE;
        let margin = EDGE + further_in;
        let (pivot, at) = match corner {
            Corner::Bottom => (Align2::LEFT_BOTTOM, area.left_bottom() + vec2(EDGE, -margin)),
            Corner::Top => (Align2::LEFT_TOP, area.left_top() + vec2(EDGE, margin)),
        };
        // Dialogs are in the foreground.
        let order = match (corner, self.before_dialog) {
            (Corner::Bottom, Some(_)) => Order::Middle,
            _ => Order::Foreground,
        };
        egui::Area::new(egui::Id::unique(("messages", corner == Corner::Top)))
            .order(order)
            .pivot(pivot)
            .fixed_pos(at)
            .constrain_to(area)
            .show(ui, |ui| {
                ui.set_max_width(widest);
                ui.spacing_mut().item_spacing.y = BETWEEN;
                for message in self.list.iter_mut().filter(|m| shown.contains(&m.number)) {
                    let is_low = message.is_low(most);
                    let width = if is_low { widest } else { WIDTH.min(widest) };
                    let height = show(ui, message, width, is_low);
                    if !is_low {
                        message.height = Some(height);
                    }
                }
                let seen_here = &mut self.seen[usize::from(corner == Corner::Top)];
                if *seen_here != shown {
                    *seen_here = shown;
                    // Otherwise the messages would be placed by their previous height for a frame.
                    ui.request_discard("other messages are up");
                }
            });
    }
}

/// Draws a message of at most this width, as a single line if `is_low`. Returns its height in points.
fn show(ui: &mut Ui, message: &Message, width: f32, is_low: bool) -> f32 {
    let p = theme::palette(ui);
    let mark = match message.kind {
        Kind::Error => p.error,
        Kind::Notice => p.notice,
    };
    let frame = Frame::new()
        .fill(p.card)
        .stroke(Stroke::new(1.0, p.outline))
        .corner_radius(theme::RADIUS)
        .inner_margin(PADDING)
        .shadow(ui.visuals().popup_shadow);
    let picture = |ui: &mut Ui, size| {
        if let Some(picture) = &message.picture {
            let picture = egui::Image::from_texture(picture).fit_to_exact_size(size);
            ui.add(picture.corner_radius(4.0).alt_text("The saved picture"));
        }
    };
    let shown = frame.show(ui, |ui| {
        let room = width - PADDING.sum().x;
        if is_low {
            let line = vec2(room, ui.spacing().interact_size.y);
            ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
                close_button(ui, message);
                message.offers.iter().rev().for_each(|offer| offer_button(ui, message, offer));
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    picture(ui, SMALL_THUMBNAIL);
                    ui.add(Label::new(&message.text).truncate());
                });
            });
        } else {
            ui.set_max_width(room);
            ui.horizontal_top(|ui| {
                picture(ui, THUMBNAIL);
                ui.vertical(|ui| {
                    ui.set_max_width(ui.available_width() - CLOSE_WIDTH);
                    ui.add_space(4.0);
                    ui.add(Label::new(&message.text).wrap());
                    if !message.offers.is_empty() {
                        ui.horizontal_wrapped(|ui| {
                            message
                                .offers
                                .iter()
                                .for_each(|offer| offer_button(ui, message, offer));
                        });
                    }
                });
                close_button(ui, message);
            });
        }
    });
    let mut strip = shown.response.rect;
    // Errors have a mark that does not depend on its colour.
    let is_error = message.kind == Kind::Error;
    strip.set_width(if is_error { 12.0 } else { 4.0 });
    ui.painter().rect_filled(
        strip,
        CornerRadius { nw: theme::RADIUS, sw: theme::RADIUS, ..CornerRadius::ZERO },
        mark,
    );
    if is_error {
        let (at, font) = (strip.center_top() + vec2(0.0, 18.0), FontId::new(13.0, semibold()));
        ui.painter().text(at, Align2::CENTER_CENTER, "!", font, p.card);
    }
    shown.response.rect.height()
}

fn close_button(ui: &mut Ui, message: &Message) {
    let close = egui::Button::new(icons::CLOSE).frame_when_inactive(false);
    button(ui, true, close, ["Dismiss"; 2], ShellCommand::Dismiss(message.number));
}

fn offer_button(ui: &mut Ui, message: &Message, (label, intent): &Offer) {
    let button = plain_button(ui, label, intent.clone());
    if message.picture.is_none() {
        button.sends(ShellCommand::Dismiss(message.number));
    }
}

#[cfg(test)]
mod tests;
