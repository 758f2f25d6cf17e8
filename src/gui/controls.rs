//! The controls on the right: how to paint, and how to save.

use eframe::egui::{self, Align, ComboBox, Layout, RichText, ScrollArea, Slider, vec2};

use super::{
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, finest_brush},
    intent::Intent,
    mix,
    platform::format_title,
    style_source::Card,
    theme,
};
use crate::{engine::paint::OutputSize, media::encode::Format, mode::ModelSize, settings::Choices};

/// The state that the controls show.
pub struct View<'a> {
    /// The choice as it is.
    pub choice: &'a Choice,
    /// The remembered choices: format and quality.
    pub settings: &'a Choices,
    /// The format to save in.
    pub format: Format,
    /// Columns and rows of the photo, in pixels.
    pub photo_size: Option<(usize, usize)>,
    /// The model sizes of the chosen style; empty without one.
    pub models: &'a [ModelSize],
    /// The model size in use.
    pub model: ModelSize,
    /// Every style, for a mix.
    pub cards: &'a [Card],
    /// Whether there is a finished picture to save.
    pub has_result: bool,
    /// Whether the result is being saved.
    pub saving: bool,
}

/// Draws the controls into `ui`.
pub fn ui(ui: &mut egui::Ui, view: &View<'_>, intents: &mut Vec<Intent>) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            // Beside it stands the value, at most as wide as "14 of 14".
            ui.spacing_mut().slider_width = ui.available_width() - 88.0;
            let mut choice = view.choice.clone();
            theme::group_title(ui, "Painting");
            brush(ui, view, &mut choice);
            ui.add_space(4.0);
            strength(ui, &mut choice);
            ui.checkbox(&mut choice.look.keep_colors, "Keep the photo's colours")
                .on_hover_text("Brushwork of the style, colours of the photo.");
            mix::ui(ui, view.cards, &mut choice, intents);
            ui.add_space(theme::GROUP_GAP);

            theme::group_title(ui, "Model");
            model(ui, view, &mut choice);
            ui.add_space(theme::GROUP_GAP);

            theme::group_title(ui, "Result");
            output(ui, view, &mut choice);
            if choice != *view.choice {
                intents.push(Intent::Edit(choice));
            }
            save(ui, view, intents);
        });
}

fn brush(ui: &mut egui::Ui, view: &View<'_>, choice: &mut Choice) {
    let finest = view.photo_size.map_or(0, |(w, h)| finest_brush(w.max(h)));
    let last = BRUSHES_PX.len() - 1;
    let label = ui
        .horizontal(|ui| {
            let label = ui.label("Brush size");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let usual = egui::Button::new(RichText::new("Usual").size(12.0));
                if ui
                    .add_enabled(choice.brush != DEFAULT_BRUSH, usual.small())
                    .on_hover_text(
                        "Back to the usual brush size. A brush size stays for later photos.",
                    )
                    .on_disabled_hover_text("This is the usual brush size.")
                    .accessible_name("Usual brush size")
                    .clicked()
                {
                    choice.brush = DEFAULT_BRUSH;
                }
            });
            label
        })
        .inner;
    let mut place = choice.brush.clamp(finest, last);
    let response = ui
        .add_enabled(
            finest < last,
            Slider::new(&mut place, finest..=last)
                .custom_formatter(move |v, _| {
                    format!("{} of {}", v as usize - finest + 1, last - finest + 1)
                })
                .custom_parser(move |text| {
                    let typed = text.split_whitespace().next()?.parse::<f64>().ok()?;
                    Some(typed + finest as f64 - 1.0)
                }),
        )
        .labelled_by(label.id)
        .on_hover_text("How broad the strokes are, also for later photos: fine on the left, broad on the right.");
    if response.changed() {
        choice.brush = place;
    }
    if let Some((width, height)) = view.photo_size {
        let (w, h) = choice.working_size().resolve(width, height);
        theme::caption(ui, format!("Strokes as at {w} × {h} px"));
    } else {
        theme::caption(ui, "Fine on the left, broad on the right");
    }
}

fn strength(ui: &mut egui::Ui, choice: &mut Choice) {
    let label = ui.label("Strength");
    ui.add(Slider::new(&mut choice.look.strength_percent, 0..=100).suffix(" %"))
        .labelled_by(label.id)
        .on_hover_text("0 % is the photo, 100 % the painting.");
}

fn model(ui: &mut egui::Ui, view: &View<'_>, choice: &mut Choice) {
    let has = |size| view.models.is_empty() || view.models.contains(&size);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - theme::GAP) / 2.0;
        for (size, name, hint) in [
            (ModelSize::Full, "Full", "The finest picture."),
            (
                ModelSize::Lite,
                "Lite",
                "About four times as fast, a little coarser.",
            ),
        ] {
            let chosen = if view.models.is_empty() {
                choice.model == size
            } else {
                view.model == size
            };
            let button = egui::Button::selectable(chosen, name)
                .frame_when_inactive(true)
                .min_size(vec2(width, 28.0));
            let response = ui
                .add_enabled(has(size), button)
                .on_hover_text(hint)
                .on_disabled_hover_text(match size {
                    ModelSize::Full => {
                        "This style's full model is not installed: its file belongs into the \
                         folder styles beside the program."
                    }
                    ModelSize::Lite => "This style has no lite model.",
                });
            if response.clicked() {
                choice.model = size;
            }
        }
    });
}

fn output(ui: &mut egui::Ui, view: &View<'_>, choice: &mut Choice) {
    let label = ui.label("Size");
    let name = |output: OutputSize| {
        let size = view.photo_size.map(|(w, h)| match output {
            OutputSize::Original => (w, h),
            OutputSize::Working => choice.working_size().resolve(w, h),
        });
        let title = match output {
            OutputSize::Original => "As the photo",
            OutputSize::Working => "As painted",
        };
        match size {
            Some((w, h)) => format!("{title}, {w} × {h}"),
            None => title.to_owned(),
        }
    };
    let names = [OutputSize::Original, OutputSize::Working].map(|o| (o, name(o)));
    let current = name(choice.output);
    ComboBox::from_id_salt("output size")
        .selected_text(current)
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for (output, name) in names {
                ui.selectable_value(&mut choice.output, output, name);
            }
        })
        .response
        .labelled_by(label.id);
}

fn save(ui: &mut egui::Ui, view: &View<'_>, intents: &mut Vec<Intent>) {
    let label = ui.label("Format");
    let mut format = view.format;
    ComboBox::from_id_salt("format")
        .selected_text(format_title(format))
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for &f in Format::ALL {
                ui.selectable_value(&mut format, f, format_title(f));
            }
        })
        .response
        .labelled_by(label.id);
    if format != view.format {
        intents.push(Intent::SetFormat(format));
    }
    if view.format == Format::Jpeg {
        let label = ui.label("JPEG quality");
        let mut quality = view.settings.jpeg_quality;
        ui.add(Slider::new(&mut quality, 1..=100))
            .labelled_by(label.id)
            .on_hover_text("Higher is finer and larger.");
        if quality != view.settings.jpeg_quality {
            intents.push(Intent::SetJpegQuality(quality));
        }
    }
    ui.add_space(4.0);
    let can_save = view.has_result && !view.saving;
    let why_not = if view.saving {
        "Being saved…"
    } else {
        "There is no finished painting yet."
    };
    let button = theme::main_button(ui, "Save as…");
    if wide(ui, can_save, button)
        .on_hover_text("Ctrl+S")
        .on_disabled_hover_text(why_not)
        .clicked()
    {
        intents.push(Intent::Save);
    }
    if wide(ui, view.has_result, egui::Button::new("Copy"))
        .on_hover_text("Put the painting on the clipboard. Ctrl+C")
        .on_disabled_hover_text(why_not)
        .clicked()
    {
        intents.push(Intent::Copy);
    }
}

/// A button over the whole width.
fn wide(ui: &mut egui::Ui, enabled: bool, button: egui::Button<'_>) -> egui::Response {
    let size = vec2(ui.available_width(), 32.0);
    ui.add_enabled_ui(enabled, |ui| ui.add_sized(size, button))
        .inner
}
