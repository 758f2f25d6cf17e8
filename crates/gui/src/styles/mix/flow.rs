//! Turns a mix into a new style, and names mixes and styles.

use super::{Parts, UnkeptMix, text};
use crate::{
    app::{App, Shell},
    choice::NetworkOf,
    styles::{
        Styles,
        source::{Card, MIX_OF},
    },
};
use values::mode::ModelSize;

impl Shell {
    /// The mix that paints and is not saved as a style yet.
    pub fn unkept_mix(&self) -> Option<UnkeptMix> {
        let parts = self.workspace.choice.parts();
        let title = self.chosen_name().filter(|_| !parts.is_empty())?;
        let card = Card { id: UnkeptMix::ID.to_owned(), title, ..Card::default() };
        Some(UnkeptMix { parts, card })
    }

    /// Asks for a name under which the mix becomes a style.
    pub fn ask_mix_name(&mut self) {
        let parts = self.workspace.choice.parts();
        if parts.is_empty() {
            return;
        }
        let name = self.styles.titles(&parts);
        self.ask_name_of_mix(parts, name, None);
    }

    fn ask_name_of_mix(&mut self, parts: Parts, name: String, problem: Option<String>) {
        let keep = |app: &mut App, name| app.shell.keep_mix(parts, name);
        self.overlays.put_name(["Save mix as".to_owned(), name], "Save", problem, keep);
    }

    /// The name of the style or mix that paints; `None` while no style is chosen.
    pub fn chosen_name(&self) -> Option<String> {
        Some(self.styles.name_of(&self.workspace.choice.network(ModelSize::Full)?))
    }

    /// Saves a mix as a new style.
    fn keep_mix(&mut self, parts: Parts, name: String) {
        let words = format!("{MIX_OF}{}", text(&parts, |style| self.styles.title_of(style)));
        self.styles.gallery.importing += 1;
        let styles = self.styles.source.clone();
        let mix = parts.clone();
        let style = name.clone();
        self.tasks.spawn_writing(
            move || styles.keep_mix(&mix, &style, &words),
            |app, kept| match kept {
                Ok(id) => {
                    let style = NetworkOf::Style(id.clone(), app.shell.model());
                    app.shell.workspace.note_kept_mix(&NetworkOf::Mix(parts), style);
                    app.shell.list_styles(Some(id));
                }
                Err(error) => {
                    app.shell.styles.gallery.end_import();
                    let why = app.shell.styles.why_not_named(&name, &error);
                    app.shell.ask_name_of_mix(parts, name, Some(why));
                }
            },
        );
    }
}

impl<A> Styles<A> {
    pub fn title_of<'a>(&'a self, style: &'a str) -> &'a str {
        self.gallery.known(style).map_or(style, |card| &card.title)
    }

    /// The titles of a mix's styles.
    fn titles(&self, parts: &Parts) -> String {
        let titles: Vec<&str> = parts.iter().map(|(id, _)| self.title_of(id)).collect();
        match titles.split_last() {
            Some((last, [first, others @ ..])) => {
                let others: String = others.iter().map(|title| format!(", {title}")).collect();
                format!("{first}{others} and {last}")
            }
            _ => titles.concat(),
        }
    }

    /// The name of a style or mix.
    pub fn name_of(&self, network: &NetworkOf) -> String {
        match network {
            NetworkOf::Style(style, _) => self.title_of(style).to_owned(),
            NetworkOf::Mix(parts) => format!("Mix of {}", self.titles(parts)),
        }
    }
}
