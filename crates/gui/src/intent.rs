//! Intents: the user's actions in the window. Widgets and keys only send intents; `update` performs them.

use eframe::egui::{Context, Id, Response};

use crate::pages::film::Step;
pub use crate::{
    jobs::command::JobCommand,
    pages::{lab::command::LabCommand, live::command::LiveCommand, photo::command::PhotoCommand},
    shell::command::{ShellCommand, ViewCommand},
    styles::command::StyleCommand,
};

macro_rules! intents {
    ($($of:ident($command:ty)),*) => {
        /// An action of the user.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Intent {
            $($of($command)),*
        }

        $(impl From<$command> for Intent {
            fn from(command: $command) -> Self {
                Self::$of(command)
            }
        })*
    };
}

intents!(
    Shell(ShellCommand),
    View(ViewCommand),
    Style(StyleCommand),
    Photo(PhotoCommand),
    Film(Step),
    Live(LiveCommand),
    Lab(LabCommand),
    Job(JobCommand)
);

impl Intent {
    /// Returns the intents that were sent since the last call.
    pub fn take_sent(ctx: &Context) -> Vec<Self> {
        ctx.data_mut(|data| data.remove_temp(Id::NULL)).unwrap_or_default()
    }
}

/// Sends commands as intents.
pub trait Command: Into<Intent> {
    /// Queues the intent; the app performs it after the frame is drawn.
    fn send(self, ctx: &Context) {
        let intent = self.into();
        ctx.data_mut(|data| {
            data.get_temp_mut_or_default::<Vec<Intent>>(Id::NULL).push(intent);
        });
    }
}

impl<T: Into<Intent>> Command for T {}

/// A widget that sends an intent.
pub trait Sends {
    /// Sends an intent if the widget was clicked.
    fn sends(self, intent: impl Into<Intent>) -> Self;
}

impl Sends for Response {
    fn sends(self, intent: impl Into<Intent>) -> Self {
        if self.clicked() {
            intent.send(&self.ctx);
        }
        self
    }
}
