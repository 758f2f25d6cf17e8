//! Sends the engine its settings: for the picture on the stage, and for the previews of the styles.

use crate::{
    engine::live::{LiveSettings, ModePair},
    gui::{app::App, choice::NetworkOf, film::FilmView, style_source::Card},
    mode::{DeviceChoice, ModelSize},
};

/// Maximum number of styles with live previews.
const MAX_PREVIEWS: usize = 24;

impl App {
    /// The model size for live mode: the chosen one, if the style has it. The automatic choice is the lite model on a
    /// CPU and the full model on a GPU, as on the command line.
    pub(crate) fn live_model(&self) -> ModelSize {
        let is_cpu = self.device.info.as_ref().is_none_or(|d| d.kind == DeviceChoice::Cpu);
        let automatic = if is_cpu { ModelSize::Lite } else { ModelSize::Full };
        self.model_of_style(self.settings.live.model.unwrap_or(automatic))
    }

    /// The engine's settings for live video, and for a film while it plays, that follow from the window's state.
    pub(crate) fn live_settings(&mut self) -> LiveSettings {
        let wanted = self.workspace.choice.network(self.live_model());
        let found = wanted.as_ref().and_then(|of| self.live_network(of));
        let live = self.live.as_ref();
        // The previous style stays until the network of the new one is loaded.
        let film = self.film.as_ref().and_then(FilmView::settings);
        let before = || live.and_then(|l| l.sent.as_ref()).or(film)?.network.clone();
        let network = wanted.and_then(|_| found.or_else(before));
        let choices = &self.settings.live;
        LiveSettings {
            network,
            size: choices.size,
            mode: choices.mode,
            look: self.workspace.choice.look,
            steadiness: choices.steadiness,
            upscale: choices.upscale,
            compare: live
                .filter(|l| l.compares())
                .map(|_| ModePair { candidates: choices.candidates }),
            frozen: live.is_some_and(|l| l.frozen),
            // Two modes are compared without timing their steps.
            sample: live.is_some_and(|l| l.panel_open && !l.compares()),
        }
    }

    pub(super) fn sync_live(&mut self) {
        let settings = self.live_settings();
        let Some(live) = &mut self.live else {
            return;
        };
        if live.pictures.is_some() && live.sent.as_ref() != Some(&settings) {
            live.sent_number = self.engine.set_live(settings.clone());
            live.sent = Some(settings);
        }
    }

    /// Sends the engine the styles of the preview grid, while the grid or the gallery is shown.
    pub(super) fn sync_previews(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        let are_seen = live.pictures.is_some()
            && (live.shows_previews
                || (self.settings.live.moving_gallery && !self.full_screen.is_on));
        let mut styles = Vec::new();
        if are_seen {
            let large = self.live_model();
            let models = |card: &Card| {
                let of = |model| NetworkOf::Style(card.id.clone(), card.model(model));
                (card.id.clone(), of(ModelSize::Lite), of(large))
            };
            let cards = self.gallery.cards.iter().take(MAX_PREVIEWS).map(models);
            for (id, small, large) in cards.collect::<Vec<_>>() {
                styles.extend(self.network(&small).map(|network| (id, network)));
                // Load the large network too, so that it is ready when the user clicks.
                self.network(&large).ok();
            }
        }
        if let Some(live) = &mut self.live
            && let Some(previews) = live.previews.set_styles(styles)
        {
            self.engine.set_previews(previews);
        }
    }
}
