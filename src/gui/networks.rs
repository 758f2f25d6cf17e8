//! The networks of styles and mixes: loaded in the background when they are first needed.

use super::{app::App, choice::NetworkOf, style_source::Loaded, tasks::named};

impl App {
    /// A network, if it is loaded; otherwise loads it, unless that has failed.
    pub(super) fn network(&mut self, of: &NetworkOf) -> Option<Loaded> {
        let loaded = self.networks.loaded.get(of).cloned();
        if loaded.is_none() && !self.networks.failed.contains(of) {
            self.load(of.clone());
        }
        loaded
    }

    /// The network with which the choice paints photos, if it is loaded.
    pub(super) fn chosen_network(&mut self, of: &NetworkOf) -> Option<Loaded> {
        // The user requests it again.
        self.networks.failed.retain(|failed| failed != of);
        self.network(of)
    }

    /// A network for live mode: until that of a mix is loaded, that of an older mix of the same styles.
    pub(super) fn live_network(&mut self, of: &NetworkOf) -> Option<Loaded> {
        let mut loaded = self.networks.loaded.iter();
        let older = loaded
            .find(|(older, _)| of.is_mix() && older.is_mix() && older.styles() == of.styles())
            .map(|(_, loaded)| loaded.clone());
        let live = self.live.as_ref();
        // Newer settings would cancel the preparation of the previous ones again and again.
        if older.is_some() && live.is_some_and(|live| live.snapshot.preparing.is_some()) {
            return older;
        }
        self.network(of).or(older)
    }

    /// Loads a network, unless it is already being loaded. One mix is made at a time.
    pub(super) fn load(&mut self, of: NetworkOf) {
        let is_it = |other: &NetworkOf| *other == of || (other.is_mix() && of.is_mix());
        if self.networks.loading.iter().any(is_it) {
            return;
        }
        self.networks.loading.push(of.clone());
        let styles = self.style_source.clone();
        let requested = of.clone();
        let load = move || match requested {
            NetworkOf::Style(id, model) => {
                let what = format!("The style {id} could not be loaded");
                named(&what, || styles.load(&id, model))
            }
            NetworkOf::Mix(parts) => named("The styles could not be mixed", || styles.mix(&parts)),
        };
        self.tasks.spawn(load, |app, loaded| app.handle_loaded(of, loaded));
    }

    /// Paints what waits for a network.
    fn handle_loaded(&mut self, of: NetworkOf, loaded: Result<Loaded, String>) {
        self.networks.loading.retain(|loading| *loading != of);
        let requested =
            self.painting.request.as_ref().map(|request| request.recipe.network.clone());
        let is_requested = requested.as_ref() == Some(&of);
        // While a mix is made, a newer one waits.
        let waits = is_requested || (of.is_mix() && requested.is_some_and(|other| other.is_mix()));
        match loaded {
            Ok(loaded) => {
                if let Some(note) = &loaded.note {
                    self.messages.notice(note.clone());
                }
                if of.is_mix() {
                    self.networks.loaded.retain(|other, _| !other.is_mix());
                }
                self.networks.loaded.insert(of, loaded);
                if waits {
                    self.paint_requested();
                }
                self.start_batch();
            }
            Err(error) => {
                self.messages.error(error);
                self.networks.failed.push(of.clone());
                self.leave_out_of_batch(&of);
                if is_requested {
                    self.revert_choice();
                } else if waits {
                    self.paint_requested();
                }
            }
        }
    }
}
