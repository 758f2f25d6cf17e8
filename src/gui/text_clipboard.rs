//! Text on the clipboard: keys in fields and in marked words, and buttons that copy.
//!
//! egui's own clipboard is not used: it would read pictures on the window's thread, and the keys of the clipboard
//! belong to pictures here. Background threads read and write the text.

use eframe::egui::{self, Event, Key, OutputCommand, text_selection::LabelSelectionState};

use super::app::App;

impl App {
    /// Gives the keys of the clipboard to a field that is typed into, or to words that are marked.
    pub(super) fn text_keys(&self, ctx: &egui::Context) {
        let types = ctx.text_edit_focused();
        let marked = ctx.with_plugin(|labels: &mut LabelSelectionState| labels.has_selection());
        let marked = marked.unwrap_or_default();
        if !types && !marked {
            return;
        }
        let mut pastes = false;
        ctx.input_mut(|input| {
            for event in &mut input.events {
                let Event::Key { key, pressed: true, modifiers, .. } = event else {
                    continue;
                };
                let with_command = modifiers.command_only();
                match key {
                    Key::Copy => *event = Event::Copy,
                    Key::C if with_command => *event = Event::Copy,
                    Key::Cut if types => *event = Event::Cut,
                    Key::X if with_command && types => *event = Event::Cut,
                    Key::Paste if types => pastes = true,
                    Key::V if with_command && types => pastes = true,
                    _ => {}
                }
            }
        });
        if pastes {
            self.background.paste_text();
        }
    }

    /// Puts a text that was asked for into the field that is typed into.
    pub(super) fn handle_pasted_text(&self, ctx: &egui::Context, text: String) {
        if ctx.text_edit_focused() && !text.is_empty() {
            let text = text.replace("\r\n", "\n");
            ctx.input_mut(|input| input.events.push(Event::Paste(text)));
        }
    }

    /// Copies the texts that were copied in this frame.
    pub(super) fn copy_texts(&self, ctx: &egui::Context) {
        let is_text = |command: &mut OutputCommand| matches!(command, OutputCommand::CopyText(_));
        let copied: Vec<OutputCommand> =
            ctx.output_mut(|output| output.commands.extract_if(.., is_text).collect());
        for command in copied {
            if let OutputCommand::CopyText(text) = command {
                self.background.copy_text(text);
            }
        }
    }
}
