//! The shell: what every page uses, and the window around them.

use std::sync::{Arc, atomic::AtomicBool};

use eframe::egui::{self, Context};

use super::{
    full_screen::state::FullScreen, messages::Messages, overlays::Overlays, platform::Platform,
    settings_file::KeptFile, tasks::Tasks,
};
use crate::{intent::Intent, styles::Styles, widgets::focus::FocusFrame, workspace::Workspace};
use backend::DeviceInfo;
use engine::Engine;
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

/// The device that paints, once it is known.
#[derive(Default)]
pub struct DeviceInUse {
    pub info: Option<DeviceInfo>,
    /// A message about a fallback or a lost device.
    pub notice: Option<String>,
}

impl DeviceInUse {
    pub fn name(&self) -> Option<String> {
        self.info.as_ref().map(|device| device.name.clone())
    }

    /// True if the device is known and of this kind.
    pub fn is(&self, kind: DeviceChoice) -> bool {
        self.info.as_ref().is_some_and(|device| device.kind == kind)
    }
}
