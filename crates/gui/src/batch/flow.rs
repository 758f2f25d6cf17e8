//! Confirms a batch, starts it when its networks are loaded, and stops it.

use super::{Batch, BatchPhotos, BatchStyle, Phase};
use crate::{
    app::{App, Missing},
    choice::{BRUSHES_PX, NetworkOf},
    mix::{self, Parts},
    platform::format_title,
    time_left::Stopwatch,
};
use engine::{paint::OutputSize, protocol::BatchJob};
use pictures::encode::Existing;

impl App {
    /// Paints what the card describes, as soon as the networks are loaded.
    pub(crate) fn confirm_batch(&mut self) {
        let choice = self.workspace.photo_choice();
        let styles: Vec<_> = match self.batch.as_ref().and_then(|batch| batch.several.as_ref()) {
            None => {
                choice.style().into_iter().map(|id| self.batch_style(id, &choice.parts())).collect()
            }
            // In the order of the gallery.
            Some(ids) => (self.gallery.cards.iter())
                .filter(|card| ids.contains(&card.id))
                .map(|card| self.batch_style(&card.id, &Parts::new()))
                .collect(),
        };
        let Some(mut batch) = self.batch.take() else {
            return;
        };
        let films = std::mem::take(&mut batch.films);
        self.export_films(&films, &styles, &batch.target, batch.replace);
        if !films.is_empty() {
            batch.left_out.push(
                "Its videos are in the list of exports, at the left of the status line.".to_owned(),
            );
        }
        if !batch.photos.is_empty() {
            self.confirm_styles(batch, styles);
        }
    }

    /// Paints a batch in these styles, as soon as their networks are loaded.
    pub(crate) fn confirm_styles(&mut self, mut batch: Batch, styles: Vec<BatchStyle>) {
        self.retry_networks(|of| styles.iter().any(|style| style.network == *of));
        batch.confirm(styles);
        self.batch = Some(batch);
        self.start_batch();
    }

    /// The batch's style or mix as text; or how to choose one.
    pub(crate) fn batch_style_text(&self) -> String {
        let choice = self.workspace.photo_choice();
        // Live mode may have another style, which the gallery shows as chosen.
        let is_aside = self.live.is_some();
        let parts = choice.parts();
        let words = match choice.style() {
            None if is_aside => return "Choose a style under “Photo” first.".to_owned(),
            None => return "Choose a style on the left first.".to_owned(),
            Some(style) if parts.is_empty() => format!("In the style {}", self.title_of(style)),
            Some(_) => {
                let mix = mix::text(&parts, |style| self.title_of(style));
                format!("In a mix: {mix}")
            }
        };
        if is_aside {
            format!("{words}, as chosen under “Photo”.")
        } else {
            format!("{words}.")
        }
    }

    /// The settings for every photo of a batch, as text, and where to change them; `seen` if the controls of photos are
    /// visible, not folded.
    pub(crate) fn batch_settings_text(&self, seen: bool) -> String {
        let choice = self.workspace.photo_choice();
        let colours = if choice.look.keep_colors { "photo" } else { "style" };
        let size = match choice.output {
            OutputSize::Original => "as large as the photo".to_owned(),
            OutputSize::Working => "as large as painted".to_owned(),
            OutputSize::LongSide(px) => format!("long side {px} px, enlarged at most four times"),
        };
        let choices = &self.settings.choices;
        let format = match choices.format {
            None => "each in its photo's own format".to_owned(),
            Some(format) if format.is_lossy() => {
                format!("as {} of quality {}", format_title(format), choices.jpeg_quality)
            }
            Some(format) => format!("as {}", format_title(format)),
        };
        let place = match (self.live.is_some(), seen) {
            (true, _) => "on the page “Photo”",
            (false, true) => "on the right",
            (false, false) => "under “Adjust”",
        };
        format!(
            "Strength {} %, detail {} px or the photo's own size where that is less, the {colours}'s colours, {size}, {format}. Change them {place}.",
            choice.look.strength_percent, BRUSHES_PX[choice.brush]
        )
    }

    /// A style, or a mix with it, in the chosen model size.
    pub(crate) fn batch_style(&self, id: &str, parts: &Parts) -> BatchStyle {
        let chosen = self.workspace.photo_choice().model;
        let model = self.gallery.known(id).map_or(chosen, |card| card.model(chosen));
        BatchStyle {
            network: NetworkOf::new(id, parts, model),
            title: self.title_of(id).to_owned(),
        }
    }

    pub(crate) fn pause_batch(&mut self, pause: bool) {
        self.engine.pause_batch(pause);
        let now = self.now();
        if let Some(batch) = &mut self.batch {
            batch.watch.pause(pause, now);
        }
    }

    pub(crate) fn stop_batch(&mut self) {
        self.engine.cancel_batch();
        if let Some(batch) = &mut self.batch {
            batch.is_stopping = true;
        }
    }

    /// Starts the confirmed batch, once its networks are loaded. Leaves out styles whose networks cannot be loaded; if
    /// none is left, the batch must be confirmed again.
    pub(crate) fn start_batch(&mut self) {
        let Some(batch) = self.batch.as_ref().filter(|batch| batch.phase == Phase::Loading) else {
            return;
        };
        let styles = batch.styles.clone();
        // All of them are requested at once.
        let networks: Vec<_> = styles.iter().map(|style| self.network(&style.network)).collect();
        let failed =
            networks.iter().position(|network| network.as_ref().err() == Some(&Missing::Failed));
        let Some(batch) = &mut self.batch else {
            return;
        };
        if let Some(style) = failed {
            batch.leave_out(style);
            // There is nothing to confirm again about a contact sheet.
            self.batch.take_if(|batch| batch.sheet.is_some() && batch.phase == Phase::Ready);
            return self.start_batch();
        }
        let Ok(networks) = networks.into_iter().collect() else {
            return;
        };
        let labels = styles.iter().map(|style| style.network.label()).collect();
        let now = self.ctx.input(|i| i.time);
        let choice = self.workspace.photo_choice();
        let mut photos = BatchPhotos::new(batch.items.clone(), labels, batch.target.clone());
        photos.output = choice.output;
        photos.look = choice.look;
        photos.format = self.settings.choices.format;
        photos.jpeg_quality = self.settings.choices.jpeg_quality;
        if batch.replace {
            photos.existing = Existing::Replace;
        }
        let started = self.engine.start_batch(BatchJob {
            source: match &batch.sheet {
                Some(sheet) => sheet
                    .source(styles.iter().map(|style| style.title.clone()).collect(), choice.look),
                None => Box::new(photos),
            },
            networks,
            settings: choice.paint_settings(),
        });
        batch.phase = if started { Phase::Running } else { Phase::Ready };
        batch.watch = Stopwatch::started(now);
    }
}
