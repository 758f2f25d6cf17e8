//! The networks of styles and mixes: loaded in the background when they are first needed.
//!
//! What needs a network asks for it in every frame until it is there.

use std::sync::Arc;

use super::{
    app::{App, Missing},
    choice::NetworkOf,
    style_source::Loaded,
    tasks::named,
};
use network::Network;

impl App {
    /// A network, if it is loaded; otherwise loads it, unless that has failed.
    pub(super) fn network(&mut self, of: &NetworkOf) -> Result<Arc<Network>, Missing> {
        if let Some(network) = self.networks.get(of) {
            return network.clone();
        }
        self.load(of.clone());
        Err(Missing::Loading)
    }

    /// Lets such networks be loaded again if that has failed.
    pub(super) fn retry_networks(&mut self, is_such: impl Fn(&NetworkOf) -> bool) {
        self.networks
            .retain(|of, network| network.as_ref().err() != Some(&Missing::Failed) || !is_such(of));
    }

    /// A network for live mode: until that of a mix is loaded, that of an older mix of the same styles.
    pub(super) fn live_network(&mut self, of: &NetworkOf) -> Option<Arc<Network>> {
        let mut all = self.networks.iter();
        let older = all.find_map(|(older, network)| {
            let is_it = of.is_mix() && older.is_mix() && older.styles() == of.styles();
            network.as_ref().ok().filter(|_| is_it).cloned()
        });
        let live = self.live.as_ref();
        // Newer settings would cancel the preparation of the previous ones again and again.
        if older.is_some() && live.is_some_and(|live| live.snapshot.preparing.is_some()) {
            return older;
        }
        self.network(of).ok().or(older)
    }

    /// The networks that are being loaded.
    pub(super) fn loading(&self) -> impl Iterator<Item = &NetworkOf> {
        self.networks
            .iter()
            .filter(|(_, network)| matches!(network, Err(Missing::Loading)))
            .map(|(of, _)| of)
    }

    /// Loads a network, unless it is already being loaded. One mix is made at a time.
    pub(super) fn load(&mut self, of: NetworkOf) {
        let is_it = |other: &NetworkOf| *other == of || (other.is_mix() && of.is_mix());
        if self.loading().any(is_it) {
            return;
        }
        self.networks.insert(of.clone(), Err(Missing::Loading));
        let styles = self.style_source.clone();
        let requested = of.clone();
        let load = move || match requested {
            NetworkOf::Style(id, model) => {
                let what = format!("The style {id} could not be loaded");
                named(&what, || styles.load(&id, model))
            }
            NetworkOf::Mix(parts) => named("The styles could not be mixed", || styles.mix(&parts)),
        };
        self.tasks.spawn(load, |app, loaded| {
            let network = match loaded {
                Ok(Loaded { network, note }) => {
                    if let Some(note) = note {
                        app.messages.notice(note);
                    }
                    if of.is_mix() {
                        app.networks.retain(|other, _| !other.is_mix());
                    }
                    Ok(network)
                }
                Err(error) => {
                    app.messages.error(error);
                    Err(Missing::Failed)
                }
            };
            app.networks.insert(of, network);
        });
    }
}
