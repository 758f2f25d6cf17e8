//! Messages: errors and notices. The newest one is a line in the status line for its time; the dock lists all of them.
//!
//! - A notice is shown for some seconds, longer if it offers an action.
//! - An error stays until it is dismissed, until the dock has shown it, or until it has been shown for a while and the
//!   user continues to work.
//! - A message replaces older ones on the same topic and with the same text.

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
use eframe::egui::{Button, Context, Image, Label, RichText, TextureHandle, Ui, Vec2, vec2};

/// Maximum number of messages; the oldest is removed first.
const MAX_MESSAGES: usize = 30;
/// How long a notice is shown.
const NOTICE_SECONDS: f64 = 7.0;
/// Minimum time that an error is shown; after that it disappears with the user's next action.
const ERROR_SECONDS: f64 = 20.0;
/// How long a notice with an offer is shown.
const OFFER_SECONDS: f64 = 15.0;
/// Maximum width and height of a saved picture's thumbnail in the dock, in points.
const THUMBNAIL: Vec2 = vec2(84.0, 63.0);
/// Width of the close button, in points.
const CLOSE_WIDTH: f32 = 40.0;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Error,
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

/// An action that a message offers: a button's text, and what the button sends. The message then disappears, unless the
/// action is about a file.
pub type Offer = (&'static str, Intent);

struct Message {
    number: u64,
    kind: Kind,
    text: String,
    /// When its time began, by egui's clock.
    since: Option<f64>,
    /// The status line no longer shows it.
    is_over: bool,
    is_seen: bool,
    offers: Vec<Offer>,
    /// A thumbnail of a saved picture that the message is about.
    picture: Option<TextureHandle>,
    topic: Option<Topic>,
}

/// True if an offer remains possible.
fn is_of_file(intent: &Intent) -> bool {
    use ShellCommand::{CopyFile, Play, ShowInFolder};
    matches!(intent, Intent::Shell(ShowInFolder(_) | Play(_) | CopyFile(_)))
}

impl Message {
    /// True if it is also shown over a picture that is shown alone: errors, and outcomes for files.
    fn is_for_all(&self) -> bool {
        let has_file = self.offers.iter().any(|(_, intent)| is_of_file(intent));
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

    /// Takes it from the status line, and its offers that are not possible for long.
    fn end(&mut self) {
        self.is_over = true;
        if self.kind == Kind::Notice {
            self.offers.retain(|(_, intent)| is_of_file(intent));
        }
    }

    /// True if it disappears now. An error disappears only if `is_busy`: the user is doing something.
    fn leaves(&self, now: f64, is_busy: bool) -> bool {
        self.left(now).is_some_and(|left| left <= 0.0) && (is_busy || self.kind == Kind::Notice)
    }
}

#[derive(Default)]
pub struct Messages {
    list: Vec<Message>,
    newest: u64,
    /// The newest message when that was last asked.
    arrived: u64,
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
            is_over: false,
            is_seen: false,
            offers,
            picture,
            topic,
        });
        if self.list.len() > MAX_MESSAGES {
            self.list.remove(0);
        }
    }

    /// Notes whether a dialog is open: newer messages are shown in front of it.
    pub fn note_dialog(&mut self, is_open: bool) {
        self.before_dialog = is_open.then(|| self.before_dialog.unwrap_or(self.newest));
    }

    /// Ends the notices that were shown, because another page is.
    pub fn turn_page(&mut self) {
        let shown = |m: &&mut Message| m.kind == Kind::Notice && m.since.is_some();
        self.list.iter_mut().filter(shown).for_each(Message::end);
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

    /// Removes the message of the status line.
    pub fn dismiss_shown(&mut self) {
        if let Some(at) = self.shown(false, false) {
            self.list.remove(at);
        }
    }

    /// Removes all messages.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Number of messages that were never shown, and whether one of them is an error.
    pub fn unread(&self) -> (usize, bool) {
        let unread = || self.list.iter().filter(|m| !m.is_seen);
        (unread().count(), unread().any(|m| m.kind == Kind::Error))
    }

    /// Ends what has been shown for its time.
    pub fn follow(&mut self, ctx: &Context) {
        let (now, is_busy) = ctx.input(|i| (i.time, i.pointer.is_moving() || !i.events.is_empty()));
        let current = self.list.iter_mut().filter(|m| !m.is_over);
        current.filter(|m| m.leaves(now, is_busy)).for_each(Message::end);
        let notices = self.list.iter().filter(|m| m.kind == Kind::Notice && !m.is_over);
        if let Some(seconds) = notices.filter_map(|m| m.left(now)).min_by(f64::total_cmp) {
            ctx.request_repaint_after_secs(seconds as f32 + 0.01);
        }
    }

    /// The place of the message that is shown now, in front of a dialog or not. Over a picture that `is_alone`, only
    /// some are shown.
    fn shown(&self, in_front: bool, is_alone: bool) -> Option<usize> {
        let before = self.before_dialog.unwrap_or(u64::MAX);
        let is_here = |m: &Message| (m.number > before) == in_front;
        self.list.iter().rposition(|m| !m.is_over && is_here(m) && (!is_alone || m.is_for_all()))
    }

    /// Notes that the message of this kind of line is shown; returns whether there is one. The time of a notice begins
    /// even if a newer message is shown.
    pub fn has_line(&mut self, now: f64, in_front: bool, is_alone: bool) -> bool {
        let Some(shown) = self.shown(in_front, is_alone) else {
            return false;
        };
        for (at, message) in self.list.iter_mut().enumerate() {
            message.is_seen |= at == shown;
            if at == shown || message.kind == Kind::Notice && !is_alone {
                message.since.get_or_insert(now);
            }
        }
        true
    }

    /// Draws the message that is shown now as a line.
    pub fn line(&self, ui: &mut Ui, in_front: bool, is_alone: bool) {
        let Some(at) = self.shown(in_front, is_alone) else {
            return;
        };
        let message = &self.list[at];
        mark(ui, message);
        // The text gets the room that the buttons leave.
        let id = ui.scope_id().with("buttons of a message");
        let before: f32 = ui.data(|d| d.get_temp(id)).unwrap_or_default();
        let text = Label::new(RichText::new(&message.text).small()).truncate();
        ui.scope(|ui| {
            ui.set_max_width(
                (ui.available_width() - before - ui.spacing().item_spacing.x).max(0.0),
            );
            ui.add(text);
        });
        let buttons = ui.scope(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GAP;
            message.offers.iter().for_each(|offer| offer_button(ui, message, offer));
            close_button(ui, message);
        });
        let width = buttons.response.rect.width();
        if before != width {
            ui.data_mut(|d| d.insert_temp(id, width));
            ui.request_discard("the width of a message's buttons");
        }
    }

    /// Draws all messages, the newest first; errors are thereby seen.
    pub fn list(&mut self, ui: &mut Ui) {
        let now = ui.input(|i| i.time);
        for message in self.list.iter_mut().rev() {
            message.since.get_or_insert(now);
            message.is_seen = true;
            message.is_over |= message.kind == Kind::Error;
            ui.horizontal_top(|ui| {
                mark(ui, message);
                picture(ui, message);
                ui.vertical(|ui| {
                    ui.set_max_width(ui.available_width() - CLOSE_WIDTH);
                    ui.add(Label::new(&message.text).wrap());
                    ui.horizontal_wrapped(|ui| {
                        message.offers.iter().for_each(|offer| offer_button(ui, message, offer));
                    });
                });
                close_button(ui, message);
            });
        }
    }
}

/// Marks an error, not by its colour alone.
fn mark(ui: &mut Ui, message: &Message) {
    if message.kind == Kind::Error {
        ui.label(theme::error(ui, "!").family(semibold()));
    }
}

fn picture(ui: &mut Ui, message: &Message) {
    if let Some(picture) = &message.picture {
        let picture = Image::from_texture(picture).fit_to_exact_size(THUMBNAIL);
        ui.add(picture.corner_radius(4.0).alt_text("The saved picture"));
    }
}

fn close_button(ui: &mut Ui, message: &Message) {
    let close = Button::new(icons::CLOSE).small().frame_when_inactive(false);
    button(ui, true, close, ["Dismiss"; 2], ShellCommand::Dismiss(message.number));
}

fn offer_button(ui: &mut Ui, message: &Message, (label, intent): &Offer) {
    let button = plain_button(ui, label, intent.clone());
    if !is_of_file(intent) && message.picture.is_none() {
        button.sends(ShellCommand::Dismiss(message.number));
    }
}

#[cfg(test)]
mod tests;
