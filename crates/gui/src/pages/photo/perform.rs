//! Performs the commands of the photo page, and those for the picture while it is shown.

use super::{
    PhotoPage,
    command::PhotoCommand,
    crop::Cropping,
    incoming::{PictureUse, flow::offer_batch},
    opened::Origin,
};
use crate::{
    app::Shell,
    choice::{BRUSHES_PX, Choice, finest_brush},
    intent::{Intent, ViewCommand},
    shell::{common::other, platform::Dialog},
    widgets::stage::ViewStep,
    workspace::Step,
};

impl PhotoPage {
    pub fn perform(&mut self, shell: &mut Shell, command: PhotoCommand) {
        use PhotoCommand::*;

        match command {
            AskOpen | AskVideo | AskFolder => {
                let dialog = match command {
                    AskOpen => Dialog::Open,
                    AskVideo => Dialog::Video,
                    _ => Dialog::Folder,
                };
                shell.ask(dialog, |app, path| {
                    app.photo.sort(&mut app.shell, vec![path], PictureUse::Photo);
                });
            }
            OpenFiles(files) => self.sort(shell, files, PictureUse::Photo),
            OpenRecent(path) => self.open_recent(shell, path),
            PaintOpened => offer_batch(shell, self.paintings.set.to_vec(), Vec::new()),
            OpenSample => self.open(shell, Origin::Sample),
            Paste => self.paste(shell),
            ShowPainting(path) => self.show_painting(shell, path),
            ClosePainting => {
                self.close_painting(shell);
            }
            Forget(list, path) => self.forget_file(shell, list, &path),
            Clear(list) => self.clear_files(shell, list),
            ToggleStrip => self.paintings.toggle_strip(shell),
            Detail(brush) => self.edit(shell, |choice| choice.brush = brush),
            Cancel => self.stop_painting(shell),
            ToggleCrop => self.toggle_crop(shell),
            ApplyCrop => {
                if let Some(cropping) = self.cropping.take() {
                    self.edit(shell, |choice| choice.framing = cropping.framing());
                }
            }
        }
    }

    /// Performs a command for the picture. Commands that change the choice apply to the page that is shown.
    pub fn perform_view(&mut self, shell: &mut Shell, command: ViewCommand) {
        use ViewCommand::*;

        match command {
            Edit(new) => self.edit(shell, |choice| *choice = new),
            StepDetail(by) => {
                let finest =
                    shell.workspace.photo_size().map_or(0, |(w, h)| finest_brush(w.max(h)));
                let last = BRUSHES_PX.len() - 1;
                self.edit(shell, |choice| {
                    let place = choice.brush.clamp(finest, last);
                    let next = place.saturating_add_signed(-by).clamp(finest, last);
                    // A key that changes nothing must not set the brush for later photos either.
                    if next != place {
                        choice.brush = next;
                    }
                });
            }
            StepStrength(by) => self.edit(shell, |choice| {
                let strength = &mut choice.look.strength_percent;
                *strength = (i16::from(*strength) + by).clamp(0, 100) as u8;
            }),
            ToggleColors => self.edit(shell, |choice| choice.look.keep_colors ^= true),
            ToggleModel => {
                let other = other(shell.model());
                self.edit(shell, |choice| choice.model = other);
            }
            Undo | Redo => {
                if let Some(cropping) = &mut self.cropping {
                    cropping.step(command == Undo);
                }
            }
            Look(compare) => self.stage.compare = compare,
            StepView(ViewStep::Wipe(by))
                if self.seen_crop(shell).is_none()
                    && self.step_strip(shell, by.signum() as isize) => {}
            StepView(step) => {
                let viewed = self.paintings.viewed.as_mut().map(|viewed| &mut viewed.stage);
                viewed.unwrap_or(&mut self.stage).step(step);
            }
            HoldOrCompare => self.stage.step(ViewStep::NextCompare),
            Save | Copy if shell.workspace.is_aside() => {
                shell.messages.notice("This page has no picture yet. Open one first.");
            }
            Save => self.ask_target(shell, None),
            Copy => {
                if let Some(finished) = shell.workspace.finished() {
                    shell.copy_picture("The painting".to_owned(), move || Ok(finished.frame()));
                }
            }
            // The picture follows the state of the key.
            ShowOriginal => {}
        }
    }

    /// Changes the choice, and follows it. All steps of one drag are undone together.
    pub fn edit(&mut self, shell: &mut Shell, change: impl FnOnce(&mut Choice)) {
        let before = shell.workspace.choice.clone();
        change(&mut shell.workspace.choice);
        if shell.workspace.choice != before {
            if shell.workspace.choice.brush != before.brush {
                let is_void =
                    |offered: &Intent| matches!(offered, Intent::Photo(PhotoCommand::Detail(_)));
                shell.messages.withdraw(is_void);
            }
            shell.begin_change(Step::Choice(Box::new(before)));
        }
        self.follow_choice(shell);
    }

    /// Shows the rectangle for cropping over the photo, or removes it.
    fn toggle_crop(&mut self, shell: &mut Shell) {
        if self.cropping.take().is_none()
            && let Some(photo) = shell.workspace.seen_photo()
        {
            let framing = shell.workspace.choice.framing;
            self.cropping = Some(Cropping::new(&shell.ctx, &photo.opened.whole(), framing));
        }
    }

    /// The crop in progress, while it is shown.
    pub fn seen_crop(&self, shell: &Shell) -> Option<&Cropping> {
        let is_hidden = shell.workspace.seen_photo().is_none() || self.paintings.viewed.is_some();
        self.cropping.as_ref().filter(|_| !is_hidden)
    }
}
