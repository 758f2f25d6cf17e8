//! The clipboard: copied pictures, and text in fields and labels.
//!
//! egui's own clipboard is not used, because it would read pictures on the window's thread, and because the clipboard's
//! keys are used for pictures here. Background threads read and write the clipboard.

use std::{path::PathBuf, sync::Arc};

use eframe::egui::{Event, Key, OutputCommand, text_selection::LabelSelectionState};

use super::tasks::OrText;
use crate::{app::Shell, widgets::label::name_label};
use pictures::decode;
use values::frame::Frame;

impl Shell {
    /// Copies the picture in a file.
    pub fn copy_file(&self, path: PathBuf) {
        self.copy_picture(name_label(&path), move || {
            Ok(Arc::unwrap_or_clone(decode::from_path(&path).or_text()?.frame))
        });
    }

    /// Makes a picture in the background and copies it.
    pub fn copy_picture(
        &self,
        name: String,
        picture: impl FnOnce() -> Result<Frame, String> + Send + 'static,
    ) {
        let platform = self.platform.clone();
        self.run(
            move || platform.copy(&picture()?),
            move |app, ()| app.shell.messages.notice(format!("{name} is on the clipboard.")),
        );
    }
}

/// Passes the clipboard's keys to a focused text field, or to selected text.
pub fn text_keys(shell: &Shell) {
    let types = shell.ctx.text_edit_focused();
    let marked = shell.ctx.with_plugin(|labels: &mut LabelSelectionState| labels.has_selection());
    if !types && !marked.unwrap_or_default() {
        return;
    }
    let mut pastes = false;
    shell.ctx.input_mut(|input| {
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
        let platform = shell.platform.clone();
        shell.run(
            move || Ok(platform.paste_text()),
            |app, text| {
                if app.shell.ctx.text_edit_focused() && !text.is_empty() {
                    app.shell.ctx.input_mut(|input| {
                        input.events.push(Event::Paste(text.replace("\r\n", "\n")))
                    });
                }
            },
        );
    }
}

/// Copies the texts that were copied in this frame to the clipboard.
pub fn copy_texts(shell: &Shell) {
    let is_text = |command: &mut OutputCommand| matches!(command, OutputCommand::CopyText(_));
    let copied: Vec<OutputCommand> =
        shell.ctx.output_mut(|output| output.commands.extract_if(.., is_text).collect());
    for command in copied {
        if let OutputCommand::CopyText(text) = command {
            shell.ask_desktop(move |desktop| desktop.copy_text(&text));
        }
    }
}
