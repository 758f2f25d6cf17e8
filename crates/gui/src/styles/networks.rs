//! The networks of styles and mixes: loaded in the background when they are first needed.
//!
//! What needs a network asks for it in every frame until it is there.

use std::sync::Arc;

use super::{Missing, Styles, source::Loaded};
use crate::{app::Shell, choice::NetworkOf, shell::tasks::named};
use network::Network;

impl Shell {
    /// A network, if it is loaded; otherwise loads it, unless that has failed.
    pub fn network(&mut self, of: &NetworkOf) -> Result<Arc<Network>, Missing> {
        if let Some(network) = self.styles.networks.get(of) {
            return network.clone();
        }
        self.load(of.clone());
        Err(Missing::Loading)
    }

    /// A network for moving pictures: until that of a mix is loaded, that of an older mix of the same styles.
    pub fn moving_network(&mut self, of: &NetworkOf, is_preparing: bool) -> Option<Arc<Network>> {
        let older = self.styles.networks.iter().find_map(|(older, network)| {
            network
                .as_ref()
                .ok()
                .filter(|_| of.is_mix() && older.is_mix() && older.styles() == of.styles())
                .cloned()
        });
        // Newer settings would cancel the preparation of the previous ones again and again.
        if older.is_some() && is_preparing {
            return older;
        }
        self.network(of).ok().or(older)
    }

    /// Loads a network, unless it is already being loaded. One mix is made at a time.
    pub fn load(&mut self, of: NetworkOf) {
        if self.styles.loading().any(|other| *other == of || (other.is_mix() && of.is_mix())) {
            return;
        }
        self.styles.networks.insert(of.clone(), Err(Missing::Loading));
        let styles = self.styles.source.clone();
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
                        app.shell.messages.notice(note);
                    }
                    if of.is_mix() {
                        app.shell.styles.networks.retain(|other, _| !other.is_mix());
                    }
                    Ok(network)
                }
                Err(error) => {
                    app.shell.messages.error(error);
                    Err(Missing::Failed)
                }
            };
            app.shell.styles.networks.insert(of, network);
        });
    }
}

impl<A> Styles<A> {
    /// Lets such networks be loaded again if that has failed.
    pub fn retry_networks(&mut self, is_such: impl Fn(&NetworkOf) -> bool) {
        self.networks
            .retain(|of, network| network.as_ref().err() != Some(&Missing::Failed) || !is_such(of));
    }

    /// The networks that are being loaded.
    pub fn loading(&self) -> impl Iterator<Item = &NetworkOf> {
        self.networks
            .iter()
            .filter(|(_, network)| matches!(network, Err(Missing::Loading)))
            .map(|(of, _)| of)
    }
}
