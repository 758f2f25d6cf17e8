//! Performs the commands for the styles.

use super::{command::StyleCommand, mix::Mix};
use crate::{
    app::App,
    pages::photo::{opened::Origin, paintings::FileList},
    shell::{platform::Dialog, tasks::OrText},
};
use pictures::sample::EXAMPLES;

impl App {
    pub(crate) fn perform_style(&mut self, command: StyleCommand) {
        use StyleCommand::*;

        let Self { shell, photo, .. } = self;
        let gallery = &shell.styles.gallery;
        let chosen = shell.chosen_style();
        match command {
            AskStyle => shell.ask(Dialog::Style, |app, path| app.shell.import(path)),
            PreferStyle(path) => self.prefer_style(path),
            UseAsStyle(path) => shell.import(path),
            Look(command) => self.perform_look(command),
            UseExample(place) => {
                let Some(example) = EXAMPLES.get(place) else {
                    return;
                };
                let known = gallery.cards.iter().find(|card| card.title == example.title);
                let known = known.map(|card| card.id.clone());
                if shell.workspace.photo().is_none() {
                    photo.open(shell, Origin::Sample);
                }
                match known {
                    Some(id) => self.perform_style(PickStyle(id)),
                    None => shell.import_with(example.title.into(), |styles, _| {
                        let picture = example.picture().or_text()?;
                        styles.import_picture(&picture.frame, example.title)
                    }),
                }
            }
            PickStyle(id) => photo.edit(shell, |choice| {
                // A mix has its own tile.
                if choice.style() != Some(id.as_str()) || !choice.parts().is_empty() {
                    choice.mix = Mix::of(Some(id));
                }
            }),
            PickKey(_) | StepStyle(_) => {
                let card = match command {
                    StepStyle(by) => gallery.neighbour(chosen.as_deref(), by),
                    PickKey(place) => gallery.cards.get(place),
                    _ => None,
                };
                if let Some(id) = card.map(|card| card.id.clone()) {
                    self.perform(PickStyle(id).into());
                }
            }
            AskMixName => shell.ask_mix_name(),
            DropMix => photo.edit(shell, |choice| {
                choice.mix = Mix::of(choice.style().map(str::to_owned));
            }),
            AskName(id) => shell.ask_name(&id),
            RemoveStyle(id) => self.remove_style(&id),
            MoveStyle(id, to) => shell.move_style(&id, &to),
            RenameChosen => match chosen {
                Some(style) => shell.ask_name(&style),
                None => shell.ask_mix_name(),
            },
            // Applies to the visible painting, not to the chosen style.
            RemoveChosen if photo.paintings.shows_painting(shell) => {
                if let Some(path) =
                    photo.paintings.viewed.as_ref().map(|viewed| viewed.path.clone())
                {
                    photo.forget_file(shell, FileList::Paintings, &path);
                }
            }
            RemoveChosen => match chosen {
                Some(style) => self.remove_style(&style),
                None => self.perform_style(DropMix),
            },
            MoveChosen(to) => match chosen {
                Some(style) => shell.move_style(&style, &to),
                None if shell.workspace.choice.style().is_some() => {
                    shell.messages.notice("Save the mix to move it in the list.");
                }
                None => {}
            },
            BringBack(id) => {
                self.bring_back(&id);
            }
            TakeReading(format) => shell.take_reading(format),
        }
    }
}
