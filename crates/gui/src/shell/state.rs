//! The shell: what every page uses, and the window around them.

use std::sync::{Arc, atomic::AtomicBool};

use eframe::egui::{self, Context};
use itertools::Itertools;

use super::{
    full_screen::state::FullScreen, messages::Messages, overlays::Overlays, platform::Platform,
    settings_file::KeptFile, tasks::Tasks,
};
use crate::{
    intent::Intent,
    styles::Styles,
    widgets::{
        focus::FocusFrame,
        label::{label, remark},
    },
    workspace::Workspace,
};
use backend::DeviceInfo;
use engine::{Engine, capture::Camera};
use settings::Settings;
use values::mode::DeviceChoice;

/// What every page uses. Tasks and answers of questions continue with `A`, the state of the whole window.
pub struct ShellOf<A> {
    pub ctx: Context,
    pub engine: Engine,
    pub device: DeviceInUse,
    pub tasks: Tasks<A>,
    /// Tasks that wait for the user, so that they do not block others.
    pub dialogs: Tasks<A>,
    pub platform: Arc<dyn Platform>,
    pub settings: Settings,
    pub settings_file: KeptFile<Settings>,
    pub messages: Messages,
    pub overlays: Overlays<A>,
    pub window: WindowState,
    pub ending: Ending,
    pub intents: Vec<Intent>,
    pub workspace: Workspace,
    pub styles: Styles<A>,
}

/// The window around the pages.
#[derive(Default)]
pub struct WindowState {
    pub has_file_dialog: bool,
    /// The controls are shown in a window that is too narrow to show everything.
    pub controls_open: bool,
    /// The list of jobs and messages is shown.
    pub dock_open: bool,
    /// The key that shows the original is held down.
    pub shows_original: bool,
    /// Tooltips are currently suppressed.
    pub has_no_tooltips: bool,
    pub focus_frame: FocusFrame,
    pub full_screen: FullScreen,
    /// The minimum size that was last set, and the screen's scale at that time.
    pub min_size: Option<(egui::Vec2, f32)>,
}

/// The shutdown of the window.
#[derive(Default)]
pub struct Ending {
    /// Number of recordings that were stopped but are not written yet. A recording may not have a file yet.
    pub recordings: usize,
    /// The window closes when all recordings are written.
    pub when_recorded: bool,
    pub is_closing: bool,
    /// The program is then started again.
    pub restarts: bool,
    /// Set from any thread when the system requests that the program ends.
    pub is_requested: Arc<AtomicBool>,
}

impl Ending {
    /// Closes the window.
    pub fn close(&mut self, ctx: &Context) {
        self.is_closing = true;
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    /// Called when a recording is completely written.
    pub fn recording_ended(&mut self, ctx: &Context) {
        self.recordings = self.recordings.saturating_sub(1);
        if self.recordings == 0 && std::mem::take(&mut self.when_recorded) {
            self.close(ctx);
        }
    }
}

/// The device that paints, once it is known, and the cameras.
#[derive(Default)]
pub struct DeviceInUse {
    pub info: Option<DeviceInfo>,
    /// A message about a fallback or a lost device.
    pub notice: Option<String>,
    /// The most recent list of cameras; `None` while it is being made.
    pub cameras: Option<Result<Vec<Camera>, String>>,
}

impl DeviceInUse {
    /// The device that paints, as text; with its capabilities if `in_full`.
    pub fn text(&self, in_full: bool) -> String {
        let Self { info, notice, .. } = self;
        let device = match info {
            Some(info) if in_full => [info.name.as_str(), &info.parallelism(), &info.instructions]
                .into_iter()
                .filter(|part| !part.is_empty())
                .map(label)
                .join(", "),
            Some(info) if info.kind == DeviceChoice::Cpu => "CPU".to_owned(),
            Some(info) => label(&info.name),
            None if notice.is_some() => "No device".to_owned(),
            None => "Looking for a device…".to_owned(),
        };
        match notice.as_deref().map(remark) {
            Some(notice) if device == "CPU" => {
                format!("CPU ({})", notice.trim_start_matches("CPU: "))
            }
            Some(notice) => format!("{device} ({notice})"),
            None => device,
        }
    }

    pub fn name(&self) -> Option<String> {
        self.info.as_ref().map(|device| device.name.clone())
    }

    /// True if the device is known and of this kind.
    pub fn is(&self, kind: DeviceChoice) -> bool {
        self.info.as_ref().is_some_and(|device| device.kind == kind)
    }
}
