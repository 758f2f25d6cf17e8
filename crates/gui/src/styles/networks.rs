//! The networks of styles and mixes: loaded in the background when they are first needed.
//!
//! What needs a network asks for it in every frame until it is there.

use std::sync::Arc;

use super::source::Loaded;
use crate::{
    app::{App, Missing},
    choice::NetworkOf,
    shell::tasks::named,
};
use network::Network;

impl App {
    /// A network, if it is loaded; otherwise loads it, unless that has failed.
    pub(crate) fn network(&mut self, of: &NetworkOf) -> Result<Arc<Network>, Missing> {
        if let Some(network) = self.networks.get(of) {
            return network.clone();
        }
        self.load(of.clone());
        Err(Missing::Loading)
    }

    /// Lets such networks be loaded again if that has failed.
    pub(crate) fn retry_networks(&mut self, is_such: impl Fn(&NetworkOf) -> bool) {
        self.networks
            .retain(|of, network| network.as_ref().err() != Some(&Missing::Failed) || !is_such(of));
    }

    /// A network for live mode: until that of a mix is loaded, that of an older mix of the same styles.
    pub(crate) fn live_network(&mut self, of: &NetworkOf) -> Option<Arc<Network>> {
        let older = self.networks.iter().find_map(|(older, network)| {
            network
                .as_ref()
                .ok()
                .filter(|_| of.is_mix() && older.is_mix() && older.styles() == of.styles())
                .cloned()
        });
        // Newer settings would cancel the preparation of the previous ones again and again.
        if older.is_some()
            && self.live.as_ref().is_some_and(|live| live.snapshot.preparing.is_some())
        {
            return older;
        }
        self.network(of).ok().or(older)
    }

    /// The networks that are being loaded.
    pub(crate) fn loading(&self) -> impl Iterator<Item = &NetworkOf> {
        self.networks
            .iter()
            .filter(|(_, network)| matches!(network, Err(Missing::Loading)))
            .map(|(of, _)| of)
    }

    /// Loads a network, unless it is already being loaded. One mix is made at a time.
    pub(crate) fn load(&mut self, of: NetworkOf) {
        if self.loading().any(|other| *other == of || (other.is_mix() && of.is_mix())) {
            return;
        }
        self.networks.insert(of.clone(), Err(Missing::Loading));
        let styles = self.style_source.clone();
        let requested = of.clone();
        let load = move || match requested {
            NetworkOf::Style(id, model) => {
                named(&format!("The style {id} could not be loaded"), || styles.load(&id, model))
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
