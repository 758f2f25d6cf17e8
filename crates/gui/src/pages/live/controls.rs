//! The controls of live mode: source and painting.

use eframe::egui::{ComboBox, ScrollArea, Ui};

use super::{LivePage, LiveView, command::LiveCommand, update::SCENE_PX};
use crate::{
    app::Shell,
    intent::{Command, Sends, ViewCommand},
    shell::{
        controls::{model_row, painting_controls},
        shortcuts::plain_button,
    },
    widgets::{
        fonts::icons,
        label::{label, remark},
        list::{choose, choose_row, list, or_automatic},
        mode_choice::{ENGINE, Offers, engine},
        theme::{self, ColumnTooltip, caption},
    },
};
use engine::{
    capture::{PixelFormat, Rotation, Source},
    live::{DEFAULT_TARGET_FPS, LiveSize, rate_control::STEPS_PX},
};
use media::{
    film::{Codec, Container},
    record::USUAL_QUALITY,
};
use settings::{LiveChoices, RecordAs};

impl LivePage {
    /// Draws the controls into `ui`.
    pub fn live_controls(&self, shell: &Shell, ui: &mut Ui, live: &LiveView) {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            let mut choice = shell.workspace.choice.clone();
            let mut choices = shell.settings.live.clone();
            theme::group_title(ui, "Source");
            live_source(shell, ui, live, &mut choices);
            ui.add_space(theme::GROUP_GAP);

            painting_controls(shell, ui, "source", &mut choice, |ui, _| {
                theme::steadiness(ui, &mut choices.steadiness);
                live_size(shell, ui, live, &mut choices);
            });

            record_as(ui, &mut choices, live.no_video.as_deref());
            self.camera_out.controls(ui, &mut choices);
            ui.add_space(theme::GROUP_GAP);

            theme::advanced(ui, |ui| {
                ui.checkbox(&mut choices.repaint_kept, "Full quality when frozen").column_tooltip(
                    "Repaint frozen pictures and snapshots in the quality of photos.",
                );
                target_rate(ui, &mut choices);
                model_row(shell, ui, &mut choices.model, shell.live_model(), true);
                if !live.compares() {
                    engine(
                        ui,
                        ENGINE,
                        &mut choices.mode,
                        Offers::of(shell.device.info.as_ref(), live.has_attention()),
                    );
                }
                ui.checkbox(&mut choices.upscale, "Upscale to source size")
                    .column_tooltip("Upscale the painting to the source's size along its edges.");
                ui.checkbox(&mut choices.moving_gallery, "Animate style previews").column_tooltip(
                    "Every style in the list paints the live picture. Uses about 8 % of the time.",
                );
                if choices.record_as == RecordAs::Video {
                    video_format(ui, &mut choices);
                }
            });
            ui.add_space(theme::GROUP_GAP);

            if choice != shell.workspace.choice {
                ViewCommand::Edit(choice).send(ui);
            }
            if choices != shell.settings.live {
                LiveCommand::SetLive(Box::new(choices)).send(ui);
            }
        });
    }
}

/// The source and how it is turned.
fn live_source(shell: &Shell, ui: &mut Ui, live: &LiveView, choices: &mut LiveChoices) {
    let cameras = shell.device.cameras.as_ref();
    let button = ComboBox::from_id_salt("source").selected_text(live.source_name(cameras));
    list(ui, button.width(ui.available_width()), |ui, entries| {
        let mut offer = |ui: &mut Ui, source: Source, name: &str| {
            let is_in_use = live.source == source;
            let entry = ui.selectable_label(is_in_use, name).sends(LiveCommand::UseSource(source));
            entries.note(&entry, is_in_use);
        };
        offer(ui, Source::Demo, "Demo scene");
        if let Source::Video(_) = &live.source {
            offer(ui, live.source.clone(), &live.source_name(None));
        }
        match cameras {
            None => caption(ui, "Looking for cameras…"),
            Some(Err(error)) => caption(ui, remark(error)),
            Some(Ok(cameras)) if cameras.is_empty() => caption(ui, "No camera found"),
            Some(Ok(cameras)) => {
                for camera in cameras {
                    offer(ui, Source::Camera(camera.id.clone()), &label(&camera.name));
                }
            }
        }
        let video = ui.selectable_label(false, "Video file…").sends(LiveCommand::AskVideo);
        entries.note(&video, false);
    })
    .column_tooltip("Source of the live picture.")
    .sends(LiveCommand::ListCameras);
    let is_camera = matches!(live.source, Source::Camera(_));
    ui.horizontal(|ui| {
        let (mirror, hint) = if is_camera {
            (
                &mut choices.mirror_preview,
                "Mirror the preview. Snapshots and recordings are not mirrored.",
            )
        } else {
            (&mut choices.mirror, "Swap left and right.")
        };
        ui.checkbox(mirror, format!("{} Mirror", icons::MIRROR))
            .column_tooltip(hint)
            .accessible_name("Mirror");
        let label = ui.label("Rotate");
        choose(ui, "rotate", 64.0, &mut choices.rotate, Rotation::ALL, |angle| format!("{angle}°"))
            .labelled_by(label.id);
    });
    if is_camera {
        ui.checkbox(&mut choices.mirror_saved, "Mirror saved files")
            .column_tooltip("Also mirror snapshots and recordings.");
        camera_format(ui, choices);
    }
}

/// The output of a recording; `no_video` says why it cannot be a video.
fn record_as(ui: &mut Ui, choices: &mut LiveChoices, no_video: Option<&str>) {
    theme::row(ui, "Record as", |ui, _| {
        for (record_as, name, hint) in [
            (RecordAs::Video, "Video", "One MP4 file; without ffmpeg, a folder of pictures."),
            (
                RecordAs::Pictures,
                "Pictures",
                "A folder with one image per frame and a table of their times.",
            ),
        ] {
            if ui
                .add(theme::toggle(choices.record_as == record_as, name))
                .column_tooltip(hint)
                .accessible_name(format!("Record as: {name}"))
                .clicked()
            {
                choices.record_as = record_as;
            }
        }
    });
    if choices.record_as == RecordAs::Video
        && let Some(why) = no_video
    {
        caption(ui, format!("Recordings are folders of pictures: {}.", remark(why)));
    } else if choices.record_as == RecordAs::Video {
        let sound = ui
            .checkbox(&mut choices.microphone, format!("{} Record sound", icons::MICROPHONE))
            .column_tooltip("Record the microphone with the video. It is on only while you record.")
            .accessible_name("Record sound");
        if sound.clicked() && choices.microphone {
            LiveCommand::TryMicrophone.send(ui);
        }
    }
}

/// Codec and quality of recordings.
fn video_format(ui: &mut Ui, choices: &mut LiveChoices) {
    let codecs = Codec::ALL.iter().copied().filter(|codec| Container::Mp4.holds(*codec));
    let before = choices.codec;
    choose_row(ui, "Video codec", &mut choices.codec, codecs, Codec::title);
    if choices.codec != before {
        LiveCommand::TryCodec(choices.codec).send(ui);
    }
    theme::quality(ui, "Video quality", &mut choices.quality, USUAL_QUALITY);
}

/// Sizes that are offered for cameras. If a camera does not support one, the nearest is used.
const CAMERA_SIZES: [(u32, u32); 5] =
    [(320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160)];
/// Rates that are offered for cameras.
const CAMERA_RATES: [u32; 5] = [10, 15, 24, 30, 60];

fn camera_format(ui: &mut Ui, choices: &mut LiveChoices) {
    ui.collapsing("Camera format", |ui| {
        or_automatic(ui, "Size", &mut choices.camera_size, CAMERA_SIZES, |(w, h)| {
            format!("{w} × {h}")
        });
        or_automatic(ui, "Rate", &mut choices.camera_fps, CAMERA_RATES, |fps| {
            format!("{fps} frames a second")
        });
        or_automatic(ui, "Pixels", &mut choices.camera_format, PixelFormat::ALL, |format| {
            format.to_string()
        });
    });
}

/// The target rate of the automatic size.
fn target_rate(ui: &mut Ui, choices: &mut LiveChoices) {
    let LiveSize::Auto { target_fps } = &mut choices.size else {
        return;
    };
    let mut fps = target_fps.round() as u32;
    theme::slider(ui, "Target frame rate", &mut fps, 5..=60, DEFAULT_TARGET_FPS as u32, " fps")
        .column_tooltip("Frame rate for the automatic detail.");
    *target_fps = f64::from(fps);
}

fn live_size(shell: &Shell, ui: &mut Ui, live: &LiveView, choices: &mut LiveChoices) {
    let name = |size: LiveSize| match size {
        LiveSize::Auto { .. } => "Automatic".to_owned(),
        LiveSize::LongSide(px) => format!("{px} px"),
    };
    let target_fps = match choices.size {
        LiveSize::Auto { target_fps } => target_fps,
        LiveSize::LongSide(_) => DEFAULT_TARGET_FPS,
    };
    let offered = std::iter::once(LiveSize::Auto { target_fps })
        .chain(STEPS_PX.into_iter().map(LiveSize::LongSide));
    choose_row(ui, "Detail", &mut choices.size, offered, name);
    let painted = live.painted_at().map_or_else(
        || "Not painted yet".to_owned(),
        |(width, height)| format!("Painted at {width} × {height} px"),
    );
    // Always the height of the button, so that the widgets below do not move.
    ui.horizontal(|ui| {
        caption(ui, painted);
        if matches!(choices.size, LiveSize::LongSide(_)) && theme::reset_button(ui, "Detail") {
            choices.size = LiveSize::Auto { target_fps };
        }
    });
    if live.hides_scene(shell) {
        caption(ui, "This style hides most of the scene at this size.");
        plain_button(ui, "Paint larger (slower)", LiveCommand::LiveDetail(SCENE_PX));
    }
    if let LiveSize::Auto { target_fps } = choices.size {
        let pace = match live.pace() {
            _ if live.frozen => "Frozen".to_owned(),
            Some((fps, _)) => format!("{fps:.0} fps (target {target_fps:.0})"),
            None => format!("Target: {target_fps:.0} fps"),
        };
        caption(ui, pace);
    }
}
