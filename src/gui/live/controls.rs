//! The controls beside live pictures: source, painting, comparison.

use eframe::egui::{self, ComboBox, ScrollArea, Slider, vec2};

use super::{LiveIntent, LiveView};
use crate::{
    backend::DeviceInfo,
    capture::{PixelFormat, Rotation, Source},
    engine::live::{CandidateChoice, DEFAULT_TARGET_FPS, LiveSize, rate_control::STEPS_PX},
    gui::{
        choice::Choice,
        intent::Intent,
        label::{label, name_label, remark},
        mix,
        style_source::Card,
        theme,
    },
    mode::{AttentionChoice, DeviceChoice, ModeChoice, ModelSize, PrecisionChoice, Variant},
    settings::LiveChoices,
};

/// The state that the controls show.
pub struct View<'a> {
    /// Live pictures.
    pub live: &'a LiveView,
    /// The remembered settings of live pictures.
    pub choices: &'a LiveChoices,
    /// Style, strength, colours.
    pub choice: &'a Choice,
    /// The model size in use.
    pub model: ModelSize,
    /// The model sizes of the chosen style; empty without one.
    pub models: &'a [ModelSize],
    /// Every style, for a mix.
    pub cards: &'a [Card],
    /// The device that paints.
    pub device: Option<&'a DeviceInfo>,
}

impl View<'_> {
    fn has_gpu(&self) -> bool {
        self.device.is_some_and(|d| d.kind == DeviceChoice::Cuda)
    }

    /// Whether there is a choice of how attention is computed: a GPU, and a style whose network has it.
    fn offers_attention(&self) -> bool {
        self.has_gpu() && self.live.has_attention()
    }
}

/// Draws the controls into `ui`.
pub fn ui(ui: &mut egui::Ui, view: &View<'_>, intents: &mut Vec<Intent>) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.spacing_mut().slider_width = ui.available_width() - 88.0;
            let mut choice = view.choice.clone();
            let mut choices = view.choices.clone();
            theme::group_title(ui, "Source");
            source(ui, view, &mut choices, intents);
            ui.add_space(theme::GROUP_GAP);

            theme::group_title(ui, "Painting");
            size(ui, view, &mut choices);
            ui.checkbox(&mut choices.upscale, "Sharpen to the source's size")
                .on_hover_text("The painting gets the source's size and follows its edges; else it stays as small as it was painted.");
            let label = ui.label("Strength");
            ui.add(Slider::new(&mut choice.look.strength_percent, 0..=100).suffix(" %"))
                .labelled_by(label.id)
                .on_hover_text("0 % is the source, 100 % the painting.");
            ui.checkbox(&mut choice.look.keep_colors, "Keep the source's colours")
                .on_hover_text("Brushwork of the style, colours of the source.");
            mix::ui(ui, view.cards, &mut choice, intents);
            model(ui, view, &mut choices);
            if !view.live.comparing {
                mode(ui, "How it is computed", "mode", &mut choices.mode);
                if view.offers_attention() {
                    attention(ui, "How it is computed", &mut choices.mode.attention);
                }
            }
            ui.checkbox(&mut choices.moving_gallery, "Moving pictures in the gallery")
                .on_hover_text("Every style on the left paints the live picture, small. Takes a twelfth of the time.");
            ui.add_space(theme::GROUP_GAP);

            let group = ui.scope(|ui| {
                theme::group_title(ui, "Compare");
                compare(ui, view, &mut choices, intents);
            });
            // In a low window the lists that have just appeared lie below the fold.
            let id = group.response.id.with("comparing");
            let before = ui.data_mut(|data| {
                let before = data.get_temp(id).unwrap_or(false);
                data.insert_temp(id, view.live.comparing);
                before
            });
            if view.live.comparing && !before {
                group.response.scroll_to_me(None);
            }

            if choice != *view.choice {
                intents.push(Intent::Edit(choice));
            }
            if choices != *view.choices {
                intents.push(Intent::Live(LiveIntent::Set(Box::new(choices))));
            }
        });
}

/// The source in a few words.
pub fn source_name(live: &LiveView, source: &Source) -> String {
    match source {
        Source::Demo => "Demo scene".to_owned(),
        Source::Camera(id) => {
            let known = live.cameras.iter().flatten().flatten();
            let found = known.clone().find(|camera| camera.id == *id);
            let first = || known.clone().next().filter(|_| id.as_str().is_empty());
            match found.or_else(first) {
                Some(camera) => label(&camera.name),
                None if id.as_str().is_empty() => "Camera".to_owned(),
                None => label(id.as_str()),
            }
        }
        Source::Photo(path) | Source::Folder(path) => name_label(path),
    }
}

fn source(
    ui: &mut egui::Ui,
    view: &View<'_>,
    choices: &mut LiveChoices,
    intents: &mut Vec<Intent>,
) {
    let live = view.live;
    let mut chosen = None;
    let menu = ComboBox::from_id_salt("source")
        .selected_text(source_name(live, &live.source))
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            let mut offer = |ui: &mut egui::Ui, source: Source, name: &str| {
                if ui.selectable_label(live.source == source, name).clicked() {
                    chosen = Some(source);
                }
            };
            offer(ui, Source::Demo, "Demo scene");
            match &live.cameras {
                None => {
                    theme::caption(ui, "Looking for cameras…");
                }
                Some(Err(error)) => {
                    theme::caption(ui, remark(error));
                }
                Some(Ok(cameras)) if cameras.is_empty() => {
                    theme::caption(ui, "No camera is connected");
                }
                Some(Ok(cameras)) => {
                    for camera in cameras {
                        let name = label(&camera.name);
                        offer(ui, Source::Camera(camera.id.clone()), &name);
                    }
                }
            }
        });
    let response = menu.response;
    response
        .clone()
        .on_hover_text("Where live pictures come from.");
    if response.clicked() {
        intents.push(Intent::Live(LiveIntent::ListCameras));
    }
    if let Some(source) = chosen {
        intents.push(Intent::Live(LiveIntent::Use(source)));
    }
    ui.horizontal(|ui| {
        ui.checkbox(&mut choices.mirror, "Mirror")
            .on_hover_text("Swap left and right.");
        let label = ui.label("Turn");
        ComboBox::from_id_salt("rotate")
            .selected_text(format!("{}°", choices.rotate))
            .width(64.0)
            .show_ui(ui, |ui| {
                for rotation in Rotation::ALL {
                    ui.selectable_value(&mut choices.rotate, rotation, format!("{rotation}°"));
                }
            })
            .response
            .labelled_by(label.id);
    });
    if matches!(live.source, Source::Camera(_)) {
        camera_format(ui, choices);
    }
}

/// Sizes that are offered for cameras; one that a camera has not got leads to the nearest.
const CAMERA_SIZES: [(u32, u32); 5] = [
    (320, 240),
    (640, 480),
    (1280, 720),
    (1920, 1080),
    (3840, 2160),
];
/// Rates that are offered for cameras.
const CAMERA_RATES: [u32; 5] = [10, 15, 24, 30, 60];

fn camera_format(ui: &mut egui::Ui, choices: &mut LiveChoices) {
    ui.collapsing("Camera format", |ui| {
        let automatic = || "Automatic".to_owned();
        let size_name =
            |size: Option<(u32, u32)>| size.map_or_else(automatic, |(w, h)| format!("{w} × {h}"));
        let rate_name =
            |fps: Option<u32>| fps.map_or_else(automatic, |fps| format!("{fps} frames a second"));
        let format_name =
            |format: Option<PixelFormat>| format.map_or_else(automatic, |f| f.to_string());
        pick(
            ui,
            "Size",
            &mut choices.camera_size,
            std::iter::once(None).chain(CAMERA_SIZES.map(Some)),
            size_name,
        );
        pick(
            ui,
            "Rate",
            &mut choices.camera_fps,
            std::iter::once(None).chain(CAMERA_RATES.map(Some)),
            rate_name,
        );
        pick(
            ui,
            "Pixels",
            &mut choices.camera_format,
            std::iter::once(None).chain(PixelFormat::ALL.into_iter().map(Some)),
            format_name,
        );
    });
}

/// A labelled list to choose from.
fn pick<T: Copy + PartialEq>(
    ui: &mut egui::Ui,
    title: &str,
    value: &mut T,
    offered: impl Iterator<Item = T>,
    name: impl Fn(T) -> String,
) {
    let label = ui.label(title);
    ComboBox::from_id_salt(title)
        .selected_text(name(*value))
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for one in offered {
                ui.selectable_value(value, one, name(one));
            }
        })
        .response
        .labelled_by(label.id);
}

fn size(ui: &mut egui::Ui, view: &View<'_>, choices: &mut LiveChoices) {
    let name = |size: LiveSize| match size {
        LiveSize::Auto { target_fps } => format!("Automatic, holds {target_fps:.0} fps"),
        LiveSize::LongSide(px) => format!("{px} px"),
    };
    let target_fps = match choices.size {
        LiveSize::Auto { target_fps } => target_fps,
        LiveSize::LongSide(_) => DEFAULT_TARGET_FPS,
    };
    let offered = std::iter::once(LiveSize::Auto { target_fps })
        .chain(STEPS_PX.into_iter().map(LiveSize::LongSide));
    pick(ui, "Working size", &mut choices.size, offered, name);
    if let LiveSize::Auto { target_fps } = &mut choices.size {
        let label = ui.label("Frames a second to hold");
        let mut fps = target_fps.round() as u32;
        ui.add(Slider::new(&mut fps, 5..=60)).labelled_by(label.id);
        *target_fps = f64::from(fps);
    }
    // Both lines are there from the start: what stands below them does not jump.
    let painted = view.live.painted_at().map_or_else(
        || "Painted at –".to_owned(),
        |(width, height)| format!("Painted at {width} × {height} px"),
    );
    theme::caption(ui, painted);
    if let LiveSize::Auto { target_fps } = choices.size {
        let caption = match view.live.rate_warning.is_lost() {
            true => format!("{target_fps:.0} frames a second are too many here"),
            false => "The size follows the rate".to_owned(),
        };
        theme::caption(ui, caption);
    }
}

fn model(ui: &mut egui::Ui, view: &View<'_>, choices: &mut LiveChoices) {
    // The title says which one the automatic choice uses.
    ui.label(format!("Model: {}", view.model));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 4.0;
        // The longest name gets more than its share.
        let width = (ui.available_width() - 2.0 * 4.0) * 0.28;
        let longest = ui.available_width() - 2.0 * (width + 4.0);
        for (size, name, hint) in [
            (
                None,
                "Automatic",
                "Full, but on a processor that holds a rate lite, which is about four times as fast.",
            ),
            (Some(ModelSize::Full), "Full", "The finest picture. M"),
            (
                Some(ModelSize::Lite),
                "Lite",
                "About four times as fast, a little coarser. M",
            ),
        ] {
            let has = size.is_none_or(|s| view.models.is_empty() || view.models.contains(&s));
            let button = egui::Button::selectable(choices.model == size, name)
                .frame_when_inactive(true)
                .min_size(vec2(if size.is_none() { longest } else { width }, 28.0));
            if ui
                .add_enabled(has, button)
                .on_hover_text(hint)
                .on_disabled_hover_text("This style has no such model here.")
                .clicked()
            {
                choices.model = size;
            }
        }
    });
}

/// Variant and precision, side by side.
fn mode(ui: &mut egui::Ui, title: &str, salt: &str, mode: &mut ModeChoice) {
    let ModeChoice {
        variant, precision, ..
    } = mode;
    ui.label(title);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - theme::GAP) / 2.0;
        ComboBox::from_id_salt((salt, "variant"))
            .selected_text(variant.name())
            .width(width)
            .show_ui(ui, |ui| {
                for &v in Variant::ALL {
                    ui.selectable_value(variant, v, v.name());
                }
            })
            .response
            .accessible_name(format!("{title}: variant"))
            .on_hover_text(
                "How the network is cut into steps: baseline is each operation by itself, fused joins them.",
            );
        ComboBox::from_id_salt((salt, "precision"))
            .selected_text(precision.name())
            .width(width)
            .show_ui(ui, |ui| {
                for &p in PrecisionChoice::ALL {
                    ui.selectable_value(precision, p, p.name());
                }
            })
            .response
            .accessible_name(format!("{title}: precision"))
            .on_hover_text("In which numbers the network is computed; auto is the fastest that the device does well.");
    });
}

/// How attention is computed, on a line of its own.
fn attention(ui: &mut egui::Ui, title: &str, attention: &mut AttentionChoice) {
    ui.horizontal(|ui| {
        ui.label("Attention");
        ComboBox::from_id_salt((title, "attention"))
            .selected_text(attention.name())
            .width(ui.available_width())
            .show_ui(ui, |ui| {
                for &a in AttentionChoice::ALL {
                    ui.selectable_value(attention, a, a.name());
                }
            })
            .response
            .accessible_name(format!("{title}: attention"))
            .on_hover_text(
                "How the GPU computes attention: naive keeps all scores in memory, tiled and online keep none, flash \
                 is online on tensor cores; auto is naive in baseline, else the fastest that there is.",
            );
    });
}

fn compare(
    ui: &mut egui::Ui,
    view: &View<'_>,
    choices: &mut LiveChoices,
    intents: &mut Vec<Intent>,
) {
    let live = view.live;
    let name = if live.comparing {
        "Stop comparing"
    } else {
        "Compare two modes"
    };
    let button = egui::Button::new(name).min_size(vec2(ui.available_width(), 30.0));
    if ui
        .add(button)
        .on_hover_text("Both paint the same frames in turn. C")
        .clicked()
    {
        intents.push(Intent::Live(LiveIntent::ToggleCompare));
    }
    if !live.comparing {
        return;
    }
    let has_gpu = view.has_gpu();
    for (place, title) in ["Left", "Right"].into_iter().enumerate() {
        let CandidateChoice { device, mode: m } = &mut choices.candidates[place];
        mode(ui, title, title, m);
        if view.offers_attention() && *device != DeviceChoice::Cpu {
            attention(ui, title, &mut m.attention);
        }
        if has_gpu {
            let offered = [DeviceChoice::Auto, DeviceChoice::Cpu];
            let name = |d: DeviceChoice| match d {
                DeviceChoice::Cpu => "on the processor".to_owned(),
                _ => "on the GPU".to_owned(),
            };
            pick(
                ui,
                &format!("{title}, device"),
                device,
                offered.into_iter(),
                name,
            );
        }
    }
    let mut shows = live.shows_difference;
    if ui
        .checkbox(&mut shows, "Show where they differ")
        .on_hover_text("Grey is equal; differences are enlarged sixteen times. D")
        .clicked()
    {
        intents.push(Intent::Live(LiveIntent::ToggleDifference));
    }
}
