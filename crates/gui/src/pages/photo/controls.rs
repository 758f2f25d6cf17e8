//! The controls on the right: how to paint, and how to save.

use eframe::egui::{ScrollArea, Ui};

use super::{PhotoPage, command::PhotoCommand, output_size::output_control};
use crate::{
    app::Shell,
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, finest_brush, working_size_of},
    intent::{Command, Intent, JobCommand, ShellCommand, ViewCommand},
    shell::{
        controls::{model_row, painting_controls},
        platform::format_title,
        shortcuts::button,
    },
    widgets::{
        fonts::icons,
        list::choose_row,
        mode_choice::{ENGINE, Offers, engine},
        theme::{self, ColumnTooltip},
    },
    workspace::Page,
};
use media::framing::Rotation;
use pictures::encode::{DEFAULT_QUALITY, Format};

/// Draws the controls into `ui`.
pub fn ui(page: &PhotoPage, shell: &Shell, ui: &mut Ui) {
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if page.paintings.viewed_settings(shell, ui) {
            return;
        }
        let is_video = shell.workspace.page() == Page::Video;
        let [title, source] = if is_video { ["Video", "video"] } else { ["Photo", "photo"] };
        let mut choice = shell.workspace.choice.clone();
        if let Some(whole) =
            shell.workspace.seen_photo().map(|photo| photo.opened.photo.frame.size())
        {
            theme::group_title(ui, title);
            framing(ui, whole, page.cropping.is_some(), &mut choice);
            ui.add_space(theme::GROUP_GAP);
        }

        painting_controls(shell, ui, source, &mut choice, |ui, choice| {
            if is_video {
                theme::steadiness(ui, &mut choice.steadiness);
            }
            brush_control(shell, ui, choice);
        });

        theme::group_title(ui, "Result");
        output_control(ui, &mut choice, shell.workspace.photo_size());
        // The format of a video is chosen when it is exported.
        if !is_video {
            format_control(shell, ui);
            if shell.format().has_resolution() {
                print_control(shell, ui, &choice);
            }
            if shell.format().has_16_bits() {
                ui.checkbox(&mut choice.has_16_bits, "16 bits per channel")
                    .column_tooltip("Finer steps of colour, for editing. The file is larger.");
            }
        }
        ui.add_space(theme::GROUP_GAP);

        theme::advanced(ui, |ui| {
            let mut model = Some(choice.model);
            model_row(shell, ui, &mut model, shell.model(), false);
            choice.model = model.unwrap_or(choice.model);
            engine(
                ui,
                ENGINE,
                &mut choice.mode,
                Offers::of(shell.device.info.as_ref(), has_attention(shell)),
            );
        });
        if choice != shell.workspace.choice {
            ViewCommand::Edit(choice).send(ui);
        }
    });
}

impl PhotoPage {
    /// The buttons that export a video and save or copy the painting, side by side.
    pub fn save_buttons(&self, shell: &Shell, ui: &mut Ui) {
        let is_video = shell.workspace.page() == Page::Video;
        if is_video {
            let can = self.shows_film(shell);
            let export = theme::icon_text(icons::VIDEO, "Export…", true);
            let export = theme::tall(theme::main_button(ui, &export, can));
            let words = ["Export…", "Save the painted video."];
            button(ui, can, export, words, JobCommand::ExportFilm);
        }
        let workspace = &shell.workspace;
        let has_result = workspace.seen_photo().and(workspace.finished()).is_some();
        let is_saving = self.save.is_running;
        let not_yet = if is_saving { "Saving…" } else { "The painting is not finished yet." };
        let has_words = ui.available_width() >= SAVE_WORDS_WIDTH;
        let can_save = has_result && !is_saving;
        let save =
            if is_video { "Save this frame as a picture." } else { "Save the painting as a file." };
        for (icon, name, does, can, why_not, intent) in [
            (icons::SAVE, "Save as…", save, can_save, not_yet, Intent::View(ViewCommand::Save)),
            (
                icons::COPY,
                "Copy",
                "Copy the painting.",
                has_result,
                not_yet,
                Intent::View(ViewCommand::Copy),
            ),
            (
                icons::GRID,
                "Contact sheet…",
                "Save the photo in every style on one image.",
                shell.workspace.photo().is_some(),
                "Open a photo first.",
                Intent::Job(JobCommand::AskContactSheet),
            ),
        ] {
            let is_main = intent == Intent::View(ViewCommand::Save) && can && !is_video;
            let styled = theme::main_button(ui, &theme::icon_text(icon, name, has_words), is_main);
            button(ui, can, theme::tall(styled), [name, does], intent)
                .on_disabled_hover_text(why_not);
        }
    }
}

/// True if the network that paints has attention, once it is loaded.
fn has_attention(shell: &Shell) -> bool {
    let of = shell.workspace.choice.network(shell.model());
    of.and_then(|of| shell.styles.networks.get(&of)?.as_ref().ok())
        .is_some_and(|network| network.graph().has_attention())
}

/// Rotates, mirrors and crops the photo, whose full size is `whole`.
fn framing(ui: &mut Ui, whole: (usize, usize), is_cropping: bool, choice: &mut Choice) {
    let framing = choice.framing;
    theme::bar(ui, 5.0, |ui| {
        let mut offer = |icon, word, name: &str, hint, is_on| {
            ui.add(theme::toggle(is_on, theme::icon_text(icon, word, true)))
                .column_tooltip(hint)
                .accessible_name(name)
                .clicked()
        };
        for (icon, word, hint, rotate) in [
            (icons::TURN_LEFT, "Left", "Rotate the photo 90° left", Rotation::ThreeQuarters),
            (icons::TURN_RIGHT, "Right", "Rotate the photo 90° right", Rotation::Quarter),
        ] {
            if offer(icon, word, &format!("Rotate {}", word.to_lowercase()), hint, false) {
                choice.framing = framing.turned(rotate, whole);
            }
        }
        if offer(
            icons::MIRROR,
            "Mirror",
            "Mirror",
            "Swap left and right of the photo",
            framing.mirror,
        ) {
            choice.framing = framing.mirrored(whole);
        }
        if offer(icons::CROP, "Crop", "Crop the photo", "Paint only part of the photo", is_cropping)
        {
            PhotoCommand::ToggleCrop.send(ui);
        }
    });
    if let Some(crop) = choice.framing.crop {
        let (w, h) = choice.framing.rotate.size(whole);
        theme::caption(ui, format!("{} × {} of {w} × {h} px", crop.width, crop.height));
    }
}

/// Minimum width at which the save buttons have text next to their icons, in points.
const SAVE_WORDS_WIDTH: f32 = 540.0;

fn brush_control(shell: &Shell, ui: &mut Ui, choice: &mut Choice) {
    let size = shell.workspace.photo_size();
    let finest = size.map_or(0, |(w, h)| finest_brush(w.max(h)));
    let last = BRUSHES_PX.len() - 1;
    let usual = DEFAULT_BRUSH.clamp(finest, last);
    // Finer to the right, in pixels of the long side.
    let mut detail = last - choice.brush.clamp(finest, last);
    let px_of = move |place: usize| match size {
        Some((width, height)) => {
            let (w, h) = working_size_of(place).resolve(width, height);
            w.max(h)
        }
        None => BRUSHES_PX[place],
    };
    let words = move |v: f64, _| format!("{} px", px_of(last - (v as usize).min(last)));
    let parsed = move |text: &str| {
        let typed = text.split_whitespace().next()?.parse::<usize>().ok()?;
        let nearest = (finest..=last).min_by_key(|&i| px_of(i).abs_diff(typed))?;
        Some((last - nearest) as f64)
    };
    let slider = ui.add_enabled_ui(finest < last, |ui| {
        theme::slider_with(ui, "Detail", &mut detail, 0..=last - finest, last - usual, |number| {
            number.custom_formatter(words).custom_parser(parsed)
        })
    });
    let hint =
        "The long side, in pixels, at which the photo is painted. Kept for your next photos.";
    if slider.inner.column_tooltip(hint).changed() {
        // Store the default as such, so that it stays the default for photos of another size.
        let place = last - detail;
        choice.brush = if place == usual { DEFAULT_BRUSH } else { place };
    }
    match size {
        Some((width, height)) => {
            let (w, h) = choice.working_size().resolve(width, height);
            theme::caption(ui, format!("Painted at {w} × {h} px"));
        }
        None => theme::bar(ui, 0.0, |ui| {
            theme::caption(ui, "Broad strokes");
            theme::at_the_right(ui, "fine strokes", |ui| theme::caption(ui, "Fine strokes"));
        }),
    }
}

/// The resolution in the saved file, and the size that it is printed at.
fn print_control(shell: &Shell, ui: &mut Ui, choice: &Choice) {
    let mut choices = shell.settings.choices.clone();
    let offered = [None, Some(150), Some(200), Some(300), Some(600)];
    choose_row(ui, "Print at", &mut choices.print_dpi, offered, |dpi| {
        dpi.map_or_else(|| "Photo's resolution".to_owned(), |dpi| format!("{dpi} dpi"))
    })
    .column_tooltip("Resolution in the saved file: how large programs print it.");
    if let Some((dpi, size)) = choices.print_dpi.zip(shell.workspace.photo_size()) {
        let (w, h) = choice.output.resolve(size, choice.working_size().resolve(size.0, size.1));
        let [w, h] = [w, h].map(|px| px as f32 / f32::from(dpi));
        let [w_cm, h_cm] = [w, h].map(|inches| 2.54 * inches);
        theme::caption(ui, format!("Prints {w_cm:.1} × {h_cm:.1} cm ({w:.1} × {h:.1} in)"));
    }
    if choices != shell.settings.choices {
        ShellCommand::SetChoices(Box::new(choices)).send(ui);
    }
}

fn format_control(shell: &Shell, ui: &mut Ui) {
    let mut choices = shell.settings.choices.clone();
    let mut format = shell.format();
    choose_row(ui, "Format", &mut format, Format::ALL.iter().copied(), format_title)
        .column_tooltip("File format of saved paintings.");
    if format != shell.format() {
        choices.format = Some(format);
    }
    if format.is_lossy() {
        theme::quality(ui, "JPEG quality", &mut choices.jpeg_quality, DEFAULT_QUALITY);
    }
    if choices != shell.settings.choices {
        ShellCommand::SetChoices(Box::new(choices)).send(ui);
    }
}
