//! The dock: a panel above the status line that lists jobs and messages. The status line has its handle, what is being
//! painted, and the newest message for its time.

use eframe::egui::{
    Align2, Atoms, Button, Id, Label, Order, ProgressBar, Rect, RichText, ScrollArea, Ui,
    UiBuilder, vec2,
};

use super::{
    command::ShellCommand,
    shortcuts::{button, plain_button},
};
use crate::{
    app::{App, Shell},
    bars::{LowerPanel, PART_GAP, STATUS_HEIGHT},
    intent::{PhotoCommand, Sends},
    widgets::{fonts::icons, key_chips, theme},
};

/// What it is called.
const NAME: &str = "Jobs and messages";
/// Usual and largest share of the window's height.
const MAX_SHARE: f32 = 1.0 / 3.0;
/// Space between a message and the window's edges if it floats, in points.
const EDGE: f32 = 8.0;

/// What is being done, or what to do, as text; and the painted share of a photo.
pub type Activity = (String, Option<f32>);

/// Reserves the place of the dock if it is open.
pub fn room(shell: &Shell, ui: &mut Ui) -> Option<LowerPanel> {
    let most = MAX_SHARE * ui.content_rect().height();
    shell.window.dock_open.then(|| LowerPanel::drawer(ui, "dock", 8, [most; 2]))
}

impl App {
    /// Draws the dock.
    pub(crate) fn dock_ui(&mut self, ui: &mut Ui) {
        let (messages, jobs) = (&mut self.shell.messages, &self.jobs);
        let [has_jobs, has_messages] = [!jobs.queue.entries.is_empty(), !messages.is_empty()];
        ui.horizontal(|ui| {
            ui.label(theme::heading(NAME));
            theme::at_the_right(ui, "buttons of the dock", |ui| {
                if has_messages {
                    plain_button(ui, "Clear messages", ShellCommand::ClearMessages);
                }
                let close = Button::new(icons::CLOSE).frame_when_inactive(false);
                button(
                    ui,
                    true,
                    close,
                    ["Close", "Close this panel."],
                    ShellCommand::ShowDock(false),
                );
            });
        });
        ui.columns(if has_jobs && has_messages { 2 } else { 1 }, |columns| {
            if has_jobs {
                jobs.ui(&mut columns[0], &self.photo.paintings);
            }
            if let (Some(column), true) = (columns.last_mut(), has_messages) {
                let area = ScrollArea::vertical().id_salt("messages").auto_shrink(false);
                area.show(column, |ui| messages.list(ui));
            } else if !has_jobs {
                theme::caption(&mut columns[0], "There are no jobs and no messages.");
            }
        });
    }

    /// Draws the status line. Text that does not fit is truncated; its tooltip shows all of it.
    pub(crate) fn status_ui(&mut self, ui: &mut Ui) {
        ui.spacing_mut().interact_size.y = STATUS_HEIGHT;
        ui.spacing_mut().button_padding.y = 0.0;
        ui.spacing_mut().item_spacing.x = PART_GAP;
        let has_line = !self.shell.window.dock_open
            && self.shell.messages.has_line(self.shell.now(), false, false);
        ui.horizontal(|ui| {
            handle(&self.shell, self.jobs.summary(), ui);
            let (page, shell) = self.page();
            activity_ui(ui, page.activity(shell));
            if has_line {
                // What comes and goes before it does not take a click from its buttons.
                let scope = UiBuilder::new().scope_id(Id::unique("message of the status line"));
                ui.scope_builder(scope, |ui| self.shell.messages.line(ui, false, false));
            }
            // In the room that is left.
            let (page, shell) = self.page();
            // The device is last: if the line is too long, its name is truncated.
            for text in page.status(shell).iter().flatten() {
                theme::cut_caption(ui, text);
            }
        });
    }

    /// Draws the message that has arrived since a dialog was opened in front of it; otherwise the activity and a message
    /// over a picture that is shown alone, only urgent messages if that `is_bare`.
    pub(crate) fn floating_status(&mut self, ui: &Ui, area: Rect, in_front: bool, is_bare: bool) {
        let (page, shell) = self.page();
        let activity = if in_front { None } else { page.activity(shell) };
        let messages = &mut self.shell.messages;
        if !messages.has_line(ui.input(|i| i.time), in_front, is_bare) && activity.is_none() {
            return;
        }
        let (pivot, order) = match in_front {
            true => (Align2::LEFT_TOP, Order::Foreground),
            false => (Align2::CENTER_BOTTOM, Order::Middle),
        };
        let area = area.shrink(EDGE);
        let place = (pivot, pivot.pos_in_rect(&area), area);
        theme::floating_at(ui, "status", order, place, |ui| {
            ui.set_max_width(area.width() - 4.0 * EDGE);
            ui.horizontal(|ui| {
                activity_ui(ui, activity);
                messages.line(ui, in_front, is_bare);
            });
        });
    }
}

/// The button that opens the dock, if there is anything in it: the jobs, and the number of unread messages.
fn handle(shell: &Shell, jobs: Option<String>, ui: &mut Ui) {
    let (messages, is_open) = (&shell.messages, shell.window.dock_open);
    if jobs.is_none() && messages.is_empty() && !is_open {
        return;
    }
    let jobs = jobs.unwrap_or_else(|| "Messages".to_owned());
    let mut name = format!("{NAME}, {jobs}");
    let mut text = Atoms::new(RichText::new(jobs).small());
    let (unread, has_error) = messages.unread();
    if unread > 0 {
        let colors = theme::palette(ui);
        let color = if has_error { colors.error } else { colors.notice };
        text.push_right(RichText::new(format!("• {unread}")).small().color(color));
        name += &format!(", {unread} unread");
    }
    let handle = Button::selectable(is_open, text).min_size(vec2(0.0, STATUS_HEIGHT));
    ui.add(handle.frame_when_inactive(true))
        .on_hover_text("Show jobs and messages.")
        .accessible_name(name)
        .sends(ShellCommand::ShowDock(!is_open));
}

fn activity_ui(ui: &mut Ui, activity: Option<Activity>) {
    let Some((text, share)) = activity else {
        return;
    };
    ui.label(text);
    if let Some(share) = share {
        ui.add(ProgressBar::new(share).desired_width(100.0).desired_height(8.0));
        let percent = Label::new(format!("{:.0} %", 100.0 * share));
        ui.add_sized([40.0, STATUS_HEIGHT], percent);
        let cancel = plain_button(ui, "Cancel", PhotoCommand::Cancel);
        key_chips::hint(cancel, "Stop painting.", "Esc");
    }
}
