//! Confirms a batch, starts it when its networks are loaded, and stops it.

use super::{Batch, BatchPhotos, BatchStyle, Phase};
use crate::{
    app::Shell,
    choice::{BRUSHES_PX, NetworkOf},
    jobs::{Jobs, time_left::Stopwatch},
    shell::platform::format_title,
    styles::{
        Missing,
        mix::{self, Parts, UnkeptMix},
    },
};
use engine::{paint::OutputSize, protocol::BatchJob};
use pictures::encode::Existing;

impl Jobs {
    /// Paints what the card describes, as soon as the networks are loaded.
    pub fn confirm_batch(&mut self, shell: &mut Shell) {
        let choice = shell.workspace.photo_choice();
        let styles: Vec<_> = match self.batch.as_ref().and_then(|batch| batch.several.as_ref()) {
            None => choice
                .style()
                .into_iter()
                .map(|id| shell.batch_style(id, &choice.parts()))
                .collect(),
            // In the order of the gallery.
            Some(ids) => {
                let has = |id: &str| ids.iter().any(|of| of == id);
                let mix = choice.style().filter(|_| has(UnkeptMix::ID));
                let cards = shell.styles.gallery.cards.iter().filter(|card| has(&card.id));
                mix.map(|id| shell.batch_style(id, &choice.parts()))
                    .into_iter()
                    .chain(cards.map(|card| shell.batch_style(&card.id, &Parts::new())))
                    .collect()
            }
        };
        let Some(mut batch) = self.batch.take() else {
            return;
        };
        let films = std::mem::take(&mut batch.films);
        self.export_films(shell, &films, &styles, &batch.target, batch.replace);
        if !batch.photos.is_empty() {
            self.confirm_styles(shell, batch, styles);
        }
    }

    /// Paints a batch in these styles, as soon as their networks are loaded.
    pub fn confirm_styles(&mut self, shell: &mut Shell, mut batch: Batch, styles: Vec<BatchStyle>) {
        shell.styles.retry_networks(|of| styles.iter().any(|style| style.network == *of));
        batch.confirm(styles);
        self.batch = Some(batch);
        self.start_batch(shell);
    }

    pub fn pause_batch(&mut self, shell: &mut Shell, pause: bool) {
        shell.engine.pause_batch(pause);
        let now = shell.now();
        if let Some(batch) = &mut self.batch {
            batch.watch.pause(pause, now);
        }
    }

    pub fn stop_batch(&mut self, shell: &mut Shell) {
        shell.engine.cancel_batch();
        if let Some(batch) = &mut self.batch {
            batch.is_stopping = true;
        }
    }

    /// Starts the confirmed batch, once its networks are loaded. Leaves out styles whose networks cannot be loaded; if
    /// none is left, the batch must be confirmed again.
    pub fn start_batch(&mut self, shell: &mut Shell) {
        let Some(batch) = self.batch.as_ref().filter(|batch| batch.phase == Phase::Loading) else {
            return;
        };
        let styles = batch.styles.clone();
        // All of them are requested at once.
        let networks: Vec<_> = styles.iter().map(|style| shell.network(&style.network)).collect();
        let failed =
            networks.iter().position(|network| network.as_ref().err() == Some(&Missing::Failed));
        let Some(batch) = &mut self.batch else {
            return;
        };
        if let Some(style) = failed {
            batch.leave_out(style);
            // There is nothing to confirm again about a contact sheet.
            self.batch.take_if(|batch| batch.sheet.is_some() && batch.phase == Phase::Ready);
            return self.start_batch(shell);
        }
        let Ok(networks) = networks.into_iter().collect() else {
            return;
        };
        let used = styles.iter().map(|style| style.network.clone()).collect();
        let now = shell.ctx.input(|i| i.time);
        let choice = shell.workspace.photo_choice();
        let mut photos = BatchPhotos::new(batch.items.clone(), used, batch.target.clone());
        photos.device = shell.device.name();
        photos.output = choice.output;
        photos.look = choice.look;
        photos.format = shell.settings.choices.format;
        photos.jpeg_quality = shell.settings.choices.jpeg_quality;
        photos.print_dpi = shell.settings.choices.print_dpi;
        if batch.replace {
            photos.existing = Existing::Replace;
        }
        let started = shell.engine.start_batch(BatchJob {
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

impl Shell {
    /// A style, or a mix with it, in the chosen model size.
    pub fn batch_style(&self, id: &str, parts: &Parts) -> BatchStyle {
        let chosen = self.workspace.photo_choice().model;
        let model = self.styles.gallery.known(id).map_or(chosen, |card| card.model(chosen));
        BatchStyle {
            network: NetworkOf::new(id, parts, model),
            title: self.styles.title_of(id).to_owned(),
        }
    }
}

/// The batch's style or mix as text, or how to choose one; and the mix alone, if there is one.
pub fn batch_style_text(shell: &Shell) -> (String, Option<String>) {
    let choice = shell.workspace.photo_choice();
    // Live mode may have another style, which the gallery shows as chosen.
    let is_aside = shell.workspace.is_live();
    let parts = choice.parts();
    let mix = (!parts.is_empty())
        .then(|| format!("Mix: {}", mix::text(&parts, |style| shell.styles.title_of(style))));
    let words = match (choice.style(), &mix) {
        (None, _) if is_aside => {
            return ("Choose a style on the Photo page first.".to_owned(), mix);
        }
        (None, _) => return ("Choose a style on the left first.".to_owned(), mix),
        (Some(style), None) => format!("In the style {}", shell.styles.title_of(style)),
        (Some(_), Some(mix)) => mix.clone(),
    };
    let end = if is_aside { ", as chosen on the Photo page." } else { "." };
    (words + end, mix)
}

/// The settings for every photo of a batch.
pub fn batch_settings(shell: &Shell) -> [(&'static str, String); 5] {
    let choice = shell.workspace.photo_choice();
    let colours = if choice.look.keep_colors { "Original" } else { "Style" };
    let size = match choice.output {
        OutputSize::Original => "Original size".to_owned(),
        OutputSize::Working => "As painted".to_owned(),
        OutputSize::LongSide(px) => format!("{px} px, at most four times the original"),
    };
    let choices = &shell.settings.choices;
    let format = match choices.format {
        None => "Same as each photo".to_owned(),
        Some(format) if format.is_lossy() => {
            format!("{}, quality {}", format_title(format), choices.jpeg_quality)
        }
        Some(format) => format_title(format).to_owned(),
    };
    [
        ("Strength", format!("{} %", choice.look.strength_percent)),
        ("Detail", format!("Up to {} px", BRUSHES_PX[choice.brush])),
        ("Colours", colours.to_owned()),
        ("Size", size),
        ("Format", format),
    ]
}

/// Where the settings of a batch are changed; `seen` if the controls of photos are visible, not folded.
pub fn batch_settings_place(shell: &Shell, seen: bool) -> &'static str {
    match (shell.workspace.is_live(), seen) {
        (true, _) => "Change these on the Photo page.",
        (false, true) => "Change these on the right.",
        (false, false) => "Change these under Adjust.",
    }
}
